//! Body of the vector kernels as a macro, which `x86` and `x86_v4` expand for vectors of 256 and 512 bits.
//!
//! # Order of pixels
//! Doubling makes an even and an odd pixel of each chroma sample. They are converted in separate vectors, so that their order
//! is established only once, when R, G and B are interleaved. A round of 32 pixels:
//!
//! ```text
//! luma          32 bytes          even: y0 y2 … y30,  odd: y1 y3 … y31     (16-bit lanes)
//! half chroma   c[-1] … c[16]     even: (3 c[i] + c[i-1] + 1) / 4,  odd: (3 c[i] + c[i+1] + 2) / 4
//! convert       even and odd pixels on their own
//! pack          R: r0 r2 … r14 r1 r3 … r15 │ r16 r18 … r30 r17 r19 … r31   (each 128-bit lane: 8 even, 8 odd pixels)
//! interleave    R0 G0 B0 R1 G1 B1 …
//! ```
//!
//! Pixels with full chroma, and those that are not converted, stay in their order.
//!
//! # Conversion
//! A lane of 16 bits has the pair Cb, Cr of a pixel, less the middle: two signed bytes. `maddubs` multiplies both by unsigned
//! factors (`weights`) and adds the products. `mulhrs` computes (a × b + 2^14) >> 15.
//!
//! R and B: with an even number `a` there are factors `b` that round like the definition for every sample:
//!
//! | | 2 Cr or 2 Cb times | equals |
//! |---|---|---|
//! | R of both conversions | 22970 / 2^15 | (91881 Cr + 2^15) >> 16, and 1.402 Cr rounded |
//! | B of T.871 | 29033 / 2^15 | (116130 Cb + 2^15) >> 16 |
//! | B of DICOM | 29030 / 2^15 | 1.772 Cb rounded, except for Cb = 125, which it rounds to 221 instead of 222 |
//!
//! G: the factors are split into parts of 8 bits, of which the largest has 7 bits for the sum to fit. T.871:
//!
//! ```text
//! 22554 Cb + 46802 Cr = 512 (44 Cb + 91 Cr) + 26 Cb + 210 Cr = 512 high + low
//! G = Y - (high + low / 512 + 64) / 128                      / 128 by mulhrs with 256 / 2^15
//! ```
//!
//! DICOM: 360854 Cb + 748827 Cr = 8192 (44 Cb + 91 Cr) + 256 (Cb + 13 Cr) + 150 Cb + 27 Cr, of 20 fractional bits.
//!
//! The tests compare both conversions with their definitions for all pairs.
//!
//! # Names
//! The importing file gives names without width to its vector type (`Vector`) and intrinsics, and defines
//!
//! | name | result |
//! |---|---|
//! | `PIXELS` | pixels of a round, one byte of a vector for each |
//! | `HALF_BYTES` | samples that `neighbour_pairs` gets, from the left neighbour on |
//! | `load` | vector from an array of its size |
//! | `neighbour_pairs` | bytes (sample, left neighbour), and bytes (sample, right neighbour) |
//! | `srai_epi16`, `slli_epi16` | shifts |
//! | `equal`, `greater` | comparisons of 16-bit lanes: -1 or 0 |
//! | `is_any` | true if a bit is set |
//! | `interleave::<IS_SPLIT>` | writes R, G and B as pixels; `IS_SPLIT`: in the order of packed even and odd pixels |

/// Expands to `write_pixels` for one vector width. The argument is the list of CPU features.
macro_rules! write_pixels_body {
    ($features:literal) => {
        #[target_feature(enable = $features)]
        pub(super) fn write_pixels(
            luma: &[u8],
            chroma: Chroma<'_, u8>,
            conversion: Option<RgbConversion>,
            pixels: &mut [u8],
        ) {
            match conversion {
                None => write_components(luma, chroma, pixels),
                Some(RgbConversion::T871) => {
                    write_converted(luma, chroma, pixels, |y, pairs, twice| t871(y, pairs, twice));
                }
                Some(RgbConversion::Dicom) => {
                    write_converted(luma, chroma, pixels, |y, pairs, twice| full_to_rgb(y, pairs, twice));
                }
            }
        }

        /// Chroma samples of a round.
        const HALF: usize = PIXELS / 2;

        /// Writes Y, Cb and Cr.
        #[inline]
        #[target_feature(enable = $features)]
        fn write_components(luma: &[u8], chroma: Chroma<'_, u8>, pixels: &mut [u8]) {
            match chroma {
                Chroma::Full(rows) => for_each_round::<_, PIXELS, PIXELS, false>(luma, rows, pixels, |y, [cb, cr]| {
                    [y, load(cb), load(cr)]
                }),
                Chroma::Half(rows) => {
                    for_each_round::<_, HALF_BYTES, HALF, false>(luma, rows, pixels, |y, [cb, cr]| {
                        [y, join(half_lanes(cb, 0)), join(half_lanes(cr, 0))]
                    })
                }
                Chroma::HalfSums(rows) => {
                    for_each_round::<_, { HALF + 2 }, HALF, false>(luma, rows, pixels, |y, [cb, cr]| {
                        [y, join(sum_lanes(cb, 0)), join(sum_lanes(cr, 0))]
                    });
                }
            }
        }

        /// Writes R, G and B. `convert` makes 16-bit lanes of them, which are clipped here, of lanes of Y, of the pairs Cb, Cr,
        /// and of 2 Cb and 2 Cr.
        #[inline]
        #[target_feature(enable = $features)]
        fn write_converted(
            luma: &[u8],
            chroma: Chroma<'_, u8>,
            pixels: &mut [u8],
            convert: impl Fn(Vector, Vector, [Vector; 2]) -> [Vector; 3],
        ) {
            let pack = |[first_red, first_green, first_blue]: [Vector; 3], [red, green, blue]: [Vector; 3]| {
                [packus_epi16(first_red, red), packus_epi16(first_green, green), packus_epi16(first_blue, blue)]
            };
            let convert_full = |y, pairs| {
                convert(y, pairs, [maddubs_epi16(weights(2, 0), pairs), maddubs_epi16(weights(0, 2), pairs)])
            };
            let convert_split = |y, [cb_even, cb_odd]: [Vector; 2], [cr_even, cr_odd]: [Vector; 2]| {
                let [y_even, y_odd] = split(y);
                let (cb, cr) = (packs_epi16(cb_even, cb_odd), packs_epi16(cr_even, cr_odd));
                let even = [add_epi16(cb_even, cb_even), add_epi16(cr_even, cr_even)];
                let odd = [add_epi16(cb_odd, cb_odd), add_epi16(cr_odd, cr_odd)];
                pack(convert(y_even, unpacklo_epi8(cb, cr), even), convert(y_odd, unpackhi_epi8(cb, cr), odd))
            };
            match chroma {
                Chroma::Full(rows) => for_each_round::<_, PIXELS, PIXELS, false>(luma, rows, pixels, |y, rows| {
                    // With the upper bit inverted, a sample less 128 is a signed byte.
                    let [cb, cr] = rows.map(|samples| xor(load(samples), set1_epi8(-128)));
                    pack(
                        convert_full(unpacklo_epi8(y, setzero()), unpacklo_epi8(cb, cr)),
                        convert_full(unpackhi_epi8(y, setzero()), unpackhi_epi8(cb, cr)),
                    )
                }),
                Chroma::Half(rows) => for_each_round::<_, HALF_BYTES, HALF, true>(luma, rows, pixels, |y, [cb, cr]| {
                    convert_split(y, half_lanes(cb, 128), half_lanes(cr, 128))
                }),
                Chroma::HalfSums(rows) => {
                    for_each_round::<_, { HALF + 2 }, HALF, true>(luma, rows, pixels, |y, [cb, cr]| {
                        convert_split(y, sum_lanes(cb, 128), sum_lanes(cr, 128))
                    });
                }
            }
        }

        /// Writes the rounds, the last one through a buffer if it is not complete. `planes_of` makes the planes of a round
        /// from luma and `N` samples of Cb and of Cr; rounds are `STEP` samples apart.
        #[inline]
        #[target_feature(enable = $features)]
        fn for_each_round<T, const N: usize, const STEP: usize, const IS_SPLIT: bool>(
            luma: &[u8],
            [cb, cr]: [&[T]; 2],
            pixels: &mut [u8],
            planes_of: impl Fn(Vector, [&[T; N]; 2]) -> [Vector; 3],
        ) {
            for (index, pixels) in pixels.chunks_mut(3 * PIXELS).enumerate() {
                let luma = luma.as_chunks::<PIXELS>().0.get(index);
                let cb = cb.get(index * STEP..).and_then(|samples| samples.first_chunk());
                let cr = cr.get(index * STEP..).and_then(|samples| samples.first_chunk());
                let (Some(luma), Some(cb), Some(cr)) = (luma, cb, cr) else {
                    debug_assert!(false, "rows are readable up to a multiple of ROUND_PIXELS");
                    return;
                };
                let planes = planes_of(load(luma), [cb, cr]);
                if let [round] = pixels.as_chunks_mut().0 {
                    interleave::<IS_SPLIT>(planes, round);
                } else {
                    let mut round = [0; 3 * PIXELS];
                    interleave::<IS_SPLIT>(planes, &mut round);
                    pixels.iter_mut().zip(round).for_each(|(to, from)| *to = from);
                }
            }
        }

        /// Returns 16-bit lanes of the bytes with even positions, and of those with odd positions.
        #[inline]
        #[target_feature(enable = $features)]
        fn split(bytes: Vector) -> [Vector; 2] {
            [and(bytes, set1_epi16(0xFF)), srli_epi16::<8>(bytes)]
        }

        /// Returns the bytes of which [`split`] makes `even` and `odd`.
        #[inline]
        #[target_feature(enable = $features)]
        fn join([even, odd]: [Vector; 2]) -> Vector {
            or(even, slli_epi16::<8>(odd))
        }

        /// Doubles samples: even and odd pixels, less `middle`.
        #[inline]
        #[target_feature(enable = $features)]
        fn half_lanes(samples: &[u8; HALF_BYTES], middle: i16) -> [Vector; 2] {
            let [left, right] = neighbour_pairs(samples);
            let (even, odd) = (maddubs_epi16(left, weights(3, 1)), maddubs_epi16(right, weights(3, 1)));
            let (even, odd) = (add_epi16(even, set1_epi16(1 - 4 * middle)), add_epi16(odd, set1_epi16(2 - 4 * middle)));
            [srai_epi16::<2>(even), srai_epi16::<2>(odd)]
        }

        /// Doubles vertical sums: even and odd pixels, less `middle`.
        #[inline]
        #[target_feature(enable = $features)]
        fn sum_lanes(sums: &[u16; HALF + 2], middle: i16) -> [Vector; 2] {
            let [left @ .., _, _] = sums;
            let [_, near @ .., _] = sums;
            let [_, _, right @ ..] = sums;
            let near = load(near);
            let three = add_epi16(near, add_epi16(near, near));
            let even = add_epi16(add_epi16(three, load(left)), set1_epi16(8 - 16 * middle));
            let odd = add_epi16(add_epi16(three, load(right)), set1_epi16(7 - 16 * middle));
            [srai_epi16::<4>(even), srai_epi16::<4>(odd)]
        }

        /// Factors of the first and the second byte of each lane.
        #[inline]
        #[target_feature(enable = $features)]
        fn weights(first: u8, second: u8) -> Vector {
            set1_epi16(i16::from_le_bytes([first, second]))
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn t871(y: Vector, pairs: Vector, [cb, cr]: [Vector; 2]) -> [Vector; 3] {
            let low = srai_epi16::<9>(maddubs_epi16(weights(26, 210), pairs));
            let sum = add_epi16(maddubs_epi16(weights(44, 91), pairs), low);
            [
                add_epi16(y, mulhrs_epi16(cr, set1_epi16(22_970))),
                sub_epi16(y, mulhrs_epi16(sum, set1_epi16(256))),
                add_epi16(y, mulhrs_epi16(cb, set1_epi16(29_033))),
            ]
        }

        /// Converts as `ybr::full_to_rgb`. Exact halves are rounded up, so G, which is Y minus the sum, needs a sum that is
        /// rounded down: -13 makes the sum of 20 fractional bits as much less as GREEN_HALF is more than 2^19.
        #[inline]
        #[target_feature(enable = $features)]
        fn full_to_rgb(y: Vector, pairs: Vector, [cb, cr]: [Vector; 2]) -> [Vector; 3] {
            const LESS_PAIR: i16 = i16::from_le_bytes([GREEN_LESS_CB ^ 0x80, GREEN_LESS_CR ^ 0x80]);
            const LESS_Y: i16 = GREEN_LESS_FIRST_Y as i16;
            const LESS_Y_END: i16 = LESS_Y + GREEN_LESS_Y_SPAN as i16 + 1;
            let tie = equal(cb, set1_epi16(2 * 125));
            let blue = sub_epi16(mulhrs_epi16(cb, set1_epi16(29_030)), tie);
            let low = srai_epi16::<8>(add_epi16(maddubs_epi16(weights(150, 27), pairs), set1_epi16(-13)));
            let middle = srai_epi16::<5>(add_epi16(maddubs_epi16(weights(1, 13), pairs), low));
            let sum = add_epi16(maddubs_epi16(weights(44, 91), pairs), middle);
            let mut green = sub_epi16(y, mulhrs_epi16(sum, set1_epi16(256)));
            let is_less = equal(pairs, set1_epi16(LESS_PAIR));
            // One of 65,536 pairs.
            if is_any(is_less) {
                let within = and(greater(y, set1_epi16(LESS_Y - 1)), greater(set1_epi16(LESS_Y_END), y));
                green = add_epi16(green, and(is_less, within));
            }
            [add_epi16(y, mulhrs_epi16(cr, set1_epi16(22_970))), green, add_epi16(y, blue)]
        }
    };
}
pub(super) use write_pixels_body;
