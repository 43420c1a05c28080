//! SIZ: image, tiles and components on the reference grid (T.800 A.5.1, B.2, B.3).
//!
//! ```text
//! reference grid   (0, 0) ── tile origin ── image origin ── image end
//! tile (p, q)      tile origin + (p, q) × tile size, cut to the image
//! component        every XRsiz-th column and YRsiz-th row of the grid
//! ```

use super::marker::Parameters;
use crate::error::{Result, malformed};
use std::ops::Range;

const CLAUSE: &str = "ITU-T T.800 A.5.1";

/// Largest number of tiles: their indices have 16 bits.
const MAX_TILES: u64 = 65_535;
/// Largest number of components.
const MAX_COMPONENTS: u16 = 16_384;
/// Largest precision in bits.
const MAX_PRECISION: u8 = 38;

/// A rectangle of columns and rows, their ends exclusive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::codec) struct Rectangle {
    pub(in crate::codec) columns: Range<u32>,
    pub(in crate::codec) rows: Range<u32>,
}

impl Rectangle {
    /// Returns columns and rows divided by steps, rounded up at both ends.
    pub(in crate::codec) fn divide(&self, column_step: u32, row_step: u32) -> Self {
        let divide = |range: &Range<u32>, step: u32| range.start.div_ceil(step)..range.end.div_ceil(step);
        Self { columns: divide(&self.columns, column_step), rows: divide(&self.rows, row_step) }
    }

    /// Returns the number of columns.
    pub(in crate::codec) fn width(&self) -> u32 {
        self.columns.end.saturating_sub(self.columns.start)
    }

    /// Returns the number of rows.
    pub(in crate::codec) fn height(&self) -> u32 {
        self.rows.end.saturating_sub(self.rows.start)
    }

    /// True if there are no columns or no rows.
    pub(in crate::codec) fn is_empty(&self) -> bool {
        self.columns.is_empty() || self.rows.is_empty()
    }
}

/// Precision, sign and subsampling of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) struct Component {
    /// Bits of a sample: 1 to 38.
    pub(in crate::codec) precision: u8,
    pub(in crate::codec) is_signed: bool,
    /// Columns of the reference grid per sample: 1 to 255.
    pub(in crate::codec) column_step: u8,
    /// Rows of the reference grid per sample: 1 to 255.
    pub(in crate::codec) row_step: u8,
}

/// Image and tiles on the reference grid, and the components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::codec) struct ImageSize {
    /// Capabilities (Rsiz). Bit 15: extensions of T.801 or others; bit 14: T.814.
    pub(in crate::codec) capabilities: u16,
    pub(in crate::codec) image: Rectangle,
    /// Columns of a tile.
    pub(in crate::codec) tile_width: u32,
    /// Rows of a tile.
    pub(in crate::codec) tile_height: u32,
    /// Column and row at which the first tile starts.
    tile_origin: (u32, u32),
    pub(in crate::codec) components: Vec<Component>,
    /// Byte offset in the frame of the segment's parameters.
    pub(in crate::codec) offset: usize,
}

impl ImageSize {
    /// Reads the parameters of SIZ.
    ///
    /// # Errors
    /// `Malformed` for sizes without pixels, too many tiles or components, and components that T.800 does not define.
    pub(super) fn parse(mut parameters: Parameters<'_>) -> Result<Self> {
        let offset = parameters.offset();
        let capabilities = parameters.u16()?;
        let mut pair = || -> Result<(u32, u32)> { Ok((parameters.u32()?, parameters.u32()?)) };
        let (end, start, tile, tile_origin) = (pair()?, pair()?, pair()?, pair()?);
        let sides = [("columns", start.0, end.0, 2), ("rows", start.1, end.1, 6)];
        if let Some((name, start, end, index)) = sides.into_iter().find(|(_, start, end, _)| start >= end) {
            let text = format!("image {name} end at {end} and start at {start}");
            return Err(malformed(text, CLAUSE).at(offset + index));
        }
        let is_first_tile = |origin: u32, side: u32, start: u32| {
            origin <= start && u64::from(origin) + u64::from(side) > u64::from(start)
        };
        let tiles = [("columns", tile_origin.0, tile.0, start.0, 18), ("rows", tile_origin.1, tile.1, start.1, 22)];
        for (name, origin, side, start, index) in tiles {
            if !is_first_tile(origin, side, start) {
                let text = format!("{side} {name} of the first tile start at {origin}, those of the image at {start}");
                return Err(malformed(text, CLAUSE).at(offset + index));
            }
        }
        let component_count = parameters.u16()?;
        if component_count == 0 || component_count > MAX_COMPONENTS {
            let text = format!("{component_count} components found, 1 to {MAX_COMPONENTS} expected");
            return Err(malformed(text, CLAUSE).at(offset + 34));
        }
        let components = (0..component_count).map(|_| parse_component(&mut parameters)).collect::<Result<Vec<_>>>()?;
        let image = Rectangle { columns: start.0..end.0, rows: start.1..end.1 };
        let (tile_width, tile_height) = tile;
        let size = Self { capabilities, image, tile_width, tile_height, tile_origin, components, offset };
        let tile_count = u64::from(size.tile_columns()) * u64::from(size.tile_rows());
        if tile_count > MAX_TILES {
            let text = format!("{tile_count} tiles found, at most {MAX_TILES} expected");
            return Err(malformed(text, CLAUSE).at(offset + 18));
        }
        Ok(size)
    }

    /// Returns the number of tiles in a row of tiles.
    pub(in crate::codec) fn tile_columns(&self) -> u32 {
        (self.image.columns.end - self.tile_origin.0).div_ceil(self.tile_width)
    }

    /// Returns the number of rows of tiles.
    pub(in crate::codec) fn tile_rows(&self) -> u32 {
        (self.image.rows.end - self.tile_origin.1).div_ceil(self.tile_height)
    }

    /// Returns the number of tiles, at most 65535.
    pub(in crate::codec) fn tile_count(&self) -> u32 {
        self.tile_columns() * self.tile_rows()
    }

    /// Returns the part of the image that a tile covers, on the reference grid (T.800 B-7 to B-10).
    pub(in crate::codec) fn tile(&self, index: u32) -> Rectangle {
        let cut = |origin: u32, side: u32, index: u32, image: &Range<u32>| {
            let start = u64::from(origin) + u64::from(side) * u64::from(index);
            let clamp = |position: u64| {
                let position = position.clamp(image.start.into(), image.end.into());
                u32::try_from(position).unwrap_or(image.end)
            };
            clamp(start)..clamp(start + u64::from(side))
        };
        let (column, row) = (index % self.tile_columns(), index / self.tile_columns());
        Rectangle {
            columns: cut(self.tile_origin.0, self.tile_width, column, &self.image.columns),
            rows: cut(self.tile_origin.1, self.tile_height, row, &self.image.rows),
        }
    }
}

fn parse_component(parameters: &mut Parameters<'_>) -> Result<Component> {
    let offset = parameters.offset();
    let (depth, column_step, row_step) = (parameters.u8()?, parameters.u8()?, parameters.u8()?);
    let precision = (depth & 0x7F) + 1;
    if precision > MAX_PRECISION {
        let text = format!("precision {precision} found, 1 to {MAX_PRECISION} expected");
        return Err(malformed(text, CLAUSE).at(offset));
    }
    if column_step == 0 || row_step == 0 {
        let text = format!("subsampling {column_step} and {row_step} found, 1 to 255 expected");
        return Err(malformed(text, CLAUSE).at(offset + 1));
    }
    Ok(Component { precision, is_signed: depth & 0x80 != 0, column_step, row_step })
}

/// Returns rows and columns of the image, as far as `parameters` of SIZ (after its length) are there.
pub(super) fn image_sides(parameters: &[u8]) -> Option<(u32, u32)> {
    let word = |index: usize| parameters.get(index..index + 4)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    Some((word(6)?.checked_sub(word(14)?)?, word(2)?.checked_sub(word(10)?)?))
}
