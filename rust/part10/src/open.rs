//! From a path or bytes to the object and its image; of many on several threads.

use crate::file::OpenFile;
use crate::object::Object;
use crate::pixel::Image;
use dicoxide_core::frames::on_threads;
use dicoxide_core::{DecodeError, Limits, ReadAt};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What holds an object.
pub enum Source {
    /// A file.
    Path(PathBuf),
    /// The bytes of one.
    Bytes(Arc<dyn ReadAt>),
}

/// Why there is no image.
#[derive(Debug)]
pub enum OpenError {
    /// What the system says of the file.
    File(io::Error),
    /// What is wrong with the header, and the transfer syntax as far as it is known.
    Header(DecodeError, Option<String>),
}

/// Opens what `source` holds, and reads what its header says of the image.
///
/// # Errors
/// Those of [`OpenFile::open`], [`Object::open`] and [`Object::image`].
pub fn open(source: &Source, limits: &Limits) -> Result<(Object, Image), OpenError> {
    let bytes: Arc<dyn ReadAt> = match source {
        Source::Path(path) => Arc::new(OpenFile::open(path).map_err(OpenError::File)?),
        Source::Bytes(bytes) => Arc::clone(bytes),
    };
    let object = Object::open(bytes, limits).map_err(|error| OpenError::Header(error, None))?;
    match object.image() {
        Ok(image) => Ok((object, image)),
        Err(error) => Err(OpenError::Header(error, object.transfer_syntax().map(str::to_owned))),
    }
}

/// Opens many on at most `threads` threads; one result each, in their order. What a deflated one inflates to counts
/// against `max_bytes`.
pub fn open_many(
    sources: &[Source],
    max_bytes: Option<u64>,
    threads: usize,
) -> Vec<Result<(Object, Image), OpenError>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut opened = Vec::new();
        loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            let Some(source) = sources.get(position) else { return opened };
            opened.push((position, open(source, &Limits::new(max_bytes))));
        }
    };
    let mut opened: Vec<_> =
        on_threads(threads.clamp(1, sources.len().max(1)), work, work).into_iter().flatten().collect();
    opened.sort_unstable_by_key(|(position, _)| *position);
    opened.into_iter().map(|(_, result)| result).collect()
}
