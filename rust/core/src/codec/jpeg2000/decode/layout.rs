//! Places of the coefficients of a tile in memory.
//!
//! ```text
//! coefficients   component 0: LL │ HL, LH, HH of each level │ component 1: …        one matrix per band
//! low-pass       component 0: results of all levels but the last │ component 1: …   each is the LL of the next level
//! ```

use crate::codec::jpeg2000::codestream::Rectangle;
use crate::codec::jpeg2000::tile::{Band, Tile};
use crate::kernel::wavelet::{LevelGeometry, Wavelet};
use std::ops::Range;

/// One level of the wavelet transform of a tile-component.
#[derive(Debug)]
pub(super) struct Level {
    /// Columns and rows of its result.
    pub(super) geometry: LevelGeometry,
    /// Words of HL, LH and HH in the coefficients.
    pub(super) bands: [Range<usize>; 3],
    /// Words of its result in the low-pass memory. The last level, whose rows are not stored, has none.
    pub(super) result: Range<usize>,
}

/// Levels of a tile-component, the lowest resolution first.
#[derive(Debug)]
pub(super) struct ComponentLayout {
    pub(super) wavelet: Wavelet,
    /// Columns and rows of the result.
    pub(super) geometry: LevelGeometry,
    /// True if all samples are 0 before the level shift. The component has no coefficients and no levels then.
    pub(super) is_empty: bool,
    /// Words of the LL band in the coefficients.
    pub(super) lowest: Range<usize>,
    pub(super) levels: Vec<Level>,
}

/// Layout of a tile.
#[derive(Debug, Default)]
pub(super) struct TileLayout {
    pub(super) components: Vec<ComponentLayout>,
    /// Words of each band of the tile in the coefficients, in ascending order; none for a band that is not decoded
    /// or whose component is empty.
    pub(super) bands: Vec<Range<usize>>,
    /// Words of all coefficients.
    pub(super) coefficient_count: usize,
    /// Words of the low-pass memory.
    pub(super) lowpass_count: usize,
}

fn level_geometry(area: &Rectangle) -> LevelGeometry {
    LevelGeometry { columns: area.columns.clone(), rows: area.rows.clone() }
}

fn area_of(band: &Band) -> usize {
    band.area.width() as usize * band.area.height() as usize
}

impl TileLayout {
    pub(super) fn new(tile: &Tile) -> Self {
        let mut layout = Self { bands: vec![0..0; tile.bands.len()], ..Self::default() };
        for component in &tile.components {
            let resolutions = tile.resolutions.get(component.resolutions.clone()).unwrap_or_default();
            let mut levels: Vec<Level> = Vec::new();
            let mut lowest = 0..0;
            let mut geometry = LevelGeometry { columns: 0..0, rows: 0..0 };
            let is_empty = tile.is_empty(component);
            for resolution in resolutions.iter().take_while(|resolution| resolution.is_decoded) {
                geometry = level_geometry(&resolution.area);
                if is_empty {
                    continue;
                }
                let mut ranges = resolution.bands.clone().map(|band| {
                    let start = layout.coefficient_count;
                    layout.coefficient_count += tile.bands.get(band).map_or(0, area_of);
                    let range = start..layout.coefficient_count;
                    if let Some(place) = layout.bands.get_mut(band) {
                        *place = range.clone();
                    }
                    range
                });
                let mut next = || ranges.next().unwrap_or_default();
                if resolution.index == 0 {
                    lowest = next();
                } else {
                    levels.push(Level { geometry: geometry.clone(), bands: [next(), next(), next()], result: 0..0 });
                }
            }
            // The rows of the last level are not stored.
            let stored = levels.len().saturating_sub(1);
            for level in levels.iter_mut().take(stored) {
                let start = layout.lowpass_count;
                layout.lowpass_count += level.geometry.width() * level.geometry.height();
                level.result = start..layout.lowpass_count;
            }
            let wavelet = if component.is_reversible { Wavelet::Reversible53 } else { Wavelet::Irreversible97 };
            layout.components.push(ComponentLayout { wavelet, geometry, is_empty, lowest, levels });
        }
        layout
    }
}
