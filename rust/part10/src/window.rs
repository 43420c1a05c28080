//! A few KiB of a file at a time: elements are looked at one after the other, and most of them are small.

use dicoxide_core::value::read_exactly;
use dicoxide_core::{ReadAt, Result};

/// What is read at once. Headers are rarely longer, and reading less is hardly faster.
const CHUNK_BYTES: u64 = 16 * 1024;

/// Where the scanner looks.
pub(crate) struct Window<'a> {
    from: &'a dyn ReadAt,
    size: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    pub(crate) fn new(from: &'a dyn ReadAt) -> Self {
        Self { from, size: from.size(), start: 0, bytes: Vec::new() }
    }

    /// Where what is read ends.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// The next `count` bytes from `at` on; fewer at the end. `count` is a few bytes.
    #[inline]
    pub(crate) fn peek(&mut self, at: u64, count: usize) -> Result<&[u8]> {
        let place = usize::try_from(at.wrapping_sub(self.start)).unwrap_or(usize::MAX);
        let is_within = place.checked_add(count).is_some_and(|end| end <= self.bytes.len());
        if !is_within {
            return self.peek_elsewhere(at, count);
        }
        Ok(self.bytes.get(place..).and_then(|rest| rest.get(..count)).unwrap_or_default())
    }

    fn peek_elsewhere(&mut self, at: u64, count: usize) -> Result<&[u8]> {
        let there = self.size.saturating_sub(at).min(count as u64);
        if at < self.start || at + there > self.start + self.bytes.len() as u64 {
            let bytes = self.size.saturating_sub(at).min(CHUNK_BYTES.max(count as u64));
            self.bytes.resize(usize::try_from(bytes).unwrap_or(0), 0);
            self.start = at;
            read_exactly(self.from, at, &mut self.bytes)?;
        }
        let from = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        let there = usize::try_from(there).unwrap_or(0);
        Ok(self.bytes.get(from..).and_then(|rest| rest.get(..there)).unwrap_or_default())
    }

    /// The next `N` bytes from `at` on, or `None` where they are not all there.
    pub(crate) fn array<const N: usize>(&mut self, at: u64) -> Result<Option<[u8; N]>> {
        Ok(self.peek(at, N)?.first_chunk().copied())
    }
}
