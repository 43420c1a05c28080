//! A seekable Python file object as a source that is read by position.
//!
//! The Python class `SeekableFile` seeks and reads under a lock. A read of a remote file costs a request, so this module
//! reads more than it is asked for, and serves later reads from these bytes:
//!
//! ```text
//! read_at(offset, out):
//!     offset is in a retained block     → copy from there
//!     out is longer than the next block → read it alone: samples of a frame
//!     otherwise                         → read a block, and retain it in place of the one that was used least recently
//! ```
//!
//! The first block has 64 KiB, more than most headers. A block of which at least a half was used is followed by one of
//! twice its size (a long header), another one by one of half its size (items that are stepped over). Several blocks are
//! retained, because the offset table is read again for each frame.

use dicoxide_core::ReadAt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::io;
use std::sync::Mutex;

const FIRST_BLOCK_BYTES: usize = 64 * 1024;
const MIN_BLOCK_BYTES: usize = 4 * 1024;
const MAX_BLOCK_BYTES: usize = 1024 * 1024;
const MAX_BLOCKS: usize = 8;

/// An instance of the Python class `SeekableFile`.
pub(crate) struct FileObject {
    file: Py<PyAny>,
    size: u64,
    /// Never locked while Python code runs: a thread that waits for it might hold the interpreter.
    blocks: Mutex<Blocks>,
}

/// Blocks that have been read ahead, the one that was used last at the front.
#[derive(Default)]
struct Blocks {
    blocks: Vec<Block>,
    /// Start of the block that was read last.
    newest_start: u64,
}

/// Bytes that have been read ahead.
struct Block {
    start: u64,
    bytes: Vec<u8>,
    /// Number of leading bytes up to the last one that was served.
    used_bytes: usize,
}

impl FileObject {
    /// Returns `None` if `src` is not a `SeekableFile`.
    pub(crate) fn new(src: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        if !src.hasattr("read_at")? {
            return Ok(None);
        }
        let size = src.getattr("size")?.extract()?;
        Ok(Some(Self { file: src.clone().unbind(), size, blocks: Mutex::default() }))
    }

    /// Reads `out.len()` bytes at `offset` and up to `ahead_bytes` bytes in all. Returns the number of bytes in `out`.
    fn read_file(&self, offset: u64, out: &mut [u8], ahead_bytes: usize) -> io::Result<usize> {
        let requested = out.len().max(ahead_bytes);
        let read = |py: Python<'_>| -> PyResult<usize> {
            let data = self.file.bind(py).call_method1("read_at", (offset, requested))?;
            let bytes = data.cast::<PyBytes>()?.as_bytes();
            if bytes.len() > requested {
                let text = format!("read({requested}) returned {} bytes", bytes.len());
                return Err(PyValueError::new_err(text));
            }
            let count = bytes.len().min(out.len());
            if let (Some(out), Some(bytes)) = (out.get_mut(..count), bytes.get(..count)) {
                out.copy_from_slice(bytes);
            }
            if requested > out.len()
                && let Ok(mut blocks) = self.blocks.try_lock()
            {
                blocks.insert(Block { start: offset, bytes: bytes.to_vec(), used_bytes: count });
            }
            Ok(count)
        };
        match Python::try_attach(read) {
            Some(result) => result.map_err(io::Error::other),
            None => Err(io::Error::other("the interpreter is finalizing")),
        }
    }
}

impl Blocks {
    /// Copies bytes at `offset` to `out`. Returns their number, 0 if no block has the byte at `offset`.
    fn serve(&mut self, offset: u64, out: &mut [u8]) -> usize {
        for index in 0..self.blocks.len() {
            let served = self.blocks.get_mut(index).map_or(0, |block| block.serve(offset, out));
            if served > 0 {
                if let Some(used) = self.blocks.get_mut(..=index) {
                    used.rotate_right(1);
                }
                return served;
            }
        }
        0
    }

    fn insert(&mut self, block: Block) {
        self.blocks.truncate(MAX_BLOCKS - 1);
        self.newest_start = block.start;
        self.blocks.insert(0, block);
    }

    /// Returns the size of the block to read next.
    fn next_bytes(&self) -> usize {
        let newest = self.blocks.iter().find(|block| block.start == self.newest_start);
        match newest.map(|block| (block.bytes.len(), block.used_bytes)) {
            None if self.blocks.is_empty() => FIRST_BLOCK_BYTES,
            None => MIN_BLOCK_BYTES,
            Some((bytes, used)) if used >= bytes / 2 => (2 * bytes).clamp(MIN_BLOCK_BYTES, MAX_BLOCK_BYTES),
            Some((bytes, _)) => (bytes / 2).clamp(MIN_BLOCK_BYTES, MAX_BLOCK_BYTES),
        }
    }
}

impl Block {
    /// Copies bytes at `offset` to `out`. Returns their number, 0 if `offset` is not within the block.
    fn serve(&mut self, offset: u64, out: &mut [u8]) -> usize {
        let start = offset.checked_sub(self.start).and_then(|start| usize::try_from(start).ok());
        let bytes = start.and_then(|start| self.bytes.get(start..)).unwrap_or_default();
        let count = bytes.len().min(out.len());
        if let (Some(out), Some(bytes)) = (out.get_mut(..count), bytes.get(..count)) {
            out.copy_from_slice(bytes);
        }
        if let (Some(start), 1..) = (start, count) {
            self.used_bytes = self.used_bytes.max(start + count);
        }
        count
    }
}

impl ReadAt for FileObject {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        let available = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (out, _) = out.split_at_mut(out.len().min(available));
        if out.is_empty() {
            return Ok(0);
        }
        let mut block_bytes = MIN_BLOCK_BYTES;
        if let Ok(mut blocks) = self.blocks.try_lock() {
            let served = blocks.serve(offset, out);
            if served > 0 {
                return Ok(served);
            }
            block_bytes = blocks.next_bytes();
        }
        self.read_file(offset, out, block_bytes.min(available))
    }

    fn has_slow_reads(&self) -> bool {
        true
    }
}
