//! Order of packets by loops over all positions.

use super::super::super::tile::Tile;
use std::ops::Range;

/// Order of the packets by the loops of T.800 B.12.1, which visit each position of the reference grid.
pub(super) fn packets_in_order(tile: &Tile, order: u8, layers: u16, steps: &[[u8; 3]]) -> Vec<(usize, u32, u16)> {
    let layers = || 0..layers;
    let resolutions = 0..=tile.components.iter().map(|component| component.levels).max().unwrap();
    let of = |component: usize, resolution: u8| {
        let component = &tile.components[component];
        (resolution <= component.levels).then(|| component.resolutions.start + usize::from(resolution))
    };
    let components = 0..tile.components.len();
    let count = |resolution: usize| 0..tile.resolutions[resolution].precinct_count();
    let mut packets = Vec::new();
    // Precinct of a resolution that starts at a position.
    let at = |component: usize, resolution: u8, row: u32, column: u32| -> Option<(usize, u32)> {
        let index = of(component, resolution)?;
        let found = &tile.resolutions[index];
        let shift = tile.components[component].levels - resolution;
        let start = |range: &Range<u32>, tile: &Range<u32>, exponent: u8, step: u8, position: u32| {
            let (position, step) = (u64::from(position), u64::from(step));
            let period = step << (u32::from(exponent) + u32::from(shift));
            let is_start = position.is_multiple_of(period)
                || position == u64::from(tile.start)
                    && !(u64::from(range.start) << shift).is_multiple_of(1 << (exponent + shift));
            let sample = position.div_ceil(step << shift);
            is_start.then(|| (sample >> exponent) - u64::from(range.start >> exponent))
        };
        let (width, height) = found.precinct_exponents;
        let [_, column_step, row_step] = steps[component];
        let column = start(&found.area.columns, &tile.area.columns, width, column_step, column)?;
        let row = start(&found.area.rows, &tile.area.rows, height, row_step, row)?;
        let (columns, rows) = found.precincts;
        let is_there = column < u64::from(columns) && row < u64::from(rows);
        is_there.then(|| (index, u32::try_from(row * u64::from(columns) + column).unwrap()))
    };
    let positions =
        || tile.area.rows.clone().flat_map(|row| tile.area.columns.clone().map(move |column| (row, column)));
    let mut visit = |found: Option<(usize, u32)>, layers: Range<u16>| {
        let (resolution, precinct) = found?;
        layers.for_each(|layer| packets.push((resolution, precinct, layer)));
        Some(())
    };
    match order {
        0 => layers().for_each(|layer| {
            for (resolution, component) in resolutions.clone().flat_map(|r| components.clone().map(move |c| (r, c))) {
                let Some(index) = of(component, resolution) else { continue };
                count(index).for_each(|precinct| _ = visit(Some((index, precinct)), layer..layer + 1));
            }
        }),
        1 => resolutions.for_each(|resolution| {
            for (layer, component) in layers().flat_map(|layer| components.clone().map(move |c| (layer, c))) {
                let Some(index) = of(component, resolution) else { continue };
                count(index).for_each(|precinct| _ = visit(Some((index, precinct)), layer..layer + 1));
            }
        }),
        2 => resolutions.for_each(|resolution| {
            for (row, column) in positions() {
                components.clone().for_each(|component| _ = visit(at(component, resolution, row, column), layers()));
            }
        }),
        3 => positions().for_each(|(row, column)| {
            for (component, resolution) in components.clone().flat_map(|c| resolutions.clone().map(move |r| (c, r))) {
                visit(at(component, resolution, row, column), layers());
            }
        }),
        _ => components.for_each(|component| {
            for (row, column) in positions() {
                resolutions.clone().for_each(|resolution| _ = visit(at(component, resolution, row, column), layers()));
            }
        }),
    }
    packets
}
