//! Look-up tables: index of a sample's entry, and the entries as output values.
//!
//! ```text
//! index = clamp(x - first mapped value, 0, entries - 1)      in i32 for samples of up to 16 bits, else in i128
//! y     = entries[index]
//! ```

use super::integer::{BLOCK, store};
use super::sample::Integer;
use crate::lookup_table::LookupTable;
use crate::sample::SamplesMut;

/// Magnitude of the first mapped values that `i32` indices are computed with. Others select the first or the last entry for
/// every sample of 16 bits, as the nearest such value does.
const MAX_FIRST_MAPPED: i64 = 1 << 20;

#[inline(always)]
pub(super) fn look_up<S: Integer>(src: &[u8], table: &LookupTable, out: SamplesMut<'_>) -> Result<(), usize> {
    match out {
        SamplesMut::F32(out) => copy_entries::<S, f32>(src, table, table.rounded(), out),
        SamplesMut::F64(out) => copy_entries::<S, f64>(src, table, table.entries(), out),
        integers => exact_entries::<S>(src, table, integers)?,
    }
    Ok(())
}

/// Stores the entry of each sample.
#[inline(always)]
fn copy_entries<S: Integer, T: Copy + Default>(src: &[u8], table: &LookupTable, entries: &[T], out: &mut [T]) {
    let Some(last) = entries.len().checked_sub(1) else { return };
    for (x, y) in S::all(src).zip(out) {
        // The index is clamped, so the default is never used.
        *y = entries.get(index_of(x, table.first_mapped(), last)).copied().unwrap_or_default();
    }
}

/// Stores the entry of each sample in an integer output; the error is the index of the first one that is not exact.
#[inline(always)]
fn exact_entries<S: Integer>(src: &[u8], table: &LookupTable, mut out: SamplesMut<'_>) -> Result<(), usize> {
    let mut values = [0.0; BLOCK];
    for (block, src) in src.chunks(BLOCK * S::BYTES).enumerate() {
        let start = block * BLOCK;
        let end = out.len().min(start + S::all(src).len());
        copy_entries::<S, f64>(src, table, table.entries(), &mut values);
        let Some(out) = out.window(start, end) else {
            debug_assert!(false, "the window ends within the output");
            return Err(start);
        };
        store(&values, out).map_err(|index| start + index)?;
    }
    Ok(())
}

/// Index of the entry of `x`; `last` is that of the last entry.
#[inline(always)]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "clamped before"
)]
fn index_of<S: Integer>(x: S, first_mapped: i64, last: usize) -> usize {
    if S::BYTES <= 2 {
        let first_mapped = first_mapped.clamp(-MAX_FIRST_MAPPED, MAX_FIRST_MAPPED) as i32;
        (x.widen::<i32>() - first_mapped).clamp(0, last as i32) as usize
    } else {
        (x.widen::<S::Wide>().into() - i128::from(first_mapped)).clamp(0, last as i128) as usize
    }
}
