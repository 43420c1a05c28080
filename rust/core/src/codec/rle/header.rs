//! The RLE Header: 64 bytes → where the segments lie (PS3.5 G.5).

use crate::error::{Result, malformed, mismatch, truncated};
use crate::frame::Deviation;
use std::ops::Range;

/// The header and the most segments that it can name.
pub(super) const HEADER_BYTES: usize = 64;
pub(super) const MAX_SEGMENTS: usize = 15;

const CLAUSE: &str = "PS3.5 Annex G.5";

/// Where the segments of one frame lie: in rising order, none empty, the last one ends with the frame.
#[derive(Debug)]
pub(in crate::codec) struct Header {
    ranges: [Range<usize>; MAX_SEGMENTS],
    count: usize,
    /// What was not as the standard wants it.
    pub(super) deviations: Vec<Deviation>,
}

impl Header {
    /// Reads and checks the header of `frame`, which is to have `expected` segments.
    ///
    /// # Errors
    /// `Truncated` if the header itself is cut, `Mismatch` for another number of segments than the attributes
    /// want, `Malformed` for a number or an offset that no frame has.
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
        let mut lowest = HEADER_BYTES;
        let mut previous: Option<&mut Range<usize>> = None;
        for (index, (range, offset)) in header.ranges.iter_mut().zip(offsets).take(count).enumerate() {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            if start < lowest || start >= frame.len() {
                return Err(malformed(
                    format!("offset {offset} of segment {} found, {lowest} to {} expected", index + 1, frame.len() - 1),
                    CLAUSE,
                )
                .at(field_at(index)));
            }
            if let Some(previous) = previous {
                previous.end = start;
            }
            *range = start..frame.len();
            lowest = start + 1;
            previous = Some(range);
        }
        if let Some(first) = header.ranges.first().map(|range| range.start).filter(|first| *first > HEADER_BYTES) {
            let what = format!("segment 1 starts at byte {first}, not right after the header");
            header.deviations.push(Deviation::new(what, "PS3.5 Annex G.4").at(field_at(0)));
        }
        if let Some(index) = (count..MAX_SEGMENTS).find(|index| offsets.get(*index).is_some_and(|offset| *offset != 0))
        {
            header.deviations.push(Deviation::new("unused segment offset is not zero", CLAUSE).at(field_at(index)));
        }
        Ok(header)
    }

    /// Where each segment lies, first to last.
    pub(super) fn ranges(&self) -> &[Range<usize>] {
        self.ranges.get(..self.count).unwrap_or_default()
    }
}

/// Whether `head` is a header as an encoder writes it. Segments may lie in later fragments.
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

/// Where the header holds the offset of segment `index`.
fn field_at(index: usize) -> usize {
    4 + 4 * index
}
