//! Markers, marker segments and their parameters (T.81 B.1.1).
//!
//! ```text
//! codestream   SOI │ segment │ segment │ SOS segment │ entropy-coded data with RSTm │ segment │ … │ EOI
//! segment      FF code │ length (2 bytes, big-endian) │ parameters (length - 2 bytes)
//! ```
//!
//! [`Segments`] iterates over the segments. After SOS its user finds the end of the entropy-coded data (for Huffman coding,
//! `entropy::segments`) and continues there with [`Segments::seek`].

use crate::error::{Result, malformed, truncated};

/// Start of image.
pub(in crate::codec) const SOI: u8 = 0xD8;
/// End of image.
pub(in crate::codec) const EOI: u8 = 0xD9;
/// Start of scan.
pub(in crate::codec) const SOS: u8 = 0xDA;
/// Define Huffman tables.
pub(in crate::codec) const DHT: u8 = 0xC4;
/// Define arithmetic coding conditioning.
pub(in crate::codec) const DAC: u8 = 0xCC;
/// Define quantization tables.
pub(in crate::codec) const DQT: u8 = 0xDB;
/// Define number of lines.
pub(in crate::codec) const DNL: u8 = 0xDC;
/// Define restart interval.
pub(in crate::codec) const DRI: u8 = 0xDD;
/// Define hierarchical progression.
pub(in crate::codec) const DHP: u8 = 0xDE;
/// Expand reference components.
pub(in crate::codec) const EXP: u8 = 0xDF;
/// JPEG-LS parameters (T.87 C.2.4).
pub(in crate::codec) const LSE: u8 = 0xF8;
/// Comment.
pub(in crate::codec) const COM: u8 = 0xFE;
/// The first restart marker, RST0; the last is RST7.
pub(in crate::codec) const RST0: u8 = 0xD0;
/// The first of sixteen markers for application data.
pub(in crate::codec) const APP0: u8 = 0xE0;
/// Application data of HP's JPEG-LS encoders.
pub(in crate::codec) const APP8: u8 = 0xE8;
/// Application data of Adobe's encoders.
pub(in crate::codec) const APP14: u8 = 0xEE;
/// Temporary use in arithmetic coding.
const TEM: u8 = 0x01;

/// Coding process that a start-of-frame marker announces (T.81 Table B.1; T.87 C.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) enum Process {
    /// SOF0: baseline DCT, 8 bits, Huffman coding.
    Baseline,
    /// SOF1: extended sequential DCT, Huffman coding.
    Extended,
    /// SOF2: progressive DCT, Huffman coding.
    Progressive,
    /// SOF3: lossless, Huffman coding.
    Lossless,
    /// SOF5 to SOF7, SOF13 to SOF15: differential frames of a hierarchical process.
    Hierarchical,
    /// SOF9 and SOF10: sequential and progressive DCT, arithmetic coding.
    Arithmetic,
    /// SOF11: lossless, arithmetic coding.
    ArithmeticLossless,
    /// SOF55: JPEG-LS.
    JpegLs,
}

impl Process {
    /// Returns the process of a marker, or `None` if it does not start a frame.
    pub(in crate::codec) const fn of_marker(code: u8) -> Option<Self> {
        Some(match code {
            0xC0 => Self::Baseline,
            0xC1 => Self::Extended,
            0xC2 => Self::Progressive,
            0xC3 => Self::Lossless,
            0xC5..=0xC7 | 0xCD..=0xCF => Self::Hierarchical,
            0xC9 | 0xCA => Self::Arithmetic,
            0xCB => Self::ArithmeticLossless,
            0xF7 => Self::JpegLs,
            _ => return None,
        })
    }

    /// Returns its name in messages.
    pub(in crate::codec) const fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline DCT",
            Self::Extended => "extended sequential DCT",
            Self::Progressive => "progressive DCT",
            Self::Lossless => "lossless",
            Self::Hierarchical => "hierarchical process",
            Self::Arithmetic | Self::ArithmeticLossless => "arithmetic coding",
            Self::JpegLs => "JPEG-LS",
        }
    }
}

/// True if `code` is one of the eight restart markers.
pub(in crate::codec) fn is_restart(code: u8) -> bool {
    (RST0..RST0 + 8).contains(&code)
}

/// True if `code` starts a segment that does not change decoding: application data, comments, JPEG extensions.
pub(in crate::codec) fn is_informative(code: u8) -> bool {
    matches!(code, 0xE0..=0xEF | 0xF0..=0xF6 | 0xF8..=0xFD | COM)
}

/// True if `bytes` start with SOI and the FF of the next marker, as the first fragment of a frame does.
pub(in crate::codec) fn starts_codestream(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xFF, SOI, 0xFF])
}

/// True if no length follows `code` (T.81 B.1.1.3).
fn is_standalone(code: u8) -> bool {
    is_restart(code) || matches!(code, SOI | EOI | TEM)
}

/// Returns the name of a marker's segment in messages.
const fn segment_name(code: u8) -> &'static str {
    match code {
        0xC0 => "SOF0",
        0xC1 => "SOF1",
        0xC2 => "SOF2",
        0xC3 => "SOF3",
        0xF7 => "SOF55",
        DHT => "DHT",
        DQT => "DQT",
        DAC => "DAC",
        DNL => "DNL",
        DRI => "DRI",
        SOS => "SOS",
        LSE => "LSE",
        COM => "COM",
        0xE0..=0xEF => "APPn",
        _ => "marker",
    }
}

/// A marker and the byte offset of its FF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) struct Marker {
    pub(in crate::codec) code: u8,
    pub(in crate::codec) offset: usize,
}

/// Reads the marker at `offset`, which any number of fill bytes FF may precede (T.81 B.1.1.2). Returns it, and the offset
/// after it.
///
/// # Errors
/// `Truncated` if the frame ends there, `Malformed` if there is no marker.
pub(in crate::codec) fn read_marker(frame: &[u8], offset: usize) -> Result<(Marker, usize)> {
    let clause = "ITU-T T.81 B.1.1.2";
    let rest = frame.get(offset..).unwrap_or_default();
    let fill_bytes = rest.iter().take_while(|byte| **byte == 0xFF).count();
    match (fill_bytes, rest.get(fill_bytes)) {
        (_, None) => Err(truncated("frame ends, marker expected", clause).at(frame.len())),
        (0, Some(byte)) => Err(malformed(format!("byte {byte:02X} found, marker expected"), clause).at(offset)),
        (_, Some(0)) => Err(malformed("byte 00 found after FF, marker code expected", clause).at(offset + fill_bytes)),
        (_, Some(code)) => Ok((Marker { code: *code, offset: offset + fill_bytes - 1 }, offset + fill_bytes + 1)),
    }
}

/// A marker, with its parameters if it has some.
#[derive(Debug)]
pub(in crate::codec) struct Segment<'a> {
    pub(in crate::codec) marker: Marker,
    parameters: Result<Parameters<'a>>,
}

impl<'a> Segment<'a> {
    /// Returns the parameters; none for a marker without a length.
    ///
    /// # Errors
    /// As [`Parameters::read`].
    pub(in crate::codec) fn parameters(self) -> Result<Parameters<'a>> {
        self.parameters
    }
}

/// Iterator over the segments of a codestream. It ends after EOI, or after an error.
///
/// An error in a segment's length or parameters is not an error of the iterator, but of [`Segment::parameters`]: users
/// first decide whether they accept the marker.
#[derive(Debug, Clone)]
pub(in crate::codec) struct Segments<'a> {
    frame: &'a [u8],
    offset: usize,
    has_ended: bool,
}

impl<'a> Segments<'a> {
    /// The segments after SOI.
    ///
    /// # Errors
    /// `Truncated` or `Malformed` if the frame does not start with SOI.
    pub(in crate::codec) fn new(frame: &'a [u8]) -> Result<Self> {
        let clause = "ITU-T T.81 B.2.1";
        match frame {
            [0xFF, SOI, ..] => Ok(Self { frame, offset: 2, has_ended: false }),
            [] | [0xFF] => Err(truncated("frame ends within the SOI marker FFD8", clause).at(frame.len())),
            _ => Err(malformed("no SOI marker FFD8 at the start", clause).at(0)),
        }
    }

    /// Returns the byte offset of the next segment, or of the fill bytes before it.
    pub(in crate::codec) const fn offset(&self) -> usize {
        self.offset
    }

    /// Continues at a byte offset: at the marker after entropy-coded data.
    pub(in crate::codec) const fn seek(&mut self, offset: usize) {
        self.offset = offset;
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Result<Segment<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let (marker, next) = match read_marker(self.frame, self.offset) {
            Ok(marker) => marker,
            Err(error) => {
                self.has_ended = true;
                return Some(Err(error));
            }
        };
        let parameters = if is_standalone(marker.code) {
            self.offset = next;
            self.has_ended = marker.code == EOI;
            Ok(Parameters { name: segment_name(marker.code), bytes: &[], offset: next })
        } else {
            let parameters = Parameters::read(segment_name(marker.code), self.frame, next);
            match &parameters {
                Ok((_, end)) => self.offset = *end,
                Err(_) => self.has_ended = true,
            }
            parameters.map(|(parameters, _)| parameters)
        };
        Some(Ok(Segment { marker, parameters }))
    }
}

/// Reads the parameters of one marker segment from first to last.
#[derive(Debug, Clone, Copy)]
pub(in crate::codec) struct Parameters<'a> {
    name: &'static str,
    bytes: &'a [u8],
    /// Byte offset in the frame of the first of `bytes`.
    offset: usize,
}

impl<'a> Parameters<'a> {
    /// Returns the parameters after the length at `offset`, and the offset after them. `name` is that of the segment in
    /// messages.
    ///
    /// # Errors
    /// `Truncated` if the frame ends before they do, `Malformed` if the length is less than its own two bytes.
    pub(in crate::codec) fn read(name: &'static str, frame: &'a [u8], offset: usize) -> Result<(Self, usize)> {
        let clause = "ITU-T T.81 B.1.1.4";
        let rest = frame.get(offset..).unwrap_or_default();
        let Some((length, _)) = rest.split_first_chunk::<2>() else {
            return Err(
                truncated(format!("frame ends within the length of the {name} segment"), clause).at(frame.len())
            );
        };
        let length = usize::from(u16::from_be_bytes(*length));
        if length < 2 {
            let text = format!("length {length} of the {name} segment found, 2 or more expected");
            return Err(malformed(text, clause).at(offset));
        }
        match rest.get(2..length) {
            Some(bytes) => Ok((Self { name, bytes, offset: offset + 2 }, offset + length)),
            None => {
                let text = format!("{} bytes left for the {name} segment, {length} expected", rest.len());
                Err(truncated(text, clause).at(frame.len()))
            }
        }
    }

    /// Returns the byte offset in the frame of the next parameter.
    pub(in crate::codec) const fn offset(&self) -> usize {
        self.offset
    }

    /// Returns all bytes that are left.
    pub(in crate::codec) fn rest(self) -> &'a [u8] {
        self.bytes
    }

    /// True if all parameters are read.
    pub(in crate::codec) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Reads `count` bytes.
    ///
    /// # Errors
    /// `Malformed` if the segment is shorter than its own parameters require.
    pub(in crate::codec) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.bytes.split_at_checked(count) else {
            let text = format!("{} segment ends {} bytes early", self.name, count - self.bytes.len());
            return Err(malformed(text, "ITU-T T.81 B.1.1.4").at(self.offset + self.bytes.len()));
        };
        self.bytes = rest;
        self.offset += count;
        Ok(taken)
    }

    /// Reads an 8-bit parameter.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(in crate::codec) fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?.first().copied().unwrap_or(0))
    }

    /// Reads a 16-bit parameter.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(in crate::codec) fn u16(&mut self) -> Result<u16> {
        Ok(self.take(2)?.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes)))
    }

    /// Reads two 4-bit parameters, the high one first.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(in crate::codec) fn u4_pair(&mut self) -> Result<(u8, u8)> {
        self.u8().map(|byte| (byte >> 4, byte & 15))
    }

    /// Checks that all parameters are read.
    ///
    /// # Errors
    /// `Malformed` if bytes are left.
    pub(in crate::codec) fn end(&self) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let text = format!("{} bytes follow the parameters of the {} segment", self.bytes.len(), self.name);
        Err(malformed(text, "ITU-T T.81 B.1.1.4").at(self.offset))
    }
}
