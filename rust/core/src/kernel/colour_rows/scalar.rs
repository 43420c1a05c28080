//! Portable bodies: rounds of constant length, whose loops the compiler vectorises.

use super::{Chroma, ROUND_PIXELS};
use crate::kernel::upsample::Sample;
use crate::kernel::ybr::{self, RgbConversion};
use crate::kernel::{interleave, upsample};

/// One component of a round.
pub(super) type Plane<T> = [T; ROUND_PIXELS];

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
            let [red, green, blue] = t871_round::<u8, 255>(luma, cb, cr);
            interleave::scalar::three([&red, &green, &blue], pixels);
        }
    }
}

/// Converts a round by T.871. `MAX` is the largest sample, 255 or 4095.
#[inline(always)]
fn t871_round<T: Sample, const MAX: i16>(y: &Plane<T>, cb: &Plane<T>, cr: &Plane<T>) -> [Plane<T>; 3] {
    let [mut red, mut green, mut blue] = [[T::zeroed(); ROUND_PIXELS]; 3];
    let rgb = red.iter_mut().zip(&mut green).zip(&mut blue);
    for (((red, green), blue), ((y, cb), cr)) in rgb.zip(y.iter().zip(cb).zip(cr)) {
        let sums = t871(y.to_u16().cast_signed(), cb.less_middle(), cr.less_middle());
        [*red, *green, *blue] = sums.map(|sum| T::from_u16(sum.clamp(0, MAX).cast_unsigned()));
    }
    [red, green, blue]
}

/// Converts one pixel by T.871, without clipping; Cb and Cr are less the middle. It computes in 16-bit lanes only: SSE2
/// multiplies eight of them at once.
///
/// A product p = 65536 × high + low, so `(p + 32768) >> 16` is high, plus 1 if low is 32768 or more. The sum of two products
/// may carry once more, from low to high.
#[inline(always)]
fn t871(y: i16, cb: i16, cr: i16) -> [i16; 3] {
    let half = |low: u16| (low >> 15).cast_signed();
    let (red, red_low) = product(26_345, cr);
    let (blue, blue_low) = product(-14_942, cb);
    let ((green_cb, low_cb), (green_cr, low_cr)) = (product(-22_554, cb), product(18_734, cr));
    let green_low = low_cb.wrapping_add(low_cr);
    let carry = i16::from(green_low < low_cb).wrapping_add(half(green_low));
    let green = green_cb.wrapping_add(green_cr).wrapping_add(carry);
    [
        y.wrapping_add(cr).wrapping_add(red).wrapping_add(half(red_low)),
        y.wrapping_sub(cr).wrapping_add(green),
        y.wrapping_add(cb).wrapping_add(cb).wrapping_add(blue).wrapping_add(half(blue_low)),
    ]
}

/// Returns the upper and the lower 16 bits of a product.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "the upper half of 32 bits has 16 bits")]
fn product(factor: i16, chroma: i16) -> (i16, u16) {
    let high = (i32::from(factor) * i32::from(chroma)) >> 16;
    (high as i16, factor.wrapping_mul(chroma).cast_unsigned())
}

/// One round of 12-bit pixels.
pub(super) type Pixels12 = [u8; 6 * ROUND_PIXELS];

/// Writes rounds of 12-bit pixels; `interleave_round` interleaves three planes.
#[inline(always)]
pub(super) fn write_rounds_12(
    luma: &[u16],
    chroma: Chroma<'_, u16>,
    to_rgb: bool,
    pixels: &mut [u8],
    interleave_round: impl Fn([&Plane<u16>; 3], &mut Pixels12),
) {
    for (index, pixels) in pixels.chunks_mut(6 * ROUND_PIXELS).enumerate() {
        let first = index * ROUND_PIXELS;
        let (Some(luma), Some([cb, cr])) = (array_at::<_, ROUND_PIXELS>(luma, first), chroma_round(chroma, first))
        else {
            debug_assert!(false, "rows are readable up to a multiple of ROUND_PIXELS");
            return;
        };
        let [red, green, blue] = if to_rgb { t871_round::<u16, 4095>(luma, &cb, &cr) } else { [*luma, cb, cr] };
        let planes = [&red, &green, &blue];
        if let [round] = pixels.as_chunks_mut().0 {
            interleave_round(planes, round);
        } else {
            let mut round = [0; 6 * ROUND_PIXELS];
            interleave_round(planes, &mut round);
            pixels.iter_mut().zip(round).for_each(|(to, from)| *to = from);
        }
    }
}

pub(super) fn write_pixels_12(luma: &[u16], chroma: Chroma<'_, u16>, to_rgb: bool, pixels: &mut [u8]) {
    write_rounds_12(luma, chroma, to_rgb, pixels, |[red, green, blue], round| {
        let pixels = round.as_chunks_mut::<2>().0.as_chunks_mut::<3>().0;
        for (pixel, ((red, green), blue)) in pixels.iter_mut().zip(red.iter().zip(green).zip(blue)) {
            *pixel = [*red, *green, *blue].map(u16::to_le_bytes);
        }
    });
}
