//! Image header of a codestream (ISO/IEC 18181-1 Annex D), and the start of the first frame header (Annex F).
//!
//! Fields are bits, the least significant of each byte first. A U32 field starts with two bits that select one of four
//! distributions: a constant, or some bits plus an offset.
//!
//! ```text
//! FF 0A │ size │ image metadata: orientation, preview, animation, bit depth, extra channels, XYB, colour │ transform data
//!       │ [ICC profile] │ [preview frame] │ frame header: type, encoding …
//! ```

use super::boxes::{SIGNATURE, codestream_ranges};
use crate::codestream::{CodestreamInfo, Colour, ColourClaim, FieldOffsets};
use crate::error::{DecodeError, Result, malformed, truncated, unsupported};
use std::ops::Range;

const CLAUSE: &str = "ISO/IEC 18181-1 Annex D";

/// Highest number of rows, and of columns (ISO/IEC 18181-1 Annex M, level 10).
const MAX_SIDE: u64 = 1 << 30;

/// Distribution of a U32 field: number of bits and offset.
type Distribution = (u32, u32);

/// Distributions of an enumeration.
const ENUM: [Distribution; 4] = [(0, 0), (0, 1), (4, 2), (6, 18)];
/// Distributions of the rows or columns of an image, minus 1.
const SIDE: [Distribution; 4] = [(9, 1), (13, 1), (18, 1), (30, 1)];
/// Distributions of a preview's rows or columns: a multiple of 8, and another number.
const PREVIEW_SIDE_DIV8: [Distribution; 4] = [(0, 16), (0, 32), (5, 1), (9, 33)];
const PREVIEW_SIDE: [Distribution; 4] = [(6, 1), (8, 65), (10, 321), (12, 1345)];

/// Values of a colour space.
const GRAY: u32 = 1;
const XYB: u32 = 2;

/// Header of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::codec) struct Header {
    /// Declarations of the image header.
    pub(super) info: CodestreamInfo,
    /// Channels besides those of the colour.
    pub(super) extra_channel_count: u32,
    pub(super) is_float: bool,
    /// Byte ranges of the codestream in the frame.
    pub(super) codestream: Vec<Range<usize>>,
}

impl Header {
    /// Reads the header of a codestream, bare or in boxes.
    ///
    /// # Errors
    /// `Truncated`, `Malformed`; `Unsupported` for a colour space that is neither grey nor RGB.
    pub(super) fn parse(frame: &[u8]) -> Result<Self> {
        let codestream = codestream_ranges(frame)?;
        let mut bits = Bits { frame, ranges: &codestream, position: 0, value: 0, count: 0 };
        bits.signature()?;
        let rows_offset = bits.offset();
        let (rows, columns) = bits.size()?;
        let metadata = bits.metadata()?;
        let is_lossy = if metadata.is_xyb { Some(true) } else { bits.is_lossy_frame(&metadata).ok().flatten() };
        let is_gray = metadata.colour_space == GRAY;
        // Decoders convert XYB and colour differences to RGB.
        let claim = ColourClaim { colour: Colour::Rgb, evidence: "JPEG XL (RGB)", overrides_data_set: true };
        let info = CodestreamInfo {
            rows,
            columns,
            components: if is_gray { 1 } else { 3 } + metadata.extra_channel_count,
            precision: metadata.precision,
            is_signed: None,
            colour_claims: [(!is_gray).then_some(claim), None, None],
            assumed_colour: None,
            decodes_to_rgb: !is_gray,
            precision_gives_stored_bits: false,
            is_lossy,
            resolution_levels: 1,
            tile: None,
            offsets: FieldOffsets {
                rows: rows_offset,
                columns: rows_offset,
                components: metadata.channels_offset,
                precision: metadata.precision_offset,
                colour: metadata.colour_offset,
            },
        };
        let Metadata { extra_channel_count, is_float, .. } = metadata;
        Ok(Self { info, extra_channel_count, is_float, codestream })
    }
}

/// Fields of the image metadata.
#[derive(Debug)]
struct Metadata {
    has_preview: bool,
    has_icc_profile: bool,
    precision: u32,
    is_float: bool,
    extra_channel_count: u32,
    is_xyb: bool,
    colour_space: u32,
    /// Offsets of the fields in the frame.
    precision_offset: usize,
    channels_offset: usize,
    colour_offset: usize,
}

/// Reader of the bits of a codestream whose bytes are at `ranges` of a frame.
struct Bits<'a> {
    frame: &'a [u8],
    ranges: &'a [Range<usize>],
    /// Bytes that were read from the first range.
    position: usize,
    /// Bits that were read from the frame and are not consumed, and their number.
    value: u64,
    count: u32,
}

impl Bits<'_> {
    /// Returns the offset of the next bit's byte in the frame.
    fn offset(&self) -> usize {
        let start = self.ranges.first().map_or(self.frame.len(), |range| range.start);
        (start + self.position).saturating_sub(self.count.div_ceil(8) as usize)
    }

    fn end_error(&self) -> DecodeError {
        truncated("the codestream ends in the image header", CLAUSE).at(self.frame.len())
    }

    fn malformed(&self, text: impl Into<String>) -> DecodeError {
        malformed(text.into(), CLAUSE).at(self.offset())
    }

    fn byte(&mut self) -> Result<u8> {
        while let Some((range, rest)) = self.ranges.split_first() {
            match self.frame.get(range.clone()).and_then(|bytes| bytes.get(self.position)) {
                Some(byte) => {
                    self.position += 1;
                    return Ok(*byte);
                }
                None if rest.is_empty() => break,
                None => (self.ranges, self.position) = (rest, 0),
            }
        }
        Err(self.end_error())
    }

    /// Reads up to 32 bits.
    fn bits(&mut self, count: u32) -> Result<u32> {
        while self.count < count {
            self.value |= u64::from(self.byte()?) << self.count;
            self.count += 8;
        }
        let value = self.value & ((1 << count) - 1);
        self.value >>= count;
        self.count -= count;
        u32::try_from(value).map_err(|_| self.end_error())
    }

    fn bool(&mut self) -> Result<bool> {
        Ok(self.bits(1)? == 1)
    }

    fn u32(&mut self, distributions: [Distribution; 4]) -> Result<u32> {
        let [first, second, third, fourth] = distributions;
        let (count, offset) = match self.bits(2)? {
            0 => first,
            1 => second,
            2 => third,
            _ => fourth,
        };
        Ok(self.bits(count)?.saturating_add(offset))
    }

    /// Reads a number of up to 64 bits: 0, 1 to 16, 17 to 272, or 12 bits followed by groups of 8.
    fn u64(&mut self) -> Result<u64> {
        match self.bits(2)? {
            0 => return Ok(0),
            1 => return Ok(1 + u64::from(self.bits(4)?)),
            2 => return Ok(17 + u64::from(self.bits(8)?)),
            _ => {}
        }
        let mut value = u64::from(self.bits(12)?);
        let mut shift = 12;
        while self.bool()? {
            let count = if shift == 60 { 4 } else { 8 };
            value |= u64::from(self.bits(count)?) << shift;
            shift += count;
            if shift > 60 {
                break;
            }
        }
        Ok(value)
    }

    /// Skips extensions: a mask, the number of bits of each, and the bits.
    fn skip_extensions(&mut self) -> Result<()> {
        let mut total = 0_u64;
        for _ in 0..self.u64()?.count_ones() {
            total = total.saturating_add(self.u64()?);
        }
        while total > 0 {
            let count = total.min(32) as u32;
            self.bits(count)?;
            total -= u64::from(count);
        }
        Ok(())
    }

    fn signature(&mut self) -> Result<()> {
        for expected in SIGNATURE {
            if self.byte()? != *expected {
                return Err(malformed("no signature at the start of the codestream", CLAUSE).at(self.offset()));
            }
        }
        Ok(())
    }

    /// Reads rows and columns.
    fn size(&mut self) -> Result<(u32, u32)> {
        let is_small = self.bool()?;
        let side = |bits: &mut Self| {
            if is_small { Ok(8 * (bits.bits(5)? + 1)) } else { bits.u32(SIDE) }
        };
        let rows = side(self)?;
        let columns = match self.columns_by_ratio(rows)? {
            Some(columns) => columns,
            None => side(self)?.into(),
        };
        match u32::try_from(columns) {
            Ok(columns) if u64::from(columns) <= MAX_SIDE && u64::from(rows) <= MAX_SIDE => Ok((rows, columns)),
            _ => {
                Err(self.malformed(format!("{rows} rows × {columns} columns found, at most {MAX_SIDE} each expected")))
            }
        }
    }

    /// Reads the aspect ratio, and returns the columns that it gives `rows` rows; `None` if they are given by themselves.
    fn columns_by_ratio(&mut self, rows: u32) -> Result<Option<u64>> {
        let (numerator, denominator) = match self.bits(3)? {
            0 => return Ok(None),
            1 => (1, 1),
            2 => (12, 10),
            3 => (4, 3),
            4 => (3, 2),
            5 => (16, 9),
            6 => (5, 4),
            _ => (2, 1),
        };
        Ok(Some(u64::from(rows) * numerator / denominator))
    }

    fn skip_preview_size(&mut self) -> Result<()> {
        let distributions = if self.bool()? { PREVIEW_SIDE_DIV8 } else { PREVIEW_SIDE };
        let rows = self.u32(distributions)?;
        if self.columns_by_ratio(rows)?.is_none() {
            self.u32(distributions)?;
        }
        Ok(())
    }

    fn skip_animation(&mut self) -> Result<()> {
        self.u32([(0, 100), (0, 1000), (10, 1), (30, 1)])?;
        self.u32([(0, 1), (0, 1001), (8, 1), (10, 1)])?;
        self.u32([(0, 0), (3, 0), (16, 0), (32, 0)])?;
        self.bool().map(|_| ())
    }

    /// Reads the bits of a sample; true for floating-point numbers.
    fn bit_depth(&mut self) -> Result<(u32, bool)> {
        if self.bool()? {
            let precision = self.u32([(0, 32), (0, 16), (0, 24), (6, 1)])?;
            self.bits(4)?;
            return Ok((precision, true));
        }
        let precision = self.u32([(0, 8), (0, 10), (0, 12), (6, 1)])?;
        if precision > 31 {
            return Err(self.malformed(format!("{precision} bits of a sample found, at most 31 expected")));
        }
        Ok((precision, false))
    }

    fn skip_extra_channel(&mut self) -> Result<()> {
        const ALPHA: u32 = 0;
        const SPOT_COLOUR: u32 = 2;
        const COLOUR_FILTER_ARRAY: u32 = 5;
        if self.bool()? {
            return Ok(());
        }
        let kind = self.u32(ENUM)?;
        self.bit_depth()?;
        self.u32([(0, 0), (0, 3), (0, 4), (3, 1)])?;
        for _ in 0..self.u32([(0, 0), (4, 0), (5, 16), (10, 48)])? {
            self.bits(8)?;
        }
        match kind {
            ALPHA => _ = self.bool()?,
            SPOT_COLOUR => {
                for _ in 0..4 {
                    self.bits(16)?;
                }
            }
            COLOUR_FILTER_ARRAY => _ = self.u32([(0, 1), (2, 0), (4, 3), (8, 19)])?,
            _ => {}
        }
        Ok(())
    }

    /// Reads the colour encoding. Returns the colour space, and true if an ICC profile follows the image header.
    fn colour_encoding(&mut self) -> Result<(u32, bool)> {
        const CUSTOM: u32 = 2;
        const COORDINATE: [Distribution; 4] = [(19, 0), (19, 524_288), (20, 1_048_576), (21, 2_097_152)];
        if self.bool()? {
            return Ok((0, false));
        }
        let has_icc_profile = self.bool()?;
        let colour_space = self.u32(ENUM)?;
        if !matches!(colour_space, 0 | GRAY) {
            let name = if colour_space == XYB { "XYB" } else { "unknown" };
            let text = format!("colour space {name} found, grey or RGB expected");
            return Err(unsupported(text, "ISO/IEC 18181-1 Annex E").at(self.offset()));
        }
        if has_icc_profile {
            return Ok((colour_space, true));
        }
        let skip_coordinates = |bits: &mut Self, count| {
            for _ in 0..count {
                bits.u32(COORDINATE)?;
            }
            Ok::<_, DecodeError>(())
        };
        if self.u32(ENUM)? == CUSTOM {
            skip_coordinates(self, 2)?;
        }
        if colour_space != GRAY && self.u32(ENUM)? == CUSTOM {
            skip_coordinates(self, 6)?;
        }
        // Transfer function: gamma or an enumeration.
        if self.bool()? {
            self.bits(24)?
        } else {
            self.u32(ENUM)?
        };
        // Rendering intent.
        self.u32(ENUM)?;
        Ok((colour_space, false))
    }

    fn metadata(&mut self) -> Result<Metadata> {
        let offset = self.offset();
        let mut metadata = Metadata {
            has_preview: false,
            has_icc_profile: false,
            precision: 8,
            is_float: false,
            extra_channel_count: 0,
            is_xyb: true,
            colour_space: 0,
            precision_offset: offset,
            channels_offset: offset,
            colour_offset: offset,
        };
        if self.bool()? {
            return Ok(metadata);
        }
        let has_extra_fields = self.bool()?;
        if has_extra_fields {
            // Orientation, which DICOM gives by attributes of the data set.
            self.bits(3)?;
            if self.bool()? {
                self.size()?;
            }
            metadata.has_preview = self.bool()?;
            if metadata.has_preview {
                self.skip_preview_size()?;
            }
            if self.bool()? {
                self.skip_animation()?;
            }
        }
        metadata.precision_offset = self.offset();
        (metadata.precision, metadata.is_float) = self.bit_depth()?;
        // True if 16-bit buffers are sufficient.
        self.bool()?;
        metadata.channels_offset = self.offset();
        metadata.extra_channel_count = self.u32([(0, 0), (0, 1), (4, 2), (12, 1)])?;
        for _ in 0..metadata.extra_channel_count {
            self.skip_extra_channel()?;
        }
        metadata.is_xyb = self.bool()?;
        metadata.colour_offset = self.offset();
        (metadata.colour_space, metadata.has_icc_profile) = self.colour_encoding()?;
        // Tone mapping: three numbers of 16 bits and a flag.
        if has_extra_fields && !self.bool()? {
            for count in [16, 16, 1, 16] {
                self.bits(count)?;
            }
        }
        self.skip_extensions()?;
        Ok(metadata)
    }

    /// Returns true if the first frame of an image that is not in XYB is coded by a DCT, and therefore lossy. The modular mode may
    /// be lossy or not, so there the header does not determine it.
    fn is_lossy_frame(&mut self, metadata: &Metadata) -> Result<Option<bool>> {
        const REGULAR: u32 = 0;
        let has_default_transform = self.bool()?;
        if !has_default_transform || metadata.has_icc_profile || metadata.has_preview {
            return Ok(None);
        }
        // Frames start with a byte.
        self.bits(self.count % 8)?;
        let is_default = self.bool()?;
        let is_regular = is_default || self.bits(2)? == REGULAR;
        let is_modular = !is_default && self.bool()?;
        Ok((is_regular && !is_modular).then_some(true))
    }
}

#[cfg(test)]
mod tests;
