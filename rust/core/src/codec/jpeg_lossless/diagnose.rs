//! Error of a frame that could not be decoded, found by decoding it once more, symbol by symbol.
//!
//! The decoding loop only detects that something is wrong; which of several errors it meets first depends on lanes,
//! chunks and threads. The error is therefore always found here, in the order of the codestream, so that it is the same
//! for every entropy mode, CPU level and number of threads.

use super::plan::{Plan, ScanPlan, Tables};
use crate::error::{DecodeError, ErrorKind, Result, malformed, truncated};
use crate::kernel::huffman::Table;
use std::ops::Range;

/// Length in bits of the longest code (T.81 Annex C).
const MAX_CODE_BITS: usize = 16;

/// Returns the first error of the codestream.
pub(super) fn first_error(plan: &Plan<'_>, tables: &Tables) -> DecodeError {
    find_error(plan, tables).unwrap_or_else(|| {
        debug_assert!(false, "a frame without errors failed");
        malformed("samples are missing", "ITU-T T.81 H.1.2.2").at(plan.frame.len())
    })
}

/// Returns the first error of the codestream in place of an output error (a value that the output cannot hold), if there
/// is one. Codestream errors take precedence because the loop may meet either first: it decodes rows ahead of the output.
pub(super) fn prefer_codestream_error(error: DecodeError, plan: &Plan<'_>, tables: &Tables) -> DecodeError {
    match error.kind() {
        ErrorKind::Output => find_error(plan, tables).unwrap_or(error),
        _ => error,
    }
}

fn find_error(plan: &Plan<'_>, tables: &Tables) -> Option<DecodeError> {
    plan.scans.iter().find_map(|scan| check_scan(plan, scan, &tables.at(&scan.tables)).err())
}

fn check_scan(plan: &Plan<'_>, scan: &ScanPlan, tables: &[&Table]) -> Result<()> {
    for (index, segment) in scan.segments.iter().enumerate() {
        check_segment(plan.frame, segment, plan.segment_symbols(scan, index), tables)?;
    }
    Ok(())
}

fn check_segment(frame: &[u8], segment: &Range<usize>, symbols: usize, tables: &[&Table]) -> Result<()> {
    let data = frame.get(segment.clone()).unwrap_or_default();
    let mut bits = BitReader { data, ..BitReader::default() };
    for (decoded, table) in (0..symbols).zip(tables.iter().cycle()) {
        bits.refill();
        let is_cut = match table.symbol_by_length(bits.window) {
            Some((length, _)) => !bits.skip(length as usize),
            None if bits.count < MAX_CODE_BITS => true,
            None => {
                let text = format!("huffman code is not assigned, after {decoded} samples");
                return Err(malformed(text, "ITU-T T.81 F.2.2.3").at(segment.start + bits.byte_offset()));
            }
        };
        if is_cut {
            let text = format!("entropy-coded data end after {decoded} of {symbols} samples");
            return Err(truncated(text, "ITU-T T.81 H.1.2.2").at(segment.end));
        }
    }
    Ok(())
}

/// Reads bits of data with stuffed bytes.
#[derive(Default)]
struct BitReader<'a> {
    data: &'a [u8],
    /// Bytes of `data` that the window has taken, stuffed ones included.
    bytes_read: usize,
    /// The next bits, left-aligned.
    window: u64,
    /// Valid bits of the window.
    count: usize,
}

impl BitReader<'_> {
    /// Fills the window with at least 57 bits, or all that are left.
    fn refill(&mut self) {
        while self.count <= 56
            && let Some(byte) = self.data.get(self.bytes_read)
        {
            self.window |= u64::from(*byte) << (56 - self.count);
            self.count += 8;
            self.bytes_read += 1 + usize::from(*byte == 0xFF);
        }
    }

    /// Skips `bits` bits; returns `false` if fewer are left.
    fn skip(&mut self, bits: usize) -> bool {
        self.window <<= bits;
        let is_complete = bits <= self.count;
        self.count = self.count.saturating_sub(bits);
        is_complete
    }

    /// Returns the offset in `data` of the byte that contains the next bit.
    fn byte_offset(&self) -> usize {
        let mut offset = self.bytes_read.min(self.data.len());
        for _ in 0..self.count.div_ceil(8) {
            offset = offset.saturating_sub(1);
            let is_stuffed =
                self.data.get(offset) == Some(&0) && offset > 0 && self.data.get(offset - 1) == Some(&0xFF);
            offset -= usize::from(is_stuffed);
        }
        offset
    }
}
