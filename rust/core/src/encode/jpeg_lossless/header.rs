//! Marker segments before and after the entropy-coded data (T.81 B.2).

use super::huffman::Tables;
use super::plan::Plan;

const SOI: u16 = 0xFFD8;
const SOF3: u16 = 0xFFC3;
const DHT: u16 = 0xFFC4;
const DRI: u16 = 0xFFDD;
const SOS: u16 = 0xFFDA;
const EOI: u16 = 0xFFD9;

/// Writes SOI, SOF3, DHT, DRI and SOS.
pub(super) fn write(plan: &Plan<'_>, tables: &Tables, out: &mut Vec<u8>) {
    out.extend(SOI.to_be_bytes());
    let mut frame = vec![plan.precision];
    frame.extend(plan.rows.to_be_bytes());
    frame.extend(plan.columns.to_be_bytes());
    frame.push(plan.components);
    for component in 1..=plan.components {
        // Sampling factors 1 x 1; lossless processes have no quantization table.
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
    if plan.restart_interval > 0 {
        segment(DRI, &plan.restart_interval.to_be_bytes(), out);
    }
    let mut scan = vec![plan.components];
    for (component, destination) in (1..=plan.components).zip(tables.destinations()) {
        scan.extend([component, destination << 4]);
    }
    scan.extend([plan.selection_value, 0, plan.point_transform]);
    segment(SOS, &scan, out);
}

/// Writes EOI.
pub(super) fn end(out: &mut Vec<u8>) {
    out.extend(EOI.to_be_bytes());
}

/// Returns the restart marker after interval `index`, counted from 0 (T.81 B.2.1).
pub(super) fn restart(index: usize) -> [u8; 2] {
    const RST0: u8 = 0xD0;
    [0xFF, RST0 | (index % 8).to_le_bytes()[0]]
}

/// Writes a marker segment: marker, length, parameters. All segments here are shorter than 200 bytes.
fn segment(marker: u16, parameters: &[u8], out: &mut Vec<u8>) {
    out.extend(marker.to_be_bytes());
    out.extend(u16::try_from(parameters.len() + 2).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(parameters);
}
