//! Portable bodies: rounds of constant length, whose loops the compiler vectorises.

use super::{Chroma, ROUND_PIXELS};
use crate::kernel::upsample::Sample;
use crate::kernel::ybr::{GREEN_LESS_CB, GREEN_LESS_CR, GREEN_LESS_FIRST_Y, GREEN_LESS_Y_SPAN, RgbConversion};
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
    let converted = match conversion {
        None => return interleave::scalar::three([luma, cb, cr], pixels),
        Some(RgbConversion::Dicom) => convert_round::<u8, 255>([luma, cb, cr], full_to_rgb),
        Some(RgbConversion::T871) => convert_round::<u8, 255>([luma, cb, cr], t871),
    };
    let [red, green, blue] = &converted;
    interleave::scalar::three([red, green, blue], pixels);
}

/// Converts a round. `MAX` is the largest sample, 255 or 4095. `convert` returns R, G and B without clipping; it gets Cb and Cr
/// less the middle.
#[inline(always)]
fn convert_round<T: Sample, const MAX: i16>(
    [y, cb, cr]: [&Plane<T>; 3],
    convert: impl Fn(i16, i16, i16) -> [i16; 3],
) -> [Plane<T>; 3] {
    let [mut red, mut green, mut blue] = [[T::zeroed(); ROUND_PIXELS]; 3];
    let rgb = red.iter_mut().zip(&mut green).zip(&mut blue);
    for (((red, green), blue), ((y, cb), cr)) in rgb.zip(y.iter().zip(cb).zip(cr)) {
        let sums = convert(y.to_u16().cast_signed(), cb.less_middle(), cr.less_middle());
        [*red, *green, *blue] = sums.map(|sum| T::from_u16(sum.clamp(0, MAX).cast_unsigned()));
    }
    [red, green, blue]
}

/// Converts one pixel by T.871. It computes in 16-bit lanes only: SSE2 multiplies eight of them at once.
///
/// A product p = 65536 × high + low, so `(p + 32768) >> 16` is high, plus 1 if low is 32768 or more. The sum of two products
/// may carry once more, from low to high.
#[inline(always)]
fn t871(y: i16, cb: i16, cr: i16) -> [i16; 3] {
    let ((green_cb, low_cb), (green_cr, low_cr)) = (product(-22_554, cb), product(18_734, cr));
    let green_low = low_cb.wrapping_add(low_cr);
    let carry = i16::from(green_low < low_cb).wrapping_add(half(green_low));
    let green = green_cb.wrapping_add(green_cr).wrapping_add(carry);
    [y.wrapping_add(red(cr)), y.wrapping_sub(cr).wrapping_add(green), y.wrapping_add(blue(cb))]
}

/// Converts one pixel as `ybr::full_to_rgb`: R equals that of T.871, B differs for a tie. G is computed as in `x86_body`, in
/// parts of 8 bits.
#[inline(always)]
fn full_to_rgb(y: i16, cb: i16, cr: i16) -> [i16; 3] {
    const LESS_CB: i16 = GREEN_LESS_CB as i16 - 128;
    const LESS_CR: i16 = GREEN_LESS_CR as i16 - 128;
    const LESS_Y: i16 = GREEN_LESS_FIRST_Y as i16;
    const LESS_Y_END: i16 = LESS_Y + GREEN_LESS_Y_SPAN as i16 + 1;
    let weighted = |cb_factor: i16, cr_factor: i16| cb.wrapping_mul(cb_factor).wrapping_add(cr.wrapping_mul(cr_factor));
    let low = weighted(150, 27).wrapping_sub(13) >> 8;
    let middle = weighted(1, 13).wrapping_add(low) >> 5;
    let green = weighted(44, 91).wrapping_add(middle).wrapping_add(64) >> 7;
    let is_less = (cb == LESS_CB) & (cr == LESS_CR) & (LESS_Y..LESS_Y_END).contains(&y);
    [
        y.wrapping_add(red(cr)),
        y.wrapping_sub(green).wrapping_sub(is_less.into()),
        y.wrapping_add(blue(cb)).wrapping_add(i16::from(cb == -125)),
    ]
}

/// Returns 1.402 `cr`, rounded.
#[inline(always)]
fn red(cr: i16) -> i16 {
    let (high, low) = product(26_345, cr);
    cr.wrapping_add(high).wrapping_add(half(low))
}

/// Returns 1.772 `cb`, rounded; -221.5, for `cb` = -125, is rounded to -222.
#[inline(always)]
fn blue(cb: i16) -> i16 {
    let (high, low) = product(-14_942, cb);
    cb.wrapping_add(cb).wrapping_add(high).wrapping_add(half(low))
}

/// Returns 1 if the lower half of a product is 32768 or more.
#[inline(always)]
fn half(low: u16) -> i16 {
    (low >> 15).cast_signed()
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
        let [red, green, blue] =
            if to_rgb { convert_round::<u16, 4095>([luma, &cb, &cr], t871) } else { [*luma, cb, cr] };
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
