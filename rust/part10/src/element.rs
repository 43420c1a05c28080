//! One data element: its header (PS3.5 7.1), and what value representations have to do with it.

use crate::window::Window;
use dicoxide_core::Result;
use std::fmt;

/// Group and element number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u32);

impl Tag {
    pub(crate) const ITEM: Self = Self(0xFFFE_E000);
    pub(crate) const ITEM_DELIMITER: Self = Self(0xFFFE_E00D);
    pub(crate) const SEQUENCE_DELIMITER: Self = Self(0xFFFE_E0DD);

    pub(crate) const fn group(self) -> u32 {
        self.0 >> 16
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

/// A value representation as the file states it (PS3.5 6.2).
pub type Vr = [u8; 2];

/// How data elements are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// Without value representations (PS3.5 7.1.3).
    pub is_implicit: bool,
    /// With the most significant byte first (PS3.5 7.3).
    pub is_big_endian: bool,
}

impl Encoding {
    pub(crate) const IMPLICIT: Self = Self { is_implicit: true, is_big_endian: false };
    pub(crate) const EXPLICIT: Self = Self { is_implicit: false, is_big_endian: false };
    pub(crate) const EXPLICIT_BIG_ENDIAN: Self = Self { is_implicit: false, is_big_endian: true };

    fn short(self, bytes: [u8; 2]) -> u32 {
        u32::from(if self.is_big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn long(self, bytes: [u8; 4]) -> u32 {
        if self.is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    pub(crate) fn tag(self, [g0, g1, e0, e1]: [u8; 4]) -> Tag {
        Tag(self.short([g0, g1]) << 16 | self.short([e0, e1]))
    }
}

/// Where the value of an element lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    /// Its tag.
    pub tag: Tag,
    /// Its value representation, where the file states one.
    pub vr: Option<Vr>,
    /// How it is encoded, and what is nested in it.
    pub encoding: Encoding,
    /// Where its value begins.
    pub offset: u64,
    /// How long the value is, without the delimiter where the length is undefined; less than is stated where the file ends.
    pub length: u64,
    /// Whether a delimiter ends it, not a length.
    pub is_undefined: bool,
}

/// The header of an element, as it stands in the file.
pub(crate) struct ElementHeader {
    pub(crate) tag: Tag,
    pub(crate) vr: Option<Vr>,
    /// `None` where it is undefined.
    pub(crate) length: Option<u32>,
    /// Where the value begins.
    pub(crate) offset: u64,
}

/// Reads the header of the element at `at`; `None` where not all of it is there.
///
/// What has no value representation in a data set that has them is taken for implicit VR, as some writers switch; two
/// letters that are none of PS3.5 6.2 are taken for one with a length of 16 bits.
pub(crate) fn header(window: &mut Window<'_>, at: u64, encoding: Encoding) -> Result<Option<ElementHeader>> {
    let bytes = window.peek(at, 12)?;
    let Some((&[t0, t1, t2, t3, v0, v1, l0, l1], rest)) = bytes.split_first_chunk::<8>() else { return Ok(None) };
    let tag = encoding.tag([t0, t1, t2, t3]);
    let vr = [v0, v1];
    let defined = |length: u32| (length != u32::MAX).then_some(length);
    // Those of PS3.5 6.2 are among them.
    let is_stated = !encoding.is_implicit && (*b"AA" <= vr && vr <= *b"ZZ");
    if !is_stated {
        let length = defined(encoding.long([v0, v1, l0, l1]));
        return Ok(Some(ElementHeader { tag, vr: None, length, offset: at + 8 }));
    }
    if !has_long_length(vr) {
        let length = Some(encoding.short([l0, l1]));
        return Ok(Some(ElementHeader { tag, vr: Some(vr), length, offset: at + 8 }));
    }
    let Some(length) = rest.first_chunk::<4>() else { return Ok(None) };
    Ok(Some(ElementHeader { tag, vr: Some(vr), length: defined(encoding.long(*length)), offset: at + 12 }))
}

/// Whether a value representation's length has 32 bits in explicit VR (PS3.5 7.1.2).
fn has_long_length(vr: Vr) -> bool {
    // Most have another first letter.
    matches!(vr, [b'O' | b'S' | b'U', _])
        && matches!(
            &vr,
            b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN" | b"UR" | b"UT" | b"UV"
        )
}

/// Whether it is one of PS3.5 6.2.
pub(crate) fn is_known(vr: Vr) -> bool {
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

/// Whether the data set or item whose first element is at `at` is implicit VR: the element itself tells, whatever the
/// transfer syntax says, as writers get it wrong; items may be implicit in explicit data sets (PS3.5 6.2.2), not the
/// other way about.
pub(crate) fn is_implicit(window: &mut Window<'_>, at: u64, assumed: Encoding, is_item: bool) -> Result<bool> {
    if is_item && assumed.is_implicit {
        return Ok(true);
    }
    Ok(match window.array::<6>(at)? {
        Some([.., v0, v1]) => !(v0.is_ascii_uppercase() && v1.is_ascii_uppercase()),
        None => assumed.is_implicit,
    })
}
