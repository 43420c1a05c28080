//! Bits of a segment, which [`super::super::unstuff`] stored in reverse order of bytes.
//!
//! The bits are numbered downwards: `next` is the number of the next bit, and the last bit of the last byte has number 0.
//! The byte of bit n is byte n / 8 after the zero bytes, and the word that ends with this byte has the next 57 or more bits
//! at its upper end.

#![allow(clippy::cast_possible_truncation, reason = "counts of bits in a word")]

use super::LineError;
use crate::kernel::jpegls::stuffing::ZERO_BYTES;

/// Bits of a segment. Positions in them are passed and returned by value, so that they stay in registers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    /// Number of bits in the segment.
    count: usize,
    /// Number of unused bits in the last byte.
    padding: isize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8], count: usize) -> Self {
        Self { data, count, padding: (count.wrapping_neg() % 8).cast_signed() }
    }

    /// Returns the number of the first bit.
    pub(super) fn first(&self) -> isize {
        self.count.cast_signed().wrapping_add(self.padding).wrapping_sub(1)
    }

    /// Returns the number of bits before the bit `next`.
    pub(super) fn offset(&self, next: isize) -> usize {
        self.first().wrapping_sub(next).cast_unsigned()
    }

    /// True if the bits before `next` are all in the segment.
    #[inline(always)]
    pub(super) fn contains(&self, next: isize) -> bool {
        next.wrapping_add(1) >= self.padding
    }

    /// Returns the bits from `next` on, left-aligned: 57 at least. Zeros follow the last bit.
    #[inline(always)]
    pub(super) fn window(&self, next: isize) -> u64 {
        // After the last bit `next` is negative, and the index beyond all data.
        let start = (next.cast_unsigned() >> 3) + (ZERO_BYTES - 7);
        let word = self.data.get(start..start + 8).and_then(|bytes| bytes.first_chunk::<8>());
        word.map_or(0, |word| u64::from_le_bytes(*word)).wrapping_shl(!next as u32 & 7)
    }

    /// Returns the error of a code at the bit `next`: that the segment ends before it, or `error`.
    #[cold]
    #[inline(never)]
    pub(super) fn error(&self, next: isize, error: impl FnOnce(usize) -> LineError) -> LineError {
        if self.contains(next) { error(self.offset(next)) } else { LineError::Truncated }
    }

    /// Decodes a Golomb code with at least `min_zeros` zeros; returns its value and the bit after it.
    #[cold]
    #[inline(never)]
    pub(super) fn long_golomb(
        &self,
        next: isize,
        k: u32,
        limit: i32,
        range_bits: i32,
    ) -> Result<(u32, isize), LineError> {
        let escape = limit.wrapping_sub(range_bits).wrapping_sub(1).cast_unsigned();
        let zeros = self.window(next).leading_zeros();
        let after = next.wrapping_sub((zeros as usize).cast_signed());
        // Zeros at the end may be due to the end of the data.
        if !self.contains(after.wrapping_sub(1)) {
            return Err(LineError::Truncated);
        }
        if zeros > escape {
            return Err(self.error(next, |bit_offset| LineError::GolombCode { bit_offset }));
        }
        let (bits, base) = if zeros == escape { (range_bits.cast_unsigned(), 1) } else { (k, zeros.wrapping_shl(k)) };
        let after = after.wrapping_sub(1);
        let value = (self.window(after) >> 1).wrapping_shr(63 - (bits & 31)) as u32;
        Ok((base.wrapping_add(value), after.wrapping_sub((bits as usize).cast_signed())))
    }
}
