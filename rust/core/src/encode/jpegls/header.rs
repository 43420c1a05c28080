//! Marker segments of a codestream (T.87 Annex C).

use super::plan::Plan;
use crate::encode::segments::{EOI, FrameHeader, SOI, SOS, write_marker, write_segment};

const SOF55: u16 = 0xFFF7;
const LSE: u16 = 0xFFF8;

/// Precision above which the default coding parameters are written, as CharLS does.
const MAX_DEFAULT_PRECISION: u8 = 12;

/// Writes SOI, SOF55 and LSE.
pub(super) fn write(plan: &Plan<'_>, out: &mut Vec<u8>) {
    write_marker(SOI, out);
    let Plan { precision, rows, columns, components, .. } = *plan;
    FrameHeader { precision, rows, columns, components }.write(SOF55, out);
    if plan.precision > MAX_DEFAULT_PRECISION {
        // Some decoders compute other defaults.
        let mut presets = vec![1];
        let [first, second, third] = plan.parameters.thresholds;
        for value in [plan.parameters.max_value, first, second, third, plan.parameters.reset] {
            presets.extend(u16::try_from(value).unwrap_or(u16::MAX).to_be_bytes());
        }
        write_segment(LSE, &presets, out);
    }
}

/// Writes SOS of the scan that starts with component `first`, counted from 0.
pub(super) fn write_scan(plan: &Plan<'_>, first: u8, out: &mut Vec<u8>) {
    let mut scan = vec![plan.scan_components];
    for component in (first + 1..).take(usize::from(plan.scan_components)) {
        // No mapping table.
        scan.extend([component, 0]);
    }
    scan.extend([plan.near, plan.interleave_mode(), 0]);
    write_segment(SOS, &scan, out);
}

/// Writes EOI.
pub(super) fn end(out: &mut Vec<u8>) {
    write_marker(EOI, out);
}
