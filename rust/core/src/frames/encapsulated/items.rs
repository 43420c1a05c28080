//! Items of an encapsulated value, and the grouping of fragments by frame without an offset table.
//!
//! ```text
//! fragments = declared frames    one fragment per frame
//! fragments < declared frames    error
//! fragments > declared frames    a fragment that the codec recognises as the start of a frame begins a new one;
//!                                fewer frames than declared: error; more: deviation, all of them are present
//! ```

use super::CLAUSE;
use crate::error::{Result, malformed, truncated};
use crate::frame::Deviation;
use crate::value::Value;
use std::ops::Range;

pub(super) const ITEM: [u8; 4] = [0xFE, 0xFF, 0x00, 0xE0];
pub(super) const SEQUENCE_DELIMITER: [u8; 4] = [0xFE, 0xFF, 0xDD, 0xE0];
/// Tag of the delimiter that ends an item, not a sequence.
const ITEM_DELIMITER: [u8; 4] = [0xFE, 0xFF, 0x0D, 0xE0];
/// Tag of Data Set Trailing Padding (PS3.10 7.2), the only element that follows Pixel Data in practice.
const TRAILING_PADDING: [u8; 4] = [0xFC, 0xFF, 0xFC, 0xFF];
/// Size of an item's tag and length in bytes.
pub(super) const HEADER_BYTES: usize = 8;

/// Byte range of one fragment in the value, without the item header.
pub(super) type Fragment = Range<usize>;

/// Reads the item header at byte `offset` and returns the byte range of its data.
///
/// `None` at the end of the value, at the Sequence Delimitation Item, or if only zero padding follows.
pub(super) fn read_item(value: Value<'_>, offset: usize) -> Result<Option<Range<usize>>> {
    let mut header = [0; HEADER_BYTES];
    let header = value.head(offset, &mut header)?;
    if header.is_empty() || header.starts_with(&SEQUENCE_DELIMITER) {
        return Ok(None);
    }
    item_range(value, offset, header)
}

/// Returns the byte range of the data of the item at byte `offset`; `None` if the value ends there with fewer than 8 zero
/// bytes. `header` has the 8 bytes at `offset`, fewer at the end of the value.
fn item_range(value: Value<'_>, offset: usize, header: &[u8]) -> Result<Option<Range<usize>>> {
    let Some(&[t0, t1, t2, t3, l0, l1, l2, l3]) = header.first_chunk::<HEADER_BYTES>() else {
        // Some writers pad the whole value instead of the last fragment.
        if header.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let text = format!("{} bytes found, item header of 8 bytes expected", header.len());
        return Err(truncated(text, CLAUSE).at(offset));
    };
    if [t0, t1, t2, t3] != ITEM {
        let text = format!("tag ({t1:02X}{t0:02X},{t3:02X}{t2:02X}) found, item (FFFE,E000) expected");
        return Err(malformed(text, CLAUSE).at(offset));
    }
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    if length == u32::MAX {
        return Err(malformed("item of undefined length found, explicit length expected", CLAUSE).at(offset + 4));
    }
    let start = offset + HEADER_BYTES;
    let bytes_left = value.len() - start;
    if length as usize > bytes_left {
        let text = format!("item of {length} bytes found, {bytes_left} bytes left");
        return Err(truncated(text, CLAUSE).at(value.len()));
    }
    Ok(Some(start..start + length as usize))
}

/// Kind of the bytes after the last fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemsEnd {
    /// The Sequence Delimitation Item.
    Delimiter,
    /// The end of the value, fewer than 8 zero bytes, or Data Set Trailing Padding.
    Missing,
    /// 8 or more zero bytes up to the end of the value, from this offset on.
    Zeros(usize),
    /// An Item Delimitation Item at this offset.
    ItemDelimiter(usize),
}

impl ItemsEnd {
    /// The deviation of this end, if it has one. A value may be without its delimiter unless `expects_delimiter`.
    pub(super) fn deviation(self, expects_delimiter: bool) -> Option<Deviation> {
        let expected = "sequence delimiter (FFFE,E0DD) expected";
        match self {
            Self::Delimiter => None,
            Self::Missing => expects_delimiter
                .then(|| Deviation::new("sequence delimiter (FFFE,E0DD) is missing after the last fragment", CLAUSE)),
            Self::Zeros(offset) => Some(Deviation::new(format!("zero bytes found, {expected}"), CLAUSE).at(offset)),
            Self::ItemDelimiter(offset) => {
                Some(Deviation::new(format!("item delimiter (FFFE,E00D) found, {expected}"), CLAUSE).at(offset))
            }
        }
    }
}

/// A fragment, or the end of the items.
pub(super) enum Next {
    Fragment(Fragment),
    End(ItemsEnd),
}

/// Reads the item after a fragment, at byte `offset`, and accepts what some writers put in place of the delimiter.
pub(super) fn next_fragment(value: Value<'_>, offset: usize) -> Result<Next> {
    let mut header = [0; HEADER_BYTES];
    let header = value.head(offset, &mut header)?;
    if !header.starts_with(&ITEM)
        && let Some(end) = items_end(value, offset, header)?
    {
        return Ok(Next::End(end));
    }
    Ok(item_range(value, offset, header)?.map_or(Next::End(ItemsEnd::Missing), Next::Fragment))
}

/// Returns how the items end, if they end at `offset`, where the bytes start with `header`; `None` if they do not.
///
/// Zero bytes end the items only if no other byte follows. So the time is proportional to the bytes up to the next item.
#[cold]
fn items_end(value: Value<'_>, offset: usize, header: &[u8]) -> Result<Option<ItemsEnd>> {
    Ok(match header.first_chunk::<4>() {
        _ if header.is_empty() => Some(ItemsEnd::Missing),
        Some(&SEQUENCE_DELIMITER) => Some(ItemsEnd::Delimiter),
        Some(&ITEM_DELIMITER) => Some(ItemsEnd::ItemDelimiter(offset)),
        Some(&TRAILING_PADDING) => Some(ItemsEnd::Missing),
        Some([0, 0, 0, 0]) if header.len() == HEADER_BYTES && is_zero_from(value, offset)? => {
            Some(ItemsEnd::Zeros(offset))
        }
        _ => None,
    })
}

/// True if all bytes from `offset` to the end of the value are zero.
fn is_zero_from(value: Value<'_>, mut offset: usize) -> Result<bool> {
    let mut block = [0; 4096];
    loop {
        let bytes = value.head(offset, &mut block)?;
        if bytes.is_empty() {
            return Ok(true);
        }
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        offset += bytes.len();
    }
}

/// Returns all fragments of the items from byte `first_item` on, and what follows them.
pub(super) fn read_fragments(value: Value<'_>, first_item: usize) -> Result<(Vec<Fragment>, ItemsEnd)> {
    let mut fragments = Vec::new();
    let mut offset = first_item;
    loop {
        match next_fragment(value, offset)? {
            Next::Fragment(fragment) => {
                offset = fragment.end;
                fragments.push(fragment);
            }
            Next::End(end) => return Ok((fragments, end)),
        }
    }
}

/// Groups fragments by frame as the module describes. Returns the index of the first fragment after each frame.
pub(super) fn group_by_frame(
    value: Value<'_>,
    fragments: &[Fragment],
    declared: usize,
    starts_frame: &dyn Fn(&Fragment) -> Result<bool>,
) -> Result<Vec<usize>> {
    if fragments.len() < declared {
        let text = format!("{} fragments found, {declared} frames expected", fragments.len());
        return Err(truncated(text, CLAUSE).at(value.len()));
    }
    if fragments.len() == declared {
        return Ok((1..=declared).collect());
    }
    let mut frame_ends = Vec::new();
    // A frame is not empty: leading empty fragments belong to the first frame.
    let first = fragments.iter().position(|fragment| !fragment.is_empty()).unwrap_or(0);
    for (index, fragment) in fragments.iter().enumerate().skip(first + 1) {
        if starts_frame(fragment)? {
            frame_ends.push(index);
        }
    }
    frame_ends.push(fragments.len());
    if frame_ends.len() < declared {
        let text = format!(
            "{} fragments found for {declared} frames, only {} frame starts recognised",
            fragments.len(),
            frame_ends.len()
        );
        return Err(malformed(text, CLAUSE));
    }
    Ok(frame_ends)
}
