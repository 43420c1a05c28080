//! Every CPU level against separate steps: upsampling, conversion pixel by pixel, interleaving.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "random bits, clipped sums")]

use super::*;
use crate::kernel::{upsample, ybr};
use crate::testing::{Random, miri_or};

/// The formulas of the façade.
fn t871([y, cb, cr]: [u16; 3], max: i64) -> [u16; 3] {
    let (y, cb, cr) = (i64::from(y), i64::from(cb) - (max + 1) / 2, i64::from(cr) - (max + 1) / 2);
    let sums = [91_881 * cr, -22_554 * cb - 46_802 * cr, 116_130 * cb];
    sums.map(|sum| (y + ((sum + 32_768) >> 16)).clamp(0, max) as u16)
}

fn convert(pixel: [u8; 3], conversion: Option<RgbConversion>) -> [u8; 3] {
    match conversion {
        None => pixel,
        Some(RgbConversion::T871) => t871(pixel.map(u16::from), 255).map(|sample| sample as u8),
        Some(RgbConversion::Dicom) => {
            let mut pixel = pixel;
            ybr::full_to_rgb(&mut pixel, CpuLevel::PORTABLE);
            pixel
        }
    }
}

/// Random samples, of which some are the smallest or the largest.
fn row(random: &mut Random, count: usize) -> Vec<u8> {
    (0..count).map(|_| (random.next() >> 20) as i16).map(|bits| (bits >> 4).clamp(0, 255) as u8).collect()
}

#[test]
fn write_pixels_every_width_equals_separate_steps() {
    let mut random = Random(871);
    for columns in (1..=140_usize).step_by(miri_or(1, 47)) {
        let padded = columns.next_multiple_of(ROUND_PIXELS);
        let luma = row(&mut random, padded);
        let full = [row(&mut random, padded), row(&mut random, padded)];
        let half = [row(&mut random, (padded + ROUND_PIXELS) / 2), row(&mut random, (padded + ROUND_PIXELS) / 2)];
        let far = [row(&mut random, (padded + ROUND_PIXELS) / 2), row(&mut random, (padded + ROUND_PIXELS) / 2)];
        let sums = [0, 1].map(|index| {
            let mut sums = vec![0; (padded + ROUND_PIXELS) / 2];
            upsample::vertical_sums(&half[index], &far[index], &mut sums, CpuLevel::PORTABLE);
            sums
        });
        let doubled = [0, 1].map(|index| {
            let mut pixels = vec![0; padded];
            upsample::double_row(&half[index][..padded / 2 + 2], &mut pixels, CpuLevel::PORTABLE);
            pixels
        });
        let doubled_sums = [0, 1].map(|index| {
            let mut pixels = vec![0; padded];
            upsample::double_sums(&sums[index][..padded / 2 + 2], &mut pixels, CpuLevel::PORTABLE);
            pixels
        });
        let cases = [
            (Chroma::Full([&full[0], &full[1]]), &full),
            (Chroma::Half([&half[0], &half[1]]), &doubled),
            (Chroma::HalfSums([&sums[0], &sums[1]]), &doubled_sums),
        ];
        for (chroma, upsampled) in cases {
            for conversion in [None, Some(RgbConversion::Dicom), Some(RgbConversion::T871)] {
                let expected: Vec<u8> = (0..columns)
                    .flat_map(|index| convert([luma[index], upsampled[0][index], upsampled[1][index]], conversion))
                    .collect();
                for level in CpuLevel::available() {
                    let mut pixels = vec![0xA5; 3 * columns];
                    write_pixels(&luma, chroma, conversion, &mut pixels, level);
                    assert!(pixels == expected, "{columns} columns, {chroma:?}, {conversion:?}, {}", level.name());
                }
            }
        }
    }
}

/// All pairs of Cb and Cr with some Y, among them the limits 19 and 46 of the exception of `ybr::full_to_rgb`.
#[test]
fn write_pixels_every_chroma_equals_definition() {
    for y in [0, 18, 19, 46, 47, 128, 254, 255].into_iter().step_by(miri_or(1, 5)) {
        for cb in (0..=255).step_by(miri_or(1, 50)) {
            let planes = [[y; 256], [cb; 256], std::array::from_fn(|cr| cr as u8)];
            let chroma = Chroma::Full([&planes[1], &planes[2]]);
            for conversion in [RgbConversion::T871, RgbConversion::Dicom] {
                let expected: Vec<u8> = (0..=255).flat_map(|cr| convert([y, cb, cr], Some(conversion))).collect();
                for level in CpuLevel::available() {
                    let mut pixels = [0; 768];
                    write_pixels(&planes[0], chroma, Some(conversion), &mut pixels, level);
                    assert!(pixels[..] == expected, "Y {y}, Cb {cb}, {conversion:?}, {}", level.name());
                }
            }
        }
    }
}

#[test]
fn write_pixels_12_every_width_equals_separate_steps() {
    let mut random = Random(12);
    for columns in (1..=140_usize).step_by(miri_or(1, 47)) {
        let padded = columns.next_multiple_of(ROUND_PIXELS);
        let mut row = |count: usize| -> Vec<u16> { (0..count).map(|_| (random.next() >> 30) as u16 & 4095).collect() };
        let luma = row(padded);
        let full = [row(padded), row(padded)];
        let half = [row((padded + ROUND_PIXELS) / 2), row((padded + ROUND_PIXELS) / 2)];
        let sums = [0, 1].map(|index: usize| half[index].iter().map(|sample| 4 * sample).collect::<Vec<u16>>());
        let [mut doubled, mut doubled_sums] = [[(); 2].map(|()| vec![0; padded]), [(); 2].map(|()| vec![0; padded])];
        for index in [0, 1] {
            upsample::double_row(&half[index][..padded / 2 + 2], &mut doubled[index], CpuLevel::PORTABLE);
            upsample::double_sums(&sums[index][..padded / 2 + 2], &mut doubled_sums[index], CpuLevel::PORTABLE);
        }
        let cases = [
            (Chroma::Full([&full[0], &full[1]]), &full),
            (Chroma::Half([&half[0], &half[1]]), &doubled),
            (Chroma::HalfSums([&sums[0], &sums[1]]), &doubled_sums),
        ];
        for ((chroma, upsampled), to_rgb) in cases.into_iter().flat_map(|case| [(case, false), (case, true)]) {
            let pixel = |index: usize| {
                let pixel = [luma[index], upsampled[0][index], upsampled[1][index]];
                if to_rgb { t871(pixel, 4095) } else { pixel }
            };
            let expected: Vec<u8> = (0..columns).flat_map(pixel).flat_map(u16::to_le_bytes).collect();
            for level in CpuLevel::available() {
                let mut pixels = vec![0; 6 * columns];
                write_pixels_12(&luma, chroma, to_rgb, &mut pixels, level);
                assert!(pixels == expected, "{columns} columns, {chroma:?}, {to_rgb}, {}", level.name());
            }
        }
    }
}
