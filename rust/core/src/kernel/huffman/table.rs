//! Look-up tables of one or two symbols per entry. The module documentation of `kernel::huffman` has their layout.

use super::{
    BIAS_SHIFT, CATEGORY_32768, ESCAPE, FIRST_LIMIT, FIRST_SHIFT, INDEX_BITS, MIN_WINDOW_BITS, PAIR, PROBES_PER_REFILL,
};
use std::fmt;
use std::ops::Range;

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

pub(super) type Entries = [u32; 1 << INDEX_BITS];

/// Look-up tables of one Huffman table.
pub(crate) struct Table {
    /// Entries of one symbol each.
    pub(super) singles: Box<Entries>,
    /// Entries of two symbols where an index determines both, otherwise of one.
    pub(super) pairs: Option<Box<Entries>>,
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
    /// Builds the look-up table of a Huffman table with `counts[n - 1]` codes of n bits and their `categories`,
    /// shortest code first. Each entry is one symbol. `probes_per_refill` is rounded down to a supported number.
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

    /// Returns the second symbols of pairs whose first symbol has `first_bits` bits. A pair has at most
    /// `MIN_WINDOW_BITS` bits divided by the probes per refill, so that the pairs between two refills never need more
    /// bits than the window has.
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
    pub(super) fn probe(&self, window: u64) -> Option<(u32, u16)> {
        let entry = self.singles.get((window >> (64 - INDEX_BITS)) as usize).copied().unwrap_or(ESCAPE);
        let length = entry & 63;
        if length == ESCAPE {
            return self.symbol_by_length(window);
        }
        #[expect(clippy::cast_possible_truncation, reason = "differences are modulo 2^16")]
        Some((length, ((window >> (64 - length)) as u16).wrapping_add((entry >> BIAS_SHIFT) as u16)))
    }

    /// Returns the same as a probe without the look-up table: compares the window with the codes of each length (T.81
    /// Figure F.16).
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
