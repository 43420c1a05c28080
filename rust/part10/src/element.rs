//! Headers of data elements (PS3.5 7.1): tag, value representation, length.
//!
//! ```text
//! explicit VR, short       | tag 4 | VR 2 | length 2 | value …           most VRs
//! explicit VR, long        | tag 4 | VR 2 | 0 0 | length 4 | value …     OB OD OF OL OV OW SQ SV UC UN UR UT UV
//! implicit VR, items       | tag 4 | length 4 | value …
//!
//! Rows = 512 in explicit VR little endian:  28 00 10 00  55 53  02 00  00 02
//!                                           (0028,0010)  U  S   2      512
//! ```

use crate::window::Window;
use dicoxide_core::{DecodeError, Deviation, ErrorKind, Result};
use std::fmt;

/// Group number in the upper 16 bits, element number in the lower 16 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u32);

impl Tag {
    pub(crate) const ITEM: Self = Self(0xFFFE_E000);
    pub(crate) const ITEM_DELIMITER: Self = Self(0xFFFE_E00D);
    pub(crate) const SEQUENCE_DELIMITER: Self = Self(0xFFFE_E0DD);
    pub(crate) const FLOAT_PIXEL_DATA: Self = Self(0x7FE0_0008);
    pub(crate) const DOUBLE_FLOAT_PIXEL_DATA: Self = Self(0x7FE0_0009);
    pub(crate) const PIXEL_DATA: Self = Self(0x7FE0_0010);

    pub(crate) const fn group(self) -> u32 {
        self.0 >> 16
    }

    /// True for the three elements that hold pixel data.
    pub(crate) fn is_pixel_data(self) -> bool {
        matches!(self, Self::FLOAT_PIXEL_DATA | Self::DOUBLE_FLOAT_PIXEL_DATA | Self::PIXEL_DATA)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({:04X},{:04X})", self.group(), self.0 & 0xFFFF)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A value representation as declared in the file (PS3.5 6.2): two letters.
pub type Vr = [u8; 2];

/// Encoding of data elements, independent of how pixel data are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// True if elements have no value representation (PS3.5 7.1.3).
    pub is_implicit: bool,
    /// True if the most significant byte comes first (PS3.5 7.3).
    pub is_big_endian: bool,
}

impl Encoding {
    pub(crate) const IMPLICIT: Self = Self { is_implicit: true, is_big_endian: false };
    pub(crate) const EXPLICIT: Self = Self { is_implicit: false, is_big_endian: false };
    pub(crate) const EXPLICIT_BIG_ENDIAN: Self = Self { is_implicit: false, is_big_endian: true };

    #[inline]
    fn u16(self, bytes: [u8; 2]) -> u32 {
        u32::from(if self.is_big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    #[inline]
    pub(crate) fn u32(self, bytes: [u8; 4]) -> u32 {
        if self.is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    #[inline]
    pub(crate) fn tag(self, bytes: [u8; 4]) -> Tag {
        // Group and element are two 16-bit words: in big endian they are one 32-bit word.
        Tag(if self.is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes).rotate_left(16) })
    }
}

/// A data element: its header, and the byte range of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    /// Tag.
    pub tag: Tag,
    /// Value representation, if the file declares one.
    pub vr: Option<Vr>,
    /// Encoding of the element and, unless its items differ, of the items nested in it.
    pub encoding: Encoding,
    /// Byte offset of the value in the file, or in the inflated data set.
    pub offset: u64,
    /// Length of the value in bytes, without the delimiter of an undefined length. It is shorter than declared if the
    /// file ends early.
    pub length: u64,
    /// True if the declared length is undefined: a delimiter ends the value.
    pub is_undefined: bool,
}

/// The header of an element as declared in the file.
pub(crate) struct ElementHeader {
    pub(crate) tag: Tag,
    pub(crate) vr: Option<Vr>,
    /// Declared length of the value in bytes; `None` if it is undefined.
    pub(crate) length: Option<u32>,
    /// Byte offset of the value.
    pub(crate) value_offset: u64,
}

/// Reads the header of the element at `offset`; `None` if the file ends within it.
///
/// An element of an explicit VR data set without two capital letters is read as implicit VR, because some writers
/// switch within a data set. Two letters that are not in PS3.5 6.2 are read as a VR with a 16-bit length, as pydicom
/// does.
#[inline(always)]
pub(crate) fn read_header(window: &mut Window<'_>, offset: u64, encoding: Encoding) -> Result<Option<ElementHeader>> {
    if let Some(([tag, fields, long_length], [])) = window.buffered::<12>(offset).map(|bytes| bytes.as_chunks::<4>())
        && let Some(header) = header_of(*tag, *fields, *long_length, offset, encoding)
    {
        return Ok(Some(header));
    }
    read_other_header(window, offset, encoding)
}

/// Returns the header in the 12 bytes at `offset`; `None` if an element of an explicit VR data set has no VR.
#[inline(always)]
fn header_of(
    tag: [u8; 4],
    fields: [u8; 4],
    long_length: [u8; 4],
    offset: u64,
    encoding: Encoding,
) -> Option<ElementHeader> {
    let tag = encoding.tag(tag);
    let [v0, v1, l0, l1] = fields;
    // A range comparison is cheaper than looking up the VR, and accepts a superset.
    let has_vr = (u16::from_be_bytes(*b"AA")..=u16::from_be_bytes(*b"ZZ")).contains(&u16::from_be_bytes([v0, v1]));
    if has_vr && !encoding.is_implicit {
        let vr = [v0, v1];
        let (length, header_bytes) = match has_long_length(vr) {
            true => (defined_length(encoding.u32(long_length)), 12),
            false => (Some(encoding.u16([l0, l1])), 8),
        };
        return Some(ElementHeader { tag, vr: Some(vr), length, value_offset: offset + header_bytes });
    }
    let is_invalid = !encoding.is_implicit && tag.group() != Tag::ITEM.group();
    let length = defined_length(encoding.u32(fields));
    (!is_invalid).then_some(ElementHeader { tag, vr: None, length, value_offset: offset + 8 })
}

/// Returns the length of a 32-bit length field; `None` if it is undefined.
pub(crate) fn defined_length(length: u32) -> Option<u32> {
    (length != u32::MAX).then_some(length)
}

/// Reads a header that needs a read of the file, is followed by fewer than 4 bytes, or has no VR in explicit VR.
#[cold]
fn read_other_header(window: &mut Window<'_>, offset: u64, encoding: Encoding) -> Result<Option<ElementHeader>> {
    let (tag, fields, long_length) = match window.peek(offset, 12)?.as_chunks::<4>().0 {
        [tag, fields] => (*tag, *fields, None),
        [tag, fields, long_length] => (*tag, *fields, Some(*long_length)),
        _ => return Ok(None),
    };
    match header_of(tag, fields, long_length.unwrap_or_default(), offset, encoding) {
        Some(header) if long_length.is_none() && header.value_offset > offset + 8 => Ok(None),
        Some(header) => Ok(Some(header)),
        None => read_header_of_invalid_vr(window, offset, encoding, encoding.tag(tag), fields, long_length).map(Some),
    }
}

/// Reads the header of an element of an explicit VR data set that has no VR. Three layouts are possible:
///
/// ```text
/// implicit VR               | tag 4 | length 4 | value …
/// invalid VR, short         | tag 4 | ?? | length 2 | value …
/// invalid VR, long          | tag 4 | ?? | 0 0 | length 4 | value …
/// ```
///
/// The first one is used after which an element with a higher tag follows. Without one, the element is read as implicit
/// VR if it ends within the file.
fn read_header_of_invalid_vr(
    window: &mut Window<'_>,
    offset: u64,
    encoding: Encoding,
    tag: Tag,
    [v0, v1, l0, l1]: [u8; 4],
    long: Option<[u8; 4]>,
) -> Result<ElementHeader> {
    let implicit = (encoding.u32([v0, v1, l0, l1]), 8);
    let short = (encoding.u16([l0, l1]), 8);
    let long = long.filter(|_| [l0, l1] == [0, 0]).map(|length| (encoding.u32(length), 12));
    let header = |(length, header_bytes): (u32, u64)| ElementHeader {
        tag,
        vr: None,
        length: defined_length(length),
        value_offset: offset + header_bytes,
    };
    for (index, layout) in [Some(implicit), Some(short), long].into_iter().enumerate() {
        let Some((length, header_bytes)) = layout else { continue };
        let is_plausible = match length {
            u32::MAX => window.array(offset + header_bytes)?.is_some_and(|bytes| encoding.tag(bytes) == Tag::ITEM),
            length => {
                let end = offset + header_bytes + u64::from(length);
                // Writers of an invalid VR use it for elements of several groups.
                let is_repeated = index > 0 && window.array(end + 4)? == Some([v0, v1]);
                is_element(window, end, encoding, tag, is_repeated)?
            }
        };
        if is_plausible {
            if index > 0 {
                let text = format!(
                    "element {tag} has invalid VR '{}', read with a length of {} bits",
                    [v0, v1].escape_ascii(),
                    if index == 1 { 16 } else { 32 }
                );
                window.report(Deviation::new(text, "PS3.5 6.2"));
            }
            return Ok(header((length, header_bytes)));
        }
    }
    if implicit.0 != u32::MAX && offset + 8 + u64::from(implicit.0) > window.file_bytes() && !tag.is_pixel_data() {
        let text = format!(
            "element {tag} at byte {offset} of the file has invalid VR '{}' and no plausible length",
            [v0, v1].escape_ascii()
        );
        return Err(DecodeError::new(ErrorKind::Malformed, text, "PS3.5 6.2"));
    }
    Ok(header(implicit))
}

/// True if an element of the same data set as `previous` starts at `offset`, or the file ends there: its tag is higher,
/// and it has a VR, a known one or the same invalid one (`is_repeated`), or is of the same group. A delimiter may follow too.
fn is_element(
    window: &mut Window<'_>,
    offset: u64,
    encoding: Encoding,
    previous: Tag,
    is_repeated: bool,
) -> Result<bool> {
    if offset == window.file_bytes() {
        return Ok(true);
    }
    let Some([t0, t1, t2, t3, v0, v1]) = window.array(offset)? else { return Ok(false) };
    let tag = encoding.tag([t0, t1, t2, t3]);
    Ok(match tag {
        Tag::ITEM | Tag::ITEM_DELIMITER | Tag::SEQUENCE_DELIMITER => true,
        tag => previous < tag && (is_known_vr([v0, v1]) || is_repeated || tag.group() == previous.group()),
    })
}

/// True if the length of this VR has 32 bits in explicit VR (PS3.5 7.1.2).
fn has_long_length([first, second]: Vr) -> bool {
    /// The second letters as bits: 0 for A.
    const fn letters(second_letters: &[u8]) -> u32 {
        match second_letters {
            [letter, rest @ ..] => 1 << (*letter - b'A') | letters(rest),
            [] => 0,
        }
    }
    const AFTER_O: u32 = letters(b"BDFLVW");
    const AFTER_S: u32 = letters(b"QV");
    const AFTER_U: u32 = letters(b"CNRTV");
    let seconds = match first {
        b'O' => AFTER_O,
        b'S' => AFTER_S,
        b'U' => AFTER_U,
        _ => return false,
    };
    let index = second.wrapping_sub(b'A');
    index < 32 && seconds >> index & 1 == 1
}

/// True if the VR is one of PS3.5 6.2.
pub(crate) fn is_known_vr(vr: Vr) -> bool {
    has_long_length(vr)
        || matches!(
            &vr,
            b"AE"
                | b"AS"
                | b"AT"
                | b"CS"
                | b"DA"
                | b"DS"
                | b"DT"
                | b"FD"
                | b"FL"
                | b"IS"
                | b"LO"
                | b"LT"
                | b"PN"
                | b"SH"
                | b"SL"
                | b"SS"
                | b"ST"
                | b"TM"
                | b"UI"
                | b"UL"
                | b"US"
        )
}

/// True if the data set or item whose first element is at `offset` is in implicit VR.
///
/// The bytes of the first element decide, not the transfer syntax, which some writers get wrong. An item may be
/// implicit in an explicit VR data set (PS3.5 6.2.2), but not explicit in an implicit VR one.
#[inline]
pub(crate) fn is_implicit(window: &mut Window<'_>, offset: u64, assumed: Encoding, is_item: bool) -> Result<bool> {
    if is_item && assumed.is_implicit {
        return Ok(true);
    }
    match window.buffered::<6>(offset) {
        Some([.., v0, v1]) if v0.is_ascii_uppercase() && v1.is_ascii_uppercase() => Ok(false),
        _ => is_implicit_without_vr(window, offset, assumed),
    }
}

/// As [`is_implicit`], of bytes that are not in the window, or have no VR.
#[cold]
fn is_implicit_without_vr(window: &mut Window<'_>, offset: u64, assumed: Encoding) -> Result<bool> {
    Ok(match window.array::<8>(offset)? {
        Some([_, _, _, _, v0, v1, _, _]) if v0.is_ascii_uppercase() && v1.is_ascii_uppercase() => false,
        // An explicit VR data set whose first element has an invalid VR: an element with a VR follows it.
        Some([t0, t1, t2, t3, _, _, l0, l1]) if !assumed.is_implicit => {
            let tag = assumed.tag([t0, t1, t2, t3]);
            let next = offset + 8 + u64::from(assumed.u16([l0, l1]));
            let vr = window.array::<6>(next)?.filter(|&[t0, t1, t2, t3, ..]| tag < assumed.tag([t0, t1, t2, t3]));
            !vr.is_some_and(|[.., v0, v1]| is_known_vr([v0, v1]))
        }
        Some(_) => true,
        None => window
            .array::<6>(offset)?
            .map_or(assumed.is_implicit, |[.., v0, v1]| !(v0.is_ascii_uppercase() && v1.is_ascii_uppercase())),
    })
}
