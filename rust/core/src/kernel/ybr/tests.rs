//! Every CPU level against the exact rational conversion, which is compared with pydicom's `float32` arithmetic.
#![allow(clippy::cast_possible_truncation, reason = "casts whose range the test itself chooses")]

use super::*;
use crate::testing::miri_or;
use proptest::prelude::*;

/// All 2^24 pixels, ordered by Y, Cb, Cr.
fn every_pixel() -> Vec<u8> {
    (0..1_u32 << 24).step_by(miri_or(1, 16_127)).flat_map(|v| v.to_le_bytes().into_iter().rev().skip(1)).collect()
}

/// Reference: integer arithmetic in units of 1/587,000, rounded half up, with the exception that the façade names.
fn exact([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let (green_is_less, y) = (cb == 78 && cr == 178 && (19..=46).contains(&y), i64::from(y));
    let (cb, cr) = (i64::from(cb) - 128, i64::from(cr) - 128);
    let round = |v: i64, unit: i64| (v + unit / 2).div_euclid(unit);
    let green = round(587_000 * y - 114 * 1772 * cb - 299 * 1402 * cr, 587_000) - i64::from(green_is_less);
    [round(1000 * y + 1402 * cr, 1000), green, round(1000 * y + 1772 * cb, 1000)].map(|v| v.clamp(0, 255) as u8)
}

/// `_convert_YBR_FULL_to_RGB` of pydicom 3.0.2 with a BLAS kernel that has FMA: `float32` product with a matrix by fused
/// multiply-adds, 0.5 added, floor, clip.
fn fused([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let (y, cb, cr) = (f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0);
    let columns = [[1.0, 0.0, 1.402], [1.0, -0.114 * 1.772 / 0.587, -0.299 * 1.402 / 0.587], [1.0, 1.772, 0.0]];
    columns.map(|[a, b, c]: [f64; 3]| {
        let sum = cr.mul_add(c as f32, cb.mul_add(b as f32, y * a as f32));
        (sum + 0.5).floor().clamp(0.0, 255.0) as u8
    })
}

/// The conversion of every pixel was compared with pydicom 3.0.2 on NumPy 2.4.6 (OpenBLAS 0.3.31, its kernels
/// Haswell, Zen, SkylakeX and newer, images 1, 2, 7, 512, 4096 and 65536 pixels wide) and found equal.
#[test]
fn full_to_rgb_every_pixel_equals_reference_and_pydicom() {
    let src = every_pixel();
    let expected: Vec<u8> = src.as_chunks::<3>().0.iter().flat_map(|pixel| exact(*pixel)).collect();
    for level in CpuLevel::available() {
        let mut out = src.clone();
        full_to_rgb(&mut out, level);
        assert!(out == expected, "{}", level.name());
    }
    let corners = src.as_chunks::<3>().0.iter().filter(|[_, cb, cr]| [3, 78, 178, 253].contains(cb) || cr % 16 == 2);
    corners.for_each(|pixel| assert_eq!(exact(*pixel), fused(*pixel), "{pixel:?}"));
}

#[test]
fn full_to_rgb_ties_of_blue_round_up() {
    for level in CpuLevel::available() {
        let mut pixels = [0, 253, 128, 30, 253, 128, 222, 3, 128, 255, 3, 128];
        full_to_rgb(&mut pixels, level);
        let blue: Vec<u8> = pixels.as_chunks::<3>().0.iter().map(|[.., blue]| *blue).collect();
        assert_eq!(blue, [222, 252, 1, 34]);
    }
}

proptest! {
    #[test]
    fn full_to_rgb_random_pixels_equal_reference(pixels in prop::collection::vec(any::<[u8; 3]>(), 0..300)) {
        let expected: Vec<u8> = pixels.iter().flat_map(|pixel| exact(*pixel)).collect();
        for level in CpuLevel::available() {
            let mut out = pixels.as_flattened().to_vec();
            full_to_rgb(&mut out, level);
            prop_assert_eq!(&out, &expected);
        }
    }

    #[test]
    fn expand_422_random_pairs_equal_reference(bytes in prop::collection::vec(any::<u8>(), 0..1200), size in 0_u32..4) {
        let n = 1_usize << size;
        let src = &bytes[..bytes.len() / (4 * n) * 4 * n];
        let samples: Vec<&[u8]> = src.chunks(n).collect();
        let expected: Vec<u8> =
            samples.chunks(4).flat_map(|s| [s[0], s[2], s[3], s[1], s[2], s[3]]).flatten().copied().collect();
        for level in CpuLevel::available() {
            let mut out = vec![0xA5; expected.len()];
            expand_422(src, n, &mut out, level);
            prop_assert_eq!(&out, &expected);
        }
    }
}
