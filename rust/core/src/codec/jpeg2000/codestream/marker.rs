//! Markers and marker segments (T.800 A.1 and A.2).
//!
//! ```text
//! segment      FF code │ length (2 bytes, big-endian) │ parameters (length - 2 bytes)
//! ```
//!
//! Offsets are bytes from the start of the frame, also for codestreams in boxes.

use crate::error::{Result, malformed, truncated};

/// Extended capabilities (T.800 A.5.2, T.814 A.3).
pub(super) const CAP: u8 = 0x50;
/// Image and tile size.
pub(super) const SIZ: u8 = 0x51;
/// Coding style default.
pub(super) const COD: u8 = 0x52;
/// Coding style component.
pub(super) const COC: u8 = 0x53;
/// Quantization default.
pub(super) const QCD: u8 = 0x5C;
/// Quantization component.
pub(super) const QCC: u8 = 0x5D;
/// Region of interest.
pub(super) const RGN: u8 = 0x5E;
/// Progression order change.
pub(super) const POC: u8 = 0x5F;
/// Packed packet headers, main header.
pub(super) const PPM: u8 = 0x60;
/// Packed packet headers, tile-part header.
pub(super) const PPT: u8 = 0x61;
/// Start of tile-part.
pub(super) const SOT: u8 = 0x90;
/// Start of data.
pub(super) const SOD: u8 = 0x93;
/// End of codestream.
pub(super) const EOC: u8 = 0xD9;

/// Clause of the lengths of marker segments.
const CLAUSE: &str = "ITU-T T.800 A.1";

/// Returns the name of a marker in messages.
pub(super) const fn name(code: u8) -> &'static str {
    match code {
        0x4F => "SOC",
        CAP => "CAP",
        SIZ => "SIZ",
        COD => "COD",
        COC => "COC",
        0x55 => "TLM",
        0x57 => "PLM",
        0x58 => "PLT",
        0x59 => "CPF",
        QCD => "QCD",
        QCC => "QCC",
        RGN => "RGN",
        POC => "POC",
        PPM => "PPM",
        PPT => "PPT",
        0x63 => "CRG",
        0x64 => "COM",
        SOT => "SOT",
        SOD => "SOD",
        EOC => "EOC",
        _ => "marker",
    }
}

/// True if no length follows `code` (T.800 A.1).
const fn is_standalone(code: u8) -> bool {
    matches!(code, 0x30..=0x3F | 0x4F | SOD | EOC | 0x92)
}

/// True if `code` starts a segment of T.801, without which the samples would be wrong.
pub(super) const fn is_part_2(code: u8) -> bool {
    matches!(code, 0x5A | 0x5B | 0x70..=0x79)
}

/// A marker, the byte offset of its FF, and its parameters; none for a marker without a length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'a> {
    pub(super) code: u8,
    pub(super) offset: usize,
    pub(super) parameters: Parameters<'a>,
}

/// Reads one segment after the other. `bytes` ends where the codestream does.
#[derive(Debug, Clone)]
pub(super) struct Segments<'a> {
    pub(super) bytes: &'a [u8],
    /// Byte offset of the next segment.
    pub(super) offset: usize,
}

impl<'a> Segments<'a> {
    /// Returns the code of the next marker, without reading its segment.
    ///
    /// # Errors
    /// `Truncated` if the codestream ends there, `Malformed` if there is no marker.
    pub(super) fn peek(&self) -> Result<u8> {
        match self.bytes.get(self.offset..).unwrap_or_default() {
            [0xFF, code, ..] if *code >= 0x30 => Ok(*code),
            [] | [0xFF] => Err(truncated("codestream ends, marker expected", CLAUSE).at(self.bytes.len())),
            [0xFF, code, ..] => {
                Err(malformed(format!("bytes FF {code:02X} found, marker expected"), CLAUSE).at(self.offset))
            }
            [byte, ..] => Err(malformed(format!("byte {byte:02X} found, marker expected"), CLAUSE).at(self.offset)),
        }
    }

    /// Reads the next segment.
    ///
    /// # Errors
    /// Those of [`Self::peek`]; `Truncated` if the codestream ends in the segment, `Malformed` for a length less than 2.
    pub(super) fn read(&mut self) -> Result<Segment<'a>> {
        let (code, offset) = (self.peek()?, self.offset);
        let parameters_offset = offset + 2;
        if is_standalone(code) {
            self.offset = parameters_offset;
            let parameters = Parameters { name: name(code), bytes: &[], offset: parameters_offset };
            return Ok(Segment { code, offset, parameters });
        }
        let end = self.bytes.len();
        let rest = self.bytes.get(parameters_offset..).unwrap_or_default();
        let Some((length, _)) = rest.split_first_chunk::<2>() else {
            let text = format!("codestream ends within the length of the {} segment", name(code));
            return Err(truncated(text, CLAUSE).at(end));
        };
        let length = usize::from(u16::from_be_bytes(*length));
        if length < 2 {
            let text = format!("length {length} of the {} segment found, 2 or more expected", name(code));
            return Err(malformed(text, CLAUSE).at(parameters_offset));
        }
        let Some(bytes) = rest.get(2..length) else {
            let text = format!("{} bytes left for the {} segment, {length} expected", rest.len(), name(code));
            return Err(truncated(text, CLAUSE).at(end));
        };
        self.offset = parameters_offset + length;
        let parameters = Parameters { name: name(code), bytes, offset: parameters_offset + 2 };
        Ok(Segment { code, offset, parameters })
    }
}

/// Reads the parameters of one marker segment from first to last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameters<'a> {
    name: &'static str,
    bytes: &'a [u8],
    /// Byte offset in the frame of the first of `bytes`.
    offset: usize,
}

impl<'a> Parameters<'a> {
    /// Returns the byte offset in the frame of the next parameter.
    pub(super) const fn offset(&self) -> usize {
        self.offset
    }

    /// Returns all bytes that are left.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// Reads `count` bytes.
    ///
    /// # Errors
    /// `Malformed` if the segment is shorter than its own parameters require.
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((bytes, rest)) = self.bytes.split_at_checked(count) else {
            let text = format!("{} segment ends {} bytes early", self.name, count - self.bytes.len());
            return Err(malformed(text, CLAUSE).at(self.offset + self.bytes.len()));
        };
        self.bytes = rest;
        self.offset += count;
        Ok(bytes)
    }

    /// Reads an 8-bit parameter.
    ///
    /// # Errors
    /// `Malformed` if the segment ends before it.
    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?.first().copied().unwrap_or(0))
    }

    /// Reads a 16-bit parameter.
    ///
    /// # Errors
    /// As [`Self::u8`].
    pub(super) fn u16(&mut self) -> Result<u16> {
        Ok(self.take(2)?.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes)))
    }

    /// Reads a 32-bit parameter.
    ///
    /// # Errors
    /// As [`Self::u8`].
    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(self.take(4)?.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes)))
    }

    /// Reads a component index, which has 8 bits if the image has less than 257 components.
    ///
    /// # Errors
    /// As [`Self::u8`].
    pub(super) fn component(&mut self, component_count: usize) -> Result<u16> {
        if component_count < 257 { self.u8().map(u16::from) } else { self.u16() }
    }
}
