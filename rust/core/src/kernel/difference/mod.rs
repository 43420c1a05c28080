//! Huffman codes → differences of the lossless process (T.81 H.1.2.2, Table H.2).
//!
//! ```text
//! window  │ code │ further bits │ …      one probe by the top 12 bits: the length of both, and a bias, so that
//!                                        difference = (window >> (64 - length)) + bias   (modulo 2^16)
//! ```
//!
//! Several symbols are taken from one 64-bit window; the fast body takes up to four tasks in lock-step, because
//! a symbol's place is known only when the one before it is. A task ends with the same numbers on every tier.

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::Tier;
use std::fmt;

/// Bits of a window that find an entry.
const INDEX_BITS: u32 = 12;
/// Bits of a window that are good to use after a refill, whatever the position within a byte.
const WINDOW_BITS: usize = 56;
/// Bytes behind the end of a task's bits that a window may read.
pub(crate) const PAD_BYTES: usize = 16;
/// Most symbols of one refill.
const MAX_GROUP: usize = 8;
/// How many symbols a refill may be for.
const GROUPS: [usize; 4] = [2, 3, 4, 8];
/// The category whose difference is 32768, without further bits.
const NO_FURTHER_BITS: u32 = 16;

/// Bits 0 to 5 of an entry are the length; this one is of what is longer than its share of a refill, or not told by one
/// probe. Behind it nothing is left of a window, and so of the mark that tells how much of it was taken.
const MISS: u32 = 63;
/// Bits 11 to 15 are the length of a symbol that is longer than its share, bits 16 to 31 the bias.
const LONG_AT: u32 = 11;
/// What is set at the bottom of a window: the zeros below it are the bits that were taken, 64 after a miss.
const MARK: u64 = 1;
/// Set in the bits taken after a miss, and in no other number of bits.
const MISSED: u32 = 64;

/// A Huffman table, ready for probing.
pub(crate) struct Table {
    entries: Box<[u32; 1 << INDEX_BITS]>,
    /// Symbols of one refill; none that is in `entries` is longer than its share of a window.
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
    /// The table with `counts` codes of 1 to 16 bits, for `group` symbols a refill, or the next number below that there is code for.
    pub(crate) fn new(counts: [u8; 16], categories: &[u8], group: usize) -> Self {
        let group = GROUPS.into_iter().rev().find(|fits| *fits <= group).unwrap_or(2);
        let longest = u32::try_from(WINDOW_BITS / group).unwrap_or(0);
        let mut table = Self {
            entries: Box::new([MISS; 1 << INDEX_BITS]),
            group,
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
                table.enter(code, length, category, longest);
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
    fn enter(&mut self, code: u32, length: u32, category: u32, longest: u32) {
        let further = if category == NO_FURTHER_BITS { 0 } else { category };
        let total = length + further;
        let known = length + u32::from(further > 0);
        if known > INDEX_BITS {
            return;
        }
        let length = if total > longest { MISS | total << LONG_AT } else { total };
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
            let span = index as usize..(index as usize) + (1 << (INDEX_BITS - known));
            if let Some(entries) = self.entries.get_mut(span) {
                entries.fill(length | bias << 16);
            }
        }
    }

    /// Symbols of one refill.
    pub(crate) const fn group(&self) -> usize {
        self.group
    }

    /// The symbol at the top of `window`: its bits and its difference, `None` for a code that no value is assigned to.
    #[inline(always)]
    fn probe(&self, window: u64) -> Option<(u32, u16)> {
        let entry = self.entries.get((window >> 52) as usize).copied().unwrap_or(MISS);
        let length = if entry & 63 == MISS { entry >> LONG_AT & 31 } else { entry & 63 };
        if length == 0 {
            return self.symbol(window);
        }
        #[expect(clippy::cast_possible_truncation, reason = "differences are modulo 2^16")]
        Some((length, ((window >> (64 - length)) as u16).wrapping_add((entry >> 16) as u16)))
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
    bits: &'a [u8],
    /// Position of the next code, in bits.
    at: usize,
    /// No code begins here or behind.
    end: usize,
    out: &'a mut [u16],
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
        let end = end.min(bits.len().saturating_sub(PAD_BYTES) * 8);
        Some(Self { tables: cycle, bits, at, end, out, made: 0, unassigned: 0 })
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
        let Some(table) = self.tables.get(self.made % self.group()) else { return false };
        let Some(to) = self.out.get_mut(self.made) else { return false };
        let (bits, difference) = table.probe(window(self.bits, self.at)).unwrap_or_else(|| {
            self.unassigned = self.made + 1;
            (1, 0)
        });
        *to = difference;
        self.at += bits as usize;
        self.made += 1;
        true
    }

    /// Symbols of one refill.
    const fn group(&self) -> usize {
        self.tables[0].group
    }

    /// Refills that pass neither the end nor the room for differences, if no symbol is longer than its share.
    fn refills(&self) -> usize {
        let bits = self.end.saturating_sub(self.at) / WINDOW_BITS;
        bits.min((self.out.len() - self.made) / self.group())
    }
}

/// At least [`WINDOW_BITS`] bits from `at` on, left-aligned; zeros behind the end of `bits`.
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
pub(crate) fn run(tasks: &mut [Task<'_>], tier: Tier) {
    super::cpu::dispatch!(tier, run(tasks));
}

#[cfg(test)]
mod tests;
