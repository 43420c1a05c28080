//! Decodes the scans of one frame on several threads, if there are no restart intervals.
//!
//! Each scan is decoded in blocks of lines, in order, but by any thread: the one that is free next takes the scan with the
//! most lines left. The calling thread turns a block of each scan into rows of pixels, in order, and decodes meanwhile:
//!
//! ```text
//! scan 0   written │ finished │ finished │ in work │                    at most BLOCKS_PER_SCAN blocks
//! scan 1   written │ in work  │
//! scan 2   written │ finished │ finished │
//! ```

use super::decode::{ScanDecoder, ScratchBuffers, first_deviation};
use super::plan::{Plan, ScanPlan};
use super::rows::{RowWriter, ScanLine};
use super::scan_queue::{self, CloseOnDrop, Next};
use crate::codec::FrameContext;
use crate::error::{DecodeError, ErrorKind, Result};
use crate::frame::Deviation;
use crate::kernel::CpuLevel;
use crate::limits::Limits;
use crate::output::Output;
use crate::parallel::with_helpers;

/// Samples of a frame, per thread, below which one thread decodes it.
const MIN_THREAD_SAMPLES: usize = super::bands::MIN_BAND_SAMPLES;
/// Samples of a component in a block, unless a line has more: 100 to 300 µs of decoding.
const BLOCK_SAMPLES: usize = 1 << 14;
/// Blocks of a scan: one that is in work or written, and those that wait for other scans.
const BLOCKS_PER_SCAN: usize = 4;

type Queue<'a> = scan_queue::Queue<ScanDecoder<'a>, LineBlock>;
type Task<'a> = scan_queue::Task<ScanDecoder<'a>, LineBlock>;

/// Lines of a scan.
#[derive(Debug, Default)]
struct LineBlock {
    samples: Vec<u16>,
    /// Number of lines that are decoded.
    line_count: usize,
    /// Error of the line after them.
    error: Option<DecodeError>,
}

impl LineBlock {
    fn line<'a>(&'a self, plan: &'a Plan<'_>, scan: &'a ScanPlan, index: usize) -> ScanLine<'a> {
        let line_samples = plan.columns * scan.components.len();
        let samples = self.samples.get(index * line_samples..(index + 1) * line_samples).unwrap_or_default();
        let row_samples = if scan.is_interleaved { line_samples } else { plan.columns };
        ScanLine::new(scan, samples.chunks_exact(row_samples.max(1)))
    }
}

/// Blocks of all scans, reused from frame to frame.
#[derive(Debug, Default)]
pub(super) struct BlockBuffers(Vec<LineBlock>);

impl BlockBuffers {
    /// Allocates `count` blocks of `samples` samples.
    ///
    /// # Errors
    /// `LimitExceeded`.
    fn grow(&mut self, count: usize, samples: usize, limits: &Limits) -> Result<()> {
        self.0.resize_with(count.max(self.0.len()), LineBlock::default);
        let blocks = self.0.iter_mut().take(count);
        let missing: usize = blocks.map(|block| samples.saturating_sub(block.samples.len())).sum();
        // All or nothing: with a part of the blocks one thread decodes the frame, and the budget is for that.
        limits.reserve(missing * size_of::<u16>())?;
        let mut blocks = self.0.iter_mut().take(count);
        blocks.try_for_each(|block| Limits::unbounded().grow_zeroed(&mut block.samples, samples))
    }
}

#[cfg(test)]
impl BlockBuffers {
    /// True if no blocks were allocated.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|block| block.samples.is_empty())
    }
}

/// Decodes a frame into `output` on several threads. Returns the first deviation, or the error of one thread. `None` if one
/// thread is to decode the frame; nothing is written then.
pub(super) fn decode(
    plan: &Plan<'_>,
    scratch: &mut ScratchBuffers,
    blocks: &mut BlockBuffers,
    context: &FrameContext<'_>,
    output: &mut Output<'_>,
) -> Option<Result<Option<(usize, Deviation)>>> {
    let samples = plan.rows * plan.columns * plan.components;
    let threads = context.options.threads.min(plan.scans.len()).min(samples / MIN_THREAD_SAMPLES);
    if threads < 2 {
        return None;
    }
    let (decoders, mut writer) = match scratch.of_rows(plan, &(0..plan.rows), context.limits) {
        Ok(buffers) => buffers,
        Err(error) => return Some(Err(error)),
    };
    let block_lines = (BLOCK_SAMPLES / plan.columns.max(1)).clamp(1, plan.rows.max(1));
    let components = plan.scans.iter().map(|scan| scan.components.len()).max().unwrap_or(1);
    let block_samples = block_lines * plan.columns * components;
    blocks.grow(decoders.len() * BLOCKS_PER_SCAN, block_samples, context.limits).ok()?;
    output.declare_bits(plan.precision);
    let mut free = std::mem::take(&mut blocks.0).into_iter();
    let scans = decoders.into_iter().map(|decoder| (decoder, plan.rows, free.by_ref().take(BLOCKS_PER_SCAN).collect()));
    let queue = Queue::new(scans);
    let worker = Worker { queue: &queue, plan, block_lines, level: output.cpu_level() };
    let (result, _) = with_helpers(1..threads, |_| worker.help(), || worker.write_rows(&mut writer, output));
    let (mut decoders, used) = queue.into_parts();
    blocks.0 = used;
    blocks.0.extend(free);
    Some(result.map(|()| first_deviation(decoders.iter_mut())))
}

/// Decodes blocks, on any thread.
struct Worker<'w, 'a> {
    queue: &'w Queue<'a>,
    plan: &'w Plan<'w>,
    block_lines: usize,
    level: CpuLevel,
}

impl<'a> Worker<'_, 'a> {
    /// Decodes blocks on a helper thread until the queue is closed.
    fn help(&self) {
        let _close = CloseOnDrop { queue: self.queue, only_on_panic: true };
        while let Some(task) = self.queue.take() {
            self.decode(task);
        }
    }

    /// Decodes and writes all rows, on the calling thread.
    fn write_rows(&self, writer: &mut RowWriter<'_>, output: &mut Output<'_>) -> Result<()> {
        let _close = CloseOnDrop { queue: self.queue, only_on_panic: false };
        let mut rows_left = self.plan.rows;
        while rows_left > 0 {
            match self.queue.next() {
                Next::Decode(task) => self.decode(task),
                Next::Write(mut blocks) => {
                    let rows = self.block_lines.min(rows_left);
                    let result = self.write_blocks(&mut blocks, rows, writer, output);
                    self.queue.release(blocks);
                    result?;
                    rows_left -= rows;
                }
                Next::Failed => return Err(DecodeError::new(ErrorKind::Output, "internal error: a thread failed", "")),
            }
        }
        Ok(())
    }

    /// Writes the rows of a block of each scan, up to the first error.
    fn write_blocks(
        &self,
        blocks: &mut [LineBlock],
        rows: usize,
        writer: &mut RowWriter<'_>,
        output: &mut Output<'_>,
    ) -> Result<()> {
        for row in 0..rows {
            // One thread decodes the scans in lock-step, so the error of the first row is that of the first scan.
            let failed = blocks.iter_mut().find(|block| block.line_count == row);
            if let Some(error) = failed.and_then(|block| block.error.take()) {
                return Err(error);
            }
            let lines = self.plan.scans.iter().zip(&*blocks);
            writer.write(lines.map(|(scan, block)| block.line(self.plan, scan, row)), output)?;
        }
        Ok(())
    }

    /// Decodes a block of lines.
    fn decode(&self, mut task: Task<'a>) {
        let Task { decoder, block, .. } = &mut task;
        let row_count = self.block_lines.min(decoder.lines_left());
        let mut samples = block.samples.as_mut_slice();
        (block.line_count, block.error) = (0, None);
        while block.line_count < row_count {
            if let Err(error) = decoder.decode_line(self.level) {
                block.error = Some(error);
                break;
            }
            for row in decoder.line().rows() {
                if let Some((out, rest)) = std::mem::take(&mut samples).split_at_mut_checked(row.len()) {
                    out.copy_from_slice(row);
                    samples = rest;
                }
            }
            block.line_count += 1;
        }
        let lines_left = if block.error.is_none() { decoder.lines_left() } else { 0 };
        self.queue.finish(task, lines_left);
    }
}
