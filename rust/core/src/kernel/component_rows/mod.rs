//! Rows of components after the wavelet transform to interleaved samples (T.800 Annex G).
//!
//! ```text
//! row of each component ─► component transform ─► round (9/7) ─► clamp, level shift ─► sample bytes ─► interleave
//! ```
//!
//! | transform | formulas | words |
//! |---|---|---|
//! | reversible (RCT, G.2) | G = Y0 − ⌊(Y1 + Y2) / 4⌋; R = Y2 + G; B = Y1 + G | `i32`, wrapping |
//! | irreversible (ICT, G.3) | R = Y + 1.402 Cr; G = (Y − 0.344136 Cb) − 0.714136 Cr; B = Y + 1.772 Cb | `f32`, each operation rounded |
//!
//! Values of `f32` are rounded to the nearest integer, ties to even. A value is clamped to the range of two's complement of
//! the component's precision, and 2^(precision − 1) is added if the component is unsigned. That is the same as to add first,
//! but does not overflow. NaN, which only damaged codestreams give, is the smallest value.
//!
//! For example, precision 8, unsigned: −130 is clamped to −128 and stored as 0; 5.5 is rounded to 6 and stored as 134.
//!
//! # Rounding
//!
//! Up to [`MAX_FAST_PRECISION`] bits, a value is rounded by an addition: the sum of a value below 2^22 in magnitude and
//! 1.5 × 2^23 is an `f32` between 2^23 and 2^24, whose lowest bit has the value 1. So the difference of the two bit patterns
//! is the rounded value. It needs no instruction that SSE2 does not have.

mod scalar;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::CpuLevel;
use super::cpu::dispatch;
use super::interleave::interleave;
use super::wavelet::Wavelet;
pub(crate) use scalar::replicate_columns;
use scalar::{Sample, SampleRange};

/// Maximum number of components of a pixel.
pub(crate) const MAX_COMPONENTS: usize = 4;
/// Bits of a sample up to which values are rounded by an addition.
const MAX_FAST_PRECISION: u32 = 22;
/// Pixels that are converted before they are interleaved: their samples stay in the L1 cache.
const ROUND_PIXELS: usize = 256;

/// Inverse multiple component transform. It applies to the first three components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ComponentTransform {
    /// Components are independent.
    None,
    /// RCT. The first three components are integers.
    Reversible,
    /// ICT. The first three components are `f32`.
    Irreversible,
}

/// Samples of one component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ComponentFormat {
    /// Wavelet, which determines whether words are integers or `f32`.
    pub(crate) wavelet: Wavelet,
    /// Bits of a sample, 1 to 32, and at most those of a stored sample.
    pub(crate) precision: u32,
    /// True for two's complement.
    pub(crate) is_signed: bool,
}

/// Conversion of the rows of all components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowFormat {
    pub(crate) transform: ComponentTransform,
    /// The components of a pixel; others are ignored.
    pub(crate) components: [ComponentFormat; MAX_COMPONENTS],
    /// Bytes of a stored sample: 1, 2 or 4. It has at least `precision` bits; signed samples are sign-extended to it.
    pub(crate) sample_bytes: usize,
}

/// Converts one row of 1 to 4 components to interleaved samples in native byte order.
///
/// All rows have equal lengths; `out.len()` is the number of pixels × components × sample bytes. With fewer than three rows,
/// there is no component transform.
pub(crate) fn store_row(format: &RowFormat, rows: &[&[i32]], out: &mut [u8], level: CpuLevel) {
    match format.sample_bytes {
        1 => store_samples::<u8>(format, rows, out, level),
        2 => store_samples::<u16>(format, rows, out, level),
        4 => store_samples::<u32>(format, rows, out, level),
        sample_bytes => debug_assert!(false, "samples of {sample_bytes} bytes"),
    }
}

fn store_samples<T: Sample>(format: &RowFormat, rows: &[&[i32]], out: &mut [u8], level: CpuLevel) {
    debug_assert!((1..=MAX_COMPONENTS).contains(&rows.len()), "{} components", rows.len());
    let pixel_bytes = rows.len() * size_of::<T>();
    debug_assert!(rows.iter().all(|row| row.len() * pixel_bytes == out.len()), "rows of the output's pixels");
    let [first, ..] = format.components;
    if let ([row], Ok(samples)) = (rows, bytemuck::try_cast_slice_mut::<u8, T>(out)) {
        return store_component(first, row, samples, level);
    }
    let mut samples = [[T::zeroed(); ROUND_PIXELS]; MAX_COMPONENTS];
    let starts = (0..).step_by(ROUND_PIXELS);
    for (start, out) in starts.zip(out.chunks_mut((ROUND_PIXELS * pixel_bytes).max(1))) {
        let pixels = out.len() / pixel_bytes.max(1);
        let mut words: [&[i32]; MAX_COMPONENTS] = [&[]; MAX_COMPONENTS];
        for (words, row) in words.iter_mut().zip(rows) {
            *words = row.get(start..start + pixels).unwrap_or_default();
        }
        let mut planes = samples.each_mut().map(|plane| plane.split_at_mut(pixels).0);
        store_planes(format, rows.len(), words, &mut planes, level);
        let planes = planes.each_ref().map(|plane| bytemuck::cast_slice::<T, u8>(plane));
        interleave(planes.get(..rows.len()).unwrap_or_default(), size_of::<T>(), out, level);
    }
}

/// Converts pixels to one slice of samples for each of the `count` components.
fn store_planes<T: Sample>(
    format: &RowFormat,
    count: usize,
    words: [&[i32]; MAX_COMPONENTS],
    planes: &mut [&mut [T]; MAX_COMPONENTS],
    level: CpuLevel,
) {
    let mut done = 0;
    if count >= 3 && format.transform != ComponentTransform::None {
        let ([y, cb, cr, _], [red, green, blue, _]) = (words, &mut *planes);
        let [a, b, c, _] = format.components.map(SampleRange::new);
        match format.transform {
            ComponentTransform::Reversible => {
                store_reversible([y, cb, cr], [red, green, blue], [a, b, c], level);
            }
            _ => store_irreversible([y, cb, cr].map(bytemuck::cast_slice), [red, green, blue], [a, b, c], level),
        }
        done = 3;
    }
    for ((component, words), plane) in format.components.iter().zip(words).zip(planes).take(count).skip(done) {
        store_component(*component, words, plane, level);
    }
}

/// Converts one component that is not transformed.
fn store_component<T: Sample>(component: ComponentFormat, words: &[i32], samples: &mut [T], level: CpuLevel) {
    let range = SampleRange::new(component);
    match component.wavelet {
        Wavelet::Reversible53 => dispatch!(level, store_integers::<T>(words, samples, range)),
        Wavelet::Irreversible97 => {
            let values = bytemuck::cast_slice(words);
            dispatch!(level, store_floats::<T>(values, samples, range))
        }
    }
}

fn store_reversible<T: Sample>(words: [&[i32]; 3], samples: [&mut [T]; 3], ranges: [SampleRange; 3], level: CpuLevel) {
    dispatch!(level, store_reversible::<T>(words, samples, ranges))
}

fn store_irreversible<T: Sample>(
    values: [&[f32]; 3],
    samples: [&mut [T]; 3],
    ranges: [SampleRange; 3],
    level: CpuLevel,
) {
    dispatch!(level, store_irreversible::<T>(values, samples, ranges))
}
