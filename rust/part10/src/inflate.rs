//! A deflated data set (PS3.5 A.5), inflated into memory.

use dicoxide_core::value::read_exactly;
use dicoxide_core::{DecodeError, ErrorKind, Limits, ReadAt, Result};
use flate2::{Decompress, FlushDecompress, Status};

const CLAUSE: &str = "PS3.5 A.5";
const CHUNK_BYTES: usize = 64 * 1024;

/// What a deflated data set inflates to.
pub(crate) struct Inflated {
    bytes: Vec<u8>,
}

impl Inflated {
    /// Inflates what `from` holds from `start` on; each piece of memory is reserved before it is taken.
    pub(crate) fn new(from: &dyn ReadAt, start: u64, limits: &Limits) -> Result<Self> {
        let mut decompress = Decompress::new(false);
        let mut bytes = Vec::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut at = start;
        loop {
            let there = usize::try_from(from.size().saturating_sub(at)).unwrap_or(usize::MAX).min(CHUNK_BYTES);
            let src = chunk.get_mut(..there).unwrap_or_default();
            read_exactly(from, at, src)?;
            let before = decompress.total_in();
            if bytes.len() == bytes.capacity() {
                let more = bytes.capacity().max(CHUNK_BYTES);
                limits.reserve(more)?;
                if bytes.try_reserve_exact(more).is_err() {
                    return Err(DecodeError::new(
                        ErrorKind::LimitExceeded,
                        "no memory for the inflated data set",
                        CLAUSE,
                    ));
                }
            }
            let written = bytes.len();
            let status = decompress.decompress_vec(src, &mut bytes, FlushDecompress::None).map_err(|error| {
                let what = format!("the deflated data set is broken: {error}");
                DecodeError::new(ErrorKind::Malformed, what, CLAUSE)
            })?;
            let read = decompress.total_in() - before;
            at += read;
            if status == Status::StreamEnd {
                return Ok(Self { bytes });
            }
            if read == 0 && bytes.len() == written {
                let what = format!("the deflated data set ends after {} bytes", bytes.len());
                return Err(DecodeError::new(ErrorKind::Truncated, what, CLAUSE));
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
