//! Entries of offset tables: how many of them increase.

use crate::error::{ErrorKind, Result};
use crate::frames::ExtendedOffsets;
use crate::value::Value;
use std::ops::Range;

/// True if the entries from the first one to that of frame `index + 1`, if there is one, increase.
pub(super) const fn increases_to_next(index: usize, increasing: usize, entry_count: usize) -> bool {
    index < increasing && (index + 1 < increasing || index + 1 == entry_count)
}

/// Counts leading offsets that start with 0 and increase.
struct IncreasingOffsets {
    count: usize,
    previous: u64,
}

impl IncreasingOffsets {
    const fn new() -> Self {
        Self { count: 0, previous: 0 }
    }

    /// Counts `offset` and returns true if it continues the sequence.
    const fn push(&mut self, offset: u64) -> bool {
        let continues = if self.count == 0 { offset == 0 } else { self.previous < offset };
        self.previous = offset;
        self.count += continues as usize;
        continues
    }
}

/// Returns the number of leading entries of an Extended Offset Table that start with 0 and increase.
pub(super) fn increasing_extended_entries(extended: ExtendedOffsets<'_>) -> usize {
    let mut increasing = IncreasingOffsets::new();
    let entries = extended.offsets.as_chunks::<8>().0;
    let _ = entries.iter().all(|entry| increasing.push(u64::from_le_bytes(*entry)));
    increasing.count
}

/// Reads the Basic Offset Table in blocks and returns the number of its leading entries that start with 0 and increase.
///
/// # Errors
/// `Io`. A file that has become shorter ends the table: walking the items then returns that error.
pub(super) fn increasing_basic_entries(value: Value<'_>, entries: &Range<usize>) -> Result<usize> {
    const BLOCK_BYTES: usize = 1024;
    let mut increasing = IncreasingOffsets::new();
    let mut block = [0; BLOCK_BYTES];
    for start in entries.clone().step_by(BLOCK_BYTES) {
        let range = start..entries.end.min(start + BLOCK_BYTES);
        let block = block.get_mut(..range.len()).unwrap_or_default();
        match value.read(range, block) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Io => return Err(error),
            Err(_) => break,
        }
        if !block.as_chunks::<4>().0.iter().all(|entry| increasing.push(u32::from_le_bytes(*entry).into())) {
            break;
        }
    }
    Ok(increasing.count)
}
