//! Look-up tables from stored values to modality or real-world values, and the transforms that frames may have.

use crate::error::{Result, malformed};
use crate::sample::Rescale;

/// Maximum number of entries: one per value of 16 bits (PS3.3 C.11.1.1.1).
const MAX_ENTRIES: usize = 1 << 16;

/// Output = entry\[stored - first mapped value\]. Stored values before or after the table have its first or last entry.
#[derive(Debug, Clone, PartialEq)]
pub struct LookupTable {
    first_mapped: i64,
    /// At least one.
    entries: Vec<f64>,
    /// The entries, rounded once: half the size, so that more of a table fits the L1 cache.
    rounded: Vec<f32>,
}

impl LookupTable {
    /// A table whose first entry belongs to the stored value `first_mapped`.
    ///
    /// # Errors
    /// `Malformed` if there are no entries, or more than 65 536.
    ///
    /// # Standard
    /// PS3.3 C.11.1.1.1.
    pub fn new(first_mapped: i64, entries: Vec<f64>) -> Result<Self> {
        if entries.is_empty() || entries.len() > MAX_ENTRIES {
            let text = format!("look-up table has {} entries, 1 to {MAX_ENTRIES} expected", entries.len());
            return Err(malformed(text, "PS3.3 C.11.1.1.1"));
        }
        #[allow(clippy::cast_possible_truncation, reason = "the one rounding that is wanted")]
        let rounded = entries.iter().map(|entry| *entry as f32).collect();
        Ok(Self { first_mapped, entries, rounded })
    }

    /// Stored value of the first entry.
    #[must_use]
    pub const fn first_mapped(&self) -> i64 {
        self.first_mapped
    }

    /// Entries in the order of the stored values.
    #[must_use]
    pub fn entries(&self) -> &[f64] {
        &self.entries
    }

    /// Entries, rounded to `f32`.
    pub(crate) fn rounded(&self) -> &[f32] {
        &self.rounded
    }
}

/// Transform of the stored values of a frame to modality or real-world values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueTransform<'a> {
    /// Slope and intercept.
    Linear(Rescale),
    /// One value per stored value.
    Table(&'a LookupTable),
}

impl From<Rescale> for ValueTransform<'_> {
    fn from(rescale: Rescale) -> Self {
        Self::Linear(rescale)
    }
}
