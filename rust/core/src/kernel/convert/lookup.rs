//! Look-up tables: index of each sample's entry, and the entries as output values.
//!
//! ```text
//! for each block of samples, which stays in the L1 cache:
//!     indices = clamp(x - first mapped value, 0, entries - 1)         u16; vector instructions for samples of up to 16 bits
//!     for each group of 4 indices, loaded as one u64:
//!         y = table[(group >> 16 × position) & mask]                  mask = length of the table - 1, a power of two - 1
//! ```
//!
//! Samples of up to 16 bits are counted from the smallest value of their type. Example: i16, first mapped value -3, 10 entries:
//!
//! ```text
//! from_min = x + 32 768            0 to 65 535
//! index    = min(max(from_min - skipped, 0), range) + start         skipped 32 765, range 9, start 0
//! ```
//!
//! `start` is not 0 only if the table starts before the smallest value: u8, first mapped value -3, 10 entries: skipped 0,
//! range 6, start 3.
//!
//! The mask makes every index valid without a check. It also cuts the index out of its group, so it costs nothing:
//! 262 144 samples of 12 bits take 85 µs, with indices loaded one by one 173 µs, with a check of each index 155 µs, with AVX2
//! gathers 125 µs (AMD Zen 4, one thread).

use super::integer::{BLOCK, store};
use super::sample::Integer;
use crate::lookup_table::LookupTable;
use crate::sample::SamplesMut;

/// Indices that are loaded at a time.
const GROUP: usize = 4;

#[inline(always)]
pub(super) fn look_up<S: Integer>(src: &[u8], table: &LookupTable, mut out: SamplesMut<'_>) -> Result<(), usize> {
    let range = IndexRange::new::<S>(table);
    let mut indices = [0; BLOCK];
    for (block, src) in src.chunks(BLOCK * S::BYTES).enumerate() {
        let start = block * BLOCK;
        let end = out.len().min(start + S::all(src).len());
        range.indices_of::<S>(src, &mut indices);
        let Some(mut out) = out.window(start, end) else {
            debug_assert!(false, "the window ends within the output");
            return Err(start);
        };
        match &mut out {
            SamplesMut::F32(out) => copy_entries(&indices, table.padded(), out, |entry| entry),
            SamplesMut::F64(out) => copy_entries(&indices, table.padded(), out, f64::from),
            _ => {
                let mut values = [0.0; BLOCK];
                copy_entries(&indices, table.padded(), &mut values, f64::from);
                store(&values, out).map_err(|index| start + index)?;
            }
        }
    }
    Ok(())
}

/// Stores the entries with the first `out.len()` of `indices`. The length of `padded` is a power of two up to 2^16.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "masked to fewer bits")]
fn copy_entries<T>(indices: &[u16; BLOCK], padded: &[f32], out: &mut [T], convert: impl Fn(f32) -> T + Copy) {
    debug_assert!(padded.len().is_power_of_two() && padded.len() <= 1 << 16, "padded by LookupTable");
    let Some(mask) = padded.len().checked_sub(1) else { return };
    // An index up to `mask` is valid, so the default is never used and the compiler removes it.
    let entry = |bits: u64| convert(padded.get(bits as usize & mask).copied().unwrap_or_default());
    let (groups, _) = indices.as_chunks::<GROUP>();
    let (out_groups, out_rest) = out.as_chunks_mut::<GROUP>();
    let group_count = out_groups.len();
    for (group, y) in groups.iter().zip(out_groups) {
        let group: u64 = bytemuck::cast(*group);
        *y = [entry(group), entry(group >> 16), entry(group >> 32), entry(group >> 48)];
    }
    for (index, y) in indices.iter().skip(group_count * GROUP).zip(out_rest) {
        *y = entry(u64::from(*index));
    }
}

/// Conversion of samples of one type to indices of entries.
#[derive(Clone, Copy)]
struct IndexRange {
    first_mapped: i64,
    /// Index of the last entry.
    last: u16,
    /// Values of the type before the first mapped one; 0 if the table starts before the smallest value.
    skipped: u16,
    /// Index of the smallest value of the type; 0 if the table starts after it.
    start: u16,
}

impl IndexRange {
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    fn new<S: Integer>(table: &LookupTable) -> Self {
        let first_mapped = table.first_mapped();
        let last = table.entries().len().saturating_sub(1).min(usize::from(u16::MAX)) as u16;
        let skipped = i128::from(first_mapped) - S::MIN;
        Self {
            first_mapped,
            last,
            skipped: skipped.clamp(0, u16::MAX.into()) as u16,
            start: (-skipped).clamp(0, last.into()) as u16,
        }
    }

    /// Writes the index of each sample of `src`, up to the length of `indices`.
    #[inline(always)]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        reason = "clamped, or the distance of two values of at most 16 bits"
    )]
    fn indices_of<S: Integer>(self, src: &[u8], indices: &mut [u16; BLOCK]) {
        let Self { first_mapped, last, skipped, start } = self;
        let samples = S::all(src).zip(indices);
        if S::BYTES <= 2 {
            let range = last - start;
            for (x, index) in samples {
                // Neither overflows; checks would prevent vector instructions.
                let from_min = x.widen::<i32>().wrapping_sub(S::MIN as i32) as u16;
                *index = from_min.saturating_sub(skipped).min(range).wrapping_add(start);
            }
        } else {
            for (x, index) in samples {
                *index = (x.widen::<S::Wide>().into() - i128::from(first_mapped)).clamp(0, last.into()) as u16;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::CpuLevel;
    use crate::kernel::convert::convert;
    use crate::lookup_table::{LookupTable, ValueTransform};
    use crate::sample::{SampleType, SamplesMut};
    use crate::testing::miri_or;
    use proptest::prelude::*;

    /// Integer types with their size in bytes and range.
    const TYPES: [(SampleType, usize, i128, i128); 8] = [
        (SampleType::U8, 1, 0, 0xFF),
        (SampleType::I8, 1, -0x80, 0x7F),
        (SampleType::U16, 2, 0, 0xFFFF),
        (SampleType::I16, 2, -0x8000, 0x7FFF),
        (SampleType::U32, 4, 0, u32::MAX as i128),
        (SampleType::I32, 4, i32::MIN as i128, i32::MAX as i128),
        (SampleType::U64, 8, 0, u64::MAX as i128),
        (SampleType::I64, 8, i64::MIN as i128, i64::MAX as i128),
    ];

    /// Reference: one sample at a time, as PS3.3 C.11.1.1.1 defines it.
    fn entry(x: i128, first_mapped: i64, entries: &[u16]) -> u16 {
        let index = (x - i128::from(first_mapped)).clamp(0, entries.len() as i128 - 1);
        entries[usize::try_from(index).unwrap()]
    }

    fn check(from: (SampleType, usize, i128, i128), samples: &[i128], first_mapped: i64, entries: &[u16]) {
        let (sample_type, sample_bytes, ..) = from;
        let table = LookupTable::new(first_mapped, entries.iter().copied()).unwrap();
        let transform = Some(ValueTransform::Table(&table));
        // Unaligned by one byte: kernels may not assume more.
        let mut src = vec![0];
        src.extend(samples.iter().flat_map(|x| x.to_le_bytes().into_iter().take(sample_bytes)));
        let expected: Vec<u16> = samples.iter().map(|x| entry(*x, first_mapped, entries)).collect();
        let inexact = expected.iter().position(|entry| *entry > 0xFF);
        for level in CpuLevel::available() {
            let case = format!("{sample_type:?} from {first_mapped}, {} entries, {}", entries.len(), level.name());
            let mut floats = vec![f32::NAN; samples.len()];
            convert(&src[1..], sample_type, transform, SamplesMut::F32(&mut floats), level).unwrap();
            assert!(floats.iter().zip(&expected).all(|(y, entry)| *y == f32::from(*entry)), "f32: {case}");
            let mut doubles = vec![f64::NAN; samples.len()];
            convert(&src[1..], sample_type, transform, SamplesMut::F64(&mut doubles), level).unwrap();
            assert!(doubles.iter().zip(&expected).all(|(y, entry)| *y == f64::from(*entry)), "f64: {case}");
            let mut words = vec![0xA5A5; samples.len()];
            convert(&src[1..], sample_type, transform, SamplesMut::U16(&mut words), level).unwrap();
            assert_eq!(words, expected, "u16: {case}");
            let mut bytes = vec![0; samples.len()];
            let result = convert(&src[1..], sample_type, transform, SamplesMut::U8(&mut bytes), level);
            assert_eq!(result, inexact.map_or(Ok(()), Err), "u8: {case}");
        }
    }

    /// Samples around `center` within a range.
    fn around(center: i128, min: i128, max: i128) -> impl Iterator<Item = i128> {
        (center - 3..=center + 3).filter(move |x| (min..=max).contains(x))
    }

    #[test]
    fn look_up_at_both_ends_of_the_table_equals_reference() {
        let firsts = [i64::MIN, -70_000, -40_000, -32_768, -200, -128, -3, 0, 100, 127, 255, 32_767, 65_535, i64::MAX];
        for from in TYPES {
            let (_, _, min, max) = from;
            for first_mapped in firsts {
                for count in [1, 2, 3, 5, 100, 256, 4097, 65_536].into_iter().step_by(miri_or(1, 3)) {
                    let entries: Vec<u16> =
                        (0..count).map(|index: u32| u16::try_from(index % 65_521).unwrap_or_default()).collect();
                    let first = i128::from(first_mapped);
                    let centers = [first, first + i128::from(count), min, max, 0];
                    let samples: Vec<i128> = centers.into_iter().flat_map(|center| around(center, min, max)).collect();
                    check(from, &samples, first_mapped, &entries);
                }
            }
        }
    }

    #[test]
    fn look_up_every_16_bit_sample_equals_reference() {
        let entries: Vec<u16> = (0..=u16::MAX).rev().collect();
        for from in [TYPES[2], TYPES[3]] {
            let samples: Vec<i128> = (from.2..=from.3).step_by(miri_or(1, 4_999)).collect();
            check(from, &samples, -32_768, &entries);
            check(from, &samples, 1000, &entries[..4095]);
        }
    }

    #[test]
    fn look_up_without_samples_stores_nothing() {
        check(TYPES[2], &[], 0, &[1]);
    }

    proptest! {
        #[test]
        fn look_up_random_samples_equals_reference(
            raw in prop::collection::vec(any::<u64>(), 0..2100),
            from in prop::sample::select(TYPES.to_vec()),
            first_mapped in prop_oneof![any::<i64>(), -70_000_i64..70_000, -300_i64..300],
            entries in prop::collection::vec(any::<u16>(), 1..600),
        ) {
            let (_, sample_bytes, min, _) = from;
            let sample = |raw| min + i128::from(raw & (u64::MAX >> (64 - sample_bytes * 8)));
            let samples: Vec<i128> = raw.into_iter().map(sample).collect();
            check(from, &samples, first_mapped, &entries);
        }
    }
}
