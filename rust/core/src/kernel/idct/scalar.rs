//! Portable bodies in plain integers: the definition of the samples, which the tests compare all CPU levels with.
//!
//! A two-dimensional transform is a one-dimensional transform of the columns, then one of the rows. [`Arithmetic`] has the
//! differences between 8-bit and 12-bit samples.

use super::run::Run;
use super::{Block, BlockSize, QuantizationTable};
use bytemuck::Pod;
use std::array::from_fn;

/// Fractional bits of the constants.
pub(super) const CONSTANT_BITS: u32 = 13;

/// Returns `value × 2^13`, rounded.
#[allow(clippy::cast_possible_truncation, reason = "evaluated by the compiler; all constants are below 4")]
pub(super) const fn fixed(value: f64) -> i32 {
    (value * (1 << CONSTANT_BITS) as f64 + 0.5) as i32
}

/// Integers of a transform, and their limits. Additions and multiplications wrap.
trait Arithmetic: Copy {
    /// One sample of the result.
    type Sample: Pod;
    /// Fractional bits between the passes.
    const PASS_1_BITS: u32;

    fn dequantized(coefficient: i16, quantizer: i16) -> Self;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, constant: i32) -> Self;
    fn shifted_left(self, bits: u32) -> Self;
    /// Returns `self / 2^bits`, rounded half up.
    fn shifted_right(self, bits: u32) -> Self;
    /// Applies the limits of a sum of two inputs of a transform.
    fn limit_input(self) -> Self;
    /// Applies the limits between the passes.
    fn limit_intermediate(self) -> Self;
    /// Applies the limits between the passes to a value that the vector code of libjpeg-turbo keeps in 32 bits.
    fn limit_wide_intermediate(self) -> Self;
    /// Returns row 0 of the coefficients after pass 1, if all other rows are zero.
    fn only_row(self) -> Self;
    /// Adds the level shift and applies the limits of samples.
    fn sample(self) -> Self::Sample;
    /// Returns the only sample of a block of one sample.
    fn mean(coefficient: i16, quantizer: i16) -> Self::Sample;
}

/// 8-bit samples.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "values that wrap, or are clamped before")]
impl Arithmetic for i32 {
    type Sample = u8;
    const PASS_1_BITS: u32 = 2;

    fn dequantized(coefficient: i16, quantizer: i16) -> Self {
        coefficient.wrapping_mul(quantizer).into()
    }

    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }

    fn times(self, constant: i32) -> Self {
        self.wrapping_mul(constant)
    }

    fn shifted_left(self, bits: u32) -> Self {
        self << bits
    }

    fn shifted_right(self, bits: u32) -> Self {
        self.wrapping_add(1 << (bits - 1)) >> bits
    }

    fn limit_input(self) -> Self {
        (self as i16).into()
    }

    fn limit_intermediate(self) -> Self {
        self.clamp(i16::MIN.into(), i16::MAX.into())
    }

    fn limit_wide_intermediate(self) -> Self {
        self
    }

    fn only_row(self) -> Self {
        (self.shifted_left(Self::PASS_1_BITS) as i16).into()
    }

    fn sample(self) -> u8 {
        (self.clamp(-128, 127) + 128) as u8
    }

    fn mean(coefficient: i16, quantizer: i16) -> u8 {
        let mean = (i32::from(coefficient) * i32::from(quantizer)).shifted_right(3);
        let wrapped = mean << 22 >> 22;
        wrapped.sample()
    }
}

/// 12-bit samples.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "values that wrap, or are clamped before")]
impl Arithmetic for i64 {
    type Sample = u16;
    const PASS_1_BITS: u32 = 1;

    fn dequantized(coefficient: i16, quantizer: i16) -> Self {
        Self::from(coefficient) * Self::from(quantizer.cast_unsigned())
    }

    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }

    fn times(self, constant: i32) -> Self {
        self.wrapping_mul(constant.into())
    }

    fn shifted_left(self, bits: u32) -> Self {
        self << bits
    }

    fn shifted_right(self, bits: u32) -> Self {
        self.wrapping_add(1 << (bits - 1)) >> bits
    }

    fn limit_input(self) -> Self {
        self
    }

    fn limit_intermediate(self) -> Self {
        (self as i32).into()
    }

    fn limit_wide_intermediate(self) -> Self {
        self.limit_intermediate()
    }

    fn only_row(self) -> Self {
        self.shifted_left(Self::PASS_1_BITS).limit_intermediate()
    }

    fn sample(self) -> u16 {
        let wrapped = self << 50 >> 50;
        (wrapped + 2048).clamp(0, 4095) as u16
    }

    fn mean(coefficient: i16, quantizer: i16) -> u16 {
        Self::dequantized(coefficient, quantizer).shifted_right(3).sample()
    }
}

#[inline(never)]
pub(super) fn transform_8_bit(blocks: &mut [Block], run: &Run<'_>, samples: &mut [u8]) {
    transform_run::<i32>(blocks, run, samples);
}

#[inline(never)]
pub(super) fn transform_12_bit(blocks: &mut [Block], run: &Run<'_>, samples: &mut [u8]) {
    transform_run::<i64>(blocks, run, samples);
}

#[inline(always)]
fn transform_run<A: Arithmetic>(blocks: &mut [Block], run: &Run<'_>, samples: &mut [u8]) {
    let (table, stride) = (run.table, run.stride);
    for position in 0..run.count {
        let (index, offset) = run.block(position);
        let Some(block) = blocks.get_mut(index) else {
            debug_assert!(false, "runs end with the slice");
            return;
        };
        match run.size {
            BlockSize::Full => store(&full::<A>(block, table), samples, offset, stride),
            BlockSize::Half => store(&half::<A>(block, table), samples, offset, stride),
            BlockSize::Quarter => store(&quarter::<A>(block, table), samples, offset, stride),
            BlockSize::Eighth => store(&eighth::<A>(block, table), samples, offset, stride),
        }
        *block = [0; 64];
    }
}

/// Writes rows of samples, `stride` bytes apart.
#[inline(always)]
fn store<S: Pod, const N: usize>(rows: &[[S; N]; N], samples: &mut [u8], offset: usize, stride: usize) {
    let samples = samples.get_mut(offset..).unwrap_or_default();
    for (index, row) in rows.iter().enumerate() {
        let bytes: &[u8] = bytemuck::cast_slice(row);
        match samples.get_mut(index * stride..index * stride + bytes.len()) {
            Some(destination) => destination.copy_from_slice(bytes),
            None => debug_assert!(false, "the façade checks destinations"),
        }
    }
}

/// Transforms a block to 8×8 samples.
fn full<A: Arithmetic>(block: &Block, table: &QuantizationTable) -> [[A::Sample; 8]; 8] {
    let [mean, others @ ..] = block;
    if others.iter().all(|coefficient| *coefficient == 0) {
        // 34 instead of 377 cycles; the transforms only scale a lone mean.
        let mean = A::dequantized(*mean, table.quantizers[0]).only_row();
        return [[sample(mean.shifted_left(CONSTANT_BITS), 0); 8]; 8];
    }
    let rows = dequantized::<A>(block, table);
    let columns = if block[8..].iter().all(|coefficient| *coefficient == 0) {
        rows[0].map(|value| [value.only_row(); 8])
    } else {
        transform_columns(&rows, transform_8).map(|column| column.map(|value| descaled(value, 0).limit_intermediate()))
    };
    transform_columns(&columns, transform_8).map(|row| row.map(|value| sample(value, 0)))
}

/// Transforms a block to 4×4 samples, without row 4 and column 4.
fn half<A: Arithmetic>(block: &Block, table: &QuantizationTable) -> [[A::Sample; 4]; 4] {
    let rows = dequantized::<A>(block, table);
    let is_only_row =
        block.as_chunks::<8>().0.iter().enumerate().all(|(index, row)| matches!(index, 0 | 4) || *row == [0; 8]);
    let columns = if is_only_row {
        rows[0].map(|value| [value.only_row(); 4])
    } else {
        transform_columns(&rows, transform_4).map(|column| column.map(|value| descaled(value, 1).limit_intermediate()))
    };
    transform_columns(&columns, transform_4).map(|row| row.map(|value| sample(value, 1)))
}

/// Transforms a block to 2×2 samples, of rows and columns 0, 1, 3, 5 and 7.
fn quarter<A: Arithmetic>(block: &Block, table: &QuantizationTable) -> [[A::Sample; 2]; 2] {
    let rows = dequantized::<A>(block, table);
    let [first, others @ ..] =
        transform_columns(&rows, transform_2).map(|column| column.map(|value| descaled(value, 2)));
    let [a, b, c, d, e, f, g] = others.map(|column| column.map(A::limit_intermediate));
    let columns = [first.map(A::limit_wide_intermediate), a, b, c, d, e, f, g];
    transform_columns(&columns, transform_2).map(|row| row.map(|value| sample(value, 2)))
}

/// Transforms the coefficient of the mean (DC) to one sample.
fn eighth<A: Arithmetic>(block: &Block, table: &QuantizationTable) -> [[A::Sample; 1]; 1] {
    [[A::mean(block[0], table.quantizers[0])]]
}

#[allow(clippy::indexing_slicing, reason = "8 rows of 8 values in 64")]
fn dequantized<A: Arithmetic>(block: &Block, table: &QuantizationTable) -> [[A; 8]; 8] {
    from_fn(|row| from_fn(|column| A::dequantized(block[8 * row + column], table.quantizers[8 * row + column])))
}

/// Applies a one-dimensional transform to each column. The result is transposed: element 0 is column 0 of the transform.
/// So two calls give rows.
#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "COLUMNS columns")]
fn transform_columns<A: Arithmetic, const COLUMNS: usize, const N: usize>(
    rows: &[[A; COLUMNS]; 8],
    transform: impl Fn([A; 8]) -> [A; N],
) -> [[A; N]; COLUMNS] {
    from_fn(|column| transform(rows.map(|row| row[column])))
}

/// Rounds a value of pass 1 to `PASS_1_BITS` fractional bits. It is scaled by 2^(13 + `extra_bits`).
fn descaled<A: Arithmetic>(value: A, extra_bits: u32) -> A {
    value.shifted_right(CONSTANT_BITS - A::PASS_1_BITS + extra_bits)
}

/// Rounds a value of pass 2 to a sample. Each pass scales by √8, both together by 2^3.
fn sample<A: Arithmetic>(value: A, extra_bits: u32) -> A::Sample {
    value.shifted_right(CONSTANT_BITS + A::PASS_1_BITS + 3 + extra_bits).sample()
}

/// Inverse DCT of 8 values, scaled by √8 × 2^13, with 12 multiplications instead of 64.
///
/// The even inputs are a transform of 4 values, which needs one rotation. The odd inputs are rotated in pairs:
///
/// ```text
/// even   s, d  = v0 ± v4                     odd    p = v7 + v3    q = v5 + v1    r = 1.176 (p + q)
///        t     = 0.541 (v2 + v6)                    p = r - 1.962 p    q = r - 0.390 q
///        e     = t + 0.765 v2                       o0 = 1.501 v1 - 0.900 (v1 + v7) + q
///        f     = t - 1.848 v6                       o1 = 3.073 v3 - 2.563 (v3 + v5) + p
///        e0 e3 = s ± e                              o2 = 2.053 v5 - 2.563 (v3 + v5) + q
///        e1 e2 = d ± f                              o3 = 0.299 v7 - 0.900 (v1 + v7) + p
///
/// output 0 … 3  e0 + o0   e1 + o1   e2 + o2   e3 + o3
/// output 7 … 4  e0 - o0   e1 - o1   e2 - o2   e3 - o3
/// ```
#[inline(always)]
fn transform_8<A: Arithmetic>([v0, v1, v2, v3, v4, v5, v6, v7]: [A; 8]) -> [A; 8] {
    let sum = v0.plus(v4).limit_input().shifted_left(CONSTANT_BITS);
    let difference = v0.minus(v4).limit_input().shifted_left(CONSTANT_BITS);
    // Products are added without limits: only the sums that libjpeg-turbo's vector code computes in 16 bits have them.
    let rotated = v2.plus(v6).times(const { fixed(0.541_196_100) });
    let e = rotated.plus(v2.times(const { fixed(0.765_366_865) }));
    let f = rotated.minus(v6.times(const { fixed(1.847_759_065) }));
    let even = [sum.plus(e), difference.plus(f), difference.minus(f), sum.minus(e)];

    let (p, q) = (v7.plus(v3).limit_input(), v5.plus(v1).limit_input());
    let rotated = p.plus(q).times(const { fixed(1.175_875_602) });
    let p = rotated.minus(p.times(const { fixed(1.961_570_560) }));
    let q = rotated.minus(q.times(const { fixed(0.390_180_644) }));
    let outer = v1.plus(v7).times(const { fixed(0.899_976_223) });
    let inner = v3.plus(v5).times(const { fixed(2.562_915_447) });
    let odd = [
        v1.times(const { fixed(1.501_321_110) }).minus(outer).plus(q),
        v3.times(const { fixed(3.072_711_026) }).minus(inner).plus(p),
        v5.times(const { fixed(2.053_119_869) }).minus(inner).plus(q),
        v7.times(const { fixed(0.298_631_336) }).minus(outer).plus(p),
    ];
    let [e0, e1, e2, e3] = even;
    let [o0, o1, o2, o3] = odd;
    [e0.plus(o0), e1.plus(o1), e2.plus(o2), e3.plus(o3), e3.minus(o3), e2.minus(o2), e1.minus(o1), e0.minus(o0)]
}

/// Inverse DCT of 8 values at 4 points, scaled by √8 × 2^14. Value 4 has no part in it.
#[inline(always)]
fn transform_4<A: Arithmetic>([v0, v1, v2, v3, _, v5, v6, v7]: [A; 8]) -> [A; 4] {
    let mean = v0.shifted_left(CONSTANT_BITS + 1);
    let even = v2.times(const { fixed(1.847_759_065) }).minus(v6.times(const { fixed(0.765_366_865) }));
    let inner = v1
        .times(const { fixed(1.061_594_337) })
        .minus(v3.times(const { fixed(2.172_734_803) }))
        .plus(v5.times(const { fixed(1.451_774_981) }))
        .minus(v7.times(const { fixed(0.211_164_243) }));
    let outer = v1
        .times(const { fixed(2.562_915_447) })
        .plus(v3.times(const { fixed(0.899_976_223) }))
        .minus(v5.times(const { fixed(0.601_344_887) }))
        .minus(v7.times(const { fixed(0.509_795_579) }));
    let (sum, difference) = (mean.plus(even), mean.minus(even));
    [sum.plus(outer), difference.plus(inner), difference.minus(inner), sum.minus(outer)]
}

/// Inverse DCT of 8 values at 2 points, scaled by √8 × 2^15. Values 2, 4 and 6 have no part in it.
#[inline(always)]
fn transform_2<A: Arithmetic>([v0, v1, _, v3, _, v5, _, v7]: [A; 8]) -> [A; 2] {
    let mean = v0.shifted_left(CONSTANT_BITS + 2);
    let odd = v1
        .times(const { fixed(3.624_509_785) })
        .minus(v3.times(const { fixed(1.272_758_580) }))
        .plus(v5.times(const { fixed(0.850_430_095) }))
        .minus(v7.times(const { fixed(0.720_959_822) }));
    [mean.plus(odd), mean.minus(odd)]
}
