//! Huffman tables of DHT segments (T.81 B.2.4.2, Annex C).

use super::marker::Parameters;
use crate::error::{Result, malformed};

/// A Huffman table as DHT specifies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::codec) struct HuffmanTable {
    /// BITS: `counts[n - 1]` is the number of codes of n bits. The codes are prefix-free.
    pub(in crate::codec) counts: [u8; 16],
    /// HUFFVAL: values of the codes, shortest code first.
    pub(in crate::codec) values: Vec<u8>,
}

/// Table class Tc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) enum TableClass {
    /// DC coefficients, or differences of a lossless process.
    Dc,
    /// AC coefficients.
    Ac,
}

/// The four destinations of each class. A table that is defined again replaces the one before.
#[derive(Debug, Clone, Default)]
pub(in crate::codec) struct HuffmanTables {
    dc: [Option<DefinedTable>; 4],
    ac: [Option<DefinedTable>; 4],
}

/// A table and the byte offset of its values.
#[derive(Debug, Clone)]
struct DefinedTable {
    table: HuffmanTable,
    values_offset: usize,
}

impl HuffmanTables {
    /// Stores the tables of one DHT segment.
    ///
    /// # Errors
    /// `Malformed` if a parameter is out of its range, or if no prefix code has these numbers of codes of each length.
    pub(in crate::codec) fn define(&mut self, mut parameters: Parameters<'_>) -> Result<()> {
        while !parameters.is_empty() {
            let offset = parameters.offset();
            let (class, destination) = parameters.u4_pair()?;
            let table_class = match class {
                0 => Some(TableClass::Dc),
                1 => Some(TableClass::Ac),
                _ => None,
            };
            let Some(slot) = table_class.and_then(|class| self.slot_mut(class, destination)) else {
                let text = format!("class {class} and destination {destination} found, 0 to 1 and 0 to 3 expected");
                return Err(malformed(text, "ITU-T T.81 B.2.4.2").at(offset));
            };
            let table = HuffmanTable::parse(&mut parameters)?;
            let values_offset = parameters.offset() - table.values.len();
            *slot = Some(DefinedTable { table, values_offset });
        }
        Ok(())
    }

    fn slot_mut(&mut self, class: TableClass, destination: u8) -> Option<&mut Option<DefinedTable>> {
        let tables = match class {
            TableClass::Dc => &mut self.dc,
            TableClass::Ac => &mut self.ac,
        };
        tables.get_mut(usize::from(destination))
    }

    /// Returns the table at `destination`, and the byte offset of its values.
    pub(in crate::codec) fn get(&self, class: TableClass, destination: u8) -> Option<(&HuffmanTable, usize)> {
        let tables = match class {
            TableClass::Dc => &self.dc,
            TableClass::Ac => &self.ac,
        };
        let defined = tables.get(usize::from(destination))?.as_ref()?;
        Some((&defined.table, defined.values_offset))
    }
}

impl HuffmanTable {
    /// Reads counts and values of one table.
    ///
    /// Codes are numbered as in Figures C.1 and C.2: those of one length are consecutive, and the first code of the next
    /// length appends a 0. The table need not use all codes: that of all ones must stay free (C.2), and encoders leave out
    /// others.
    fn parse(parameters: &mut Parameters<'_>) -> Result<Self> {
        let clause = "ITU-T T.81 Annex C";
        let counts_offset = parameters.offset();
        let counts = *parameters.take(16)?.first_chunk::<16>().unwrap_or(&[0; 16]);
        let total: usize = counts.iter().map(|count| usize::from(*count)).sum();
        if total == 0 || total > 256 {
            return Err(malformed(format!("{total} huffman codes found, 1 to 256 expected"), clause).at(counts_offset));
        }
        let mut code_end = 0_u32;
        for (length, count) in (1_u32..).zip(counts) {
            code_end = (code_end << 1) + u32::from(count);
            if code_end > 1 << length {
                let excess = code_end - (1 << length);
                let max = u32::from(count).saturating_sub(excess);
                let text = format!("{count} huffman codes of {length} bits found, at most {max} expected");
                return Err(malformed(text, clause).at(counts_offset + length as usize - 1));
            }
        }
        Ok(Self { counts, values: parameters.take(total)?.to_vec() })
    }
}
