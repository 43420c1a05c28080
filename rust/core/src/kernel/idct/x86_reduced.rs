//! Transforms of 8×8 coefficients to 4×4 and 2×2 samples, as a macro.
//!
//! # 4×4
//!
//! The four outputs of `scalar::transform_4` are sums of products of pairs, without sums of inputs:
//!
//! ```text
//! (v0, bias)   mean  = v0 + rounding
//! (v2, v6)     even  = 1.848 v2 - 0.765 v6
//! (v1, v3)     inner = 1.062 v1 - 2.173 v3 + 1.452 v5 - 0.211 v7
//! (v5, v7)     outer = 2.563 v1 + 0.900 v3 - 0.601 v5 - 0.510 v7
//!
//! outputs      mean + even ± outer (0 and 3)     mean - even ± inner (1 and 2)
//! ```
//!
//! Pass 1 has eight columns in each lane, pass 2 four rows. After pass 1 the four rows are transposed by interleaving, which
//! also makes the pairs of pass 2: `r` is the row.
//!
//! ```text
//! rows 0, 1      →  0,0 1,0 0,1 1,1 0,2 1,2 0,3 1,3  |  columns 4 to 7
//! with rows 2, 3 →  columns 0, 1: 0,0 1,0 2,0 3,0 0,1 1,1 2,1 3,1   |  columns 2, 3  |  4, 5  |  6, 7
//! pairs (1, 3)   →  upper halves of columns 0, 1 and of columns 2, 3: 0,1 0,3 1,1 1,3 2,1 2,3 3,1 3,3
//! ```
//!
//! # 2×2
//!
//! Pass 1 gives two rows of eight columns. One `madd` multiplies a row by the constants of its odd columns, and the four
//! products are added. Column 0 has no product and keeps its 32 bits.

use super::scalar::fixed;

/// Constants of `scalar::transform_4`, named by their first digits.
pub(super) const F_0_211: i32 = fixed(0.211_164_243);
pub(super) const F_0_509: i32 = fixed(0.509_795_579);
pub(super) const F_0_601: i32 = fixed(0.601_344_887);
pub(super) const F_1_061: i32 = fixed(1.061_594_337);
pub(super) const F_1_451: i32 = fixed(1.451_774_981);
pub(super) const F_2_172: i32 = fixed(2.172_734_803);
/// Constants of `scalar::transform_2`.
pub(super) const F_0_720: i32 = fixed(0.720_959_822);
pub(super) const F_0_850: i32 = fixed(0.850_430_095);
pub(super) const F_1_272: i32 = fixed(1.272_758_580);
pub(super) const F_3_624: i32 = fixed(3.624_509_785);
/// The bias of pass 2 to 4×4 samples counts units of -2^15, because 2^15 does not fit in 16 bits.
pub(super) const HALF_BIAS_FACTOR: i32 = -(1 << 15);

/// Expands to the transforms to 4×4 and 2×2 samples, for one vector width. The argument is the list of CPU features.
macro_rules! transform_reduced_passes {
    ($features:literal) => {
        /// Transforms four inputs per lane to four outputs, divided by 2^SHIFT.
        #[inline]
        #[target_feature(enable = $features)]
        fn outputs_of_half<const SHIFT: i32>(
            [pair_0, pair_13, pair_26, pair_57]: [Vector; 4],
            bias_factor: i32,
        ) -> [Vector; 4] {
            let mean = madd_epi16(pair_0, pair(1 << (CONSTANT_BITS + 1), bias_factor));
            let even = madd_epi16(pair_26, pair(F_1_847, -F_0_765));
            let inner =
                add_epi32(madd_epi16(pair_13, pair(F_1_061, -F_2_172)), madd_epi16(pair_57, pair(F_1_451, -F_0_211)));
            let outer =
                add_epi32(madd_epi16(pair_13, pair(F_2_562, F_0_899)), madd_epi16(pair_57, pair(-F_0_601, -F_0_509)));
            let (sum, difference) = (add_epi32(mean, even), sub_epi32(mean, even));
            [
                shift_right::<SHIFT>(add_epi32(sum, outer)),
                shift_right::<SHIFT>(add_epi32(difference, inner)),
                shift_right::<SHIFT>(sub_epi32(difference, inner)),
                shift_right::<SHIFT>(sub_epi32(sum, outer)),
            ]
        }

        /// Both passes. Returns two vectors of samples before the level shift: rows 0 and 1, and rows 2 and 3, with four
        /// samples of each row.
        #[inline]
        #[target_feature(enable = $features)]
        fn transform_blocks_to_half<const SHIFT_1: i32, const SHIFT_2: i32>(
            [r0, r1, r2, r3, _, r5, r6, r7]: [Vector; 8],
            bias: Vector,
        ) -> [Vector; 2] {
            let (one, half) = (set1_epi16(1), const { 1 << (SHIFT_1 - 1) });
            let [a0, a1, a2, a3] = outputs_of_half::<SHIFT_1>(
                [unpacklo_epi16(r0, one), unpacklo_epi16(r1, r3), unpacklo_epi16(r2, r6), unpacklo_epi16(r5, r7)],
                half,
            );
            let [b0, b1, b2, b3] = outputs_of_half::<SHIFT_1>(
                [unpackhi_epi16(r0, one), unpackhi_epi16(r1, r3), unpackhi_epi16(r2, r6), unpackhi_epi16(r5, r7)],
                half,
            );
            let (r0, r1) = (packs_epi32(a0, b0), packs_epi32(a1, b1));
            let (r2, r3) = (packs_epi32(a2, b2), packs_epi32(a3, b3));
            let (upper_left, upper_right) = (unpacklo_epi16(r0, r1), unpackhi_epi16(r0, r1));
            let (lower_left, lower_right) = (unpacklo_epi16(r2, r3), unpackhi_epi16(r2, r3));
            let columns_01 = unpacklo_epi32(upper_left, lower_left);
            let columns_23 = unpackhi_epi32(upper_left, lower_left);
            let columns_45 = unpacklo_epi32(upper_right, lower_right);
            let columns_67 = unpackhi_epi32(upper_right, lower_right);
            let [c0, c1, c2, c3] = outputs_of_half::<SHIFT_2>(
                [
                    unpacklo_epi16(columns_01, bias),
                    unpackhi_epi16(columns_01, columns_23),
                    unpacklo_epi16(columns_23, columns_67),
                    unpackhi_epi16(columns_45, columns_67),
                ],
                HALF_BIAS_FACTOR,
            );
            let (even, odd) = (packs_epi32(c0, c2), packs_epi32(c1, c3));
            let (left, right) = (unpacklo_epi16(even, odd), unpackhi_epi16(even, odd));
            [unpacklo_epi32(left, right), unpackhi_epi32(left, right)]
        }

        /// Transforms four inputs per lane to two outputs, divided by 2^SHIFT.
        #[inline]
        #[target_feature(enable = $features)]
        fn outputs_of_quarter<const SHIFT: i32>(pair_0: Vector, pair_13: Vector, pair_57: Vector) -> [Vector; 2] {
            // `pair_0` is v0 × 2^16.
            let rounding = set1_epi32(const { 1 << (SHIFT - 1) });
            let mean = add_epi32(shift_right::<1>(pair_0), rounding);
            let odd =
                add_epi32(madd_epi16(pair_13, pair(F_3_624, -F_1_272)), madd_epi16(pair_57, pair(F_0_850, -F_0_720)));
            [shift_right::<SHIFT>(add_epi32(mean, odd)), shift_right::<SHIFT>(sub_epi32(mean, odd))]
        }

        /// Both passes. Returns samples before the level shift in the lower half of each lane: two of row 0, two of row 1.
        ///
        /// `rounding` is added in pass 2, in 32 bits.
        #[inline]
        #[target_feature(enable = $features)]
        fn transform_blocks_to_quarter<const SHIFT_1: i32, const SHIFT_2: i32>(
            [r0, r1, _, r3, _, r5, _, r7]: [Vector; 8],
            rounding: Vector,
        ) -> Vector {
            let zero = setzero();
            let [a0, a1] =
                outputs_of_quarter::<SHIFT_1>(unpacklo_epi16(zero, r0), unpacklo_epi16(r1, r3), unpacklo_epi16(r5, r7));
            let [b0, b1] =
                outputs_of_quarter::<SHIFT_1>(unpackhi_epi16(zero, r0), unpackhi_epi16(r1, r3), unpackhi_epi16(r5, r7));
            let odd_columns = unpacklo_epi64(
                unpacklo_epi32(pair(0, F_3_624), pair(0, -F_1_272)),
                unpacklo_epi32(pair(0, F_0_850), pair(0, -F_0_720)),
            );
            let products_0 = madd_epi16(packs_epi32(a0, b0), odd_columns);
            let products_1 = madd_epi16(packs_epi32(a1, b1), odd_columns);
            let sums = add_epi32(unpacklo_epi32(products_0, products_1), unpackhi_epi32(products_0, products_1));
            let odd = add_epi32(sums, shuffle_epi32::<0b01_00_11_10>(sums));
            let mean = add_epi32(slli_epi32::<15>(unpacklo_epi32(a0, a1)), rounding);
            let samples = unpacklo_epi32(add_epi32(mean, odd), sub_epi32(mean, odd));
            let samples = shift_right::<SHIFT_2>(samples);
            packs_epi32(samples, samples)
        }
    };
}
pub(super) use transform_reduced_passes;
