//! One-dimensional transforms and transpositions of the vector kernels, as a macro.
//!
//! `madd` multiplies pairs of 16-bit numbers and adds the two products: one instruction for `a x + b y` in 32 bits. So the
//! inputs are interleaved in pairs that are rotated together. With the names of `scalar::transform_8`:
//!
//! ```text
//! (v2, v6)                  e = 1.307 v2 + 0.541 v6              f = 0.541 v2 - 1.307 v6
//! (v0 + v4, bias)           s = v0 + v4 + rounding               likewise d = v0 - v4 + rounding
//! (v7 + v3, v5 + v1)        p = -0.786 (v7 + v3) + 1.176 (v5 + v1)
//!                           q =  1.176 (v7 + v3) + 0.786 (v5 + v1)
//! (v7, v1)                  o3 = -0.601 v7 - 0.900 v1 + p        o0 = -0.900 v7 + 0.601 v1 + q
//! (v5, v3)                  o2 = -0.510 v5 - 2.563 v3 + q        o1 = -2.563 v5 + 0.510 v3 + p
//! ```
//!
//! The rounding constant of the right shift costs nothing: it is the product of `bias` and a constant. Products of a wrapped
//! sum equal wrapped sums of products, so the results are those of `scalar`.
//!
//! Most blocks have no coefficients in rows or columns 4 to 7. A pass over four inputs is shorter: each output of the odd
//! part is one `madd` of (v1, v3). Without columns 4 to 7, pass 1 transforms four columns instead of eight.

use super::scalar::fixed;

/// Constants of `scalar::transform_8`, named by their first digits.
pub(super) const F_0_298: i32 = fixed(0.298_631_336);
pub(super) const F_0_390: i32 = fixed(0.390_180_644);
pub(super) const F_0_541: i32 = fixed(0.541_196_100);
pub(super) const F_0_765: i32 = fixed(0.765_366_865);
pub(super) const F_0_899: i32 = fixed(0.899_976_223);
pub(super) const F_1_175: i32 = fixed(1.175_875_602);
pub(super) const F_1_501: i32 = fixed(1.501_321_110);
pub(super) const F_1_847: i32 = fixed(1.847_759_065);
pub(super) const F_1_961: i32 = fixed(1.961_570_560);
pub(super) const F_2_053: i32 = fixed(2.053_119_869);
pub(super) const F_2_562: i32 = fixed(2.562_915_447);
pub(super) const F_3_072: i32 = fixed(3.072_711_026);
/// The bias of pass 2 counts units of 2^14.
pub(super) const BIAS_FACTOR: i32 = 1 << 14;

/// Expands to the functions that `transform_body` uses, for one vector width. The argument is the list of CPU features.
macro_rules! transform_passes {
    ($features:literal) => {
        /// Returns a vector of pairs of constants for `madd`.
        #[inline]
        #[target_feature(enable = $features)]
        fn pair(first: i32, second: i32) -> Vector {
            set1_epi32(first & 0xFFFF | second << 16)
        }

        /// Transforms the inputs that `interleave` selects: N = 1 for four inputs per lane, N = 2 for all eight.
        ///
        /// Outputs are divided by 2^SHIFT after `bias` × `bias_factor` is added. `HALF`: inputs 4 to 7 are zero. `pack` gets
        /// each output as soon as it is known, so that few vectors have to be stored meanwhile.
        #[inline]
        #[target_feature(enable = $features)]
        fn transform_columns<const N: usize, const SHIFT: i32, const HALF: bool>(
            [v0, v1, v2, v3, v4, v5, v6, v7]: &[Vector; 8],
            bias: Vector,
            bias_factor: i32,
            interleave: impl Fn(Vector, Vector) -> [Vector; N],
            pack: impl Fn([Vector; N]) -> Vector,
        ) -> [Vector; 8] {
            let mean = pair(1 << CONSTANT_BITS, bias_factor);
            let output = |even, odd| {
                let (upper, lower) = (add(even, odd), subtract(even, odd));
                (
                    pack(upper.map(|value| shift_right::<SHIFT>(value))),
                    pack(lower.map(|value| shift_right::<SHIFT>(value))),
                )
            };
            if HALF {
                let s = rotate(interleave(*v0, bias), mean);
                let v2 = interleave(*v2, *v2);
                let e = rotate(v2, pair(0, F_0_541 + F_0_765));
                let f = rotate(v2, pair(0, F_0_541));
                let odd = interleave(*v1, *v3);
                let (r0, r7) = output(add(s, e), rotate(odd, pair(F_1_501 - F_0_899 + F_1_175 - F_0_390, F_1_175)));
                let (r3, r4) = output(subtract(s, e), rotate(odd, pair(F_1_175 - F_0_899, F_1_175 - F_1_961)));
                let (r1, r6) = output(add(s, f), rotate(odd, pair(F_1_175, F_3_072 - F_2_562 + F_1_175 - F_1_961)));
                let (r2, r5) = output(subtract(s, f), rotate(odd, pair(F_1_175 - F_0_390, F_1_175 - F_2_562)));
                return [r0, r1, r2, r3, r4, r5, r6, r7];
            }
            let s = rotate(interleave(add_epi16(*v0, *v4), bias), mean);
            let d = rotate(interleave(sub_epi16(*v0, *v4), bias), mean);
            let even = interleave(*v2, *v6);
            let e = rotate(even, pair(F_0_541 + F_0_765, F_0_541));
            let f = rotate(even, pair(F_0_541, F_0_541 - F_1_847));
            let sums = interleave(add_epi16(*v7, *v3), add_epi16(*v5, *v1));
            let p = rotate(sums, pair(F_1_175 - F_1_961, F_1_175));
            let q = rotate(sums, pair(F_1_175, F_1_175 - F_0_390));
            let outer = interleave(*v7, *v1);
            let (r0, r7) = output(add(s, e), add(rotate(outer, pair(-F_0_899, F_1_501 - F_0_899)), q));
            let (r3, r4) = output(subtract(s, e), add(rotate(outer, pair(F_0_298 - F_0_899, -F_0_899)), p));
            let inner = interleave(*v5, *v3);
            let (r1, r6) = output(add(d, f), add(rotate(inner, pair(-F_2_562, F_3_072 - F_2_562)), p));
            let (r2, r5) = output(subtract(d, f), add(rotate(inner, pair(F_2_053 - F_2_562, -F_2_562)), q));
            [r0, r1, r2, r3, r4, r5, r6, r7]
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn add<const N: usize>(mut a: [Vector; N], b: [Vector; N]) -> [Vector; N] {
            for (a, b) in a.iter_mut().zip(b) {
                *a = add_epi32(*a, b);
            }
            a
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn subtract<const N: usize>(mut a: [Vector; N], b: [Vector; N]) -> [Vector; N] {
            for (a, b) in a.iter_mut().zip(b) {
                *a = sub_epi32(*a, b);
            }
            a
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn rotate<const N: usize>(mut pairs: [Vector; N], constants: Vector) -> [Vector; N] {
            for pair in &mut pairs {
                *pair = madd_epi16(*pair, constants);
            }
            pairs
        }

        /// Transforms four inputs per lane, to 32 bits.
        #[inline]
        #[target_feature(enable = $features)]
        fn transform_four<const SHIFT: i32, const HALF: bool>(
            inputs: &[Vector; 8],
            bias: Vector,
            bias_factor: i32,
        ) -> [Vector; 8] {
            transform_columns::<1, SHIFT, HALF>(
                inputs,
                bias,
                bias_factor,
                |a, b| [unpacklo_epi16(a, b)],
                |[value]| value,
            )
        }

        /// Transforms eight inputs per lane, and saturates the outputs to 16 bits.
        #[inline]
        #[target_feature(enable = $features)]
        fn transform_eight<const SHIFT: i32, const HALF: bool>(
            inputs: &[Vector; 8],
            bias: Vector,
            bias_factor: i32,
        ) -> [Vector; 8] {
            let interleave = |a, b| [unpacklo_epi16(a, b), unpackhi_epi16(a, b)];
            transform_columns::<2, SHIFT, HALF>(inputs, bias, bias_factor, interleave, |[a, b]| packs_epi32(a, b))
        }

        /// Transposes 8×8 values of 16 bits in each lane.
        #[inline]
        #[target_feature(enable = $features)]
        fn transpose([r0, r1, r2, r3, r4, r5, r6, r7]: [Vector; 8]) -> [Vector; 8] {
            let (a0, a1) = (unpacklo_epi16(r0, r1), unpackhi_epi16(r0, r1));
            let (a2, a3) = (unpacklo_epi16(r2, r3), unpackhi_epi16(r2, r3));
            let (a4, a5) = (unpacklo_epi16(r4, r5), unpackhi_epi16(r4, r5));
            let (a6, a7) = (unpacklo_epi16(r6, r7), unpackhi_epi16(r6, r7));
            let (b0, b1) = (unpacklo_epi32(a0, a2), unpackhi_epi32(a0, a2));
            let (b2, b3) = (unpacklo_epi32(a1, a3), unpackhi_epi32(a1, a3));
            let (b4, b5) = (unpacklo_epi32(a4, a6), unpackhi_epi32(a4, a6));
            let (b6, b7) = (unpacklo_epi32(a5, a7), unpackhi_epi32(a5, a7));
            [
                unpacklo_epi64(b0, b4),
                unpackhi_epi64(b0, b4),
                unpacklo_epi64(b1, b5),
                unpackhi_epi64(b1, b5),
                unpacklo_epi64(b2, b6),
                unpackhi_epi64(b2, b6),
                unpacklo_epi64(b3, b7),
                unpackhi_epi64(b3, b7),
            ]
        }

        /// Transposes 8 rows of four 32-bit values into four columns of eight, and saturates them to 16 bits.
        #[inline]
        #[target_feature(enable = $features)]
        fn transpose_four([r0, r1, r2, r3, r4, r5, r6, r7]: [Vector; 8]) -> [Vector; 4] {
            let (a, b) = (packs_epi32(r0, r1), packs_epi32(r2, r3));
            let (even, odd) = (unpacklo_epi16(a, b), unpackhi_epi16(a, b));
            let upper = [unpacklo_epi16(even, odd), unpackhi_epi16(even, odd)];
            let (a, b) = (packs_epi32(r4, r5), packs_epi32(r6, r7));
            let (even, odd) = (unpacklo_epi16(a, b), unpackhi_epi16(a, b));
            let lower = [unpacklo_epi16(even, odd), unpackhi_epi16(even, odd)];
            [
                unpacklo_epi64(upper[0], lower[0]),
                unpackhi_epi64(upper[0], lower[0]),
                unpacklo_epi64(upper[1], lower[1]),
                unpackhi_epi64(upper[1], lower[1]),
            ]
        }

        /// Both passes. Returns the columns of samples, before the level shift.
        ///
        /// `lower` is zero where rows 4 to 7 are zero, `all` where all rows are zero.
        #[inline]
        #[target_feature(enable = $features)]
        fn transform_blocks<const SHIFT_1: i32, const SHIFT_2: i32>(
            rows: &[Vector; 8],
            lower: Vector,
            all: Vector,
            bias: Vector,
        ) -> [Vector; 8] {
            let one = set1_epi16(1);
            let half = const { 1 << (SHIFT_1 - 1) };
            let zero = setzero();
            let right_columns = bslli_epi128::<8>(set1_epi8(-1));
            if are_disjoint(all, right_columns) {
                let rows = if are_disjoint(lower, lower) {
                    transform_four::<SHIFT_1, true>(rows, one, half)
                } else {
                    transform_four::<SHIFT_1, false>(rows, one, half)
                };
                let [c0, c1, c2, c3] = transpose_four(rows);
                transform_eight::<SHIFT_2, true>(&[c0, c1, c2, c3, zero, zero, zero, zero], bias, BIAS_FACTOR)
            } else {
                let rows = if are_disjoint(lower, lower) {
                    transform_eight::<SHIFT_1, true>(rows, one, half)
                } else {
                    transform_eight::<SHIFT_1, false>(rows, one, half)
                };
                transform_eight::<SHIFT_2, false>(&transpose(rows), bias, BIAS_FACTOR)
            }
        }

        /// Copies the first 16-bit value of each lane to the whole lane.
        #[inline]
        #[target_feature(enable = $features)]
        fn broadcast_first(vector: Vector) -> Vector {
            shuffle_epi32::<0>(shufflelo_epi16::<0>(vector))
        }

        /// Packs columns of samples to bytes with the level shift, and transposes them. Vector `i` has rows `2 i` and
        /// `2 i + 1` of each block.
        #[inline]
        #[target_feature(enable = $features)]
        fn rows_of_bytes([c0, c1, c2, c3, c4, c5, c6, c7]: [Vector; 8]) -> [Vector; 4] {
            let (a, b) = (packs_epi16(c0, c4), packs_epi16(c1, c5));
            let (c, d) = (packs_epi16(c2, c6), packs_epi16(c3, c7));
            let (columns_01, columns_45) = (unpacklo_epi8(a, b), unpackhi_epi8(a, b));
            let (columns_23, columns_67) = (unpacklo_epi8(c, d), unpackhi_epi8(c, d));
            let upper_left = unpacklo_epi16(columns_01, columns_23);
            let lower_left = unpackhi_epi16(columns_01, columns_23);
            let upper_right = unpacklo_epi16(columns_45, columns_67);
            let lower_right = unpackhi_epi16(columns_45, columns_67);
            let level_shift = set1_epi8(-128);
            [
                xor(unpacklo_epi32(upper_left, upper_right), level_shift),
                xor(unpackhi_epi32(upper_left, upper_right), level_shift),
                xor(unpacklo_epi32(lower_left, lower_right), level_shift),
                xor(unpackhi_epi32(lower_left, lower_right), level_shift),
            ]
        }

        /// Adds the level shift to 12-bit samples, and limits them to 0 … 4095: values from 2048 saturate the signed
        /// addition, values below -2048 saturate the unsigned subtraction. The values are between -8192 and 8191.
        #[inline]
        #[target_feature(enable = $features)]
        fn limit_12_bit(samples: Vector) -> Vector {
            subs_epu16(adds_epi16(samples, set1_epi16(i16::MAX - 2047)), set1_epi16(i16::MAX - 4095))
        }
    };
}
pub(super) use transform_passes;
