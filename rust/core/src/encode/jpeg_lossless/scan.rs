//! Differences → categories, counted; differences → codes, written.

use super::header;
use super::huffman::{CATEGORIES, Counts, Tables, extra_bits};
use super::plan::Plan;
use super::rows::Rows;
use crate::encode::PeriodicCancel;
use crate::error::Result;

/// How often each category occurs, for each component.
pub(super) fn count(recipe: &Plan<'_>, beats: &mut PeriodicCancel<'_>) -> Result<Vec<Counts>> {
    let components = usize::from(recipe.components);
    let mut counts = vec![[0; CATEGORIES]; components];
    match components {
        3 => count_lanes::<3>(recipe, beats, &mut counts)?,
        _ => count_lanes::<4>(recipe, beats, &mut counts)?,
    }
    Ok(counts)
}

/// Table entries, so many that a masked index needs no check.
const ENTRIES: usize = 32;

/// Counts in `LANES` tables, a multiple of the components, so that one count does not wait for the one before.
fn count_lanes<const LANES: usize>(
    recipe: &Plan<'_>,
    beats: &mut PeriodicCancel<'_>,
    counts: &mut [Counts],
) -> Result<()> {
    let mut lanes = [[0_u64; ENTRIES]; LANES];
    walk(recipe, beats, |_, differences| {
        let mut pixels = differences.chunks_exact(LANES);
        for pixel in pixels.by_ref() {
            for (difference, lane) in pixel.iter().zip(&mut lanes) {
                count_one(*difference, lane);
            }
        }
        for (difference, lane) in pixels.remainder().iter().zip(&mut lanes) {
            count_one(*difference, lane);
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
fn count_one(difference: u16, lane: &mut [u64; ENTRIES]) {
    let count = &mut lane[category(difference) % ENTRIES];
    *count = count.wrapping_add(1);
}

/// Bits of the magnitude, 0 to 16 (T.81 Table H.2).
#[inline]
fn category(difference: u16) -> usize {
    let magnitude = u32::from(difference.cast_signed().unsigned_abs());
    (magnitude << 1 | 1).ilog2() as usize
}

/// Hands out the differences of each row, and its index where it is the first of an interval but not of the image.
fn walk(
    recipe: &Plan<'_>,
    beats: &mut PeriodicCancel<'_>,
    mut act: impl FnMut(Option<usize>, &[u16]) -> Result<()>,
) -> Result<()> {
    let row_bytes = recipe.row_samples() * recipe.samples.sample_bytes();
    let interval_rows = recipe.interval_rows();
    let mut rows = Rows::new(recipe);
    for row in 0..usize::from(recipe.rows) {
        beats.advance(row_bytes)?;
        let first = row % interval_rows == 0;
        let interval = if first && row > 0 { Some(row / interval_rows) } else { None };
        act(interval, rows.differences(row, first)?)?;
    }
    Ok(())
}

/// Writes all entropy-coded bytes and the restart markers between them.
pub(super) fn write(
    recipe: &Plan<'_>,
    tables: &Tables,
    beats: &mut PeriodicCancel<'_>,
    out: &mut Vec<u8>,
) -> Result<()> {
    match recipe.components {
        3 => write_lanes::<3>(recipe, tables, beats, out),
        _ => write_lanes::<4>(recipe, tables, beats, out),
    }
}

fn write_lanes<const LANES: usize>(
    recipe: &Plan<'_>,
    tables: &Tables,
    beats: &mut PeriodicCancel<'_>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let components = usize::from(recipe.components);
    let lanes: [_; LANES] = std::array::from_fn(|lane| entries(tables, lane % components));
    // How many codes of the longest fit beside the bits of a byte that is not full.
    let longest = lanes.iter().flatten().map(|entry| entry.length).max().unwrap_or(0);
    let emit = match 57 / longest.max(1) {
        0..2 => emit::<LANES, 1>,
        2 => emit::<LANES, 2>,
        3 => emit::<LANES, 3>,
        _ => emit::<LANES, 4>,
    };
    let mut bits = Bits::default();
    let mut scratch = vec![0; recipe.row_samples() * 4 + 16];
    walk(recipe, beats, |interval, differences| {
        if let Some(interval) = interval {
            bits.pad(out);
            out.extend(header::restart(interval - 1));
        }
        let filled = emit(differences, &lanes, &mut bits, &mut scratch);
        stuff(scratch.get(..filled).unwrap_or_default(), out);
        Ok(())
    })?;
    bits.pad(out);
    Ok(())
}

/// A category's code with room for its extra bits behind it.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    code: u32,
    /// The extra bits.
    mask: u16,
    /// Bits of both, at most 31.
    length: u16,
}

fn entries(tables: &Tables, component: usize) -> [Entry; ENTRIES] {
    let mut entries = [Entry::default(); ENTRIES];
    if let Some(table) = tables.of_component(component) {
        for ((category, code), entry) in table.codes().iter().enumerate().zip(&mut entries) {
            let extra = extra_bits(category);
            *entry = Entry {
                code: u32::from(code.bits) << extra,
                mask: !(u16::MAX << extra),
                length: u16::try_from(code.length + extra).unwrap_or(0),
            };
        }
    }
    entries
}

/// Bits that do not fill a byte yet, in the low end of `window`; what is above them is of no meaning.
#[derive(Debug, Default)]
struct Bits {
    window: u64,
    count: u32,
}

impl Bits {
    /// Fills the last byte with ones (T.81 F.1.2.3).
    fn pad(&mut self, out: &mut Vec<u8>) {
        if self.count > 0 {
            let [last, ..] = (self.window << (64 - self.count) | u64::MAX >> self.count).to_be_bytes();
            stuff(&[last], out);
        }
        *self = Self::default();
    }
}

/// Writes the codes of a row's differences to `scratch`, which holds 31 bits for each and 16 bytes; returns how many bytes
/// are full. Bytes are written after every `BETWEEN` codes, which are at most 57 bits together, and after a pixel.
#[allow(clippy::indexing_slicing, reason = "the index is masked")]
fn emit<const LANES: usize, const BETWEEN: usize>(
    differences: &[u16],
    lanes: &[[Entry; ENTRIES]; LANES],
    bits: &mut Bits,
    scratch: &mut [u8],
) -> usize {
    let Bits { mut window, mut count } = *bits;
    let mut filled = 0_usize;
    let mut flush = |window: u64, count: &mut u32| {
        // Where nothing is new, what is written is of no meaning, and written over next.
        let bytes = window.wrapping_shl(64_u32.wrapping_sub(*count)).to_be_bytes();
        if let Some(place) = scratch.get_mut(filled..).and_then(|rest| rest.first_chunk_mut()) {
            *place = bytes;
        }
        filled = filled.wrapping_add((*count / 8) as usize);
        *count %= 8;
    };
    let append = |difference: u16, lane: &[Entry; ENTRIES], window: &mut u64, count: &mut u32| {
        let entry = lane[category(difference) % ENTRIES];
        // Negative differences are one less, so that their first extra bit is 0 (T.81 F.1.2.1.1).
        let extra = difference.wrapping_sub(difference >> 15) & entry.mask;
        *window = window.wrapping_shl(u32::from(entry.length)) | u64::from(entry.code | u32::from(extra));
        *count = count.wrapping_add(u32::from(entry.length));
    };
    let [first_lane, second_lane, third_lane, other_lanes @ ..] = &lanes[..] else { return 0 };
    let (pixels, rest) = differences.as_chunks::<LANES>();
    // One by one, because the compiler does not unroll a loop over lanes.
    for pixel in pixels {
        let [first, second, third, others @ ..] = &pixel[..] else { break };
        append(*first, first_lane, &mut window, &mut count);
        if BETWEEN == 1 {
            flush(window, &mut count);
        }
        append(*second, second_lane, &mut window, &mut count);
        if BETWEEN <= 2 {
            flush(window, &mut count);
        }
        append(*third, third_lane, &mut window, &mut count);
        if BETWEEN == 1 || BETWEEN == 3 {
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
    *bits = Bits { window, count };
    filled
}

/// Appends `bytes`, a zero after each of all ones (T.81 F.1.2.3).
fn stuff(bytes: &[u8], out: &mut Vec<u8>) {
    let (pieces, rest) = bytes.as_chunks::<16>();
    for piece in pieces {
        if any_all_ones(piece) {
            stuff_each(piece, out);
        } else {
            out.extend_from_slice(piece);
        }
    }
    stuff_each(rest, out);
}

fn stuff_each(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.push(*byte);
        if *byte == 0xFF {
            out.push(0);
        }
    }
}

/// Whether one of the bytes is 0xFF.
#[inline]
fn any_all_ones(piece: &[u8; 16]) -> bool {
    const LOW: u128 = u128::MAX / 255;
    const HIGH: u128 = LOW << 7;
    let word = u128::from_le_bytes(*piece);
    // A byte borrows here if it is zero once inverted.
    (!word).wrapping_sub(LOW) & word & HIGH != 0
}
