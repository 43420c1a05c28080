//! A read buffer over a file: consecutive element headers, most of them 8 bytes long, share one read.

use dicoxide_core::value::read_exactly;
use dicoxide_core::{Deviation, ReadAt, Result};
use std::borrow::Cow;

/// Bytes per read. Most headers are shorter than this, and smaller reads are hardly faster.
const CHUNK_BYTES: u64 = 16 * 1024;

/// The bytes `start..start + bytes.len()` of a file. It moves when bytes outside are asked for.
pub(crate) struct Window<'a> {
    file: &'a dyn ReadAt,
    file_bytes: u64,
    start: u64,
    /// First the bytes of the file that are in memory, which are not copied; then a read buffer.
    bytes: Cow<'a, [u8]>,
    /// The first deviation found in reading element headers.
    pub(crate) deviation: Option<Deviation>,
}

impl<'a> Window<'a> {
    pub(crate) fn new(file: &'a dyn ReadAt) -> Self {
        Self { file, file_bytes: file.size(), start: 0, bytes: Cow::Borrowed(file.prefix()), deviation: None }
    }

    /// Records a deviation, unless there is one already: many files repeat the same one in each element.
    pub(crate) fn report(&mut self, deviation: Deviation) {
        self.deviation.get_or_insert(deviation);
    }

    /// Size of the file in bytes.
    pub(crate) const fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Returns the `N` bytes at `offset` if the window has them: never reads.
    #[inline]
    pub(crate) fn buffered<const N: usize>(&self, offset: u64) -> Option<&[u8; N]> {
        let from = usize::try_from(offset.wrapping_sub(self.start)).ok()?;
        self.bytes.get(from..)?.first_chunk()
    }

    /// Returns `count` bytes at `offset`, fewer at the end of the file. `count` is at most a few KiB.
    pub(crate) fn peek(&mut self, offset: u64, count: usize) -> Result<&[u8]> {
        let available = self.file_bytes.saturating_sub(offset).min(count as u64);
        if available > 0 && (offset < self.start || offset + available > self.start + self.bytes.len() as u64) {
            self.move_to(offset, count)?;
        }
        let from = usize::try_from(offset.wrapping_sub(self.start)).unwrap_or(usize::MAX);
        let available = usize::try_from(available).unwrap_or(0);
        Ok(self.bytes.get(from..).and_then(|rest| rest.get(..available)).unwrap_or_default())
    }

    /// Reads a chunk at `offset`, at least `count` bytes unless the file ends before.
    fn move_to(&mut self, offset: u64, count: usize) -> Result<()> {
        let chunk_bytes = self.file_bytes.saturating_sub(offset).min(CHUNK_BYTES.max(count as u64));
        // Not `to_mut`, which would copy the bytes in memory.
        let mut bytes = match std::mem::take(&mut self.bytes) {
            Cow::Owned(bytes) => bytes,
            Cow::Borrowed(_) => Vec::new(),
        };
        bytes.resize(usize::try_from(chunk_bytes).unwrap_or(0), 0);
        read_exactly(self.file, offset, &mut bytes)?;
        self.start = offset;
        self.bytes = Cow::Owned(bytes);
        Ok(())
    }

    /// Returns the `N` bytes at `offset`, or `None` if the file ends before.
    #[inline]
    pub(crate) fn array<const N: usize>(&mut self, offset: u64) -> Result<Option<[u8; N]>> {
        match self.buffered(offset) {
            Some(bytes) => Ok(Some(*bytes)),
            None => self.read_array(offset),
        }
    }

    #[cold]
    fn read_array<const N: usize>(&mut self, offset: u64) -> Result<Option<[u8; N]>> {
        Ok(self.peek(offset, N)?.first_chunk().copied())
    }
}
