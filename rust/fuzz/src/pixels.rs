//! What is made of samples: the same on every CPU path, and the way back where there is one.

use crate::Tried;
use dicoxide_core::pixel::{bits, rescale, ybr};
use dicoxide_core::{Cancel, CpuLevel, Rescale, Samples, SamplesMut};
use std::sync::atomic::AtomicBool;

/// Bits that are unpacked are those that are there, and pack to them again; colours and modality values are those of
/// the portable path, bit for bit.
pub fn pixels_agree(bytes: &[u8]) -> Tried {
    let Some((&[offset, cut, slope, intercept], rest)) = bytes.split_first_chunk::<4>() else { return Tried::Nothing };
    unpacked(rest, usize::from(offset % 8), usize::from(cut % 8));
    let whole = rest.get(..rest.len() / 3 * 3).unwrap_or_default();
    let rgb = same(|tier| {
        let mut pixels = whole.to_vec();
        assert!(ybr::full_to_rgb(&mut pixels, tier).is_ok());
        pixels
    });
    assert_eq!(rgb.len(), whole.len());
    let words: Vec<i16> =
        rest.chunks_exact(2).map(|pair| pair.iter().fold(0, |word, byte| word << 8 | i16::from(*byte))).collect();
    let by = Rescale { slope: f64::from(slope) / 16.0 - 4.0, intercept: f64::from(intercept) * 8.0 - 1024.0 };
    let stop = AtomicBool::new(false);
    let watch = Cancel { stop: &stop, poll: None };
    let _ = same(|tier| {
        let mut out = vec![0_f32; words.len()];
        let done = rescale::rescale_into(Samples::I16(&words), by, SamplesMut::F32(&mut out), false, watch, tier);
        (done, out.into_iter().map(f32::to_bits).collect::<Vec<u32>>())
    });
    let _ = same(|tier| {
        let mut out = vec![0_i16; words.len()];
        let done = rescale::rescale_into(Samples::I16(&words), by, SamplesMut::I16(&mut out), false, watch, tier);
        // What is not exact is an error, at the same sample.
        let out = done.is_ok().then_some(out);
        (done, out)
    });
    Tried::Decoded
}

fn unpacked(bytes: &[u8], offset: usize, cut: usize) {
    let Some(count) = (bytes.len() * 8).checked_sub(offset + cut) else { return };
    let out = same(|tier| {
        let mut out = vec![0xAA; count];
        assert!(bits::unpack_bits_into(bytes, offset, &mut out, tier).is_ok());
        out
    });
    let bit = |at: usize| bytes.get(at / 8).map(|byte| byte >> (at % 8) & 1);
    assert!(out.iter().enumerate().all(|(at, value)| Some(*value) == bit(at + offset)));
    let packed = same(|tier| {
        let mut packed = vec![0; count.div_ceil(8)];
        assert!(bits::pack_bits_into(&out, &mut packed, tier).is_ok());
        packed
    });
    let mut again = vec![0; count];
    assert!(bits::unpack_bits_into(&packed, 0, &mut again, CpuLevel::PORTABLE).is_ok());
    assert_eq!(again, out);
}

/// What every path gives.
fn same<T: PartialEq>(work: impl Fn(CpuLevel) -> T) -> T {
    let expected = work(CpuLevel::PORTABLE);
    for tier in CpuLevel::available() {
        assert!(work(tier) == expected, "{} gives something else", tier.name());
    }
    expected
}
