//! JPEG-LS encoder: ITU-T T.87, lossless and near-lossless, with the default coding parameters.
//!
//! ```text
//! samples ─► lines of components ─► codes of a line ─► stuffed bytes
//! plan       scan                   kernel/jpegls/encode
//! ```
//!
//! Only lines are buffered. The codestream is that of CharLS, byte for byte.

mod header;
mod plan;
mod scan;

use super::{Image, PeriodicCancel};
use crate::error::Result;
use crate::output::Cancel;
use plan::Plan;

/// Order of the components' samples in a codestream (T.87 Annex B).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interleave {
    /// One scan per component.
    None,
    /// One scan: a line of each component in turn.
    Line,
    /// One scan: a sample of each component in turn.
    Sample,
}

/// Options of the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// Greatest difference between a sample and its decoded value (NEAR); 0 is lossless.
    pub near: u32,
    /// Order of the components' samples, if there is more than one component.
    pub interleave: Interleave,
    /// Bits of a sample, 2 to 16; by default those of the array's type.
    pub precision: Option<u32>,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { near: 0, interleave: Interleave::Sample, precision: None }
    }
}

/// Encodes one frame of 8- or 16-bit samples, signed or unsigned, as a JPEG-LS codestream.
///
/// Signed samples are written as the low `precision` bits of their two's complement. Near-lossless encoding refuses those
/// within `near` of the limits of the precision, because their sign could change. Component identifiers count from 1;
/// colour is not converted.
///
/// # Errors
/// `Output` if a parameter is out of range, the samples have another type, or a value needs more bits than `precision`;
/// `LimitExceeded` if there is no memory for the codestream; `Interrupted`.
///
/// # Standard
/// ITU-T T.87 Annexes A to C; PS3.5 A.4.3 and 8.2.3.
pub fn jpegls(image: &Image<'_>, parameters: Parameters, cancel: Cancel<'_>) -> Result<Vec<u8>> {
    let plan = Plan::new(image, parameters)?;
    let mut cancel = PeriodicCancel::new(cancel);
    let mut out = Vec::new();
    header::write(&plan, &mut out);
    for first_component in (0..plan.components).step_by(usize::from(plan.scan_components)) {
        header::write_scan(&plan, first_component, &mut out);
        scan::write(&plan, first_component, &mut cancel, &mut out)?;
    }
    header::end(&mut out);
    Ok(out)
}

#[cfg(test)]
mod tests;
