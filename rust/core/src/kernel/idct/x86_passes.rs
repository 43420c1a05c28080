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
//! Most blocks have no coefficients in rows or columns 4 to 7. A pass over four inputs is shorter: each sum of the even part
//! is one `madd` of (v0, v2), each of the odd part one of (v1, v3). Without columns 4 to 7, pass 1 transforms four columns
//! instead of eight. Instructions per 8-bit block with AVX2: 201 in the general case, 137 without rows and columns 4 to 7.
//!
//! Between the passes the rows are transposed only up to pairs of columns, because pass 2 interleaves them again:
//!
//! ```text
//! rows 0 to 3    columns (0, 1): 0,0 1,0 2,0 3,0 0,1 1,1 2,1 3,1    columns (2, 3): 0,2 1,2 2,2 3,2 0,3 1,3 2,3 3,3
//! (v0, v2)       lower halves of both: 0,0 0,2 1,0 1,2 2,0 2,2 3,0 3,2
//! ```

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

        /// Inputs of a transform, interleaved in pairs: four per vector and lane. N is 1 (four columns) or 2 (eight columns
        /// or rows).
        struct Pairs<const N: usize> {
            /// v0 + v4 and the bias.
            sum: [Vector; N],
            /// v0 - v4 and the bias.
            difference: [Vector; N],
            /// v2 and v6.
            even: [Vector; N],
            /// v7 + v3 and v5 + v1.
            sums: [Vector; N],
            /// v7 and v1.
            outer: [Vector; N],
            /// v5 and v3.
            inner: [Vector; N],
        }

        /// Inputs of a transform whose inputs 4 to 7 are zero.
        struct HalfPairs<const N: usize> {
            /// v0 and v2.
            even: [Vector; N],
            /// v1 and v3.
            odd: [Vector; N],
        }

        /// Interleaves the first four columns of each lane (N = 1) or all columns (N = 2) for pass 1.
        #[inline]
        #[target_feature(enable = $features)]
        fn pairs_of_rows<const N: usize>(
            [r0, r1, r2, r3, r4, r5, r6, r7]: [Vector; 8],
            bias: Vector,
            interleave: impl Fn(Vector, Vector) -> [Vector; N],
        ) -> Pairs<N> {
            Pairs {
                sum: interleave(add_epi16(r0, r4), bias),
                difference: interleave(sub_epi16(r0, r4), bias),
                even: interleave(r2, r6),
                sums: interleave(add_epi16(r7, r3), add_epi16(r5, r1)),
                outer: interleave(r7, r1),
                inner: interleave(r5, r3),
            }
        }

        /// [`pairs_of_rows`] without rows 4 to 7.
        #[inline]
        #[target_feature(enable = $features)]
        fn pairs_of_four_rows<const N: usize>(
            [r0, r1, r2, r3]: [Vector; 4],
            interleave: impl Fn(Vector, Vector) -> [Vector; N],
        ) -> HalfPairs<N> {
            HalfPairs { even: interleave(r0, r2), odd: interleave(r1, r3) }
        }

        /// Interleaves pairs of columns (0, 1), (2, 3), (4, 5), (6, 7) of rows 0 to 3 and rows 4 to 7 for pass 2.
        #[inline]
        #[target_feature(enable = $features)]
        fn pairs_of_columns([upper, lower]: [[Vector; 4]; 2], bias: Vector) -> Pairs<2> {
            let ([u01, u23, u45, u67], [l01, l23, l45, l67]) = (upper, lower);
            let (u_first, l_first) = (add_epi16(u01, u45), add_epi16(l01, l45));
            let (u_last, l_last) = (add_epi16(u67, u23), add_epi16(l67, l23));
            Pairs {
                sum: [unpacklo_epi16(u_first, bias), unpacklo_epi16(l_first, bias)],
                difference: [unpacklo_epi16(sub_epi16(u01, u45), bias), unpacklo_epi16(sub_epi16(l01, l45), bias)],
                even: [unpacklo_epi16(u23, u67), unpacklo_epi16(l23, l67)],
                sums: [unpackhi_epi16(u_last, u_first), unpackhi_epi16(l_last, l_first)],
                outer: [unpackhi_epi16(u67, u01), unpackhi_epi16(l67, l01)],
                inner: [unpackhi_epi16(u45, u23), unpackhi_epi16(l45, l23)],
            }
        }

        /// [`pairs_of_columns`] without columns 4 to 7.
        #[inline]
        #[target_feature(enable = $features)]
        fn pairs_of_four_columns([[u01, u23], [l01, l23]]: [[Vector; 2]; 2]) -> HalfPairs<2> {
            HalfPairs {
                even: [unpacklo_epi16(u01, u23), unpacklo_epi16(l01, l23)],
                odd: [unpackhi_epi16(u01, u23), unpackhi_epi16(l01, l23)],
            }
        }

        /// Transforms eight inputs. Outputs are divided by 2^SHIFT after the bias × `bias_factor` is added.
        ///
        /// `pack` gets each output as soon as it is known, so that few vectors have to be stored meanwhile.
        #[inline]
        #[target_feature(enable = $features)]
        fn transform_eight<const N: usize, const SHIFT: i32>(
            pairs: &Pairs<N>,
            bias_factor: i32,
            pack: impl Fn([Vector; N]) -> Vector,
        ) -> [Vector; 8] {
            let mean = pair(1 << CONSTANT_BITS, bias_factor);
            let s = rotate(pairs.sum, mean);
            let d = rotate(pairs.difference, mean);
            let e = rotate(pairs.even, pair(F_0_541 + F_0_765, F_0_541));
            let f = rotate(pairs.even, pair(F_0_541, F_0_541 - F_1_847));
            let p = rotate(pairs.sums, pair(F_1_175 - F_1_961, F_1_175));
            let q = rotate(pairs.sums, pair(F_1_175, F_1_175 - F_0_390));
            let outer = |a, b| rotate(pairs.outer, pair(a, b));
            let inner = |a, b| rotate(pairs.inner, pair(a, b));
            let (r0, r7) = outputs::<N, SHIFT>(add(s, e), add(outer(-F_0_899, F_1_501 - F_0_899), q), &pack);
            let (r3, r4) = outputs::<N, SHIFT>(subtract(s, e), add(outer(F_0_298 - F_0_899, -F_0_899), p), &pack);
            let (r1, r6) = outputs::<N, SHIFT>(add(d, f), add(inner(-F_2_562, F_3_072 - F_2_562), p), &pack);
            let (r2, r5) = outputs::<N, SHIFT>(subtract(d, f), add(inner(F_2_053 - F_2_562, -F_2_562), q), &pack);
            [r0, r1, r2, r3, r4, r5, r6, r7]
        }

        /// [`transform_eight`] of inputs 0 to 3, when the others are zero. `rounding` is added in 32 bits.
        #[inline]
        #[target_feature(enable = $features)]
        fn transform_four<const N: usize, const SHIFT: i32>(
            pairs: &HalfPairs<N>,
            rounding: Vector,
            pack: impl Fn([Vector; N]) -> Vector,
        ) -> [Vector; 8] {
            let even = |v2| add(rotate(pairs.even, pair(1 << CONSTANT_BITS, v2)), [rounding; N]);
            let odd = |v1, v3| rotate(pairs.odd, pair(v1, v3));
            let o0 = odd(F_1_501 - F_0_899 + F_1_175 - F_0_390, F_1_175);
            let (r0, r7) = outputs::<N, SHIFT>(even(F_0_541 + F_0_765), o0, &pack);
            let o1 = odd(F_1_175, F_3_072 - F_2_562 + F_1_175 - F_1_961);
            let (r1, r6) = outputs::<N, SHIFT>(even(F_0_541), o1, &pack);
            let o2 = odd(F_1_175 - F_0_390, F_1_175 - F_2_562);
            let (r2, r5) = outputs::<N, SHIFT>(even(-F_0_541), o2, &pack);
            let o3 = odd(F_1_175 - F_0_899, F_1_175 - F_1_961);
            let (r3, r4) = outputs::<N, SHIFT>(even(-F_0_541 - F_0_765), o3, &pack);
            [r0, r1, r2, r3, r4, r5, r6, r7]
        }

        /// Returns the outputs `even + odd` and `even - odd`, divided by 2^SHIFT and packed.
        #[inline]
        #[target_feature(enable = $features)]
        fn outputs<const N: usize, const SHIFT: i32>(
            even: [Vector; N],
            odd: [Vector; N],
            pack: &impl Fn([Vector; N]) -> Vector,
        ) -> (Vector, Vector) {
            let (sum, difference) = (add(even, odd), subtract(even, odd));
            (
                pack(sum.map(|value| shift_right::<SHIFT>(value))),
                pack(difference.map(|value| shift_right::<SHIFT>(value))),
            )
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

        /// Transposes 8×8 values up to pairs of columns (0, 1), (2, 3), (4, 5), (6, 7): of rows 0 to 3, and of rows 4 to 7.
        #[inline]
        #[target_feature(enable = $features)]
        fn transpose_to_pairs([r0, r1, r2, r3, r4, r5, r6, r7]: [Vector; 8]) -> [[Vector; 4]; 2] {
            [[r0, r1, r2, r3], [r4, r5, r6, r7]].map(|[r0, r1, r2, r3]| {
                let (a, b) = (unpacklo_epi16(r0, r1), unpackhi_epi16(r0, r1));
                let (c, d) = (unpacklo_epi16(r2, r3), unpackhi_epi16(r2, r3));
                [unpacklo_epi32(a, c), unpackhi_epi32(a, c), unpacklo_epi32(b, d), unpackhi_epi32(b, d)]
            })
        }

        /// Transposes 8×8 values of 16 bits in each lane.
        #[inline]
        #[target_feature(enable = $features)]
        fn transpose(rows: [Vector; 8]) -> [Vector; 8] {
            let [[u01, u23, u45, u67], [l01, l23, l45, l67]] = transpose_to_pairs(rows);
            [
                unpacklo_epi64(u01, l01),
                unpackhi_epi64(u01, l01),
                unpacklo_epi64(u23, l23),
                unpackhi_epi64(u23, l23),
                unpacklo_epi64(u45, l45),
                unpackhi_epi64(u45, l45),
                unpacklo_epi64(u67, l67),
                unpackhi_epi64(u67, l67),
            ]
        }

        /// Transposes 8 rows of four 32-bit values to pairs of columns (0, 1) and (2, 3): of rows 0 to 3, and of rows 4 to 7.
        /// Values saturate to 16 bits.
        #[inline]
        #[target_feature(enable = $features)]
        fn transpose_four_to_pairs([r0, r1, r2, r3, r4, r5, r6, r7]: [Vector; 8]) -> [[Vector; 2]; 2] {
            [[r0, r1, r2, r3], [r4, r5, r6, r7]].map(|[r0, r1, r2, r3]| {
                let (even, odd) = (packs_epi32(r0, r2), packs_epi32(r1, r3));
                let (upper, lower) = (unpacklo_epi16(even, odd), unpackhi_epi16(even, odd));
                [unpacklo_epi32(upper, lower), unpackhi_epi32(upper, lower)]
            })
        }

        /// Both passes. Returns the columns of samples, before the level shift.
        ///
        /// `first` is row 0 after dequantisation. `lower` is zero where rows 4 to 7 are zero, `all` where all rows are zero.
        #[inline]
        #[target_feature(enable = $features)]
        fn transform_blocks<const SHIFT_1: i32, const SHIFT_2: i32>(
            first: Vector,
            rows: [Vector; 8],
            quantizers: [Vector; 8],
            (lower, all): (Vector, Vector),
            bias: Vector,
        ) -> [Vector; 8] {
            let one = set1_epi16(1);
            let half = const { 1 << (SHIFT_1 - 1) };
            let right_columns = bslli_epi128::<8>(set1_epi8(-1));
            let ([_, r1, r2, r3, ..], [_, q1, q2, q3, ..]) = (rows, quantizers);
            let upper_rows = || [first, mullo_epi16(r1, q1), mullo_epi16(r2, q2), mullo_epi16(r3, q3)];
            let all_rows = || dequantize(first, rows, quantizers);
            if are_disjoint(all, right_columns) {
                let interleave = |a, b| [unpacklo_epi16(a, b)];
                let rows = if are_disjoint(lower, lower) {
                    let pairs = pairs_of_four_rows(upper_rows(), interleave);
                    transform_four::<1, SHIFT_1>(&pairs, set1_epi32(half), |[row]| row)
                } else {
                    let pairs = pairs_of_rows(all_rows(), one, interleave);
                    transform_eight::<1, SHIFT_1>(&pairs, half, |[row]| row)
                };
                let pairs = pairs_of_four_columns(transpose_four_to_pairs(rows));
                // bias × 2^14
                let rounding = shift_right::<2>(unpacklo_epi16(setzero(), bias));
                return transform_four::<2, SHIFT_2>(&pairs, rounding, |[a, b]| packs_epi32(a, b));
            }
            let interleave = |a, b| [unpacklo_epi16(a, b), unpackhi_epi16(a, b)];
            let rows = if are_disjoint(lower, lower) {
                let pairs = pairs_of_four_rows(upper_rows(), interleave);
                transform_four::<2, SHIFT_1>(&pairs, set1_epi32(half), |[a, b]| packs_epi32(a, b))
            } else {
                let pairs = pairs_of_rows(all_rows(), one, interleave);
                transform_eight::<2, SHIFT_1>(&pairs, half, |[a, b]| packs_epi32(a, b))
            };
            let pairs = pairs_of_columns(transpose_to_pairs(rows), bias);
            transform_eight::<2, SHIFT_2>(&pairs, BIAS_FACTOR, |[a, b]| packs_epi32(a, b))
        }

        /// Multiplies rows by their quantisers. `first` is row 0, already multiplied.
        #[inline]
        #[target_feature(enable = $features)]
        fn dequantize(
            first: Vector,
            [_, r1, r2, r3, r4, r5, r6, r7]: [Vector; 8],
            [_, q1, q2, q3, q4, q5, q6, q7]: [Vector; 8],
        ) -> [Vector; 8] {
            [
                first,
                mullo_epi16(r1, q1),
                mullo_epi16(r2, q2),
                mullo_epi16(r3, q3),
                mullo_epi16(r4, q4),
                mullo_epi16(r5, q5),
                mullo_epi16(r6, q6),
                mullo_epi16(r7, q7),
            ]
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
