//! Opens one source, or many on several threads: from a path or bytes to an object and its image.

use crate::file::OpenFile;
use crate::image::Image;
use crate::object::Object;
use dicoxide_core::parallel::run_on_threads;
use dicoxide_core::{DecodeError, Limits, ReadAt};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A source of one DICOM object.
pub enum Source {
    /// Path of a file.
    Path(PathBuf),
    /// Bytes of a file.
    Bytes(Arc<dyn ReadAt>),
}

/// Why a source was not opened.
#[derive(Debug)]
pub enum OpenError {
    /// The system refused to open or read the file.
    File(io::Error),
    /// The header is not that of an image. The second field is the UID of the transfer syntax, if it was read.
    Header(DecodeError, Option<String>),
}

/// Opens a source and reads the attributes of its image.
///
/// # Errors
/// The errors of [`OpenFile::open`], [`Object::open`] and [`Image::read`].
pub fn open(source: &Source, limits: &Limits) -> Result<(Object, Image), OpenError> {
    let object = Object::open(bytes_of(source)?, limits).map_err(|error| OpenError::Header(error, None))?;
    match Image::read(&object) {
        Ok(image) => Ok((object, image)),
        Err(error) => Err(OpenError::Header(error, object.transfer_syntax().map(str::to_owned))),
    }
}

/// Opens a source that may be damaged or have no image.
///
/// # Errors
/// The errors of [`OpenFile::open`] and [`Object::open_incomplete`].
pub fn open_incomplete(source: &Source, limits: &Limits) -> Result<Object, OpenError> {
    Object::open_incomplete(bytes_of(source)?, limits).map_err(|error| OpenError::Header(error, None))
}

fn bytes_of(source: &Source) -> Result<Arc<dyn ReadAt>, OpenError> {
    Ok(match source {
        Source::Path(path) => Arc::new(OpenFile::open(path).map_err(OpenError::File)?),
        Source::Bytes(bytes) => Arc::clone(bytes),
    })
}

/// Opens many sources on at most `threads` threads, and returns one result per source, in their order.
///
/// `max_bytes` bounds the inflated bytes of each deflated data set.
pub fn open_many(
    sources: &[Source],
    max_bytes: Option<u64>,
    threads: usize,
) -> Vec<Result<(Object, Image), OpenError>> {
    let next_index = AtomicUsize::new(0);
    let work = || {
        let mut opened = Vec::new();
        loop {
            let index = next_index.fetch_add(1, Ordering::Relaxed);
            let Some(source) = sources.get(index) else { return opened };
            opened.push((index, open(source, &Limits::new(max_bytes))));
        }
    };
    let mut opened: Vec<_> =
        run_on_threads(threads.clamp(1, sources.len().max(1)), work, work).into_iter().flatten().collect();
    opened.sort_unstable_by_key(|(index, _)| *index);
    opened.into_iter().map(|(_, result)| result).collect()
}
