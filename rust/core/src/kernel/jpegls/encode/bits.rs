//! Writes codes as bits, without stuffing; [`super::stuffing`] inserts the stuffed bits afterwards.
//!
//! ```text
//! per code:  window = window << length | code
//!            store the last (count % 8) + length bits of the window as 8 big-endian bytes, left-aligned, at byte count / 8
//!            count += length
//! ```
//!
//! The incomplete byte is stored too, and again with the next code. Example: count 13, the last 5 bits 10110; then a code
//! of 6 bits, 001011: window …10110001011. Stores 10110001 011… at byte 1; count 19.

/// Most bits of a code that one call appends: 64 less the 7 that may be left over.
const MAX_CODE_BITS: u32 = 57;

/// Number of bits written, and the last of them. Passed by value, so that loops have it in registers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BitPosition {
    /// The last bits, in the low end.
    window: u64,
    /// Number of bits in the buffer.
    count: usize,
}

impl BitPosition {
    /// Number of bits in the buffer.
    pub(super) const fn count(self) -> usize {
        self.count
    }

    /// Returns the position after the caller has removed `bytes` complete bytes from the start of the buffer.
    pub(super) const fn removed(self, bytes: usize) -> Self {
        Self { count: self.count.saturating_sub(8 * bytes), ..self }
    }

    /// Appends the low `length` bits of `code`, 0 to 57; the bits above them are 0. `buffer` has 8 bytes of space.
    #[inline(always)]
    pub(super) fn append(self, code: u64, length: u32, buffer: &mut [u8]) -> Self {
        debug_assert!(length <= MAX_CODE_BITS && code.wrapping_shr(length) == 0);
        let window = self.window.wrapping_shl(length) | code;
        #[allow(clippy::cast_possible_truncation, reason = "the low bits are used")]
        let incomplete_bits = (self.count % 8) as u32;
        let stored = window.wrapping_shl(incomplete_bits.wrapping_add(length).wrapping_neg()).to_be_bytes();
        let start = self.count / 8;
        match buffer.get_mut(start..start.wrapping_add(8)).and_then(|bytes| bytes.first_chunk_mut()) {
            Some(bytes) => *bytes = stored,
            None => debug_assert!(false, "the buffer has space for all codes of a line"),
        }
        Self { window, count: self.count.wrapping_add(length as usize) }
    }

    /// Appends `count` zeros.
    pub(super) fn append_zeros(mut self, count: u32, buffer: &mut [u8]) -> Self {
        for _ in 0..count / 32 {
            self = self.append(0, 32, buffer);
        }
        self.append(0, count % 32, buffer)
    }
}
