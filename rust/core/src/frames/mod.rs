//! Where the frames of a Pixel Data value lie, and how many of them are decoded at once.
//!
//! ```text
//! value ──► FrameTable ── frame(index) ──► FrameBytes ──► decode_frame ──► window of out
//!           native: arithmetic                             (run: on several threads)
//!           encapsulated: offset tables, checked; else the items themselves
//! ```

mod encapsulated;
mod native;
mod run;
mod threads;

pub use run::{FrameError, FramesOutput, Summary, decode_frames};
pub use threads::{Shares, on_threads};

use crate::codec::Codec;
use crate::error::{Result, output};
use crate::frame::{Deviation, FrameBytes, FrameInfo};
use crate::limits::Limits;
use crate::value::Value;
use encapsulated::Encapsulated;
use native::NativeFrames;
use std::ops::Range;

/// A Pixel Data value and the tables that may come with it.
#[derive(Debug, Clone, Copy)]
pub struct PixelData<'a> {
    /// The value: samples, or items from the Basic Offset Table on.
    pub value: Value<'a>,
    /// The Extended Offset Table.
    pub extended: Option<ExtendedOffsets<'a>>,
}

/// Where each frame's bytes lie in one Pixel Data value.
#[derive(Debug)]
pub struct FrameTable {
    places: Places,
    frames: usize,
    deviations: Vec<Deviation>,
}

#[derive(Debug)]
enum Places {
    /// The value is the bytes of one frame.
    Whole,
    Native(NativeFrames),
    Encapsulated(Encapsulated),
}

/// The Extended Offset Table (7FE0,0001) and its Lengths (7FE0,0002), as bytes in little-endian order (PS3.3 C.7.6.3.1.8).
#[derive(Debug, Clone, Copy)]
pub struct ExtendedOffsets<'a> {
    /// One 64-bit offset a frame, from the first byte after the Basic Offset Table item.
    pub offsets: &'a [u8],
    /// One 64-bit length a frame.
    pub lengths: &'a [u8],
}

impl FrameTable {
    /// The table of a value that is one frame's bytes.
    #[must_use]
    pub const fn whole() -> Self {
        Self { places: Places::Whole, frames: 1, deviations: Vec::new() }
    }

    /// The table of a native value of so many bytes. `number_of_frames` is what the data set says, 0 or `None` for one;
    /// `word_swapped` is set for 8-bit samples and packed bits as OW in big endian (PS3.5 8.1.1 and 7.3).
    ///
    /// # Errors
    /// `Truncated` if the value ends before that many frames do, `Mismatch` if its length contradicts `YBR_FULL_422`.
    pub fn native(
        info: &FrameInfo,
        value_bytes: usize,
        number_of_frames: Option<u32>,
        word_swapped: bool,
    ) -> Result<Self> {
        let mut deviations = Vec::new();
        let declared = declared(number_of_frames, &mut deviations);
        let (places, frames) = NativeFrames::new(info, value_bytes, declared, word_swapped, &mut deviations)?;
        Ok(Self { places: Places::Native(places), frames, deviations })
    }

    /// The table of an encapsulated value (PS3.5 A.4): from the Basic Offset Table item on.
    /// `codec` tells frames apart where no table does.
    ///
    /// # Errors
    /// `Truncated` or `Malformed` if the items do not hold as many frames as the data set says.
    pub fn encapsulated(
        info: &FrameInfo,
        data: PixelData<'_>,
        number_of_frames: Option<u32>,
        codec: &'static dyn Codec,
    ) -> Result<Self> {
        let mut deviations = Vec::new();
        let declared = declared(number_of_frames, &mut deviations);
        let (places, frames) = Encapsulated::new(data, declared, info, codec, &mut deviations)?;
        Ok(Self { places: Places::Encapsulated(places), frames, deviations })
    }

    /// How many frames are there.
    #[must_use]
    pub const fn frames(&self) -> usize {
        self.frames
    }

    /// What was not as the standard wants it when the table was made.
    #[must_use]
    pub fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }

    /// What turned out only when frames were looked for.
    fn tolerated_late(&self) -> Option<Deviation> {
        match &self.places {
            Places::Encapsulated(items) => items.deviations(),
            _ => None,
        }
    }

    /// The bytes of frame `index` of `data`, which the table was made from; they are put together in
    /// `scratch` only where they do not lie in memory in one piece.
    ///
    /// # Errors
    /// `Output` if there is no such frame; `Truncated` or `Malformed` if its items are broken.
    pub fn frame<'a>(
        &self,
        data: PixelData<'a>,
        index: usize,
        limits: &Limits,
        scratch: &'a mut Vec<u8>,
    ) -> Result<FrameBytes<'a>> {
        self.require(index)?;
        match &self.places {
            Places::Whole => Ok(data.value.bytes(0..data.value.len(), limits, scratch)?.into()),
            Places::Native(native) => native.frame(data.value, index, limits, scratch),
            Places::Encapsulated(items) => items.frame(data, index, limits, scratch),
        }
    }

    /// Where frame `index` lies as it is, in a value that is read by position and whose frames `codec` reads itself.
    fn place_to_read(
        &self,
        data: PixelData<'_>,
        index: usize,
        info: &FrameInfo,
        codec: &dyn Codec,
    ) -> Option<Range<usize>> {
        match (&self.places, data.value) {
            (Places::Native(native), Value::Stored { .. }) if codec.reads(info) => {
                native.plain_place(data.value.len(), index)
            }
            _ => None,
        }
    }

    /// How many bytes frame `index` has, without reading them; otherwise as [`Self::frame`].
    fn frame_bytes(&self, data: PixelData<'_>, index: usize) -> Result<usize> {
        self.require(index)?;
        match &self.places {
            Places::Whole => Ok(data.value.len()),
            Places::Native(native) => native.frame_bytes(data.value.len(), index),
            Places::Encapsulated(items) => items.frame_bytes(data, index),
        }
    }

    fn require(&self, index: usize) -> Result<()> {
        if index < self.frames {
            return Ok(());
        }
        Err(output(format!("frame index {index} is out of range for {} frames", self.frames), ""))
    }
}

/// Refuses frames that are too short to be what they are said to be, before memory is taken for their samples.
///
/// # Errors
/// Of the first such frame of `indices`: `Truncated`, or `Unsupported` where it is a frame of another process, which may
/// be shorter. Whatever [`FrameTable::frame`] finds.
pub fn check_frames(
    table: &FrameTable,
    data: PixelData<'_>,
    indices: &[usize],
    info: &FrameInfo,
    codec: &dyn Codec,
    limits: &Limits,
) -> Result<(), FrameError> {
    let least = codec.min_frame_bytes(info);
    let check = |index| {
        if table.frame_bytes(data, index)? as u64 >= least {
            return Ok(());
        }
        let mut scratch = Vec::new();
        let frame = table.frame(data, index, limits, &mut scratch)?;
        Err(codec.truncated_error(frame.bytes, info))
    };
    indices.iter().try_for_each(|&index| check(index).map_err(|error| FrameError { index, error }))
}

/// Number of Frames (0028,0008) as it is used: absent means one, and so does the 0 that some files have.
fn declared(number_of_frames: Option<u32>, deviations: &mut Vec<Deviation>) -> usize {
    match number_of_frames {
        Some(0) => {
            deviations.push(Deviation::new("number of frames 0 found, taken as 1", "PS3.3 C.7.6.6"));
            1
        }
        Some(n) => n as usize,
        None => 1,
    }
}
