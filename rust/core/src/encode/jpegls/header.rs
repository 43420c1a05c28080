//! Marker segments of a codestream (T.87 Annex C).

use super::plan::Plan;

const SOI: u16 = 0xFFD8;
const SOF55: u16 = 0xFFF7;
const LSE: u16 = 0xFFF8;
const SOS: u16 = 0xFFDA;
const EOI: u16 = 0xFFD9;

/// Writes SOI, SOF55 and LSE.
pub(super) fn write(plan: &Plan<'_>, out: &mut Vec<u8>) {
    out.extend(SOI.to_be_bytes());
    let mut frame = vec![plan.precision];
    frame.extend(plan.rows.to_be_bytes());
    frame.extend(plan.columns.to_be_bytes());
    frame.push(plan.components);
    for component in 1..=plan.components {
        // Sampling factors 1 x 1; JPEG-LS has no quantization table.
        frame.extend([component, 0x11, 0]);
    }
    segment(SOF55, &frame, out);
    if plan.precision > 12 {
        // The defaults, because some decoders compute others for more than 12 bits.
        let mut presets = vec![1];
        let [first, second, third] = plan.parameters.thresholds;
        for value in [plan.parameters.max_value, first, second, third, plan.parameters.reset] {
            presets.extend(u16::try_from(value).unwrap_or(u16::MAX).to_be_bytes());
        }
        segment(LSE, &presets, out);
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
    segment(SOS, &scan, out);
}

/// Writes EOI.
pub(super) fn end(out: &mut Vec<u8>) {
    out.extend(EOI.to_be_bytes());
}

/// Writes a marker segment: marker, length, parameters. All segments here are shorter than 200 bytes.
fn segment(marker: u16, parameters: &[u8], out: &mut Vec<u8>) {
    out.extend(marker.to_be_bytes());
    out.extend(u16::try_from(parameters.len() + 2).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(parameters);
}
