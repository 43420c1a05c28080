//! Geometry of one tile (T.800 Annex B), and what its packets contain: flat arrays that are reused from tile to tile.
//!
//! ```text
//! tile ─► components ─► resolutions ─► bands       ─► code-blocks   row by row over the whole band
//!                                  └─► precincts   ─► precinct-bands: rectangles of code-blocks, two tag trees each
//! code-block ─► chunks, a chain in the order of the packets
//! ```
//!
//! The grid of code-blocks is anchored at 0, and precincts are multiples of code-blocks, so that each band has one regular
//! grid. A run of its rows is a contiguous part of the band's coefficients, which the block decoders need.
//!
//! ```text
//! band             columns 5 to 23, code-blocks of 8 columns
//! code-blocks      5..8 │ 8..16 │ 16..23        grid columns 0 │ 1 │ 2
//! precinct-bands   of 16 columns:  0..2 │ 2..3  in grid columns
//! ```
//!
//! Memory is bounded before it is allocated: each precinct has a packet of at least one byte in every layer, so that there
//! are at most as many as the tile-parts have bytes. Code-blocks are bounded by the samples of the tile and the precincts.

mod build;
mod data;
#[cfg(test)]
mod tests;

#[allow(unused_imports, reason = "the driver is the next commit")]
pub(in crate::codec) use data::{CodedData, DataBuffers, DataRange};

use super::codestream::{BlockStyle, Rectangle};
use super::tag_tree::Node;
use crate::kernel::code_block::{BandKind, Dequantization};
use std::ops::Range;

/// A tile-component.
#[derive(Debug, Clone)]
pub(in crate::codec) struct TileComponent {
    /// Number of decomposition levels.
    pub(in crate::codec) levels: u8,
    /// True for the 5/3 wavelet, false for 9/7.
    pub(in crate::codec) is_reversible: bool,
    pub(in crate::codec) style: BlockStyle,
    /// Shift in bits of the region of interest; 0 for none.
    pub(in crate::codec) roi_shift: u8,
    /// Indices of its resolutions, the smallest first: one more than levels.
    pub(in crate::codec) resolutions: Range<usize>,
}

/// A resolution of a tile-component (T.800 B.5).
#[derive(Debug, Clone)]
pub(in crate::codec) struct Resolution {
    /// Index of its component.
    pub(in crate::codec) component: u16,
    /// Index in the component: 0 for the LL band.
    pub(in crate::codec) index: u8,
    /// False if it is discarded (`reduce`): its packets are parsed, but not kept.
    pub(in crate::codec) is_decoded: bool,
    /// Columns and rows, in its own coordinates.
    pub(in crate::codec) area: Rectangle,
    /// Indices of its bands: LL, or HL, LH, HH.
    pub(in crate::codec) bands: Range<usize>,
    /// Exponents of width and height of its precincts.
    pub(super) precinct_exponents: (u8, u8),
    /// Number of precincts in a row, and of rows.
    pub(super) precincts: (u32, u32),
    /// Index of its first precinct.
    first_precinct: usize,
    /// Index of the first precinct-band. Those of one precinct are consecutive.
    first_precinct_band: usize,
}

/// A band of a resolution.
#[derive(Debug, Clone)]
pub(in crate::codec) struct Band {
    pub(in crate::codec) kind: BandKind,
    /// Columns and rows, in its own coordinates.
    pub(in crate::codec) area: Rectangle,
    /// Number of magnitude bit-planes without the region of interest (Mb, T.800 E-2): at most 37.
    pub(in crate::codec) bit_planes: u8,
    pub(in crate::codec) dequantization: Dequantization,
    /// Exponents of width and height of its code-blocks.
    block_exponents: (u8, u8),
    /// Number of code-blocks in a row.
    pub(in crate::codec) block_columns: u32,
    /// Number of rows of code-blocks.
    pub(in crate::codec) block_rows: u32,
    /// Index of its first code-block.
    pub(in crate::codec) first_block: usize,
}

/// Code-blocks of one precinct in one band.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PrecinctBand {
    /// Column and row of the first code-block in the grid of the band.
    pub(super) first: (u32, u32),
    /// Columns and rows of code-blocks.
    pub(super) size: (u32, u32),
    /// Index of the first node of the inclusion tree. The tree of zero bit-planes follows.
    pub(super) first_node: usize,
}

/// Coding of a code-block, as far as packets have determined it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Coding {
    /// No packet has included it.
    #[default]
    NotIncluded,
    /// T.800.
    Ebcot,
    /// T.814, but all passes up to now are placeholders; T.800 too if the style is mixed.
    Placeholders,
    /// T.814, with a cleanup segment.
    HighThroughput,
}

/// A code-block.
#[derive(Debug, Clone, Copy)]
pub(in crate::codec) struct Block {
    /// Index of its first chunk; `NO_CHUNK` for none.
    first_chunk: u32,
    /// Index of its last chunk.
    last_chunk: u32,
    pub(super) coding: Coding,
    /// Number of coding passes in the packets up to now: at most 164.
    pub(super) passes: u8,
    /// Number of bit-planes without a significant coefficient.
    pub(super) zero_bit_planes: u8,
    /// State Lblock of the lengths (T.800 B.10.7.1).
    pub(super) length_bits: u8,
}

/// End of a chain of chunks.
const NO_CHUNK: u32 = u32::MAX;

/// Bytes of a codeword segment in one packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    /// Byte offset in the frame.
    pub(super) offset: usize,
    pub(super) bytes: u32,
    /// Index of the block's next chunk; `NO_CHUNK` for none.
    next: u32,
    /// Number of coding passes.
    pub(super) passes: u8,
    /// True if it starts a codeword segment.
    pub(super) starts_segment: bool,
}

/// One tile. The default value has no components, and no memory.
#[derive(Debug, Default)]
pub(in crate::codec) struct Tile {
    /// Part of the image on the reference grid.
    pub(in crate::codec) area: Rectangle,
    /// True if the first three components are transformed. They have one size and one wavelet then.
    pub(in crate::codec) has_component_transform: bool,
    pub(in crate::codec) components: Vec<TileComponent>,
    pub(in crate::codec) resolutions: Vec<Resolution>,
    pub(in crate::codec) bands: Vec<Band>,
    /// Number of layers of each precinct that packets have contained.
    pub(super) precinct_layers: Vec<u16>,
    pub(super) precinct_bands: Vec<PrecinctBand>,
    pub(super) nodes: Vec<Node>,
    pub(super) blocks: Vec<Block>,
    chunks: Vec<Chunk>,
}

impl Resolution {
    /// Returns the number of precincts.
    pub(super) fn precinct_count(&self) -> u32 {
        self.precincts.0 * self.precincts.1
    }

    /// Returns the index of a precinct in the tile.
    pub(super) fn precinct(&self, precinct: u32) -> usize {
        self.first_precinct + precinct as usize
    }

    /// Returns the index of the precinct-band of the first band in a precinct.
    pub(super) fn precinct_band(&self, precinct: u32) -> usize {
        self.first_precinct_band + precinct as usize * self.bands.len()
    }

    /// Returns column and row of the reference grid at which position-based progressions have a precinct (T.800 B.12.1.3):
    /// its start, or that of the tile. `levels` is that of the component, `steps` its subsampling.
    pub(super) fn precinct_position(&self, precinct: u32, levels: u8, steps: (u8, u8), tile: &Rectangle) -> (u64, u64) {
        let (column, row) = (precinct % self.precincts.0.max(1), precinct / self.precincts.0.max(1));
        let position = |range: &Range<u32>, exponent: u8, index: u32, step: u8, tile: &Range<u32>| {
            let start = u64::from(range.start >> exponent) + u64::from(index);
            let on_grid = (start << (u32::from(exponent) + u32::from(levels - self.index))) * u64::from(step);
            on_grid.max(tile.start.into())
        };
        let (width, height) = self.precinct_exponents;
        (
            position(&self.area.columns, width, column, steps.0, &tile.columns),
            position(&self.area.rows, height, row, steps.1, &tile.rows),
        )
    }
}

impl Band {
    /// Returns columns and rows of a code-block, from the start of the band.
    pub(in crate::codec) fn block_area(&self, column: u32, row: u32) -> Rectangle {
        let cut = |range: &Range<u32>, exponent: u8, index: u32| {
            let start = (range.start >> exponent) + index;
            let block_start = (start << exponent).max(range.start);
            let block_end = ((u64::from(start) + 1) << exponent).min(range.end.into());
            block_start - range.start..u32::try_from(block_end).unwrap_or(range.end) - range.start
        };
        Rectangle {
            columns: cut(&self.area.columns, self.block_exponents.0, column),
            rows: cut(&self.area.rows, self.block_exponents.1, row),
        }
    }
}

impl Tile {
    /// True if a component has no coded data, so that all its coefficients are 0.
    pub(in crate::codec) fn is_empty(&self, component: &TileComponent) -> bool {
        let resolutions = self.resolutions.get(component.resolutions.clone()).unwrap_or_default();
        let bands =
            resolutions.iter().flat_map(|resolution| self.bands.get(resolution.bands.clone()).unwrap_or_default());
        bands.into_iter().all(|band| {
            let count = band.block_columns as usize * band.block_rows as usize;
            let blocks = self.blocks.get(band.first_block..band.first_block + count).unwrap_or_default();
            blocks.iter().all(|block| block.first_chunk == NO_CHUNK)
        })
    }

    /// Returns the code-blocks of a row of code-blocks of a band; none if there is no such row.
    pub(in crate::codec) fn block_row(&self, band: &Band, row: u32) -> &[Block] {
        let start = band.first_block + row as usize * band.block_columns as usize;
        self.blocks.get(start..start + band.block_columns as usize).unwrap_or_default()
    }
}
