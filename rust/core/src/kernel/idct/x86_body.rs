//! Body of the vector kernels, as a macro: `x86_sse2`, `x86` and `x86_v4` expand it for vectors of 128, 256 and 512 bits.
//! Cycles per dense 8-bit block: 106, 61 and 46; `scalar` takes 585.
//!
//! A vector has one block in each 128-bit lane, and no instruction of the transform moves data between lanes:
//!
//! ```text
//! row r   | block 0: r,0 … r,7 | block 1: r,0 … r,7 | …      eight 16-bit coefficients per block
//! ```
//!
//! The importing file gives names without width to its vector type (`Vector`) and intrinsics, and defines
//!
//! | name | result |
//! |---|---|
//! | `LANES` | blocks per vector |
//! | `narrow`, `wide` | modules that transform single blocks if one of a group is out of bounds: 8 bits, 12 bits |
//! | `load_row`, `broadcast_row` | row of each block; row of the quantisation table in each lane |
//! | `are_disjoint` | true if no bit is set in both vectors |
//! | `weighted_sum` | per pair of values: the sum of magnitude × quantiser, 32 bits |
//! | `shift_right` | arithmetic shift of 32-bit values |
//! | `store_bytes`, `store_words` | writes the samples of 8×8 blocks |
//! | `store_half_bytes`, `store_half_words` | writes the samples of 4×4 blocks |
//! | `store_quarter` | writes two rows of N bytes per block |

/// Largest quantiser for which [`transform_body`]'s 12-bit kernel adds products of a block in 32 bits.
pub(super) const MAX_QUANTIZER: i16 = 4095;

/// Expands to `transform_8_bit` and `transform_12_bit` for one vector width. The argument is the list of CPU features.
macro_rules! transform_body {
    ($features:literal) => {
        transform_passes!($features);
        transform_reduced_passes!($features);

        /// Returns the rows of the blocks of a group, or `None` if an index is invalid.
        #[inline]
        #[target_feature(enable = $features)]
        fn load_blocks(blocks: &[Block], indices: [usize; LANES]) -> Option<[Vector; 8]> {
            let mut lanes = [&[[0; 8]; 8]; LANES];
            for (lane, index) in lanes.iter_mut().zip(indices) {
                *lane = bytemuck::cast_ref(blocks.get(index)?);
            }
            Some([
                load_row(lanes.map(|[row, ..]| row)),
                load_row(lanes.map(|[_, row, ..]| row)),
                load_row(lanes.map(|[_, _, row, ..]| row)),
                load_row(lanes.map(|[_, _, _, row, ..]| row)),
                load_row(lanes.map(|[.., row, _, _, _]| row)),
                load_row(lanes.map(|[.., row, _, _]| row)),
                load_row(lanes.map(|[.., row, _]| row)),
                load_row(lanes.map(|[.., row]| row)),
            ])
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn load_quantizers(table: &QuantizationTable) -> [Vector; 8] {
            let [r0, r1, r2, r3, r4, r5, r6, r7] = bytemuck::cast_ref::<Block, [[i16; 8]; 8]>(&table.quantizers);
            [
                broadcast_row(r0),
                broadcast_row(r1),
                broadcast_row(r2),
                broadcast_row(r3),
                broadcast_row(r4),
                broadcast_row(r5),
                broadcast_row(r6),
                broadcast_row(r7),
            ]
        }

        #[inline]
        fn clear_blocks(blocks: &mut [Block], indices: [usize; LANES]) {
            for index in indices {
                if let Some(block) = blocks.get_mut(index) {
                    *block = [0; 64];
                }
            }
        }

        /// Transforms the blocks of the group that starts with block `first`, each by itself. Where the values of one block are
        /// out of bounds, most others are not.
        #[cold]
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn transform_singly(
            blocks: &mut [Block],
            run: &Run<'_>,
            first: usize,
            mut transform: impl FnMut(&mut [Block], &Run<'_>),
        ) {
            for position in first..(first + LANES).min(run.count) {
                transform(blocks, &run.single(position));
            }
        }

        /// Transforms a run to samples of 8 bits.
        #[target_feature(enable = $features)]
        pub(super) fn transform_8_bit(blocks: &mut [Block], run: &Run<'_>, samples: &mut [u8]) {
            match run.size {
                BlockSize::Full => transform_to_bytes::<8>(blocks, run, samples),
                BlockSize::Half => transform_to_bytes::<4>(blocks, run, samples),
                BlockSize::Quarter => transform_to_bytes::<2>(blocks, run, samples),
                BlockSize::Eighth => scalar::transform_8_bit(blocks, run, samples),
            }
        }

        /// Transforms a run to blocks of SIDE × SIDE bytes: 8, 4 or 2.
        ///
        /// Groups with products of row 0 outside -8192 … 8191 are left to the next narrower body, and in the end to `scalar`:
        /// only there the shift by which libjpeg-turbo replaces pass 1 of a lone row 0 differs from a saturating pass.
        #[inline]
        #[target_feature(enable = $features)]
        fn transform_to_bytes<const SIDE: usize>(blocks: &mut [Block], run: &Run<'_>, samples: &mut [u8]) {
            let quantizers = load_quantizers(run.table);
            let [q0, ..] = quantizers;
            for group in run.groups::<LANES>() {
                let Some(rows) = load_blocks(blocks, group.indices) else {
                    debug_assert!(false, "runs end with the slice");
                    return;
                };
                let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
                let d0 = mullo_epi16(r0, q0);
                if !are_disjoint(add_epi16(d0, set1_epi16(8192)), set1_epi16(-16_384)) {
                    transform_singly(blocks, run, group.first, |blocks, run| {
                        narrow::transform_8_bit(blocks, run, samples)
                    });
                    continue;
                }
                clear_blocks(blocks, group.indices);
                let lower = or(or(r4, r5), or(r6, r7));
                let others = or(or(r1, r2), or(r3, lower));
                let other_than_mean = or(others, bsrli_epi128::<2>(r0));
                let is_mean = are_disjoint(other_than_mean, other_than_mean);
                // Only the mean, in which pass 1 has no rounding: (4 mean × 2^13 + 2^17) >> 18.
                let mean = broadcast_first(srai_epi16::<3>(add_epi16(d0, set1_epi16(4))));
                let level_shift = set1_epi8(-128);
                if SIDE == 8 {
                    let pairs = if is_mean {
                        [xor(packs_epi16(mean, mean), level_shift); 4]
                    } else {
                        rows_of_bytes(transform_blocks::<11, 18>(
                            d0,
                            rows,
                            quantizers,
                            (lower, or(others, r0)),
                            set1_epi16(8),
                        ))
                    };
                    store_bytes(pairs, samples, group.offsets, run.stride);
                } else if SIDE == 4 {
                    let [upper, lower] = if is_mean {
                        [mean; 2]
                    } else {
                        transform_blocks_to_half::<12, 19>(dequantize(d0, rows, quantizers), set1_epi16(-8))
                    };
                    let block = xor(packs_epi16(upper, lower), level_shift);
                    store_half_bytes(block, samples, group.offsets, run.stride);
                } else {
                    let block = if is_mean {
                        mean
                    } else {
                        transform_blocks_to_quarter::<13, 20>(dequantize(d0, rows, quantizers), set1_epi32(1 << 19))
                    };
                    let block = xor(packs_epi16(block, block), level_shift);
                    store_quarter::<2>(block, samples, group.offsets, run.stride);
                }
            }
        }

        /// Transforms a run to samples of 12 bits.
        #[target_feature(enable = $features)]
        pub(super) fn transform_12_bit(blocks: &mut [Block], run: &Run<'_>, samples: &mut [u8]) {
            let is_small = run.table.quantizers.iter().all(|quantizer| (0..=MAX_QUANTIZER).contains(quantizer));
            match run.size {
                BlockSize::Full if is_small => transform_to_words::<8>(blocks, run, samples),
                BlockSize::Half if is_small => transform_to_words::<4>(blocks, run, samples),
                BlockSize::Quarter if is_small => transform_to_words::<2>(blocks, run, samples),
                _ => scalar::transform_12_bit(blocks, run, samples),
            }
        }

        /// Transforms a run to blocks of SIDE × SIDE samples of 12 bits: 8, 4 or 2.
        ///
        /// The transform of libjpeg-turbo needs more than 16 bits between the passes only for the mean (DC). After pass 1 the
        /// mean is exactly 2 DC in each row of column 0, and pass 2 multiplies that by 2^13. So pass 1 leaves it out, and the
        /// bias of pass 2 has it:
        ///
        /// ```text
        /// DC × 2^14 + rounding 2^16  =  (DC + 4) × 2^14  =  bias × BIAS_FACTOR
        /// ```
        ///
        /// The bounds are |DC + 4| ≤ 20,000, and 11,800 for the sum of the magnitudes of all other products in columns 0, 1, 4, 5
        /// and of those in columns 2, 3, 6, 7. A pass multiplies no input by more than 11,363 / 2^13, so:
        ///
        /// ```text
        /// after pass 1, sums of the columns (0, 4), (1, 5), (3, 7)    2 × 11,800 × 1.3871 + rounding  =  32,740  <  2^15
        /// pass 2, 32 bits                                             20,000 × 2^14 + 23,600 × 1.3871^2 × 2^14  <  2^31
        /// samples before the level shift                              (20,000 + 23,600 × 1.3871^2) / 8  =  8,176  <  2^13
        /// ```
        ///
        /// 4×4 samples are the same with (DC + 4) × 2^15 and smaller factors. 2×2 samples have (DC + 4) × 2^16, and 11,800 is the
        /// bound for all columns together. Steps over the whole range and noise at the highest quality exceed the bounds.
        #[inline]
        #[target_feature(enable = $features)]
        fn transform_to_words<const SIDE: usize>(blocks: &mut [Block], run: &Run<'_>, samples: &mut [u8]) {
            let quantizers = load_quantizers(run.table);
            let [q0, q1, q2, q3, q4, q5, q6, q7] = quantizers;
            let all_but_first = bslli_epi128::<2>(set1_epi16(-1));
            for group in run.groups::<LANES>() {
                let Some(rows) = load_blocks(blocks, group.indices) else {
                    debug_assert!(false, "runs end with the slice");
                    return;
                };
                let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
                let d0 = mullo_epi16(r0, q0);
                let bias = add_epi16(d0, set1_epi16(4));
                let lower = or(or(r4, r5), or(r6, r7));
                let others = or(or(r1, r2), or(r3, lower));
                let other_than_mean = or(others, bsrli_epi128::<2>(r0));
                let is_mean = are_disjoint(other_than_mean, other_than_mean);
                // Nonzero if a product of row 0 does not fit in 16 bits, or if the bias is out of bounds.
                let overflow = or(xor(mulhi_epi16(r0, q0), srai_epi16::<15>(d0)), outside_20_000(bias));
                let excess = if is_mean {
                    overflow
                } else {
                    let (upper, lower) = ([and(r0, all_but_first), r1, r2, r3], [r4, r5, r6, r7]);
                    or(overflow, magnitude_excess::<SIDE>(upper, [q0, q1, q2, q3], lower, [q4, q5, q6, q7]))
                };
                if !are_disjoint(excess, excess) {
                    transform_singly(blocks, run, group.first, |blocks, run| {
                        wide::transform_12_bit(blocks, run, samples)
                    });
                    continue;
                }
                clear_blocks(blocks, group.indices);
                let mean = broadcast_first(srai_epi16::<3>(bias));
                let first = and(d0, all_but_first);
                let bias = broadcast_first(bias);
                if SIDE == 8 {
                    let rows = if is_mean {
                        [limit_12_bit(mean); 8]
                    } else {
                        let [c0, c1, c2, c3, c4, c5, c6, c7] =
                            transform_blocks::<12, 17>(first, rows, quantizers, (lower, or(others, r0)), bias);
                        transpose([
                            limit_12_bit(c0),
                            limit_12_bit(c1),
                            limit_12_bit(c2),
                            limit_12_bit(c3),
                            limit_12_bit(c4),
                            limit_12_bit(c5),
                            limit_12_bit(c6),
                            limit_12_bit(c7),
                        ])
                    };
                    store_words(rows, samples, group.offsets, run.stride);
                } else if SIDE == 4 {
                    let [upper, lower] = if is_mean {
                        [mean; 2]
                    } else {
                        transform_blocks_to_half::<13, 18>(
                            dequantize(first, rows, quantizers),
                            sub_epi16(setzero(), bias),
                        )
                    };
                    store_half_words([limit_12_bit(upper), limit_12_bit(lower)], samples, group.offsets, run.stride);
                } else {
                    let block = if is_mean {
                        mean
                    } else {
                        transform_blocks_to_quarter::<14, 19>(
                            dequantize(first, rows, quantizers),
                            unpacklo_epi16(setzero(), bias),
                        )
                    };
                    store_quarter::<4>(limit_12_bit(block), samples, group.offsets, run.stride);
                }
            }
        }

        /// Returns nonzero bits for values outside -20,000 … 20,000: those whose sum with 20,000 exceeds 40,000 as an unsigned
        /// number.
        #[inline]
        #[target_feature(enable = $features)]
        fn outside_20_000(values: Vector) -> Vector {
            subs_epu16(add_epi16(values, set1_epi16(20_000)), set1_epi16(40_000_u16.cast_signed()))
        }

        /// Returns nonzero bits in each lane in which a sum of coefficient magnitude × quantiser may exceed 11,800.
        ///
        /// A 32-bit element has two columns, and adds 16 products below 2^15 × `MAX_QUANTIZER`. Two or four elements are added
        /// after a division by 4, which loses at most 3 of each.
        #[inline]
        #[target_feature(enable = $features)]
        fn magnitude_excess<const SIDE: usize>(
            [a0, a1, a2, a3]: [Vector; 4],
            [q0, q1, q2, q3]: [Vector; 4],
            [a4, a5, a6, a7]: [Vector; 4],
            [q4, q5, q6, q7]: [Vector; 4],
        ) -> Vector {
            let first = add_epi32(weighted_sum(a0, q0), weighted_sum(a1, q1));
            let second = add_epi32(weighted_sum(a2, q2), weighted_sum(a3, q3));
            let third = add_epi32(weighted_sum(a4, q4), weighted_sum(a5, q5));
            let fourth = add_epi32(weighted_sum(a6, q6), weighted_sum(a7, q7));
            let sums = shift_right::<2>(add_epi32(add_epi32(first, second), add_epi32(third, fourth)));
            let sums = add_epi32(sums, shuffle_epi32::<0b01_00_11_10>(sums));
            let sums = if SIDE == 2 { add_epi32(sums, shuffle_epi32::<0b10_11_00_01>(sums)) } else { sums };
            shift_right::<31>(sub_epi32(set1_epi32((11_800 - 12) / 4), sums))
        }
    };
}
pub(super) use transform_body;
