//! QCD and QCC: guard bits and step sizes of the bands (T.800 A.6.4, A.6.5, E.1).

use super::marker::Parameters;
use crate::error::{Result, malformed};

const CLAUSE: &str = "ITU-T T.800 A.6.4";

/// Exponent and mantissa of a step size (T.800 E-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) struct Step {
    /// 0 to 31.
    pub(in crate::codec) exponent: u8,
    /// 0 to 2047, in units of 2^-11.
    pub(in crate::codec) mantissa: u16,
}

/// Step sizes of the bands of a tile-component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::codec) struct Quantization {
    /// 0 to 7.
    pub(in crate::codec) guard_bits: u8,
    /// True if only the step size of the LL band is given.
    is_derived: bool,
    /// Step sizes by band: LL, then HL, LH and HH of each resolution.
    steps: Box<[Step]>,
    /// Byte offset in the frame of the parameters.
    offset: usize,
}

impl Quantization {
    /// Reads Sqcd and SPqcd, up to the end of the segment.
    ///
    /// # Errors
    /// `Malformed` for an unknown style, or no step size.
    pub(super) fn parse(mut parameters: Parameters<'_>) -> Result<Self> {
        let offset = parameters.offset();
        let style = parameters.u8()?;
        let rest = parameters.rest();
        let of_pair = |bytes: &[u8]| {
            let word = bytes.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes));
            Step { exponent: (word >> 11).to_le_bytes()[0], mantissa: word & 0x7FF }
        };
        let steps: Box<[Step]> = match style & 31 {
            0 => rest.iter().map(|byte| Step { exponent: byte >> 3, mantissa: 0 }).collect(),
            1 => rest.chunks_exact(2).take(1).map(of_pair).collect(),
            2 => rest.chunks_exact(2).map(of_pair).collect(),
            style => {
                let text = format!("quantization style {style} found, 0 to 2 expected");
                return Err(malformed(text, CLAUSE).at(offset));
            }
        };
        if steps.is_empty() {
            return Err(malformed("no step size found, at least 1 expected", CLAUSE).at(offset + 1));
        }
        Ok(Self { guard_bits: style >> 5, is_derived: style & 31 == 1, steps, offset })
    }

    /// Returns the step size of a band of a resolution. `band` is 0 for LL, and 1, 2, 3 for HL, LH, HH.
    ///
    /// # Errors
    /// `Malformed` if the segment has too few.
    pub(in crate::codec) fn step(&self, resolution: u8, band: usize) -> Result<Step> {
        let index = if resolution == 0 { 0 } else { 3 * usize::from(resolution - 1) + band };
        let step = self.steps.get(if self.is_derived { 0 } else { index }).copied().ok_or_else(|| {
            let text = format!("{} step sizes found, one of band {index} expected", self.steps.len());
            malformed(text, CLAUSE).at(self.offset)
        })?;
        // Derived (T.800 E-5): one less for each level between the band and LL.
        let levels = if self.is_derived { resolution.saturating_sub(1) } else { 0 };
        Ok(Step { exponent: step.exponent.saturating_sub(levels), ..step })
    }
}
