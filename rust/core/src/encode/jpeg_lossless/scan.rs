//! Differences → categories, counted; differences → codes, written.

use super::header;
use super::huffman::{CATEGORIES, Counts, Tables, extra_bits};
use super::plan::Plan;
use super::rows::Rows;
use crate::encode::{PeriodicCancel, reserve_encoded};
use crate::error::Result;

/// Entries of a table that is indexed by category: a power of two, so that a masked index needs no check.
const ENTRIES: usize = 32;

/// Returns the number of differences of each category, for each component.
pub(super) fn count(plan: &Plan<'_>, cancel: &mut PeriodicCancel<'_>) -> Result<Vec<Counts>> {
    let components = usize::from(plan.components);
    let mut counts = vec![[0; CATEGORIES]; components];
    match components {
        3 => count_lanes::<3>(plan, cancel, &mut counts)?,
        _ => count_lanes::<4>(plan, cancel, &mut counts)?,
    }
    Ok(counts)
}

/// Counts in `LANES` tables, a multiple of the components. Consecutive differences are counted in different tables, so that
/// an increment does not depend on the one before.
fn count_lanes<const LANES: usize>(
    plan: &Plan<'_>,
    cancel: &mut PeriodicCancel<'_>,
    counts: &mut [Counts],
) -> Result<()> {
    let mut lanes = [[0_u64; ENTRIES]; LANES];
    for_each_row(plan, cancel, |_, differences| {
        let mut groups = differences.chunks_exact(LANES);
        for group in groups.by_ref() {
            for (difference, lane) in group.iter().zip(&mut lanes) {
                count_difference(*difference, lane);
            }
        }
        for (difference, lane) in groups.remainder().iter().zip(&mut lanes) {
            count_difference(*difference, lane);
        }
        Ok(())
    })?;
    let components = counts.len();
    for (index, lane) in lanes.iter().enumerate() {
        if let Some(counts) = counts.get_mut(index % components) {
            for (sum, count) in counts.iter_mut().zip(lane) {
                *sum += count;
            }
        }
    }
    Ok(())
}

#[inline]
#[allow(clippy::indexing_slicing, reason = "the index is masked")]
fn count_difference(difference: u16, lane: &mut [u64; ENTRIES]) {
    let count = &mut lane[category(difference) % ENTRIES];
    *count = count.wrapping_add(1);
}

/// Returns the category of a difference, 0 to 16: the number of bits of its magnitude (T.81 Table H.2).
#[inline]
fn category(difference: u16) -> usize {
    let magnitude = u32::from(difference.cast_signed().unsigned_abs());
    (magnitude << 1 | 1).ilog2() as usize
}

/// Calls `process` with the differences of each row. If a restart marker precedes the row, `process` gets the index of the
/// restart interval too.
fn for_each_row(
    plan: &Plan<'_>,
    cancel: &mut PeriodicCancel<'_>,
    mut process: impl FnMut(Option<usize>, &[u16]) -> Result<()>,
) -> Result<()> {
    let interval_rows = plan.interval_rows();
    let mut rows = Rows::new(plan);
    for row in 0..usize::from(plan.rows) {
        cancel.advance(plan.row_bytes)?;
        let is_first = row % interval_rows == 0;
        let interval = if is_first && row > 0 { Some(row / interval_rows) } else { None };
        process(interval, rows.differences(row, is_first)?)?;
    }
    Ok(())
}

/// Writes all entropy-coded segments and the restart markers between them.
pub(super) fn write(
    plan: &Plan<'_>,
    tables: &Tables,
    cancel: &mut PeriodicCancel<'_>,
    out: &mut Vec<u8>,
) -> Result<()> {
    match plan.components {
        3 => write_lanes::<3>(plan, tables, cancel, out),
        _ => write_lanes::<4>(plan, tables, cancel, out),
    }
}

/// Returns the maximum number of bytes of a row before stuffing: 32 bits per sample, and one store of the bit window.
pub(super) fn max_row_bytes(plan: &Plan<'_>) -> usize {
    plan.row_samples() * 4 + 16
}

/// Writes with `LANES` code tables, a multiple of the components, used cyclically.
fn write_lanes<const LANES: usize>(
    plan: &Plan<'_>,
    tables: &Tables,
    cancel: &mut PeriodicCancel<'_>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let components = usize::from(plan.components);
    let lanes: [_; LANES] = std::array::from_fn(|lane| entries(tables, lane % components));
    // The window has 64 bits, of which up to 7 are left over from the last flush.
    let max_symbol_bits = lanes.iter().flatten().map(|entry| entry.length).max().unwrap_or(0);
    let write_row = match 57 / max_symbol_bits.max(1) {
        0..2 => write_symbols::<LANES, 1>,
        2 => write_symbols::<LANES, 2>,
        3 => write_symbols::<LANES, 3>,
        _ => write_symbols::<LANES, 4>,
    };
    let mut bits = BitWriter::default();
    let mut scratch = vec![0; max_row_bytes(plan)];
    for_each_row(plan, cancel, |interval, differences| {
        if let Some(interval) = interval {
            bits.pad(out);
            out.extend(header::restart(interval - 1));
        }
        let bytes = write_row(differences, &lanes, &mut bits, &mut scratch);
        // Each byte may be followed by a stuffed one.
        reserve_encoded(out, 2 * bytes)?;
        stuff(scratch.get(..bytes).unwrap_or_default(), out);
        Ok(())
    })?;
    bits.pad(out);
    Ok(())
}

/// Code of a category, shifted left so that its extra bits can be added.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    code: u32,
    /// Mask of the extra bits.
    mask: u16,
    /// Bits of code and extra bits, at most 31.
    length: u16,
}

/// Returns the entries of a component, indexed by category.
fn entries(tables: &Tables, component: usize) -> [Entry; ENTRIES] {
    let mut entries = [Entry::default(); ENTRIES];
    if let Some(table) = tables.of_component(component) {
        for ((category, code), entry) in table.codes().iter().enumerate().zip(&mut entries) {
            let extra_bits = extra_bits(category);
            *entry = Entry {
                code: u32::from(code.bits) << extra_bits,
                mask: !(u16::MAX << extra_bits),
                length: u16::try_from(code.length + extra_bits).unwrap_or(0),
            };
        }
    }
    entries
}

/// Bits that do not fill a byte yet.
#[derive(Debug, Default)]
struct BitWriter {
    /// The bits, in the low end. The bits above them have no meaning.
    window: u64,
    /// Number of bits, 0 to 7.
    count: u32,
}

impl BitWriter {
    /// Fills the last byte with ones (T.81 F.1.2.3).
    fn pad(&mut self, out: &mut Vec<u8>) {
        if self.count > 0 {
            let [last, ..] = (self.window << (64 - self.count) | u64::MAX >> self.count).to_be_bytes();
            stuff(&[last], out);
        }
        *self = Self::default();
    }
}

/// Writes the symbols of one row to `scratch`, which has space for 31 bits per symbol and 16 bytes; returns the number of
/// complete bytes.
///
/// ```text
/// per difference: window = window << length | code | extra bits;  count += length
/// flush:          store the low `count` bits as 8 big-endian bytes, left-aligned; advance by count / 8 bytes; count %= 8
///                 (the incomplete byte is stored too, and again by the next flush)
/// flush after each pixel, and within it after every `PER_FLUSH` symbols, which are at most 57 bits
/// ```
///
/// Example: count 5, bits 10110; then a symbol of 6 bits, 001011: window …10110001011, count 11. The flush stores 10110001
/// 011…, advances by one byte, and leaves count 3.
#[allow(clippy::indexing_slicing, reason = "the index is masked")]
fn write_symbols<const LANES: usize, const PER_FLUSH: usize>(
    differences: &[u16],
    lanes: &[[Entry; ENTRIES]; LANES],
    bits: &mut BitWriter,
    scratch: &mut [u8],
) -> usize {
    let BitWriter { mut window, mut count } = *bits;
    let mut filled = 0_usize;
    let mut flush = |window: u64, count: &mut u32| {
        let bytes = window.wrapping_shl(64_u32.wrapping_sub(*count)).to_be_bytes();
        if let Some(stored) = scratch.get_mut(filled..).and_then(|rest| rest.first_chunk_mut()) {
            *stored = bytes;
        }
        filled = filled.wrapping_add((*count / 8) as usize);
        *count %= 8;
    };
    let append = |difference: u16, lane: &[Entry; ENTRIES], window: &mut u64, count: &mut u32| {
        let entry = lane[category(difference) % ENTRIES];
        // Extra bits of a negative difference are those of difference - 1, so that the first is 0 (T.81 F.1.2.1.1).
        let extra = difference.wrapping_sub(difference >> 15) & entry.mask;
        *window = window.wrapping_shl(u32::from(entry.length)) | u64::from(entry.code | u32::from(extra));
        *count = count.wrapping_add(u32::from(entry.length));
    };
    let [first_lane, second_lane, third_lane, other_lanes @ ..] = &lanes[..] else {
        debug_assert!(false, "there are 3 or 4 lanes");
        return 0;
    };
    let (groups, rest) = differences.as_chunks::<LANES>();
    // Unrolled by hand: the compiler does not unroll a loop over lanes.
    for group in groups {
        let [first, second, third, others @ ..] = &group[..] else { break };
        append(*first, first_lane, &mut window, &mut count);
        if PER_FLUSH == 1 {
            flush(window, &mut count);
        }
        append(*second, second_lane, &mut window, &mut count);
        if PER_FLUSH <= 2 {
            flush(window, &mut count);
        }
        append(*third, third_lane, &mut window, &mut count);
        if PER_FLUSH == 1 || PER_FLUSH == 3 {
            flush(window, &mut count);
        }
        for (difference, lane) in others.iter().zip(other_lanes) {
            append(*difference, lane, &mut window, &mut count);
        }
        flush(window, &mut count);
    }
    for (difference, lane) in rest.iter().zip(lanes) {
        append(*difference, lane, &mut window, &mut count);
        flush(window, &mut count);
    }
    *bits = BitWriter { window, count };
    filled
}

/// Appends `bytes`, with a 00 after each FF (T.81 F.1.2.3).
fn stuff(bytes: &[u8], out: &mut Vec<u8>) {
    let (chunks, rest) = bytes.as_chunks::<16>();
    for chunk in chunks {
        if contains_ff(chunk) {
            stuff_bytewise(chunk, out);
        } else {
            out.extend_from_slice(chunk);
        }
    }
    stuff_bytewise(rest, out);
}

fn stuff_bytewise(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.push(*byte);
        if *byte == 0xFF {
            out.push(0);
        }
    }
}

/// True if one of the bytes is FF.
#[inline]
fn contains_ff(chunk: &[u8; 16]) -> bool {
    const LOW_BITS: u128 = u128::MAX / 255;
    const HIGH_BITS: u128 = LOW_BITS << 7;
    let word = u128::from_le_bytes(*chunk);
    // Subtracting 1 from each inverted byte borrows if the byte is 0.
    (!word).wrapping_sub(LOW_BITS) & word & HIGH_BITS != 0
}
