//! Conversion of samples from one type to another, with or without rescale (PS3.3 C.11.1).
//!
//! | input | slope and intercept | output | computed in |
//! |---|---|---|---|
//! | any | any | float | `f64`: rounds the product, then the sum, then to the output type, as NumPy does |
//! | integer | integers, or no rescale | integer | an integer type in which no sample overflows: exact |
//! | any | all others | integer | `f64`, then checked that the result is an exact integer of the output type |
//!
//! A look-up table replaces slope and intercept: each sample becomes an entry of it (`lookup`). Ranges have a slope and
//! intercept, or entries, each (`ranges`).
//!
//! `f32` arithmetic replaces `f64` if no operation rounds (`scalar::is_exact_in_f32`): so for CT images with
//! slope 1 and intercept -1024. A vector then holds twice as many samples.

mod integer;
mod lookup;
mod ranges;
pub(super) mod sample;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

use super::cpu::dispatch;
use super::{CpuLevel, alignment_prefix};
use crate::lookup_table::{LookupTable, ValueTransform};
use crate::sample::{Rescale, SampleType, SamplesMut};
use crate::value_ranges::{RangeValues, ValueRange, ValueRanges};
use sample::{Float, Integer};

/// Calls a function with the integer type of the samples as its type argument. The caller gives the arms of the float types.
macro_rules! match_sample_type {
    ($from:expr, $function:ident $arguments:tt, $($floats:pat => $result:expr),+ $(,)?) => {
        match $from {
            SampleType::U8 => $function::<u8> $arguments,
            SampleType::I8 => $function::<i8> $arguments,
            SampleType::U16 => $function::<u16> $arguments,
            SampleType::I16 => $function::<i16> $arguments,
            SampleType::U32 => $function::<u32> $arguments,
            SampleType::I32 => $function::<i32> $arguments,
            SampleType::U64 => $function::<u64> $arguments,
            SampleType::I64 => $function::<i64> $arguments,
            $($floats => $result),+
        }
    };
}
pub(super) use match_sample_type;

/// Converts all samples of `src`, which are of type `from` in native byte order, into `out`.
///
/// `src.len() == out.len() * from.bytes()`.
///
/// Without `transform` a float output is rounded once, and an integer output has the same value. With a linear one,
/// `y = f64(x) * slope + intercept` is rounded as the module describes. With a table, `y` is the sample's entry, and `from`
/// is an integer type. With ranges, `y` is computed in `f64` and rounded once; it is NaN for a sample in no range.
///
/// # Errors
/// The index of the first sample that an integer output cannot hold exactly: its value is NaN, is not an integer, is out
/// of range, or is above 2^53 in `f64`. The content of `out` is undefined then.
pub(crate) fn convert(
    src: &[u8],
    from: SampleType,
    transform: Option<ValueTransform<'_>>,
    mut out: SamplesMut<'_>,
    level: CpuLevel,
) -> Result<(), usize> {
    let rescale = match transform {
        None => None,
        Some(ValueTransform::Linear(rescale)) => Some(rescale),
        Some(ValueTransform::Table(table)) => return look_up(src, from, table, out, level),
        Some(ValueTransform::Ranges(ranges)) => match whole_range(ranges, from) {
            Some(rescale) => Some(rescale),
            None => return map_ranges(src, from, ranges, out, level),
        },
    };
    if rescale.is_none() && from == out.sample_type() {
        out.bytes_mut().copy_from_slice(src);
        return Ok(());
    }
    let sample_bytes = out.sample_bytes();
    let prefix = alignment_prefix(out.bytes_mut(), sample_bytes);
    let (Some((src_head, src)), Some((head, out))) =
        (src.split_at_checked(prefix * from.bytes()), out.split_at(prefix))
    else {
        debug_assert!(false, "input and output have equal numbers of samples");
        return Err(0);
    };
    if prefix > 0 {
        convert_aligned(src_head, from, rescale, head, level)?;
    }
    convert_aligned(src, from, rescale, out, level).map_err(|index| prefix + index)
}

/// Converts into an output of any alignment; [`convert`] makes it 32-byte aligned if it can.
fn convert_aligned(
    src: &[u8],
    from: SampleType,
    rescale: Option<Rescale>,
    out: SamplesMut<'_>,
    level: CpuLevel,
) -> Result<(), usize> {
    match_sample_type!(from, from_integer(src, rescale, out, level),
        SampleType::F32 => from_float::<f32>(src, rescale, out, level),
        SampleType::F64 => from_float::<f64>(src, rescale, out, level),
    )
}

fn from_integer<S: Integer>(
    src: &[u8],
    rescale: Option<Rescale>,
    out: SamplesMut<'_>,
    level: CpuLevel,
) -> Result<(), usize> {
    dispatch!(level, from_integer::<S>(src, rescale, out))
}

fn from_float<S: Float>(
    src: &[u8],
    rescale: Option<Rescale>,
    out: SamplesMut<'_>,
    level: CpuLevel,
) -> Result<(), usize> {
    dispatch!(level, from_float::<S>(src, rescale, out))
}

/// Returns slope and intercept if a single range covers all values of an integer type of up to 32 bits.
fn whole_range(ranges: &ValueRanges, from: SampleType) -> Option<Rescale> {
    let &[ValueRange { first, last, values: RangeValues::Linear(rescale) }] = ranges.ranges() else { return None };
    let (min, max) = match from {
        SampleType::U8 => (0.0, f64::from(u8::MAX)),
        SampleType::I8 => (f64::from(i8::MIN), f64::from(i8::MAX)),
        SampleType::U16 => (0.0, f64::from(u16::MAX)),
        SampleType::I16 => (f64::from(i16::MIN), f64::from(i16::MAX)),
        SampleType::U32 => (0.0, f64::from(u32::MAX)),
        SampleType::I32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
        SampleType::U64 | SampleType::I64 | SampleType::F32 | SampleType::F64 => return None,
    };
    (first <= min && last >= max).then_some(rescale)
}

/// Replaces each sample by its real-world value.
fn map_ranges(
    src: &[u8],
    from: SampleType,
    ranges: &ValueRanges,
    out: SamplesMut<'_>,
    level: CpuLevel,
) -> Result<(), usize> {
    match_sample_type!(from, map_integers(src, ranges, out, level),
        SampleType::F32 => map_floats::<f32>(src, ranges, out, level),
        SampleType::F64 => map_floats::<f64>(src, ranges, out, level),
    )
}

fn map_integers<S: Integer>(
    src: &[u8],
    ranges: &ValueRanges,
    out: SamplesMut<'_>,
    level: CpuLevel,
) -> Result<(), usize> {
    dispatch!(level, map_integers::<S>(src, ranges, out))
}

fn map_floats<S: Float>(src: &[u8], ranges: &ValueRanges, out: SamplesMut<'_>, level: CpuLevel) -> Result<(), usize> {
    dispatch!(level, map_floats::<S>(src, ranges, out))
}

/// Replaces each sample by its entry in `table`.
fn look_up(
    src: &[u8],
    from: SampleType,
    table: &LookupTable,
    out: SamplesMut<'_>,
    level: CpuLevel,
) -> Result<(), usize> {
    match_sample_type!(from, look_up_integers(src, table, out, level),
        SampleType::F32 | SampleType::F64 => {
            debug_assert!(false, "the output stage refuses a look-up table for float samples");
            Err(0)
        }
    )
}

fn look_up_integers<S: Integer>(
    src: &[u8],
    table: &LookupTable,
    out: SamplesMut<'_>,
    level: CpuLevel,
) -> Result<(), usize> {
    dispatch!(level, look_up::<S>(src, table, out))
}
