//! Codestreams that are decoded elsewhere: where their frames begin, and how large their images are.

use super::t81::headers::FrameHeader;
use super::t81::marker::{self, Process, Segments};
use super::{Codec, FrameContext, Scratch};
use crate::error::{DecodeError, Result, unsupported};
use crate::frame::{Decoded, FrameBytes, FrameInfo};
use crate::output::Output;
use crate::syntax::TransferSyntax;

/// How codestreams begin: those of T.81 and T.87 (SOI and the FF of the next marker), of T.800 and T.814 (SOC, SIZ), of
/// ISO/IEC 18181 (JPEG XL), and files of the last two (their signature box).
const SIGNATURES: [&[u8]; 5] = [
    &[0xFF, 0xD8, 0xFF],
    &[0xFF, 0x4F, 0xFF, 0x51],
    &[0xFF, 0x0A],
    b"\0\0\0\x0CjP  \r\n\x87\n",
    b"\0\0\0\x0CJXL \r\n\x87\n",
];

/// Stands in for the codec of a transfer syntax that has none here, so that its frames can be found.
pub(super) struct UndecodedFormat;

impl Codec for UndecodedFormat {
    fn name(&self) -> &'static str {
        "foreign"
    }

    fn syntaxes(&self) -> &'static [TransferSyntax] {
        &[]
    }

    fn starts_frame(&self, head: &[u8], _: usize, _: &FrameInfo) -> bool {
        SIGNATURES.iter().any(|beginning| head.starts_with(beginning))
    }

    fn min_frame_bytes(&self, _: &FrameInfo) -> u64 {
        1
    }

    fn decode(
        &self,
        _: FrameBytes<'_>,
        context: &FrameContext<'_>,
        _: &mut Scratch,
        _: &mut Output<'_>,
    ) -> Result<Decoded> {
        Err(no_codec(context.syntax.keyword()))
    }
}

/// That nothing here decodes the transfer syntax.
pub(crate) fn no_codec(name: &str) -> DecodeError {
    unsupported(format!("no codec for transfer syntax {name}"), "PS3.5 Annex A")
}

/// Rows and columns of the image that a codestream of JPEG, JPEG-LS or JPEG 2000 holds, as it says itself; `None` where
/// it is none of these, is broken, or leaves the number of lines to a later marker.
#[must_use]
pub fn codestream_size(frame: &[u8]) -> Option<(u32, u32)> {
    match frame {
        [0xFF, marker::SOI, ..] => size_of_jpeg(frame),
        [0xFF, 0x4F, 0xFF, 0x51, parameters @ ..] => size_of_jpeg_2000(parameters),
        _ => None,
    }
}

/// From the frame header (T.81 B.2.2, T.87 C.2.2).
fn size_of_jpeg(frame: &[u8]) -> Option<(u32, u32)> {
    for segment in Segments::new(frame).ok()? {
        let segment = segment.ok()?;
        let process = Process::of_marker(segment.marker.code);
        let parameters = segment.parameters().ok()?;
        if let Some(process) = process {
            let header = FrameHeader::parse(process, parameters).ok()?;
            return (header.lines > 0).then_some((header.lines.into(), header.columns.into()));
        }
    }
    None
}

/// From SIZ, whose length these `parameters` begin with (T.800 A.5.1).
fn size_of_jpeg_2000(parameters: &[u8]) -> Option<(u32, u32)> {
    let word = |at: usize| parameters.get(at..at + 4)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    let columns = word(4)?.checked_sub(word(12)?)?;
    let rows = word(8)?.checked_sub(word(16)?)?;
    Some((rows, columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codestreams_say_how_large_they_are() {
        let sof = [0xFF, 0xC0, 0, 11, 8, 0, 3, 1, 0, 1, 1, 0x11, 0];
        let jpeg = |segments: &[u8]| [&[0xFF, 0xD8], segments, &sof].concat();
        assert_eq!(codestream_size(&jpeg(&[])), Some((3, 256)));
        assert_eq!(codestream_size(&jpeg(&[0xFF, 0xFF, 0xE0, 0, 4, 0xFF, 0xC0])), Some((3, 256)));
        let siz = [0, 47, 0, 0, 0, 0, 0, 9, 0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 0, 3];
        let jpeg_2000 = [&[0xFF, 0x4F, 0xFF, 0x51][..], &siz].concat();
        assert_eq!(codestream_size(&jpeg_2000), Some((5, 7)));
    }

    #[test]
    fn what_is_cut_short_or_something_else_says_nothing() {
        let whole = [0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0, 3, 1, 0, 1, 1, 0x11, 0];
        for end in 0..whole.len() {
            assert_eq!(codestream_size(&whole[..end]), None);
        }
        let siz = [0xFF, 0x4F, 0xFF, 0x51, 0, 47, 0, 0, 0, 0, 0, 9, 0, 0, 0, 8, 0, 0, 0, 12, 0, 0, 0, 3];
        for end in 0..=siz.len() {
            assert_eq!(codestream_size(&siz[..end]), None, "more columns before the image than in all");
        }
        let dnl = [0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0, 0, 1, 0, 1, 1, 0x11, 0];
        assert_eq!(codestream_size(&dnl), None);
        assert_eq!(codestream_size(b"RIFF"), None);
    }
}
