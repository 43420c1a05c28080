//! A read buffer over a file: consecutive element headers, most of them 8 bytes long, share one read.

use dicoxide_core::value::read_exactly;
use dicoxide_core::{Deviation, ReadAt, Result};

/// Bytes per read. Most headers are shorter than this, and smaller reads are hardly faster.
const CHUNK_BYTES: u64 = 16 * 1024;

/// The bytes `start..start + bytes.len()` of a file. It moves when bytes outside are asked for.
pub(crate) struct Window<'a> {
    file: &'a dyn ReadAt,
    file_bytes: u64,
    start: u64,
    bytes: Vec<u8>,
    /// The first deviation found in reading element headers.
    pub(crate) deviation: Option<Deviation>,
}

impl<'a> Window<'a> {
    pub(crate) fn new(file: &'a dyn ReadAt) -> Self {
        Self { file, file_bytes: file.size(), start: 0, bytes: Vec::new(), deviation: None }
    }

    /// Records a deviation, unless there is one already: many files repeat the same one in each element.
    pub(crate) fn report(&mut self, deviation: Deviation) {
        self.deviation.get_or_insert(deviation);
    }

    /// Size of the file in bytes.
    pub(crate) const fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Returns `count` bytes at `offset`, fewer at the end of the file. `count` is at most a few KiB.
    #[inline]
    pub(crate) fn peek(&mut self, offset: u64, count: usize) -> Result<&[u8]> {
        let from = usize::try_from(offset.wrapping_sub(self.start)).unwrap_or(usize::MAX);
        let is_within = from.checked_add(count).is_some_and(|end| end <= self.bytes.len());
        if !is_within {
            return self.move_and_peek(offset, count);
        }
        Ok(self.bytes.get(from..).and_then(|rest| rest.get(..count)).unwrap_or_default())
    }

    fn move_and_peek(&mut self, offset: u64, count: usize) -> Result<&[u8]> {
        let available = self.file_bytes.saturating_sub(offset).min(count as u64);
        if offset < self.start || offset + available > self.start + self.bytes.len() as u64 {
            let bytes = self.file_bytes.saturating_sub(offset).min(CHUNK_BYTES.max(count as u64));
            self.bytes.resize(usize::try_from(bytes).unwrap_or(0), 0);
            self.start = offset;
            read_exactly(self.file, offset, &mut self.bytes)?;
        }
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        let available = usize::try_from(available).unwrap_or(0);
        Ok(self.bytes.get(from..).and_then(|rest| rest.get(..available)).unwrap_or_default())
    }

    /// Returns the `N` bytes at `offset`, or `None` if the file ends before.
    pub(crate) fn array<const N: usize>(&mut self, offset: u64) -> Result<Option<[u8; N]>> {
        Ok(self.peek(offset, N)?.first_chunk().copied())
    }
}
