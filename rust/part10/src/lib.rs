//! dicoxide-part10: reads DICOM files (PS3.10) as far as decoding needs them.
//!
//! ```text
//! ReadAt ──► Object ──────► Image ─────────► FrameInfo, FrameTable ──► dicoxide-core
//! file or    elements:      Image Pixel      validated attributes,
//! bytes      tag, VR,       attributes       byte ranges of frames
//!            byte range
//! ```
//!
//! [`open`] and [`open_many`] return objects and images; [`BatchDecoder`] decodes many files on all cores. Items of
//! sequences, rescale attributes and other values are read when they are asked for.
//!
//! The element reader accepts what pydicom accepts, and reads a few KiB of a file. It exists because the crates that
//! parse DICOM lack byte offsets of values, reading by position, or bounds on nesting and allocation for corrupt files.

mod attributes;
mod batch;
mod decode_object;
mod element;
mod element_reader;
mod file;
mod image;
mod inflate;
mod modality_lut;
mod object;
mod open;
mod parse;
mod plan;
mod request;
mod rescale;
mod window;

pub use attributes::DeclaredAttributes;
pub use batch::{BatchDecoder, BatchResults};
pub use decode_object::Allocate;
pub use element::{Element, Encoding, Tag, Vr};
pub use element_reader::DataSet;
pub use file::OpenFile;
pub use image::Image;
pub use modality_lut::ModalityLut;
pub use object::Object;
pub use open::{OpenError, Source, open, open_incomplete, open_many};
pub use plan::ImagePlan;
pub use request::{DecodedImage, FrameDeviations, Outcome, Request};
