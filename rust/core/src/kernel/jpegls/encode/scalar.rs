//! Portable body: one line of the image, by interleave mode, number of components and NEAR.

use super::bits::BitPosition;
use super::model::{Line, Model};
use super::{Scan, lossless, near};

#[inline(always)]
pub(super) fn encode_line(scan: &mut Scan) {
    let Scan { lines, run_indices, model, codes, bits, is_sample_interleaved } = scan;
    let codes = &mut codes[..];
    if *is_sample_interleaved {
        let [run_index, ..] = run_indices;
        *bits = match lines.len() {
            2 => encode_pixels::<2>(lines, run_index, model, *bits, codes),
            3 => encode_pixels::<3>(lines, run_index, model, *bits, codes),
            _ => encode_pixels::<4>(lines, run_index, model, *bits, codes),
        };
        return;
    }
    for (line, run_index) in lines.iter_mut().zip(run_indices) {
        *bits = encode_pixels::<1>(std::slice::from_mut(line), run_index, model, *bits, codes);
    }
}

#[inline(always)]
fn encode_pixels<const COMPONENTS: usize>(
    lines: &mut [Line],
    run_index: &mut usize,
    model: &mut Model,
    bits: BitPosition,
    codes: &mut [u8],
) -> BitPosition {
    let Ok(lines) = <&mut [Line; COMPONENTS]>::try_from(lines) else {
        debug_assert!(false, "sample-interleaved scans have 2 to 4 components");
        return bits;
    };
    if model.is_lossless() {
        lossless::encode_line(lines, run_index, model, bits, codes)
    } else {
        near::encode_line(lines, run_index, model, bits, codes)
    }
}
