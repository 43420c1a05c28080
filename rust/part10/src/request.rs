//! The result that a caller requests of an object, and the result of decoding it.

use dicoxide_core::frames::FrameTable;
use dicoxide_core::{DecodeError, DecodeOptions, Deviation, SampleType, SamplesBuf};
use std::io;
use std::path::PathBuf;

/// Deviations, with the frame index unless they concern the whole value.
pub type FrameDeviations = Vec<(Option<usize>, Deviation)>;

/// The result that is requested of every object of a batch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request {
    /// Index of a single frame, from the last frame if negative; all frames by default.
    pub frame: Option<i64>,
    /// Convert to modality values by the Modality LUT, or by Rescale Slope and Rescale Intercept.
    pub rescale: bool,
    /// Element type; by default that of the stored values, or float32 with `rescale`.
    pub sample_type: Option<SampleType>,
    /// Options of every frame. With `rescale`, that of a frame takes precedence over `options.output.rescale`.
    pub options: DecodeOptions,
    /// Maximum number of output and scratch bytes of one object.
    pub max_bytes: Option<u64>,
}

impl Request {
    /// Returns the requested frame indices; `None` if there is no such frame.
    pub(crate) fn indices(&self, table: &FrameTable) -> Option<Vec<usize>> {
        let frame_count = table.frame_count();
        let Some(frame) = self.frame else { return Some((0..frame_count).collect()) };
        let from_last = if frame < 0 { i64::try_from(frame_count).ok()? } else { 0 };
        usize::try_from(frame + from_last).ok().filter(|index| *index < frame_count).map(|index| vec![index])
    }
}

/// The result of one source.
pub enum Outcome {
    /// Its samples.
    Decoded(DecodedImage),
    /// A decode error, the UID of the transfer syntax if it was read, and the index of the frame if there is one.
    Failed(DecodeError, Option<String>, Option<usize>),
    /// The system refused to open or read the file.
    Unreadable(io::Error, PathBuf),
    /// Not implemented here: another decoder, or an argument that the caller has to refuse.
    NeedsFallback,
    /// A panic and its message: a bug.
    Bug(String),
    /// The batch was cancelled.
    Cancelled,
}

/// Decoded samples of one object.
#[derive(Debug)]
pub struct DecodedImage {
    /// Samples of all requested frames, in order.
    pub samples: SamplesBuf,
    /// ([frames,] rows, columns[, samples per pixel]).
    pub shape: Vec<usize>,
    /// Deviations, with the frame index unless they concern the whole value.
    pub deviations: FrameDeviations,
}
