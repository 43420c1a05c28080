//! Symbols of one bit string: decoded by the kernels ([`Task`]) or read one by one ([`Cursor`]).

use super::table::{Entries, Table};
use super::{MAX_PROBES_PER_REFILL, MAX_WINDOW_BITS, PAD_BYTES, UNASSIGNED};

/// Decodes consecutive symbols of one bit string into differences.
#[derive(Debug)]
pub(crate) struct Task<'a> {
    /// Table of each symbol of a refill.
    pub(super) tables: [&'a Table; MAX_PROBES_PER_REFILL],
    /// Entries that each probe of a refill looks up. They have pairs only if all symbols use the same table.
    pub(super) entries: [&'a Entries; MAX_PROBES_PER_REFILL],
    pub(super) bits: &'a [u8],
    /// Bit offset of the next symbol.
    pub(super) bit_offset: usize,
    /// Bit offset at which decoding ends: no symbol starts there or later, but the last one may reach beyond.
    pub(super) end_bit: usize,
    pub(super) out: &'a mut [u16],
    /// Index in `tables` of the next symbol's table.
    table_index: usize,
    /// Number of differences in `out`.
    pub(super) decoded: usize,
    /// Value of `decoded` after the last unassigned code, 0 if there was none. Such a code counts as a symbol of one bit
    /// with the difference 0.
    pub(super) unassigned: usize,
}

impl<'a> Task<'a> {
    /// Creates a task that decodes the symbols of `bits` that start in `bit_offset..end_bit`, until `out` is full.
    ///
    /// Symbols use the 1 to 4 `tables` cyclically. `end_bit` is reduced so that [`PAD_BYTES`] bytes of `bits` follow it.
    /// Returns `None` unless all tables are built for the same number of probes per refill, and that number is a multiple
    /// of the number of tables.
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
            let is_same = table.probes_per_refill() == first.probes_per_refill();
            if !is_same || !first.probes_per_refill().is_multiple_of(tables.len()) {
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

    /// Returns the output. The differences are at its start.
    pub(crate) fn into_out(self) -> &'a mut [u16] {
        self.out
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

    pub(super) const fn probes_per_refill(&self) -> usize {
        self.tables[0].probes_per_refill()
    }

    /// Returns the number of refills of `PROBES` probes that neither start a symbol after the end nor decode more
    /// differences than `out` has space for. A probe decodes up to two.
    #[inline(always)]
    pub(super) fn refill_count<const PROBES: usize>(&self) -> usize {
        let refills = self.end_bit.saturating_sub(self.bit_offset) / MAX_WINDOW_BITS;
        refills.min((self.out.len() - self.decoded) / (2 * PROBES))
    }

    /// True if at least `refills` refills are possible.
    pub(super) fn has_refills(&self, refills: usize) -> bool {
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
    /// Creates a cursor at `bit_offset` of `bits`. Symbols use `tables` cyclically, the first one `tables[table_index]`.
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
pub(super) fn window_at(bits: &[u8], bit_offset: usize) -> u64 {
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
