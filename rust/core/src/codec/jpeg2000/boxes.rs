//! JP2 and JPH boxes around a codestream (T.800 Annex I, T.814 Annex D).
//!
//! ```text
//! box    length (4 bytes) │ type (4 bytes) │ [length, 8 bytes, if the first is 1] │ content
//! file   jP signature │ ftyp │ jp2h: ihdr, colr, pclr, cmap, … │ jp2c: codestream │ …
//! ```
//!
//! A length of 0 means up to the end of the file. The codestream is found by the lengths of the boxes before it, not by
//! searching its bytes. The components of the codestream are decoded; header boxes are not evaluated. A palette (pclr) is
//! not applied: in DICOM, palettes are attributes of the data set (PS3.3 C.7.6.3.1.5).

use super::codestream::SIGNATURE;
use crate::error::{Result, malformed, truncated};
use std::ops::Range;

const CLAUSE: &str = "ITU-T T.800 I.4";

/// Signature box of JP2 and JPH files (T.800 I.5.1).
pub(super) const SIGNATURE_BOX: &[u8] = b"\0\0\0\x0CjP  \r\n\x87\n";

/// Returns the byte range of the codestream in a frame: the whole frame, or the content of the first jp2c box.
///
/// # Errors
/// `Truncated` without a jp2c box; `Malformed` for a broken length, or content that is no codestream.
pub(super) fn codestream_range(frame: &[u8]) -> Result<Range<usize>> {
    if !frame.starts_with(SIGNATURE_BOX) {
        return Ok(0..frame.len());
    }
    let mut offset = 0;
    loop {
        let content = read_box(frame, offset)?;
        let kind = frame.get(offset + 4..offset + 8).unwrap_or_default();
        offset = content.end;
        if kind == b"jp2c" {
            let content = content.start..content.end.min(frame.len());
            let codestream = frame.get(content.clone()).unwrap_or_default();
            if codestream.len() >= SIGNATURE.len() && !codestream.starts_with(SIGNATURE) {
                let text = "no SOC marker at the start of the codestream box";
                return Err(malformed(text, "ITU-T T.800 I.5.4").at(content.start));
            }
            return Ok(content);
        }
    }
}

/// Returns the byte range of the content of the box at `offset`. It may end after the frame.
fn read_box(frame: &[u8], offset: usize) -> Result<Range<usize>> {
    let cut = || truncated("no contiguous codestream box found", "ITU-T T.800 I.5.4").at(frame.len());
    let rest = frame.get(offset..).unwrap_or_default();
    let word = |start: usize| rest.get(start..)?.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
    let (Some(length), Some(_)) = (word(0), word(4)) else { return Err(cut()) };
    let (length, header_bytes) = match length {
        0 => (rest.len() as u64, 8),
        1 => {
            let (Some(high), Some(low)) = (word(8), word(12)) else { return Err(cut()) };
            (u64::from(high) << 32 | u64::from(low), 16)
        }
        length => (length.into(), 8),
    };
    if length < header_bytes as u64 {
        let text = format!("box length {length} found, at least {header_bytes} expected");
        return Err(malformed(text, CLAUSE).at(offset));
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    Ok(offset + header_bytes..offset.saturating_add(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    const CODESTREAM: &[u8] = &[0xFF, 0x4F, 0xFF, 0x51, 1, 2, 3];

    fn with_signature(boxes: &[&[u8]]) -> Vec<u8> {
        [SIGNATURE_BOX, &boxes.concat()].concat()
    }

    #[test]
    fn codestream_range_is_the_content_of_the_first_codestream_box() {
        let cases: [(&[&[u8]], usize); 5] = [
            (&[b"\0\0\0\x0Fjp2c", CODESTREAM], 7),
            (&[b"\0\0\0\x0Cftypjp2c", b"\0\0\0\x0Fjp2c", CODESTREAM, b"\0\0\0\x08free"], 7),
            (&[b"\0\0\0\0jp2c", CODESTREAM, &[4]], 8),
            (&[b"\0\0\0\x01jp2c\0\0\0\0\0\0\0\x17", CODESTREAM, &[4]], 7),
            // The box ends after the frame.
            (&[b"\0\0\0\x7Fjp2c", CODESTREAM], 7),
        ];
        for (boxes, length) in cases {
            let frame = with_signature(boxes);
            let range = codestream_range(&frame).unwrap();
            assert!(frame[range.clone()].starts_with(CODESTREAM), "{boxes:?}");
            assert_eq!(range.len(), length);
        }
        assert_eq!(codestream_range(CODESTREAM).unwrap(), 0..7);
    }

    #[test]
    fn codestream_range_of_broken_boxes_is_an_error() {
        use ErrorKind::{Malformed, Truncated};
        let cases: [(&[&[u8]], _); 6] = [
            (&[], Truncated),
            (&[b"\0\0\0\x08jp2"], Truncated),
            (&[b"\0\0\0\0ftyp"], Truncated),
            (&[b"\0\0\0\x07ftyp"], Malformed),
            (&[b"\0\0\0\x01ftyp\0\0\0\0\0\0\0\x0F"], Malformed),
            (&[b"\0\0\0\0jp2c", &[0; 4]], Malformed),
        ];
        for (boxes, kind) in cases {
            assert_eq!(codestream_range(&with_signature(boxes)).unwrap_err().kind(), kind, "{boxes:?}");
        }
        let frame = with_signature(&[b"\0\0\0\x01ftyp\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"]);
        assert_eq!(codestream_range(&frame).unwrap_err().kind(), Truncated);
    }
}
