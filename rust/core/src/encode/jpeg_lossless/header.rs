//! Marker segments before and after the entropy-coded data (T.81 B.2).

use super::huffman::Tables;
use super::plan::Plan;
use crate::encode::segments::{EOI, FrameHeader, SOI, SOS, write_marker, write_segment};

const SOF3: u16 = 0xFFC3;
const DHT: u16 = 0xFFC4;
const DRI: u16 = 0xFFDD;

/// Writes SOI, SOF3, DHT, DRI and SOS.
pub(super) fn write(plan: &Plan<'_>, tables: &Tables, out: &mut Vec<u8>) {
    write_marker(SOI, out);
    let Plan { precision, rows, columns, components, .. } = *plan;
    FrameHeader { precision, rows, columns, components }.write(SOF3, out);
    let mut specifications = Vec::new();
    for (destination, table) in (0_u8..).zip(tables.distinct()) {
        specifications.push(destination);
        specifications.extend(table.lengths());
        specifications.extend(table.values());
    }
    write_segment(DHT, &specifications, out);
    if plan.restart_interval > 0 {
        write_segment(DRI, &plan.restart_interval.to_be_bytes(), out);
    }
    let mut scan = vec![plan.components];
    for (component, destination) in (1..=plan.components).zip(tables.destinations()) {
        scan.extend([component, destination << 4]);
    }
    scan.extend([plan.selection_value, 0, plan.point_transform]);
    write_segment(SOS, &scan, out);
}

/// Writes EOI.
pub(super) fn end(out: &mut Vec<u8>) {
    write_marker(EOI, out);
}

/// Returns the restart marker after interval `index`, counted from 0 (T.81 B.2.1).
pub(super) fn restart(index: usize) -> [u8; 2] {
    const RST0: u8 = 0xD0;
    [0xFF, RST0 | (index % 8).to_le_bytes()[0]]
}
