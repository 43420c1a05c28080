//! The lanes of the kernels for x86-64-v3 and above: windows, and staged probes. [`super::x86`] has the layout.

#![allow(clippy::indexing_slicing, reason = "lanes and probes count up to the lengths of their arrays")]
#![allow(clippy::cast_possible_truncation, reason = "bit offsets are those of a slice")]

use super::task::window_at;
use super::{MAX_WINDOW_BITS, PAIR, SENTINEL};

/// Maximum number of tasks in lock-step. Each needs a register for its window. More tasks hide more latency: one frame in six
/// chunks was decoded 3 % faster than in four; eight, which leave no register for the table, were slower (measured).
pub(super) const MAX_LANES: usize = 6;
/// Probes of a lane that are staged before differences are computed: a multiple of 16 and of each number of probes per
/// refill. 6 lanes × 192 slots × 8 bytes = 9 KiB stay in the first-level cache together with a 16 KiB table.
pub(super) const STAGED: usize = 192;

/// State of the lanes between functions.
#[repr(C, align(64))]
pub(super) struct Stage {
    /// Per lane: probes whose differences are not computed yet, with the top 32 bits of the window in the high half and the
    /// entry in the low half.
    pub(super) probes: [[u64; STAGED]; MAX_LANES],
    /// Per lane: 63 bits and the sentinel.
    pub(super) windows: [u64; MAX_LANES],
    /// Per lane: the address of the bit after the window, which is 8 * the address of its byte + the bit in that byte (0 is
    /// the highest).
    pub(super) next_bits: [u64; MAX_LANES],
}

impl Stage {
    pub(super) const fn new() -> Self {
        Self { probes: [[0; STAGED]; MAX_LANES], windows: [0; MAX_LANES], next_bits: [0; MAX_LANES] }
    }

    /// Loads the window of a lane, which starts at `bit_offset` of `bits`.
    pub(super) fn open(&mut self, lane: usize, bits: &[u8], bit_offset: usize) {
        const FIRST_BYTE: u64 = 0xFF << 56;
        // Each call of `window_at` returns 57 bits.
        let after_first_byte = window_at(bits, bit_offset + 8) >> 8;
        self.windows[lane] = window_at(bits, bit_offset) & FIRST_BYTE | after_first_byte | SENTINEL;
        self.next_bits[lane] = bit_address(bits, bit_offset + MAX_WINDOW_BITS);
    }

    /// Returns the bit offset in `bits` at which the window of a lane starts.
    pub(super) fn bit_offset(&self, lane: usize, bits: &[u8]) -> usize {
        (self.next_bits[lane] - bit_address(bits, MAX_WINDOW_BITS)) as usize
    }

    /// Returns the first `probes` staged probes of a lane in vectors of `N`. The last vector may contain more.
    pub(super) fn vectors<const N: usize>(&self, lane: usize, probes: usize) -> &[[u64; N]] {
        let vectors = self.probes.get(lane).and_then(|staged| staged.as_chunks().0.get(..probes.div_ceil(N)));
        debug_assert!(vectors.is_some(), "lane and probes are those of the stage");
        vectors.unwrap_or_default()
    }
}

/// Returns the address of the bit at `bit_offset` of `bits`, as in [`Stage::next_bits`].
fn bit_address(bits: &[u8], bit_offset: usize) -> u64 {
    8 * bits.as_ptr().addr() as u64 + bit_offset as u64
}

/// Returns the number of symbols of staged probes.
pub(super) fn symbol_count(probes: &[u64]) -> usize {
    probes.iter().map(|probe| 1 + usize::from(*probe & u64::from(PAIR) != 0)).sum()
}
