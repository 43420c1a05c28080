//! Rows of the image → lines of components → entropy-coded data of a scan.

use super::Interleave;
use super::plan::Plan;
use crate::encode::{PeriodicCancel, reserve_encoded};
use crate::error::Result;
use crate::kernel::CpuLevel;
use crate::kernel::jpegls::{Interleave as ScanInterleave, ScanEncoder};

/// Writes the entropy-coded data of the scan that starts with component `first`, counted from 0.
pub(super) fn write(plan: &Plan<'_>, first: u8, cancel: &mut PeriodicCancel<'_>, out: &mut Vec<u8>) -> Result<()> {
    let level = CpuLevel::best();
    let components = usize::from(plan.components);
    let scan_components = usize::from(plan.scan_components);
    let columns = usize::from(plan.columns);
    let interleave = match plan.interleave {
        Interleave::Sample => ScanInterleave::Sample,
        Interleave::None | Interleave::Line => ScanInterleave::Line,
    };
    let mut scan = ScanEncoder::new(plan.parameters, columns, scan_components, interleave);
    let mut pixels = vec![0; if components > 1 { columns * components } else { 0 }];
    for row in 0..usize::from(plan.rows) {
        cancel.advance(plan.row_bytes)?;
        let start = row * columns * components;
        if components == 1 {
            let line = scan.samples_mut(0);
            plan.values.load(start, 0, line)?;
            plan.check_signs(start, line)?;
        } else {
            plan.values.load(start, 0, &mut pixels)?;
            plan.check_signs(start, &pixels)?;
            for component in 0..scan_components {
                let samples = pixels.iter().skip(usize::from(first) + component).step_by(components);
                for (value, sample) in scan.samples_mut(component).iter_mut().zip(samples) {
                    *value = *sample;
                }
            }
        }
        let bytes = scan.encode_line(level);
        reserve_encoded(out, bytes.len())?;
        out.extend_from_slice(bytes);
    }
    out.extend(scan.finish());
    Ok(())
}
