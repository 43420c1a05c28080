//! Entropy-coded segments of a scan (T.81 B.1.1.5, E.1.4), with Huffman coding or of JPEG-LS (T.87 Annex A).

use super::marker::{RST0, is_restart, read_marker};
use crate::error::{Result, malformed};
use crate::kernel::{CpuLevel, jpegls, unstuff};
use std::ops::Range;

/// Byte stuffing of the data: which bytes after FF do not start a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) enum Stuffing {
    /// Huffman coding: only 00 (T.81 B.1.1.5).
    ZeroByte,
    /// JPEG-LS: every byte whose high bit is 0 (T.87 A.1).
    ZeroBit,
}

impl Stuffing {
    /// Returns the index of the first FF at or after `from` that starts a marker, is a fill byte, or is the last byte.
    pub(in crate::codec) fn find_marker(self, src: &[u8], from: usize, level: CpuLevel) -> Option<usize> {
        match self {
            Self::ZeroByte => unstuff::find_marker(src, from, level),
            Self::ZeroBit => jpegls::find_marker(src, from).or_else(|| {
                let last = src.len().checked_sub(1)?;
                (from <= last && src.ends_with(&[0xFF])).then_some(last)
            }),
        }
    }
}

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
    stuffing: Stuffing,
    level: CpuLevel,
) -> Result<(Vec<Range<usize>>, usize)> {
    let mut segments = Vec::new();
    loop {
        let end = stuffing.find_marker(frame, offset, level).unwrap_or(frame.len());
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
