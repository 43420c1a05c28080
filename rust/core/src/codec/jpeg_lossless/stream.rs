//! One scan on its way: entropy-coded bytes → window of bits → differences → samples.
//!
//! ```text
//! frame        │ segment │RST│ segment │RST│ …
//!                   └ unstuffed, part by part ─► window: stays in the first caches
//! differences  │ row above │ rows that are samples │ differences, made by tasks │ room │
//! ```

use super::plan::{Plan, ScanPlan};
use super::self_sync::{ChunkBuffers, VerifiedRun, rotated, speculate};
use crate::codec::EntropyMode;
use crate::error::Result;
use crate::frame::Deviation;
use crate::kernel::huffman::{self, PAD_BYTES, Table, Task};
use crate::kernel::{CpuLevel, predict, unstuff};
use crate::limits::Limits;
use std::ops::Range;

/// Bytes of a window, without padding.
pub(super) const WINDOW_BYTES: usize = 32 * 1024;
/// Differences made at once, if a row is not longer: as many as a window has bits.
const ROOM: usize = WINDOW_BYTES * 8;
/// No code begins in the last bits of a window while more of the segment is to come.
pub(super) const HELD_BACK_BITS: usize = 64;

/// Memory of a stream, reused from frame to frame.
#[derive(Debug, Default)]
pub(super) struct Memory {
    window: Vec<u8>,
    differences: Vec<u16>,
}

/// A segment in the window, or what there is of it.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// Position of the first code, and where none begins any more.
    at: usize,
    end: usize,
    /// Codes that are wanted of it.
    symbols: usize,
    /// Whether the data of the segment end with it.
    is_last: bool,
}

/// What a task has made of a piece.
#[derive(Debug, Clone, Copy)]
struct Made {
    at: usize,
    symbols: usize,
    is_assigned: bool,
}

impl Made {
    fn of(task: &Task<'_>) -> Self {
        Self { at: task.at(), symbols: task.made(), is_assigned: task.unassigned() == 0 }
    }
}

/// One scan and how far it is.
#[derive(Debug)]
pub(super) struct Stream<'a> {
    frame: &'a [u8],
    scan: &'a ScanPlan,
    tables: Vec<&'a Table>,
    memory: &'a mut Memory,
    tier: CpuLevel,
    /// Symbols of a row, and rows of the scan.
    row: usize,
    rows: usize,
    /// The segment at hand, its bytes that have not been unstuffed, its symbols that are not differences.
    segment: usize,
    stuffed: Range<usize>,
    left: usize,
    /// Bytes of the segment at hand in the window, and the position of its next code.
    filled: usize,
    at: usize,
    /// What lies in the window, first to last: whole segments, or a part of one.
    pieces: Vec<Piece>,
    /// Rows that have been taken away, rows that are samples, differences behind them.
    taken: usize,
    ready: usize,
    made: usize,
    deviations: Option<Deviation>,
    has_failed: bool,
    has_speculated: bool,
}

impl<'a> Stream<'a> {
    /// The scan at its start.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub(super) fn new(
        recipe: &Plan<'a>,
        scan: &'a ScanPlan,
        tables: Vec<&'a Table>,
        memory: &'a mut Memory,
        limits: &Limits,
        tier: CpuLevel,
    ) -> Result<Self> {
        let row = recipe.columns * scan.components.len();
        let bytes: usize = scan.segments.iter().map(|segment| segment.len() + PAD_BYTES).sum();
        grow(&mut memory.window, bytes.min(WINDOW_BYTES) + 2 * PAD_BYTES, limits)?;
        let room = ROOM.min(row * recipe.rows);
        // Less room is slower, and nothing else.
        grow(&mut memory.differences, 2 * row + room, limits)
            .or_else(|_| grow(&mut memory.differences, 3 * row, limits))?;
        let mut stream = Self {
            frame: recipe.frame,
            scan,
            tables,
            memory,
            tier,
            row,
            rows: recipe.rows,
            segment: 0,
            stuffed: 0..0,
            left: 0,
            filled: 0,
            at: 0,
            pieces: Vec::new(),
            taken: 0,
            ready: 0,
            made: 0,
            deviations: None,
            has_failed: false,
            has_speculated: false,
        };
        stream.begin_segment(0);
        Ok(stream)
    }

    /// The scan that it decodes.
    pub(super) const fn scan(&self) -> &'a ScanPlan {
        self.scan
    }

    /// Whether a code is unassigned, or the data end before the samples do.
    pub(super) const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Whether chunks were decoded before their beginnings were known.
    pub(super) const fn has_speculated(&self) -> bool {
        self.has_speculated
    }

    /// Rows that are samples and have not been taken away.
    pub(super) const fn ready_rows(&self) -> usize {
        self.ready
    }

    /// Samples `range` of the rows that are ready.
    pub(super) fn samples(&self, range: Range<usize>) -> &[u16] {
        self.memory.differences.get(self.row + range.start..self.row + range.end).unwrap_or_default()
    }

    /// Takes away the first `rows` rows that are ready: the last of them is the row above then.
    pub(super) fn take(&mut self, rows: usize) {
        let end = self.room_at();
        self.memory.differences.copy_within(rows * self.row..end, 0);
        self.ready -= rows;
        self.taken += rows;
    }

    /// The first departure: bytes behind the last sample of a segment.
    pub(super) fn deviations(self) -> Option<Deviation> {
        self.deviations
    }

    fn begin_segment(&mut self, segment: usize) {
        self.segment = segment;
        self.left = self.symbols_of(segment);
        self.stuffed = self.scan.segments.get(segment).cloned().unwrap_or(0..0);
        (self.filled, self.at) = (0, 0);
    }

    fn symbols_of(&self, segment: usize) -> usize {
        self.scan.rows_of(segment, self.rows) * self.row
    }

    /// Where the room for differences begins.
    fn room_at(&self) -> usize {
        self.row * (1 + self.ready) + self.made
    }

    /// Brings into the window what fits it, and what there is room for: whole segments, else a part of the one at hand.
    fn fill(&mut self) {
        self.pieces.clear();
        let mut room = self.memory.differences.len() - self.room_at();
        let mut segment = self.segment;
        let mut filled = 0;
        // A segment that has been begun goes on as it is.
        while self.filled == 0
            && let Some(range) = self.scan.segments.get(segment)
            && let symbols = self.symbols_of(segment)
            && symbols <= room
            && range.len() + filled + 2 * PAD_BYTES <= self.memory.window.len()
        {
            let bytes = self.unstuff(range.clone(), filled);
            let (at, end) = (filled * 8, (filled + bytes) * 8);
            self.pieces.push(Piece { at, end, symbols, is_last: true });
            self.pad(filled + bytes);
            filled += bytes + PAD_BYTES;
            room -= symbols;
            segment += 1;
        }
        if self.pieces.is_empty() && self.left > 0 && room > 0 {
            self.fill_part(room);
        }
    }

    /// Brings the next part of the segment at hand into the window.
    fn fill_part(&mut self, room: usize) {
        let kept = (self.at / 8).min(self.filled);
        self.memory.window.copy_within(kept..self.filled, 0);
        self.filled -= kept;
        self.at -= kept * 8;
        // What has been unstuffed is padded, and is moved in vectors.
        let capacity = self.memory.window.len() - 2 * PAD_BYTES;
        let mut range = self.stuffed.clone();
        range.end = range.end.min(range.start + capacity.saturating_sub(self.filled));
        if range.end < self.stuffed.end && self.frame.get(range.clone()).is_some_and(|part| part.ends_with(&[0xFF])) {
            // The 00 behind it comes with it.
            range.end += 1;
        }
        self.stuffed.start = range.end;
        self.filled += self.unstuff(range, self.filled);
        self.pad(self.filled);
        let is_last = self.stuffed.is_empty();
        let end = if is_last { self.filled * 8 } else { (self.filled * 8).saturating_sub(HELD_BACK_BITS) };
        self.pieces.push(Piece { at: self.at, end, symbols: self.left.min(room), is_last });
    }

    fn unstuff(&mut self, range: Range<usize>, to: usize) -> usize {
        let (Some(src), Some(out)) = (self.frame.get(range), self.memory.window.get_mut(to..)) else { return 0 };
        unstuff::unstuff(src, out, self.tier)
    }

    fn pad(&mut self, from: usize) {
        if let Some(pad) = self.memory.window.get_mut(from..from + PAD_BYTES) {
            pad.fill(0);
        }
    }

    /// Cuts the only piece into chunks and decodes as many as prove right; what is left of it is the piece then.
    fn speculate(&mut self, regions: &mut ChunkBuffers) {
        let room_at = self.room_at();
        let done = self.done();
        let [piece] = self.pieces.as_mut_slice() else { return };
        // With less room than there may be codes, the same chunks would be decoded over and over again.
        if piece.symbols < self.left.min(piece.end.saturating_sub(piece.at)) {
            return;
        }
        let tables = rotated(&self.tables, done);
        let Memory { window, differences } = &mut *self.memory;
        let Some(out) = differences.get_mut(room_at..room_at + piece.symbols) else { return };
        // The last bits are no codes, perhaps.
        let end = if piece.is_last { piece.end.saturating_sub(HELD_BACK_BITS) } else { piece.end };
        let proven = speculate(&tables, window, piece.at..end.max(piece.at), false, out, regions, self.tier);
        let VerifiedRun { made: symbols, at, .. } = proven;
        self.has_speculated |= symbols > 0;
        piece.at = at;
        piece.symbols -= symbols;
        self.made += symbols;
        self.left -= symbols;
    }

    /// The tasks that the pieces are.
    fn tasks(&mut self) -> impl Iterator<Item = Task<'_>> {
        let room_at = self.room_at();
        let done = self.done();
        let Memory { window, differences } = &mut *self.memory;
        let window = window.as_slice();
        let mut room = differences.get_mut(room_at..).unwrap_or_default();
        let mut tables = rotated(&self.tables, done);
        let first = &self.tables;
        self.pieces.iter().filter_map(move |piece| {
            let (out, rest) = std::mem::take(&mut room).split_at_mut_checked(piece.symbols)?;
            room = rest;
            let task = Task::new(&tables, window, piece.at, piece.end, out);
            tables.clone_from(first);
            task
        })
    }

    /// Takes what was made of the pieces, and makes samples of whole rows.
    fn settle(&mut self, made: &[Made]) {
        self.has_failed |= made.len() != self.pieces.len();
        let pieces = std::mem::take(&mut self.pieces);
        for (piece, made) in pieces.iter().zip(made) {
            let is_short = made.symbols < piece.symbols && piece.is_last;
            if !made.is_assigned || is_short || made.at > piece.end && piece.is_last {
                self.has_failed = true;
                return;
            }
            self.made += made.symbols;
            self.left -= made.symbols;
            self.at = made.at;
            if self.left == 0 {
                let rest = if piece.is_last { (piece.end - made.at) / 8 } else { self.stuffed.len() };
                self.end_segment(rest);
            }
        }
        self.pieces = pieces;
        self.predict();
    }

    fn note_rest(&mut self, bytes: usize) {
        if bytes > 0 && self.deviations.is_none() {
            let end = self.scan.segments.get(self.segment).map_or(0, |segment| segment.end);
            let text = "bytes follow the last sample of a scan or restart interval";
            self.deviations = Some(Deviation::new(text, "ITU-T T.81 F.1.2.3").at(end));
        }
    }

    /// The segment at hand.
    pub(super) const fn segment(&self) -> usize {
        self.segment
    }

    /// Symbols that are wanted of the segment at hand.
    pub(super) const fn left(&self) -> usize {
        self.left
    }

    /// Symbols of it that are there.
    pub(super) fn done(&self) -> usize {
        self.symbols_of(self.segment) - self.left
    }

    /// Whether a whole window always finds room, once the rows that are ready have been taken away.
    pub(super) fn has_ample_room(&self) -> bool {
        self.memory.differences.len() >= 2 * self.row + ROOM.min(self.row * self.rows)
    }

    /// Room for the differences that are wanted of the segment at hand, or for as many as there is room for.
    pub(super) fn room(&mut self) -> &mut [u16] {
        let room_at = self.room_at();
        let room = self.memory.differences.get_mut(room_at..).unwrap_or_default();
        let wanted = self.left.min(room.len());
        room.get_mut(..wanted).unwrap_or_default()
    }

    /// Takes the first `symbols` of the room as written, at most as many as are left.
    pub(super) fn took(&mut self, symbols: usize, is_speculated: bool) {
        self.made += symbols;
        self.left -= symbols;
        self.has_speculated |= is_speculated && symbols > 0;
    }

    /// Goes on to the next segment; `rest` bytes of this one are not needed.
    pub(super) fn end_segment(&mut self, rest: usize) {
        self.note_rest(rest);
        self.begin_segment(self.segment + 1);
    }

    /// Gives up: the data are not what they have to be.
    pub(super) const fn fail(&mut self) {
        self.has_failed = true;
    }

    /// Makes samples of the differences of whole rows.
    pub(super) fn predict(&mut self) {
        let ScanPlan { components, selection_value, initial, segment_rows, .. } = self.scan;
        let components = components.len();
        while self.made >= self.row {
            let next = self.taken + self.ready;
            let (above, rest) = self.memory.differences.split_at_mut(self.row * (1 + self.ready));
            let rows = if next.is_multiple_of(*segment_rows) {
                predict::first_row(rest.get_mut(..self.row).unwrap_or_default(), components, *initial, self.tier);
                1
            } else {
                let rows = (self.made / self.row).min(segment_rows - next % segment_rows);
                let above = above.get(self.row * self.ready..).unwrap_or_default();
                let rest = rest.get_mut(..rows * self.row).unwrap_or_default();
                predict::rows(rest, above, components, *selection_value, self.tier);
                rows
            };
            self.ready += rows;
            self.made -= rows * self.row;
        }
    }
}

/// Makes more rows ready in each of `streams` that has room for them, or fails.
pub(super) fn advance(
    streams: &mut [Stream<'_>],
    regions: Option<&mut ChunkBuffers>,
    way: EntropyMode,
    tier: CpuLevel,
) {
    for stream in streams.iter_mut() {
        stream.fill();
    }
    if let ([stream], Some(regions)) = (&mut *streams, regions) {
        stream.speculate(regions);
    }
    let mut tasks: Vec<Task<'_>> = streams.iter_mut().flat_map(Stream::tasks).collect();
    if way == EntropyMode::Serial {
        tasks.iter_mut().for_each(|task| huffman::run(std::slice::from_mut(task), CpuLevel::PORTABLE));
    } else {
        huffman::run(&mut tasks, tier);
    }
    let made: Vec<Made> = tasks.iter().map(Made::of).collect();
    let mut made = made.as_slice();
    for stream in streams {
        let own;
        (own, made) = made.split_at_checked(stream.pieces.len()).unwrap_or((made, &[]));
        stream.settle(own);
    }
}

/// Makes `memory` at least `items` long; what it held is lost.
pub(super) fn grow<T: Clone + Default>(memory: &mut Vec<T>, items: usize, limits: &Limits) -> Result<()> {
    if memory.len() < items {
        limits.reserve((items - memory.len()) * size_of::<T>())?;
        // Fresh pages that read as zero cost nothing until they are used, and few of these are.
        *memory = vec![T::default(); items];
    }
    Ok(())
}
