//! Decoding of one line of a scan.

mod bits;
mod codes;
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
pub(super) use codes::first_code;
use constants::Constants;
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
    /// True if NEAR is 0.
    const LOSSLESS: bool;
    /// True if samples are reconstructed by a mask, see [`Parameters::is_modular`].
    const MODULAR: bool;
    /// True for lossless scans of 8 bits without a preset MAXVAL.
    const BYTES: bool;
}

/// Lossless scans of 8 bits: MAXVAL is a constant, and short codes are looked up.
struct Bytes;

impl Errors for Bytes {
    const LOSSLESS: bool = true;
    const MODULAR: bool = true;
    const BYTES: bool = true;
}

/// Lossless scans of 8, 12 and 16 bits, see [`Parameters::is_modular`].
struct Modular;

/// Other lossless scans.
struct Lossless;

/// Near-lossless scans.
struct Quantized;

impl Errors for Modular {
    const LOSSLESS: bool = true;
    const MODULAR: bool = true;
    const BYTES: bool = false;
}

impl Errors for Lossless {
    const LOSSLESS: bool = true;
    const MODULAR: bool = false;
    const BYTES: bool = false;
}

impl Errors for Quantized {
    const LOSSLESS: bool = false;
    const MODULAR: bool = false;
    const BYTES: bool = false;
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
    constants: &'a Constants,
    bits: &'a Bits<'a>,
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
    let (constants, bits) = (Constants::new(parameters), Bits::new(data, state.bit_count));
    let (rows, offsets) = ahead.split_at_mut(ahead.len() / 2);
    for (plane, run_index) in planes.chunks_exact_mut(scan.plane_samples).zip(&mut state.run_indices) {
        let (first, second) = plane.split_at_mut(scan.plane_samples / 2);
        let (above, current) = if state.is_second { (first, second) } else { (second, first) };
        let end = stride * (scan.width + 1);
        above.copy_within(end - stride..end, end);
        for (current, above) in current.iter_mut().zip(above.iter().skip(stride)).take(stride) {
            *current = *above;
        }
        prepare(&scan.columns, above, stride, RowAhead { rows, offsets }, level);
        let line = Line {
            constants: &constants,
            bits: &bits,
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
        (state.next, *run_index) = decode(line, parameters, stride, level)?;
    }
    Ok(())
}

fn prepare(table: &ColumnTable, above: &[u16], stride: usize, ahead: RowAhead<'_>, level: CpuLevel) {
    dispatch!(level, prepare(table, above, stride, ahead))
}

/// Decodes a line of pixels of `components` interleaved samples; returns the bit after it, and the run index.
fn decode(
    line: Line<'_>,
    parameters: &Parameters,
    components: usize,
    level: CpuLevel,
) -> Result<(isize, u8), LineError> {
    let is_wide = parameters.max_value > MAX_GRADIENT;
    let is_bytes = parameters.max_value == 255;
    if parameters.near > 0 {
        match (components, is_wide) {
            (1, false) => dispatch!(level, line::<Quantized, Narrow>(line)),
            (1, true) => dispatch!(level, line::<Quantized, Wide>(line)),
            (2, _) => dispatch!(level, pixels::<Quantized, Wide, 2>(line)),
            (3, false) => dispatch!(level, pixels::<Quantized, Narrow, 3>(line)),
            (3, true) => dispatch!(level, pixels::<Quantized, Wide, 3>(line)),
            _ => dispatch!(level, pixels::<Quantized, Wide, 4>(line)),
        }
    } else if parameters.is_modular() {
        match (components, is_wide) {
            (1, false) if is_bytes => dispatch!(level, line::<Bytes, Narrow>(line)),
            (3, false) if is_bytes => dispatch!(level, pixels::<Bytes, Narrow, 3>(line)),
            (1, false) => dispatch!(level, line::<Modular, Narrow>(line)),
            (1, true) => dispatch!(level, line::<Modular, Wide>(line)),
            (2, _) => dispatch!(level, pixels::<Modular, Wide, 2>(line)),
            (3, false) => dispatch!(level, pixels::<Modular, Narrow, 3>(line)),
            (3, true) => dispatch!(level, pixels::<Modular, Wide, 3>(line)),
            _ => dispatch!(level, pixels::<Modular, Wide, 4>(line)),
        }
    } else {
        match (components, is_wide) {
            (1, false) => dispatch!(level, line::<Lossless, Narrow>(line)),
            (1, true) => dispatch!(level, line::<Lossless, Wide>(line)),
            (2, _) => dispatch!(level, pixels::<Lossless, Wide, 2>(line)),
            (3, _) => dispatch!(level, pixels::<Lossless, Wide, 3>(line)),
            _ => dispatch!(level, pixels::<Lossless, Wide, 4>(line)),
        }
    }
}
