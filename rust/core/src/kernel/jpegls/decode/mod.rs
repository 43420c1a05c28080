//! Decoding of one line of a scan.

mod reader;
mod scalar;

#[cfg(test)]
mod tests;

use super::contexts::Contexts;
use super::parameters::Parameters;
use crate::kernel::CpuLevel;

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
        Some(Self { parameters, width, components, interleave, plane_samples, scratch_samples })
    }

    /// Returns the number of samples of the scratch buffer that the decoder needs.
    pub(crate) const fn scratch_samples(&self) -> usize {
        self.scratch_samples
    }

    /// Returns the number of rows that [`ScanState::row`] returns after each line: one per component, or with sample
    /// interleave a single one, whose pixels are interleaved.
    pub(crate) const fn rows_per_line(&self) -> usize {
        self.scratch_samples / self.plane_samples
    }

    /// Returns the components of a pixel of a row: 1, or with sample interleave those of the scan.
    const fn pixel_samples(&self) -> usize {
        self.components / self.rows_per_line()
    }
}

/// State of decoding between two lines.
#[derive(Debug, Clone)]
pub(crate) struct ScanState {
    contexts: Contexts,
    /// `RUNindex` of each component; with sample interleave the first is that of the scan.
    run_indices: [u8; MAX_COMPONENTS],
    /// Number of bits left, and of padding bits in the last byte.
    position: usize,
    bit_count: usize,
    /// True if the last line decoded is in the second row buffer.
    is_second: bool,
}

impl ScanState {
    /// Returns a state for a scan, without data: call [`ScanState::restart`] before the first line.
    pub(crate) fn new(scan: &Scan) -> Self {
        let contexts = Contexts::new(&scan.parameters);
        Self { contexts, run_indices: [0; MAX_COMPONENTS], position: 0, bit_count: 0, is_second: false }
    }

    /// Resets the state at the start of a scan or restart interval, whose data have `bit_count` bits.
    pub(crate) fn restart(&mut self, scan: &Scan, scratch: &mut [u16], bit_count: usize) {
        *self = Self::new(scan);
        self.bit_count = bit_count;
        self.position = bit_count.next_multiple_of(8);
        scratch.fill(0);
    }

    /// Returns the number of bits of the segment that were decoded.
    pub(crate) fn bit_offset(&self) -> usize {
        self.bit_count.next_multiple_of(8).saturating_sub(self.position)
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
    let _ = level;
    scalar::decode_line(scan, data, state, scratch)
}
