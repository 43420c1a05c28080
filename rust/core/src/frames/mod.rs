//! Finding the bytes of each frame in a Pixel Data value, and decoding many frames of one object.
//!
//! ```text
//! value ──► FrameTable ── frame(index) ──► FrameBytes ──► decode_frame ──► samples of that frame in `out`
//!           native: arithmetic                             (run: on several threads)
//!           encapsulated: offset tables, verified; otherwise the items themselves
//! ```

mod encapsulated;
mod native;
mod run;

pub use run::{FrameError, FramesOutput, Summary, decode_frames};

use crate::codec::{self, Codec, FrameFormat};
use crate::error::{Result, output};
use crate::frame::{Deviation, FrameBytes, FrameInfo};
use crate::limits::Limits;
use crate::syntax::TransferSyntax;
use crate::value::Value;
use encapsulated::Encapsulated;
use native::NativeFrames;
use std::ops::Range;

/// A Pixel Data value, and the Extended Offset Table of the data set.
#[derive(Debug, Clone, Copy)]
pub struct PixelData<'a> {
    /// Native: the samples. Encapsulated: the items, starting with the Basic Offset Table.
    pub value: Value<'a>,
    /// The Extended Offset Table, if the data set has one.
    pub extended: Option<ExtendedOffsets<'a>>,
}

/// The byte range of each frame in one Pixel Data value.
#[derive(Debug)]
pub struct FrameTable {
    layout: Layout,
    frame_count: usize,
    deviations: Vec<Deviation>,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one per object, and most are encapsulated")]
enum Layout {
    /// The whole value is one frame.
    SingleFrame,
    Native(NativeFrames),
    Encapsulated(Encapsulated),
}

/// The Extended Offset Table (7FE0,0001) and its Lengths (7FE0,0002), as little-endian bytes (PS3.3 C.7.6.3.1.8).
#[derive(Debug, Clone, Copy)]
pub struct ExtendedOffsets<'a> {
    /// One 64-bit offset per frame, in bytes from the end of the Basic Offset Table item.
    pub offsets: &'a [u8],
    /// One 64-bit codestream length per frame, in bytes.
    pub lengths: &'a [u8],
}

impl FrameTable {
    /// Returns the table of a value that consists of the bytes of one frame, without items.
    #[must_use]
    pub const fn single_frame() -> Self {
        Self { layout: Layout::SingleFrame, frame_count: 1, deviations: Vec::new() }
    }

    /// Returns the table of a Pixel Data value: native or encapsulated, as the transfer syntax requires.
    ///
    /// # Errors
    /// The errors of [`Self::encapsulated`] and [`Self::native`].
    pub fn new(
        syntax: TransferSyntax,
        format: &'static dyn FrameFormat,
        info: &FrameInfo,
        data: PixelData<'_>,
        number_of_frames: Option<u32>,
        word_swapped: bool,
    ) -> Result<Self> {
        if syntax.is_encapsulated() {
            Self::encapsulated(info, data, number_of_frames, format)
        } else {
            Self::native(info, data.value.len(), number_of_frames, word_swapped)
        }
    }

    /// Returns the table of a native value of `value_bytes` bytes.
    ///
    /// `number_of_frames` is the attribute (0028,0008); `None` and 0 mean one frame. `word_swapped` is set if 8-bit
    /// samples or packed bits are stored as OW in big endian (PS3.5 8.1.1 and 7.3).
    ///
    /// # Errors
    /// `Truncated` if the value is too short for `number_of_frames` frames; `Mismatch` if its length contradicts
    /// `YBR_FULL_422`.
    pub fn native(
        info: &FrameInfo,
        value_bytes: usize,
        number_of_frames: Option<u32>,
        word_swapped: bool,
    ) -> Result<Self> {
        let mut deviations = Vec::new();
        let declared = declared_frame_count(number_of_frames, &mut deviations);
        let (native, frame_count) = NativeFrames::new(info, value_bytes, declared, word_swapped, &mut deviations)?;
        Ok(Self { layout: Layout::Native(native), frame_count, deviations })
    }

    /// Returns the table of an encapsulated value (PS3.5 A.4), which starts with the Basic Offset Table item.
    ///
    /// `format` recognises the first fragment of a frame; it is asked only if no offset table can be used.
    ///
    /// # Errors
    /// `Truncated` or `Malformed` if the items hold fewer frames than `number_of_frames`.
    pub fn encapsulated(
        info: &FrameInfo,
        data: PixelData<'_>,
        number_of_frames: Option<u32>,
        format: &'static dyn FrameFormat,
    ) -> Result<Self> {
        let mut deviations = Vec::new();
        let declared = declared_frame_count(number_of_frames, &mut deviations);
        let (encapsulated, frame_count) = Encapsulated::new(data, declared, info, format, &mut deviations)?;
        Ok(Self { layout: Layout::Encapsulated(encapsulated), frame_count, deviations })
    }

    /// Number of frames that the value holds. May exceed Number of Frames (0028,0008).
    #[must_use]
    pub const fn frame_count(&self) -> usize {
        self.frame_count
    }

    /// Deviations that were found when the table was made.
    #[must_use]
    pub fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }

    /// Adds deviations of the data set, so that they are reported with those of the value.
    pub fn add_deviations(&mut self, deviations: impl IntoIterator<Item = Deviation>) {
        self.deviations.extend(deviations);
    }

    /// Declares that an encapsulated value includes its delimiter: a missing one is a deviation, found now or later.
    pub fn expect_delimiter(&mut self) {
        if let Layout::Encapsulated(encapsulated) = &mut self.layout {
            encapsulated.expect_delimiter(&mut self.deviations);
        }
    }

    /// Returns the deviations that were found later, by look-ups of frames.
    #[must_use]
    pub fn lookup_deviations(&self) -> Vec<Deviation> {
        match &self.layout {
            Layout::Encapsulated(encapsulated) => encapsulated.lookup_deviations(),
            Layout::SingleFrame | Layout::Native(_) => Vec::new(),
        }
    }

    /// Returns the bytes of frame `index`. `data` must be the value that the table was made from.
    ///
    /// Bytes that are contiguous in memory are borrowed from `data`; all others are read into `scratch`.
    ///
    /// # Errors
    /// `Output` if `index` is out of range; `Truncated` or `Malformed` if the items of the frame are broken.
    pub fn frame<'a>(
        &self,
        data: PixelData<'a>,
        index: usize,
        limits: &Limits,
        scratch: &'a mut Vec<u8>,
    ) -> Result<FrameBytes<'a>> {
        self.check_index(index)?;
        match &self.layout {
            Layout::SingleFrame => Ok(data.value.bytes(0..data.value.len(), limits, scratch)?.into()),
            Layout::Native(native) => native.frame(data.value, index, limits, scratch),
            Layout::Encapsulated(encapsulated) => encapsulated.frame(data, index, limits, scratch),
        }
    }

    /// Returns the byte range of frame `index` in the value if `codec` can read the samples from there directly.
    ///
    /// `None` if the value is in memory (no copy is saved) or each read is slow (one reads the whole frame), or if the bytes
    /// have to be rearranged first.
    fn direct_range(
        &self,
        data: PixelData<'_>,
        index: usize,
        info: &FrameInfo,
        codec: &dyn Codec,
    ) -> Option<Range<usize>> {
        match &self.layout {
            Layout::Native(native) if data.value.has_fast_reads() && codec.decodes_ranges(info) => {
                native.direct_range(data.value.len(), index)
            }
            _ => None,
        }
    }

    /// Returns the size of frame `index` in bytes, without reading its bytes. Errors as [`Self::frame`].
    fn frame_bytes(&self, data: PixelData<'_>, index: usize) -> Result<usize> {
        self.check_index(index)?;
        match &self.layout {
            Layout::SingleFrame => Ok(data.value.len()),
            Layout::Native(native) => native.frame_bytes(data.value.len(), index),
            Layout::Encapsulated(encapsulated) => encapsulated.frame_bytes(data, index),
        }
    }

    fn check_index(&self, index: usize) -> Result<()> {
        if index < self.frame_count {
            return Ok(());
        }
        Err(output(format!("frame index {index} is out of range for {} frames", self.frame_count), ""))
    }
}

/// Checks that the frames `indices` have at least the size that the codec's format requires.
///
/// Callers run this check before they allocate the output, so that a short value cannot claim a large image.
///
/// # Errors
/// The error of the first such frame in the order of `indices`: `Truncated`; or `Unsupported` if the frame is of a
/// process or a subsampling that the format does not cover, which may be shorter; or any error of [`FrameTable::frame`].
pub fn check_frames(
    table: &FrameTable,
    data: PixelData<'_>,
    indices: &[usize],
    info: &FrameInfo,
    format: &dyn FrameFormat,
    limits: &Limits,
) -> Result<(), FrameError> {
    let min_bytes = format.min_frame_bytes(info);
    let check = |index| {
        if table.frame_bytes(data, index)? as u64 >= min_bytes {
            return Ok(());
        }
        let mut scratch = Vec::new();
        let frame = table.frame(data, index, limits, &mut scratch)?;
        codec::truncated_error(format, frame.bytes, info).map_or(Ok(()), Err)
    };
    indices.iter().try_for_each(|&index| check(index).map_err(|error| FrameError { index, error }))
}

/// Number of Frames (0028,0008) to use: 1 if the attribute is absent or 0; 0 is a deviation.
fn declared_frame_count(number_of_frames: Option<u32>, deviations: &mut Vec<Deviation>) -> usize {
    match number_of_frames {
        Some(0) => {
            deviations.push(Deviation::new("number of frames 0 found, taken as 1", "PS3.3 C.7.6.6"));
            1
        }
        Some(count) => count as usize,
        None => 1,
    }
}
