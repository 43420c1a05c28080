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
use crate::value::Value;
use std::ops::Range;

pub(super) const ITEM: [u8; 4] = [0xFE, 0xFF, 0x00, 0xE0];
pub(super) const SEQUENCE_DELIMITER: [u8; 4] = [0xFE, 0xFF, 0xDD, 0xE0];
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

/// Returns all fragments of the items from byte `first_item` on.
pub(super) fn read_fragments(value: Value<'_>, first_item: usize) -> Result<Vec<Fragment>> {
    let mut fragments = Vec::new();
    let mut offset = first_item;
    while let Some(fragment) = read_item(value, offset)? {
        offset = fragment.end;
        fragments.push(fragment);
    }
    Ok(fragments)
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
