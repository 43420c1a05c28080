//! Markers and the parameters that follow them (T.81 B.1.1).

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
/// Comment.
pub(in crate::codec) const COM: u8 = 0xFE;
/// The first restart marker, RST0; the last is RST7.
pub(in crate::codec) const RST0: u8 = 0xD0;
/// Application data, the first of sixteen.
pub(in crate::codec) const APP0: u8 = 0xE0;
/// Start of frame: lossless, sequential, Huffman coding.
pub(in crate::codec) const SOF3: u8 = 0xC3;
/// Start of frame of JPEG-LS (ITU-T T.87).
pub(in crate::codec) const SOF55: u8 = 0xF7;

/// Whether `code` is one of the eight restart markers.
pub(in crate::codec) fn is_restart(code: u8) -> bool {
    (RST0..RST0 + 8).contains(&code)
}

/// Whether `code` starts a frame of some process.
pub(in crate::codec) fn is_start_of_frame(code: u8) -> bool {
    matches!(code, 0xC0..=0xCF if !matches!(code, DHT | 0xC8 | DAC)) || code == SOF55
}

/// Whether `code` is followed by a length and parameters that a decoder may pass over.
pub(in crate::codec) fn is_skipped(code: u8) -> bool {
    matches!(code, 0xE0..=0xEF | 0xF0..=0xF6 | 0xF8..=0xFD) || matches!(code, COM | DQT)
}

/// A marker and where its FF is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) struct Marker {
    pub(in crate::codec) code: u8,
    pub(in crate::codec) offset: usize,
}

/// The marker at `at`, which any number of fill bytes FF may precede (T.81 B.1.1.2), and the offset behind it.
///
/// # Errors
/// `Truncated` if the frame ends there, `Malformed` if there is no marker.
pub(in crate::codec) fn read_marker(frame: &[u8], at: usize) -> Result<(Marker, usize)> {
    let clause = "ITU-T T.81 B.1.1.2";
    let rest = frame.get(at..).unwrap_or_default();
    let fill = rest.iter().take_while(|byte| **byte == 0xFF).count();
    match (fill, rest.get(fill)) {
        (_, None) => Err(truncated("the frame ends where a marker is expected", clause).at(frame.len())),
        (0, Some(found)) => Err(malformed(format!("byte {found:02X} found, a marker expected"), clause).at(at)),
        (_, Some(0)) => Err(malformed("byte 00 found behind FF, a marker expected", clause).at(at + fill)),
        (_, Some(code)) => Ok((Marker { code: *code, offset: at + fill - 1 }, at + fill + 1)),
    }
}

/// The parameters of one marker segment, read from first to last.
#[derive(Debug, Clone, Copy)]
pub(in crate::codec) struct Parameters<'a> {
    name: &'static str,
    bytes: &'a [u8],
    /// Offset of the first of `bytes` in the frame.
    at: usize,
}

impl<'a> Parameters<'a> {
    /// The parameters whose length is at `at`, and the offset behind them.
    ///
    /// # Errors
    /// `Truncated` if the frame ends before they do, `Malformed` if the length is less than its own two bytes.
    pub(in crate::codec) fn read(name: &'static str, frame: &'a [u8], at: usize) -> Result<(Self, usize)> {
        let clause = "ITU-T T.81 B.1.1.4";
        let rest = frame.get(at..).unwrap_or_default();
        let Some((length, _)) = rest.split_first_chunk::<2>() else {
            return Err(truncated(format!("the frame ends in the length of {name}"), clause).at(frame.len()));
        };
        let length = usize::from(u16::from_be_bytes(*length));
        if length < 2 {
            return Err(malformed(format!("length {length} of {name} found, 2 or more expected"), clause).at(at));
        }
        match rest.get(2..length) {
            Some(bytes) => Ok((Self { name, bytes, at: at + 2 }, at + length)),
            None => {
                let text = format!("{name} of {length} bytes found, {} are left", rest.len());
                Err(truncated(text, clause).at(frame.len()))
            }
        }
    }

    /// Offset of the next parameter.
    pub(in crate::codec) const fn at(&self) -> usize {
        self.at
    }

    /// All that are left.
    pub(in crate::codec) fn rest(self) -> &'a [u8] {
        self.bytes
    }

    /// Whether all parameters are read.
    pub(in crate::codec) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// `Malformed` if the segment is shorter than its own parameters say.
    pub(in crate::codec) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.bytes.split_at_checked(count) else {
            let text = format!("{} ends {} bytes early", self.name, count - self.bytes.len());
            return Err(malformed(text, "ITU-T T.81 B.1.1.4").at(self.at + self.bytes.len()));
        };
        self.bytes = rest;
        self.at += count;
        Ok(taken)
    }

    /// The next byte.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(in crate::codec) fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?.first().copied().unwrap_or(0))
    }

    /// The next two bytes as a number.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(in crate::codec) fn word(&mut self) -> Result<u16> {
        Ok(self.take(2)?.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes)))
    }

    /// The high and the low half of the next byte.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(in crate::codec) fn halves(&mut self) -> Result<(u8, u8)> {
        self.byte().map(|byte| (byte >> 4, byte & 15))
    }

    /// Refuses what is left over.
    ///
    /// # Errors
    /// `Malformed`.
    pub(in crate::codec) fn end(&self) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let text = format!("{} bytes follow the parameters of {}", self.bytes.len(), self.name);
        Err(malformed(text, "ITU-T T.81 B.1.1.4").at(self.at))
    }
}
