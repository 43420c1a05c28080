//! Packets of a tile: headers, and byte ranges of their bodies (T.800 B.9 to B.12).
//!
//! ```text
//! packet   [SOP] │ header: inclusion, zero bit-planes, passes, lengths of each code-block │ [EPH] │ body
//! order    progressions: which precinct and layer the next packet is of
//! ```
//!
//! Headers are before their bodies, or packed in PPM and PPT segments. SOP and EPH markers are skipped, whether they are
//! declared or not: neither headers nor codeword segments can start like markers.
//!
//! A body that ends up to two bytes after the frame is a deviation if it is that of the last packet: some writers cut
//! padding. So are a few bytes after the last packet. Other missing or additional data are errors.

mod bits;
mod code_block;
mod header;
mod progression;
#[cfg(test)]
mod tests;

pub(in crate::codec) use bits::BitReader;

use super::codestream::{Header, TilePart};
use super::tile::Tile;
use crate::error::{DecodeError, Result, truncated};
use crate::frame::Deviation;
use crate::limits::Limits;
use header::Contribution;
use std::ops::Range;

/// Start of packet: a marker segment before a header (T.800 A.8.1).
const SOP: u8 = 0x91;
/// End of packet header: a marker after a header (T.800 A.8.2).
const EPH: u8 = 0x92;
/// Clause of packet headers.
const CLAUSE: &str = "ITU-T T.800 B.10";
/// Number of missing bytes of the last packet that is a deviation.
const MAX_MISSING_BYTES: usize = 2;
/// Number of bytes after the last packet that is a deviation. With more, the packets were not read as they were written.
const MAX_UNREAD_BYTES: usize = 16;

/// Memory for packets, reused from tile to tile.
#[derive(Debug, Default)]
pub(in crate::codec) struct PacketBuffers {
    contributions: Vec<Contribution>,
    packed_headers: Vec<u8>,
    progression: Vec<progression::Precinct>,
}

/// Reads all packets of tile `index`, whose geometry `tile` has, and adds their bodies to its code-blocks.
///
/// # Errors
/// `Truncated` and `Malformed`; `LimitExceeded`.
pub(in crate::codec) fn read(
    header: &Header,
    index: u32,
    frame: &[u8],
    tile: &mut Tile,
    buffers: &mut PacketBuffers,
    limits: &Limits,
) -> Result<Vec<Deviation>> {
    let PacketBuffers { contributions, packed_headers, progression } = buffers;
    let parts = header.tile_parts(index);
    packed_headers.clear();
    for range in parts.iter().flat_map(|part| header.packed_headers(part)) {
        limits.extend(packed_headers, frame.get(range.clone()).unwrap_or_default())?;
    }
    let mut reader = Reader {
        frame,
        parts,
        data: 0..0,
        packed: header.has_packed_headers.then_some(&packed_headers[..]),
        deviation: None,
        contributions,
        limits,
    };
    progression::for_each_packet(header, index, tile, progression, limits, |tile, resolution, precinct, layer| {
        reader.read_packet(tile, resolution, precinct, layer)
    })?;
    let unread = reader.unread_bytes();
    let mut deviations: Vec<_> = reader.deviation.into_iter().collect();
    if unread > 0 {
        let text = format!("{unread} bytes after the last packet of tile {index} found");
        let deviation = Deviation::new(text, "ITU-T T.800 B.9").at(reader.data.start);
        if unread > MAX_UNREAD_BYTES {
            return Err(deviation.into_error());
        }
        deviations.push(deviation);
    }
    Ok(deviations)
}

/// Position in the packets of a tile.
struct Reader<'a> {
    frame: &'a [u8],
    /// Tile-parts after the current one.
    parts: &'a [TilePart],
    /// Byte range of the current tile-part that is not read.
    data: Range<usize>,
    /// Packed packet headers that are not read.
    packed: Option<&'a [u8]>,
    /// Deviation of a cut body, after which there must be no packet.
    deviation: Option<Deviation>,
    contributions: &'a mut Vec<Contribution>,
    limits: &'a Limits,
}

impl Reader<'_> {
    fn read_packet(&mut self, tile: &mut Tile, resolution: usize, precinct: u32, layer: u16) -> Result<()> {
        if self.deviation.is_some() {
            return Err(self.cut_packet());
        }
        while self.data.is_empty()
            && let [part, rest @ ..] = self.parts
        {
            (self.data, self.parts) = (part.data.clone(), rest);
        }
        self.skip_marker(SOP, 6);
        let bytes = self.packed.unwrap_or_else(|| self.frame.get(self.data.clone()).unwrap_or_default());
        let mut bits = BitReader::new(bytes);
        self.contributions.clear();
        let result = header::read(tile, (resolution, precinct, layer), &mut bits, self.contributions, self.limits);
        let is_cut = bits.is_cut();
        // A cut header reads as zeros, which may be malformed.
        let header_bytes = bits.finish().filter(|_| !is_cut).ok_or_else(|| self.cut_packet())?;
        result.map_err(|error| if self.packed.is_some() { error } else { error.at(self.data.start) })?;
        match &mut self.packed {
            Some(packed) => {
                *packed = packed.get(header_bytes..).unwrap_or_default();
                if let Some(rest) = packed.strip_prefix(&[0xFF, EPH]) {
                    *packed = rest;
                }
            }
            None => {
                self.data.start += header_bytes;
                self.skip_marker(EPH, 2);
            }
        }
        self.read_body(tile, resolution)
    }

    /// Skips a segment of `count` bytes if the data start with marker `code`, up to the end of the tile-part.
    fn skip_marker(&mut self, code: u8, count: usize) {
        if self.frame.get(self.data.clone()).is_some_and(|bytes| bytes.starts_with(&[0xFF, code])) {
            self.data.start = self.data.end.min(self.data.start + count);
        }
    }

    /// Adds the bytes of the contributions to their code-blocks.
    fn read_body(&mut self, tile: &mut Tile, resolution: usize) -> Result<()> {
        let is_decoded = tile.resolutions.get(resolution).is_some_and(|resolution| resolution.is_decoded);
        for index in 0..self.contributions.len() {
            let Some(Contribution { block, passes, starts_segment, bytes }) = self.contributions.get(index).copied()
            else {
                break;
            };
            let missing = (bytes as usize).saturating_sub(self.data.len());
            if missing > 0 {
                self.report_missing(missing)?;
            }
            let end = self.data.end.min(self.data.start + bytes as usize);
            let range = self.data.start..end;
            self.data.start = end;
            if is_decoded {
                tile.add_chunk(block, (range, passes, starts_segment), self.limits)?;
            }
        }
        Ok(())
    }

    /// Reports that the body has `missing` bytes too few.
    fn report_missing(&mut self, missing: usize) -> Result<()> {
        let is_end_of_frame = self.parts.is_empty() && self.data.end + MAX_MISSING_BYTES >= self.frame.len();
        if !is_end_of_frame || missing > MAX_MISSING_BYTES || self.deviation.is_some() {
            return Err(self.cut_packet());
        }
        let text = format!("{missing} bytes of the last packet missing");
        self.deviation = Some(Deviation::new(text, "ITU-T T.800 B.9").at(self.data.end));
        Ok(())
    }

    /// Returns the error of a packet that ends after its tile-part.
    fn cut_packet(&self) -> DecodeError {
        match self.packed {
            Some([]) => truncated("packed packet headers end before the last packet", CLAUSE),
            _ => truncated("tile-part ends within a packet", "ITU-T T.800 B.9").at(self.data.end),
        }
    }

    /// Returns the number of bytes after the last packet.
    fn unread_bytes(&self) -> usize {
        self.data.len() + self.parts.iter().map(|part| part.data.len()).sum::<usize>()
    }
}
