//! Palettes: one output entry per stored value (PS3.3 C.7.6.3.1.5).

use crate::error::{Result, malformed, output};
use crate::sample::{SampleType, Samples};
use std::sync::Arc;

const CLAUSE: &str = "PS3.3 C.7.6.3.1.5";
/// Maximum number of entries: one per value of 16 bits.
const MAX_ENTRIES: usize = 1 << 16;

/// Entries of a table, padded to a power of two: an index needs a mask instead of a check.
#[derive(Debug, Clone, PartialEq)]
pub enum PaletteEntries {
    /// One sample of 8 bits.
    U8(Vec<u8>),
    /// One sample of 16 bits.
    U16(Vec<u16>),
    /// One sample from 0.0 to 1.0.
    F32(Vec<f32>),
    /// Red, green and blue of 8 bits in the lowest 24 bits, red first.
    Rgb8(Vec<u32>),
    /// Red, green and blue of 16 bits.
    Rgb16(Vec<[u16; 3]>),
    /// Red, green and blue from 0.0 to 1.0.
    RgbF32(Vec<[f32; 3]>),
}

impl PaletteEntries {
    /// Type of the output samples.
    #[must_use]
    pub const fn sample_type(&self) -> SampleType {
        match self {
            Self::U8(_) | Self::Rgb8(_) => SampleType::U8,
            Self::U16(_) | Self::Rgb16(_) => SampleType::U16,
            Self::F32(_) | Self::RgbF32(_) => SampleType::F32,
        }
    }

    /// Output samples per entry: 1 or 3.
    #[must_use]
    pub const fn samples_per_entry(&self) -> usize {
        match self {
            Self::U8(_) | Self::U16(_) | Self::F32(_) => 1,
            Self::Rgb8(_) | Self::Rgb16(_) | Self::RgbF32(_) => 3,
        }
    }
}

/// Output = entry\[stored - first mapped value\]. Stored values before or after the table have its first or last entry.
#[derive(Debug, Clone)]
pub struct Palette {
    first_mapped: i64,
    /// Number of entries: 1 to 65 536.
    count: usize,
    entries: Arc<PaletteEntries>,
}

impl PartialEq for Palette {
    fn eq(&self, other: &Self) -> bool {
        (self.first_mapped, self.count) == (other.first_mapped, other.count)
            && (Arc::ptr_eq(&self.entries, &other.entries) || self.entries == other.entries)
    }
}

impl Palette {
    /// A table whose first entry belongs to the stored value `first_mapped`. `entries` has `components` samples per entry:
    /// 1, or 3 for RGB.
    ///
    /// # Errors
    /// `Malformed` if there are no entries, or more than 65 536; `Output` for another type than `uint8`, `uint16` or
    /// `float32`, or another number of components.
    pub fn new(first_mapped: i64, entries: Samples<'_>, components: usize) -> Result<Self> {
        let count = entries.len().checked_div(components).unwrap_or(0);
        if count == 0 || count > MAX_ENTRIES {
            return Err(malformed(format!("palette has {count} entries, 1 to {MAX_ENTRIES} expected"), CLAUSE));
        }
        let entries = match (entries, components) {
            (Samples::U8(entries), 1) => PaletteEntries::U8(padded(entries.to_vec())),
            (Samples::U16(entries), 1) => PaletteEntries::U16(padded(entries.to_vec())),
            (Samples::F32(entries), 1) => PaletteEntries::F32(padded(entries.to_vec())),
            (Samples::U8(entries), 3) => {
                let packed = entries.as_chunks().0.iter().map(|[r, g, b]| u32::from_le_bytes([*r, *g, *b, 0]));
                PaletteEntries::Rgb8(padded(packed.collect()))
            }
            (Samples::U16(entries), 3) => PaletteEntries::Rgb16(padded(entries.as_chunks().0.to_vec())),
            (Samples::F32(entries), 3) => PaletteEntries::RgbF32(padded(entries.as_chunks().0.to_vec())),
            (entries, _) => {
                let text = format!(
                    "palette of {} with {components} components, uint8, uint16 or float32 with 1 or 3 expected",
                    entries.sample_type().name()
                );
                return Err(output(text, CLAUSE));
            }
        };
        Ok(Self { first_mapped, count, entries: Arc::new(entries) })
    }

    /// Stored value of the first entry.
    #[must_use]
    pub const fn first_mapped(&self) -> i64 {
        self.first_mapped
    }

    /// Number of entries: 1 to 65 536.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Entries in the order of the stored values, padded.
    #[must_use]
    pub fn entries(&self) -> &PaletteEntries {
        &self.entries
    }
}

/// Appends default entries up to a power of two.
fn padded<T: Clone + Default>(mut entries: Vec<T>) -> Vec<T> {
    entries.resize(entries.len().next_power_of_two(), T::default());
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn palette_without_or_with_too_many_entries_is_malformed() {
        for count in [0, MAX_ENTRIES + 1] {
            let error = Palette::new(0, Samples::U8(&vec![1; count]), 1).unwrap_err();
            assert_eq!((error.kind(), error.clause()), (ErrorKind::Malformed, CLAUSE));
        }
    }

    #[test]
    fn palette_of_other_types_or_components_is_an_output_error() {
        for (entries, components) in [(Samples::I16(&[1, 2, 3]), 3), (Samples::U8(&[1, 2]), 2)] {
            assert_eq!(Palette::new(0, entries, components).unwrap_err().kind(), ErrorKind::Output);
        }
    }

    #[test]
    fn palette_of_rgb_bytes_is_packed_and_padded() {
        let palette = Palette::new(-3, Samples::U8(&[1, 2, 3, 4, 5, 6, 7, 8, 9]), 3).unwrap();
        assert_eq!((palette.first_mapped(), palette.count()), (-3, 3));
        let expected = vec![0x0003_0201, 0x0006_0504, 0x0009_0807, 0];
        assert_eq!(*palette.entries(), PaletteEntries::Rgb8(expected));
    }
}
