//! The bytes of a Pixel Data value: in memory, or read by position.

use crate::error::{DecodeError, Result, truncated};
use crate::limits::Limits;
use std::fmt;
use std::ops::Range;

/// A source of bytes that is read by position, by several threads at the same time.
pub trait ReadAt: Send + Sync {
    /// Length in bytes.
    fn size(&self) -> u64;

    /// Reads bytes from `offset` into `out` and returns their number, which is less than `out.len()` only at the end of the source.
    ///
    /// # Errors
    /// The error of the system.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> std::io::Result<usize>;

    /// All bytes, if they are in memory.
    fn memory(&self) -> Option<&[u8]> {
        None
    }

    /// The leading bytes that are in memory, possibly none: they need no read.
    fn prefix(&self) -> &[u8] {
        self.memory().unwrap_or_default()
    }

    /// True if a read costs much more than its bytes, as from a remote server: frames are then read whole.
    fn has_slow_reads(&self) -> bool {
        false
    }
}

impl ReadAt for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> std::io::Result<usize> {
        let from = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let read = out.len().min(from.len());
        if let (Some(out), Some(from)) = (out.get_mut(..read), from.get(..read)) {
            out.copy_from_slice(from);
        }
        Ok(read)
    }

    fn memory(&self) -> Option<&[u8]> {
        Some(self)
    }
}

/// Fills `out` with the bytes from `offset`.
///
/// # Errors
/// `Io` with the error of the system; `Truncated` if there are fewer bytes.
pub fn read_exactly(from: &dyn ReadAt, offset: u64, out: &mut [u8]) -> Result<()> {
    let mut filled = 0;
    while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read_at(offset + filled as u64, rest) {
            Ok(0) => {
                let text = format!("{filled} bytes found at offset {offset} of the file, {} expected", out.len());
                return Err(truncated(text, ""));
            }
            Ok(read) if read == out.len() => return Ok(()),
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(DecodeError::of_system(error)),
        }
    }
    Ok(())
}

/// A Pixel Data value.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// In memory.
    Memory(&'a [u8]),
    /// A range of a source that is read by position.
    Stored {
        /// The source.
        from: &'a dyn ReadAt,
        /// Offset of the value in the source.
        start: u64,
        /// Length of the value in bytes; the source has at least `start` + `bytes`.
        bytes: usize,
    },
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value of {} bytes", self.len())
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Memory(bytes)
    }
}

impl<'a> Value<'a> {
    /// Length in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::Stored { bytes, .. } => *bytes,
        }
    }

    /// True if it has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if ranges of the value can be read piece by piece without much cost for each read.
    pub(crate) fn has_fast_reads(&self) -> bool {
        matches!(self, Self::Stored { from, .. } if !from.has_slow_reads())
    }

    /// The bytes of `range`, which is within the value: in memory, or read into `scratch`, which only grows.
    pub(crate) fn bytes(&self, range: Range<usize>, limits: &Limits, scratch: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        match *self {
            Self::Memory(bytes) => Ok(bytes.get(range).unwrap_or_default()),
            Self::Stored { .. } => {
                let bytes = scratch_slice(scratch, range.len(), limits)?;
                self.read(range, bytes)?;
                Ok(bytes)
            }
        }
    }

    /// Returns the bytes from `offset` on, at most `out.len()`: in memory, or read into `out`.
    pub(crate) fn head<'o>(&self, offset: usize, out: &'o mut [u8]) -> Result<&'o [u8]>
    where
        'a: 'o,
    {
        let count = out.len().min(self.len().saturating_sub(offset));
        if let Self::Memory(bytes) = *self {
            return Ok(bytes.get(offset..).and_then(|rest| rest.get(..count)).unwrap_or_default());
        }
        let (out, _) = out.split_at_mut(count);
        // An offset table may hold any offset. One beyond the end must not reach the source.
        if count > 0 {
            self.read(offset..offset + count, out)?;
        }
        Ok(out)
    }

    /// Copies the bytes of `range`, which is within the value and as long as `out`.
    pub(crate) fn read(&self, range: Range<usize>, out: &mut [u8]) -> Result<()> {
        match *self {
            Self::Memory(bytes) => {
                let bytes = bytes.get(range).filter(|bytes| bytes.len() == out.len());
                let bytes = bytes.ok_or_else(|| truncated("the value ends before the range that is read", ""))?;
                out.copy_from_slice(bytes);
                Ok(())
            }
            Self::Stored { from, start, .. } => read_exactly(from, start + range.start as u64, out),
        }
    }
}

/// The first `bytes` bytes of `scratch`, of undefined content. `scratch` only grows: filling it with zeros that are
/// overwritten at once costs as much as reading a file.
pub(crate) fn scratch_slice<'a>(scratch: &'a mut Vec<u8>, bytes: usize, limits: &Limits) -> Result<&'a mut [u8]> {
    if scratch.len() < bytes {
        *scratch = Vec::new();
        *scratch = limits.zeroed(bytes)?;
    }
    Ok(scratch.split_at_mut(bytes).0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// Reads at most three bytes at once, and fails from its 20th byte.
    struct Slow;

    impl ReadAt for Slow {
        fn size(&self) -> u64 {
            30
        }
        fn read_at(&self, offset: u64, out: &mut [u8]) -> std::io::Result<usize> {
            if offset >= 20 {
                return Err(std::io::Error::from_raw_os_error(5));
            }
            let read = out.len().min(3).min(usize::try_from(20 - offset).unwrap());
            out[..read].iter_mut().zip(offset..).for_each(|(byte, value)| *byte = u8::try_from(value).unwrap());
            Ok(read)
        }
    }

    #[test]
    fn value_bytes_short_reads_are_continued_and_system_errors_reported() {
        let value = Value::Stored { from: &Slow, start: 2, bytes: 20 };
        let mut scratch = vec![9; 4];
        assert_eq!(value.bytes(1..11, &Limits::unbounded(), &mut scratch).unwrap(), [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        let error = value.bytes(10..20, &Limits::unbounded(), &mut scratch).unwrap_err();
        assert_eq!((error.kind(), error.errno()), (ErrorKind::Io, Some(5)));
        assert_eq!(
            value.bytes(0..20, &Limits::new(Some(19)), &mut Vec::new()).unwrap_err().kind(),
            ErrorKind::LimitExceeded
        );
    }

    #[test]
    fn value_head_source_that_ends_early_is_truncated() {
        let bytes: &[u8] = &[1, 2, 3];
        let value = Value::Stored { from: &bytes, start: 1, bytes: 5 };
        assert_eq!(value.head(0, &mut [0; 2]).unwrap(), [2, 3]);
        assert_eq!(value.head(0, &mut [0; 8]).unwrap_err().kind(), ErrorKind::Truncated);
        assert!(value.head(usize::MAX, &mut [0; 8]).unwrap().is_empty());
        assert_eq!(Value::from(bytes).head(2, &mut [0; 8]).unwrap(), [3]);
        assert!(Value::from(bytes).head(9, &mut [0; 8]).unwrap().is_empty());
    }
}
