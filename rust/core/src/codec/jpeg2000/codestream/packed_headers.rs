//! PPM and PPT: packet headers that are stored in the main header or in tile-part headers (T.800 A.7.4, A.7.5).
//!
//! ```text
//! PPM segments, by Zppm    Nppm │ headers of tile-part 0 │ Nppm │ headers of tile-part 1 … continued in the next segment
//! PPT segments, by Zppt    headers of the tile-part
//! ```

use crate::error::{Result, malformed, truncated};
use std::ops::Range;

const CLAUSE: &str = "ITU-T T.800 A.7.4";

/// Sorts segments by their index, which must be unique. Returns their byte ranges.
///
/// # Errors
/// `Malformed` if two segments have one index.
pub(super) fn sort(mut segments: Vec<(u8, Range<usize>)>) -> Result<Vec<Range<usize>>> {
    segments.sort_by_key(|(index, _)| *index);
    let mut last = None;
    for (index, range) in &segments {
        if last.replace(*index) == Some(*index) {
            let text = format!("two segments of packed packet headers have index {index}");
            return Err(malformed(text, CLAUSE).at(range.start));
        }
    }
    Ok(segments.into_iter().map(|(_, range)| range).collect())
}

/// Bytes of all PPM segments, tile-part after tile-part.
#[derive(Debug)]
pub(super) struct MainPackedHeaders<'a> {
    frame: &'a [u8],
    /// Byte ranges of the segments that are not consumed, the next one last.
    ranges: Vec<Range<usize>>,
}

impl<'a> MainPackedHeaders<'a> {
    /// # Errors
    /// As [`sort`].
    pub(super) fn new(frame: &'a [u8], segments: Vec<(u8, Range<usize>)>) -> Result<Self> {
        let mut ranges = sort(segments)?;
        ranges.reverse();
        Ok(Self { frame, ranges })
    }

    /// Appends the byte ranges of the headers of the next tile-part.
    ///
    /// # Errors
    /// `Truncated` if the segments have too few bytes.
    pub(super) fn next_tile_part(&mut self, ranges: &mut Vec<Range<usize>>) -> Result<()> {
        let mut length = [0; 4];
        for byte in &mut length {
            let range = self.take(1)?;
            *byte = self.frame.get(range).and_then(|bytes| bytes.first()).copied().unwrap_or(0);
        }
        let mut left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        while left > 0 {
            let range = self.take(left)?;
            left -= range.len();
            ranges.push(range);
        }
        Ok(())
    }

    /// Takes 1 to `count` bytes that are stored one after the other.
    fn take(&mut self, count: usize) -> Result<Range<usize>> {
        while self.ranges.last().is_some_and(Range::is_empty) {
            self.ranges.pop();
        }
        let Some(range) = self.ranges.last_mut() else {
            return Err(truncated("packed packet headers end before those of the last tile-part", CLAUSE));
        };
        let end = range.end.min(range.start.saturating_add(count));
        let taken = range.start..end;
        range.start = end;
        Ok(taken)
    }
}
