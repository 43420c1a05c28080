//! Portable body, which `x86.rs` compiles for AVX2 and BMI2.

#![allow(clippy::cast_possible_truncation, reason = "samples have at most 16 bits")]

use super::bits::Bits;
use super::codes::code_at;
use super::constants::Constants;
use super::gradients::{Column, ColumnTable, quantize_row};
use super::run::{fill, interruption, run_length};
use super::{Errors, Gradients, Line, LineError, RowAhead};
use crate::kernel::jpegls::context_table::{Coder, ContextTable, adapt};

/// Bits of a window that may be used before a code that is decoded from the rest: a window has 57 bits, and a code of 8-bit
/// samples up to 22 zeros, a 1 and 15 bits.
const MAX_USED_BITS: isize = 57 - 22 - 1 - 15;

pub(super) fn prepare(table: &ColumnTable, above: &[u16], stride: usize, ahead: RowAhead<'_>) {
    quantize_row(table, above, stride, ahead);
}

pub(super) fn line<E: Errors, G: Gradients>(line: Line<'_>) -> Result<(isize, u8), LineError> {
    decode_samples::<E, G>(line)
}

pub(super) fn pixels<E: Errors, G: Gradients, const N: usize>(line: Line<'_>) -> Result<(isize, u8), LineError> {
    decode_pixels::<E, G, N>(line)
}

/// Decodes the line of one component; returns the bit after it, and the run index.
#[inline(always)]
pub(super) fn decode_samples<E: Errors, G: Gradients>(line: Line<'_>) -> Result<(isize, u8), LineError> {
    let Line { constants, bits, columns, contexts, run_contexts, above, current, rows, offsets, .. } = line;
    let (mut next, mut run_index) = (line.next, line.run_index);
    let width = rows.len();
    let (Some((first_above, above)), Some((left, current))) = (above.split_first(), current.split_first_mut()) else {
        return Ok((next, run_index));
    };
    let (Some(above), Some(offsets), Some(current)) =
        (above.get(..width), offsets.get(..width), current.get_mut(..width))
    else {
        return Ok((next, run_index));
    };
    let (mut a, mut c) = (i32::from(*left), i32::from(*first_above));
    // Offset of the column of c - a for a = 0, known before a.
    let mut origin = offsets.first().map_or(0, |offset| i32::from(*offset)).wrapping_add(c);
    let mut x = 0;
    while let (Some(sample_above), Some(row), Some(offset)) = (above.get(x), rows.get(x), offsets.get(x)) {
        let mut b = i32::from(*sample_above);
        let column = columns.at::<G>(origin, *offset, c, a);
        if column.is_zero() {
            let length;
            (next, length, run_index) = run_length(bits, next, run_index, width.wrapping_sub(x))?;
            let run_end = x.wrapping_add(length);
            fill(current, x, length, a as u16);
            let Some(sample_above) = above.get(run_end) else { break };
            x = run_end;
            b = i32::from(*sample_above);
            let is_similar = a.wrapping_sub(b).abs() <= constants.near;
            (next, a) = interruption(bits, next, constants, run_contexts, run_index, [a, b], is_similar)?;
            run_index = run_index.saturating_sub(1);
        } else {
            let mut cursor = Cursor::new(bits, next);
            a = regular::<E>(bits, &mut cursor, constants, contexts, *row, column, [a, b, c])?;
            next = cursor.next;
        }
        if let Some(sample) = current.get_mut(x) {
            *sample = a as u16;
        }
        c = b;
        x += 1;
        origin = offsets.get(x).map_or(0, |offset| i32::from(*offset)).wrapping_add(c);
    }
    if bits.contains(next) { Ok((next, run_index)) } else { Err(LineError::Truncated) }
}

/// Decodes the line of `N` components, pixel by pixel; returns the bit after it, and the run index.
#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "i < N; iterators were not unrolled and took 1.3 times as long")]
pub(super) fn decode_pixels<E: Errors, G: Gradients, const N: usize>(line: Line<'_>) -> Result<(isize, u8), LineError> {
    let Line { constants, bits, columns, contexts, run_contexts, above, current, rows, offsets, .. } = line;
    let byte_columns = columns.byte_columns();
    let (mut next, mut run_index) = (line.next, line.run_index);
    let (rows, offsets) = (rows.as_chunks::<N>().0, offsets.as_chunks::<N>().0);
    let (above, current) = (above.as_chunks::<N>().0, current.as_chunks_mut::<N>().0);
    let width = rows.len();
    let (Some((first_above, above)), Some((left, current))) = (above.split_first(), current.split_first_mut()) else {
        return Ok((next, run_index));
    };
    let (Some(above), Some(offsets), Some(current)) =
        (above.get(..width), offsets.get(..width), current.get_mut(..width))
    else {
        return Ok((next, run_index));
    };
    let (mut a, mut c) = (left.map(i32::from), first_above.map(i32::from));
    let mut x = 0;
    while let (Some(pixel_above), Some(rows), Some(offsets)) = (above.get(x), rows.get(x), offsets.get(x)) {
        let mut b = pixel_above.map(i32::from);
        let pixel_columns: [Column; N] = std::array::from_fn(|i| {
            let origin = i32::from(offsets[i]).wrapping_add(c[i]);
            if E::BYTES { byte_columns.at(origin, a[i]) } else { columns.at::<G>(origin, offsets[i], c[i], a[i]) }
        });
        if pixel_columns.iter().all(|column| column.is_zero()) {
            let length;
            (next, length, run_index) = run_length(bits, next, run_index, width.wrapping_sub(x))?;
            let run_end = x.wrapping_add(length);
            fill(current, x, length, a.map(|sample| sample as u16));
            let Some(pixel_above) = above.get(run_end) else { break };
            x = run_end;
            b = pixel_above.map(i32::from);
            for i in 0..N {
                // The neighbours count as different, even if they are equal.
                let neighbours = [a[i], b[i]];
                (next, a[i]) = interruption(bits, next, constants, run_contexts, run_index, neighbours, false)?;
            }
            run_index = run_index.saturating_sub(1);
        } else {
            let mut cursor = Cursor::new(bits, next);
            // A loop is not unrolled: its state is in memory, and takes 1.1 times as long.
            macro_rules! unrolled {
                ($($i:literal),*) => {$(
                    if $i < N {
                        if $i > 0 && (!E::BYTES || next.wrapping_sub(cursor.next) > MAX_USED_BITS) {
                            cursor = Cursor::new(bits, cursor.next);
                        }
                        let (row, column, neighbours) = (rows[$i], pixel_columns[$i], [a[$i], b[$i], c[$i]]);
                        a[$i] = regular::<E>(bits, &mut cursor, constants, contexts, row, column, neighbours)?;
                    }
                )*};
            }
            unrolled!(0, 1, 2, 3);
            next = cursor.next;
        }
        if let Some(pixel) = current.get_mut(x) {
            *pixel = a.map(|sample| sample as u16);
        }
        c = b;
        x += 1;
    }
    if bits.contains(next) { Ok((next, run_index)) } else { Err(LineError::Truncated) }
}

/// Position in the bits of a segment, with the bits from there on.
struct Cursor {
    /// Number of the next bit.
    next: isize,
    /// The next bits, left-aligned.
    window: u64,
}

impl Cursor {
    #[inline(always)]
    fn new(bits: &Bits<'_>, next: isize) -> Self {
        Self { next, window: bits.window(next) }
    }

    #[inline(always)]
    fn advance(&mut self, bit_count: u32) {
        self.next = self.next.wrapping_sub((bit_count as usize).cast_signed());
        self.window = self.window.wrapping_shl(bit_count);
    }
}

/// Decodes a sample in regular mode, with the neighbours a, b and c, and advances `cursor`.
///
/// The next sample cannot start before this one is known:
///
/// ```text
/// a ─► column ─► context ─► k ─► mapped value ─► error ┐
///                         └ C ─► prediction ───────────┴► sample, the next a
/// ```
///
/// Even so, the number of instructions limits the speed (140 per sample, 4.5 per cycle), not this chain. `signed` is the error
/// with the sign of the context, less 1 if the sign is negative; the prediction is corrected by as much.
#[inline(always)]
fn regular<E: Errors>(
    bits: &Bits<'_>,
    cursor: &mut Cursor,
    constants: &Constants,
    contexts: &mut ContextTable,
    row: u16,
    column: Column,
    neighbours: [i32; 3],
) -> Result<i32, LineError> {
    let [a, b, c] = neighbours;
    let start = cursor.next;
    let max_value = constants.max_value::<E>();
    let (coder, sums) = contexts.at(row, column.column);
    let sign = i32::from(column.sign);
    let median = a.wrapping_add(b).wrapping_sub(c).min(a.max(b)).max(a.min(b));
    let prediction = (i32::from(coder.correction) ^ sign).wrapping_add(median.wrapping_sub(sign));
    let prediction = prediction.max(0).min(max_value);
    let (error, magnitude);
    let code = code_at(coder.first_code, cursor.window);
    if E::BYTES && code.length > 0 {
        cursor.advance(code.length.into());
        (error, magnitude) = (i32::from(code.error), u32::from(code.magnitude));
    } else {
        let mapped = mapped_value::<E>(bits, cursor, constants, coder)?;
        let mapped = if E::LOSSLESS { mapped ^ u32::from(coder.inversion) } else { mapped };
        let odd = (mapped & 1).wrapping_neg().cast_signed();
        let half = (mapped >> 1).cast_signed();
        (error, magnitude) = (half ^ odd, half.wrapping_sub(odd).cast_unsigned());
    }
    let signed = error ^ sign;
    let sample = if E::MODULAR {
        signed.wrapping_add(prediction.wrapping_sub(sign)) & max_value
    } else {
        let step = if E::LOSSLESS { 1 } else { constants.step };
        constants.wrap(signed.wrapping_sub(sign).wrapping_mul(step).wrapping_add(prediction))
    };
    let bias = if E::LOSSLESS { error } else { error.wrapping_mul(constants.step) };
    if !adapt(coder, sums, bias, magnitude, constants.reset, E::LOSSLESS) {
        return Err(bits.error(start, |bit_offset| LineError::Context { bit_offset }));
    }
    Ok(sample)
}

/// Decodes a Golomb code, and advances `cursor`.
#[inline(always)]
fn mapped_value<E: Errors>(
    bits: &Bits<'_>,
    cursor: &mut Cursor,
    constants: &Constants,
    coder: &Coder,
) -> Result<u32, LineError> {
    let k = u32::from(coder.k);
    let zeros = cursor.window.leading_zeros();
    if zeros < constants.max_zeros::<E>() {
        // The suffix begins with the 1 that ends the zeros.
        let suffix = cursor.window.wrapping_shl(zeros).wrapping_shr(coder.suffix_shift.into()) as u32;
        cursor.advance(zeros.wrapping_add(k).wrapping_add(1));
        return Ok(zeros.wrapping_sub(1).wrapping_shl(k).wrapping_add(suffix));
    }
    let (mapped, next) = bits.long_golomb(cursor.next, k, constants.limit, constants.range_bits)?;
    *cursor = Cursor::new(bits, next);
    Ok(mapped)
}
