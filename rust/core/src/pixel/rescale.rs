//! Stored values → output values.

use crate::error::{Result, output};
use crate::kernel::CpuLevel;
use crate::kernel::convert::convert;
use crate::output::{CANCEL_INTERVAL_BYTES, Cancel, STREAMED_SAMPLES, StoreHint, convert_streamed};
use crate::sample::{Rescale, Samples, SamplesMut};

/// Writes `stored × slope + intercept` for every sample of `src` into `out`, of as many samples.
///
/// To floats, product and sum are rounded to `float64` as NumPy does it, then once to the output type. To integers
/// the values are exact; where slope and intercept are integers too, up to the ends of the 64-bit types.
/// `is_warm` says that `out` has been written to before, which only changes how it is stored to.
///
/// # Errors
/// `Output` where the lengths differ, or where an integer output does not hold the value of a sample (the message
/// names the first); `Interrupted`. `out` holds nothing of meaning then.
///
/// # Standard
/// PS3.3 C.11.1.
pub fn rescale_into(
    src: Samples<'_>,
    rescale: Rescale,
    mut out: SamplesMut<'_>,
    is_warm: bool,
    watch: Cancel<'_>,
    tier: CpuLevel,
) -> Result<()> {
    let clause = "PS3.3 C.11.1";
    if src.len() != out.len() {
        return Err(output(format!("output holds {} samples, {} expected", out.len(), src.len()), clause));
    }
    let (name, from) = (out.sample_type().name(), src.sample_type());
    let refused = |at| output(format!("the value of sample {at} is not exact in {name}"), clause);
    let store = StoreHint::of(out.len() * out.sample_bytes(), is_warm);
    let at_once =
        if store == StoreHint::Streamed { STREAMED_SAMPLES } else { CANCEL_INTERVAL_BYTES / out.sample_bytes() };
    let mut scratch = Vec::new();
    let mut unchecked_bytes = 0;
    for (index, part) in src.bytes().chunks(at_once * src.sample_bytes()).enumerate() {
        let start = index * at_once;
        let Some(mut window) = out.window(start, start + part.len() / src.sample_bytes()) else { break };
        if index * at_once * window.sample_bytes() >= unchecked_bytes {
            unchecked_bytes += CANCEL_INTERVAL_BYTES;
            watch.check()?;
        }
        match store {
            StoreHint::Cached => convert(part, from, Some(rescale), window, tier),
            StoreHint::Streamed => convert_streamed(part, from, Some(rescale), &mut window, &mut scratch, tier),
        }
        .map_err(|at| refused(start + at))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use std::sync::atomic::AtomicBool;

    const RESCALE: Rescale = Rescale { slope: 1.0, intercept: -1024.0 };

    #[test]
    fn parts_meet_without_a_gap() {
        let stop = AtomicBool::new(false);
        let watch = Cancel { stop: &stop, poll: None };
        let src: Vec<u16> = (0..4096_u16).cycle().take(CANCEL_INTERVAL_BYTES / 2 + 5).collect();
        for tier in CpuLevel::available() {
            let mut out = vec![0.0; src.len()];
            rescale_into(Samples::U16(&src), RESCALE, SamplesMut::F32(&mut out), false, watch, tier).unwrap();
            assert!(src.iter().zip(&out).all(|(x, y)| f32::from(*x) - 1024.0 == *y));
        }
    }

    #[test]
    fn large_warm_output_has_the_same_values() {
        let stop = AtomicBool::new(false);
        let watch = Cancel { stop: &stop, poll: None };
        let src: Vec<u16> = (0..4096_u16).cycle().take((32 << 20) / 4 + 77).collect();
        for tier in CpuLevel::available() {
            let mut out = vec![0.0; src.len() + 1];
            rescale_into(Samples::U16(&src), RESCALE, SamplesMut::F32(&mut out[1..]), true, watch, tier).unwrap();
            assert!(src.iter().zip(&out[1..]).all(|(x, y)| f32::from(*x) - 1024.0 == *y));
        }
    }

    #[test]
    fn refusals_name_the_sample_of_all() {
        let stop = AtomicBool::new(false);
        let watch = Cancel { stop: &stop, poll: None };
        let mut src = vec![1024_u16; CANCEL_INTERVAL_BYTES + 10];
        src[CANCEL_INTERVAL_BYTES + 3] = 0;
        let mut out = vec![0_u8; src.len()];
        let result =
            rescale_into(Samples::U16(&src), RESCALE, SamplesMut::U8(&mut out), false, watch, CpuLevel::PORTABLE);
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output);
        assert_eq!(error.message(), format!("the value of sample {} is not exact in uint8", CANCEL_INTERVAL_BYTES + 3));
        let result =
            rescale_into(Samples::U16(&[1]), RESCALE, SamplesMut::U8(&mut []), false, watch, CpuLevel::PORTABLE);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Output);
    }

    #[test]
    fn a_watch_stops_it_between_parts() {
        let stop = AtomicBool::new(false);
        let looks = std::cell::Cell::new(0);
        let poll = || {
            looks.set(looks.get() + 1);
            looks.get() == 2
        };
        let watch = Cancel { stop: &stop, poll: Some(&poll) };
        let src = vec![1_i16; CANCEL_INTERVAL_BYTES];
        let mut out = vec![0.0_f32; src.len()];
        let result =
            rescale_into(Samples::I16(&src), RESCALE, SamplesMut::F32(&mut out), false, watch, CpuLevel::PORTABLE);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Interrupted);
        assert_eq!((out[CANCEL_INTERVAL_BYTES / 4 - 1], out[CANCEL_INTERVAL_BYTES / 4]), (-1023.0, 0.0));
    }
}
