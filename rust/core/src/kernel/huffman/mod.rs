//! Huffman decoding of the differences of lossless JPEG (T.81 H.1.2.2, Table H.2).
//!
//! A symbol is a Huffman code followed by extra bits. The code stands for a category (T.81: SSSS), which is the number of
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
//! Example: code `10` stands for category 3.
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
//! # Lanes
//!
//! The position of a symbol is known only when the one before it has been looked up: about 7 cycles of latency (shift,
//! load, shift). The kernels therefore decode several independent [`Task`]s in lock-step. The number of decoded
//! symbols, the position and the differences of a task do not depend on the CPU level.

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_v4;

use super::CpuLevel;
use std::fmt;
use std::ops::Range;

/// Bits of a window that index a table.
const INDEX_BITS: u32 = 12;
/// Most valid bits of a window after a refill: those of a window that starts at the first bit of a byte.
const MAX_WINDOW_BITS: usize = 63;
/// Fewest valid bits of a window after a refill: those of a window that starts at the last bit of a byte.
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

/// A range of equal entries: the indices that start with one code and one sign bit.
#[derive(Debug, Clone, Copy)]
struct CodeSpan {
    first_index: u32,
    /// Leading bits that all indices of the span share: code and sign bit.
    shared_bits: u32,
    entry: u32,
}

/// Second symbol of the pairs whose first symbols have one length.
struct PairSuffix {
    /// Range of values of the index bits after the first symbol.
    indices: Range<usize>,
    /// Length of the second symbol in bits.
    bits: u32,
    /// Entry of the pair without the parts that depend on the first symbol.
    entry: u32,
}

impl PairSuffix {
    /// Writes the entries of one pair to `entries`, which are those whose index starts with the bits `symbol`;
    /// `difference` is the difference of that symbol.
    fn insert(&self, symbol: u32, difference: u32, entries: &mut [u32]) {
        // `window >> (64 - bits used)` contains the first symbol above the second: the bias subtracts it.
        let entry = self.entry.wrapping_sub(symbol << self.bits << BIAS_SHIFT);
        if let Some(entries) = entries.get_mut(self.indices.clone()) {
            entries.fill(entry | (difference << FIRST_SHIFT & 0xFFFF));
        }
    }
}

type Entries = [u32; 1 << INDEX_BITS];

/// Look-up tables of one Huffman table.
pub(crate) struct Table {
    /// Entries of one symbol each.
    singles: Box<Entries>,
    /// Entries of two symbols where an index determines both, otherwise of one.
    pairs: Option<Box<Entries>>,
    /// The ranges that `singles` consists of.
    spans: Vec<CodeSpan>,
    probes_per_refill: usize,
    /// Per code length: end of the codes up to that length, left-aligned in 16 bits (libjpeg: `maxcode`).
    code_ends: [u32; 17],
    /// Per code length: added to a code, gives the index of its category (libjpeg: `valoffset`).
    value_offsets: [i32; 17],
    categories: Vec<u8>,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("probes_per_refill", &self.probes_per_refill)
            .field("categories", &self.categories)
            .finish()
    }
}

impl Table {
    /// Builds the look-up table of a Huffman table with `counts[n - 1]` codes of n bits and their `categories`, shortest
    /// code first. Each entry is one symbol. `probes_per_refill` is rounded down to a supported number.
    pub(crate) fn new(counts: [u8; 16], categories: &[u8], probes_per_refill: usize) -> Self {
        let supported = PROBES_PER_REFILL.into_iter().rev().find(|supported| *supported <= probes_per_refill);
        let mut table = Self {
            singles: Box::new([ESCAPE; 1 << INDEX_BITS]),
            pairs: None,
            spans: Vec::with_capacity(2 * categories.len()),
            probes_per_refill: supported.unwrap_or(2),
            code_ends: [0; 17],
            value_offsets: [0; 17],
            categories: categories.to_vec(),
        };
        let mut code = 0_u32;
        let mut value_index = 0_usize;
        for (length, count) in (1_u32..).zip(counts) {
            code <<= 1;
            if let Some(value_offset) = table.value_offsets.get_mut(length as usize) {
                *value_offset = i32::try_from(value_index).unwrap_or(0) - i32::try_from(code).unwrap_or(0);
            }
            for _ in 0..count {
                let category = u32::from(categories.get(value_index).copied().unwrap_or(0));
                table.insert(code, length, category);
                code += 1;
                value_index += 1;
            }
            if let Some(code_end) = table.code_ends.get_mut(length as usize) {
                *code_end = code << (16 - length);
            }
        }
        table
    }

    /// Writes the entries of one code of `length` bits. Does nothing if an index cannot hold the code and its sign bit.
    fn insert(&mut self, code: u32, length: u32, category: u32) {
        let extra_bits = if category == CATEGORY_32768 { 0 } else { category };
        let sign_bits = u32::from(extra_bits > 0);
        let shared_bits = length + sign_bits;
        if shared_bits > INDEX_BITS {
            return;
        }
        for sign in 0..=sign_bits {
            // Extra bits that start with 1 are the difference; otherwise 1 - 2^category is added (T.81 F.2.2.1).
            let base = match (category, sign) {
                (CATEGORY_32768, _) => 1 << 15,
                (0, _) | (_, 1) => 0,
                _ => 1_u32.wrapping_sub(1 << extra_bits),
            };
            let bias = base.wrapping_sub(code << extra_bits) & 0xFFFF;
            let entry = (length + extra_bits) | bias << BIAS_SHIFT;
            let first_index = (code << sign_bits | sign) << (INDEX_BITS - shared_bits);
            let end_index = first_index + (1 << (INDEX_BITS - shared_bits));
            if let Some(entries) = self.singles.get_mut(first_index as usize..end_index as usize) {
                entries.fill(entry);
                self.spans.push(CodeSpan { first_index, shared_bits, entry });
            }
        }
    }

    /// Adds entries of two symbols, which tasks that use this table alone look up from now on.
    ///
    /// ```text
    /// for each length of a first symbol:
    ///     suffixes = the spans that are determined by the remaining index bits, and short enough
    ///     for each first symbol of that length whose difference fits 9 bits:
    ///         for each suffix: write the entries of (first symbol, suffix)
    /// ```
    ///
    /// Going span by span is four times as fast as a look-up of two symbols for each of the 4096 indices.
    pub(crate) fn build_pair_table(&mut self) {
        if self.pairs.is_some() {
            return;
        }
        let mut pairs = self.singles.clone();
        for first_bits in 1..INDEX_BITS {
            let suffix_bits = INDEX_BITS - first_bits;
            let mut firsts = self.spans.iter().filter(|first| first.entry & 63 == first_bits).peekable();
            if firsts.peek().is_none() {
                continue;
            }
            let suffixes = self.pair_suffixes(first_bits);
            for first in firsts {
                // The symbols of a span differ in the extra bits after the sign.
                let first_symbol = first.first_index >> suffix_bits;
                for symbol in first_symbol..first_symbol + (1 << (first_bits - first.shared_bits)) {
                    let difference = symbol.wrapping_add(first.entry >> BIAS_SHIFT) & 0xFFFF;
                    let first_index = (symbol << suffix_bits) as usize;
                    if difference.wrapping_add(FIRST_LIMIT) & 0xFFFF < 2 * FIRST_LIMIT
                        && let Some(entries) = pairs.get_mut(first_index..first_index + (1 << suffix_bits))
                    {
                        suffixes.iter().for_each(|suffix| suffix.insert(symbol, difference, entries));
                    }
                }
            }
        }
        self.pairs = Some(pairs);
    }

    /// Returns the symbols that can follow a first symbol of `first_bits` bits in a pair. A pair uses at most its share of
    /// the smallest window, so that pairs alone never overrun one.
    fn pair_suffixes(&self, first_bits: u32) -> Vec<PairSuffix> {
        let suffix_bits = INDEX_BITS - first_bits;
        let max_bits = u32::try_from(MIN_WINDOW_BITS / self.probes_per_refill).unwrap_or(0);
        let fits = |span: &&CodeSpan| span.shared_bits <= suffix_bits && first_bits + (span.entry & 63) <= max_bits;
        let suffixes = self.spans.iter().filter(fits).map(|span| {
            let first_index = (span.first_index >> first_bits) as usize;
            let indices = first_index..first_index + (1 << (suffix_bits - span.shared_bits));
            PairSuffix { indices, bits: span.entry & 63, entry: (span.entry + first_bits) | PAIR }
        });
        suffixes.collect()
    }

    /// Returns the number of probes per refill that the table was built for.
    pub(crate) const fn probes_per_refill(&self) -> usize {
        self.probes_per_refill
    }

    /// Returns length in bits and difference of the symbol at the top of `window`, or `None` for an unassigned code.
    #[inline(always)]
    fn probe(&self, window: u64) -> Option<(u32, u16)> {
        let entry = self.singles.get((window >> (64 - INDEX_BITS)) as usize).copied().unwrap_or(ESCAPE);
        let length = entry & 63;
        if length == ESCAPE {
            return self.symbol_by_length(window);
        }
        #[expect(clippy::cast_possible_truncation, reason = "differences are modulo 2^16")]
        Some((length, ((window >> (64 - length)) as u16).wrapping_add((entry >> BIAS_SHIFT) as u16)))
    }

    /// Returns the same as a probe without the look-up table: compares the window with the codes of each length (T.81 Figure F.16).
    #[cold]
    #[inline(never)]
    pub(crate) fn symbol_by_length(&self, window: u64) -> Option<(u32, u16)> {
        let top = (window >> 48) as u32;
        let length = (1_u32..=16).find(|length| self.code_ends.get(*length as usize).is_some_and(|end| top < *end))?;
        let value_index = self.value_offsets.get(length as usize)? + i32::try_from(top >> (16 - length)).ok()?;
        let category = u32::from(*self.categories.get(usize::try_from(value_index).ok()?)?);
        if category == 0 || category == CATEGORY_32768 {
            return Some((length, if category == 0 { 0 } else { 1 << 15 }));
        }
        #[expect(clippy::cast_possible_truncation, reason = "15 bits at most, and differences are modulo 2^16")]
        let extra = (window << length >> (64 - category)) as u16;
        let base = if extra >> (category - 1) == 0 { 1_u16.wrapping_sub(1 << category) } else { 0 };
        Some((length + category, extra.wrapping_add(base)))
    }
}

/// Decodes consecutive symbols of one bit string into differences.
#[derive(Debug)]
pub(crate) struct Task<'a> {
    /// Table of each symbol of a refill.
    tables: [&'a Table; MAX_PROBES_PER_REFILL],
    /// Entries that each probe of a refill looks up: pairs only if all symbols have the same table.
    entries: [&'a Entries; MAX_PROBES_PER_REFILL],
    bits: &'a [u8],
    /// Bit offset of the next symbol.
    bit_offset: usize,
    /// Bit offset at which decoding ends: no symbol starts there or later, but the last one may reach beyond.
    end_bit: usize,
    out: &'a mut [u16],
    /// Index in `tables` of the next symbol's table.
    table_index: usize,
    /// Number of differences in `out`.
    decoded: usize,
    /// Value of `decoded` after the last unassigned code, 0 if there was none. Such a code counts as a symbol of one bit
    /// with the difference 0.
    unassigned: usize,
}

impl<'a> Task<'a> {
    /// A task for the symbols of `bits` that start in `bit_offset..end_bit`, at most as many as `out` holds.
    ///
    /// Symbols use the 1 to 4 `tables` cyclically. `end_bit` is reduced so that [`PAD_BYTES`] bytes of `bits` follow it.
    /// Returns `None` unless all tables are built for the same number of probes per refill, a multiple of their count.
    pub(crate) fn new(
        tables: &[&'a Table],
        bits: &'a [u8],
        bit_offset: usize,
        end_bit: usize,
        out: &'a mut [u16],
    ) -> Option<Self> {
        let first = *tables.first()?;
        let mut cycle = [first; MAX_PROBES_PER_REFILL];
        for (slot, table) in cycle.iter_mut().zip(tables.iter().cycle()) {
            let is_same = table.probes_per_refill == first.probes_per_refill;
            if !is_same || !first.probes_per_refill.is_multiple_of(tables.len()) {
                return None;
            }
            *slot = *table;
        }
        let pairs = first.pairs.as_deref().filter(|_| tables.len() == 1);
        let entries = cycle.map(|table| pairs.unwrap_or(&table.singles));
        let end_bit = end_bit.min(bits.len().saturating_sub(PAD_BYTES) * 8);
        Some(Self { tables: cycle, entries, bits, bit_offset, end_bit, out, table_index: 0, decoded: 0, unassigned: 0 })
    }

    /// Returns the bit offset after the last symbol.
    pub(crate) const fn bit_offset(&self) -> usize {
        self.bit_offset
    }

    /// Returns the number of differences.
    pub(crate) const fn decoded(&self) -> usize {
        self.decoded
    }

    /// Returns the number of differences up to and including the last unassigned code, 0 if there was none.
    pub(crate) const fn unassigned(&self) -> usize {
        self.unassigned
    }

    /// Returns the decoded differences.
    pub(crate) fn differences(&self) -> &[u16] {
        self.out.get(..self.decoded).unwrap_or_default()
    }

    /// Decodes one symbol; returns `false` if the task is at its end.
    #[inline]
    pub(crate) fn step(&mut self) -> bool {
        if self.bit_offset >= self.end_bit {
            return false;
        }
        let Some(table) = self.tables.get(self.table_index) else { return false };
        let Some(out) = self.out.get_mut(self.decoded) else { return false };
        let (bits, difference) = table.probe(window_at(self.bits, self.bit_offset)).unwrap_or_else(|| {
            self.unassigned = self.decoded + 1;
            UNASSIGNED
        });
        *out = difference;
        self.bit_offset += bits as usize;
        self.decoded += 1;
        self.table_index = next_in_cycle(self.table_index, self.probes_per_refill());
        true
    }

    const fn probes_per_refill(&self) -> usize {
        self.tables[0].probes_per_refill
    }

    /// Returns the number of refills of `PROBES` probes that neither start a symbol after the end nor decode more
    /// differences than `out` has space for. A probe decodes up to two.
    #[inline(always)]
    fn refill_count<const PROBES: usize>(&self) -> usize {
        let refills = self.end_bit.saturating_sub(self.bit_offset) / MAX_WINDOW_BITS;
        refills.min((self.out.len() - self.decoded) / (2 * PROBES))
    }

    /// True if at least `refills` refills are possible.
    fn has_refills(&self, refills: usize) -> bool {
        self.end_bit.saturating_sub(self.bit_offset) >= refills * MAX_WINDOW_BITS
            && self.out.len() - self.decoded >= refills * 2 * self.probes_per_refill()
    }
}

/// Reads symbols one by one.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    tables: &'a [&'a Table],
    bits: &'a [u8],
    bit_offset: usize,
    table_index: usize,
    decoded: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at `bit_offset` of `bits`. Symbols use `tables` cyclically, the first one `tables[table_index]`.
    pub(crate) const fn new(tables: &'a [&'a Table], table_index: usize, bits: &'a [u8], bit_offset: usize) -> Self {
        Self { tables, bits, bit_offset, table_index, decoded: 0 }
    }

    /// Reads one symbol; returns its difference, or `None` for an unassigned code, which counts as one bit.
    #[inline]
    pub(crate) fn step(&mut self) -> Option<u16> {
        let symbol = self.tables.get(self.table_index)?.probe(window_at(self.bits, self.bit_offset));
        self.bit_offset += symbol.unwrap_or(UNASSIGNED).0 as usize;
        self.decoded += 1;
        self.table_index = next_in_cycle(self.table_index, self.tables.len());
        symbol.map(|(_, difference)| difference)
    }

    /// Returns the bit offset of the next symbol.
    pub(crate) const fn bit_offset(&self) -> usize {
        self.bit_offset
    }

    /// Returns the number of symbols read.
    pub(crate) const fn decoded(&self) -> usize {
        self.decoded
    }

    /// True if both cursors read the same symbols from here on: same bit and same table.
    pub(crate) const fn same_state(&self, other: &Self) -> bool {
        self.bit_offset == other.bit_offset && self.table_index == other.table_index
    }
}

const fn next_in_cycle(index: usize, length: usize) -> usize {
    if index + 1 < length { index + 1 } else { 0 }
}

/// Returns at least 57 bits from `bit_offset` on, left-aligned; zeros after the end of `bits`.
fn window_at(bits: &[u8], bit_offset: usize) -> u64 {
    let rest = bits.get(bit_offset / 8..).unwrap_or_default();
    let word = rest.first_chunk().map_or_else(
        || {
            let mut last = [0; 8];
            last.iter_mut().zip(rest).for_each(|(padded, byte)| *padded = *byte);
            last
        },
        |word| *word,
    );
    u64::from_be_bytes(word) << (bit_offset % 8)
}

/// Decodes each of `tasks` to its end.
pub(crate) fn decode(tasks: &mut [Task<'_>], level: CpuLevel) {
    super::cpu::dispatch!(level, v4 decode(tasks));
}

#[cfg(test)]
mod tests;
