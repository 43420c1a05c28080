//! A deflated data set (PS3.5 A.5), inflated into memory.

use dicoxide_core::value::read_exactly;
use dicoxide_core::{DecodeError, ErrorKind, Limits, ReadAt, Result};
use flate2::{Decompress, FlushDecompress, Status};

const CLAUSE: &str = "PS3.5 A.5";
/// Compressed bytes that are read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// An inflated data set.
pub(crate) struct Inflated {
    bytes: Vec<u8>,
}

impl Inflated {
    /// Inflates the bytes of `file` from `start` to the end of the deflate stream.
    ///
    /// The output buffer doubles when it is full. Each growth is reserved in `limits` before it is allocated.
    pub(crate) fn new(file: &dyn ReadAt, start: u64, limits: &Limits) -> Result<Self> {
        let mut decompress = Decompress::new(false);
        let mut bytes = Vec::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut offset = start;
        loop {
            let count = usize::try_from(file.size().saturating_sub(offset)).unwrap_or(usize::MAX).min(CHUNK_BYTES);
            let src = chunk.get_mut(..count).unwrap_or_default();
            read_exactly(file, offset, src)?;
            if bytes.len() == bytes.capacity() {
                let additional = bytes.capacity().max(CHUNK_BYTES);
                limits.reserve(additional)?;
                if bytes.try_reserve_exact(additional).is_err() {
                    let message = format!("cannot allocate {additional} bytes for the inflated data set");
                    return Err(DecodeError::new(ErrorKind::LimitExceeded, message, CLAUSE));
                }
            }
            let (read_before, written_before) = (decompress.total_in(), bytes.len());
            let status = decompress.decompress_vec(src, &mut bytes, FlushDecompress::None).map_err(|error| {
                let message = format!("deflated data set is corrupt: {error}");
                DecodeError::new(ErrorKind::Malformed, message, CLAUSE)
            })?;
            let read = decompress.total_in() - read_before;
            offset += read;
            if status == Status::StreamEnd {
                return Ok(Self { bytes });
            }
            if read == 0 && bytes.len() == written_before {
                let message = format!("deflated data set ends after {} inflated bytes", bytes.len());
                return Err(DecodeError::new(ErrorKind::Truncated, message, CLAUSE));
            }
        }
    }
}

impl ReadAt for Inflated {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> std::io::Result<usize> {
        self.bytes.as_slice().read_at(offset, out)
    }

    fn memory(&self) -> Option<&[u8]> {
        Some(&self.bytes)
    }
}
