//! Properties of rendering: equal outputs at every CPU level, and those of the formulas of PS3.3 C.11.2.1.

use crate::Coverage;
use dicoxide_core::pixel::{overlay, render};
use dicoxide_core::{
    Cancel, CpuLevel, Grayscale, GrayscaleOptions, LookupTable, Modality, OutputRange, Palette, Rendering, Rescale,
    SampleType, Samples, SamplesMut, Voi,
};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Bytes before the stored values: see [`rendering_equal_on_all_levels`].
const HEADER_BYTES: usize = 20;

/// Property: rendered samples are equal at every CPU level. Those of 8 and 16 bits equal the outputs of windows and ranges one
/// by one; rendering never panics, whatever the numbers are.
///
/// ```text
/// byte 0  type of the stored values             byte 3     modality: none, slope and intercept, table
///      1  bits stored                              4 - 11  center and width, or range, as f32
///      2  function; bit 7: inverted               12 - 19  slope and intercept as f32; bit 0 of byte 12: padding
/// ```
pub fn rendering_equal_on_all_levels(bytes: &[u8]) -> Coverage {
    let Some((header, src)) = bytes.split_first_chunk::<HEADER_BYTES>() else { return Coverage::Skipped };
    let &[kind, bits, function, modality, c0, c1, c2, c3, w0, w1, w2, w3, s0, s1, s2, s3, i0, i1, i2, i3] = header;
    let (center, width) = (f32::from_le_bytes([c0, c1, c2, c3]).into(), f32::from_le_bytes([w0, w1, w2, w3]).into());
    let (slope, intercept): (f64, f64) =
        (f32::from_le_bytes([s0, s1, s2, s3]).into(), f32::from_le_bytes([i0, i1, i2, i3]).into());
    let Some(stored) = SampleType::ALL.get(usize::from(kind) % SampleType::ALL.len()).copied() else {
        return Coverage::Skipped;
    };
    let words: Vec<u16> = src.as_chunks::<2>().0.iter().map(|word| u16::from_le_bytes(*word)).collect();
    // Its errors are those of an empty input.
    let Ok(table) = LookupTable::new(center_of(center), words.iter().copied().take(300)) else {
        return Coverage::Error;
    };
    let table = Arc::new(table);
    let voi = match function % 5 {
        0 => Voi::Linear { center, width },
        1 => Voi::LinearExact { center, width },
        2 => Voi::Sigmoid { center, width },
        3 => Voi::Range { low: center, high: width },
        _ => Voi::Table { table: Arc::clone(&table), bits: u32::from(bits) % 17 },
    };
    let modality = match modality % 3 {
        0 => Modality::Identity,
        1 => Modality::Linear(Rescale { slope, intercept }),
        _ => Modality::Table(table),
    };
    let padding = (s0 & 1 == 1).then_some((intercept.min(slope), intercept.max(slope)));
    let inverted = function & 0x80 != 0;
    // All bits of the sample: bits above Bits Stored are not part of the formula.
    let type_bits = u32::try_from(stored.bytes() * 8).unwrap_or(64);
    let options = |output| GrayscaleOptions { modality: modality.clone(), inverted, padding, output };
    let mut coverage = Coverage::Error;
    for output in [OutputRange::U8, OutputRange::U16, OutputRange::F32] {
        if let Ok(grayscale) = Grayscale::new(stored, type_bits, voi.clone(), options(output)) {
            let found = rendered(stored, src, &Rendering::Grayscale(grayscale.clone()));
            check_formula(&grayscale, src, &found);
            coverage = Coverage::Decoded;
        }
    }
    if let (false, Ok(palette)) = (stored.is_float(), Palette::new(center_of(center), Samples::U8(src), 3)) {
        let _ = rendered(stored, src, &Rendering::Palette(palette));
    }
    check_overlay(src, (center_of(center), center_of(width)), usize::from(bits));
    coverage
}

#[allow(clippy::cast_possible_truncation, reason = "saturation is wanted")]
fn center_of(center: f64) -> i64 {
    center as i64
}

/// Calls `$function` with the stored values of type `$stored`.
macro_rules! with_samples {
    ($stored:expr, $src:expr, $function:expr; $($variant:ident $type:ident),*) => {
        match $stored {
            $(SampleType::$variant => {
                let chunks = $src.as_chunks::<{ size_of::<$type>() }>().0;
                let samples: Vec<$type> = chunks.iter().map(|bytes| <$type>::from_le_bytes(*bytes)).collect();
                $function(Samples::$variant(&samples))
            })*
        }
    };
}

/// Output bytes of the rendering, which are equal at every CPU level.
fn rendered(stored: SampleType, src: &[u8], rendering: &Rendering) -> Vec<u8> {
    let render = |samples: Samples<'_>| {
        let stop = AtomicBool::new(false);
        let cancel = Cancel { stop: &stop, poll: None };
        let count = samples.len() * rendering.samples_per_value();
        let outputs: Vec<Vec<u8>> = CpuLevel::available()
            .into_iter()
            .map(|level| {
                let mut memory = vec![u64::MAX; count + 1];
                let Some(mut out) = SamplesMut::in_words(rendering.output_type(), &mut memory, count) else {
                    panic!("{count} samples need no more than as many words");
                };
                let result = render::render_into(samples, rendering, out.reborrow(), 1, false, cancel, level);
                assert_eq!(result, Ok(()), "{rendering:?}");
                out.bytes_mut().to_vec()
            })
            .collect();
        let first = outputs.first().cloned().unwrap_or_default();
        assert!(outputs.iter().all(|output| *output == first), "{rendering:?}");
        first
    };
    with_samples!(stored, src, render; U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, U64 u64, I64 i64, F32 f32, F64 f64)
}

/// Compares integer outputs of windows over slope and intercept with the formulas.
fn check_formula(grayscale: &Grayscale, src: &[u8], found: &[u8]) {
    let max = grayscale.output().max();
    let (slope, intercept) = match grayscale.modality() {
        Modality::Linear(rescale) => (rescale.slope, rescale.intercept),
        _ => return,
    };
    let output = |stored: f64| {
        let x = stored * slope + intercept;
        let is_padding = grayscale.padding().is_some_and(|(first, last)| first <= stored && stored <= last);
        let line = |center: f64, width: f64| match x {
            _ if x <= center - width / 2.0 => 0.0,
            _ if x > center + width / 2.0 => max,
            _ => ((x - center) / width + 0.5) * max,
        };
        let y = match *grayscale.voi() {
            Voi::Linear { center, width } => line(center - 0.5, width - 1.0),
            Voi::LinearExact { center, width } => line(center, width),
            Voi::Range { low, high } if low == high => 0.0,
            Voi::Range { low, high } => ((x - low) / (high - low)).clamp(0.0, 1.0) * max,
            Voi::Sigmoid { center, width } => max / (1.0 + (-4.0 * (x - center) / width).exp()),
            Voi::Table { .. } => return None,
        };
        let y = if grayscale.is_inverted() { max - y } else { y };
        Some(if is_padding || x.is_nan() || y.is_nan() { 0.0 } else { y.round_ties_even() })
    };
    let check = |samples: Samples<'_>| {
        let values: Vec<f64> = values_of(samples);
        match grayscale.output() {
            OutputRange::U8 => {
                let is_equal = |(x, y): (&f64, &u8)| output(*x).is_none_or(|output| output == f64::from(*y));
                assert!(values.iter().zip(found).all(is_equal), "{grayscale:?}");
            }
            OutputRange::U16 => {
                let words = found.as_chunks::<2>().0.iter().map(|word| u16::from_le_bytes(*word));
                let is_equal = |(x, y): (&f64, u16)| output(*x).is_none_or(|output| output == f64::from(y));
                assert!(values.iter().zip(words).all(is_equal), "{grayscale:?}");
            }
            OutputRange::F32 => {}
        }
    };
    let stored = grayscale.stored();
    with_samples!(stored, src, check; U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, U64 u64, I64 i64, F32 f32, F64 f64);
}

#[allow(clippy::cast_precision_loss, reason = "values are computed in f64")]
fn values_of(samples: Samples<'_>) -> Vec<f64> {
    match samples {
        Samples::U8(samples) => samples.iter().map(|x| f64::from(*x)).collect(),
        Samples::I8(samples) => samples.iter().map(|x| f64::from(*x)).collect(),
        Samples::U16(samples) => samples.iter().map(|x| f64::from(*x)).collect(),
        Samples::I16(samples) => samples.iter().map(|x| f64::from(*x)).collect(),
        Samples::U32(samples) => samples.iter().map(|x| f64::from(*x)).collect(),
        Samples::I32(samples) => samples.iter().map(|x| f64::from(*x)).collect(),
        Samples::U64(samples) => samples.iter().map(|x| *x as f64).collect(),
        Samples::I64(samples) => samples.iter().map(|x| *x as f64).collect(),
        Samples::F32(samples) => samples.iter().map(|x| f64::from(*x)).collect(),
        Samples::F64(samples) => samples.to_vec(),
    }
}

/// Draws the input as an overlay plane.
fn check_overlay(src: &[u8], origin: (i64, i64), side: usize) {
    let mut frame = [0_u8; 12];
    let size = overlay::FrameSize { rows: 2, columns: 2, samples_per_pixel: 3 };
    let plane = overlay::OverlayPlane { bytes: src, bit_offset: side % 11, rows: side % 19, columns: side };
    let is_long = src.len() * 8 >= plane.bit_offset + plane.rows * plane.columns;
    let result = overlay::burn_overlay(SamplesMut::U8(&mut frame), size, plane, origin, 255.0);
    assert_eq!(result.is_ok(), is_long);
}
