//! Order of the packets of a tile (T.800 B.12).
//!
//! Each progression is a list of precincts with a key, sorted by it. Position-based orders do not visit the positions of
//! the reference grid, so that the time depends on the number of precincts, and not on the size that the header claims.
//!
//! ```text
//! LRCP   for each layer, each precinct by (resolution, component, index)
//! RLCP   for each resolution, each layer, each precinct by (component, index)
//! RPCL   for each precinct by (resolution, row, column, component, index), each layer
//! PCRL   for each precinct by (row, column, component, resolution, index), each layer
//! CPRL   for each precinct by (component, row, column, resolution, index), each layer
//! ```
//!
//! Packets that an earlier progression contained are not repeated (T.800 A.6.6).

use crate::codec::jpeg2000::codestream::{Header, Progression, ProgressionOrder};
use crate::codec::jpeg2000::tile::Tile;
use crate::error::{Result, malformed};
use crate::limits::Limits;

/// A precinct and its place in a progression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Precinct {
    key: [u64; 4],
    /// Index in its resolution.
    index: u32,
    /// Index of the resolution in the tile.
    resolution: u32,
}

/// Calls `read` for each packet of the tile in order, with the index of its resolution, that of its precinct, and its layer.
///
/// # Errors
/// Those of `read`; `Malformed` if the progressions do not contain all packets.
pub(super) fn for_each_packet(
    header: &Header,
    tile_index: u32,
    tile: &mut Tile,
    precincts: &mut Vec<Precinct>,
    limits: &Limits,
    mut read: impl FnMut(&mut Tile, usize, u32, u16) -> Result<()>,
) -> Result<()> {
    let parameters = header.parameters(tile_index);
    let style = parameters.style()?;
    let all =
        [Progression { order: style.order, resolutions: 0..33, components: 0..u16::MAX, layers_end: style.layers }];
    let changes = parameters.progressions();
    for progression in if changes.is_empty() { &all[..] } else { changes } {
        collect(header, tile, progression, precincts, limits)?;
        let layers = progression.layers_end.min(style.layers);
        let mut visit = |tile: &mut Tile, precinct: &Precinct, layer: u16| {
            let Some(resolution) = tile.resolutions.get(precinct.resolution as usize) else { return Ok(()) };
            let index = resolution.precinct(precinct.index);
            match tile.precinct_layers.get_mut(index) {
                Some(next_layer) if *next_layer == layer => *next_layer += 1,
                _ => return Ok(()),
            }
            read(tile, precinct.resolution as usize, precinct.index, layer)
        };
        match progression.order {
            ProgressionOrder::Lrcp | ProgressionOrder::Rlcp => {
                let is_layer_first = progression.order == ProgressionOrder::Lrcp;
                for group in precincts.chunk_by(|a, b| is_layer_first || a.key[0] == b.key[0]) {
                    for layer in 0..layers {
                        group.iter().try_for_each(|precinct| visit(tile, precinct, layer))?;
                    }
                }
            }
            ProgressionOrder::Rpcl | ProgressionOrder::Pcrl | ProgressionOrder::Cprl => {
                for precinct in precincts.iter() {
                    (0..layers).try_for_each(|layer| visit(tile, precinct, layer))?;
                }
            }
        }
    }
    let missing = tile.precinct_layers.iter().filter(|layers| **layers < style.layers).count();
    if missing > 0 {
        let text = format!("progression order changes of tile {tile_index} leave out packets of {missing} precincts");
        return Err(malformed(text, "ITU-T T.800 A.6.6"));
    }
    Ok(())
}

/// Replaces `precincts` by those of a progression, sorted.
fn collect(
    header: &Header,
    tile: &Tile,
    progression: &Progression,
    precincts: &mut Vec<Precinct>,
    limits: &Limits,
) -> Result<()> {
    precincts.clear();
    for (index, resolution) in (0_u32..).zip(&tile.resolutions) {
        let (number, component_index) = (resolution.index, resolution.component);
        let (Some(component), Some(description)) = (
            tile.components.get(usize::from(component_index)),
            header.main.size.components.get(usize::from(component_index)),
        ) else {
            continue;
        };
        if !progression.resolutions.contains(&number) || !progression.components.contains(&component_index) {
            continue;
        }
        let steps = (description.column_step, description.row_step);
        let (number, component_number) = (u64::from(number), u64::from(component_index));
        for precinct in 0..resolution.precinct_count() {
            let (column, row) = resolution.precinct_position(precinct, component.levels, steps, &tile.area);
            let key = match progression.order {
                ProgressionOrder::Lrcp | ProgressionOrder::Rlcp => [number, component_number, 0, 0],
                ProgressionOrder::Rpcl => [number, row, column, component_number],
                ProgressionOrder::Pcrl => [row, column, component_number, number],
                ProgressionOrder::Cprl => [component_number, row, column, number],
            };
            limits.push(precincts, Precinct { key, index: precinct, resolution: index })?;
        }
    }
    precincts.sort_unstable();
    Ok(())
}
