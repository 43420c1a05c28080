//! Plan of a frame: the segment of each byte of a pixel, from the header and the attributes (PS3.5 G.2).

use super::header::{HEADER_BYTES, Header, MAX_SEGMENTS};
use crate::codec::{FrameContext, SegmentByteOrder};
use crate::error::{Result, truncated};
use crate::frame::{Deviation, FrameInfo};

/// Maximum decoded bytes per byte of a segment: a replicate run of 2 bytes decodes to at most 128.
const MAX_EXPANSION: usize = 64;

/// A segment that is smaller than its plane by more than this factor consists mostly of long replicate runs.
const LONG_RUN_RATIO: usize = 5;

/// One byte plane, compressed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Segment<'a> {
    pub(super) bytes: &'a [u8],
    /// Byte offset of the segment in the frame.
    pub(super) offset: usize,
    /// Number of the segment in the header, from 1.
    pub(super) number: usize,
}

/// Everything the decoding loop needs, validated.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// Segments in the order of the bytes of a pixel: sample by sample, least significant byte first.
    planes: [Segment<'a>; MAX_SEGMENTS],
    count: usize,
    /// Number of bytes that each segment decodes to.
    pub(super) plane_bytes: usize,
    /// True if the only plane has eight pixels per byte.
    pub(super) is_bit_packed: bool,
}

/// Returns the number of segments of a frame: one for each byte of a pixel.
pub(super) fn segment_count(info: &FrameInfo) -> usize {
    info.samples_per_pixel() * info.sample_bytes()
}

/// Returns the number of bytes that each segment decodes to.
fn plane_bytes(info: &FrameInfo) -> usize {
    if info.is_bit_packed() { info.pixels().div_ceil(8) } else { info.pixels() }
}

/// Returns the minimum size of a frame in bytes: the header, and segments of the longest replicate runs.
pub(super) fn min_frame_bytes(info: &FrameInfo) -> u64 {
    let segment_bytes = plane_bytes(info).div_ceil(MAX_EXPANSION) as u64;
    HEADER_BYTES as u64 + segment_count(info) as u64 * segment_bytes
}

impl<'a> Plan<'a> {
    /// Assigns the segments to the bytes of a pixel.
    ///
    /// # Errors
    /// `Truncated` if a segment is too short for its plane even if it has only the longest replicate runs.
    pub(super) fn new(frame: &'a [u8], header: &Header, context: &FrameContext<'_>) -> Result<Self> {
        let info = context.info;
        let is_bit_packed = info.is_bit_packed();
        let plane_bytes = plane_bytes(info);
        let sample_bytes = info.sample_bytes();
        let mut plan = Self {
            planes: [Segment::default(); MAX_SEGMENTS],
            count: header.ranges().len(),
            plane_bytes,
            is_bit_packed,
        };
        for (index, range) in header.ranges().iter().enumerate() {
            let bytes = frame.get(range.clone()).unwrap_or_default();
            let segment = Segment { bytes, offset: range.start, number: index + 1 };
            if plane_bytes.div_ceil(MAX_EXPANSION) > bytes.len() {
                return Err(truncated(
                    format!(
                        "segment {} of {} bytes found, at least {} expected for {plane_bytes} decoded bytes",
                        segment.number,
                        bytes.len(),
                        plane_bytes.div_ceil(MAX_EXPANSION)
                    ),
                    "PS3.5 Annex G.3",
                )
                .at(range.end));
            }
            let (sample, byte) = (index / sample_bytes, index % sample_bytes);
            let byte = match context.options.codec.segment_byte_order {
                SegmentByteOrder::Big => sample_bytes - 1 - byte,
                SegmentByteOrder::Little => byte,
            };
            if let Some(plane) = plan.planes.get_mut(sample * sample_bytes + byte) {
                *plane = segment;
            }
        }
        Ok(plan)
    }

    /// Returns the segments in the order of the bytes of a pixel.
    pub(super) fn planes(&self) -> &[Segment<'a>] {
        self.planes.get(..self.count).unwrap_or_default()
    }

    /// Returns the segments in the order of the header, each with the index of its plane in [`Self::planes`].
    pub(super) fn segments(&self) -> impl Iterator<Item = (usize, &Segment<'a>)> {
        (1..=self.count)
            .filter_map(|number| self.planes().iter().enumerate().find(|(_, segment)| segment.number == number))
    }
}

impl Segment<'_> {
    /// Returns the deviation of the bytes after the last run, which ends at byte `used` of the segment. Only one zero
    /// byte is valid there, if it makes the length of the segment, or of the frame up to its end, even (PS3.5 G.3).
    pub(super) fn trailing_deviation(&self, used: usize) -> Option<Deviation> {
        let is_even = self.bytes.len().is_multiple_of(2) || (self.offset + self.bytes.len()).is_multiple_of(2);
        let trailing_bytes = match self.bytes.get(used..)? {
            [] => return None,
            [0] if is_even => return None,
            rest => rest.len(),
        };
        let message = format!("{trailing_bytes} bytes follow the last run of segment {}", self.number);
        Some(Deviation::new(message, "PS3.5 Annex G.3").at(self.offset + used))
    }

    /// True if most decoded bytes come from long replicate runs.
    pub(super) fn has_long_runs(&self, plane_bytes: usize) -> bool {
        self.bytes.len() < plane_bytes / LONG_RUN_RATIO
    }

    /// Walks the run headers until the plane of `plane_bytes` bytes is complete, and returns the deviation of its end.
    /// Called when the fast decoding loops have stopped at a truncated segment, or inside of the last run.
    ///
    /// # Errors
    /// `Truncated` if the segment ends before the plane is complete.
    pub(super) fn check_runs(&self, plane_bytes: usize) -> Result<Option<Deviation>> {
        let number = self.number;
        let truncated_at_end =
            |message: String| Err(truncated(message, "PS3.5 Annex G.3.2").at(self.offset + self.bytes.len()));
        let (mut offset, mut decoded_bytes) = (0, 0);
        while decoded_bytes < plane_bytes {
            let (run_bytes, run_decoded_bytes) = match self.bytes.get(offset..).unwrap_or_default() {
                [] => {
                    return truncated_at_end(format!(
                        "segment {number} ends after {decoded_bytes} of {plane_bytes} decoded bytes"
                    ));
                }
                [0x80, ..] => (1, 0),
                [header @ 0..0x80, values @ ..] => {
                    let length = usize::from(*header) + 1;
                    if values.len() < length {
                        return truncated_at_end(format!(
                            "literal run of {length} bytes passes the end of segment {number} after {}",
                            values.len()
                        ));
                    }
                    (1 + length, length)
                }
                [_] => return truncated_at_end(format!("replicate run passes the end of segment {number}")),
                [header, _, ..] => (2, 257 - usize::from(*header)),
            };
            decoded_bytes += run_decoded_bytes;
            if decoded_bytes > plane_bytes {
                let excess_bytes = decoded_bytes - plane_bytes;
                let message = format!("run of segment {number} passes the end of its plane by {excess_bytes}");
                return Ok(Some(Deviation::new(message, "PS3.5 Annex G.3").at(self.offset + offset)));
            }
            offset += run_bytes;
        }
        Ok(self.trailing_deviation(offset))
    }
}
