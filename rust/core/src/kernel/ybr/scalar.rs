//! Tables for red and blue, fixed point for green.

use super::{GREEN_CB, GREEN_CR, GREEN_HALF, GREEN_LESS, GREEN_SHIFT};

pub(super) fn expand_422_bytes(src: &[u8], out: &mut [u8]) {
    expand_422::<1>(src, out);
}

/// Samples of `N` bytes.
#[inline(always)]
pub(super) fn expand_422<const N: usize>(src: &[u8], out: &mut [u8]) {
    let pixels = out.as_chunks_mut::<N>().0.as_chunks_mut::<6>().0;
    for ([y0, y1, cb, cr], pixels) in src.as_chunks::<N>().0.as_chunks::<4>().0.iter().zip(pixels) {
        *pixels = [*y0, *cb, *cr, *y1, *cb, *cr];
    }
}

/// What red adds to Y for every Cr, what blue adds for every Cb: `thousandths` × (value - 128) / 1000, rounded half up.
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
static RED: [i16; 256] = table(1402);
static BLUE: [i16; 256] = table(1772);

/// Less than any sum of Y and a table.
const LEAST: i32 = -384;
/// Every sum from `LEAST` on clipped to a byte. On noise the branches of a comparison cost four times as much.
static CLIPPED: [u8; 1024] = clipped();

#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated by the compiler")]
#[allow(clippy::cast_sign_loss, reason = "evaluated by the compiler")]
const fn clipped() -> [u8; 1024] {
    let mut table = [255; 1024];
    let mut sum = LEAST;
    while sum < 256 {
        table[(sum - LEAST) as usize] = if sum < 0 { 0 } else { sum as u8 };
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
#[allow(clippy::cast_sign_loss, reason = "no sum is below LEAST")]
fn rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let [less_cb, less_cr, first, more] = GREEN_LESS;
    let less = (cb == less_cb) & (cr == less_cr) & (y.wrapping_sub(first) <= more);
    let clipped = |add: i32| CLIPPED[(i32::from(y) + add - LEAST) as usize & 1023];
    let green = (i32::from(cb) - 128) * GREEN_CB + (i32::from(cr) - 128) * GREEN_CR + GREEN_HALF;
    [
        clipped(RED[usize::from(cr)].into()),
        clipped((green >> GREEN_SHIFT) - i32::from(less)),
        clipped(BLUE[usize::from(cb)].into()),
    ]
}
