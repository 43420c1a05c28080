//! Huffman codes → differences of the lossless process (T.81 H.1.2.2, Table H.2).
//!
//! ```text
//! window  │ code │ further bits │ …      one probe by the top 12 bits: the length of both, and a bias, so that
//!                                        difference = (window >> (64 - length)) + bias   (modulo 2^16)
//! window  │ symbol │ code │ further … │  where they tell a short symbol and the code behind it, both at once: the
//!                                        first difference as it is, length and bias of what is left of the second
//! ```
//!
//! Several probes are made of one 64-bit window; the fast body takes up to four tasks in lock-step, because
//! a symbol's place is known only when the one before it is. A task ends with the same numbers on every tier.

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_v4;

use super::CpuLevel;
use std::fmt;
use std::ops::Range;

/// Bits of a window that find an entry.
const INDEX_BITS: u32 = 12;
/// Most bits of a window that are good to use after a refill; how many depends on the position within a byte.
const WINDOW_BITS: usize = 63;
/// What an entry for two symbols may take of a window: its share, of the bits that every refill has.
const SHARED_BITS: usize = 56;
/// Bytes behind the end of a task's bits that a window may read.
pub(crate) const PAD_BYTES: usize = 16;
/// Most probes of one refill.
const MAX_GROUP: usize = 8;
/// How many probes a refill may be for.
const GROUPS: [usize; 4] = [2, 3, 4, 8];
/// The category whose difference is 32768, without further bits.
const NO_FURTHER_BITS: u32 = 16;

/// The length of what one probe does not tell. With a symbol before or behind it, nothing is left of a window.
const MISS: u32 = 63;
/// Of an entry, bits 0 to 5 are the length of all its symbols and bits 16 to 31 the bias of the last one. This bit is set
/// if there are two; bits 7 to 15 are the difference of the first one then.
const PAIR: u32 = 1 << 6;
const FIRST_AT: u32 = 7;
const LAST_AT: u32 = 16;
/// The first difference of a pair is less than this, and not less than its negative.
const FIRST_LIMIT: u32 = 1 << 8;

/// What is set at the bottom of a word before its first bits are shifted out: the zeros below it are the bits that were
/// taken, 64 where that were too many.
const MARK: u64 = 1;
/// Set in the bits taken after a miss, and in no other number of bits.
const MISSED: u32 = 64;
/// What a code that no value is assigned to counts as: bits and difference.
const UNASSIGNED: (u32, u16) = (1, 0);

/// Entries in a row that are the same: those of one code and one first further bit.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// The first of them.
    index: u32,
    /// How many bits of an index tell the symbol's length and bias.
    known: u32,
    entry: u32,
}

/// The second symbol of pairs whose first ones are of one length.
struct Second {
    /// Where it is, by what of an index is behind the first symbol.
    rest: Range<usize>,
    length: u32,
    /// The entry of the pair, less what the first symbol adds.
    entry: u32,
}

impl Second {
    /// Sets the entries of a pair, among those that begin with the bits `symbol`, which make `difference`.
    fn enter(&self, symbol: u32, difference: u32, entries: &mut [u32]) {
        // The first symbol is above the bits of this one: what of it a difference would hold is taken away.
        let entry = self.entry.wrapping_sub(symbol << self.length << LAST_AT);
        if let Some(entries) = entries.get_mut(self.rest.clone()) {
            entries.fill(entry | (difference << FIRST_AT & 0xFFFF));
        }
    }
}

type Entries = [u32; 1 << INDEX_BITS];

/// A Huffman table, ready for probing.
pub(crate) struct Table {
    /// One symbol each.
    singles: Box<Entries>,
    /// Two symbols, where an index tells both, else one.
    pairs: Option<Box<Entries>>,
    /// What `singles` is made of.
    spans: Vec<Span>,
    /// Probes of one refill.
    group: usize,
    /// Of each length, where codes up to that length end, as 16 bits.
    ends: [u32; 17],
    /// Of each length, what is added to a code to find its category.
    places: [i32; 17],
    categories: Vec<u8>,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("group", &self.group).field("categories", &self.categories).finish()
    }
}

impl Table {
    /// The table with `counts` codes of 1 to 16 bits, for `group` probes a refill, or the next number below that there
    /// is code for. One probe is one symbol.
    pub(crate) fn new(counts: [u8; 16], categories: &[u8], group: usize) -> Self {
        let mut table = Self {
            singles: Box::new([MISS; 1 << INDEX_BITS]),
            pairs: None,
            spans: Vec::with_capacity(2 * categories.len()),
            group: GROUPS.into_iter().rev().find(|fits| *fits <= group).unwrap_or(2),
            ends: [0; 17],
            places: [0; 17],
            categories: categories.to_vec(),
        };
        let mut code = 0_u32;
        let mut place = 0_usize;
        for (length, count) in (1_u32..).zip(counts) {
            code <<= 1;
            if let Some(to) = table.places.get_mut(length as usize) {
                *to = i32::try_from(place).unwrap_or(0) - i32::try_from(code).unwrap_or(0);
            }
            for _ in 0..count {
                let category = u32::from(categories.get(place).copied().unwrap_or(0));
                table.enter(code, length, category);
                code += 1;
                place += 1;
            }
            if let Some(to) = table.ends.get_mut(length as usize) {
                *to = code << (16 - length);
            }
        }
        table
    }

    /// Sets the entries of one code, where its length, its first further bit and its difference are known by the index.
    fn enter(&mut self, code: u32, length: u32, category: u32) {
        let further = if category == NO_FURTHER_BITS { 0 } else { category };
        let known = length + u32::from(further > 0);
        if known > INDEX_BITS {
            return;
        }
        let prefix = code << further;
        for sign in 0..=u32::from(further > 0) {
            // What the first further bit says is positive stays as it is, else 1 - 2^category is added (F.2.2.1).
            let base = match (category, sign) {
                (NO_FURTHER_BITS, _) => 1 << 15,
                (0, _) | (_, 1) => 0,
                _ => 1_u32.wrapping_sub(1 << further),
            };
            let bias = base.wrapping_sub(prefix) & 0xFFFF;
            let index = if further > 0 { code << 1 | sign } else { code } << (INDEX_BITS - known);
            let entry = (length + further) | bias << LAST_AT;
            if let Some(entries) = self.singles.get_mut(index as usize..(index + (1 << (INDEX_BITS - known))) as usize)
            {
                entries.fill(entry);
                self.spans.push(Span { index, known, entry });
            }
        }
    }

    /// From now on one probe is two symbols where both are short enough.
    pub(crate) fn pair(&mut self) {
        if self.pairs.is_some() {
            return;
        }
        let mut pairs = self.singles.clone();
        for length in 1..INDEX_BITS {
            let rest_bits = INDEX_BITS - length;
            let mut firsts = self.spans.iter().filter(|first| first.entry & 63 == length).peekable();
            if firsts.peek().is_none() {
                continue;
            }
            let seconds = self.seconds(length);
            for first in firsts {
                // Each symbol of the span: the bits of its difference that are not known yet count up.
                let least = first.index >> rest_bits;
                for symbol in least..least + (1 << (length - first.known)) {
                    let difference = symbol.wrapping_add(first.entry >> LAST_AT) & 0xFFFF;
                    let place = (symbol << rest_bits) as usize;
                    if difference.wrapping_add(FIRST_LIMIT) & 0xFFFF < 2 * FIRST_LIMIT
                        && let Some(rest) = pairs.get_mut(place..place + (1 << rest_bits))
                    {
                        seconds.iter().for_each(|second| second.enter(symbol, difference, rest));
                    }
                }
            }
        }
        self.pairs = Some(pairs);
    }

    /// What may come behind a first symbol of `length` bits.
    fn seconds(&self, length: u32) -> Vec<Second> {
        let (rest_bits, longest) = (INDEX_BITS - length, u32::try_from(SHARED_BITS / self.group).unwrap_or(0));
        let fits = |second: &&Span| second.known <= rest_bits && length + (second.entry & 63) <= longest;
        let seconds = self.spans.iter().filter(fits).map(|second| {
            let at = (second.index >> length) as usize;
            let rest = at..at + (1 << (rest_bits - second.known));
            Second { rest, length: second.entry & 63, entry: (second.entry + length) | PAIR }
        });
        seconds.collect()
    }

    /// Probes of one refill.
    pub(crate) const fn group(&self) -> usize {
        self.group
    }

    /// The symbol at the top of `window`: its bits and its difference, `None` for a code that no value is assigned to.
    #[inline(always)]
    fn probe(&self, window: u64) -> Option<(u32, u16)> {
        let entry = self.singles.get((window >> (64 - INDEX_BITS)) as usize).copied().unwrap_or(MISS);
        let length = entry & 63;
        if length == MISS {
            return self.symbol(window);
        }
        #[expect(clippy::cast_possible_truncation, reason = "differences are modulo 2^16")]
        Some((length, ((window >> (64 - length)) as u16).wrapping_add((entry >> LAST_AT) as u16)))
    }

    /// The same, code length by code length.
    #[cold]
    #[inline(never)]
    pub(crate) fn symbol(&self, window: u64) -> Option<(u32, u16)> {
        let top = (window >> 48) as u32;
        let length = (1_u32..=16).find(|length| self.ends.get(*length as usize).is_some_and(|end| top < *end))?;
        let place = self.places.get(length as usize)? + i32::try_from(top >> (16 - length)).ok()?;
        let category = u32::from(*self.categories.get(usize::try_from(place).ok()?)?);
        if category == 0 || category == NO_FURTHER_BITS {
            return Some((length, if category == 0 { 0 } else { 1 << 15 }));
        }
        #[expect(clippy::cast_possible_truncation, reason = "15 bits at most, and differences are modulo 2^16")]
        let further = (window << length >> (64 - category)) as u16;
        let base = if further >> (category - 1) == 0 { 1_u16.wrapping_sub(1 << category) } else { 0 };
        Some((length + category, further.wrapping_add(base)))
    }
}

/// Codes to decode, one after the other, into differences.
#[derive(Debug)]
pub(crate) struct Task<'a> {
    /// The table of each symbol of a group.
    tables: [&'a Table; MAX_GROUP],
    /// What the probes of a group look at: for pairs there is but one table.
    entries: [&'a Entries; MAX_GROUP],
    bits: &'a [u8],
    /// Position of the next code, in bits.
    at: usize,
    /// No code begins here or behind.
    end: usize,
    out: &'a mut [u16],
    /// Which table of the group is next.
    turn: usize,
    /// Differences made.
    made: usize,
    /// Differences made when the last unassigned code had been met: it counts as one bit with the difference 0.
    unassigned: usize,
}

impl<'a> Task<'a> {
    /// Codes of `bits` from position `at` to `end`, as many as `out` holds. `tables` are taken in turn, 1 to 4 of them,
    /// all made for the same group, which is a multiple of their number. [`PAD_BYTES`] follow `end`, or it is less far.
    pub(crate) fn new(tables: &[&'a Table], bits: &'a [u8], at: usize, end: usize, out: &'a mut [u16]) -> Option<Self> {
        let first = *tables.first()?;
        let mut cycle = [first; MAX_GROUP];
        for (to, table) in cycle.iter_mut().zip(tables.iter().cycle()) {
            if table.group != first.group || !first.group.is_multiple_of(tables.len()) {
                return None;
            }
            *to = *table;
        }
        let pairs = first.pairs.as_deref().filter(|_| tables.len() == 1);
        let entries = cycle.map(|table| pairs.unwrap_or(&table.singles));
        let end = end.min(bits.len().saturating_sub(PAD_BYTES) * 8);
        Some(Self { tables: cycle, entries, bits, at, end, out, turn: 0, made: 0, unassigned: 0 })
    }

    /// Position behind the last code.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// Differences made.
    pub(crate) const fn made(&self) -> usize {
        self.made
    }

    /// Differences made when the last unassigned code had been met, 0 if none was.
    pub(crate) const fn unassigned(&self) -> usize {
        self.unassigned
    }

    /// The differences made.
    pub(crate) fn differences(&self) -> &[u16] {
        self.out.get(..self.made).unwrap_or_default()
    }

    /// Takes one code; `false` at the end.
    #[inline]
    pub(crate) fn step(&mut self) -> bool {
        if self.at >= self.end {
            return false;
        }
        let Some(table) = self.tables.get(self.turn) else { return false };
        let Some(to) = self.out.get_mut(self.made) else { return false };
        let (bits, difference) = table.probe(window(self.bits, self.at)).unwrap_or_else(|| {
            self.unassigned = self.made + 1;
            UNASSIGNED
        });
        *to = difference;
        self.at += bits as usize;
        self.made += 1;
        self.turn = next(self.turn, self.group());
        true
    }

    /// Probes of one refill.
    const fn group(&self) -> usize {
        self.tables[0].group
    }

    /// Refills of `S` probes that pass neither the end nor the room for differences: two of a probe, if it finds two.
    #[inline(always)]
    fn refills<const S: usize>(&self) -> usize {
        let bits = self.end.saturating_sub(self.at) / WINDOW_BITS;
        bits.min((self.out.len() - self.made) / (2 * S))
    }

    /// Whether there are so many refills.
    fn has_refills(&self, refills: usize) -> bool {
        self.end.saturating_sub(self.at) >= refills * WINDOW_BITS
            && self.out.len() - self.made >= refills * 2 * self.group()
    }
}

/// Codes that are followed one by one.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    tables: &'a [&'a Table],
    bits: &'a [u8],
    at: usize,
    turn: usize,
    made: usize,
}

impl<'a> Walk<'a> {
    /// Codes of `bits` from position `at` on. `tables` are taken in turn, that of `turn` first.
    pub(crate) const fn new(tables: &'a [&'a Table], turn: usize, bits: &'a [u8], at: usize) -> Self {
        Self { tables, bits, at, turn, made: 0 }
    }

    /// Takes one code: its difference, `None` for an unassigned one, which counts as one bit.
    #[inline]
    pub(crate) fn step(&mut self) -> Option<u16> {
        let symbol = self.tables.get(self.turn)?.probe(window(self.bits, self.at));
        self.at += symbol.unwrap_or(UNASSIGNED).0 as usize;
        self.made += 1;
        self.turn = next(self.turn, self.tables.len());
        symbol.map(|(_, difference)| difference)
    }

    /// Position behind the last code.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// Codes taken.
    pub(crate) const fn made(&self) -> usize {
        self.made
    }

    /// Whether both have the same codes before them.
    pub(crate) const fn is_where(&self, other: &Self) -> bool {
        self.at == other.at && self.turn == other.turn
    }
}

/// What comes after `turn` of a cycle.
const fn next(turn: usize, cycle: usize) -> usize {
    if turn + 1 < cycle { turn + 1 } else { 0 }
}

/// At least 57 bits from `at` on, left-aligned; zeros behind the end of `bits`.
fn window(bits: &[u8], at: usize) -> u64 {
    let rest = bits.get(at / 8..).unwrap_or_default();
    let word = rest.first_chunk().map_or_else(
        || {
            let mut last = [0; 8];
            last.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
            last
        },
        |word| *word,
    );
    u64::from_be_bytes(word) << (at % 8)
}

/// Takes each of `tasks` to its end.
pub(crate) fn run(tasks: &mut [Task<'_>], tier: CpuLevel) {
    super::cpu::dispatch!(tier, v4 run(tasks));
}

#[cfg(test)]
mod tests;
