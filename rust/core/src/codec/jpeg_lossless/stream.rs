//! Decodes one scan: entropy-coded segments → window of unstuffed bits → differences → samples of whole rows.
//!
//! ```text
//! frame              │ segment │RST│ segment │RST│ …
//!                        │ unstuffed, at most 32 KiB at a time
//! buffers.window     │ whole segments, or a part of one │ padding │            stays in the second-level cache
//!                        │ one `huffman::Task` per part
//! buffers.differences│ row above │ ready rows: samples │ differences │ free │
//!                        ▲ consumed rows leave here     ▲ prediction    ▲ tasks write here
//! ```
//!
//! One round (`decode::decode_rows`):
//!
//! ```text
//! for each stream:          fill the window; each part in it becomes a task
//! one stream, speculative:  decode chunks of its part first (`self_sync`)
//! all tasks of all streams: decode in lock-step (`kernel::huffman`)
//! for each stream:          check each part, predict the rows that are complete
//! ```
//!
//! The caller then takes rows that are ready in all streams of a frame ([`Stream::samples`], [`Stream::consume`]).
//!
//! Errors are only detected here: a stream that meets an unassigned code or runs out of data sets `has_failed`.
//! `diagnose` decodes the frame again and reports the first error.

use super::plan::{Plan, ScanPlan};
use super::self_sync::{ChunkBuffers, VerifiedRun, decode_chunks, tables_from_phase};
use crate::error::Result;
use crate::frame::Deviation;
use crate::kernel::huffman::{PAD_BYTES, Prefetch, Table, Task};
use crate::kernel::{CpuLevel, predict, unstuff};
use crate::limits::Limits;
use std::ops::Range;

/// Unstuffed bytes of a window, without padding. Windows and differences of a round stay in the second-level cache: with
/// differences of a whole 1760 × 2140 frame, decoding fell from 1.1 to 0.75 GB/s (measured).
pub(super) const WINDOW_BYTES: usize = 32 * 1024;
/// Differences of one round, unless a row is longer: one per bit of a window, the most that it can contain.
const MAX_DIFFERENCES: usize = WINDOW_BYTES * 8;
/// While more of a segment follows, no symbol starts in the last bits of the window, so that all symbols are complete:
/// the longest has 31 bits (a code of 16 bits and 15 extra bits).
pub(super) const HELD_BACK_BITS: usize = 64;

/// Scratch buffers of a stream, reused from frame to frame.
#[derive(Debug, Default)]
pub(super) struct StreamBuffers {
    window: Vec<u8>,
    differences: Vec<u16>,
}

/// A whole segment in the window, or the part of one that fits.
#[derive(Debug, Clone, Copy)]
struct WindowPart {
    /// Bit offset of the first symbol in the window.
    bit_offset: usize,
    /// Bit offset from which on no symbol starts.
    end_bit: usize,
    /// Symbols to decode.
    symbols: usize,
    /// True if the data of the segment end with this part.
    is_last: bool,
}

/// Outcome of the task of one part.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartResult {
    bit_offset: usize,
    symbols: usize,
    /// True if all codes are assigned.
    is_assigned: bool,
}

impl PartResult {
    pub(super) fn of(task: &Task<'_>) -> Self {
        Self { bit_offset: task.bit_offset(), symbols: task.decoded(), is_assigned: task.unassigned() == 0 }
    }
}

/// Decoding state of one scan.
#[derive(Debug)]
pub(super) struct Stream<'a> {
    frame: &'a [u8],
    scan: &'a ScanPlan,
    tables: Vec<&'a Table>,
    buffers: &'a mut StreamBuffers,
    level: CpuLevel,
    row_symbols: usize,
    rows: usize,
    /// Index of the current segment.
    segment: usize,
    /// Bytes of the frame that belong to the current segment and are not unstuffed yet.
    stuffed: Range<usize>,
    /// Symbols of the current segment that are not decoded yet.
    symbols_left: usize,
    /// Bytes of the current segment in the window; 0 if no part of it was decoded.
    window_bytes: usize,
    /// Bit offset of the next symbol of the current segment in the window.
    bit_offset: usize,
    /// Contents of the window in order: whole segments, or one part of the current segment.
    parts: Vec<WindowPart>,
    /// Rows that the caller has consumed.
    rows_consumed: usize,
    /// Number of complete rows of samples that the caller has not consumed.
    rows_ready: usize,
    /// Differences after the ready rows.
    decoded: usize,
    /// Memory to which the samples of the next rows will be written.
    prefetch: Prefetch,
    deviation: Option<Deviation>,
    has_failed: bool,
    has_speculated: bool,
}

impl<'a> Stream<'a> {
    /// Creates a stream at the start of `scan`.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub(super) fn new(
        plan: &Plan<'a>,
        scan: &'a ScanPlan,
        tables: Vec<&'a Table>,
        buffers: &'a mut StreamBuffers,
        limits: &Limits,
        level: CpuLevel,
    ) -> Result<Self> {
        let row_symbols = plan.columns * scan.components.len();
        let bytes: usize = scan.segments.iter().map(|segment| segment.len() + PAD_BYTES).sum();
        limits.grow_zeroed(&mut buffers.window, bytes.min(WINDOW_BYTES) + 2 * PAD_BYTES)?;
        let differences = MAX_DIFFERENCES.min(row_symbols * plan.rows);
        // A tight budget allows fewer differences per round: slower, with the same result.
        limits
            .grow_zeroed(&mut buffers.differences, 2 * row_symbols + differences)
            .or_else(|_| limits.grow_zeroed(&mut buffers.differences, 3 * row_symbols))?;
        let mut stream = Self {
            frame: plan.frame,
            scan,
            tables,
            buffers,
            level,
            row_symbols,
            rows: plan.rows,
            segment: 0,
            stuffed: 0..0,
            symbols_left: 0,
            window_bytes: 0,
            bit_offset: 0,
            parts: Vec::new(),
            rows_consumed: 0,
            rows_ready: 0,
            decoded: 0,
            prefetch: Prefetch::default(),
            deviation: None,
            has_failed: false,
            has_speculated: false,
        };
        stream.begin_segment(0);
        Ok(stream)
    }

    /// Returns the number of parts in the window.
    pub(super) fn part_count(&self) -> usize {
        self.parts.len()
    }

    /// Returns the plan of the scan.
    pub(super) const fn scan(&self) -> &'a ScanPlan {
        self.scan
    }

    /// Returns the CPU level that it decodes with.
    pub(super) const fn level(&self) -> CpuLevel {
        self.level
    }

    /// True if a code is unassigned, or the data end before the samples do.
    pub(super) const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// True if samples were decoded from chunks before their start was known.
    pub(super) const fn has_speculated(&self) -> bool {
        self.has_speculated
    }

    /// Returns the number of rows of samples that are not consumed.
    pub(super) const fn rows_ready(&self) -> usize {
        self.rows_ready
    }

    /// Returns a range of the samples of the ready rows, or `None` if it ends after them.
    pub(super) fn samples(&self, range: Range<usize>) -> Option<&[u16]> {
        let (_above, rows) = self.buffers.differences.split_at_checked(self.row_symbols)?;
        rows.get(..self.rows_ready * self.row_symbols)?.get(range)
    }

    /// Removes the first `rows` ready rows. The last of them becomes the row above. The samples of the next rows will be
    /// written to the memory of `prefetch`.
    pub(super) fn consume(&mut self, rows: usize, prefetch: Prefetch) {
        self.prefetch = prefetch;
        let end = self.differences_end();
        self.buffers.differences.copy_within(rows * self.row_symbols..end, 0);
        self.rows_ready -= rows;
        self.rows_consumed += rows;
    }

    /// Returns the first deviation: bytes after the last sample of a segment.
    pub(super) fn deviation(self) -> Option<Deviation> {
        self.deviation
    }

    fn begin_segment(&mut self, segment: usize) {
        self.segment = segment;
        self.symbols_left = self.segment_symbols(segment);
        self.stuffed = self.scan.segments.get(segment).cloned().unwrap_or(0..0);
        (self.window_bytes, self.bit_offset) = (0, 0);
    }

    /// Returns the number of symbols of a segment, 0 after the last one.
    fn segment_symbols(&self, segment: usize) -> usize {
        self.scan.segment_rows(segment, self.rows) * self.row_symbols
    }

    /// Returns the index in `buffers.differences` of the next difference.
    fn differences_end(&self) -> usize {
        self.row_symbols * (1 + self.rows_ready) + self.decoded
    }

    /// Fills the window with all whole segments that fit it and the free differences, or with a part of the current one.
    pub(super) fn fill(&mut self) {
        self.parts.clear();
        let mut free = self.buffers.differences.len() - self.differences_end();
        let mut segment = self.segment;
        let mut filled = 0;
        // A segment that was started as a part continues as one.
        while self.window_bytes == 0
            && let Some(range) = self.scan.segments.get(segment)
            && let symbols = self.segment_symbols(segment)
            && symbols <= free
            && range.len() + filled + 2 * PAD_BYTES <= self.buffers.window.len()
        {
            let bytes = self.unstuff(range.clone(), filled);
            let (bit_offset, end_bit) = (filled * 8, (filled + bytes) * 8);
            self.parts.push(WindowPart { bit_offset, end_bit, symbols, is_last: true });
            self.pad(filled + bytes);
            filled += bytes + PAD_BYTES;
            free -= symbols;
            segment += 1;
        }
        if self.parts.is_empty() && self.symbols_left > 0 && free > 0 {
            self.fill_part(free);
        }
    }

    /// Fills the window with the next part of the current segment, after the bytes that are not decoded yet.
    fn fill_part(&mut self, free: usize) {
        let decoded_bytes = (self.bit_offset / 8).min(self.window_bytes);
        self.buffers.window.copy_within(decoded_bytes..self.window_bytes, 0);
        self.window_bytes -= decoded_bytes;
        self.bit_offset -= decoded_bytes * 8;
        // One padding for the decoder, one for the vector stores of unstuffing.
        let capacity = self.buffers.window.len() - 2 * PAD_BYTES;
        let mut range = self.stuffed.clone();
        range.end = range.end.min(range.start + capacity.saturating_sub(self.window_bytes));
        if range.end < self.stuffed.end && self.frame.get(range.clone()).is_some_and(|part| part.ends_with(&[0xFF])) {
            // FF and its stuffed 00 stay together.
            range.end += 1;
        }
        self.stuffed.start = range.end;
        self.window_bytes += self.unstuff(range, self.window_bytes);
        self.pad(self.window_bytes);
        let is_last = self.stuffed.is_empty();
        let held_back_bits = if is_last { 0 } else { HELD_BACK_BITS };
        let end_bit = (self.window_bytes * 8).saturating_sub(held_back_bits);
        let symbols = self.symbols_left.min(free);
        self.parts.push(WindowPart { bit_offset: self.bit_offset, end_bit, symbols, is_last });
    }

    /// Unstuffs bytes of the frame to byte `window_offset` of the window; returns the number of bytes written.
    fn unstuff(&mut self, range: Range<usize>, window_offset: usize) -> usize {
        let (Some(src), Some(out)) = (self.frame.get(range), self.buffers.window.get_mut(window_offset..)) else {
            debug_assert!(false, "a range outside of the frame or the window");
            return 0;
        };
        unstuff::unstuff(src, out, self.level)
    }

    /// Writes zeros after the unstuffed bytes of a segment.
    fn pad(&mut self, window_offset: usize) {
        match self.buffers.window.get_mut(window_offset..window_offset + PAD_BYTES) {
            Some(pad) => pad.fill(0),
            None => debug_assert!(false, "the window has space for padding"),
        }
    }

    /// Decodes the chunks of the only part that can be verified, and removes them from the part.
    pub(super) fn decode_chunks(&mut self, chunk_buffers: &mut ChunkBuffers) {
        let differences_end = self.differences_end();
        let phase = self.symbols_decoded();
        let [part] = self.parts.as_mut_slice() else { return };
        // If the output is shorter than the part may be, chunks at its end would be decoded again in each round.
        if part.symbols < self.symbols_left.min(part.end_bit.saturating_sub(part.bit_offset)) {
            return;
        }
        let tables = tables_from_phase(&self.tables, phase);
        let StreamBuffers { window, differences } = &mut *self.buffers;
        let Some(out) = differences.get_mut(differences_end..differences_end + part.symbols) else {
            debug_assert!(false, "a part has no more symbols than there are free differences");
            return;
        };
        // The last bits of a segment may be padding, which would be decoded as symbols.
        let held_back_bits = if part.is_last { HELD_BACK_BITS } else { 0 };
        let end_bit = part.end_bit.saturating_sub(held_back_bits).max(part.bit_offset);
        chunk_buffers.prefetch = std::mem::take(&mut self.prefetch);
        let verified = decode_chunks(&tables, window, part.bit_offset..end_bit, false, out, chunk_buffers, self.level);
        let VerifiedRun { decoded, bit_offset, .. } = verified;
        self.has_speculated |= decoded > 0;
        part.bit_offset = bit_offset;
        part.symbols -= decoded;
        self.decoded += decoded;
        self.symbols_left -= decoded;
    }

    /// Returns one task per part; their outputs are consecutive.
    pub(super) fn tasks(&mut self) -> impl Iterator<Item = Task<'_>> {
        let differences_end = self.differences_end();
        let phase = self.symbols_decoded();
        let StreamBuffers { window, differences } = &mut *self.buffers;
        let window = window.as_slice();
        let mut free = differences.get_mut(differences_end..).unwrap_or_default();
        // Only the current segment can start between two components; the following ones start at their first symbol.
        let mut tables = tables_from_phase(&self.tables, phase);
        let first_tables = &self.tables;
        self.parts.iter().filter_map(move |part| {
            let (out, rest) = std::mem::take(&mut free).split_at_mut_checked(part.symbols)?;
            free = rest;
            let task = Task::new(&tables, window, part.bit_offset, part.end_bit, out);
            tables.clone_from(first_tables);
            task
        })
    }

    /// Checks the results of all parts, and predicts the rows that are complete.
    pub(super) fn flush_rows(&mut self, results: &[PartResult]) {
        self.has_failed |= results.len() != self.parts.len();
        let parts = std::mem::take(&mut self.parts);
        for (part, result) in parts.iter().zip(results) {
            let is_short = result.symbols < part.symbols && part.is_last;
            let is_beyond_end = result.bit_offset > part.end_bit && part.is_last;
            if !result.is_assigned || is_short || is_beyond_end {
                self.has_failed = true;
                return;
            }
            self.decoded += result.symbols;
            self.symbols_left -= result.symbols;
            self.bit_offset = result.bit_offset;
            if self.symbols_left == 0 {
                let unused_bytes =
                    if part.is_last { (part.end_bit - result.bit_offset) / 8 } else { self.stuffed.len() };
                self.end_segment(unused_bytes);
            }
        }
        self.parts = parts;
        self.predict();
    }

    /// Returns the index of the current segment.
    pub(super) const fn segment(&self) -> usize {
        self.segment
    }

    /// Returns the number of symbols of the current segment that are not decoded.
    pub(super) const fn symbols_left(&self) -> usize {
        self.symbols_left
    }

    /// Returns the number of symbols of the current segment that are decoded.
    pub(super) fn symbols_decoded(&self) -> usize {
        self.segment_symbols(self.segment) - self.symbols_left
    }

    /// True if the differences of a whole window are always free, once the ready rows are consumed.
    pub(super) fn holds_whole_window(&self) -> bool {
        let differences = MAX_DIFFERENCES.min(self.row_symbols * self.rows);
        self.buffers.differences.len() >= 2 * self.row_symbols + differences
    }

    /// Returns the free differences, at most the number that the current segment still needs. The caller writes to them and
    /// calls [`Self::mark_written`].
    pub(super) fn scratch_slice(&mut self) -> &mut [u16] {
        let differences_end = self.differences_end();
        let free = self.buffers.differences.get_mut(differences_end..).unwrap_or_default();
        let wanted = self.symbols_left.min(free.len());
        free.get_mut(..wanted).unwrap_or_default()
    }

    /// Counts the first `symbols` of the scratch slice as decoded.
    pub(super) fn mark_written(&mut self, symbols: usize, is_speculated: bool) {
        self.decoded += symbols;
        self.symbols_left -= symbols;
        self.has_speculated |= is_speculated && symbols > 0;
    }

    /// Moves on to the next segment. `unused_bytes` bytes of the current one follow its last sample.
    pub(super) fn end_segment(&mut self, unused_bytes: usize) {
        if unused_bytes > 0 && self.deviation.is_none() {
            let end = self.scan.segments.get(self.segment).map_or(0, |segment| segment.end);
            let text = "bytes follow the last sample of a scan or restart interval";
            self.deviation = Some(Deviation::new(text, "ITU-T T.81 F.1.2.3").at(end));
        }
        self.begin_segment(self.segment + 1);
    }

    /// Marks the scan as not decodable.
    pub(super) const fn fail(&mut self) {
        self.has_failed = true;
    }

    /// Turns the differences of complete rows into samples.
    pub(super) fn predict(&mut self) {
        let ScanPlan { components, selection_value, initial, interval_rows, .. } = self.scan;
        let components = components.len();
        while self.decoded >= self.row_symbols {
            let next_row = self.rows_consumed + self.rows_ready;
            let is_first = next_row.is_multiple_of(*interval_rows);
            let complete_rows = self.decoded / self.row_symbols;
            let rows = if is_first { 1 } else { complete_rows.min(interval_rows - next_row % interval_rows) };
            let (above, rest) = self.buffers.differences.split_at_mut(self.row_symbols * (1 + self.rows_ready));
            let (Some(above), Some(differences)) =
                (above.get(self.row_symbols * self.rows_ready..), rest.get_mut(..rows * self.row_symbols))
            else {
                debug_assert!(false, "the buffer holds the decoded differences");
                return self.fail();
            };
            if is_first {
                predict::first_row(differences, components, *initial, self.level);
            } else {
                predict::rows(differences, above, components, *selection_value, self.level);
            }
            self.rows_ready += rows;
            self.decoded -= rows * self.row_symbols;
        }
    }
}
