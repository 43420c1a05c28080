//! dicoxide-part10: a DICOM file → what its image is, and where each frame's bytes lie.
//!
//! ```text
//! ReadAt ──► Object ──► Image ──► FrameInfo, Value ──► dicoxide-core
//! (file,     elements:  Image Pixel   by position
//!  memory)   tag, VR,   attributes
//!            place      └ rescales, items, values: when somebody asks
//! ```
//!
//! [`Many`] does so for many files on all cores; [`open_many`] stops at the images.
//!
//! The scanner reads headers of elements alone, a few KiB at once, and reads any file that pydicom reads as pydicom
//! does. It is our own because the crates that parse DICOM lack what is needed here: places of values, reading by
//! position, and safety with hostile bytes (deep nesting, huge lengths).

mod element;
mod file;
mod inflate;
mod many;
mod object;
mod open;
mod parse;
mod picture;
mod pixel;
mod rescale;
mod scan;
mod window;

pub use element::{Element, Encoding, Tag, Vr};
pub use file::OpenFile;
pub use many::{Many, Taken};
pub use object::Object;
pub use open::{Source, Unopened, open, open_many};
pub use picture::{Outcome, Picture, Request, Take};
pub use pixel::Image;
pub use scan::DataSet;
