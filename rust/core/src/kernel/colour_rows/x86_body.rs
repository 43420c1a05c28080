//! Body of the vector kernels as a macro, which `x86` and `x86_v4` expand for vectors of 256 and 512 bits.
//!
//! Even and odd pixels are in separate vectors of 16-bit lanes until they are interleaved: doubling makes an even and an odd
//! pixel of each chroma sample, so the order of pixels is established only once. A round of 32 pixels:
//!
//! ```text
//! luma          32 bytes          even: y0 y2 … y30,  odd: y1 y3 … y31
//! half chroma   c[-1] … c[16]     even: (3 c[i] + c[i-1] + 1) / 4,  odd: (3 c[i] + c[i+1] + 2) / 4
//! convert       even and odd pixels on their own
//! pack          R: r0 r2 … r14 r1 r3 … r15 │ r16 r18 … r30 r17 r19 … r31     each 128-bit lane: 8 even, 8 odd pixels
//! interleave    R0 G0 B0 R1 G1 B1 …
//! ```
//!
//! # Conversion
//! The converted chroma lanes are 2 Cb and 2 Cr, less the middle. `mulhrs` computes (a × b + 2^14) >> 15, and with an even
//! factor `a` there are factors `b` that round like the definition for every sample:
//!
//! | | 2 Cr or 2 Cb times | equals |
//! |---|---|---|
//! | R of both conversions | 22970 / 2^15 | (91881 Cr + 2^15) >> 16, and 1.402 Cr rounded |
//! | B of T.871 | 29033 / 2^15 | (116130 Cb + 2^15) >> 16 |
//! | B of DICOM | 29030 / 2^15 | 1.772 Cb rounded, except for Cb = 125, which it rounds to 221 instead of 222 |
//!
//! G is a sum of two products, which `madd` adds in 32 bits: -11277 × 2 Cb - 23401 × 2 Cr for T.871.
//!
//! The importing file gives names without width to its vector type (`Vector`) and intrinsics, and defines
//!
//! | name | result |
//! |---|---|
//! | `PIXELS` | pixels of a round, one byte of a vector for each |
//! | `HALF_BYTES` | samples that `neighbour_pairs` gets, from the left neighbour on |
//! | `load` | vector of bytes |
//! | `neighbour_pairs` | bytes (sample, left neighbour), and bytes (sample, right neighbour) |
//! | `load_sums` | 16-bit lanes |
//! | `srai_epi16`, `srai_epi32` | arithmetic shifts |
//! | `equal`, `greater` | comparisons of 16-bit lanes: -1 or 0 |
//! | `interleave` | writes packed R, G and B as pixels |

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
                None => write_converted::<false>(luma, chroma, pixels, |y, cb, cr| [y, cb, cr]),
                Some(RgbConversion::T871) => {
                    write_converted::<true>(luma, chroma, pixels, |y, cb, cr| t871(y, cb, cr));
                }
                Some(RgbConversion::Dicom) => {
                    write_converted::<true>(luma, chroma, pixels, |y, cb, cr| full_to_rgb(y, cb, cr));
                }
            }
        }

        /// `convert` returns R, G and B of 16-bit lanes, which are clipped later. It gets chroma samples; if `CENTRED`, less
        /// the middle and times 2.
        #[inline]
        #[target_feature(enable = $features)]
        fn write_converted<const CENTRED: bool>(
            luma: &[u8],
            chroma: Chroma<'_, u8>,
            pixels: &mut [u8],
            convert: impl Fn(Vector, Vector, Vector) -> [Vector; 3],
        ) {
            match chroma {
                Chroma::Full(rows) => {
                    let lanes = |samples: &[u8; PIXELS]| full_lanes::<CENTRED>(load(samples));
                    for_each_round::<_, PIXELS, PIXELS>(luma, rows, pixels, lanes, convert);
                }
                Chroma::Half(rows) => {
                    let lanes = |samples: &[u8; HALF_BYTES]| half_lanes::<CENTRED>(neighbour_pairs(samples));
                    for_each_round::<_, HALF_BYTES, HALF>(luma, rows, pixels, lanes, convert);
                }
                Chroma::HalfSums(rows) => {
                    let lanes = |sums: &[u16; HALF + 2]| {
                        let [left @ .., _, _] = sums;
                        let [_, near @ .., _] = sums;
                        let [_, _, right @ ..] = sums;
                        sum_lanes::<CENTRED>([left, near, right].map(|sums| load_sums(sums)))
                    };
                    for_each_round::<_, { HALF + 2 }, HALF>(luma, rows, pixels, lanes, convert);
                }
            }
        }

        /// Chroma samples of a round.
        const HALF: usize = PIXELS / 2;

        /// Writes the rounds, the last one through a buffer if it is not complete. `chroma_lanes` makes the even and the odd
        /// lanes of `N` samples; rounds are `STEP` samples apart.
        #[inline]
        #[target_feature(enable = $features)]
        fn for_each_round<T, const N: usize, const STEP: usize>(
            luma: &[u8],
            chroma: [&[T]; 2],
            pixels: &mut [u8],
            chroma_lanes: impl Fn(&[T; N]) -> [Vector; 2],
            convert: impl Fn(Vector, Vector, Vector) -> [Vector; 3],
        ) {
            for (index, pixels) in pixels.chunks_mut(3 * PIXELS).enumerate() {
                let [cb, cr] =
                    chroma.map(|samples| samples.get(index * STEP..).and_then(|samples| samples.first_chunk()));
                let (Some(luma), Some(cb), Some(cr)) = (luma.as_chunks().0.get(index), cb, cr) else {
                    debug_assert!(false, "rows are readable up to a multiple of ROUND_PIXELS");
                    return;
                };
                let [y_even, y_odd] = full_lanes::<false>(load(luma));
                let ([cb_even, cb_odd], [cr_even, cr_odd]) = (chroma_lanes(cb), chroma_lanes(cr));
                let [red_even, green_even, blue_even] = convert(y_even, cb_even, cr_even);
                let [red_odd, green_odd, blue_odd] = convert(y_odd, cb_odd, cr_odd);
                let packed = [
                    packus_epi16(red_even, red_odd),
                    packus_epi16(green_even, green_odd),
                    packus_epi16(blue_even, blue_odd),
                ];
                if let [round] = pixels.as_chunks_mut().0 {
                    interleave(packed, round);
                } else {
                    let mut round = [0; 3 * PIXELS];
                    interleave(packed, &mut round);
                    pixels.iter_mut().zip(round).for_each(|(to, from)| *to = from);
                }
            }
        }

        /// Returns the samples with even and with odd positions.
        #[inline]
        #[target_feature(enable = $features)]
        fn full_lanes<const CENTRED: bool>(samples: Vector) -> [Vector; 2] {
            if CENTRED {
                // With the upper bit inverted, a sample less 128 is a signed byte.
                let samples = xor(samples, set1_epi8(-128));
                [maddubs_epi16(set1_epi16(0x0002), samples), maddubs_epi16(set1_epi16(0x0200), samples)]
            } else {
                [and(samples, set1_epi16(0xFF)), srli_epi16::<8>(samples)]
            }
        }

        /// Doubles samples that are given as pairs with their left and with their right neighbours.
        #[inline]
        #[target_feature(enable = $features)]
        fn half_lanes<const CENTRED: bool>([left, right]: [Vector; 2]) -> [Vector; 2] {
            let weights = set1_epi16(0x0103);
            let (even, odd) = (maddubs_epi16(left, weights), maddubs_epi16(right, weights));
            if CENTRED {
                let (even, odd) = (add_epi16(even, set1_epi16(1 - 512)), add_epi16(odd, set1_epi16(2 - 512)));
                [even, odd].map(|sum| and(srai_epi16::<1>(sum), set1_epi16(!1)))
            } else {
                let (even, odd) = (add_epi16(even, set1_epi16(1)), add_epi16(odd, set1_epi16(2)));
                [even, odd].map(|sum| srai_epi16::<2>(sum))
            }
        }

        /// Doubles vertical sums, which are given with their left and right neighbours.
        #[inline]
        #[target_feature(enable = $features)]
        fn sum_lanes<const CENTRED: bool>([left, near, right]: [Vector; 3]) -> [Vector; 2] {
            let three = add_epi16(near, add_epi16(near, near));
            let (even, odd) = (add_epi16(three, left), add_epi16(three, right));
            if CENTRED {
                let (even, odd) = (add_epi16(even, set1_epi16(8 - 2048)), add_epi16(odd, set1_epi16(7 - 2048)));
                [even, odd].map(|sum| and(srai_epi16::<3>(sum), set1_epi16(!1)))
            } else {
                let (even, odd) = (add_epi16(even, set1_epi16(8)), add_epi16(odd, set1_epi16(7)));
                [even, odd].map(|sum| srai_epi16::<4>(sum))
            }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn t871(y: Vector, cb: Vector, cr: Vector) -> [Vector; 3] {
            let red = add_epi16(y, mulhrs_epi16(cr, set1_epi16(22_970)));
            let blue = add_epi16(y, mulhrs_epi16(cb, set1_epi16(29_033)));
            let factors = set1_epi32((-23_401 << 16) | (-11_277 & 0xFFFF));
            let [low, high] = [unpacklo_epi16(cb, cr), unpackhi_epi16(cb, cr)]
                .map(|pairs| srai_epi32::<16>(add_epi32(madd_epi16(pairs, factors), set1_epi32(32_768))));
            [red, add_epi16(y, packs_epi32(low, high)), blue]
        }

        /// Converts as `ybr::full_to_rgb`. Its factors of G have more than 16 bits, so their upper and lower 8 bits are
        /// multiplied separately.
        #[inline]
        #[target_feature(enable = $features)]
        fn full_to_rgb(y: Vector, cb: Vector, cr: Vector) -> [Vector; 3] {
            const LESS_CB: i16 = 2 * (GREEN_LESS_CB as i16 - 128);
            const LESS_CR: i16 = 2 * (GREEN_LESS_CR as i16 - 128);
            const LESS_Y: i16 = GREEN_LESS_FIRST_Y as i16;
            const LESS_Y_END: i16 = LESS_Y + GREEN_LESS_Y_SPAN as i16 + 1;
            let red = add_epi16(y, mulhrs_epi16(cr, set1_epi16(22_970)));
            let tie = equal(cb, set1_epi16(2 * 125));
            let blue = sub_epi16(add_epi16(y, mulhrs_epi16(cb, set1_epi16(29_030))), tie);
            let upper = set1_epi32((GREEN_CR >> 8) << 16 | (GREEN_CB >> 8) & 0xFFFF);
            let lower = set1_epi32((GREEN_CR & 0xFF) << 16 | GREEN_CB & 0xFF);
            let [low, high] = [unpacklo_epi16(cb, cr), unpackhi_epi16(cb, cr)].map(|pairs| {
                let sum = add_epi32(slli_epi32::<8>(madd_epi16(pairs, upper)), madd_epi16(pairs, lower));
                srai_epi32::<{ GREEN_SHIFT + 1 }>(add_epi32(sum, set1_epi32(2 * GREEN_HALF)))
            });
            let pair = and(equal(cb, set1_epi16(LESS_CB)), equal(cr, set1_epi16(LESS_CR)));
            let within = and(greater(y, set1_epi16(LESS_Y - 1)), greater(set1_epi16(LESS_Y_END), y));
            let green = add_epi16(add_epi16(y, packs_epi32(low, high)), and(pair, within));
            [red, green, blue]
        }
    };
}
pub(super) use write_pixels_body;
