//! The bytes of a Pixel Data value, wherever they lie: in memory, or where somebody reads them by position.

use crate::error::{DecodeError, ErrorKind, Result, limit_exceeded, truncated};
use crate::limits::Limits;
use std::fmt;
use std::ops::Range;

/// Something with a length that is read by position, on several threads at once.
pub trait ReadAt: Send + Sync {
    /// How many bytes there are.
    fn size(&self) -> u64;

    /// Reads bytes from `offset` on into `out`; fewer than it holds only where no more are there.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> std::io::Result<usize>;

    /// All of it, where it is in memory anyhow.
    fn memory(&self) -> Option<&[u8]> {
        None
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

/// Fills `out` with the bytes from `offset` on.
///
/// # Errors
/// `Io` with what the system says; `Truncated` if there are fewer bytes.
pub fn read_exactly(from: &dyn ReadAt, offset: u64, out: &mut [u8]) -> Result<()> {
    let mut filled = 0;
    while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read_at(offset + filled as u64, rest) {
            Ok(0) => {
                let text = format!("{filled} bytes found at {offset} of the file, {} expected", out.len());
                return Err(truncated(text, ""));
            }
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(DecodeError::new(ErrorKind::Io, error.to_string(), "").of_system(&error)),
        }
    }
    Ok(())
}

/// A Pixel Data value.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// It is in memory.
    Memory(&'a [u8]),
    /// It is so many bytes of something that is read by position.
    Stored {
        /// What is read.
        from: &'a dyn ReadAt,
        /// Where the value begins in it.
        start: u64,
        /// How long the value is; it ends no later than what is read.
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
    /// How long it is.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::Stored { bytes, .. } => *bytes,
        }
    }

    /// Whether there is nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of `range`, which lies within: as they lie in memory, or read into `scratch`, which only grows.
    pub(crate) fn bytes(&self, range: Range<usize>, limits: &Limits, scratch: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        match *self {
            Self::Memory(bytes) => Ok(bytes.get(range).unwrap_or_default()),
            Self::Stored { .. } => {
                let room = room(scratch, range.len(), limits)?;
                self.read(range, room)?;
                Ok(room)
            }
        }
    }

    /// The first bytes from `at` on, at most as many as `out` holds.
    pub(crate) fn head<'o>(&self, at: usize, out: &'o mut [u8]) -> Result<&'o [u8]> {
        let there = out.len().min(self.len().saturating_sub(at));
        let out = out.get_mut(..there).unwrap_or_default();
        // An offset table may name any place: one behind the end is no address of what is read.
        if there > 0 {
            self.read(at..at + there, out)?;
        }
        Ok(out)
    }

    /// Copies the bytes of `range`, which lies within and is as long as `out`.
    pub(crate) fn read(&self, range: Range<usize>, out: &mut [u8]) -> Result<()> {
        match *self {
            Self::Memory(bytes) => {
                if let Some(bytes) = bytes.get(range).filter(|bytes| bytes.len() == out.len()) {
                    out.copy_from_slice(bytes);
                }
                Ok(())
            }
            Self::Stored { from, start, .. } => read_exactly(from, start + range.start as u64, out),
        }
    }
}

/// `bytes` bytes of `scratch`, of any value: it only grows, as zeros that are written over at once cost as much as reading.
pub(crate) fn room<'a>(scratch: &'a mut Vec<u8>, bytes: usize, limits: &Limits) -> Result<&'a mut [u8]> {
    if scratch.len() < bytes {
        limits.reserve(bytes)?;
        zeros(scratch, bytes)?;
    }
    Ok(scratch.get_mut(..bytes).unwrap_or_default())
}

/// Makes `count` zeros of `memory`.
///
/// # Errors
/// `LimitExceeded` if the system has no memory for them: a length that a sparse file justifies must not end the process.
pub fn zeros<T: Copy + Default>(memory: &mut Vec<T>, count: usize) -> Result<()> {
    let refused = |_| limit_exceeded(format!("no memory for {} bytes", count.saturating_mul(size_of::<T>())), "");
    memory.clear();
    memory.try_reserve_exact(count).map_err(refused)?;
    memory.resize(count, T::default());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives at most three bytes at once, and an error from its 20th byte on.
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
    fn short_reads_are_continued_and_errors_of_the_system_told() {
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
    fn what_ends_early_is_truncated() {
        let bytes: &[u8] = &[1, 2, 3];
        let value = Value::Stored { from: &bytes, start: 1, bytes: 5 };
        assert_eq!(value.head(0, &mut [0; 2]).unwrap(), [2, 3]);
        assert_eq!(value.head(0, &mut [0; 8]).unwrap_err().kind(), ErrorKind::Truncated);
        assert!(value.head(usize::MAX, &mut [0; 8]).unwrap().is_empty());
        assert_eq!(Value::from(bytes).head(2, &mut [0; 8]).unwrap(), [3]);
        assert!(Value::from(bytes).head(9, &mut [0; 8]).unwrap().is_empty());
    }
}
