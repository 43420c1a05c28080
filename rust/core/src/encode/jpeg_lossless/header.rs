//! The marker segments around the entropy-coded bytes.

use super::huffman::Tables;
use super::plan::Plan;

const SOI: u16 = 0xFFD8;
const SOF3: u16 = 0xFFC3;
const DHT: u16 = 0xFFC4;
const DRI: u16 = 0xFFDD;
const SOS: u16 = 0xFFDA;
const EOI: u16 = 0xFFD9;

/// Writes all that comes before the first entropy-coded byte (T.81 B.2).
pub(super) fn write(recipe: &Plan<'_>, tables: &Tables, out: &mut Vec<u8>) {
    out.extend(SOI.to_be_bytes());
    let mut frame = vec![recipe.precision];
    frame.extend(recipe.rows.to_be_bytes());
    frame.extend(recipe.columns.to_be_bytes());
    frame.push(recipe.components);
    for component in 1..=recipe.components {
        // Sampling factors 1 x 1, no quantization table.
        frame.extend([component, 0x11, 0]);
    }
    segment(SOF3, &frame, out);
    let mut specifications = Vec::new();
    for (destination, table) in (0_u8..).zip(tables.distinct()) {
        specifications.push(destination);
        specifications.extend(table.lengths());
        specifications.extend(table.values());
    }
    segment(DHT, &specifications, out);
    if recipe.restart_interval > 0 {
        segment(DRI, &recipe.restart_interval.to_be_bytes(), out);
    }
    let mut scan = vec![recipe.components];
    for (component, destination) in (1..=recipe.components).zip(tables.destinations()) {
        scan.extend([component, destination << 4]);
    }
    scan.extend([recipe.selection_value, 0, recipe.point_transform]);
    segment(SOS, &scan, out);
}

/// Writes the end of the image.
pub(super) fn end(out: &mut Vec<u8>) {
    out.extend(EOI.to_be_bytes());
}

/// The restart marker after interval `index`, counted from 0 (T.81 B.2.1).
pub(super) fn restart(index: usize) -> [u8; 2] {
    const RST0: u8 = 0xD0;
    [0xFF, RST0 | (index % 8).to_le_bytes()[0]]
}

/// A marker and its parameters, with their length between; all segments here are shorter than 200 bytes.
fn segment(marker: u16, parameters: &[u8], out: &mut Vec<u8>) {
    out.extend(marker.to_be_bytes());
    out.extend(u16::try_from(parameters.len() + 2).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(parameters);
}
