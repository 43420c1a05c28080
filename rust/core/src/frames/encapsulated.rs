//! Frames of an encapsulated value (PS3.5 A.4): items with fragments, found through the offset tables or without.
//!
//! An offset table is only believed where the items agree with it: a frame's fragments must fill the
//! way from its offset to the next one. Where they do not, the items are walked once and frames are told
//! apart by their number, or by how they begin.

use super::PixelData;
use crate::codec::{Codec, HEAD_BYTES};
use crate::error::{Result, malformed, truncated};
use crate::frame::{Deviation, FrameBytes, FrameInfo};
use crate::limits::Limits;
use crate::value::{Value, room};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

const CLAUSE: &str = "PS3.5 A.4";
const ITEM: [u8; 4] = [0xFE, 0xFF, 0x00, 0xE0];
const SEQUENCE_DELIMITER: [u8; 4] = [0xFE, 0xFF, 0xDD, 0xE0];
const HEADER_BYTES: usize = 8;

/// Where to look for the frames; a table is read only at the frame that is asked for.
#[derive(Debug)]
pub(super) struct Encapsulated {
    info: FrameInfo,
    codec: &'static dyn Codec,
    declared: usize,
    /// Whether the Extended Offset Table has an entry for every frame.
    extended: bool,
    /// The data of the Basic Offset Table item, empty where it cannot be of use.
    basic: Range<usize>,
    /// Offset of the first byte after the Basic Offset Table item.
    first_item: usize,
    /// What walking all items found, once a table was no help.
    items: OnceLock<Result<Items>>,
}

/// The fragments of all frames, and where each frame ends among them.
#[derive(Debug, Clone)]
struct Items {
    fragments: Vec<Range<usize>>,
    ends: Vec<usize>,
}

impl Encapsulated {
    pub(super) fn new(
        data: PixelData<'_>,
        declared: usize,
        info: &FrameInfo,
        codec: &'static dyn Codec,
        deviations: &mut Vec<Deviation>,
    ) -> Result<(Self, usize)> {
        let basic =
            item(data.value, 0)?.ok_or_else(|| truncated("the basic offset table item is missing", CLAUSE).at(0))?;
        let first_item = basic.end;
        let mut table =
            Self { info: *info, codec, declared, extended: true, basic, first_item, items: OnceLock::new() };
        let extended_frames = data.extended.map_or(0, |extended| {
            let (offsets, lengths) = (extended.offsets.len(), extended.lengths.len());
            if offsets == lengths && offsets % 8 == 0 { offsets / 8 } else { 0 }
        });
        table.extended = extended_frames >= declared;
        if table.extended && table.leads_to(data, extended_frames, Self::extended_place) {
            note_more(declared, extended_frames, deviations);
            return Ok((table, extended_frames));
        }
        table.extended = false;
        if data.extended.is_some_and(|extended| !extended.offsets.is_empty()) {
            deviations.push(wrong_extended_table());
        }
        let basic_frames = table.basic.len() / 4;
        if basic_frames >= declared && table.leads_to(data, basic_frames, Self::basic_place) {
            note_more(declared, basic_frames, deviations);
            return Ok((table, basic_frames));
        }
        if !table.basic.is_empty() {
            deviations.push(wrong_table());
        }
        table.basic = 0..0;
        let frames = table.items(data.value)?.ends.len();
        note_more(declared, frames, deviations);
        Ok((table, frames))
    }

    /// The bytes of frame `index`.
    pub(super) fn frame<'a>(
        &self,
        data: PixelData<'a>,
        index: usize,
        limits: &Limits,
        scratch: &'a mut Vec<u8>,
    ) -> Result<FrameBytes<'a>> {
        join(data.value, &self.place(data, index)?, limits, scratch)
    }

    /// How many bytes frame `index` has.
    pub(super) fn frame_bytes(&self, data: PixelData<'_>, index: usize) -> Result<usize> {
        Ok(self.place(data, index)?.iter().map(ExactSizeIterator::len).sum())
    }

    fn place(&self, data: PixelData<'_>, index: usize) -> Result<Cow<'_, [Range<usize>]>> {
        let of_table = if self.extended { self.extended_place(data, index) } else { self.basic_place(data, index) };
        if let Some(place) = of_table {
            return place.map(Cow::Owned);
        }
        let Items { fragments, ends } = self.items(data.value)?;
        if (self.extended || !self.basic.is_empty()) && ends.len() != self.declared {
            // Neither tells which of them the others are.
            let text = format!(
                "the offset table does not lead to frame {index}, and {} frames are there, {} expected",
                ends.len(),
                self.declared
            );
            return Err(malformed(text, CLAUSE));
        }
        let start = index.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
        Ok(Cow::Borrowed(ends.get(index).and_then(|end| fragments.get(start..*end)).unwrap_or_default()))
    }

    /// What was found only when a frame was looked for.
    pub(super) fn deviations(&self) -> Option<Deviation> {
        let table = if self.extended { wrong_extended_table } else { wrong_table };
        ((self.extended || !self.basic.is_empty()) && self.items.get().is_some()).then(table)
    }

    /// Whether a table with `frames` entries can be believed: with one entry a frame each is checked when it is
    /// asked for; frames that the data set does not know of have to be there.
    fn leads_to(
        &self,
        data: PixelData<'_>,
        frames: usize,
        place: fn(&Self, PixelData<'_>, usize) -> Option<Result<Place>>,
    ) -> bool {
        frames > 0 && (frames == self.declared || (0..frames).all(|index| place(self, data, index).is_some()))
    }

    /// The data of the item that the Extended Offset Table names, or `None` if it is not there.
    fn extended_place(&self, data: PixelData<'_>, index: usize) -> Option<Result<Place>> {
        let extended = data.extended?;
        let entry = |table: &[u8], index: usize| {
            let entry = table.as_chunks::<8>().0.get(index)?;
            usize::try_from(u64::from_le_bytes(*entry)).ok()
        };
        let offset = entry(extended.offsets, index)?;
        let length = entry(extended.lengths, index)?;
        let before = index.checked_sub(1).map(|before| entry(extended.offsets, before));
        let rising = entry(extended.offsets, 0) == Some(0) && before.is_none_or(|before| before < Some(offset));
        let found = item(data.value, self.first_item.checked_add(offset)?).ok()??;
        // A length is that of the codestream: it leaves out the pad byte, never more (PS3.3 C.7.6.3.1.8).
        let fits = matches!(found.len().checked_sub(length), Some(0 | 1));
        (rising && fits).then(|| Ok(std::iter::once(found.start..found.start + length).collect()))
    }

    /// The fragments from frame `index`'s entry in the Basic Offset Table to the next, or `None` if the items disagree:
    /// no item there, none that ends at the next entry, or another frame beginning in between.
    /// Once its first item is there, what is broken behind it is the frame's own error.
    fn basic_place(&self, data: PixelData<'_>, index: usize) -> Option<Result<Place>> {
        let place = |index: usize| {
            let at = index.checked_mul(4).filter(|at| at + 4 <= self.basic.len())?;
            let mut entry = [0; 4];
            data.value.read(self.basic.start + at..self.basic.start + at + 4, &mut entry).ok()?;
            Some(self.first_item + u32::from_le_bytes(entry) as usize)
        };
        let mut at = place(index)?;
        let rising = place(0)? == self.first_item && index.checked_sub(1).is_none_or(|before| place(before) < Some(at));
        let end = place(index + 1);
        if !rising || end.is_some_and(|end| end <= at) {
            return None;
        }
        let first = item(data.value, at);
        if !matches!(first, Ok(Some(_)))
            && !first.as_ref().is_err_and(|error| error.kind() == crate::ErrorKind::Truncated)
        {
            return None;
        }
        let mut fragments = Vec::with_capacity(1);
        while end.is_none_or(|end| at < end) {
            match item(data.value, at) {
                Ok(Some(fragment)) => {
                    at = fragment.end;
                    fragments.push(fragment);
                }
                Ok(None) => break,
                Err(error) => return Some(Err(error)),
            }
        }
        let begins_within = |fragment: &Range<usize>| self.starts_frame(data.value, fragment).unwrap_or(false);
        let is_whole = end.is_none_or(|end| at == end) && !fragments.iter().skip(1).any(begins_within);
        is_whole.then_some(Ok(fragments))
    }

    fn starts_frame(&self, value: Value<'_>, fragment: &Range<usize>) -> Result<bool> {
        let mut head = [0; HEAD_BYTES];
        let head = head.get_mut(..fragment.len().min(HEAD_BYTES)).unwrap_or_default();
        Ok(self.codec.starts_frame(value.head(fragment.start, head)?, fragment.len(), &self.info))
    }

    fn items(&self, value: Value<'_>) -> Result<&Items> {
        let walked = self.items.get_or_init(|| {
            let fragments = walk(value, self.first_item)?;
            let ends = group(value, &fragments, self.declared, &|fragment| self.starts_frame(value, fragment))?;
            Ok(Items { fragments, ends })
        });
        walked.as_ref().map_err(Clone::clone)
    }
}

/// The fragments of one frame.
type Place = Vec<Range<usize>>;

fn wrong_extended_table() -> Deviation {
    Deviation::new("the extended offset table does not lead to the frames, not used", "PS3.3 C.7.6.3.1.8")
}

fn wrong_table() -> Deviation {
    Deviation::new("the basic offset table does not lead to the frames, not used", CLAUSE).at(HEADER_BYTES)
}

/// Fragments as one piece: the fragment itself where there is one.
fn join<'a>(
    value: Value<'a>,
    fragments: &[Range<usize>],
    limits: &Limits,
    scratch: &'a mut Vec<u8>,
) -> Result<FrameBytes<'a>> {
    if let [fragment] = fragments {
        return Ok(value.bytes(fragment.clone(), limits, scratch)?.into());
    }
    let joined = room(scratch, fragments.iter().map(ExactSizeIterator::len).sum(), limits)?;
    let mut rest = &mut *joined;
    for fragment in fragments {
        let Some((part, after)) = rest.split_at_mut_checked(fragment.len()) else { break };
        value.read(fragment.clone(), part)?;
        rest = after;
    }
    Ok((&*joined).into())
}

/// The data of the item whose tag is at `at`; `None` at the end of the value or at the sequence delimiter.
fn item(value: Value<'_>, at: usize) -> Result<Option<Range<usize>>> {
    let mut header = [0; HEADER_BYTES];
    let rest = value.head(at, &mut header)?;
    if rest.is_empty() || rest.starts_with(&SEQUENCE_DELIMITER) {
        return Ok(None);
    }
    let Some(header) = rest.first_chunk::<HEADER_BYTES>() else {
        // Some writers pad the whole value instead of the last fragment.
        if rest.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        return Err(truncated(format!("{} bytes found, an item header of 8 expected", rest.len()), CLAUSE).at(at));
    };
    let [t0, t1, t2, t3, l0, l1, l2, l3] = *header;
    if [t0, t1, t2, t3] != ITEM {
        return Err(malformed(
            format!("tag ({t1:02X}{t0:02X},{t3:02X}{t2:02X}) found, an item (FFFE,E000) expected"),
            CLAUSE,
        )
        .at(at));
    }
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    if length == u32::MAX {
        return Err(malformed("an item of undefined length, fragments have explicit lengths", CLAUSE).at(at + 4));
    }
    let start = at + HEADER_BYTES;
    let left = value.len() - at - HEADER_BYTES;
    if length as usize > left {
        return Err(truncated(format!("an item of {length} bytes found, {left} are left"), CLAUSE).at(value.len()));
    }
    Ok(Some(start..start + length as usize))
}

/// All fragments from `first_item` on.
fn walk(value: Value<'_>, first_item: usize) -> Result<Vec<Range<usize>>> {
    let mut fragments = Vec::new();
    let mut at = first_item;
    while let Some(fragment) = item(value, at)? {
        at = fragment.end;
        fragments.push(fragment);
    }
    Ok(fragments)
}

/// Where each frame ends among the fragments.
fn group(
    value: Value<'_>,
    fragments: &[Range<usize>],
    declared: usize,
    starts_frame: &dyn Fn(&Range<usize>) -> Result<bool>,
) -> Result<Vec<usize>> {
    if fragments.len() < declared {
        let text = format!("{} fragments found, {declared} frames expected", fragments.len());
        return Err(truncated(text, CLAUSE).at(value.len()));
    }
    if fragments.len() == declared {
        return Ok((1..=declared).collect());
    }
    let mut ends = Vec::new();
    // A frame has bytes: what is empty before its first ones is no frame of its own.
    let first = fragments.iter().position(|fragment| !fragment.is_empty()).unwrap_or(0);
    for (index, fragment) in fragments.iter().enumerate().skip(first + 1) {
        if starts_frame(fragment)? {
            ends.push(index);
        }
    }
    ends.push(fragments.len());
    if ends.len() < declared {
        let text =
            format!("{} fragments found for {declared} frames, only {} can be told apart", fragments.len(), ends.len());
        return Err(malformed(text, CLAUSE));
    }
    Ok(ends)
}

fn note_more(declared: usize, frames: usize, deviations: &mut Vec<Deviation>) {
    if frames > declared {
        deviations.push(Deviation::new(format!("number of frames is {declared}, {frames} are there"), "PS3.3 C.7.6.6"));
    }
}

#[cfg(test)]
mod tests;
