//! Portable bodies: tables for R and B, fixed-point arithmetic for G.

use super::{
    GREEN_CB, GREEN_CR, GREEN_HALF, GREEN_LESS_CB, GREEN_LESS_CR, GREEN_LESS_FIRST_Y, GREEN_LESS_Y_SPAN, GREEN_SHIFT,
};

pub(super) fn expand_422_bytes(src: &[u8], out: &mut [u8]) {
    expand_422::<1>(src, out);
}

/// Expands samples of `N` bytes.
#[inline(always)]
pub(super) fn expand_422<const N: usize>(src: &[u8], out: &mut [u8]) {
    let pixels = out.as_chunks_mut::<N>().0.as_chunks_mut::<6>().0;
    for ([y0, y1, cb, cr], pixels) in src.as_chunks::<N>().0.as_chunks::<4>().0.iter().zip(pixels) {
        *pixels = [*y0, *cb, *cr, *y1, *cb, *cr];
    }
}

/// Returns `thousandths × (value - 128) / 1000`, rounded half up, for every byte `value`.
#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated by the compiler")]
const fn table(thousandths: i32) -> [i16; 256] {
    let mut table = [0; 256];
    let mut value = 0;
    while value < 256 {
        table[value as usize] = (thousandths * (value - 128) + 500).div_euclid(1000) as i16;
        value += 1;
    }
    table
}
/// R - Y before clipping, for every Cr.
static RED: [i16; 256] = table(1402);
/// B - Y before clipping, for every Cb.
static BLUE: [i16; 256] = table(1772);

/// Below every sum of Y and a table entry: 1772 × -128 / 1000 = -226.8.
const MIN_SUM: i32 = -384;
/// `clip(MIN_SUM + index)` to 0 … 255. On noise, clipping by comparisons took four times as long (mispredicted branches).
static CLIPPED: [u8; 1024] = clipped();

#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated by the compiler")]
#[allow(clippy::cast_sign_loss, reason = "evaluated by the compiler")]
const fn clipped() -> [u8; 1024] {
    let mut table = [255; 1024];
    let mut sum = MIN_SUM;
    while sum < 256 {
        table[(sum - MIN_SUM) as usize] = if sum < 0 { 0 } else { sum as u8 };
        sum += 1;
    }
    table
}

pub(super) fn full_to_rgb(pixels: &mut [u8]) {
    for pixel in pixels.as_chunks_mut::<3>().0 {
        *pixel = rgb(*pixel);
    }
}

#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "the tables have an entry for every byte")]
#[allow(clippy::cast_sign_loss, reason = "no sum is below MIN_SUM")]
fn rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let green_is_less =
        (cb == GREEN_LESS_CB) & (cr == GREEN_LESS_CR) & (y.wrapping_sub(GREEN_LESS_FIRST_Y) <= GREEN_LESS_Y_SPAN);
    let clipped = |add: i32| CLIPPED[(i32::from(y) + add - MIN_SUM) as usize & 1023];
    let green = (i32::from(cb) - 128) * GREEN_CB + (i32::from(cr) - 128) * GREEN_CR + GREEN_HALF;
    [
        clipped(RED[usize::from(cr)].into()),
        clipped((green >> GREEN_SHIFT) - i32::from(green_is_less)),
        clipped(BLUE[usize::from(cb)].into()),
    ]
}
