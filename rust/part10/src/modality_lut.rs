//! Modality LUT Sequence (PS3.3 C.11.1, C.11.1.1.1): descriptor and data of every encoding as one table.
//!
//! ```text
//! LUT Descriptor   number of entries (0: 65 536) \ first mapped value, signed as Pixel Representation \ bits per entry
//! LUT Data         16 bits per entry, or 8 bits: two entries per word, or one per word as some writers have it
//! ```
//!
//! Writers declare US, SS or OW, and implicit VR none: the values are read as words whatever the VR.

use crate::element::{Element, Tag};
use crate::object::Object;
use dicoxide_core::{DecodeError, Deviation, ErrorKind, LookupTable, Result};

const MODALITY_LUT_SEQUENCE: Tag = Tag(0x0028_3000);
const LUT_DESCRIPTOR: Tag = Tag(0x0028_3002);
const LUT_DATA: Tag = Tag(0x0028_3006);
const CLAUSE: &str = "PS3.3 C.11.1.1.1";
/// Entries of a table whose declared number is 0.
const MAX_ENTRIES: usize = 1 << 16;

/// The table of a data set, and deviations that do not change it.
#[derive(Debug, Clone)]
pub struct ModalityLut {
    /// The table.
    pub table: LookupTable,
    /// Deviations of the sequence and its item.
    pub deviations: Vec<Deviation>,
}

/// LUT Descriptor (0028,3002).
struct Descriptor {
    entries: usize,
    first_mapped: i64,
    bits: u16,
}

impl Object {
    /// True if a Modality LUT Sequence replaces the rescale attributes (PS3.3 C.11.1).
    ///
    /// # Errors
    /// The errors of [`Self::items`].
    pub fn has_modality_lut(&self) -> Result<bool> {
        let sequence = self.data_set().get(MODALITY_LUT_SEQUENCE);
        Ok(sequence.map(|sequence| self.items(sequence)).transpose()?.is_some_and(|items| !items.is_empty()))
    }

    /// Reads the Modality LUT of stored values that are signed or not; `None` if the data set has none.
    ///
    /// # Errors
    /// `Malformed` if the table cannot be read as the standard defines it; the errors of [`Self::items`].
    pub fn modality_lut(&self, is_signed: bool) -> Result<Option<ModalityLut>> {
        let Some(sequence) = self.data_set().get(MODALITY_LUT_SEQUENCE) else { return Ok(None) };
        let items = self.items(sequence)?;
        let Some(item) = items.first() else { return Ok(None) };
        let mut deviations = Vec::new();
        if items.len() > 1 {
            let text = format!("Modality LUT Sequence has {} items, 1 expected: the first is used", items.len());
            deviations.push(Deviation::new(text, "PS3.3 C.11.1"));
        }
        let element = |tag, name| item.get(tag).ok_or_else(|| malformed(&format!("{name} is missing")));
        let descriptor = self.descriptor(element(LUT_DESCRIPTOR, "LUT Descriptor")?, is_signed)?;
        let table = self.table(element(LUT_DATA, "LUT Data")?, &descriptor, &mut deviations)?;
        Ok(Some(ModalityLut { table, deviations }))
    }

    fn descriptor(&self, element: &Element, is_signed: bool) -> Result<Descriptor> {
        let bytes = self.read_attribute(element)?;
        let words: Vec<u16> = words(&bytes, element.encoding.is_big_endian).collect();
        let (&[entries, first, bits], true) = (words.as_slice(), element.length == 6) else {
            let found = if element.length.is_multiple_of(2) {
                (element.length / 2, "values")
            } else {
                (element.length, "bytes")
            };
            return Err(malformed(&format!("LUT Descriptor has {} {}, 3 values expected", found.0, found.1)));
        };
        Ok(Descriptor {
            entries: if entries == 0 { MAX_ENTRIES } else { usize::from(entries) },
            first_mapped: if is_signed { first.cast_signed().into() } else { first.into() },
            bits,
        })
    }

    /// Returns the table, whose declared number of entries has to be present; bytes after them are not read.
    fn table(
        &self,
        element: &Element,
        descriptor: &Descriptor,
        deviations: &mut Vec<Deviation>,
    ) -> Result<LookupTable> {
        let &Descriptor { entries, first_mapped, bits } = descriptor;
        if !(8..=16).contains(&bits) {
            return Err(malformed(&format!("LUT Descriptor has {bits} bits per entry, 8 or 16 expected")));
        }
        if bits != 8 && bits != 16 {
            let text = format!(
                "Modality LUT: LUT Descriptor has {bits} bits per entry, 8 or 16 expected: entries of 16 bits are used"
            );
            deviations.push(Deviation::new(text, CLAUSE));
        }
        let is_packed = bits == 8 && element.length < 2 * entries as u64;
        let entry_bytes = if is_packed { 1 } else { 2 };
        // Words are whole, so a packed table with an odd number of entries has a byte of padding.
        let (needed, padded) = (entries * entry_bytes, (entries * entry_bytes).next_multiple_of(2));
        if element.length < needed as u64 {
            return Err(malformed(&format!("LUT Data has {} bytes, {needed} expected", element.length)));
        }
        if element.length > padded as u64 {
            let text = format!(
                "Modality LUT: LUT Data has {} bytes, {padded} expected: the others are ignored",
                element.length
            );
            deviations.push(Deviation::new(text, CLAUSE));
        }
        let length = element.length.min(padded as u64);
        let bytes = self.read(&Element { length, ..*element })?;
        // PS3.5 7.3: words are swapped in big endian, the bytes of OB are not.
        let is_swapped = element.encoding.is_big_endian && element.vr != Some(*b"OB");
        if is_packed {
            let (pairs, last) = bytes.as_chunks::<2>();
            let swapped = pairs.iter().flat_map(|&[a, b]| if is_swapped { [b, a] } else { [a, b] });
            let entries: Vec<u8> = swapped.chain(last.iter().copied()).take(entries).collect();
            return LookupTable::new(first_mapped, entries.into_iter().map(u16::from));
        }
        if bits == 8
            && let Some(entry) = words(&bytes, is_swapped).find(|entry| *entry > 0xFF)
        {
            return Err(malformed(&format!("LUT Data has an entry {entry}, at most 255 expected of 8 bits")));
        }
        LookupTable::new(first_mapped, words(&bytes, is_swapped).take(entries))
    }
}

/// Words of 16 bits.
fn words(bytes: &[u8], is_big_endian: bool) -> impl ExactSizeIterator<Item = u16> {
    let word = move |pair: &[u8; 2]| if is_big_endian { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
    bytes.as_chunks::<2>().0.iter().map(word)
}

fn malformed(message: &str) -> DecodeError {
    DecodeError::new(ErrorKind::Malformed, format!("Modality LUT: {message}"), CLAUSE)
}
