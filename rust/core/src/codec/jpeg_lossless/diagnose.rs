//! What is wrong with a frame that could not be decoded: found by decoding it once more, code by code.
//!
//! The loop only finds *that* something is wrong, and where its lanes come upon it first depends on how they are
//! set up. What is said is said here, in the order of the codestream, so it is the same on every path.

use super::plan::{Plan, ScanPlan, Tables};
use crate::error::{DecodeError, ErrorKind, Result, malformed, truncated};
use crate::kernel::huffman::Table;
use std::ops::Range;

/// Bits that the longest code may have.
const LONGEST_CODE: usize = 16;

/// The first error of the codestream.
pub(super) fn verdict(recipe: &Plan<'_>, tables: &Tables) -> DecodeError {
    // Without an error there would have been no need to ask.
    found(recipe, tables)
        .unwrap_or_else(|| malformed("samples are missing", "ITU-T T.81 H.1.2.2").at(recipe.frame.len()))
}

/// What is told where the output cannot hold a value: that, unless the codestream has an error, wherever it is. Which of
/// both the loop comes upon first depends on how much it decodes at once.
pub(super) fn before_output(error: DecodeError, recipe: &Plan<'_>, tables: &Tables) -> DecodeError {
    match error.kind() {
        ErrorKind::Output => found(recipe, tables).unwrap_or(error),
        _ => error,
    }
}

fn found(recipe: &Plan<'_>, tables: &Tables) -> Option<DecodeError> {
    recipe.scans.iter().find_map(|scan| check_scan(recipe, scan, &tables.at(&scan.tables)).err())
}

fn check_scan(recipe: &Plan<'_>, scan: &ScanPlan, tables: &[&Table]) -> Result<()> {
    for (index, segment) in scan.segments.iter().enumerate() {
        check_segment(recipe.frame, segment, recipe.symbols(scan, index), tables)?;
    }
    Ok(())
}

fn check_segment(frame: &[u8], segment: &Range<usize>, symbols: usize, tables: &[&Table]) -> Result<()> {
    let data = frame.get(segment.clone()).unwrap_or_default();
    let mut bits = Bits { data, ..Bits::default() };
    for (made, table) in (0..symbols).zip(tables.iter().cycle()) {
        bits.fill();
        let is_cut = match table.symbol(bits.window) {
            Some((length, _)) => !bits.take(length as usize),
            None if bits.left() < LONGEST_CODE => true,
            None => {
                let text = format!("a code that no value is assigned to, after {made} samples");
                return Err(malformed(text, "ITU-T T.81 F.2.2.3").at(segment.start + bits.offset()));
            }
        };
        if is_cut {
            let text = format!("the data end after {made} of {symbols} samples");
            return Err(truncated(text, "ITU-T T.81 H.1.2.2").at(segment.end));
        }
    }
    Ok(())
}

/// Bits of stuffed data.
#[derive(Default)]
struct Bits<'a> {
    data: &'a [u8],
    /// Bytes that have been taken into the window, stuffing among them.
    read: usize,
    /// The next bits, left-aligned, and how many.
    window: u64,
    count: usize,
}

impl Bits<'_> {
    fn fill(&mut self) {
        while self.count <= 56
            && let Some(byte) = self.data.get(self.read)
        {
            self.window |= u64::from(*byte) << (56 - self.count);
            self.count += 8;
            self.read += 1 + usize::from(*byte == 0xFF);
        }
    }

    /// Bits in the window and behind it: not exact beyond the window, where it is enough that there are some.
    fn left(&self) -> usize {
        self.count
    }

    /// Passes over `bits` bits; `false` if there are not so many.
    fn take(&mut self, bits: usize) -> bool {
        self.window <<= bits;
        let is_there = bits <= self.count;
        self.count = self.count.saturating_sub(bits);
        is_there
    }

    /// Place in the data of the byte that the next bit is in.
    fn offset(&self) -> usize {
        let mut at = self.read.min(self.data.len());
        for _ in 0..self.count.div_ceil(8) {
            at = at.saturating_sub(1);
            let is_stuffed = self.data.get(at) == Some(&0) && at > 0 && self.data.get(at - 1) == Some(&0xFF);
            at -= usize::from(is_stuffed);
        }
        at
    }
}
