//! Huffman decoding of the differences of lossless JPEG (T.81 H.1.2.2, Table H.2).
//!
//! A symbol is a Huffman code followed by extra bits. The code identifies a category (T.81: SSSS), which is the number of
//! extra bits; the extra bits select one difference of the category. Category 16 has no extra bits: its only difference
//! is 32768. All differences are modulo 2^16.
//!
//! # Table look-up
//!
//! One probe: the next 12 bits of the stream index a table of 4096 entries (16 KiB, which fits the first-level cache).
//! The entry gives the length of the symbol and a bias, from which the difference follows without a branch:
//!
//! ```text
//! entry       31            16 15          7   6   5      0
//!            | bias of the    | difference  |pair | bits   |   bits: length of all symbols of the entry, codes and
//!            | last symbol    | of the first|     | used   |         extra bits; 63 = ESCAPE
//!            | modulo 2^16    | symbol, i9  |     |        |   bits 7 to 15 are valid only if `pair` is set
//!
//! difference of the last symbol = (window >> (64 - bits used)) + bias   (modulo 2^16)
//! ```
//!
//! The bias can be a constant because the index contains the whole code and the first extra bit, which is the sign:
//! it subtracts the code and, for a negative difference, adds 1 - 2^category (T.81 F.2.2.1). The remaining extra bits
//! need not be in the index.
//!
//! Example: code `10` has category 3.
//!
//! ```text
//! bits    10 101 …   window >> 59 = 21   bias = -16             difference =  5   (code 10 << 3 = 16)
//! bits    10 010 …   window >> 59 = 18   bias = -16 + 1 - 8     difference = -5
//! ```
//!
//! Where the 12 bits contain two short symbols, [`Table::build_pair_table`] makes one entry of both. With code `0` for
//! category 0, the bits `10 101 0` are such a pair: 6 bits used, first difference 5, bias -(0b10101 << 1) = -42, and
//! (window >> 58) - 42 = 0 is the second difference.
//!
//! ESCAPE marks an index that does not determine a symbol: the code is longer than 11 bits, or unassigned. Such symbols
//! are decoded by [`Table::symbol_by_length`].
//!
//! # Refills
//!
//! A window is a 64-bit word that starts at the next bit of the stream. One refill serves a fixed number of probes:
//!
//! ```text
//! window = (8 big-endian bytes at bit_offset / 8 | SENTINEL) << (bit_offset % 8)
//! repeat `probes_per_refill` times:
//!     entry   = entries[window >> 52]
//!     window <<= entry.bits_used
//! consumed = trailing_zeros(window)       position of the sentinel = bit_offset % 8 + bits of all symbols
//! if consumed == 64: decode the symbols of this refill one by one
//! bit_offset = bit_offset / 8 * 8 + consumed
//! ```
//!
//! The sentinel replaces the lowest bit of the word, so a window has 56 to 63 valid bits. It is shifted out if the
//! symbols are longer than that, and also after ESCAPE, whose 63 bits plus at least one bit of another probe are more
//! than a window has. So one test per refill finds both.
//!
//! This is the refill of the portable kernel. Those for x86-64-v3 and above keep the bits that are left in the window, and
//! load the others early: see `x86.rs`.
//!
//! # Lanes
//!
//! The position of a symbol is known only when the one before it has been looked up: about 7 cycles of latency (shift,
//! load, shift). The kernels therefore decode several independent [`Task`]s in lock-step. The number of decoded
//! symbols, the position and the differences of a task do not depend on the CPU level.

mod prefetch;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod stage;
mod table;
mod task;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_v4;

pub(crate) use prefetch::Prefetch;
pub(crate) use table::Table;
pub(crate) use task::{Cursor, Task};

use super::CpuLevel;

/// Bits of a window that index a table.
const INDEX_BITS: u32 = 12;
/// Maximum number of valid bits of a window after a refill: of a window that starts at the first bit of a byte, and of each
/// window of the kernels for x86-64-v3 and above.
const MAX_WINDOW_BITS: usize = 63;
/// Minimum number of valid bits of a window after a refill: of a window that starts at the last bit of a byte.
const MIN_WINDOW_BITS: usize = 56;
/// Bytes after the end of a task's bits that a window may read.
pub(crate) const PAD_BYTES: usize = 16;
/// Numbers of probes per refill that the kernels are compiled for. [`ESCAPE`] needs at least two.
const PROBES_PER_REFILL: [usize; 4] = [2, 3, 4, 8];
const MAX_PROBES_PER_REFILL: usize = 8;
/// Category without extra bits; its difference is 32768.
const CATEGORY_32768: u32 = 16;

/// `bits used` of an index that does not determine a symbol.
const ESCAPE: u32 = 63;
/// Set in an entry of two symbols.
const PAIR: u32 = 1 << 6;
/// Lowest bit of the first difference of a pair.
const FIRST_SHIFT: u32 = 7;
/// Lowest bit of the bias.
const BIAS_SHIFT: u32 = 16;
/// The first difference of a pair is in `-FIRST_LIMIT..FIRST_LIMIT`.
const FIRST_LIMIT: u32 = 1 << 8;

/// Lowest bit of a window after a refill. The number of zeros below it is the number of consumed bits.
const SENTINEL: u64 = 1;
/// Set in the number of consumed bits if and only if the sentinel was shifted out.
const OVERRUN: u32 = 64;
/// Length in bits and difference that an unassigned code counts as.
const UNASSIGNED: (u32, u16) = (1, 0);

/// Decodes each of `tasks` to its end. `prefetch` is the memory that the caller writes next.
pub(crate) fn decode(tasks: &mut [Task<'_>], prefetch: &mut Prefetch, level: CpuLevel) {
    super::cpu::dispatch!(level, v4 decode(tasks, prefetch));
}

#[cfg(test)]
mod tests;
