//! dicoxide-part10: a DICOM file → what its image is, and where each frame's bytes lie.
//!
//! ```text
//! ReadAt ──► Object ──► Image ──► FrameInfo, Value ──► dicoxide-core
//! (file,     elements:  Image Pixel   by position
//!  memory)   tag, VR,   attributes
//!            place      └ rescales, items, values: when somebody asks
//! ```
//!
//! [`BatchDecoder`] does so for many files on all cores; [`open_many`] stops at the images.
//!
//! The scanner reads headers of elements alone, a few KiB at once, and reads any file that pydicom reads as pydicom
//! does. It is our own because the crates that parse DICOM lack what is needed here: places of values, reading by
//! position, and safety with hostile bytes (deep nesting, huge lengths).

mod batch;
mod decode_object;
mod element;
mod element_reader;
mod file;
mod inflate;
mod object;
mod open;
mod parse;
mod pixel;
mod rescale;
mod window;

pub use batch::{BatchDecoder, BatchResults};
pub use decode_object::{Outcome, Picture, Request, Take};
pub use element::{Element, Encoding, Tag, Vr};
pub use element_reader::DataSet;
pub use file::OpenFile;
pub use object::Object;
pub use open::{OpenError, Source, open, open_many};
pub use pixel::{DeclaredAttributes, Image};
