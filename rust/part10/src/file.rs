//! Files, read by position.

use dicoxide_core::ReadAt;
use std::fs::File;
use std::io;
use std::path::Path;

/// Bytes that are read when a file is opened, and retained. Most headers are shorter, so their values cost no further
/// system calls.
const HEAD_BYTES: u64 = 16 * 1024;

/// An open file. Its size is the one it had when it was opened.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    size: u64,
    head: Vec<u8>,
}

impl OpenFile {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// The system's error; `IsADirectory` for a directory, `InvalidInput` for anything else that is not a regular file.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Opening a pipe would block until a writer opens it.
        let is_special = std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
        if is_special {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a file nor a directory"));
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        let size = metadata.len();
        let mut opened = Self { file, size, head: Vec::new() };
        let mut head = vec![0; usize::try_from(HEAD_BYTES.min(size)).unwrap_or(0)];
        // A short read is no error: the missing bytes are read when they are needed.
        match opened.read_file(0, &mut head) {
            Ok(read) => head.truncate(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => head.clear(),
            Err(error) => return Err(error),
        }
        opened.head = head;
        Ok(opened)
    }

    #[cfg(unix)]
    fn read_file(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, out, offset)
    }

    #[cfg(windows)]
    fn read_file(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.file, out, offset)
    }
}

impl ReadAt for OpenFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        if offset < self.head.len() as u64 {
            self.head.as_slice().read_at(offset, out)
        } else {
            self.read_file(offset, out)
        }
    }

    fn prefix(&self) -> &[u8] {
        &self.head
    }
}
