//! Bytes of a codestream → [`Header`]: the marker segments of the main header and of all tile-parts (T.800 Annex A).
//!
//! ```text
//! SOC │ SIZ │ CAP, COD, QCD, COC, QCC, RGN, POC, PPM, COM, … │ tile-part │ tile-part │ … │ EOC
//! tile-part    SOT │ COD, QCD, COC, QCC, RGN, POC, PPT, PLT, … │ SOD, packets
//! ```
//!
//! A header owns its values and has byte ranges of the frame instead of bytes. Its memory is bounded by the bytes that are
//! read: nothing is allocated by a declared number of tiles or components that have no bytes.

mod coding;
mod info;
mod marker;
mod packed_headers;
mod parameters;
mod quantization;
mod size;
mod tile_parts;

#[cfg(test)]
mod tests;

pub(super) use info::{identify, image_size};

pub(in crate::codec) use coding::{BlockStyle, ComponentCoding, ProgressionOrder};
pub(in crate::codec) use parameters::{Progression, TileParameters};
pub(in crate::codec) use size::{Component, ImageSize, Rectangle};
pub(in crate::codec) use tile_parts::TilePart;

use crate::error::{DecodeError, Result, malformed, truncated, unsupported};
use crate::frame::Deviation;
use marker::{CAP, EOC, PPM, SIZ, SOD, SOT, Segment, Segments, is_part_2, name};
use parameters::ParameterSet;
use std::collections::BTreeMap;
use std::ops::Range;

/// SOC and the marker of SIZ (T.800 A.4.1, A.5.1).
pub(in crate::codec) const SIGNATURE: &[u8] = &[0xFF, 0x4F, 0xFF, SIZ];

/// Segments before the first tile-part.
#[derive(Debug, Clone)]
pub(in crate::codec) struct MainHeader {
    pub(in crate::codec) size: ImageSize,
    parameters: ParameterSet,
    /// True if CAP, or the style of the code-blocks, declares T.814.
    pub(in crate::codec) is_high_throughput: bool,
    /// Marker and offset of the first segment of T.801, which changes decoding.
    extension: Option<(u8, usize)>,
    /// Indices (Zppm) and byte ranges of packed packet headers.
    packed_headers: Vec<(u8, Range<usize>)>,
}

/// Headers of a tile.
#[derive(Debug, Clone, Default)]
struct TileHeader {
    /// Its own parameters, if it has some.
    parameters: Option<Box<ParameterSet>>,
    /// Tile-parts in the order of the codestream; at least one.
    parts: Vec<TilePart>,
}

/// All headers of a codestream. Every tile has at least one tile-part.
#[derive(Debug, Clone)]
pub(in crate::codec) struct Header {
    pub(in crate::codec) main: MainHeader,
    tiles: BTreeMap<u16, TileHeader>,
    /// Byte ranges of packed packet headers, from PPM and PPT.
    packed_headers: Vec<Range<usize>>,
    /// True if some packet headers are packed.
    pub(in crate::codec) has_packed_headers: bool,
    pub(in crate::codec) deviations: Vec<Deviation>,
}

impl MainHeader {
    /// Reads the main header of the codestream at `range` of a frame. Returns the segments after it too.
    ///
    /// # Errors
    /// `Truncated`, `Malformed`; `Unsupported` for segments of T.801.
    fn parse(frame: &[u8], range: Range<usize>) -> Result<(Self, Segments<'_>)> {
        let bytes = frame.get(..range.end).unwrap_or(frame);
        let mut segments = Segments { bytes, offset: range.start };
        let clause = "ITU-T T.800 A.4.1";
        match bytes.get(range.start..).unwrap_or_default() {
            [0xFF, 0x4F, ..] => segments.offset += 2,
            [] | [0xFF] => return Err(truncated("codestream ends within the SOC marker FF4F", clause).at(bytes.len())),
            _ => return Err(malformed("no SOC marker FF4F at the start of the codestream", clause).at(range.start)),
        }
        if segments.peek()? != SIZ {
            let text = format!("marker FF{:02X} found, SIZ marker FF51 expected", segments.peek()?);
            return Err(malformed(text, "ITU-T T.800 A.5.1").at(segments.offset));
        }
        let size = ImageSize::parse(segments.read()?.parameters)?;
        let mut header = Self {
            size,
            parameters: ParameterSet::default(),
            is_high_throughput: false,
            extension: None,
            packed_headers: Vec::new(),
        };
        while let Some(segment) = next_segment(&mut segments).transpose() {
            match segment.and_then(|segment| header.read(&segment)) {
                Ok(()) => {}
                // After a segment of T.801 there may be others that T.800 does not define.
                Err(_) if header.extension.is_some() => break,
                Err(error) => return Err(error),
            }
        }
        header.is_high_throughput |= header.parameters.codings().any(|coding| coding.style.is_high_throughput());
        Ok((header, segments))
    }

    fn read(&mut self, segment: &Segment<'_>) -> Result<()> {
        /// Bit of Pcap for T.814 (Part 15).
        const PART_15: u32 = 1 << (32 - 15);
        let mut parameters = segment.parameters;
        if self.parameters.read(segment, self.size.components.len())? {
            return Ok(());
        }
        match segment.code {
            CAP => self.is_high_throughput |= parameters.u32()? & PART_15 != 0,
            PPM => {
                let index = parameters.u8()?;
                let start = parameters.offset();
                self.packed_headers.push((index, start..start + parameters.rest().len()));
            }
            SIZ | SOD | EOC => {
                let text = format!("{} marker is not expected in the main header", name(segment.code));
                return Err(malformed(text, "ITU-T T.800 A.3").at(segment.offset));
            }
            // The rest of the header is read all the same, for decoders of other packages.
            code if is_part_2(code) => self.extension = self.extension.or(Some((code, segment.offset))),
            // Other segments are informative (T.800 A.1).
            _ => {}
        }
        Ok(())
    }
}

/// Reads the next segment of the main header; `None` at the first tile-part.
fn next_segment<'a>(segments: &mut Segments<'a>) -> Result<Option<Segment<'a>>> {
    if segments.peek()? == SOT { Ok(None) } else { segments.read().map(Some) }
}

/// The error of a segment of T.801.
fn part_2_error(code: u8, offset: usize) -> DecodeError {
    let text = format!("marker FF{code:02X} of T.801 found, markers of T.800 expected");
    unsupported(text, "ITU-T T.800 A.1").at(offset)
}

impl Header {
    /// Returns the tile-parts of a tile in the order of the codestream.
    pub(in crate::codec) fn tile_parts(&self, tile: u32) -> &[TilePart] {
        self.tile(tile).map_or(&[], |tile| &tile.parts)
    }

    /// Returns the parameters that hold for a tile.
    pub(in crate::codec) fn parameters(&self, tile: u32) -> TileParameters<'_> {
        let tile = self.tile(tile).and_then(|tile| tile.parameters.as_deref());
        TileParameters { main: &self.main.parameters, tile }
    }

    /// Returns the byte ranges of the packed packet headers of a tile-part, in order.
    pub(in crate::codec) fn packed_headers(&self, part: &TilePart) -> &[Range<usize>] {
        self.packed_headers.get(part.packed_headers.clone()).unwrap_or_default()
    }

    fn tile(&self, tile: u32) -> Option<&TileHeader> {
        self.tiles.get(&u16::try_from(tile).ok()?)
    }
}
