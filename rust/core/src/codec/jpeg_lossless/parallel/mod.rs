//! Decodes one long scan on several threads.
//!
//! The data are cut into blocks of about 32 KiB. Any thread decodes a block from its first bit on, before it is known
//! where the first symbol starts (see `self_sync`). The calling thread verifies the blocks in order, because it knows
//! where each one's first symbol starts, and turns their differences into samples:
//!
//! ```text
//! data            │ block 0 │ block 1 │ block 2 │ …
//!                           ├ overlap: end of the last symbol of block 0
//!
//! helper:         while there are blocks:
//!                     take the next block, with a free buffer                            (waits for a buffer)
//!                     decode it from its first bit on; hand it over
//!
//! calling thread: for each block, in order:
//!                     Next::Ready         synchronise the symbols after the overlap with those of the block,
//!                                         append the symbols that are right, decode the rest
//!                     Next::DecodeInline  no thread has the block, or it is late: decode it from the overlap on
//!                     Next::DecodeOther   another thread has the block: decode a later one meanwhile, and ask again
//!                     Next::Failed        a helper panicked
//!                     predict and output the rows that are complete
//! ```
//!
//! Short restart intervals need no synchronisation: several of them are one block.
//!
//! Data that never synchronise are decoded twice. So when blocks prove wrong repeatedly, the calling thread continues
//! alone: no data take much longer than on one thread. Samples, deviations and errors do not depend on the number of
//! threads.

mod block;
mod queue;
#[cfg(test)]
mod tests;

use super::plan::{Plan, Tables};
use super::self_sync::{ChunkBuffers, decode_chunks, synchronise, tables_from_phase};
use super::stream::Stream;
use crate::codec::{EntropyMode, FrameContext};
use crate::error::Result;
use crate::kernel::huffman::{self, Cursor, Prefetch, Task};
use crate::limits::Limits;
use crate::parallel::with_helpers;
use block::{BLOCK_DIFFERENCES, Block, BlockBuffer, MAX_SHORT_SEGMENT_BYTES, ScanContext, end_of_symbols, split};
use queue::{CloseOnDrop, Next, Queue};

/// Entropy-coded bytes below which one thread decodes the scan: starting a thread takes as long as decoding a third of
/// them.
const MIN_BYTES: usize = 256 * 1024;
/// Entropy-coded bytes per thread, at least.
const MIN_THREAD_BYTES: usize = 128 * 1024;
/// Threads that are of use: one thread predicts and outputs all samples, a fifth to a quarter of the work, so that more
/// threads only wait for it.
const MAX_THREADS: usize = 6;
/// The calling thread continues alone when this many more blocks proved wrong than right.
const MAX_WRONG_BLOCKS: usize = 4;

/// Scratch buffers of all threads, reused from frame to frame.
#[derive(Debug, Default)]
pub(super) struct WorkerBuffers {
    /// For blocks that the calling thread decodes inline.
    inline: Option<BlockBuffer>,
    /// For blocks that are decoded ahead of the calling thread.
    blocks: Vec<BlockBuffer>,
    /// One per helper.
    chunks: Vec<ChunkBuffers>,
}

impl WorkerBuffers {
    /// Allocates the buffers of `threads` threads.
    ///
    /// # Errors
    /// `LimitExceeded`.
    fn grow(&mut self, threads: usize, limits: &Limits) -> Result<()> {
        let helpers = threads - 1;
        // One that each thread decodes, one per thread that waits for the calling thread, and the one that it reads.
        let blocks = 2 * threads + 1;
        let missing = blocks.saturating_sub(self.blocks.len()) + usize::from(self.inline.is_none());
        // All or nothing: with a part of the buffers the scan is decoded on one thread, and the budget is for that.
        limits.reserve(missing * BlockBuffer::BYTES)?;
        let reserved = Limits::unbounded();
        if self.inline.is_none() {
            self.inline = Some(BlockBuffer::new(&reserved)?);
        }
        while self.blocks.len() < blocks {
            self.blocks.push(BlockBuffer::new(&reserved)?);
        }
        self.chunks.resize_with(helpers.max(self.chunks.len()), ChunkBuffers::default);
        self.chunks.iter_mut().take(helpers).try_for_each(|chunks| chunks.grow(BLOCK_DIFFERENCES, limits))
    }
}

/// Outputs the rows that are ready; returns `false` if no more rows are wanted.
type OutputRows<'f, 'a> = dyn FnMut(&mut [Stream<'a>]) -> Result<bool> + 'f;

/// Decodes the scan of `stream` on several threads. Does nothing if there is only one thread, or if the scan is too
/// short or the budget too small for more: the caller then decodes the whole scan.
///
/// The stream fails if and only if it would on one thread.
///
/// # Errors
/// The errors of `output_rows`.
pub(super) fn decode<'a>(
    plan: &Plan<'a>,
    tables: &Tables,
    stream: &mut Stream<'a>,
    workers: &mut WorkerBuffers,
    chunks: &mut ChunkBuffers,
    context: &FrameContext<'_>,
    output_rows: &mut OutputRows<'_, 'a>,
) -> Result<()> {
    let scan = stream.scan();
    let bytes: usize = scan.segments.iter().map(ExactSizeIterator::len).sum();
    let threads = context.options.threads.min(bytes / MIN_THREAD_BYTES).min(MAX_THREADS);
    let is_worth_it =
        context.options.codec.entropy_mode == EntropyMode::Speculative && threads > 1 && bytes >= MIN_BYTES;
    if !is_worth_it || !stream.holds_whole_window() || workers.grow(threads, context.limits).is_err() {
        return Ok(());
    }
    let (tables, blocks) = (tables.at(&scan.tables), split(plan.frame, &scan.segments));
    let scan = ScanContext { plan, scan, tables: &tables, blocks: &blocks, level: stream.level() };
    let WorkerBuffers { inline: Some(inline), blocks: block_buffers, chunks: helper_chunks } = workers else {
        debug_assert!(false, "allocated by grow");
        return Ok(());
    };
    let queue = Queue::new(blocks.len(), std::mem::take(block_buffers));
    let helpers = helper_chunks.iter_mut().take(threads - 1);
    let (result, _) = with_helpers(
        helpers,
        |chunks| help(&scan, &queue, chunks),
        || {
            let _close = CloseOnDrop { queue: &queue, only_on_panic: false };
            let consumer = Consumer { scan: &scan, stream, chunks, overlap_bits: 0, wrong_blocks: 0 };
            consumer.consume_all(&queue, inline, output_rows)
        },
    );
    *block_buffers = queue.into_buffers();
    result
}

/// Decodes blocks on a helper thread until none is left.
fn help(scan: &ScanContext<'_>, queue: &Queue<BlockBuffer>, chunks: &mut ChunkBuffers) {
    let _close = CloseOnDrop { queue, only_on_panic: true };
    while let Some((index, mut buffer)) = queue.take_block() {
        buffer.decode(scan, index, chunks);
        queue.finish_block(index, buffer);
    }
}

/// The calling thread, which takes the decoded blocks in order.
struct Consumer<'c, 'a> {
    scan: &'c ScanContext<'c>,
    stream: &'c mut Stream<'a>,
    chunks: &'c mut ChunkBuffers,
    /// Bits at the start of the current block that belong to the last symbol of the block before.
    overlap_bits: usize,
    /// Blocks that proved wrong, minus those that proved right; not below 0.
    wrong_blocks: usize,
}

impl<'a> Consumer<'_, 'a> {
    /// Turns all blocks into samples, in order.
    fn consume_all(
        mut self,
        queue: &Queue<BlockBuffer>,
        inline: &mut BlockBuffer,
        output_rows: &mut OutputRows<'_, 'a>,
    ) -> Result<()> {
        let mut blocks = self.scan.blocks.iter().enumerate();
        let mut next_block = blocks.next();
        while let Some((index, block)) = next_block {
            let is_alone = self.wrong_blocks > MAX_WRONG_BLOCKS;
            if is_alone {
                queue.close();
            }
            match if is_alone { Next::DecodeInline } else { queue.next() } {
                Next::DecodeOther(index, mut buffer) => {
                    buffer.decode(self.scan, index, self.chunks);
                    queue.finish_block(index, buffer);
                    continue;
                }
                Next::Ready(buffer) => {
                    self.consume_block(block, &buffer, true);
                    queue.release(buffer);
                }
                Next::DecodeInline => self.decode_inline(index, block, inline),
                Next::Failed => self.stream.fail(),
            }
            if self.stream.has_failed() {
                return Ok(());
            }
            self.stream.predict();
            if !output_rows(std::slice::from_mut(self.stream))? {
                return Ok(());
            }
            next_block = blocks.next();
        }
        Ok(())
    }

    /// Decodes a block that no other thread has decoded.
    fn decode_inline(&mut self, index: usize, block: &Block, buffer: &mut BlockBuffer) {
        match block {
            Block::Segments(_) => buffer.decode(self.scan, index, self.chunks),
            Block::Part { segment, bytes } => {
                buffer.fill(self.scan, *segment, bytes.clone());
            }
        }
        self.consume_block(block, buffer, false);
    }

    /// Appends the symbols of a block to the stream. If the block is part of a segment and `is_decoded`, the symbols in
    /// `buffer` are verified first. Symbols of the part that are not decoded, or not verified, are decoded here.
    fn consume_block(&mut self, block: &Block, buffer: &BlockBuffer, is_decoded: bool) {
        match block {
            Block::Segments(_) => self.consume_segments(buffer),
            // The stream is past the segment if all its samples are decoded and more data follow.
            Block::Part { segment, bytes } if *segment == self.stream.segment() => {
                if self.scan.is_start(*segment, bytes) {
                    self.overlap_bits = 0;
                }
                let data_end = self.scan.scan.segments.get(*segment).map_or(bytes.end, |segment| segment.end);
                let is_last = bytes.end == data_end;
                let verified = if is_decoded { self.append_part(buffer, is_last) } else { None };
                if is_decoded {
                    let is_right = verified.is_some();
                    self.wrong_blocks =
                        if is_right { self.wrong_blocks.saturating_sub(1) } else { self.wrong_blocks + 1 };
                }
                self.decode_rest(buffer, verified.unwrap_or(self.overlap_bits), is_last);
            }
            Block::Part { .. } => {}
        }
    }

    /// Appends the symbols of whole segments.
    fn consume_segments(&mut self, buffer: &BlockBuffer) {
        let mut differences = buffer.differences.as_slice();
        for segment in &buffer.segments {
            let wanted = self.stream.symbols_left();
            let Some((decoded, rest)) = differences.split_at_checked(segment.decoded) else {
                return self.stream.fail();
            };
            differences = rest;
            let is_complete = segment.decoded == wanted && segment.is_assigned && segment.bit_offset <= segment.end_bit;
            match self.stream.scratch_slice().get_mut(..wanted) {
                Some(out) if is_complete => out.copy_from_slice(decoded),
                _ => return self.stream.fail(),
            }
            self.stream.mark_written(wanted, false);
            self.stream.end_segment((segment.end_bit - segment.bit_offset) / 8);
        }
    }

    /// Synchronises the symbols after the overlap with those of a decoded part, and appends those that are right.
    /// Returns the bit offset of the next symbol, or `None` if the part cannot be verified; then nothing is appended.
    fn append_part(&mut self, buffer: &BlockBuffer, is_last: bool) -> Option<usize> {
        let tables = self.scan.tables;
        let run = &buffer.run;
        let bits = buffer.bits.get(..buffer.filled_bytes)?;
        let end_bit = end_of_symbols(buffer.end_bit, is_last);
        let phase = self.stream.symbols_decoded() % tables.len().max(1);
        let verified = Cursor::new(tables, phase, bits, self.overlap_bits);
        let guessed = Cursor::new(tables, 0, bits, 0);
        let (followed, dropped) = synchronise(verified, guessed, end_bit, self.stream.scratch_slice())?;
        if run.unassigned > dropped {
            return None;
        }
        let differences = buffer.differences.get(dropped..run.decoded)?;
        let out = self.stream.scratch_slice().get_mut(followed..)?;
        // Symbols after the last sample of the segment are not wanted.
        let wanted = differences.len().min(out.len());
        out.get_mut(..wanted)?.copy_from_slice(differences.get(..wanted)?);
        self.stream.mark_written(followed + wanted, true);
        Some(run.bit_offset)
    }

    /// Decodes the symbols of a part from `bit_offset` on.
    fn decode_rest(&mut self, buffer: &BlockBuffer, bit_offset: usize, is_last: bool) {
        let ScanContext { tables, level, .. } = *self.scan;
        let bits = buffer.bits.get(..buffer.filled_bytes).unwrap_or_default();
        let (stream, chunks) = (&mut *self.stream, &mut *self.chunks);
        let range = bit_offset..end_of_symbols(buffer.end_bit, is_last).max(bit_offset);
        let next_tables = tables_from_phase(tables, stream.symbols_decoded());
        let verified = decode_chunks(&next_tables, bits, range, false, stream.scratch_slice(), chunks, level);
        stream.mark_written(verified.decoded, true);
        let next_tables = tables_from_phase(tables, stream.symbols_decoded());
        let out = stream.scratch_slice();
        let Some(mut task) = Task::new(&next_tables, bits, verified.bit_offset, buffer.end_bit, out) else {
            return stream.fail();
        };
        huffman::decode(std::slice::from_mut(&mut task), &mut Prefetch::default(), level);
        let (decoded, bit_offset, is_assigned) = (task.decoded(), task.bit_offset(), task.unassigned() == 0);
        stream.mark_written(decoded, false);
        let is_complete = stream.symbols_left() == 0;
        // Only the last part of a segment ends with its last symbol; before that, more bits follow.
        let is_cut = is_last && (!is_complete || bit_offset > buffer.end_bit);
        if is_cut || !is_assigned {
            return stream.fail();
        }
        if is_complete {
            // At least one more part follows one that is not the last: that many bytes are unused.
            let unused_bytes = if is_last { (buffer.end_bit - bit_offset) / 8 } else { MAX_SHORT_SEGMENT_BYTES };
            stream.end_segment(unused_bytes);
        }
        self.overlap_bits = bit_offset.saturating_sub(buffer.end_bit);
    }
}
