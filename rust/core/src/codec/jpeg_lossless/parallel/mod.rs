//! One long scan on several threads: its data are cut into stretches, which any thread decodes before it is known where
//! their first codes begin.
//!
//! ```text
//! data         │ stretch 0 │ stretch 1 │ stretch 2 │ …      each thread takes the next one, and cuts it into chunks
//!                            └ guessed: bit 0
//! this thread  ────────────► over ─► met: the rest of the stretch is right ─► samples ─► sink
//! ```
//!
//! The calling thread goes from stretch to stretch: from where it knows that a code begins it follows the codes until it
//! meets those that were found from the guessed start. Where it does not, it decodes the stretch itself; and all of them
//! where that happens often, so that no data take much longer than on one thread. Restart intervals that are short begin
//! at known places: many are one stretch.

mod block;
mod queue;
#[cfg(test)]
mod tests;

use super::plan::{Plan, Tables};
use super::self_sync::{ChunkBuffers, meet, rotated, speculate};
use super::stream::Stream;
use crate::codec::{EntropyMode, FrameContext};
use crate::error::Result;
use crate::kernel::CpuLevel;
use crate::kernel::huffman::{self, Task, Walk};
use crate::limits::Limits;
use block::{BITS_BYTES, Block, BlockBuffer, BlockResult, DIFFERENCES, SHORT_BYTES, cut, end_of_codes};
use queue::{Closing, Next, Queue};

/// Fewer bytes of data are one thread's: starting another takes as long as decoding a third of them.
const LEAST_BYTES: usize = 256 * 1024;
/// Each thread has at least this much to do.
const THREAD_BYTES: usize = 128 * 1024;
/// One thread makes all the samples, which is a fifth to a quarter of the work: more threads than these only wait.
const MOST_THREADS: usize = 6;
/// How many more stretches may prove wrong than right until the calling thread goes on alone.
const MOST_MISSED: usize = 4;

/// What the threads work in, reused from frame to frame.
#[derive(Debug, Default)]
pub(super) struct WorkerBuffers {
    own: Option<BlockBuffer>,
    slots: Vec<BlockBuffer>,
    regions: Vec<ChunkBuffers>,
}

impl WorkerBuffers {
    /// Makes room for `threads` threads; `false` where the budget does not allow it.
    fn grow(&mut self, threads: usize, limits: &Limits) -> bool {
        let helpers = threads - 1;
        // As many as are in work, and one more each that waits for its turn.
        let slots = 2 * threads + 1;
        let missing = slots.saturating_sub(self.slots.len()) + usize::from(self.own.is_none());
        if limits.reserve(missing * (BITS_BYTES + DIFFERENCES * size_of::<u16>())).is_err() {
            return false;
        }
        self.own.get_or_insert_with(BlockBuffer::new);
        self.slots.resize_with(slots.max(self.slots.len()), BlockBuffer::new);
        self.regions.resize_with(helpers.max(self.regions.len()), ChunkBuffers::default);
        self.regions.iter_mut().take(helpers).all(|regions| regions.grow(DIFFERENCES, limits))
    }
}

/// Decodes the scan of `stream` on several threads, if there are some to be had and the data are worth it; else nothing
/// is done. `emit` takes rows away that are ready, and says whether more are wanted. The stream fails where it would on one thread.
///
/// # Errors
/// Those of `emit`.
pub(super) fn decode<'a>(
    recipe: &Plan<'a>,
    tables: &Tables,
    stream: &mut Stream<'a>,
    (crew, regions): (&mut WorkerBuffers, &mut ChunkBuffers),
    (context, tier): (&FrameContext<'_>, CpuLevel),
    emit: &mut dyn FnMut(&mut [Stream<'a>]) -> Result<bool>,
) -> Result<()> {
    let scan = stream.scan();
    let bytes: usize = scan.segments.iter().map(ExactSizeIterator::len).sum();
    let threads = context.threads.min(bytes / THREAD_BYTES).min(MOST_THREADS);
    let is_worth_it = context.way == EntropyMode::Speculative && threads > 1 && bytes >= LEAST_BYTES;
    if !is_worth_it || !stream.has_ample_room() || !crew.grow(threads, context.limits) {
        return Ok(());
    }
    let (tables, stretches) = (tables.at(&scan.tables), cut(recipe.frame, &scan.segments));
    let work = BlockResult { recipe, scan, tables: &tables, stretches: &stretches, tier };
    let WorkerBuffers { own: Some(own), slots, regions: of_helpers } = crew else { return Ok(()) };
    let queue = Queue::new(stretches.len(), std::mem::take(slots));
    let result = std::thread::scope(|scope| {
        let (queue, work) = (&queue, &work);
        // Where the system gives no more threads, fewer do the work.
        let helpers: Vec<_> = of_helpers
            .iter_mut()
            .take(threads - 1)
            .map_while(|regions| std::thread::Builder::new().spawn_scoped(scope, || help(work, queue, regions)).ok())
            .collect();
        let closing = Closing { queue, always: true };
        let result = Consumer { work, stream, regions, over: 0, missed: 0 }.consume(queue, own, emit);
        drop(closing);
        for helper in helpers {
            if let Err(panic) = helper.join() {
                // A bug: the caller's guard reports it.
                std::panic::resume_unwind(panic);
            }
        }
        result
    });
    *slots = queue.into_slots();
    result
}

/// What a helping thread does.
fn help(work: &BlockResult<'_>, queue: &Queue<BlockBuffer>, regions: &mut ChunkBuffers) {
    let _closing = Closing { queue, always: false };
    while let Some((index, mut slot)) = queue.take() {
        slot.decode(work, index, regions);
        queue.hand_over(index, slot);
    }
}

/// The calling thread: it knows where the next code begins.
struct Consumer<'c, 'a> {
    work: &'c BlockResult<'c>,
    stream: &'c mut Stream<'a>,
    regions: &'c mut ChunkBuffers,
    /// Bits of the stretch at hand that belong to the last code of the one before.
    over: usize,
    /// Stretches that have proven wrong, less those that have proven right.
    missed: usize,
}

impl<'a> Consumer<'_, 'a> {
    /// Makes samples of all stretches, first to last.
    fn consume(
        mut self,
        queue: &Queue<BlockBuffer>,
        own: &mut BlockBuffer,
        emit: &mut dyn FnMut(&mut [Stream<'a>]) -> Result<bool>,
    ) -> Result<()> {
        let mut stretches = self.work.stretches.iter().enumerate();
        let mut next = stretches.next();
        while let Some((index, stretch)) = next {
            // There are data whose codes never fall into step: to guess is to work twice then.
            let is_alone = self.missed > MOST_MISSED;
            if is_alone {
                queue.close();
            }
            match if is_alone { Next::DecodeInline } else { queue.turn() } {
                Next::DecodeOther(index, mut slot) => {
                    slot.decode(self.work, index, self.regions);
                    queue.hand_over(index, slot);
                    continue;
                }
                Next::Ready(slot) => {
                    self.take(stretch, &slot, true);
                    queue.give_back(slot);
                }
                Next::DecodeInline => {
                    self.do_own(index, stretch, own);
                }
                Next::Failed => self.stream.fail(),
            }
            if self.stream.has_failed() {
                return Ok(());
            }
            self.stream.predict();
            if !emit(std::slice::from_mut(self.stream))? {
                return Ok(());
            }
            next = stretches.next();
        }
        Ok(())
    }

    /// Decodes a stretch that nobody else has.
    fn do_own(&mut self, index: usize, stretch: &Block, slot: &mut BlockBuffer) {
        match stretch {
            Block::Segments(_) => slot.decode(self.work, index, self.regions),
            Block::Part { segment, bytes } => {
                slot.fill(self.work, *segment, bytes.clone());
            }
        }
        self.take(stretch, slot, false);
    }

    /// Takes what has been found of a stretch, and decodes what has not.
    fn take(&mut self, stretch: &Block, slot: &BlockBuffer, is_decoded: bool) {
        match stretch {
            Block::Segments(_) => self.take_segments(slot),
            // The samples of its segment may all be there.
            Block::Part { segment, bytes } if *segment == self.stream.segment() => {
                if self.work.is_first(*segment, bytes) {
                    self.over = 0;
                }
                let data_end = self.work.scan.segments.get(*segment).map_or(bytes.end, |segment| segment.end);
                let is_last = bytes.end == data_end;
                let found = if is_decoded { self.join(slot, is_last) } else { None };
                if is_decoded {
                    self.missed = if found.is_some() { self.missed.saturating_sub(1) } else { self.missed + 1 };
                }
                self.decode_rest(slot, found.unwrap_or(self.over), is_last);
            }
            Block::Part { .. } => {}
        }
    }

    fn take_segments(&mut self, slot: &BlockBuffer) {
        let mut differences = slot.differences.as_slice();
        for found in &slot.segments {
            let wanted = self.stream.left();
            let Some((own, rest)) = differences.split_at_checked(found.made) else { return self.stream.fail() };
            differences = rest;
            let is_there = found.made == wanted && found.is_assigned && found.at <= found.end;
            match self.stream.room().get_mut(..wanted) {
                Some(room) if is_there => room.copy_from_slice(own),
                _ => return self.stream.fail(),
            }
            self.stream.took(wanted, false);
            self.stream.end_segment((found.end - found.at) / 8);
        }
    }

    /// Follows the codes into a stretch until they meet those that were found in it, and takes the rest of them; returns
    /// the position of the next code, or `None` where nothing is taken.
    fn join(&mut self, slot: &BlockBuffer, is_last: bool) -> Option<usize> {
        let BlockResult { tables, .. } = *self.work;
        let found = &slot.found;
        let bits = slot.bits.get(..slot.filled)?;
        let end = end_of_codes(slot.end, is_last);
        let phase = self.stream.done() % tables.len().max(1);
        let (ours, theirs) = (Walk::new(tables, phase, bits, self.over), Walk::new(tables, 0, bits, 0));
        let (followed, skipped) = meet(ours, theirs, end, self.stream.room())?;
        if found.unassigned > skipped {
            return None;
        }
        let right = slot.differences.get(skipped..found.made)?;
        let to = self.stream.room().get_mut(followed..)?;
        // Where more is there than is wanted, the segment does not end here.
        let wanted = right.len().min(to.len());
        to.get_mut(..wanted)?.copy_from_slice(right.get(..wanted)?);
        self.stream.took(followed + wanted, true);
        Some(found.at)
    }

    /// Decodes the codes of a stretch from `at` on.
    fn decode_rest(&mut self, slot: &BlockBuffer, at: usize, is_last: bool) {
        let BlockResult { tables, tier, .. } = *self.work;
        let bits = slot.bits.get(..slot.filled).unwrap_or_default();
        let (stream, regions) = (&mut *self.stream, &mut *self.regions);
        let codes = at..end_of_codes(slot.end, is_last).max(at);
        let next = rotated(tables, stream.done());
        let proven = speculate(&next, bits, codes, false, stream.room(), regions, tier);
        stream.took(proven.made, true);
        let next = rotated(tables, stream.done());
        let Some(mut task) = Task::new(&next, bits, proven.at, slot.end, stream.room()) else { return stream.fail() };
        huffman::run(std::slice::from_mut(&mut task), tier);
        let (made, at, is_assigned) = (task.made(), task.at(), task.unassigned() == 0);
        stream.took(made, false);
        let is_complete = stream.left() == 0;
        // Data that go on have more than the last code's bits.
        let is_cut = is_last && (!is_complete || at > slot.end);
        if is_cut || !is_assigned {
            return stream.fail();
        }
        if is_complete {
            stream.end_segment(if is_last { (slot.end - at) / 8 } else { SHORT_BYTES });
        }
        self.over = at.saturating_sub(slot.end);
    }
}
