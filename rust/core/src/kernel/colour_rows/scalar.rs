//! Portable bodies: rounds of constant length, whose loops the compiler vectorises.

use super::{Chroma, ROUND_PIXELS};
use crate::kernel::upsample::Sample;
use crate::kernel::ybr::{self, RgbConversion};
use crate::kernel::{interleave, upsample};

/// One component of a round.
type Plane<T> = [T; ROUND_PIXELS];

#[inline(always)]
pub(super) fn write_pixels(luma: &[u8], chroma: Chroma<'_, u8>, conversion: Option<RgbConversion>, pixels: &mut [u8]) {
    for (index, pixels) in pixels.chunks_mut(3 * ROUND_PIXELS).enumerate() {
        let first = index * ROUND_PIXELS;
        let (Some(luma), Some(chroma)) = (array_at(luma, first), chroma_round(chroma, first)) else {
            debug_assert!(false, "rows are readable up to a multiple of ROUND_PIXELS");
            return;
        };
        match pixels.as_chunks_mut().0 {
            [round] => write_round(luma, &chroma, conversion, round),
            _ => {
                let mut round = [0; 3 * ROUND_PIXELS];
                write_round(luma, &chroma, conversion, &mut round);
                pixels.iter_mut().zip(round).for_each(|(to, from)| *to = from);
            }
        }
    }
}

/// Returns the `N` samples from index `first` on.
#[inline(always)]
fn array_at<T, const N: usize>(samples: &[T], first: usize) -> Option<&[T; N]> {
    samples.get(first..)?.first_chunk()
}

/// Returns Cb and Cr of the round that starts at pixel `first`, one sample per pixel.
#[inline(always)]
fn chroma_round<T: Sample>(chroma: Chroma<'_, T>, first: usize) -> Option<[Plane<T>; 2]> {
    const HALF: usize = ROUND_PIXELS / 2 + 2;
    let mut round = [[T::zeroed(); ROUND_PIXELS]; 2];
    match chroma {
        Chroma::Full(rows) => {
            for (round, row) in round.iter_mut().zip(rows) {
                *round = *array_at(row, first)?;
            }
        }
        Chroma::Half(rows) => {
            for (round, row) in round.iter_mut().zip(rows) {
                upsample::scalar::double_row::<T>(array_at::<_, HALF>(row, first / 2)?, round);
            }
        }
        Chroma::HalfSums(rows) => {
            for (round, row) in round.iter_mut().zip(rows) {
                upsample::scalar::double_sums::<T>(array_at::<_, HALF>(row, first / 2)?, round);
            }
        }
    }
    Some(round)
}

#[inline(always)]
fn write_round(
    luma: &Plane<u8>,
    [cb, cr]: &[Plane<u8>; 2],
    conversion: Option<RgbConversion>,
    pixels: &mut [u8; 3 * ROUND_PIXELS],
) {
    match conversion {
        None => interleave::scalar::three([luma, cb, cr], pixels),
        Some(RgbConversion::Dicom) => {
            interleave::scalar::three([luma, cb, cr], pixels);
            ybr::scalar::full_to_rgb(pixels);
        }
        Some(RgbConversion::T871) => {
            let [mut red, mut green, mut blue] = [[0; ROUND_PIXELS]; 3];
            let rgb = red.iter_mut().zip(&mut green).zip(&mut blue);
            for (((red, green), blue), ((luma, cb), cr)) in rgb.zip(luma.iter().zip(cb).zip(cr)) {
                [*red, *green, *blue] =
                    t871::<255>([*luma, *cb, *cr].map(i16::from)).map(|sample| sample.clamp(0, 255) as u8);
            }
            interleave::scalar::three([&red, &green, &blue], pixels);
        }
    }
}

/// Converts one pixel by T.871, without clipping. `MAX` is the largest sample, 255 or 4095.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "the factors are less than 1, and the chroma samples have 16 bits")]
fn t871<const MAX: i16>([y, cb, cr]: [i16; 3]) -> [i16; 3] {
    let [cb, cr] = [cb, cr].map(|sample| sample.wrapping_sub(MAX / 2 + 1));
    let product = |factor: i16, chroma: i16| i32::from(factor) * i32::from(chroma);
    let rounded = |sum: i32| ((sum + 32_768) >> 16) as i16;
    [
        y.wrapping_add(cr).wrapping_add(rounded(product(26_345, cr))),
        y.wrapping_sub(cr).wrapping_add(rounded(product(-22_554, cb) + product(18_734, cr))),
        y.wrapping_add(cb).wrapping_add(cb).wrapping_add(rounded(product(-14_942, cb))),
    ]
}

#[inline(always)]
pub(super) fn write_pixels_12(luma: &[u16], chroma: Chroma<'_, u16>, to_rgb: bool, pixels: &mut [u8]) {
    let pixels = pixels.as_chunks_mut::<2>().0.as_chunks_mut::<3>().0;
    for (index, pixels) in pixels.chunks_mut(ROUND_PIXELS).enumerate() {
        let first = index * ROUND_PIXELS;
        let (Some(luma), Some([cb, cr])) = (array_at::<_, ROUND_PIXELS>(luma, first), chroma_round(chroma, first))
        else {
            debug_assert!(false, "rows are readable up to a multiple of ROUND_PIXELS");
            return;
        };
        let samples = pixels.iter_mut().zip(luma.iter().zip(&cb).zip(&cr));
        if to_rgb {
            for (pixel, ((luma, cb), cr)) in samples {
                let rgb = t871::<4095>([*luma, *cb, *cr].map(u16::cast_signed));
                *pixel = rgb.map(|sample| sample.clamp(0, 4095).to_le_bytes());
            }
        } else {
            for (pixel, ((luma, cb), cr)) in samples {
                *pixel = [*luma, *cb, *cr].map(u16::to_le_bytes);
            }
        }
    }
}
