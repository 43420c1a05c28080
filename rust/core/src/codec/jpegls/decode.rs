//! Decodes the scans of one frame, line by line in lock-step, into the output stage.
//!
//! ```text
//! scan 0: segment ─ unstuff ─► bits ─ decode_line ─► row per component ─┐
//! scan 1: segment ─ unstuff ─► bits ─ decode_line ─► row per component ─┴─► pixels of one row ─► output stage
//! ```

use super::plan::{Plan, ScanPlan};
use crate::error::{DecodeError, ErrorKind, Result, malformed, truncated};
use crate::frame::Deviation;
use crate::kernel::jpegls::{self, LineError, PADDING_BYTES, ScanState};
use crate::kernel::{CpuLevel, predict};
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

/// Decodes all scans of a frame. Returns a deviation of the entropy-coded data.
///
/// # Errors
/// `Truncated` if the data end too early, `Malformed` for invalid codes and surplus data, `LimitExceeded`, and the errors
/// of `output`.
pub(super) fn decode_frame(
    plan: &Plan<'_>,
    buffers: &mut ScratchBuffers,
    limits: &Limits,
    output: &mut Output<'_>,
) -> Result<Option<Deviation>> {
    let level = output.cpu_level();
    let ScratchBuffers { scans: scan_buffers, row } = buffers;
    scan_buffers.resize_with(scan_buffers.len().max(plan.scans.len()), ScanBuffers::default);
    let mut scans = Vec::with_capacity(plan.scans.len());
    for (scan, buffers) in plan.scans.iter().zip(scan_buffers) {
        scans.push(ScanDecoder::new(plan, scan, buffers, limits)?);
    }
    if plan.transform.is_some() {
        limits.grow_zeroed(row, plan.columns * plan.components)?;
    }
    output.declare_bits(plan.precision);
    for _ in 0..plan.rows {
        for scan in &mut scans {
            scan.decode_line(level)?;
        }
        let rgb = plan.transform.map(|transform| {
            let row = row.get_mut(..plan.columns * plan.components).unwrap_or_default();
            scans.iter().for_each(|scan| scan.copy_row(row, plan.components));
            transform.invert(row, plan.components, plan.precision);
            &*row
        });
        output_row(plan, &scans, rgb, level, output)?;
    }
    Ok(scans.into_iter().find_map(|scan| scan.deviation))
}

/// Writes a row of pixels to `output`: the lines that were decoded last, or `rgb`, interleaved samples made from them.
fn output_row(
    plan: &Plan<'_>,
    scans: &[ScanDecoder<'_>],
    rgb: Option<&[u16]>,
    level: CpuLevel,
    output: &mut Output<'_>,
) -> Result<()> {
    let mut first_pixel = 0;
    while first_pixel < plan.columns {
        let block = output.block(plan.columns - first_pixel)?;
        let pixels = block.len() / (plan.components * plan.sample_bytes);
        if pixels == 0 {
            debug_assert!(false, "output and plan have equal numbers of pixels");
            return Err(DecodeError::new(ErrorKind::Output, "output has no space for the decoded rows", ""));
        }
        if plan.sample_bytes > 2 {
            // Decoded samples have 16 bits; the bits above them are 0.
            block.fill(0);
        }
        let mut block = Block { bytes: block, components: plan.components, sample_bytes: plan.sample_bytes, level };
        let range = first_pixel..first_pixel + pixels;
        match rgb {
            Some(row) => block.store_pixels(part(row, &range, plan.components)),
            None => scans.iter().for_each(|scan| scan.store(&range, &mut block)),
        }
        output.commit(pixels)?;
        first_pixel += pixels;
    }
    Ok(())
}

/// Returns the samples of some pixels of a row that has `samples` samples per pixel.
fn part<'r>(row: &'r [u16], pixels: &Range<usize>, samples: usize) -> &'r [u16] {
    row.get(pixels.start * samples..pixels.end * samples).unwrap_or_default()
}

/// Pixels of a block of the output, with interleaved samples.
struct Block<'a> {
    bytes: &'a mut [u8],
    /// Samples of a pixel.
    components: usize,
    /// Bytes of a sample. One of 4 or 8 bytes is stored as 2 bytes, followed by the zeros that are there.
    sample_bytes: usize,
    level: CpuLevel,
}

impl Block<'_> {
    /// Stores all samples of the pixels.
    fn store_pixels(&mut self, samples: &[u16]) {
        self.store(samples, 0, 1);
    }

    /// Stores one component of the pixels.
    fn store_component(&mut self, component: usize, samples: &[u16]) {
        self.store(samples, component, self.components);
    }

    /// Stores samples from sample `first` on, every `stride` samples.
    fn store(&mut self, samples: &[u16], first: usize, stride: usize) {
        let stored_bytes = self.sample_bytes.min(2);
        let sample_stride = self.sample_bytes / stored_bytes;
        let out = self.bytes.get_mut(first * self.sample_bytes..).unwrap_or_default();
        predict::store(samples, 0, u16::MAX, out, stored_bytes, stride * sample_stride, self.level);
    }
}

/// Decoding state of one scan.
struct ScanDecoder<'a> {
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
    fn new(plan: &Plan<'a>, scan: &'a ScanPlan, buffers: &'a mut ScanBuffers, limits: &Limits) -> Result<Self> {
        let ScanBuffers { data, lines, state } = buffers;
        let longest = scan.segments.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        limits.grow_zeroed(data, longest + PADDING_BYTES)?;
        limits.grow_zeroed(lines, scan.kernel.scratch_samples())?;
        Ok(Self {
            frame: plan.frame,
            plan: scan,
            state: state.get_or_insert_with(|| ScanState::new(&scan.kernel)),
            data,
            lines: lines.get_mut(..scan.kernel.scratch_samples()).unwrap_or_default(),
            segment: 0..0,
            segments_started: 0,
            segment_lines_left: 0,
            lines_left: plan.rows,
            rows: plan.rows,
            deviation: None,
        })
    }

    /// Decodes the next line, and checks the data after the last line of a segment.
    fn decode_line(&mut self, level: CpuLevel) -> Result<()> {
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

    /// The rows of the line that was decoded last: one per component, or one of interleaved pixels.
    fn rows(&self) -> impl Iterator<Item = &[u16]> {
        let kernel = &self.plan.kernel;
        (0..kernel.rows_per_line()).map(|index| self.state.row(kernel, self.lines, index))
    }

    /// Stores some pixels of the line that was decoded last.
    fn store(&self, pixels: &Range<usize>, block: &mut Block<'_>) {
        let components = &self.plan.components;
        if !self.plan.is_interleaved {
            for (component, row) in components.iter().zip(self.rows()) {
                block.store_component(*component, part(row, pixels, 1));
            }
            return;
        }
        for row in self.rows() {
            let samples = part(row, pixels, components.len());
            if components.len() == block.components {
                block.store_pixels(samples);
                continue;
            }
            // Interleaved scans of some of the components are rare: one sample at a time.
            for (index, component) in components.iter().enumerate() {
                let samples = samples.iter().skip(index).step_by(components.len());
                for (pixel, sample) in samples.enumerate() {
                    block.store(&[*sample], pixel * block.components + component, 1);
                }
            }
        }
    }

    /// Copies the line that was decoded last to a row of pixels of `frame_components` samples.
    fn copy_row(&self, row: &mut [u16], frame_components: usize) {
        let components = &self.plan.components;
        let step = if self.plan.is_interleaved { components.len() } else { 1 };
        let lines = if self.plan.is_interleaved {
            vec![self.rows().next().unwrap_or_default(); step]
        } else {
            self.rows().collect()
        };
        for (index, (component, line)) in components.iter().zip(lines).enumerate() {
            let first = if self.plan.is_interleaved { index } else { 0 };
            let samples = line.iter().skip(first).step_by(step);
            let out = row.iter_mut().skip(*component).step_by(frame_components);
            out.zip(samples).for_each(|(out, sample)| *out = *sample);
        }
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
