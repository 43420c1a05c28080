//! Decodes and encodes the bytes of DICOM frames. No Python, no NumPy, no I/O.
//!
//! [`decode_frame`] is the entry point: a codec of the registry ([`codec::CODECS`]) turns the bytes of one frame into
//! stored samples; the [`output`] stage finishes them (stored bits, colour, rescale, rendering) while they are in cache and stores
//! them once. [`frames`] finds the frames of a Pixel Data value and decodes many of them on several threads. [`encode`]
//! makes frames of samples.
//!
//! Modules depend on modules below them only:
//!
//! ```text
//! decode, frames
//! codec            encode   pixel
//! output
//! kernel
//! frame  codestream  value  parallel
//! rendering  lookup_table  value_ranges
//! sample  limits  syntax  error
//! ```

pub mod codec;
pub mod codestream;
mod decode;
pub mod encode;
pub mod error;
pub mod frame;
pub mod frames;
mod kernel;
pub mod limits;
mod lookup_table;
pub mod output;
pub mod parallel;
pub mod pixel;
mod rendering;
pub mod sample;
pub mod syntax;
#[cfg(test)]
mod testing;
pub mod value;
mod value_ranges;

pub use codec::{
    BatchFrame, Codec, CodecOptions, DecodeOptions, EntropyMode, FrameContext, FrameFormat, ReusedWorkspace,
    SegmentByteOrder, Workspace,
};
pub use decode::{BareCodestream, CodestreamOptions, decode_batch, decode_frame};
pub use error::{DecodeError, ErrorKind, Result};
pub use frame::{Attributes, Decoded, Deviation, FrameBytes, FrameInfo, PhotometricInterpretation, SampleKind};
pub use kernel::CpuLevel;
pub use limits::Limits;
pub use lookup_table::{LookupTable, ValueTransform};
pub use output::{Cancel, OutputOptions, OutputTransform, RgbConversion, StoreHint};
pub use rendering::{Grayscale, GrayscaleOptions, Modality, OutputRange, Palette, PaletteEntries, Rendering, Voi};
pub use sample::{Rescale, SampleType, Samples, SamplesBuf, SamplesMut, StoredBits};
pub use syntax::TransferSyntax;
pub use value::{ReadAt, Value};
pub use value_ranges::{RangeValues, ValueRange, ValueRanges};
