//! Copies of the parameters that the inner loops need.

use super::Errors;
use crate::kernel::jpegls::parameters::Parameters;

/// Zeros of a code that the window certainly contains together with the bits after them.
const MAX_WINDOW_ZEROS: u32 = 40;
/// LIMIT - qbpp - 1 of lossless scans of 8 bits.
const MAX_BYTE_ZEROS: u32 = 32 - 8 - 1;

#[derive(Debug, Clone, Copy)]
pub(super) struct Constants {
    max_value: i32,
    pub(super) near: i32,
    pub(super) step: i32,
    range: i32,
    is_modular: bool,
    pub(super) range_bits: i32,
    pub(super) limit: i32,
    pub(super) reset: u32,
    max_zeros: u32,
    /// Like [`Constants::max_zeros`], for run interruption samples: the bound less J.
    pub(super) max_run_zeros: u32,
}

impl Constants {
    #[inline(always)]
    pub(super) fn new(parameters: &Parameters) -> Self {
        let Parameters { max_value, near, reset, range, step, range_bits, limit, .. } = *parameters;
        let escape = limit.wrapping_sub(range_bits).wrapping_sub(1);
        let max_zeros = escape.unsigned_abs().min(MAX_WINDOW_ZEROS);
        let max_run_zeros = escape.wrapping_sub(1).unsigned_abs().min(MAX_WINDOW_ZEROS);
        let reset = reset.unsigned_abs();
        let is_modular = parameters.is_modular();
        Self { max_value, near, step, range, is_modular, range_bits, limit, reset, max_zeros, max_run_zeros }
    }

    /// Returns MAXVAL.
    #[inline(always)]
    pub(super) fn max_value<E: Errors>(&self) -> i32 {
        if E::BYTES { 255 } else { self.max_value }
    }

    /// Codes with fewer zeros are complete in a window, and are no escapes.
    #[inline(always)]
    pub(super) fn max_zeros<E: Errors>(&self) -> u32 {
        if E::BYTES { MAX_BYTE_ZEROS } else { self.max_zeros }
    }

    /// Returns the sample of a prediction and a quantized prediction error (T.87 A.4.5).
    #[inline(always)]
    pub(super) fn reconstruct(&self, prediction: i32, error: i32) -> i32 {
        self.wrap(prediction.wrapping_add(error.wrapping_mul(self.step)))
    }

    /// Returns the sample of the sum of a prediction and a prediction error.
    #[inline(always)]
    pub(super) fn wrap(&self, sample: i32) -> i32 {
        if sample.cast_unsigned() > self.max_value.cast_unsigned() { self.wrap_outside(sample) } else { sample }
    }

    /// Returns the sample of a sum outside of 0 to MAXVAL.
    #[cold]
    #[inline(never)]
    fn wrap_outside(&self, sample: i32) -> i32 {
        if self.is_modular {
            return sample & self.max_value;
        }
        let span = self.range.wrapping_mul(self.step);
        let wrapped = if sample < -self.near {
            sample.wrapping_add(span)
        } else if sample > self.max_value + self.near {
            sample.wrapping_sub(span)
        } else {
            sample
        };
        wrapped.clamp(0, self.max_value)
    }
}
