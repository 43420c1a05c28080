//! Attribute values as numbers and text (PS3.5 6.2), for the few attributes that decoding needs.
//!
//! The VR declared in the file decides how a value is read; that of the data dictionary only if the file declares none, or
//! UN. `tests/sources/vr_values.tsv` has the cases that this module, the binding and the Python package agree on.

use crate::element::{Element, Tag, Vr};
use std::fmt;

/// The value of an element.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Parsed {
    /// No bytes, or only blanks in a VR of text.
    Empty,
    Integer(i128),
    Real(f64),
    /// Not a number, or several: as shown in error messages.
    Other(String),
}

impl fmt::Display for Parsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("nothing"),
            Self::Integer(value) => value.fmt(f),
            Self::Real(value) => value.fmt(f),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// Parses a single number. `dictionary_vr` is the VR of the data dictionary.
pub(crate) fn number(element: &Element, dictionary_vr: Vr, bytes: &[u8]) -> Parsed {
    let vr = element.vr.filter(|vr| vr != b"UN").unwrap_or(dictionary_vr);
    if bytes.is_empty() {
        return Parsed::Empty;
    }
    let is_big_endian = element.encoding.is_big_endian;
    match &vr {
        b"US" | b"SS" => integer::<2>(bytes, &vr == b"SS", is_big_endian),
        b"UL" | b"SL" => integer::<4>(bytes, &vr == b"SL", is_big_endian),
        b"UV" | b"SV" => integer::<8>(bytes, &vr == b"SV", is_big_endian),
        b"FL" => real(bytes, is_big_endian, |bytes| f64::from(f32::from_le_bytes(bytes))),
        b"FD" => real(bytes, is_big_endian, f64::from_le_bytes),
        _ => number_of_text(&text(bytes)),
    }
}

/// Returns the text of `bytes` without blanks and NULs around it (PS3.5 6.2).
pub(crate) fn text(bytes: &[u8]) -> String {
    untrimmed_text(bytes).trim_matches(['\0', ' ']).to_owned()
}

/// Returns the text of `bytes`, read as Latin-1, with its padding.
pub(crate) fn untrimmed_text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn number_of_text(text: &str) -> Parsed {
    // Some writers pad with tabs and line ends.
    let text = text.trim();
    if text.is_empty() {
        Parsed::Empty
    } else if text.contains('\\') {
        Parsed::Other(format!("{:?}", text.split('\\').collect::<Vec<_>>()))
    } else if let Ok(integer) = text.parse::<i64>() {
        Parsed::Integer(i128::from(integer))
    } else {
        text.parse().map_or_else(|_| Parsed::Other(format!("'{text}'")), Parsed::Real)
    }
}

fn integer<const N: usize>(bytes: &[u8], is_signed: bool, is_big_endian: bool) -> Parsed {
    let value = |bytes: &[u8; N]| {
        let mut word = [0; 8];
        word.iter_mut().zip(little_endian(*bytes, is_big_endian)).for_each(|(to, byte)| *to = byte);
        // The most significant bit of the value becomes that of the word, so that a right shift extends the sign.
        let unused_bits = 64 - 8 * N;
        let value = u64::from_le_bytes(word) << unused_bits;
        if is_signed { i128::from(value.cast_signed() >> unused_bits) } else { i128::from(value >> unused_bits) }
    };
    let (values, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        return Parsed::Other(format!("{} bytes long", bytes.len()));
    }
    match values {
        [] => Parsed::Empty,
        [single] => Parsed::Integer(value(single)),
        several => Parsed::Other(format!("{:?}", several.iter().map(value).collect::<Vec<_>>())),
    }
}

/// Parses a floating-point number. Bytes after the last whole value are ignored.
fn real<const N: usize>(bytes: &[u8], is_big_endian: bool, from_le_bytes: fn([u8; N]) -> f64) -> Parsed {
    let value = |bytes: &[u8; N]| from_le_bytes(little_endian(*bytes, is_big_endian));
    match bytes.as_chunks::<N>().0 {
        [] => Parsed::Empty,
        [single] => Parsed::Real(value(single)),
        several => Parsed::Other(format!("{:?}", several.iter().map(value).collect::<Vec<_>>())),
    }
}

fn little_endian<const N: usize>(mut bytes: [u8; N], is_big_endian: bool) -> [u8; N] {
    if is_big_endian {
        bytes.reverse();
    }
    bytes
}

/// An attribute that decoding needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) tag: Tag,
    pub(crate) keyword: &'static str,
    /// VR of the data dictionary.
    pub(crate) vr: Vr,
}

impl Attribute {
    pub(crate) const fn new(tag: u32, keyword: &'static str, vr: &Vr) -> Self {
        Self { tag: Tag(tag), keyword, vr: *vr }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Encoding;

    fn parsed(vr: &Vr, bytes: &[u8], is_big_endian: bool) -> Parsed {
        let element = Element {
            tag: Tag(0x0028_0010),
            vr: Some(*vr),
            encoding: Encoding { is_implicit: false, is_big_endian },
            offset: 0,
            length: bytes.len() as u64,
            is_undefined: false,
        };
        number(&element, *b"US", bytes)
    }

    #[test]
    fn numbers_are_read_as_the_file_states_them() {
        assert_eq!(parsed(b"US", &[1, 2], false), Parsed::Integer(0x201));
        assert_eq!(parsed(b"US", &[1, 2], true), Parsed::Integer(0x102));
        assert_eq!(parsed(b"SS", &[0xFE, 0xFF], false), Parsed::Integer(-2));
        assert_eq!(parsed(b"SV", &[0xFF; 8], false), Parsed::Integer(-1));
        assert_eq!(parsed(b"UV", &[0xFF; 8], false), Parsed::Integer(i128::from(u64::MAX)));
        assert_eq!(parsed(b"UN", &[7, 0], false), Parsed::Integer(7));
        assert_eq!(parsed(b"FD", &1.5_f64.to_be_bytes(), true), Parsed::Real(1.5));
        assert_eq!(parsed(b"IS", b" 12 ", false), Parsed::Integer(12));
        assert_eq!(parsed(b"DS", b"-1.5e3\0", false), Parsed::Real(-1500.0));
        assert_eq!(parsed(b"DS", b"\t1.5\n", false), Parsed::Real(1.5));
        assert_eq!(parsed(b"DS", b"  ", false), Parsed::Empty);
        assert_eq!(parsed(b"US", b"", false), Parsed::Empty);
        assert_eq!(parsed(b"US", &[1, 0, 2, 0], false), Parsed::Other("[1, 2]".into()));
        assert_eq!(parsed(b"US", &[1], false), Parsed::Other("1 bytes long".into()));
        assert_eq!(parsed(b"IS", b"1\\2", false), Parsed::Other("[\"1\", \"2\"]".into()));
        assert_eq!(parsed(b"DS", b"1,5", false), Parsed::Other("'1,5'".into()));
    }
}
