//! Files of the system, read by position.

use dicoxide_core::ReadAt;
use std::fs::File;
use std::io;
use std::path::Path;

/// How many bytes are read at once when a file is opened, and kept: most headers are shorter, and each of their values
/// would be a call to the system otherwise.
const HEAD_BYTES: u64 = 16 * 1024;

/// An open file; its length is what it was when it was opened.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    size: u64,
    head: Vec<u8>,
}

impl OpenFile {
    /// Opens `path` to be read.
    ///
    /// # Errors
    /// What the system says; a folder is none that can be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Whoever opens a pipe waits for its other end.
        let is_other = std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
        if is_other {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a file nor a folder"));
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        let size = metadata.len();
        let mut opened = Self { file, size, head: Vec::new() };
        let mut head = vec![0; usize::try_from(HEAD_BYTES.min(size)).unwrap_or(0)];
        // As much as comes at once: what is missing is read when it is asked for.
        match opened.of_file(0, &mut head) {
            Ok(there) => head.truncate(there),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => head.clear(),
            Err(error) => return Err(error),
        }
        opened.head = head;
        Ok(opened)
    }

    /// As much of `out` as the head has from `offset` on.
    fn of_head(&self, offset: u64, out: &mut [u8]) -> usize {
        let from = usize::try_from(offset).ok().and_then(|offset| self.head.get(offset..)).unwrap_or_default();
        let there = from.len().min(out.len());
        if let (Some(out), Some(from)) = (out.get_mut(..there), from.get(..there)) {
            out.copy_from_slice(from);
        }
        there
    }

    #[cfg(unix)]
    fn of_file(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, out, offset)
    }

    #[cfg(windows)]
    fn of_file(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.file, out, offset)
    }
}

impl ReadAt for OpenFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        match self.of_head(offset, out) {
            0 => self.of_file(offset, out),
            there => Ok(there),
        }
    }
}
