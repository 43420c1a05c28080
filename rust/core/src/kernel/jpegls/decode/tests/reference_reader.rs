//! Reader of unstuffed bits, which are stored in reverse order of bytes.

#![allow(clippy::cast_possible_truncation, reason = "counts of bits in a word")]

use crate::kernel::jpegls::decode::LineError;
use crate::kernel::jpegls::stuffing::ZERO_BYTES;

/// Position in the bits of a segment. After the last bit follow zeros.
#[derive(Debug, Clone)]
pub(super) struct BitReader<'a> {
    data: &'a [u8],
    /// Number of bits left, including the padding of the last byte.
    position: usize,
    /// Number of bits at the start of the segment, in the same unit.
    start: usize,
    padding: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(data: &'a [u8], position: usize, bit_count: usize) -> Self {
        let start = bit_count.next_multiple_of(8);
        Self { data, position, start, padding: start - bit_count }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn bit_offset(&self) -> usize {
        self.start.saturating_sub(self.position)
    }

    /// Returns the next bits, left-aligned; at least 57 are valid.
    #[inline(always)]
    fn window(&self) -> u64 {
        let last = self.position.wrapping_sub(1);
        // The byte with the next bit is the highest of the word.
        let start = (last >> 3).wrapping_add(ZERO_BYTES - 7);
        let word = self.data.get(start..).and_then(|bytes| bytes.first_chunk::<8>());
        word.map_or(0, |word| u64::from_le_bytes(*word)).wrapping_shl(!last as u32 & 7)
    }

    /// Reads `count` bits, at most 32.
    pub(super) fn bits(&mut self, count: u32) -> Result<u32, LineError> {
        let value = self.window().checked_shr(64 - count).unwrap_or(0) as u32;
        self.skip(count as usize)?;
        Ok(value)
    }

    fn skip(&mut self, count: usize) -> Result<(), LineError> {
        match self.position.checked_sub(count) {
            Some(position) if position >= self.padding => self.position = position,
            _ => return Err(LineError::Truncated),
        }
        Ok(())
    }

    /// Reads a Golomb code (T.87 A.5.3) of at most `limit` bits.
    pub(super) fn golomb(&mut self, k: u32, limit: i32, range_bits: i32) -> Result<u32, LineError> {
        let bit_offset = self.bit_offset();
        let escape = (limit - range_bits - 1).unsigned_abs();
        let zeros = self.window().leading_zeros();
        // A window of zeros may be due to the end of the data; the longest prefix has 46 zeros.
        if zeros > escape && self.position.saturating_sub(self.padding) > zeros as usize {
            return Err(LineError::GolombCode { bit_offset });
        }
        self.skip(zeros as usize + 1)?;
        if zeros >= escape {
            return Ok(self.bits(range_bits.unsigned_abs())? + 1);
        }
        Ok((zeros << k) | self.bits(k)?)
    }
}
