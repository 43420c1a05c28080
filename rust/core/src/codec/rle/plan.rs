//! Plan of a frame: the segment of each byte of a pixel, from the header and the attributes (PS3.5 G.2).

use super::header::{HEADER_BYTES, Header, MAX_SEGMENTS};
use crate::codec::{FrameContext, SegmentByteOrder};
use crate::error::{Result, malformed, mismatch, truncated};
use crate::frame::{Deviation, FrameInfo};

/// Maximum decoded bytes per byte of a segment: a replicate run of 2 bytes decodes to at most 128.
const MAX_EXPANSION: usize = 64;

/// Maximum decoded bytes of one run, and of a surplus after the plane: more is an image of another size.
const MAX_RUN: usize = 128;

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
    /// Bits of a pixel in the only plane, if Bits Allocated is 1.
    pub(super) single_bit: Option<SingleBit>,
}

/// Layout of a plane whose pixels have one bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SingleBit {
    /// One byte per pixel, 0 or 1: a composite pixel code is padded to whole bytes (PS3.5 G.2).
    Bytes,
    /// Eight pixels per byte, without padding at the ends of rows: written by some encoders.
    Packed,
}

/// Returns the number of segments of a frame: one for each byte of a pixel.
pub(super) fn segment_count(info: &FrameInfo) -> usize {
    info.samples_per_pixel() * info.sample_bytes()
}

/// Returns the minimum number of bytes that each segment decodes to: those of packed bits if Bits Allocated is 1.
fn min_plane_bytes(info: &FrameInfo) -> usize {
    if info.is_bit_packed() { info.pixels().div_ceil(8) } else { info.pixels() }
}

/// Returns the minimum size of a frame in bytes: the header, and segments of the longest replicate runs.
pub(super) fn min_frame_bytes(info: &FrameInfo) -> u64 {
    let segment_bytes = min_plane_bytes(info).div_ceil(MAX_EXPANSION) as u64;
    HEADER_BYTES as u64 + segment_count(info) as u64 * segment_bytes
}

impl<'a> Plan<'a> {
    /// Assigns the segments to the bytes of a pixel.
    ///
    /// # Errors
    /// `Truncated` if a segment is too short for its plane even if it has only the longest replicate runs.
    pub(super) fn new(frame: &'a [u8], header: &Header, context: &FrameContext<'_>) -> Result<Self> {
        let info = context.info;
        let plane_bytes = min_plane_bytes(info);
        let sample_bytes = info.sample_bytes();
        let mut plan = Self {
            planes: [Segment::default(); MAX_SEGMENTS],
            count: header.ranges().len(),
            plane_bytes,
            single_bit: None,
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
        if info.is_bit_packed() {
            plan.find_single_bit_layout(info.pixels())?;
        }
        Ok(plan)
    }

    /// Finds the layout of single-bit pixels by the number of bytes that the segment decodes to.
    ///
    /// # Errors
    /// `Truncated` for a number between those of the two layouts. Fewer bytes are found when they are decoded.
    fn find_single_bit_layout(&mut self, pixels: usize) -> Result<()> {
        let Some(segment) = self.planes().first().copied() else { return Ok(()) };
        let decoded_bytes = segment.decoded_bytes(0, pixels);
        if decoded_bytes >= pixels {
            self.plane_bytes = pixels;
            self.single_bit = Some(SingleBit::Bytes);
            return Ok(());
        }
        let packed_bytes = self.plane_bytes;
        if decoded_bytes > packed_bytes {
            return Err(truncated(
                format!(
                    "segment 1 has {decoded_bytes} decoded bytes, {pixels} (one per pixel) or {packed_bytes} (packed bits) \
                     expected"
                ),
                "PS3.5 Annex G.2",
            )
            .at(segment.offset + segment.bytes.len()));
        }
        self.single_bit = Some(SingleBit::Packed);
        Ok(())
    }

    /// Returns the deviation of the layout.
    pub(super) fn layout_deviation(&self) -> Option<Deviation> {
        let segment = self.planes().first().filter(|_| self.single_bit == Some(SingleBit::Packed))?;
        let message = "segment 1 has packed bits, one byte per pixel expected";
        Some(Deviation::new(message, "PS3.5 Annex G.2").at(segment.offset))
    }

    /// Checks that single-bit pixels with one byte each are 0 or 1. `first_pixel` is the index of the first one.
    ///
    /// # Errors
    /// `Malformed` for any other value.
    pub(super) fn check_single_bits(&self, pixels: &[u8], first_pixel: usize) -> Result<()> {
        if self.single_bit != Some(SingleBit::Bytes) || pixels.iter().fold(0, |all, pixel| all | pixel) < 2 {
            return Ok(());
        }
        let (index, value) = pixels.iter().enumerate().find(|(_, pixel)| **pixel > 1).unwrap_or((0, &0));
        let offset = self.planes().first().map_or(0, |segment| segment.offset);
        let pixel = first_pixel + index;
        Err(malformed(format!("pixel {pixel} has value {value}, 0 or 1 expected"), "PS3.5 Annex G.2").at(offset))
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
    ///
    /// # Errors
    /// `Mismatch` for a large surplus.
    pub(super) fn trailing_deviation(&self, used: usize) -> Result<Option<Deviation>> {
        let is_even = self.bytes.len().is_multiple_of(2) || (self.offset + self.bytes.len()).is_multiple_of(2);
        let trailing_bytes = match self.bytes.get(used..).unwrap_or_default() {
            [] => return Ok(None),
            [0] if is_even => return Ok(None),
            rest => rest.len(),
        };
        self.check_surplus(used, 0)?;
        let message = format!("{trailing_bytes} bytes follow the last run of segment {}", self.number);
        Ok(Some(Deviation::new(message, "PS3.5 Annex G.3").at(self.offset + used)))
    }

    /// Checks that the bytes from `used` on, which follow the plane and `excess_bytes` decoded bytes of its last run, are
    /// padding: zeros, or not more decoded bytes than one run has.
    ///
    /// # Errors
    /// `Mismatch` for a large surplus, which means that Rows, Columns or Bits Allocated are those of another image.
    fn check_surplus(&self, used: usize, excess_bytes: usize) -> Result<()> {
        let rest = self.bytes.get(used..).unwrap_or_default();
        if excess_bytes + self.decoded_bytes(used, MAX_RUN + 1) <= MAX_RUN || rest.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let message = format!("more than {MAX_RUN} decoded bytes follow the plane of segment {}", self.number);
        Err(mismatch(message, "PS3.5 Annex G.3").at(self.offset + used))
    }

    /// Returns the number of decoded bytes of the complete runs from byte `offset` of the segment on. Stops when there are
    /// at least `limit`.
    fn decoded_bytes(&self, mut offset: usize, limit: usize) -> usize {
        let mut decoded_bytes = 0;
        while decoded_bytes < limit {
            let (run_bytes, run_decoded_bytes) = match self.bytes.get(offset..).unwrap_or_default() {
                [0x80, ..] => (1, 0),
                [header @ 0..0x80, values @ ..] if values.len() > usize::from(*header) => {
                    (2 + usize::from(*header), 1 + usize::from(*header))
                }
                [header @ 0x81..=0xff, _, ..] => (2, 257 - usize::from(*header)),
                _ => break,
            };
            offset += run_bytes;
            decoded_bytes += run_decoded_bytes;
        }
        decoded_bytes
    }

    /// True if most decoded bytes come from long replicate runs.
    pub(super) fn has_long_runs(&self, plane_bytes: usize) -> bool {
        self.bytes.len() < plane_bytes / LONG_RUN_RATIO
    }

    /// Walks the run headers until the plane of `plane_bytes` bytes is complete, and returns the deviation of its end.
    /// Called when the fast decoding loops have stopped at a truncated segment, or inside of the last run.
    ///
    /// # Errors
    /// `Truncated` if the segment ends before the plane is complete, `Mismatch` for a large surplus.
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
                self.check_surplus(offset + run_bytes, excess_bytes)?;
                let message = format!("run of segment {number} passes the end of its plane by {excess_bytes}");
                return Ok(Some(Deviation::new(message, "PS3.5 Annex G.3").at(self.offset + offset)));
            }
            offset += run_bytes;
        }
        self.trailing_deviation(offset)
    }
}
