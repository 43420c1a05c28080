//! The RLE Header: 64 bytes with the number of segments and their offsets (PS3.5 G.5).

use crate::error::{Result, malformed, mismatch, truncated};
use crate::frame::Deviation;
use std::ops::Range;

/// Size of the header in bytes.
pub(super) const HEADER_BYTES: usize = 64;
/// Number of offsets in the header.
pub(super) const MAX_SEGMENTS: usize = 15;

const CLAUSE: &str = "PS3.5 Annex G.5";

/// Byte ranges of the segments of one frame: ascending, none empty; the last one ends with the frame.
#[derive(Debug)]
pub(in crate::codec) struct Header {
    ranges: [Range<usize>; MAX_SEGMENTS],
    count: usize,
    /// Deviations of the header.
    pub(super) deviations: Vec<Deviation>,
}

impl Header {
    /// Parses and validates the header of `frame`, which has `expected` segments according to the attributes.
    ///
    /// # Errors
    /// `Truncated` if the frame is shorter than the header, `Mismatch` if the number of segments is not `expected`,
    /// `Malformed` if the number or an offset is out of range.
    pub(super) fn parse(frame: &[u8], expected: usize) -> Result<Self> {
        let Some(fields) = fields(frame) else {
            return Err(truncated(
                format!("RLE header of {} bytes found, {HEADER_BYTES} expected", frame.len()),
                CLAUSE,
            )
            .at(frame.len()));
        };
        let (number, offsets) = (fields.number, fields.offsets);
        let count = usize::try_from(number).unwrap_or(usize::MAX);
        if !(1..=MAX_SEGMENTS).contains(&count) {
            return Err(malformed(format!("number of segments {number} found, 1 to 15 expected"), CLAUSE).at(0));
        }
        if count != expected {
            return Err(mismatch(
                format!("number of segments {count} found, {expected} expected: samples per pixel x bytes per sample"),
                "PS3.5 Annex G.2",
            )
            .at(0));
        }
        let mut header = Self { ranges: Default::default(), count, deviations: Vec::new() };
        let mut min_offset = HEADER_BYTES;
        let mut previous: Option<&mut Range<usize>> = None;
        for (index, (range, offset)) in header.ranges.iter_mut().zip(offsets).take(count).enumerate() {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            if start < min_offset || start >= frame.len() {
                return Err(malformed(
                    format!(
                        "offset {offset} of segment {} found, {min_offset} to {} expected",
                        index + 1,
                        frame.len() - 1
                    ),
                    CLAUSE,
                )
                .at(field_offset(index)));
            }
            if let Some(previous) = previous {
                previous.end = start;
            }
            *range = start..frame.len();
            min_offset = start + 1;
            previous = Some(range);
        }
        if let Some(first) = header.ranges.first().map(|range| range.start).filter(|first| *first > HEADER_BYTES) {
            let message = format!("segment 1 starts at byte {first}, not right after the header");
            header.deviations.push(Deviation::new(message, "PS3.5 Annex G.4").at(field_offset(0)));
        }
        if let Some(index) = (count..MAX_SEGMENTS).find(|index| offsets.get(*index).is_some_and(|offset| *offset != 0))
        {
            header.deviations.push(Deviation::new("unused segment offset is not zero", CLAUSE).at(field_offset(index)));
        }
        Ok(header)
    }

    /// Returns the byte range of each segment, in the order of the header.
    pub(super) fn ranges(&self) -> &[Range<usize>] {
        self.ranges.get(..self.count).unwrap_or_default()
    }
}

/// True if `head` starts with a header of `expected` segments as encoders write it: the first segment follows the
/// header, offsets ascend, unused offsets are 0. Segments may be in later fragments, so offsets have no upper bound.
pub(super) fn is_plausible(head: &[u8], expected: usize) -> bool {
    let Some(Fields { number, offsets }) = fields(head) else { return false };
    let Some((used, unused)) = offsets.split_at_checked(expected) else { return false };
    usize::try_from(number) == Ok(expected)
        && used.first().is_some_and(|first| usize::try_from(*first) == Ok(HEADER_BYTES))
        && used.is_sorted_by(|a, b| a < b)
        && unused.iter().all(|offset| *offset == 0)
}

struct Fields {
    number: u32,
    offsets: [u32; MAX_SEGMENTS],
}

fn fields(bytes: &[u8]) -> Option<Fields> {
    let (words, _) = bytes.first_chunk::<HEADER_BYTES>()?.as_chunks::<4>();
    let (number, rest) = words.split_first()?;
    let mut offsets = [0; MAX_SEGMENTS];
    for (offset, word) in offsets.iter_mut().zip(rest) {
        *offset = u32::from_le_bytes(*word);
    }
    Some(Fields { number: u32::from_le_bytes(*number), offsets })
}

/// Byte offset, in the header, of the offset of segment `index` (zero-based).
fn field_offset(index: usize) -> usize {
    4 + 4 * index
}
