//! Rendering of samples that are in memory, and the range of their values.

use crate::error::{Result, output};
use crate::kernel::{CpuLevel, render};
use crate::output::{CANCEL_INTERVAL_BYTES, Cancel, RenderTables, STREAMED_SAMPLES, StoreHint};
use crate::parallel::{ThreadShares, for_each_task};
use crate::rendering::Rendering;
use crate::sample::{Samples, SamplesMut};

/// Writes the rendered samples of `src` to `out`, which has the type of the rendering and its number of samples per value.
///
/// At most `threads` threads render, including the calling one. Set `is_warm` if `out` has been written to before: large
/// output is then stored past the caches.
///
/// # Errors
/// `Output` if the lengths or types are not those of the rendering; `Interrupted`. The content of `out` is undefined then.
///
/// # Standard
/// PS3.4 N.2.
pub fn render_into(
    src: Samples<'_>,
    rendering: &Rendering,
    out: SamplesMut<'_>,
    threads: usize,
    is_warm: bool,
    cancel: Cancel<'_>,
    level: CpuLevel,
) -> Result<()> {
    let samples_per_value = rendering.samples_per_value();
    if Some(out.len()) != src.len().checked_mul(samples_per_value) {
        let expected = src.len().saturating_mul(samples_per_value);
        return Err(output(format!("output holds {} samples, {expected} expected", out.len()), ""));
    }
    let stored = src.sample_type();
    rendering.check(stored, 1, out.sample_type())?;
    let bits = match rendering {
        Rendering::Grayscale(grayscale) => grayscale.bits_stored(),
        Rendering::Palette(_) => u32::try_from(stored.bytes() * 8).unwrap_or(u32::MAX),
    };
    let mut tables = RenderTables::default();
    tables.prepare(rendering, stored, bits, level);
    let output_bytes = out.len() * out.sample_bytes();
    let store = StoreHint::of(output_bytes, is_warm);
    let threads = ThreadShares::new(threads, usize::MAX, output_bytes.max(src.bytes().len())).frame_threads;
    let task_samples = CANCEL_INTERVAL_BYTES / 8;
    let block_samples = if store == StoreHint::Streamed { STREAMED_SAMPLES } else { task_samples };
    let mut rest = Some(out);
    let tasks = src.bytes().chunks(task_samples * stored.bytes()).map_while(|src| {
        let (window, after) = rest.take()?.split_at(src.len() / stored.bytes() * samples_per_value)?;
        rest = Some(after);
        Some((src, window))
    });
    let render = |(src, mut out): (&[u8], SamplesMut<'_>), scratch: &mut Vec<u64>| {
        for (block, src) in src.chunks(block_samples * stored.bytes()).enumerate() {
            let start = block * block_samples * samples_per_value;
            let Some(window) = out.window(start, start + src.len() / stored.bytes() * samples_per_value) else {
                debug_assert!(false, "one window per block");
                return Err(output(format!("output has no sample {start}"), ""));
            };
            tables.apply_stored(src, window, store, scratch, level);
        }
        Ok(())
    };
    for_each_task(tasks, &mut vec![Vec::new(); threads], render, || cancel.check())
}

/// Smallest and largest sample of `src`, without NaN, infinities and the samples from `padding.0` to `padding.1`, both
/// inclusive. `None` if there is none.
///
/// # Errors
/// `Interrupted`.
pub fn value_range(
    src: Samples<'_>,
    padding: Option<(f64, f64)>,
    cancel: Cancel<'_>,
    level: CpuLevel,
) -> Result<Option<(f64, f64)>> {
    let mut range: Option<(f64, f64)> = None;
    for block in src.bytes().chunks(CANCEL_INTERVAL_BYTES) {
        cancel.check()?;
        let block = render::extremes(block, src.sample_type(), padding, level);
        range = match (range, block) {
            (Some((low, high)), Some((block_low, block_high))) => Some((low.min(block_low), high.max(block_high))),
            (range, block) => range.or(block),
        };
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendering::{Grayscale, GrayscaleOptions, OutputRange, Palette, Voi};
    use crate::{ErrorKind, SampleType};
    use std::sync::atomic::AtomicBool;

    fn window(stored: SampleType, output: OutputRange) -> Rendering {
        let options = GrayscaleOptions { output, ..GrayscaleOptions::default() };
        let bits = u32::try_from(stored.bytes() * 8).unwrap();
        let voi = Voi::Range { low: 0.0, high: 1020.0 };
        Rendering::Grayscale(Grayscale::new(stored, bits, voi, options).unwrap())
    }

    #[test]
    fn render_into_on_any_number_of_threads_renders_every_sample() {
        let stop = AtomicBool::new(false);
        let cancel = Cancel { stop: &stop, poll: None };
        let src: Vec<u16> = (0..1021_u16).cycle().take(2_100_001).collect();
        let rendering = window(SampleType::U16, OutputRange::U8);
        for level in CpuLevel::available() {
            for threads in [1, 3] {
                let mut out = vec![0; src.len()];
                render_into(Samples::U16(&src), &rendering, SamplesMut::U8(&mut out), threads, false, cancel, level)
                    .unwrap();
                let expected = |x: u16| (f64::from(x) / 4.0).round_ties_even();
                assert!(src.iter().zip(&out).all(|(x, y)| expected(*x) == f64::from(*y)), "{}", level.name());
            }
        }
    }

    #[test]
    fn render_into_large_warm_output_has_same_samples() {
        let stop = AtomicBool::new(false);
        let cancel = Cancel { stop: &stop, poll: None };
        let src: Vec<u8> = (0..=255).cycle().take((32 << 20) / 3 + 77).collect();
        let entries: Vec<u8> = (0..=255_u8).flat_map(|x| [x, x.wrapping_mul(7), !x]).collect();
        let rendering = Rendering::Palette(Palette::new(0, Samples::U8(&entries), 3).unwrap());
        for level in CpuLevel::available() {
            let mut out = vec![0; src.len() * 3 + 1];
            let target = SamplesMut::U8(&mut out[1..]);
            render_into(Samples::U8(&src), &rendering, target, 2, true, cancel, level).unwrap();
            let expected = src.iter().flat_map(|x| [*x, x.wrapping_mul(7), !*x]);
            assert!(out[1..].iter().copied().eq(expected), "{}", level.name());
        }
    }

    #[test]
    fn render_into_other_length_or_type_is_refused() {
        let stop = AtomicBool::new(false);
        let cancel = Cancel { stop: &stop, poll: None };
        let rendering = window(SampleType::U16, OutputRange::U8);
        let (short, other): (&mut [u8], &mut [u16]) = (&mut [0; 2], &mut [0; 3]);
        let level = CpuLevel::PORTABLE;
        for (src, out) in [
            (Samples::U16(&[1, 2, 3]), SamplesMut::U8(short)),
            (Samples::U16(&[1, 2, 3]), SamplesMut::U16(other)),
            (Samples::I16(&[1, 2, 3]), SamplesMut::U8(&mut [0; 3])),
        ] {
            let error = render_into(src, &rendering, out, 1, false, cancel, level).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Output);
        }
    }

    #[test]
    fn value_range_leaves_out_padding_nan_and_infinities() {
        let stop = AtomicBool::new(false);
        let cancel = Cancel { stop: &stop, poll: None };
        for level in CpuLevel::available() {
            let range = |src: Samples<'_>, padding| value_range(src, padding, cancel, level).unwrap();
            let words = [-2000_i16, -2000, -1024, 3071, i16::MIN, i16::MAX];
            assert_eq!(range(Samples::I16(&words), None), Some((-32_768.0, 32_767.0)));
            assert_eq!(range(Samples::I16(&words), Some((-40_000.0, -2000.0))), Some((-1024.0, 32_767.0)));
            assert_eq!(range(Samples::I16(&words), Some((-2000.0, -2000.0))), Some((-32_768.0, 32_767.0)));
            assert_eq!(range(Samples::I16(&words), Some((f64::NEG_INFINITY, f64::INFINITY))), None);
            assert_eq!(range(Samples::I16(&words), Some((40_000.0, 50_000.0))), Some((-32_768.0, 32_767.0)));
            assert_eq!(range(Samples::U8(&[]), None), None);
            let floats = [f32::NAN, f32::INFINITY, 2.5, -1.0, f32::NEG_INFINITY];
            assert_eq!(range(Samples::F32(&floats), None), Some((-1.0, 2.5)));
            assert_eq!(range(Samples::F32(&floats), Some((-1.0, -1.0))), Some((2.5, 2.5)));
            assert_eq!(range(Samples::F64(&[f64::NAN]), None), None);
        }
    }
}
