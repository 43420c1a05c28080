//! Header + attributes → what the loop needs: which segment is which byte of a pixel (PS3.5 G.2).

use super::header::{HEADER_BYTES, Header, MAX_SEGMENTS};
use crate::codec::{FrameContext, SegmentByteOrder};
use crate::error::{Result, truncated};
use crate::frame::{Deviation, FrameInfo};

/// A replicate run makes 128 bytes of two: no segment yields more than this for each of its bytes.
const MAX_EXPANSION: usize = 64;

/// A segment this many times smaller than its plane is mostly long replicate runs.
const LONG_RUNS: usize = 5;

/// One byte plane, compressed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Segment<'a> {
    pub(super) bytes: &'a [u8],
    /// Where it starts in the frame.
    pub(super) offset: usize,
    /// Its number in the header, from 1.
    pub(super) number: usize,
}

/// What the loop needs to know of one frame.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// In the order of the bytes of a pixel, least significant first.
    planes: [Segment<'a>; MAX_SEGMENTS],
    count: usize,
    /// Bytes that every segment decodes to.
    pub(super) plane_bytes: usize,
    /// Whether the one plane holds eight pixels a byte.
    pub(super) bit_packed: bool,
}

/// Segments that a frame is to have.
pub(super) fn segment_count(info: &FrameInfo) -> usize {
    info.samples_per_pixel() * info.sample_bytes()
}

/// Bytes that every segment decodes to.
fn plane_bytes(info: &FrameInfo) -> usize {
    if info.is_bit_packed() { info.pixels().div_ceil(8) } else { info.pixels() }
}

/// Header and segments, where every run is as long as can be.
pub(super) fn min_frame_bytes(info: &FrameInfo) -> u64 {
    let segment_bytes = plane_bytes(info).div_ceil(MAX_EXPANSION) as u64;
    HEADER_BYTES as u64 + segment_count(info) as u64 * segment_bytes
}

impl<'a> Plan<'a> {
    /// Puts the segments in the order of a pixel's bytes.
    ///
    /// # Errors
    /// `Truncated` if a segment is too short to hold its plane however it is coded.
    pub(super) fn new(frame: &'a [u8], header: &Header, context: &FrameContext<'_>) -> Result<Self> {
        let info = context.info;
        let bit_packed = info.is_bit_packed();
        let plane_bytes = plane_bytes(info);
        let sample_bytes = info.sample_bytes();
        let mut plan =
            Self { planes: [Segment::default(); MAX_SEGMENTS], count: header.ranges().len(), plane_bytes, bit_packed };
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

    /// The segments in the order of the bytes of a pixel.
    pub(super) fn planes(&self) -> &[Segment<'a>] {
        self.planes.get(..self.count).unwrap_or_default()
    }

    /// The segments in the order of the header, each with its place among the planes.
    pub(super) fn segments(&self) -> impl Iterator<Item = (usize, &Segment<'a>)> {
        (1..=self.count)
            .filter_map(|number| self.planes().iter().enumerate().find(|(_, segment)| segment.number == number))
    }
}

impl Segment<'_> {
    /// What follows the last run, if `used` bytes are all that the plane took: nothing but the pad byte that makes
    /// the segment even is as it should be (PS3.5 G.3).
    pub(super) fn rest_after(&self, used: usize) -> Option<Deviation> {
        let padded = self.bytes.len().is_multiple_of(2) || (self.offset + self.bytes.len()).is_multiple_of(2);
        let rest = match self.bytes.get(used..)? {
            [] => return None,
            [0] if padded => return None,
            rest => rest.len(),
        };
        let what = format!("{rest} bytes follow the last run of segment {}", self.number);
        Some(Deviation::new(what, "PS3.5 Annex G.3").at(self.offset + used))
    }

    /// Whether most of its bytes come from replicate runs of many.
    pub(super) fn has_long_runs(&self, plane_bytes: usize) -> bool {
        self.bytes.len() < plane_bytes / LONG_RUNS
    }

    /// Walks the runs, without their values, until they make `plane_bytes` bytes: says where the segment
    /// is cut, or else what is wrong with its end. The fast paths need not know either.
    ///
    /// # Errors
    /// `Truncated` if it ends before the plane does.
    pub(super) fn survey(&self, plane_bytes: usize) -> Result<Option<Deviation>> {
        let number = self.number;
        let cut = |what: String| Err(truncated(what, "PS3.5 Annex G.3.2").at(self.offset + self.bytes.len()));
        let (mut at, mut done) = (0, 0);
        while done < plane_bytes {
            let run_at = at;
            let (used, made) = match self.bytes.get(at..).unwrap_or_default() {
                [] => return cut(format!("segment {number} ends after {done} of {plane_bytes} decoded bytes")),
                [0x80, ..] => (1, 0),
                [header @ 0..0x80, values @ ..] => {
                    let length = usize::from(*header) + 1;
                    if values.len() < length {
                        return cut(format!(
                            "literal run of {length} bytes passes the end of segment {number} after {}",
                            values.len()
                        ));
                    }
                    (1 + length, length)
                }
                [_] => return cut(format!("replicate run passes the end of segment {number}")),
                [header, _, ..] => (2, 257 - usize::from(*header)),
            };
            at += used;
            done += made;
            if done > plane_bytes {
                let what = format!("run of segment {number} passes the end of its plane by {}", done - plane_bytes);
                return Ok(Some(Deviation::new(what, "PS3.5 Annex G.3").at(self.offset + run_at)));
            }
        }
        Ok(self.rest_after(at))
    }
}
