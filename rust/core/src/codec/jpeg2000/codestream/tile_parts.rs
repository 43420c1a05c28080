//! Headers of the tile-parts, up to EOC (T.800 A.4.2 to A.4.4).

use super::marker::{COC, COD, EOC, POC, PPT, QCC, QCD, RGN, SIZ, SOD, SOT, Segment, Segments, is_part_2, name};
use super::packed_headers::{self, MainPackedHeaders};
use super::{Header, MainHeader, TileHeader, part_2_error};
use crate::error::{ErrorKind, Result, malformed, truncated};
use crate::frame::Deviation;
use std::collections::BTreeMap;
use std::ops::Range;

/// Clause of SOT.
const CLAUSE: &str = "ITU-T T.800 A.4.2";
/// Bytes of SOT and SOD, the minimum of a tile-part.
const MIN_TILE_PART_BYTES: usize = 14;

/// A part of the packets of a tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::codec) struct TilePart {
    /// Byte range in the frame of its packets.
    pub(in crate::codec) data: Range<usize>,
    /// True if the frame ends before the declared end of the tile-part.
    pub(in crate::codec) is_cut: bool,
    /// Indices of the byte ranges of its packed packet headers.
    pub(super) packed_headers: Range<usize>,
}

/// Headers that are being read.
struct Reader<'a> {
    main: MainHeader,
    main_packed_headers: Option<MainPackedHeaders<'a>>,
    tiles: BTreeMap<u16, TileHeader>,
    packed_headers: Vec<Range<usize>>,
    has_packed_headers: bool,
    deviations: Vec<Deviation>,
}

impl Header {
    /// Reads all headers of the codestream at `range` of a frame.
    ///
    /// # Errors
    /// `Truncated`, `Malformed`; `Unsupported` for segments of T.801.
    pub(in crate::codec) fn parse(frame: &[u8], range: Range<usize>) -> Result<Self> {
        let (mut main, mut segments) = MainHeader::parse(frame, range)?;
        if let Some((code, offset)) = main.extension {
            return Err(part_2_error(code, offset));
        }
        let component_count = main.size.components.len();
        let packed = std::mem::take(&mut main.packed_headers);
        let main_packed_headers = if packed.is_empty() { None } else { Some(MainPackedHeaders::new(frame, packed)?) };
        let has_packed_headers = main_packed_headers.is_some();
        let mut reader = Reader {
            main,
            main_packed_headers,
            tiles: BTreeMap::new(),
            packed_headers: Vec::new(),
            has_packed_headers,
            deviations: Vec::new(),
        };
        reader.check_component_transform(component_count);
        reader.read_tile_parts(&mut segments)?;
        let Reader { main, tiles, packed_headers, has_packed_headers, deviations, .. } = reader;
        let header = Self { main, tiles, packed_headers, has_packed_headers, deviations };
        let missing = (0..header.main.size.tile_count()).find(|tile| header.tile_parts(*tile).is_empty());
        match missing {
            Some(tile) => {
                Err(truncated(format!("tile {tile} has no tile-part"), CLAUSE).at(segments.offset.min(frame.len())))
            }
            None => Ok(header),
        }
    }
}

impl Reader<'_> {
    /// Reports a component transform of less than three components, which is not applied, as in OpenJPEG.
    fn check_component_transform(&mut self, component_count: usize) {
        let style = self.main.parameters.style();
        if let Some(style) = style.filter(|style| style.has_component_transform && component_count < 3) {
            let text = format!("multiple component transform found, with {component_count} of 3 components");
            self.deviations.push(Deviation::new(text, "ITU-T T.800 A.6.1").at(style.transform_offset));
        }
    }

    /// True if every tile has a tile-part.
    fn has_all_tiles(&self) -> bool {
        self.tiles.len() as u64 == u64::from(self.main.size.tile_count())
    }

    /// Reads tile-parts up to EOC.
    fn read_tile_parts(&mut self, segments: &mut Segments<'_>) -> Result<()> {
        loop {
            let (offset, end) = (segments.offset, segments.bytes.len());
            let found = segments.peek();
            let is_tile_part = found == Ok(SOT);
            let result = match found {
                Ok(EOC) => {
                    self.deviations.extend(bytes_after_eoc(segments.bytes, offset + 2));
                    return Ok(());
                }
                Ok(SOT) => self.read_tile_part(segments),
                Ok(code) => {
                    let text = format!("marker FF{code:02X} found, SOT marker FF90 or EOC marker FFD9 expected");
                    Err(malformed(text, CLAUSE).at(offset))
                }
                Err(error) => Err(error),
            };
            match result {
                Ok(()) => {}
                // Bytes after the last tile-part that are no tile-part: all samples are there.
                Err(error) if self.has_all_tiles() && (!is_tile_part || error.kind() == ErrorKind::Truncated) => {
                    let is_cut = self.tiles.values().flat_map(|tile| &tile.parts).any(|part| part.is_cut);
                    if !is_cut {
                        let text = match end.saturating_sub(offset) {
                            0 => "no EOC marker FFD9 after the last tile-part".to_owned(),
                            rest => format!("{rest} bytes after the last tile-part found, EOC marker FFD9 expected"),
                        };
                        self.deviations.push(Deviation::new(text, "ITU-T T.800 A.4.4").at(offset));
                    }
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads the header of the tile-part that starts at `segments`, which continue after its packets.
    fn read_tile_part(&mut self, segments: &mut Segments<'_>) -> Result<()> {
        let start = segments.offset;
        let mut parameters = segments.read()?.parameters;
        let offset = parameters.offset();
        let (tile, length) = (parameters.u16()?, parameters.u32()?);
        let (part_index, _part_count) = (parameters.u8()?, parameters.u8()?);
        let tile_count = self.main.size.tile_count();
        if u32::from(tile) >= tile_count {
            let text = format!("tile index {tile} is out of range for {tile_count} tiles");
            return Err(malformed(text, CLAUSE).at(offset));
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length != 0 && length < MIN_TILE_PART_BYTES {
            let text = format!("length {length} of a tile-part found, {MIN_TILE_PART_BYTES} or more expected");
            return Err(malformed(text, CLAUSE).at(offset + 2));
        }
        let expected = self.tiles.get(&tile).map_or(0, |tile| tile.parts.len());
        if usize::from(part_index) != expected && !self.deviations.iter().any(|found| found.clause == PART_ORDER_CLAUSE)
        {
            let text = format!("index {part_index} of a tile-part of tile {tile} found, {expected} expected");
            self.deviations.push(Deviation::new(text, PART_ORDER_CLAUSE).at(offset + 6));
        }
        let packed_start = self.packed_headers.len();
        let (mut packed, mut progressions) = (Vec::new(), Vec::new());
        loop {
            let segment = segments.read()?;
            match segment.code {
                SOD => break,
                COD | COC | QCD | QCC | RGN if expected > 0 => {
                    let text = format!("{} segment found after the first tile-part of tile {tile}", name(segment.code));
                    return Err(malformed(text, "ITU-T T.800 A.3").at(segment.offset));
                }
                COD | COC | QCD | QCC | RGN => self.read_parameters(tile, &segment)?,
                // Not before the header is complete: a cut one must not change the order of packets before it.
                POC => progressions.push(segment),
                PPT => {
                    let mut parameters = segment.parameters;
                    let index = parameters.u8()?;
                    let start = parameters.offset();
                    packed.push((index, start..start + parameters.rest().len()));
                }
                SIZ | SOT | EOC => {
                    let text = format!("{} marker is not expected in a tile-part header", name(segment.code));
                    return Err(malformed(text, "ITU-T T.800 A.3").at(segment.offset));
                }
                code if is_part_2(code) => return Err(part_2_error(code, segment.offset)),
                _ => {}
            }
        }
        if !packed.is_empty() {
            if self.main_packed_headers.is_some() {
                let text = "packed packet headers found in the main header and in a tile-part header";
                return Err(malformed(text, "ITU-T T.800 A.7.5").at(start));
            }
            self.has_packed_headers = true;
            self.packed_headers.extend(packed_headers::sort(packed)?);
        }
        if let Some(main_packed_headers) = &mut self.main_packed_headers {
            main_packed_headers.next_tile_part(&mut self.packed_headers).map_err(|error| error.at(start))?;
        }
        for segment in &progressions {
            self.read_parameters(tile, segment)?;
        }
        let (data, is_cut) = self.data_range(segments, start, length)?;
        segments.offset = data.end;
        let packed_headers = packed_start..self.packed_headers.len();
        self.tiles.entry(tile).or_default().parts.push(TilePart { data, is_cut, packed_headers });
        Ok(())
    }

    fn read_parameters(&mut self, tile: u16, segment: &Segment<'_>) -> Result<()> {
        let parameters = self.tiles.entry(tile).or_default().parameters.get_or_insert_default();
        parameters.read(segment, self.main.size.components.len()).map(|_| ())
    }

    /// Returns the byte range of the packets of a tile-part that starts at `start`, and true if the frame ends before it
    /// does. `length` is Psot; 0 for a tile-part that ends where the codestream does.
    fn data_range(&mut self, segments: &Segments<'_>, start: usize, length: usize) -> Result<(Range<usize>, bool)> {
        let (data_start, end) = (segments.offset, segments.bytes.len());
        if length == 0 {
            let rest = segments.bytes.get(data_start..).unwrap_or_default();
            let eoc_bytes = match rest {
                [.., 0xFF, EOC] => 2,
                // One byte of padding.
                [.., 0xFF, EOC, _] => 3,
                _ => 0,
            };
            return Ok((data_start..end - eoc_bytes, false));
        }
        let declared_end = start.saturating_add(length);
        if declared_end < data_start {
            let text = format!("length {length} of a tile-part found, its header has {} bytes", data_start - start);
            return Err(malformed(text, CLAUSE).at(start + 6));
        }
        if declared_end > end {
            let text = format!("tile-part ends {} bytes after the codestream", declared_end - end);
            self.deviations.push(Deviation::new(text, CLAUSE).at(start + 6));
        }
        Ok((data_start..declared_end.min(end), declared_end > end))
    }
}

/// Clause of the order of tile-parts, which one deviation of a codestream has.
const PART_ORDER_CLAUSE: &str = "ITU-T T.800 Table A.6";

/// Returns the deviation of bytes after EOC, which ends at `offset`. Zeros, and a byte that makes the length even, are
/// padding.
fn bytes_after_eoc(bytes: &[u8], offset: usize) -> Option<Deviation> {
    match bytes.get(offset..)? {
        rest if rest.iter().all(|byte| *byte == 0) => None,
        [_] if bytes.len().is_multiple_of(2) => None,
        rest => {
            let text = format!("{} bytes follow the EOC marker", rest.len());
            Some(Deviation::new(text, "PS3.5 A.4").at(offset))
        }
    }
}
