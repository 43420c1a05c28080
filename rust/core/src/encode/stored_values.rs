//! Samples of an image → unsigned values of the precision of its codestream, and the check that they fit.

use crate::error::{DecodeError, Result, output};
use crate::sample::Samples;

/// 8- or 16-bit samples that are encoded with a given precision.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredValues<'a> {
    samples: Samples<'a>,
    precision: u8,
    /// Clause that defines the precision.
    clause: &'static str,
}

impl<'a> StoredValues<'a> {
    /// Creates the values of `samples`, which are integers of 8 or 16 bits. `precision` is 1 to 16.
    pub(super) const fn new(samples: Samples<'a>, precision: u8, clause: &'static str) -> Self {
        Self { samples, precision, clause }
    }

    /// Returns the bits of the samples' type, or an error if it is not an integer of 8 or 16 bits.
    ///
    /// # Errors
    /// `Output`.
    pub(super) fn type_bits(samples: &Samples<'_>, clause: &'static str) -> Result<u32> {
        match samples {
            Samples::U8(_) | Samples::I8(_) => Ok(8),
            Samples::U16(_) | Samples::I16(_) => Ok(16),
            other => {
                let text =
                    format!("samples of {} found, integers of 8 or 16 bits expected", other.sample_type().name());
                Err(output(text, clause))
            }
        }
    }

    /// Loads `values.len()` samples from index `start` on: the low `precision` bits of each, shifted right by `shift`.
    ///
    /// # Errors
    /// `Output` if a sample needs more bits than the precision has.
    pub(super) fn load(&self, start: usize, shift: u32, values: &mut [u16]) -> Result<()> {
        let range = start..start.saturating_add(values.len());
        let mask = u16::MAX >> (16 - self.precision);
        // Added to signed samples, so that values in -half..half become 0..2 * half, and one mask tests both bounds.
        let half = 1 << (self.precision - 1);
        let outside = match self.samples {
            Samples::U8(samples) => samples.get(range).map(|src| load(src, u16::from, 0, mask, shift, values)),
            Samples::U16(samples) => samples.get(range).map(|src| load(src, |sample| sample, 0, mask, shift, values)),
            Samples::I8(samples) => {
                let widen = |sample| i16::from(sample).cast_unsigned();
                samples.get(range).map(|src| load(src, widen, half, mask, shift, values))
            }
            Samples::I16(samples) => {
                samples.get(range).map(|src| load(src, i16::cast_unsigned, half, mask, shift, values))
            }
            _ => None,
        };
        if outside == Some(0) { Ok(()) } else { Err(self.precision_error(start)) }
    }

    /// Returns the error of the first sample from `start` on that the precision does not hold.
    #[cold]
    fn precision_error(&self, start: usize) -> DecodeError {
        let precision = self.precision;
        let (low, high) = (-(1_i32 << (precision - 1)), 1_i32 << (precision - 1));
        let first_outside = |values: &mut dyn Iterator<Item = i32>, low, high| {
            values.enumerate().skip(start).find(|(_, value)| !(low..high).contains(value))
        };
        let outside = match self.samples {
            Samples::U8(samples) => first_outside(&mut samples.iter().copied().map(i32::from), 0, 2 * high),
            Samples::U16(samples) => first_outside(&mut samples.iter().copied().map(i32::from), 0, 2 * high),
            Samples::I8(samples) => first_outside(&mut samples.iter().copied().map(i32::from), low, high),
            Samples::I16(samples) => first_outside(&mut samples.iter().copied().map(i32::from), low, high),
            _ => None,
        };
        let (index, value) = outside.unwrap_or_default();
        let text = format!("value {value} of sample {index} needs more than the {precision} bits of the precision");
        output(text, self.clause)
    }
}

/// Loads samples to `values`. Returns a value that is not 0 if a sample, plus `half`, has bits outside the mask; `half` is
/// 0 for unsigned samples.
#[inline]
fn load<T: Copy>(src: &[T], widen: impl Fn(T) -> u16, half: u16, mask: u16, shift: u32, values: &mut [u16]) -> u16 {
    let mut outside = 0;
    for (sample, loaded) in src.iter().zip(values) {
        let bits = widen(*sample);
        outside |= bits.wrapping_add(half) & !mask;
        *loaded = (bits & mask).wrapping_shr(shift);
    }
    outside
}
