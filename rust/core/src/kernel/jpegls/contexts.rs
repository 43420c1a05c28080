//! State of the adaptive model: one context per class of neighbourhoods, and two for run interruption samples.
//!
//! ```text
//! neighbours of sample x        gradients            context
//!   c b d                       D1 = d - b           81 × Q(D1) + 9 × Q(D2) + Q(D3), -364 to 364
//!   a x                         D2 = b - c           0: run mode; contexts of opposite sign are one,
//!                               D3 = c - a           with prediction errors of opposite sign
//! ```
//!
//! A context counts N samples, sums the prediction errors (B) and their magnitudes (A), and corrects the prediction by C.
//! Decoder and encoder share these types, and so adapt alike.

use super::parameters::Parameters;

/// Number of context indices, which are 0 to 364. Index 0, run mode, has no context.
pub(crate) const CONTEXTS: usize = 365;
/// J: the exponent of the length of a run segment for each run index (T.87 A.2.1).
pub(crate) const RUN_EXPONENTS: [u8; 32] =
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15];
/// Bound of the Golomb parameter k. A codestream that leads to it is invalid: the mean magnitude of prediction errors is
/// at most 2^15.
pub(crate) const MAX_K: u32 = 16;

/// Quantizes a gradient to -4 … 4 (T.87 A.3.3).
pub(crate) fn quantize_gradient(parameters: &Parameters, gradient: i32) -> i32 {
    let magnitude = gradient.abs();
    let [first, second, third] = parameters.thresholds;
    let steps = [parameters.near + 1, first, second, third];
    let level: i32 = steps.iter().map(|step| i32::from(magnitude >= *step)).sum();
    level * gradient.signum()
}

/// Context of regular mode (T.87 A.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Context {
    /// A: sum of the magnitudes of prediction errors.
    pub(crate) sum: u32,
    /// B: bias, -N < B ≤ 0 after each update.
    pub(crate) bias: i32,
    /// N: number of samples, 1 to RESET.
    pub(crate) count: i32,
    /// C: correction of the prediction, -128 to 127.
    pub(crate) correction: i32,
}

/// The adaptation as the standard describes it, for the plain decoder of the tests. Decoder and encoder have faster forms.
#[cfg(test)]
impl Context {
    /// Returns the Golomb parameter k: the smallest one with N × 2^k ≥ A, at most [`MAX_K`].
    pub(crate) fn golomb_parameter(&self) -> u32 {
        golomb_parameter(self.sum, self.count.unsigned_abs())
    }

    /// True if small prediction errors are mapped in inverted order, because negative ones are likelier (T.87 A.5.2).
    pub(crate) fn is_inverted(&self, parameters: &Parameters, k: u32) -> bool {
        parameters.near == 0 && k == 0 && 2 * self.bias <= -self.count
    }

    /// Adapts to a prediction error, quantized and with the sign of the context (T.87 A.6).
    pub(crate) fn update(&mut self, parameters: &Parameters, error: i32) {
        self.bias = self.bias.wrapping_add(error.wrapping_mul(parameters.step));
        self.sum = self.sum.wrapping_add(error.unsigned_abs());
        if self.count == parameters.reset {
            self.sum >>= 1;
            self.bias >>= 1;
            self.count >>= 1;
        }
        self.count += 1;
        if self.bias <= -self.count {
            self.correction = (self.correction - 1).max(-128);
            self.bias = self.bias.wrapping_add(self.count).max(1 - self.count);
        } else if self.bias > 0 {
            self.correction = (self.correction + 1).min(127);
            self.bias = (self.bias - self.count).min(0);
        }
    }
}

/// Context of run interruption samples (T.87 A.7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunContext {
    /// A: sum of the magnitudes of prediction errors.
    pub(crate) sum: u32,
    /// N: number of samples, 1 to RESET.
    pub(crate) count: u32,
    /// Nn: number of negative prediction errors, at most N.
    pub(crate) negative_count: u32,
}

impl RunContext {
    /// Returns the state at the start of a scan or restart interval.
    pub(crate) fn new(parameters: &Parameters) -> Self {
        Self { sum: parameters.initial_sum(), count: 1, negative_count: 0 }
    }

    /// Returns the Golomb parameter; `is_similar` if the neighbours a and b differ by at most NEAR (`RItype` 1).
    #[inline(always)]
    pub(crate) fn golomb_parameter(&self, is_similar: bool) -> u32 {
        let sum = if is_similar { self.sum.wrapping_add(self.count >> 1) } else { self.sum };
        golomb_parameter(sum, self.count)
    }

    /// True if the mapped value of a negative error is the odd one.
    #[inline(always)]
    pub(crate) fn is_negative_odd(&self, k: u32) -> bool {
        (k != 0) | (self.negative_count.wrapping_mul(2) >= self.count)
    }

    /// Returns the prediction error of a mapped value.
    #[inline(always)]
    pub(crate) fn unmap(&self, mapped: u32, k: u32, is_similar: bool) -> i32 {
        let value = mapped.wrapping_add(u32::from(is_similar));
        let is_odd = value & 1 == 1;
        let magnitude = (value >> 1).wrapping_add(value & 1).cast_signed();
        let sign = -i32::from(self.is_negative_odd(k) == is_odd);
        (magnitude ^ sign).wrapping_sub(sign)
    }

    /// Adapts to a prediction error with the given mapped value.
    pub(crate) fn update(&mut self, parameters: &Parameters, error: i32, mapped: u32, is_similar: bool) {
        self.adapt(parameters.reset.unsigned_abs(), error, mapped, is_similar);
    }

    /// Adapts as [`RunContext::update`]; `reset` is RESET.
    #[inline(always)]
    pub(crate) fn adapt(&mut self, reset: u32, error: i32, mapped: u32, is_similar: bool) {
        self.negative_count = self.negative_count.wrapping_add(u32::from(error < 0));
        self.sum = self.sum.wrapping_add(mapped.wrapping_add(u32::from(!is_similar)) >> 1);
        if self.count == reset {
            self.sum >>= 1;
            self.count >>= 1;
            self.negative_count >>= 1;
        }
        self.count = self.count.wrapping_add(1);
    }
}

/// All contexts of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contexts {
    pub(crate) regular: [Context; CONTEXTS],
    /// Context of `RItype` 0, neighbours that differ, and of `RItype` 1.
    pub(crate) run: [RunContext; 2],
}

impl Contexts {
    /// Returns the state at the start of a scan or restart interval.
    pub(crate) fn new(parameters: &Parameters) -> Self {
        let sum = parameters.initial_sum();
        Self {
            regular: [Context { sum, bias: 0, count: 1, correction: 0 }; CONTEXTS],
            run: [RunContext::new(parameters); 2],
        }
    }
}

/// Returns the smallest k with `count` × 2^k ≥ `sum`, at most [`MAX_K`].
#[inline(always)]
pub(crate) fn golomb_parameter(sum: u32, count: u32) -> u32 {
    let k = count.leading_zeros().saturating_sub(sum.leading_zeros());
    (k + u32::from(count.wrapping_shl(k) < sum)).min(MAX_K)
}
