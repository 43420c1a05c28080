//! Samples of one type → samples of another, with or without rescale (PS3.3 C.11.1).
//!
//! Three kinds of arithmetic, each exact where the next one would not be or as fast as memory allows:
//!
//! | samples | slope and intercept | output | computed in |
//! |---|---|---|---|
//! | any | any | float | `f64`: product rounded, sum rounded, then the output type |
//! | integer | integers, or none | integer | integers wide enough for every sample |
//! | any | any other | integer | `f64`, then checked |

mod integer;
mod sample;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

use super::cpu::dispatch;
use super::{CpuLevel, alignment_prefix};
use crate::frame::SamplesMut;
use sample::{Float, Integer};

/// Output = stored × slope + intercept, computed in `f64` and rounded once to the output type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rescale {
    /// Rescale Slope (0028,1053).
    pub slope: f64,
    /// Rescale Intercept (0028,1052).
    pub intercept: f64,
}

/// How to read the bytes of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SampleType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

impl SampleType {
    const fn sample_bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }
}

/// Converts all of `src` (samples of type `from`, native order) into `out`, of as many samples.
///
/// Without `rescale` a plain cast: one rounding to a float, and to an integer the same value.
/// With it, `y = f64(x) * slope + intercept`, two roundings as NumPy does it, then one to the output type.
/// Where slope and intercept are integers, and so are input and output, it is computed in integers.
///
/// # Errors
/// The index of the first sample whose value an integer output does not hold: no integer, out of range,
/// or no longer exact in `f64` (above 2^53). `out` holds nothing of meaning then.
pub(crate) fn convert(
    src: &[u8],
    from: SampleType,
    rescale: Option<Rescale>,
    mut out: SamplesMut<'_>,
    tier: CpuLevel,
) -> Result<(), usize> {
    if rescale.is_none() && from == out.sample_type() {
        out.bytes_mut().copy_from_slice(src);
        return Ok(());
    }
    let sample_bytes = out.sample_bytes();
    let ahead = alignment_prefix(out.bytes_mut(), sample_bytes);
    let (Some((src_head, src)), Some((head, out))) =
        (src.split_at_checked(ahead * from.sample_bytes()), out.split_at(ahead))
    else {
        return Ok(());
    };
    if ahead > 0 {
        aligned(src_head, from, rescale, head, tier)?;
    }
    aligned(src, from, rescale, out, tier).map_err(|index| ahead + index)
}

fn aligned(
    src: &[u8],
    from: SampleType,
    rescale: Option<Rescale>,
    out: SamplesMut<'_>,
    tier: CpuLevel,
) -> Result<(), usize> {
    match from {
        SampleType::U8 => from_integer::<u8>(src, rescale, out, tier),
        SampleType::I8 => from_integer::<i8>(src, rescale, out, tier),
        SampleType::U16 => from_integer::<u16>(src, rescale, out, tier),
        SampleType::I16 => from_integer::<i16>(src, rescale, out, tier),
        SampleType::U32 => from_integer::<u32>(src, rescale, out, tier),
        SampleType::I32 => from_integer::<i32>(src, rescale, out, tier),
        SampleType::U64 => from_integer::<u64>(src, rescale, out, tier),
        SampleType::I64 => from_integer::<i64>(src, rescale, out, tier),
        SampleType::F32 => from_float::<f32>(src, rescale, out, tier),
        SampleType::F64 => from_float::<f64>(src, rescale, out, tier),
    }
}

fn from_integer<S: Integer>(
    src: &[u8],
    rescale: Option<Rescale>,
    out: SamplesMut<'_>,
    tier: CpuLevel,
) -> Result<(), usize> {
    dispatch!(tier, from_integer::<S>(src, rescale, out))
}

fn from_float<S: Float>(
    src: &[u8],
    rescale: Option<Rescale>,
    out: SamplesMut<'_>,
    tier: CpuLevel,
) -> Result<(), usize> {
    dispatch!(tier, from_float::<S>(src, rescale, out))
}
