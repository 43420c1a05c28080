//! Encoder of packets, by the text of Annex B.

use super::super::super::test_streams::{TagTreeEncoder, pack};
use super::super::super::tile::Tile;
use crate::testing::Random;

/// A code-block that is being encoded, and the segments that the packets contain.
#[derive(Clone, Default)]
pub(super) struct Block {
    /// Layer that includes it first; the number of layers if none does.
    pub(super) first_layer: u16,
    pub(super) zero_planes: u16,
    /// Number of empty HT sets before the first cleanup segment.
    pub(super) placeholders: usize,
    length_bits: u32,
    pub(super) passes: usize,
    /// Number of passes and bytes of each codeword segment.
    pub(super) segments: Vec<(usize, Vec<u8>)>,
}

pub(super) struct Encoder {
    random: Random,
    pub(super) style: u8,
    pub(super) blocks: Vec<Block>,
    /// Trees of each precinct-band.
    trees: Vec<Option<(TagTreeEncoder, TagTreeEncoder)>>,
    sop: bool,
    eph: bool,
    packet_count: u16,
}

fn push_bits(bits: &mut Vec<bool>, value: usize, count: u32) {
    (0..count).rev().for_each(|bit| bits.push(value >> bit & 1 != 0));
}

fn push_passes(bits: &mut Vec<bool>, passes: usize) {
    match passes {
        1 => push_bits(bits, 0, 1),
        2 => push_bits(bits, 2, 2),
        3..=5 => push_bits(bits, 12 + passes - 3, 4),
        6..=36 => push_bits(bits, 15 << 5 | (passes - 6), 9),
        _ => push_bits(bits, 511 << 7 | (passes - 37), 16),
    }
}

impl Encoder {
    pub(super) fn new(tile: &Tile, style: u8, layers: u16, seed: u64) -> Self {
        let mut random = Random(seed);
        let mut block = || Block {
            first_layer: u16::try_from(random.below(usize::from(layers) + 1)).unwrap(),
            zero_planes: u16::try_from(random.below(4)).unwrap(),
            placeholders: random.below(3),
            length_bits: 3,
            ..Block::default()
        };
        let blocks: Vec<_> = tile.blocks.iter().map(|_| block()).collect();
        let trees = tile.precinct_bands.iter().map(|_| None).collect();
        let (sop, eph) = (random.below(2) == 0, random.below(2) == 0);
        Self { random, style, blocks, trees, sop, eph, packet_count: 0 }
    }

    /// True if a codeword segment ends after pass `index` (T.800 D.4.2, Table D.9; T.814 B.1).
    fn ends_segment(&self, index: usize, placeholders: usize) -> bool {
        if self.style & 0x40 != 0 {
            return index >= 3 * placeholders && index % 3 != 1;
        }
        self.style & 4 != 0 || self.style & 1 != 0 && index >= 9 && index % 3 != 1
    }

    /// Splits the next passes of a block into those of each segment, and chooses their bytes.
    fn contribute(&mut self, block: usize) -> Vec<(usize, Vec<u8>)> {
        let Block { passes: first, placeholders, .. } = self.blocks[block];
        let is_high_throughput = self.style & 0x40 != 0;
        let most = if self.random.below(8) == 0 { 40 } else { 5 };
        let mut count = 1 + self.random.below(most);
        if is_high_throughput {
            // A packet that has the first cleanup segment does not have the second.
            count = if first <= 3 * placeholders { count.min(3 * placeholders + 3 - first) } else { count.min(9) };
        }
        let count = count.min(160 - first);
        let (mut parts, mut passes) = (Vec::new(), 0);
        for index in first..first + count {
            passes += 1;
            if self.ends_segment(index, placeholders) || index + 1 == first + count {
                let is_placeholder = is_high_throughput && index < 3 * placeholders;
                // Only the first HT set has a cleanup segment.
                let is_empty = is_placeholder || is_high_throughput && index >= 3 * placeholders + 3;
                let least = if is_high_throughput { 2 } else { 0 };
                let bytes = if is_empty { 0 } else { least + self.random.below(200) };
                let bytes = (0..bytes).map(|_| self.random.next().to_le_bytes()[0] & 0x7F).collect();
                parts.push((passes, bytes));
                passes = 0;
            }
        }
        parts
    }

    /// Returns header and body of a packet.
    pub(super) fn packet(&mut self, tile: &Tile, resolution: usize, precinct: u32, layer: u16) -> (Vec<u8>, Vec<u8>) {
        let resolution = &tile.resolutions[resolution];
        // Index of each precinct-band, its columns of code-blocks, and their indices.
        let precinct_bands = resolution.bands.clone().zip(resolution.precinct_band(precinct)..).map(|(band, index)| {
            let (band, precinct_band) = (&tile.bands[band], &tile.precinct_bands[index]);
            let ((column, row), (width, height)) = (precinct_band.first, precinct_band.size);
            let rows = row as usize..(row + height) as usize;
            let first = rows.map(|row| band.first_block + row * band.block_columns as usize + column as usize);
            (index, width as usize, first.flat_map(|first| first..first + width as usize).collect())
        });
        let precinct_bands: Vec<(usize, usize, Vec<usize>)> = precinct_bands.collect();
        let mut blocks = precinct_bands.iter().flat_map(|(_, _, blocks)| blocks);
        let has_new_block = blocks.any(|block| self.blocks[*block].first_layer == layer);
        if !has_new_block && self.random.below(4) == 0 {
            return (vec![0], Vec::new());
        }
        let (mut bits, mut body) = (vec![true], Vec::new());
        for (index, width, blocks) in precinct_bands {
            if self.trees[index].is_none() {
                let layers: Vec<_> = blocks.iter().map(|block| self.blocks[*block].first_layer).collect();
                let planes: Vec<_> = blocks.iter().map(|block| self.blocks[*block].zero_planes).collect();
                let tree = |values: &[u16]| TagTreeEncoder::new(width, values.len() / width.max(1), values);
                self.trees[index] = Some((tree(&layers), tree(&planes)));
            }
            for (leaf, block) in blocks.into_iter().enumerate() {
                let first_layer = self.blocks[block].first_layer;
                let trees = self.trees[index].as_mut().unwrap();
                let is_included = if first_layer >= layer {
                    trees.0.encode(leaf % width, leaf / width, layer + 1, &mut bits);
                    first_layer == layer
                } else {
                    bits.push(self.blocks[block].passes < 150 && self.random.below(3) > 0);
                    bits[bits.len() - 1]
                };
                if !is_included {
                    continue;
                }
                if first_layer == layer {
                    trees.1.encode(leaf % width, leaf / width, u16::MAX, &mut bits);
                }
                let parts = self.contribute(block);
                self.write_parts(block, parts, &mut bits, &mut body);
            }
        }
        (pack(&bits), body)
    }

    /// Writes passes and lengths of a block, and appends the bytes to the body.
    fn write_parts(&mut self, block: usize, parts: Vec<(usize, Vec<u8>)>, bits: &mut Vec<bool>, body: &mut Vec<u8>) {
        push_passes(bits, parts.iter().map(|(passes, _)| passes).sum());
        let needed = parts
            .iter()
            .map(|(passes, bytes)| (usize::BITS - bytes.len().leading_zeros()).saturating_sub(passes.ilog2()));
        let length_bits = needed.max().unwrap_or(0).max(self.blocks[block].length_bits);
        (self.blocks[block].length_bits..length_bits).for_each(|_| bits.push(true));
        bits.push(false);
        self.blocks[block].length_bits = length_bits;
        for (passes, bytes) in parts {
            push_bits(bits, bytes.len(), length_bits + passes.ilog2());
            body.extend(&bytes);
            let Block { passes: first, placeholders, .. } = self.blocks[block];
            let continues = first > 0 && !self.ends_segment(first - 1, placeholders);
            let block = &mut self.blocks[block];
            block.passes += passes;
            match block.segments.last_mut().filter(|_| continues) {
                Some(last) => {
                    last.0 += passes;
                    last.1.extend(bytes);
                }
                None => block.segments.push((passes, bytes)),
            }
        }
    }

    /// Appends a packet with its markers, the header to `headers` if there is one.
    pub(super) fn write(&mut self, packet: (Vec<u8>, Vec<u8>), out: &mut Vec<u8>, headers: Option<&mut Vec<u8>>) {
        if self.sop {
            out.extend([0xFF, 0x91, 0, 4]);
            out.extend(self.packet_count.to_be_bytes());
        }
        self.packet_count += 1;
        let eph: &[u8] = if self.eph { &[0xFF, 0x92] } else { &[] };
        match headers {
            Some(headers) => headers.extend([&packet.0[..], eph].concat()),
            None => out.extend([&packet.0[..], eph].concat()),
        }
        out.extend(&packet.1);
    }
}
