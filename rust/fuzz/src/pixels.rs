//! Properties of the operations on samples: equal results at every CPU level, and packing as the inverse of unpacking.

use crate::Coverage;
use dicoxide_core::pixel::{bits, rescale, ybr};
use dicoxide_core::{Cancel, CpuLevel, Rescale, Samples, SamplesMut, ValueTransform};
use std::sync::atomic::AtomicBool;

/// Property: unpacked bits are the bits of the input, and packing them gives the input again; RGB and modality values are
/// bit-equal at every CPU level.
pub fn pixel_operations_equal_on_all_levels(bytes: &[u8]) -> Coverage {
    let Some((&[offset, unused_bits, slope, intercept], bytes)) = bytes.split_first_chunk::<4>() else {
        return Coverage::Skipped;
    };
    check_packed_bits(bytes, usize::from(offset % 8), usize::from(unused_bits % 8));
    let whole_pixels = bytes.get(..bytes.len() / 3 * 3).unwrap_or_default();
    let rgb = equal_at_all_levels(|level| {
        let mut pixels = whole_pixels.to_vec();
        assert!(ybr::full_to_rgb(&mut pixels, level).is_ok());
        pixels
    });
    assert_eq!(rgb.len(), whole_pixels.len());
    let words: Vec<i16> =
        bytes.chunks_exact(2).map(|pair| pair.iter().fold(0, |word, byte| word << 8 | i16::from(*byte))).collect();
    let modality = ValueTransform::Linear(Rescale {
        slope: f64::from(slope) / 16.0 - 4.0,
        intercept: f64::from(intercept) * 8.0 - 1024.0,
    });
    let stop = AtomicBool::new(false);
    let cancel = Cancel { stop: &stop, poll: None };
    let _ = equal_at_all_levels(|level| {
        let mut out = vec![0_f32; words.len()];
        let result =
            rescale::rescale_into(Samples::I16(&words), modality, SamplesMut::F32(&mut out), false, cancel, level);
        (result, out.into_iter().map(f32::to_bits).collect::<Vec<u32>>())
    });
    let _ = equal_at_all_levels(|level| {
        let mut out = vec![0_i16; words.len()];
        let result =
            rescale::rescale_into(Samples::I16(&words), modality, SamplesMut::I16(&mut out), false, cancel, level);
        // An inexact sample is an error; its message has the index.
        let out = result.is_ok().then_some(out);
        (result, out)
    });
    Coverage::Decoded
}

fn check_packed_bits(bytes: &[u8], offset: usize, unused_bits: usize) {
    let Some(count) = (bytes.len() * 8).checked_sub(offset + unused_bits) else { return };
    let out = equal_at_all_levels(|level| {
        let mut out = vec![0xAA; count];
        assert!(bits::unpack_bits_into(bytes, offset, &mut out, level).is_ok());
        out
    });
    let bit = |index: usize| bytes.get(index / 8).map(|byte| byte >> (index % 8) & 1);
    assert!(out.iter().enumerate().all(|(index, value)| Some(*value) == bit(index + offset)));
    let packed = equal_at_all_levels(|level| {
        let mut packed = vec![0; count.div_ceil(8)];
        assert!(bits::pack_bits_into(&out, &mut packed, level).is_ok());
        packed
    });
    let mut repeated = vec![0; count];
    assert!(bits::unpack_bits_into(&packed, 0, &mut repeated, CpuLevel::PORTABLE).is_ok());
    assert_eq!(repeated, out);
}

/// Returns the result of `work`, which must be equal at every CPU level.
fn equal_at_all_levels<T: PartialEq>(work: impl Fn(CpuLevel) -> T) -> T {
    let expected = work(CpuLevel::PORTABLE);
    for level in CpuLevel::available() {
        assert!(work(level) == expected, "{} differs from portable", level.name());
    }
    expected
}
