//! Decoding of one line of a scan.

mod bits;
mod constants;
mod gradients;
mod run;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

use super::context_table::ContextTable;
use super::contexts::RunContext;
use super::parameters::Parameters;
use crate::kernel::CpuLevel;
use crate::kernel::cpu::dispatch;
use bits::Bits;
use gradients::{ColumnTable, MAX_GRADIENT};

/// Most components of a scan.
const MAX_COMPONENTS: usize = 4;
/// Samples of a row buffer besides those of the line: one pixel before the first, and one after the last.
const BORDER_PIXELS: usize = 2;

/// Order of the samples of a scan (T.87 C.2.3, ILV).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interleave {
    /// Line by line, component after component; also scans of one component.
    Line,
    /// Pixel by pixel.
    Sample,
}

/// Reason why a line cannot be decoded. Bit offsets count unstuffed bits from the start of the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineError {
    /// The segment ends before the line.
    Truncated,
    /// A Golomb code has more zeros than LIMIT permits.
    GolombCode { bit_offset: usize },
    /// A run is longer than the rest of its line.
    RunLength { bit_offset: usize },
    /// The prediction errors of a context are larger than any image has.
    Context { bit_offset: usize },
}

/// Everything about a scan that stays the same from line to line.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    parameters: Parameters,
    width: usize,
    components: usize,
    interleave: Interleave,
    columns: ColumnTable,
    /// Samples of the row buffers of one component, or with sample interleave of all components: of both lines.
    plane_samples: usize,
    scratch_samples: usize,
}

impl Scan {
    /// Returns the description of a scan of `width` samples per line; `None` if the width is 0, there are no components or
    /// more than 4, or the row buffers exceed the address space.
    pub(crate) fn new(parameters: Parameters, width: usize, components: usize, interleave: Interleave) -> Option<Self> {
        if width == 0 || !(1..=MAX_COMPONENTS).contains(&components) {
            return None;
        }
        let line_samples = width.checked_add(BORDER_PIXELS)?;
        let scratch_samples = line_samples.checked_mul(2 * components)?;
        scratch_samples.checked_mul(size_of::<u16>())?;
        let interleave = if components == 1 { Interleave::Line } else { interleave };
        let planes = if interleave == Interleave::Line { components } else { 1 };
        let plane_samples = scratch_samples / planes;
        let scratch_samples = scratch_samples.checked_add(2 * width * (components / planes))?;
        let columns = ColumnTable::new(&parameters);
        Some(Self { parameters, width, components, interleave, columns, plane_samples, scratch_samples })
    }

    /// Returns the number of samples of the scratch buffer that the decoder needs.
    pub(crate) const fn scratch_samples(&self) -> usize {
        self.scratch_samples
    }

    /// Returns the number of rows that [`ScanState::row`] returns after each line: one per component, or with sample
    /// interleave a single one, whose pixels are interleaved.
    pub(crate) const fn rows_per_line(&self) -> usize {
        if matches!(self.interleave, Interleave::Line) { self.components } else { 1 }
    }

    /// Returns the components of a pixel of a row: 1, or with sample interleave those of the scan.
    const fn pixel_samples(&self) -> usize {
        self.components / self.rows_per_line()
    }
}

/// State of decoding between two lines.
#[derive(Debug, Clone)]
pub(crate) struct ScanState {
    contexts: ContextTable,
    /// Context of run interruption samples whose neighbours a and b differ, and of the others.
    run_contexts: [RunContext; 2],
    /// `RUNindex` of each component; with sample interleave the first is that of the scan.
    run_indices: [u8; MAX_COMPONENTS],
    /// Number of the next bit, as [`Bits`] counts.
    next: isize,
    bit_count: usize,
    /// True if the last line decoded is in the second row buffer.
    is_second: bool,
}

impl ScanState {
    /// Returns a state for a scan, without data: call [`ScanState::restart`] before the first line.
    pub(crate) fn new(scan: &Scan) -> Self {
        let contexts = ContextTable::new(&scan.parameters);
        let run_contexts = [RunContext::new(&scan.parameters); 2];
        Self { contexts, run_contexts, run_indices: [0; MAX_COMPONENTS], next: -1, bit_count: 0, is_second: false }
    }

    /// Resets the state at the start of a scan or restart interval, whose data have `bit_count` bits.
    pub(crate) fn restart(&mut self, scan: &Scan, scratch: &mut [u16], bit_count: usize) {
        *self = Self::new(scan);
        self.bit_count = bit_count;
        self.next = Bits::new(&[], bit_count).first();
        scratch.fill(0);
    }

    /// Returns the number of bits of the segment that were decoded.
    pub(crate) fn bit_offset(&self) -> usize {
        Bits::new(&[], self.bit_count).offset(self.next)
    }

    /// Returns the number of bits of the segment after those decoded.
    pub(crate) fn bits_left(&self) -> usize {
        self.bit_count.saturating_sub(self.bit_offset())
    }

    /// Returns a row of the line decoded last, of `width` pixels. `index` is below [`Scan::rows_per_line`].
    pub(crate) fn row<'s>(&self, scan: &Scan, scratch: &'s [u16], index: usize) -> &'s [u16] {
        let border = scan.pixel_samples();
        let start = index * scan.plane_samples + usize::from(self.is_second) * (scan.plane_samples / 2) + border;
        scratch.get(start..start + scan.width * border).unwrap_or_default()
    }
}

/// Kind of the prediction errors of a scan.
trait Errors {
    const LOSSLESS: bool;

    /// Returns 2 × NEAR + 1.
    fn step(step: i32) -> i32 {
        if Self::LOSSLESS { 1 } else { step }
    }
}

/// NEAR is 0.
struct Exact;

/// NEAR may be above 0.
struct Near;

impl Errors for Exact {
    const LOSSLESS: bool = true;
}

impl Errors for Near {
    const LOSSLESS: bool = false;
}

/// Kind of the gradients of a scan.
trait Gradients {
    /// True if gradients may exceed the table of columns.
    const WIDE: bool;
}

/// Samples have at most 12 bits.
struct Narrow;

/// Samples have up to 16 bits.
struct Wide;

impl Gradients for Narrow {
    const WIDE: bool = false;
}

impl Gradients for Wide {
    const WIDE: bool = true;
}

/// The gradients of a line that the line above determines.
struct RowAhead<'a> {
    /// Row of each context in the table of contexts.
    rows: &'a mut [u16],
    /// Offset in the table of columns.
    offsets: &'a mut [u16],
}

/// A line of one component, or of interleaved components, and the state at its start.
struct Line<'a> {
    parameters: &'a Parameters,
    bits: Bits<'a>,
    columns: &'a ColumnTable,
    contexts: &'a mut ContextTable,
    run_contexts: &'a mut [RunContext; 2],
    /// The line above, from one pixel before the first to one after the last.
    above: &'a [u16],
    /// The line to decode, alike.
    current: &'a mut [u16],
    /// See [`RowAhead`].
    rows: &'a [u16],
    offsets: &'a [u16],
    next: isize,
    run_index: u8,
}

/// Decodes one line of all components of the scan.
///
/// - `data` are the output of [`super::unstuff`] for the segment that `state` was restarted with.
/// - `scratch` has [`Scan::scratch_samples`] samples, which stay unchanged between two calls.
///
/// # Errors
/// The first error of the line. State and rows are unspecified then.
pub(crate) fn decode_line(
    scan: &Scan,
    data: &[u8],
    state: &mut ScanState,
    scratch: &mut [u16],
    level: CpuLevel,
) -> Result<(), LineError> {
    let parameters = &scan.parameters;
    let stride = scan.pixel_samples();
    state.is_second = !state.is_second;
    let (planes, ahead) = scratch.split_at_mut_checked(scan.plane_samples * scan.rows_per_line()).unwrap_or_default();
    let (rows, offsets) = ahead.split_at_mut(ahead.len() / 2);
    for (plane, run_index) in planes.chunks_exact_mut(scan.plane_samples).zip(&mut state.run_indices) {
        let (first, second) = plane.split_at_mut(scan.plane_samples / 2);
        let (above, current) = if state.is_second { (first, second) } else { (second, first) };
        let end = stride * (scan.width + 1);
        above.copy_within(end - stride..end, end);
        for (current, above) in current.iter_mut().zip(above.iter().skip(stride)).take(stride) {
            *current = *above;
        }
        prepare(parameters, above, stride, RowAhead { rows, offsets }, level);
        let line = Line {
            parameters,
            bits: Bits::new(data, state.bit_count),
            columns: &scan.columns,
            contexts: &mut state.contexts,
            run_contexts: &mut state.run_contexts,
            above,
            current,
            rows,
            offsets,
            next: state.next,
            run_index: *run_index,
        };
        (state.next, *run_index) = decode(line, stride, level)?;
    }
    Ok(())
}

fn prepare(parameters: &Parameters, above: &[u16], stride: usize, ahead: RowAhead<'_>, level: CpuLevel) {
    dispatch!(level, prepare(parameters, above, stride, ahead))
}

/// Decodes a line of pixels of `components` interleaved samples; returns the bit after it, and the run index.
fn decode(line: Line<'_>, components: usize, level: CpuLevel) -> Result<(isize, u8), LineError> {
    let Parameters { near, max_value, .. } = *line.parameters;
    match (components, near == 0, max_value > MAX_GRADIENT) {
        (1, true, false) => dispatch!(level, line::<Exact, Narrow>(line)),
        (1, true, true) => dispatch!(level, line::<Exact, Wide>(line)),
        (1, false, false) => dispatch!(level, line::<Near, Narrow>(line)),
        (1, false, true) => dispatch!(level, line::<Near, Wide>(line)),
        (3, true, false) => dispatch!(level, pixels::<Exact, Narrow, 3>(line)),
        (3, true, true) => dispatch!(level, pixels::<Exact, Wide, 3>(line)),
        (3, false, false) => dispatch!(level, pixels::<Near, Narrow, 3>(line)),
        (3, false, true) => dispatch!(level, pixels::<Near, Wide, 3>(line)),
        (2, true, _) => dispatch!(level, pixels::<Exact, Wide, 2>(line)),
        (2, false, _) => dispatch!(level, pixels::<Near, Wide, 2>(line)),
        (_, true, _) => dispatch!(level, pixels::<Exact, Wide, 4>(line)),
        (_, false, _) => dispatch!(level, pixels::<Near, Wide, 4>(line)),
    }
}
