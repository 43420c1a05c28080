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
//! where that happens often, so that no data take much longer than on one thread. Restart intervals that are short begin at known places: many are one stretch.

mod queue;
#[cfg(test)]
mod tests;

use super::recipe::{Recipe, ScanRecipe, Tables};
use super::speculate::{MOST_FOLLOWED, Proven, Regions, meet, rotated, speculate};
use super::stream::{HELD_BACK_BITS, Stream, WINDOW_BYTES};
use crate::codec::{Context, Way};
use crate::error::Result;
use crate::kernel::difference::{self, PAD_BYTES, Table, Task};
use crate::kernel::{Tier, stuffing};
use crate::limits::Limits;
use queue::{Closing, Queue, Turn};
use std::ops::Range;

/// Fewer bytes of data are one thread's: starting another takes as long as decoding a third of them.
const LEAST_BYTES: usize = 256 * 1024;
/// Each thread has at least this much to do.
const THREAD_BYTES: usize = 128 * 1024;
/// One thread makes all the samples, which is a fifth to a quarter of the work: more threads than these only wait.
const MOST_THREADS: usize = 6;
/// How many more stretches may prove wrong than right until the calling thread goes on alone.
const MOST_MISSED: usize = 4;
/// Bytes of a stretch.
const STRETCH_BYTES: usize = WINDOW_BYTES;
/// Segments up to this many bytes are decoded side by side, whole.
const SHORT_BYTES: usize = STRETCH_BYTES / 4;
/// Bytes behind a stretch, stuffing among them, that its last code may reach into: it has 32 bits at most.
const BEHIND_BYTES: usize = 2 * size_of::<u32>() + 1;
/// Room for the bytes of a stretch: a 00 may come with its last FF, and vectors are moved.
const BITS_BYTES: usize = STRETCH_BYTES + BEHIND_BYTES + 4 * PAD_BYTES;
/// Room for the differences of a stretch: a code has one bit at least.
const DIFFERENCES: usize = STRETCH_BYTES * 8;

/// What the threads work in, reused from frame to frame.
#[derive(Debug, Default)]
pub(super) struct Crew {
    own: Option<Slot>,
    slots: Vec<Slot>,
    regions: Vec<Regions>,
}

impl Crew {
    /// Makes room for `threads` threads; `false` where the budget does not allow it.
    fn grow(&mut self, threads: usize, limits: &Limits) -> bool {
        let helpers = threads - 1;
        // As many as are in work, and one more each that waits for its turn.
        let slots = 2 * threads + 1;
        let missing = slots.saturating_sub(self.slots.len()) + usize::from(self.own.is_none());
        if limits.reserve(missing * (BITS_BYTES + DIFFERENCES * size_of::<u16>())).is_err() {
            return false;
        }
        self.own.get_or_insert_with(Slot::new);
        self.slots.resize_with(slots.max(self.slots.len()), Slot::new);
        self.regions.resize_with(helpers.max(self.regions.len()), Regions::default);
        self.regions.iter_mut().take(helpers).all(|regions| regions.grow(DIFFERENCES, limits))
    }
}

/// A stretch of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stretch {
    /// Whole segments.
    Segments(Range<usize>),
    /// Bytes of the frame that belong to one segment.
    Part { segment: usize, bytes: Range<usize> },
}

/// A stretch, decoded.
#[derive(Debug)]
struct Slot {
    bits: Vec<u8>,
    differences: Vec<u16>,
    /// Bytes in `bits`, padding among them, and the position behind the stretch's own.
    filled: usize,
    end: usize,
    /// What was found of a part from its first bit on.
    found: Proven,
    /// What was found of whole segments.
    segments: Vec<Segment>,
}

/// A whole segment, decoded.
#[derive(Debug, Clone, Copy)]
struct Segment {
    made: usize,
    at: usize,
    end: usize,
    is_assigned: bool,
}

/// What all threads know.
#[derive(Clone, Copy)]
struct Work<'w> {
    recipe: &'w Recipe<'w>,
    scan: &'w ScanRecipe,
    tables: &'w [&'w Table],
    stretches: &'w [Stretch],
    tier: Tier,
}

/// Decodes the scan of `stream` on several threads, if there are some to be had and the data are worth it; else nothing
/// is done. `emit` takes rows away that are ready, and says whether more are wanted. The stream fails where it would on one thread.
///
/// # Errors
/// Those of `emit`.
pub(super) fn decode<'a>(
    recipe: &Recipe<'a>,
    tables: &Tables,
    stream: &mut Stream<'a>,
    (crew, regions): (&mut Crew, &mut Regions),
    (context, tier): (&Context<'_>, Tier),
    emit: &mut dyn FnMut(&mut [Stream<'a>]) -> Result<bool>,
) -> Result<()> {
    let scan = stream.scan();
    let bytes: usize = scan.segments.iter().map(ExactSizeIterator::len).sum();
    let threads = context.threads.min(bytes / THREAD_BYTES).min(MOST_THREADS);
    let is_worth_it = context.way == Way::Speculative && threads > 1 && bytes >= LEAST_BYTES;
    if !is_worth_it || !stream.has_ample_room() || !crew.grow(threads, context.limits) {
        return Ok(());
    }
    let (tables, stretches) = (tables.at(&scan.tables), cut(recipe.frame, &scan.segments));
    let work = Work { recipe, scan, tables: &tables, stretches: &stretches, tier };
    let Crew { own: Some(own), slots, regions: of_helpers } = crew else { return Ok(()) };
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
fn help(work: &Work<'_>, queue: &Queue<Slot>, regions: &mut Regions) {
    let _closing = Closing { queue, always: false };
    while let Some((index, mut slot)) = queue.take() {
        slot.decode(work, index, regions);
        queue.hand_over(index, slot);
    }
}

/// Cuts segments into stretches of about the same size; short ones are put together.
fn cut(frame: &[u8], segments: &[Range<usize>]) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut room = 0;
    for (segment, bytes) in segments.iter().enumerate() {
        if bytes.len() <= SHORT_BYTES {
            match stretches.last_mut() {
                Some(Stretch::Segments(group)) if bytes.len() + PAD_BYTES <= room => group.end = segment + 1,
                _ => {
                    stretches.push(Stretch::Segments(segment..segment + 1));
                    room = STRETCH_BYTES;
                }
            }
            room -= bytes.len() + PAD_BYTES;
            continue;
        }
        let parts = bytes.len().div_ceil(STRETCH_BYTES);
        let (least, longer) = (bytes.len() / parts, bytes.len() % parts);
        let mut start = bytes.start;
        for part in 1..=parts {
            let mut end = bytes.start + part * least + part.min(longer);
            if part < parts && frame.get(..end).is_some_and(|data| data.ends_with(&[0xFF])) {
                // The 00 behind it comes with it.
                end += 1;
            }
            stretches.push(Stretch::Part { segment, bytes: start..end });
            start = end;
        }
    }
    stretches
}

impl Slot {
    fn new() -> Self {
        Self {
            bits: vec![0; BITS_BYTES],
            differences: vec![0; DIFFERENCES],
            filled: 0,
            end: 0,
            found: Proven { made: 0, at: 0, unassigned: 0 },
            segments: Vec::new(),
        }
    }

    /// Decodes a stretch from its first bit on.
    fn decode(&mut self, work: &Work<'_>, index: usize, regions: &mut Regions) {
        match work.stretches.get(index) {
            Some(Stretch::Segments(segments)) => self.decode_segments(work, segments.clone()),
            Some(Stretch::Part { segment, bytes }) => self.decode_part(work, *segment, bytes.clone(), regions),
            None => {}
        }
    }

    /// Decodes whole segments, whose lengths and beginnings are known.
    fn decode_segments(&mut self, work: &Work<'_>, segments: Range<usize>) {
        let Self { bits, differences, filled, segments: found, .. } = self;
        found.clear();
        *filled = 0;
        for bytes in work.scan.segments.get(segments.clone()).unwrap_or_default() {
            let at = *filled * 8;
            *filled += work.unstuff(bytes.clone(), bits, *filled);
            found.push(Segment { made: 0, at, end: *filled * 8, is_assigned: true });
            *filled += pad(bits, *filled);
        }
        let mut room = differences.as_mut_slice();
        let bits = bits.as_slice();
        let mut tasks: Vec<Task<'_>> = Vec::with_capacity(found.len());
        for (index, segment) in segments.zip(found.iter()) {
            // More than there are bits are missing anyway.
            let symbols = work.recipe.symbols(work.scan, index).min(segment.end - segment.at);
            let Some((out, rest)) = std::mem::take(&mut room).split_at_mut_checked(symbols) else { break };
            room = rest;
            tasks.extend(Task::new(work.tables, bits, segment.at, segment.end, out));
        }
        difference::run(&mut tasks, work.tier);
        for (segment, task) in found.iter_mut().zip(&tasks) {
            (segment.made, segment.at, segment.is_assigned) = (task.made(), task.at(), task.unassigned() == 0);
        }
    }

    /// Decodes a part of a segment as if a code began at its first bit.
    fn decode_part(&mut self, work: &Work<'_>, segment: usize, bytes: Range<usize>, regions: &mut Regions) {
        let is_guess = !work.is_first(segment, &bytes);
        let is_last = self.fill(work, segment, bytes);
        let bits = self.bits.get(..self.filled).unwrap_or_default();
        let end = end_of_codes(self.end, is_last);
        let out = &mut self.differences;
        self.found = speculate(work.tables, bits, 0..end, is_guess, out, regions, work.tier);
        let found = &mut self.found;
        let room = out.get_mut(found.made..).unwrap_or_default();
        if let Some(mut task) = Task::new(&rotated(work.tables, found.made), bits, found.at, end, room) {
            difference::run(std::slice::from_mut(&mut task), work.tier);
            if task.unassigned() > 0 {
                found.unassigned = found.made + task.unassigned();
            }
            found.made += task.made();
            found.at = task.at();
        }
    }

    /// Brings a part of a segment in, and what its last code may reach into; says whether the segment ends with it.
    fn fill(&mut self, work: &Work<'_>, segment: usize, bytes: Range<usize>) -> bool {
        let end_of_data = work.scan.segments.get(segment).map_or(bytes.end, |segment| segment.end);
        let behind = bytes.end..end_of_data.min(bytes.end + BEHIND_BYTES);
        let is_last = behind.is_empty();
        let own = work.unstuff(bytes, &mut self.bits, 0);
        self.end = own * 8;
        let filled = own + work.unstuff(behind, &mut self.bits, own);
        self.filled = filled + pad(&mut self.bits, filled);
        is_last
    }
}

impl Work<'_> {
    fn unstuff(&self, bytes: Range<usize>, out: &mut [u8], to: usize) -> usize {
        let (Some(src), Some(out)) = (self.recipe.frame.get(bytes), out.get_mut(to..)) else { return 0 };
        stuffing::unstuff(src, out, self.tier)
    }

    /// Whether a segment begins with `bytes`.
    fn is_first(&self, segment: usize, bytes: &Range<usize>) -> bool {
        self.scan.segments.get(segment).is_some_and(|segment| segment.start == bytes.start)
    }
}

/// Zeros behind what has been unstuffed.
fn pad(bits: &mut [u8], from: usize) -> usize {
    if let Some(pad) = bits.get_mut(from..from + PAD_BYTES) {
        pad.fill(0);
    }
    PAD_BYTES
}

/// Where no code is guessed to begin any more: the last bits of a segment are none, perhaps.
const fn end_of_codes(end: usize, is_last: bool) -> usize {
    if is_last { end.saturating_sub(HELD_BACK_BITS) } else { end }
}

/// The calling thread: it knows where the next code begins.
struct Consumer<'c, 'a> {
    work: &'c Work<'c>,
    stream: &'c mut Stream<'a>,
    regions: &'c mut Regions,
    /// Bits of the stretch at hand that belong to the last code of the one before.
    over: usize,
    /// Stretches that have proven wrong, less those that have proven right.
    missed: usize,
}

impl<'a> Consumer<'_, 'a> {
    /// Makes samples of all stretches, first to last.
    fn consume(
        mut self,
        queue: &Queue<Slot>,
        own: &mut Slot,
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
            match if is_alone { Turn::Own } else { queue.turn() } {
                Turn::Meanwhile(index, mut slot) => {
                    slot.decode(self.work, index, self.regions);
                    queue.hand_over(index, slot);
                    continue;
                }
                Turn::Done(slot) => {
                    self.take(stretch, &slot, true);
                    queue.give_back(slot);
                }
                Turn::Own => {
                    self.do_own(index, stretch, own);
                }
                Turn::Over => self.stream.fail(),
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
    fn do_own(&mut self, index: usize, stretch: &Stretch, slot: &mut Slot) {
        match stretch {
            Stretch::Segments(_) => slot.decode(self.work, index, self.regions),
            Stretch::Part { segment, bytes } => {
                slot.fill(self.work, *segment, bytes.clone());
            }
        }
        self.take(stretch, slot, false);
    }

    /// Takes what has been found of a stretch, and decodes what has not.
    fn take(&mut self, stretch: &Stretch, slot: &Slot, is_decoded: bool) {
        match stretch {
            Stretch::Segments(_) => self.take_segments(slot),
            // The samples of its segment may all be there.
            Stretch::Part { segment, bytes } if *segment == self.stream.segment() => {
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
            Stretch::Part { .. } => {}
        }
    }

    fn take_segments(&mut self, slot: &Slot) {
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
    fn join(&mut self, slot: &Slot, is_last: bool) -> Option<usize> {
        let Work { tables, .. } = *self.work;
        let found = &slot.found;
        let bits = slot.bits.get(..slot.filled)?;
        let end = end_of_codes(slot.end, is_last);
        let phase = self.stream.done();
        let mut dropped = [0; MOST_FOLLOWED];
        let mut ours = Task::new(&rotated(tables, phase), bits, self.over, end, self.stream.room())?;
        let mut theirs = Task::new(tables, bits, 0, end, &mut dropped)?;
        let (followed, skipped) = meet(&mut ours, &mut theirs, phase, tables.len())?;
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
    fn decode_rest(&mut self, slot: &Slot, at: usize, is_last: bool) {
        let Work { tables, tier, .. } = *self.work;
        let bits = slot.bits.get(..slot.filled).unwrap_or_default();
        let (stream, regions) = (&mut *self.stream, &mut *self.regions);
        let codes = at..end_of_codes(slot.end, is_last).max(at);
        let next = rotated(tables, stream.done());
        let proven = speculate(&next, bits, codes, false, stream.room(), regions, tier);
        stream.took(proven.made, true);
        let next = rotated(tables, stream.done());
        let Some(mut task) = Task::new(&next, bits, proven.at, slot.end, stream.room()) else { return stream.fail() };
        difference::run(std::slice::from_mut(&mut task), tier);
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
