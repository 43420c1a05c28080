//! Decodes the scans of one frame, line by line in lock-step, into the output stage.
//!
//! ```text
//! scan 0: segment ─ unstuff ─► bits ─ decode_line ─► row per component ─┐
//! scan 1: segment ─ unstuff ─► bits ─ decode_line ─► row per component ─┴─► pixels of one row ─► output stage
//! ```

use super::plan::{Plan, ScanPlan};
use super::rows::{RowWriter, ScanLine};
use crate::error::{DecodeError, Result, malformed, truncated};
use crate::frame::Deviation;
use crate::kernel::CpuLevel;
use crate::kernel::jpegls::{self, LineError, PADDING_BYTES, ScanState};
use crate::limits::Limits;
use crate::output::Output;
use std::ops::Range;

/// Most bits after the last line of a segment: padding of the last byte, and a byte 00 that some encoders append.
const MAX_PADDING_BITS: usize = 15;

/// Scratch buffers of one thread, reused from frame to frame.
#[derive(Debug, Default)]
pub(super) struct ScratchBuffers {
    scans: Vec<ScanBuffers>,
    /// A row of interleaved pixels whose colour is transformed.
    row: Vec<u16>,
}

impl ScratchBuffers {
    /// Returns a bound of the bytes that the rows of a frame need.
    pub(super) fn max_bytes(plan: &Plan<'_>) -> usize {
        let samples: usize = plan.scans.iter().map(|scan| scan.kernel.scratch_samples()).sum();
        let segments: usize = plan.scans.iter().map(|scan| scan.max_segment_bytes() + PADDING_BYTES).sum();
        segments + (samples + plan.columns * plan.components) * size_of::<u16>()
    }

    /// Returns the decoders of all scans, which start with the first of `rows`, and the writer of the rows.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub(super) fn of_rows<'a>(
        &'a mut self,
        plan: &'a Plan<'a>,
        rows: &Range<usize>,
        limits: &Limits,
    ) -> Result<(Vec<ScanDecoder<'a>>, RowWriter<'a>)> {
        let Self { scans: buffers, row } = self;
        buffers.resize_with(buffers.len().max(plan.scans.len()), ScanBuffers::default);
        let mut scans = Vec::with_capacity(plan.scans.len());
        for (scan, buffers) in plan.scans.iter().zip(buffers) {
            scans.push(ScanDecoder::new(plan, scan, rows.start, buffers, limits)?);
        }
        Ok((scans, RowWriter::new(plan, row, limits)?))
    }
}

/// Scratch buffers of one scan.
#[derive(Debug, Default)]
struct ScanBuffers {
    /// Bits of the segment, without the stuffed ones.
    data: Vec<u8>,
    /// Lines of the kernel.
    lines: Vec<u16>,
    /// State of the last scan, reset at the start of the next one. Moving it costs more than a reset.
    state: Option<ScanState>,
}

/// Decodes some rows of a frame, which start with a restart interval of each scan. Returns a deviation of the
/// entropy-coded data, with the index of its scan.
///
/// # Errors
/// `Truncated` if the data end too early, `Malformed` for invalid codes and surplus data, `LimitExceeded`, and the errors
/// of `output`.
pub(super) fn decode_rows(
    plan: &Plan<'_>,
    rows: Range<usize>,
    buffers: &mut ScratchBuffers,
    limits: &Limits,
    output: &mut Output<'_>,
) -> Result<Option<(usize, Deviation)>> {
    let level = output.cpu_level();
    let (mut scans, mut writer) = buffers.of_rows(plan, &rows, limits)?;
    output.declare_bits(plan.precision);
    for _ in rows {
        for scan in &mut scans {
            scan.decode_line(level)?;
        }
        writer.write(scans.iter().map(ScanDecoder::line), output)?;
    }
    Ok(first_deviation(scans.iter_mut()))
}

/// Returns the deviation of the first scan that has one, with its index.
pub(super) fn first_deviation<'d, 'a: 'd>(
    scans: impl Iterator<Item = &'d mut ScanDecoder<'a>>,
) -> Option<(usize, Deviation)> {
    scans.enumerate().find_map(|(index, scan)| Some((index, scan.deviation.take()?)))
}

/// Decoding state of one scan.
pub(super) struct ScanDecoder<'a> {
    frame: &'a [u8],
    plan: &'a ScanPlan,
    state: &'a mut ScanState,
    data: &'a mut [u8],
    lines: &'a mut [u16],
    /// Entropy-coded segment that is being decoded.
    segment: Range<usize>,
    /// Number of segments that were started.
    segments_started: usize,
    /// Lines that are left of the segment, and of the scan.
    segment_lines_left: usize,
    lines_left: usize,
    /// Lines of the scan.
    rows: usize,
    deviation: Option<Deviation>,
}

impl<'a> ScanDecoder<'a> {
    /// Starts with line `first`, the first one of a restart interval.
    fn new(
        plan: &Plan<'a>,
        scan: &'a ScanPlan,
        first: usize,
        buffers: &'a mut ScanBuffers,
        limits: &Limits,
    ) -> Result<Self> {
        let ScanBuffers { data, lines, state } = buffers;
        limits.grow_zeroed(data, scan.max_segment_bytes() + PADDING_BYTES)?;
        limits.grow_zeroed(lines, scan.kernel.scratch_samples())?;
        Ok(Self {
            frame: plan.frame,
            plan: scan,
            state: state.get_or_insert_with(|| ScanState::new(&scan.kernel)),
            data,
            lines: lines.get_mut(..scan.kernel.scratch_samples()).unwrap_or_default(),
            segment: 0..0,
            segments_started: first / scan.interval_lines.max(1),
            segment_lines_left: 0,
            lines_left: plan.rows.saturating_sub(first),
            rows: plan.rows,
            deviation: None,
        })
    }

    /// Decodes the next line, and checks the data after the last line of a segment.
    ///
    /// # Errors
    /// `Truncated` and `Malformed`.
    pub(super) fn decode_line(&mut self, level: CpuLevel) -> Result<()> {
        if self.segment_lines_left == 0 {
            self.start_segment();
        }
        let data = self.data.get(..self.segment.len() + PADDING_BYTES).unwrap_or_default();
        jpegls::decode_line(&self.plan.kernel, data, self.state, self.lines, level)
            .map_err(|error| self.line_error(error))?;
        self.lines_left = self.lines_left.saturating_sub(1);
        self.segment_lines_left = self.segment_lines_left.saturating_sub(1);
        if self.segment_lines_left == 0 { self.check_padding() } else { Ok(()) }
    }

    /// Starts the next segment: all bits are unstuffed at once, the state is that of the start of a scan.
    fn start_segment(&mut self) {
        self.segment =
            self.plan.segments.get(self.segments_started).cloned().unwrap_or(self.segment.end..self.segment.end);
        self.segments_started += 1;
        self.segment_lines_left = self.plan.interval_lines.min(self.lines_left);
        let data = self.data.get_mut(..self.segment.len() + PADDING_BYTES).unwrap_or_default();
        let bits = jpegls::unstuff(self.frame.get(self.segment.clone()).unwrap_or_default(), data);
        self.state.restart(&self.plan.kernel, self.lines, bits);
    }

    /// Checks the bits after the last line of a segment: they are zeros that fill a byte (T.87 A.1).
    fn check_padding(&mut self) -> Result<()> {
        let bits = self.state.bits_left();
        if bits == 0 {
            return Ok(());
        }
        let segment = self.segment_bytes();
        let offset = self.segment.start + jpegls::stuffed_offset(segment, self.state.bit_offset());
        if bits > MAX_PADDING_BITS || last_bits(segment, bits) != 0 {
            let text = format!("{bits} bits follow the last line of the segment, zeros up to the next byte expected");
            return Err(malformed(text, "ITU-T T.87 A.1").at(offset));
        }
        if bits >= 8 {
            let text = "a byte 00 follows the last line of the segment";
            self.deviation.get_or_insert(Deviation::new(text, "ITU-T T.87 A.1").at(self.segment.end.saturating_sub(1)));
        }
        Ok(())
    }

    /// The line that was decoded last.
    pub(super) fn line(&self) -> ScanLine<'_> {
        let kernel = &self.plan.kernel;
        let rows = (0..kernel.rows_per_line()).map(|index| self.state.row(kernel, self.lines, index));
        ScanLine::new(self.plan, rows)
    }

    /// Number of lines that are not decoded.
    pub(super) const fn lines_left(&self) -> usize {
        self.lines_left
    }

    /// Bytes of the segment.
    fn segment_bytes(&self) -> &'a [u8] {
        self.frame.get(self.segment.clone()).unwrap_or_default()
    }

    /// Returns the error of a line that the kernel cannot decode.
    fn line_error(&self, error: LineError) -> DecodeError {
        let at = |bit_offset| self.segment.start + jpegls::stuffed_offset(self.segment_bytes(), bit_offset);
        let line = self.rows - self.lines_left;
        match error {
            LineError::Truncated => {
                truncated(format!("entropy-coded data end in line {line}"), "ITU-T T.87 A.1").at(self.segment.end)
            }
            LineError::GolombCode { bit_offset } => {
                malformed(format!("code is longer than LIMIT, in line {line}"), "ITU-T T.87 A.5.3").at(at(bit_offset))
            }
            LineError::RunLength { bit_offset } => {
                malformed(format!("run passes the end of line {line}"), "ITU-T T.87 A.7.1").at(at(bit_offset))
            }
            LineError::Context { bit_offset } => {
                malformed(format!("prediction errors are out of range, in line {line}"), "ITU-T T.87 A.6")
                    .at(at(bit_offset))
            }
        }
    }
}

/// Returns the last `bits` bits of a segment, at most [`MAX_PADDING_BITS`], without the stuffed ones.
fn last_bits(segment: &[u8], bits: usize) -> u32 {
    let mut value = 0;
    let mut count = 0;
    for (index, byte) in segment.iter().enumerate().rev() {
        if count >= bits {
            break;
        }
        let is_stuffed = index > 0 && segment.get(index - 1) == Some(&0xFF);
        value |= u32::from(*byte) << count;
        count += if is_stuffed { 7 } else { 8 };
    }
    value & ((1 << bits) - 1)
}
