//! Entropy-coded segments of a scan with Huffman coding (T.81 B.1.1.5, E.1.4).

use super::marker::{RST0, is_restart, read_marker};
use crate::error::{Result, malformed};
use crate::kernel::{CpuLevel, unstuff};
use std::ops::Range;

/// Returns the byte ranges of the entropy-coded segments from `offset` on, and the offset of the marker after the last one,
/// or of the end of the frame. Restart markers separate the segments.
///
/// ```text
/// offset: │ segment 0 │ RST0 │ segment 1 │ RST1 │ … │ segment n │ DNL, SOS, EOI, …
/// ```
///
/// # Errors
/// `Malformed` if a restart marker follows segment `max_segments` - 1, or if the markers do not count from 0 modulo 8.
pub(in crate::codec) fn segments(
    frame: &[u8],
    mut offset: usize,
    max_segments: usize,
    level: CpuLevel,
) -> Result<(Vec<Range<usize>>, usize)> {
    let mut segments = Vec::new();
    loop {
        let end = unstuff::find_marker(frame, offset, level).unwrap_or(frame.len());
        segments.push(offset..end);
        let Ok((marker, next)) = read_marker(frame, end) else { return Ok((segments, end)) };
        if !is_restart(marker.code) {
            return Ok((segments, end));
        }
        if segments.len() >= max_segments {
            let text = format!("restart marker found after the last of {max_segments} restart intervals");
            return Err(malformed(text, "ITU-T T.81 E.1.4").at(marker.offset));
        }
        let (found, expected) = (usize::from(marker.code - RST0), (segments.len() - 1) % 8);
        if found != expected {
            let text = format!("restart marker RST{found} found, RST{expected} expected");
            return Err(malformed(text, "ITU-T T.81 B.1.1.3").at(marker.offset));
        }
        offset = next;
    }
}
