//! Packet headers (T.800 B.10).
//!
//! ```text
//! bit 0: the packet is empty
//! bit 1: for each band, each code-block of the precinct, row by row:
//!   included?      inclusion tag tree for the first time, then one bit
//!   first time     zero bit-planes: tag tree
//!   passes         1 to 164
//!   Lblock         one more for each bit 1, up to a bit 0
//!   lengths        one for each codeword segment that has passes in the packet
//! ```

use super::CLAUSE;
use super::bits::BitReader;
use super::code_block::{self, SegmentRules};
use crate::codec::jpeg2000::tag_tree;
use crate::codec::jpeg2000::tile::{Coding, Tile};
use crate::error::{Result, malformed};
use crate::limits::Limits;

/// Passes of one codeword segment of a code-block in a packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contribution {
    /// Index of the code-block in the tile.
    pub(super) block: usize,
    pub(super) passes: u8,
    /// True if the segment starts with them.
    pub(super) starts_segment: bool,
    pub(super) bytes: u32,
}

/// Largest number of coding passes of a code-block that one packet can declare.
const MAX_PASSES: u32 = 164;

/// Reads the header of a packet: of a resolution, precinct and layer. Its contributions are appended.
///
/// # Errors
/// `Malformed`; also if `bits` end, which [`BitReader::is_cut`] reports. `LimitExceeded`.
pub(super) fn read(
    tile: &mut Tile,
    (resolution, precinct, layer): (usize, u32, u16),
    bits: &mut BitReader<'_>,
    contributions: &mut Vec<Contribution>,
    limits: &Limits,
) -> Result<()> {
    if !bits.bit() {
        return Ok(());
    }
    let Tile { components, resolutions, bands, precinct_bands, nodes, blocks, .. } = tile;
    let Some(resolution) = resolutions.get(resolution) else { return Ok(()) };
    let Some(component) = components.get(usize::from(resolution.component)) else { return Ok(()) };
    let rules = SegmentRules::new(component.style);
    let bands = bands.get(resolution.bands.clone()).unwrap_or_default();
    let precinct_bands = precinct_bands.get(resolution.precinct_band(precinct)..).unwrap_or_default();
    for (band, precinct_band) in bands.iter().zip(precinct_bands) {
        let (width, height) = precinct_band.size;
        let node_count = usize::try_from(tag_tree::node_count(width, height)).unwrap_or(usize::MAX);
        let trees = nodes.get_mut(precinct_band.first_node..).unwrap_or_default();
        let Some((inclusion, planes)) = trees.split_at_mut_checked(node_count) else { continue };
        let max_planes = band.bit_planes.saturating_add(component.roi_shift);
        for row in 0..height {
            let first = (precinct_band.first.1 + row) as usize * band.block_columns as usize;
            let first = band.first_block + first + precinct_band.first.0 as usize;
            for column in 0..width {
                let index = first + column as usize;
                let Some(block) = blocks.get_mut(index) else { continue };
                let position = (column, row);
                let is_first = block.coding == Coding::NotIncluded;
                let is_included = if is_first {
                    tag_tree::read(inclusion, precinct_band.size, position, layer + 1, bits).is_some()
                } else {
                    bits.bit()
                };
                if !is_included {
                    continue;
                }
                if is_first {
                    let threshold = u16::from(max_planes) + 1;
                    let zero_planes = tag_tree::read(planes, precinct_band.size, position, threshold, bits);
                    let zero_planes = zero_planes.and_then(|planes| u8::try_from(planes).ok()).ok_or_else(|| {
                        let text = format!("code-block with more zero bit-planes than the {max_planes} of its band");
                        malformed(text, "ITU-T T.800 B.10.5")
                    })?;
                    block.zero_bit_planes = zero_planes;
                    block.coding = rules.first_coding();
                }
                let passes = read_passes(bits);
                code_block::read_lengths(block, passes, rules, bits, |passes, starts_segment, bytes| {
                    limits.push(contributions, Contribution { block: index, passes, starts_segment, bytes })
                })?;
                if bits.is_cut() {
                    return Err(malformed("packet header is cut", CLAUSE));
                }
            }
        }
    }
    Ok(())
}

/// Reads the number of coding passes, 1 to 164 (T.800 Table B.4).
fn read_passes(bits: &mut BitReader<'_>) -> u32 {
    if !bits.bit() {
        return 1;
    }
    if !bits.bit() {
        return 2;
    }
    match bits.bits(2) {
        3 => {}
        more => return 3 + more,
    }
    match bits.bits(5) {
        31 => (37 + bits.bits(7)).min(MAX_PASSES),
        more => 6 + more,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_passes_of_each_code_gives_its_number() {
        let cases: [(&[u8], u32); 9] = [
            (&[0b0000_0000], 1),
            (&[0b1000_0000], 2),
            (&[0b1100_0000], 3),
            (&[0b1110_0000], 5),
            (&[0b1111_0000, 0], 6),
            (&[0b1111_1111, 0], 36),
            (&[0b1111_1111, 0b0100_0000, 0], 37),
            (&[0b1111_1111, 0b0110_0000, 0], 37 + 64),
            (&[0b1111_1111, 0b0111_1111, 0b1000_0000], 164),
        ];
        for (bytes, passes) in cases {
            assert_eq!(read_passes(&mut BitReader::new(bytes)), passes, "{bytes:02X?}");
        }
    }
}
