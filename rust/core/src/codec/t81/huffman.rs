//! Huffman tables as DHT defines them (T.81 B.2.4.2, Annex C).

use super::marker::Parameters;
use crate::error::{Result, malformed};

/// One table: how many codes there are of each length, and what they stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::codec) struct HuffmanTable {
    /// Codes of 1 to 16 bits; so many that none is the beginning of another.
    pub(in crate::codec) counts: [u8; 16],
    /// What they stand for, shortest code first.
    pub(in crate::codec) values: Vec<u8>,
}

/// The four destinations for DC coefficients, or for differences; what is defined replaces what was.
#[derive(Debug, Clone, Default)]
pub(in crate::codec) struct HuffmanTables {
    dc: [Option<(HuffmanTable, usize)>; 4],
}

impl HuffmanTables {
    /// Takes the tables of one DHT segment. Those for AC coefficients are checked and dropped.
    ///
    /// # Errors
    /// `Malformed` if the segment's numbers contradict each other or no codes can be made of them.
    pub(in crate::codec) fn define(&mut self, mut parameters: Parameters<'_>) -> Result<()> {
        while !parameters.is_empty() {
            let offset = parameters.at();
            let (class, destination) = parameters.halves()?;
            if class > 1 || destination > 3 {
                let text = format!("class {class} and destination {destination} found, 0 to 1 and 0 to 3 expected");
                return Err(malformed(text, "ITU-T T.81 B.2.4.2").at(offset));
            }
            let table = HuffmanTable::parse(&mut parameters)?;
            let values_at = parameters.at() - table.values.len();
            if class == 0
                && let Some(slot) = self.dc.get_mut(usize::from(destination))
            {
                *slot = Some((table, values_at));
            }
        }
        Ok(())
    }

    /// The table at `destination`, and where its values are.
    pub(in crate::codec) fn dc(&self, destination: u8) -> Option<(&HuffmanTable, usize)> {
        self.dc.get(usize::from(destination))?.as_ref().map(|(table, values_at)| (table, *values_at))
    }
}

impl HuffmanTable {
    /// Codes are made of each length in turn, each one up from the one before (Annex C, Figures C.1 and C.2).
    /// Not all need be assigned: the one of all ones never is, by C.2, and encoders leave out others.
    fn parse(parameters: &mut Parameters<'_>) -> Result<Self> {
        let clause = "ITU-T T.81 Annex C";
        let counts_at = parameters.at();
        let counts = *parameters.take(16)?.first_chunk::<16>().unwrap_or(&[0; 16]);
        let total: usize = counts.iter().map(|count| usize::from(*count)).sum();
        if total == 0 || total > 256 {
            return Err(malformed(format!("{total} Huffman codes found, 1 to 256 expected"), clause).at(counts_at));
        }
        let mut next = 0_u32;
        for (length, count) in (1_u32..).zip(counts) {
            next = (next << 1) + u32::from(count);
            if next > 1 << length {
                let text = format!("more Huffman codes of up to {length} bits found than there can be");
                return Err(malformed(text, clause).at(counts_at + length as usize - 1));
            }
        }
        Ok(Self { counts, values: parameters.take(total)?.to_vec() })
    }
}
