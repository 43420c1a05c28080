//! Coding parameters of a scan: preset by the codestream or defaults (T.87 C.2.4.1.1), and values derived from them.

use std::ops::RangeInclusive;

/// Largest NEAR (T.87 C.2.3).
const MAX_NEAR: u32 = 255;
/// RESET without a preset one, and its least value (T.87 Table C.2).
const DEFAULT_RESET: i32 = 64;
const MIN_RESET: u32 = 3;

/// Returns the largest NEAR of a scan whose samples are at most `max_value` (T.87 C.2.3).
pub(crate) const fn max_near(max_value: u32) -> u32 {
    if max_value / 2 < MAX_NEAR { max_value / 2 } else { MAX_NEAR }
}

/// Returns the range of RESET of a scan whose samples are at most `max_value` (T.87 C.2.4.1.1).
pub(crate) const fn reset_range(max_value: u32) -> RangeInclusive<u32> {
    MIN_RESET..=if max_value < 255 { 255 } else { max_value }
}

/// Parameters of an LSE segment of type 1. Zero selects the default of a parameter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Preset {
    /// MAXVAL, the largest sample value.
    pub(crate) max_value: u16,
    /// T1, T2 and T3, which quantize gradients.
    pub(crate) thresholds: [u16; 3],
    /// RESET, the number of samples after which the counters of a context are halved.
    pub(crate) reset: u16,
}

/// Validated parameters of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// Bits of a sample, 2 to 16.
    pub(crate) precision: u32,
    /// MAXVAL, 1 to 2^precision - 1.
    pub(crate) max_value: i32,
    /// NEAR, the largest difference between a sample and its reconstruction; 0 if the scan is lossless.
    pub(crate) near: i32,
    /// T1, T2 and T3, in ascending order and above NEAR.
    pub(crate) thresholds: [i32; 3],
    /// RESET, 3 to 65535.
    pub(crate) reset: i32,
    /// RANGE, the number of different prediction errors.
    pub(crate) range: i32,
    /// Difference between neighbouring quantized prediction errors: 2 × NEAR + 1.
    pub(crate) step: i32,
    /// `qbpp`, the number of bits of a prediction error that is not Golomb coded, 1 to 16.
    pub(crate) range_bits: i32,
    /// LIMIT, the length in bits of the longest code.
    pub(crate) limit: i32,
}

impl Parameters {
    /// Returns the parameters of a scan, or `None` if they are outside the limits of T.87 C.2.4.1.1.
    ///
    /// Thresholds that do not ascend after the defaults are inserted are refused: the standard defines the quantization of
    /// gradients only for ascending ones.
    pub(crate) fn new(precision: u32, near: u32, preset: Preset) -> Option<Self> {
        if !(2..=16).contains(&precision) {
            return None;
        }
        let largest = (1_i32 << precision) - 1;
        let max_value = if preset.max_value == 0 { largest } else { i32::from(preset.max_value) };
        if max_value > largest || near > max_near(max_value.unsigned_abs()) {
            return None;
        }
        let near = i32::try_from(near).ok()?;
        let thresholds = thresholds(max_value, near, preset.thresholds)?;
        let reset = if preset.reset == 0 { DEFAULT_RESET } else { i32::from(preset.reset) };
        if !reset_range(max_value.unsigned_abs()).contains(&reset.unsigned_abs()) {
            return None;
        }
        let step = 2 * near + 1;
        let range = if near == 0 { max_value + 1 } else { (max_value + 2 * near) / step + 1 };
        let sample_bits = bits_for(max_value + 1).max(2);
        let limit = 2 * (sample_bits + sample_bits.max(8));
        Some(Self { precision, max_value, near, thresholds, reset, range, step, range_bits: bits_for(range), limit })
    }

    /// True if samples are reconstructed by a mask: lossless scans of 8, 12 or 16 bits, without a preset MAXVAL.
    ///
    /// This differs from T.87 A.4.5 only for prediction errors that no encoder writes, because they exceed RANGE. `CharLS`
    /// reconstructs them by a mask in these scans, and as A.4.5 in others.
    pub(crate) fn is_modular(&self) -> bool {
        self.near == 0 && matches!(self.precision, 8 | 12 | 16) && self.max_value == (1 << self.precision) - 1
    }

    /// Returns the initial value of A in each context (T.87 A.2.1).
    pub(crate) fn initial_sum(&self) -> u32 {
        ((self.range + 32) / 64).max(2).unsigned_abs()
    }
}

/// Returns the number of bits that distinguish `count` values: the smallest n with 2^n ≥ `count`.
fn bits_for(count: i32) -> i32 {
    let largest = count.max(1).unsigned_abs() - 1;
    (u32::BITS - largest.leading_zeros()).cast_signed()
}

/// Returns the thresholds with the defaults inserted (T.87 Table C.2 and code segments C.1 and C.2).
fn thresholds(max_value: i32, near: i32, preset: [u16; 3]) -> Option<[i32; 3]> {
    // A default beyond the range becomes the lower bound.
    let clamp = |value: i32, low: i32| if value > max_value || value < low { low } else { value };
    let (basic1, basic2, basic3) = (3, 7, 21);
    let defaults = if max_value >= 128 {
        let factor = (max_value.min(4095) + 128) / 256;
        let first = clamp(factor * (basic1 - 2) + 2 + 3 * near, near + 1);
        let second = clamp(factor * (basic2 - 3) + 3 + 5 * near, first);
        [first, second, clamp(factor * (basic3 - 4) + 4 + 7 * near, second)]
    } else {
        let factor = 256 / (max_value + 1);
        let first = clamp((basic1 / factor + 3 * near).max(2), near + 1);
        let second = clamp((basic2 / factor + 5 * near).max(3), first);
        [first, second, clamp((basic3 / factor + 7 * near).max(4), second)]
    };
    let [first, second, third] = preset.map(i32::from);
    let pick = |value: i32, default: i32| if value == 0 { default } else { value };
    let [first, second, third] = [pick(first, defaults[0]), pick(second, defaults[1]), pick(third, defaults[2])];
    // Of tiny ranges the default of T1 is NEAR + 1, above MAXVAL; a preset value may not be.
    let is_below = |value: i32, default: i32| value <= max_value || value == default;
    let ascend = near < first && first <= second && second <= third;
    let bounded = is_below(first, defaults[0]) && is_below(second, defaults[1]) && is_below(third, defaults[2]);
    (ascend && bounded).then_some([first, second, third])
}
