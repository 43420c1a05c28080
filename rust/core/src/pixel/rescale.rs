//! Rescale of stored values to modality values (PS3.3 C.11.1).

use crate::error::{Result, output};
use crate::kernel::CpuLevel;
use crate::kernel::convert::convert;
use crate::lookup_table::ValueTransform;
use crate::output::{CANCEL_INTERVAL_BYTES, Cancel, STREAMED_SAMPLES, StoreHint, convert_streamed};
use crate::sample::{Samples, SamplesMut};

/// Writes the modality value of every sample of `src` to `out`: `stored × slope + intercept`, or its entry in a look-up table. `src.len() == out.len()`.
///
/// For a float output, product and sum are rounded to `float64` as NumPy does it, then once to the output type. An integer
/// output is exact; if slope and intercept are integers too, up to the ends of the 64-bit types. Set `is_warm` if `out` has
/// been written to before: large output is then stored past the caches.
///
/// # Errors
/// `Output` if the lengths differ, or a table is applied to float samples, or if an integer output cannot hold the value of a sample exactly (the message has the
/// index of the first one); `Interrupted`. The content of `out` is undefined then.
///
/// # Standard
/// PS3.3 C.11.1.
pub fn rescale_into(
    src: Samples<'_>,
    transform: ValueTransform<'_>,
    mut out: SamplesMut<'_>,
    is_warm: bool,
    cancel: Cancel<'_>,
    level: CpuLevel,
) -> Result<()> {
    let clause = "PS3.3 C.11.1";
    if src.len() != out.len() {
        return Err(output(format!("output holds {} samples, {} expected", out.len(), src.len()), clause));
    }
    if src.sample_type().is_float() && transform.needs_integers() {
        return Err(output("look-up table for float samples", "PS3.3 C.11.1.1.1"));
    }
    let (name, from) = (out.sample_type().name(), src.sample_type());
    let inexact = |index| ValueTransform::inexact(Some(transform), index, name);
    let store = StoreHint::of(out.len() * out.sample_bytes(), is_warm);
    let block_samples =
        if store == StoreHint::Streamed { STREAMED_SAMPLES } else { CANCEL_INTERVAL_BYTES / out.sample_bytes() };
    let mut scratch = Vec::new();
    let mut next_check_bytes = 0;
    for (index, block) in src.bytes().chunks(block_samples * src.sample_bytes()).enumerate() {
        let start = index * block_samples;
        let Some(mut window) = out.window(start, start + block.len() / src.sample_bytes()) else {
            debug_assert!(false, "input and output have equal numbers of samples");
            return Err(output(format!("output has no sample {start}"), clause));
        };
        if start * window.sample_bytes() >= next_check_bytes {
            next_check_bytes += CANCEL_INTERVAL_BYTES;
            cancel.check()?;
        }
        match store {
            StoreHint::Cached => convert(block, from, Some(transform), window, level),
            StoreHint::Streamed => convert_streamed(block, from, Some(transform), &mut window, &mut scratch, level),
        }
        .map_err(|index| inexact(start + index))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, Rescale};
    use std::sync::atomic::AtomicBool;

    const RESCALE: ValueTransform<'_> = ValueTransform::Linear(Rescale { slope: 1.0, intercept: -1024.0 });

    #[test]
    fn rescale_several_blocks_converts_every_sample() {
        let stop = AtomicBool::new(false);
        let cancel = Cancel { stop: &stop, poll: None };
        let src: Vec<u16> = (0..4096_u16).cycle().take(CANCEL_INTERVAL_BYTES / 2 + 5).collect();
        for level in CpuLevel::available() {
            let mut out = vec![0.0; src.len()];
            rescale_into(Samples::U16(&src), RESCALE, SamplesMut::F32(&mut out), false, cancel, level).unwrap();
            assert!(src.iter().zip(&out).all(|(x, y)| f32::from(*x) - 1024.0 == *y));
        }
    }

    #[test]
    fn rescale_large_warm_output_has_same_values() {
        let stop = AtomicBool::new(false);
        let cancel = Cancel { stop: &stop, poll: None };
        let src: Vec<u16> = (0..4096_u16).cycle().take((32 << 20) / 4 + 77).collect();
        for level in CpuLevel::available() {
            let mut out = vec![0.0; src.len() + 1];
            rescale_into(Samples::U16(&src), RESCALE, SamplesMut::F32(&mut out[1..]), true, cancel, level).unwrap();
            assert!(src.iter().zip(&out[1..]).all(|(x, y)| f32::from(*x) - 1024.0 == *y));
        }
    }

    #[test]
    fn rescale_inexact_sample_error_has_its_index() {
        let stop = AtomicBool::new(false);
        let cancel = Cancel { stop: &stop, poll: None };
        let mut src = vec![1024_u16; CANCEL_INTERVAL_BYTES + 10];
        src[CANCEL_INTERVAL_BYTES + 3] = 0;
        let mut out = vec![0_u8; src.len()];
        let result =
            rescale_into(Samples::U16(&src), RESCALE, SamplesMut::U8(&mut out), false, cancel, CpuLevel::PORTABLE);
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output);
        assert_eq!(error.message(), format!("the value of sample {} is not exact in uint8", CANCEL_INTERVAL_BYTES + 3));
        let result =
            rescale_into(Samples::U16(&[1]), RESCALE, SamplesMut::U8(&mut []), false, cancel, CpuLevel::PORTABLE);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Output);
    }

    #[test]
    fn rescale_cancelled_by_poll_stops_between_blocks() {
        let stop = AtomicBool::new(false);
        let check_count = std::cell::Cell::new(0);
        let poll = || {
            check_count.set(check_count.get() + 1);
            check_count.get() == 2
        };
        let cancel = Cancel { stop: &stop, poll: Some(&poll) };
        let src = vec![1_i16; CANCEL_INTERVAL_BYTES];
        let mut out = vec![0.0_f32; src.len()];
        let result =
            rescale_into(Samples::I16(&src), RESCALE, SamplesMut::F32(&mut out), false, cancel, CpuLevel::PORTABLE);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Interrupted);
        assert_eq!((out[CANCEL_INTERVAL_BYTES / 4 - 1], out[CANCEL_INTERVAL_BYTES / 4]), (-1023.0, 0.0));
    }
}
