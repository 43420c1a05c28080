//! Files, read by position.

use dicoxide_core::ReadAt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
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
        let (file, metadata) = open_regular(path)?;
        let size = metadata.len();
        let head_bytes = HEAD_BYTES.min(size);
        let mut head = Vec::with_capacity(usize::try_from(head_bytes).unwrap_or(0));
        // A short read is no error: the missing bytes are read when they are needed.
        (&file).take(head_bytes).read_to_end(&mut head)?;
        Ok(Self { file, size, head })
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

/// Opens a regular file without waiting: opening a pipe would block until a writer opens it.
///
/// One system call less than asking for the kind of the file before, which is a tenth of the time to decode a small image.
#[cfg(unix)]
fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    match options.open(path) {
        Ok(file) => {
            let metadata = file.metadata()?;
            require_regular(&metadata).map(|()| (file, metadata))
        }
        // A socket, or a file that another process has a lease on.
        Err(_) => open_after_check(path),
    }
}

#[cfg(not(unix))]
fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    open_after_check(path)
}

fn open_after_check(path: &Path) -> io::Result<(File, Metadata)> {
    require_regular(&std::fs::metadata(path)?)?;
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

fn require_regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a file nor a directory"));
    }
    Ok(())
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
