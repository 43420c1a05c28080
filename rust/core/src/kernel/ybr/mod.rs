//! `YBR_FULL` and `YBR_FULL_422` (PS3.3 C.7.6.3.1.2).

use super::Tier;

/// `Y0 Y1 Cb Cr` → `Y0 Cb Cr Y1 Cb Cr`, samples of `sample_bytes`; `out` is 3/2 as long as `src`.
pub(crate) fn expand_422(src: &[u8], sample_bytes: usize, out: &mut [u8], _tier: Tier) {
    let n = sample_bytes;
    for (pair, pixels) in src.chunks_exact(4 * n).zip(out.chunks_exact_mut(6 * n)) {
        let (y0, rest) = pair.split_at(n);
        let (y1, chroma) = rest.split_at(n);
        pixels[..n].copy_from_slice(y0);
        pixels[n..3 * n].copy_from_slice(chroma);
        pixels[3 * n..4 * n].copy_from_slice(y1);
        pixels[4 * n..].copy_from_slice(chroma);
    }
}

/// 8-bit `YBR_FULL` pixels → RGB in place, with the values of pydicom's conversion.
pub(crate) fn full_to_rgb(pixels: &mut [u8], _tier: Tier) {
    for pixel in pixels.as_chunks_mut::<3>().0 {
        let (y, cb, cr) = (f64::from(pixel[0]), f64::from(pixel[1]) - 128.0, f64::from(pixel[2]) - 128.0);
        let round = |v: f64| (v + 0.5).floor().clamp(0.0, 255.0) as u8;
        *pixel = [
            round(y + 1.402 * cr),
            round(y - 0.114 * 1.772 / 0.587 * cb - 0.299 * 1.402 / 0.587 * cr),
            round(y + 1.772 * cb),
        ];
    }
}
