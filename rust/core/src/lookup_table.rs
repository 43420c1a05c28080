//! Look-up tables from stored values to modality values, and the transforms that frames may have.

use crate::error::{DecodeError, Result, malformed, output};
use crate::sample::Rescale;
use crate::value_ranges::ValueRanges;

/// Maximum number of entries: one per value of 16 bits (PS3.3 C.11.1.1.1).
const MAX_ENTRIES: usize = 1 << 16;

/// Output = entry\[stored - first mapped value\]. Stored values before or after the table have its first or last entry.
#[derive(Debug, Clone, PartialEq)]
pub struct LookupTable {
    first_mapped: i64,
    /// Number of entries: 1 to 65 536.
    count: usize,
    /// The entries, which `f32` holds exactly, padded to a power of two: an index needs a mask instead of a check.
    padded: Vec<f32>,
}

impl LookupTable {
    /// A table whose first entry belongs to the stored value `first_mapped`.
    ///
    /// # Errors
    /// `Malformed` if there are no entries, or more than 65 536.
    ///
    /// # Standard
    /// PS3.3 C.11.1.1.1.
    pub fn new(first_mapped: i64, entries: impl ExactSizeIterator<Item = u16>) -> Result<Self> {
        let count = entries.len();
        if count == 0 || count > MAX_ENTRIES {
            let text = format!("look-up table has {count} entries, 1 to {MAX_ENTRIES} expected");
            return Err(malformed(text, "PS3.3 C.11.1.1.1"));
        }
        let mut padded = Vec::with_capacity(count.next_power_of_two());
        padded.extend(entries.map(f32::from));
        padded.resize(count.next_power_of_two(), 0.0);
        Ok(Self { first_mapped, count, padded })
    }

    /// Stored value of the first entry.
    #[must_use]
    pub const fn first_mapped(&self) -> i64 {
        self.first_mapped
    }

    /// Entries in the order of the stored values: integers from 0 to 65 535.
    #[must_use]
    pub fn entries(&self) -> &[f32] {
        self.padded.get(..self.count).unwrap_or_default()
    }

    /// The entries, then zeros up to a power of two, at most 65 536 in all.
    pub(crate) fn padded(&self) -> &[f32] {
        &self.padded
    }
}

/// Transform of the stored values of a frame to modality or real-world values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueTransform<'a> {
    /// Slope and intercept.
    Linear(Rescale),
    /// One value per stored value.
    Table(&'a LookupTable),
    /// Real-world values of ranges of stored values; NaN for stored values in no range.
    Ranges(&'a ValueRanges),
}

impl ValueTransform<'_> {
    /// True if stored values select entries, so that floats have no value.
    pub(crate) fn needs_integers(&self) -> bool {
        match self {
            Self::Linear(_) => false,
            Self::Table(_) => true,
            Self::Ranges(ranges) => ranges.has_entries(),
        }
    }

    /// Returns the error of the sample at `index`, whose value is undefined or is not an exact integer of the type `name`.
    pub(crate) fn inexact(transform: Option<Self>, index: usize, name: &str) -> DecodeError {
        if matches!(transform, Some(Self::Ranges(_))) {
            let text = format!("the real-world value of sample {index} is undefined, or not exact in {name}");
            return output(text, "PS3.3 C.7.6.16.2.11");
        }
        output(format!("the value of sample {index} is not exact in {name}"), "PS3.3 C.11.1")
    }
}

impl From<Rescale> for ValueTransform<'_> {
    fn from(rescale: Rescale) -> Self {
        Self::Linear(rescale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn lookup_table_without_or_with_too_many_entries_is_malformed() {
        for count in [0, MAX_ENTRIES + 1] {
            let error = LookupTable::new(0, vec![7; count].into_iter()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed);
            assert_eq!(error.message(), format!("look-up table has {count} entries, 1 to 65536 expected"));
            assert_eq!(error.clause(), "PS3.3 C.11.1.1.1");
        }
    }

    #[test]
    fn lookup_table_entries_are_all_words_in_order() {
        let table = LookupTable::new(-5, 0..=u16::MAX).unwrap();
        assert_eq!((table.first_mapped(), table.entries().len(), table.padded().len()), (-5, MAX_ENTRIES, MAX_ENTRIES));
        assert!(table.entries().iter().zip(0..=u16::MAX).all(|(entry, word)| *entry == f32::from(word)));
    }

    #[test]
    fn lookup_table_padding_is_no_part_of_the_entries() {
        for (count, padded) in [(1, 1), (2, 2), (3, 4), (4096, 4096), (4097, 8192)] {
            let table = LookupTable::new(i64::MIN, vec![9; count].into_iter()).unwrap();
            assert_eq!((table.entries().len(), table.padded().len()), (count, padded));
            assert!(table.entries().iter().all(|entry| *entry == 9.0));
        }
    }

    #[test]
    fn value_transform_of_rescale_is_linear() {
        let rescale = Rescale { slope: 2.0, intercept: -1.0 };
        assert_eq!(ValueTransform::from(rescale), ValueTransform::Linear(rescale));
    }
}
