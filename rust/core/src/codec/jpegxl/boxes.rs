//! Boxes around a codestream (ISO/IEC 18181-2).
//!
//! ```text
//! box    length (4 bytes) │ type (4 bytes) │ [length, 8 bytes, if the first is 1] │ content
//! file   JXL signature │ ftyp │ [jxll] │ jxlc: codestream                    │ …
//!                                      │ jxlp: index, part of the codestream │ …
//! ```
//!
//! A length of 0 means up to the end of the file. Other boxes, like the reconstruction data of a JPEG file (jbrd), are skipped.

use crate::error::{Result, malformed, truncated};
use std::ops::Range;

const CLAUSE: &str = "ISO/IEC 18181-2";

/// First bytes of a bare codestream.
pub(super) const SIGNATURE: &[u8] = &[0xFF, 0x0A];
/// Signature box of JPEG XL files.
pub(super) const SIGNATURE_BOX: &[u8] = b"\0\0\0\x0CJXL \r\n\x87\n";

/// Bit of the index of a jxlp box that marks the last part.
const LAST_PART: u32 = 1 << 31;

/// Returns the byte ranges of the codestream in a frame, in order: the whole frame, the content of the jxlc box, or the parts in
/// jxlp boxes. The last one ends with the frame if the codestream is cut off. Bytes after the codestream are ignored.
///
/// # Errors
/// `Truncated` without a codestream; `Malformed` for a broken length or parts out of order.
pub(super) fn codestream_ranges(frame: &[u8]) -> Result<Vec<Range<usize>>> {
    if frame.len() < SIGNATURE_BOX.len() && SIGNATURE_BOX.starts_with(frame) {
        return Err(truncated("the frame ends in the signature", CLAUSE).at(frame.len()));
    }
    let mut parts = Vec::new();
    if !frame.starts_with(SIGNATURE_BOX) {
        parts.push(0..frame.len());
        return Ok(parts);
    }
    let mut offset = 0;
    while let Some(content) = read_box(frame, offset)? {
        let kind = frame.get(offset + 4..offset + 8).unwrap_or_default();
        let end = content.end.min(frame.len());
        if kind == b"jxlc" && parts.is_empty() {
            parts.push(content.start..end);
            return Ok(parts);
        }
        if kind == b"jxlp" {
            let Some(index) = big_endian(frame.get(content.start..end).unwrap_or_default()) else { break };
            if usize::try_from(index & !LAST_PART) != Ok(parts.len()) {
                let (found, expected) = (index & !LAST_PART, parts.len());
                let text = format!("codestream part {found} found, part {expected} expected");
                return Err(malformed(text, CLAUSE).at(content.start));
            }
            parts.push(content.start + 4..end);
            if index & LAST_PART != 0 {
                break;
            }
        }
        offset = content.end;
    }
    if parts.is_empty() {
        return Err(truncated("no codestream box found", CLAUSE).at(frame.len()));
    }
    Ok(parts)
}

/// Returns the byte range of the content of the box at `offset`, which may end after the frame; `None` if the frame has no
/// further box.
fn read_box(frame: &[u8], offset: usize) -> Result<Option<Range<usize>>> {
    let rest = frame.get(offset..).unwrap_or_default();
    let word = |start: usize| big_endian(rest.get(start..)?);
    let (Some(length), Some(_)) = (word(0), word(4)) else { return Ok(None) };
    let (length, header_bytes) = match length {
        0 => (rest.len() as u64, 8),
        1 => {
            let (Some(high), Some(low)) = (word(8), word(12)) else { return Ok(None) };
            (u64::from(high) << 32 | u64::from(low), 16)
        }
        length => (length.into(), 8),
    };
    if length < header_bytes as u64 {
        let text = format!("box length {length} found, at least {header_bytes} expected");
        return Err(malformed(text, CLAUSE).at(offset));
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    Ok(Some(offset + header_bytes..offset.saturating_add(length)))
}

/// Returns the number in the first four bytes.
fn big_endian(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn in_box(kind: &[u8], content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(8 + content.len()).unwrap();
        [&length.to_be_bytes(), kind, content].concat()
    }

    fn file(boxes: &[Vec<u8>]) -> Vec<u8> {
        [SIGNATURE_BOX, &in_box(b"ftyp", b"jxl \0\0\0\0jxl "), &boxes.concat()].concat()
    }

    fn codestream(frame: &[u8]) -> Vec<u8> {
        codestream_ranges(frame).unwrap().into_iter().flat_map(|range| frame[range].to_vec()).collect()
    }

    #[test]
    fn codestream_ranges_bare_codestream_is_the_frame() {
        assert_eq!(codestream_ranges(b"\xFF\x0Aabc").unwrap(), vec![0..5]);
    }

    #[test]
    fn codestream_ranges_joins_parts_and_ignores_other_boxes() {
        let whole = file(&[in_box(b"jbrd", b"x"), in_box(b"jxlc", b"codestream"), vec![0]]);
        assert_eq!(codestream(&whole), b"codestream");
        let parts = [in_box(b"jxlp", b"\0\0\0\0code"), in_box(b"Exif", b"x"), in_box(b"jxlp", b"\x80\0\0\x01stream")];
        assert_eq!(codestream(&[file(&parts), b"\0padding".to_vec()].concat()), b"codestream");
        // Length 0: up to the end; length 1: a length of 64 bits.
        let open = [file(&[]), b"\0\0\0\0jxlccodestream".to_vec()].concat();
        assert_eq!(codestream(&open), b"codestream");
        let long = [file(&[]), b"\0\0\0\x01jxlc\0\0\0\0\0\0\0\x1Acodestreamrest".to_vec()].concat();
        assert_eq!(codestream(&long), b"codestream");
        // A cut codestream ends with the frame.
        assert_eq!(codestream(&whole[..whole.len() - 4]), b"codestr");
    }

    #[test]
    fn codestream_ranges_broken_boxes_are_errors() {
        let kind = |frame: &[u8]| codestream_ranges(frame).unwrap_err().kind();
        for end in 0..=SIGNATURE_BOX.len() {
            assert_eq!(kind(&SIGNATURE_BOX[..end]), ErrorKind::Truncated);
        }
        assert_eq!(kind(&file(&[])), ErrorKind::Truncated);
        assert_eq!(kind(&[file(&[]), b"\0\0\0\x07jxlc".to_vec()].concat()), ErrorKind::Malformed);
        assert_eq!(kind(&[file(&[]), b"\0\0\0\x01jxlc\0\0\0\0\0\0\0\x0F".to_vec()].concat()), ErrorKind::Malformed);
        assert_eq!(kind(&file(&[in_box(b"jxlp", b"\0\0\0\x01code")])), ErrorKind::Malformed);
        assert_eq!(kind(&file(&[in_box(b"jxlp", b"\0\0")])), ErrorKind::Truncated);
        assert_eq!(
            kind(&[file(&[]), b"\0\0\0\x01free\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF".to_vec()].concat()),
            ErrorKind::Truncated
        );
    }
}
