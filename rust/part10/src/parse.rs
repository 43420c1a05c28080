//! Attribute values as numbers and text (PS3.5 6.2), for the few attributes that decoding needs.
//!
//! The VR declared in the file decides how a value is read; that of the data dictionary only if the file declares none,
//! or UN. `tests/sources/vr_values.tsv` has the cases that this module, the binding and the Python package agree on.

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
        b"IS" => match number_of_text(&text(bytes)) {
            // Some writers write 12.0.
            Parsed::Real(value) if value.fract() != 0.0 => Parsed::Other(format!("'{value}'")),
            parsed => parsed,
        },
        _ => number_of_text(&text(bytes)),
    }
}

/// True for a VR of binary numbers.
pub(crate) fn is_number(vr: &Vr) -> bool {
    matches!(vr, b"US" | b"SS" | b"UL" | b"SL" | b"UV" | b"SV" | b"FL" | b"FD")
}

/// Returns the text of `bytes` without blanks and NULs around it (PS3.5 6.2).
pub(crate) fn text(bytes: &[u8]) -> String {
    latin_1(bytes).trim_matches(['\0', ' ']).to_owned()
}

/// Returns a defined term, without padding after it (PS3.5 6.2). With leading blanks it is another term.
pub(crate) fn term(bytes: &[u8]) -> String {
    latin_1(bytes).trim_end_matches(['\0', ' ']).to_owned()
}

fn latin_1(bytes: &[u8]) -> String {
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
    match bytes.as_chunks::<N>() {
        (_, [_, ..]) => Parsed::Other(format!("{} bytes long", bytes.len())),
        ([], []) => Parsed::Empty,
        ([single], []) => Parsed::Integer(value(single)),
        (several, []) => Parsed::Other(format!("{:?}", several.iter().map(value).collect::<Vec<_>>())),
    }
}

fn real<const N: usize>(bytes: &[u8], is_big_endian: bool, from_le_bytes: fn([u8; N]) -> f64) -> Parsed {
    let value = |bytes: &[u8; N]| from_le_bytes(little_endian(*bytes, is_big_endian));
    match bytes.as_chunks::<N>() {
        (_, [_, ..]) => Parsed::Other(format!("{} bytes long", bytes.len())),
        ([], []) => Parsed::Empty,
        ([single], []) => Parsed::Real(value(single)),
        (several, []) => Parsed::Other(format!("{:?}", several.iter().map(value).collect::<Vec<_>>())),
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

    fn parse(vr: Option<Vr>, bytes: &[u8], is_big_endian: bool) -> Parsed {
        let element = Element {
            tag: Tag(0x0028_0010),
            vr,
            encoding: Encoding { is_implicit: false, is_big_endian },
            offset: 0,
            length: bytes.len() as u64,
            is_undefined: false,
        };
        number(&element, *b"US", bytes)
    }

    fn from_hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|start| u8::from_str_radix(&text[start..start + 2], 16).unwrap()).collect()
    }

    /// Rows of the table that the binding and the Python package are tested with too: id, VR, byte order, value,
    /// expected.
    fn cases() -> impl Iterator<Item = [&'static str; 5]> {
        let rows = include_str!("../../../tests/sources/vr_values.tsv").lines().filter(|line| !line.starts_with('#'));
        rows.map(|line| line.split('\t').collect::<Vec<_>>().try_into().unwrap())
    }

    #[test]
    fn number_of_every_case_is_the_expected_one() {
        let numeric = ["US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "DS", "IS"];
        let mut count = 0;
        for [id, vr, byte_order, value, expected] in cases().filter(|case| numeric.contains(&case[1])) {
            let vr: Vr = vr.as_bytes().try_into().unwrap();
            let parsed = parse(Some(vr), &from_hex(value), byte_order == "big");
            match (&parsed, expected) {
                (Parsed::Empty, "None") => {}
                (Parsed::Other(_), expected) => assert!(expected == "error" || expected.starts_with('['), "{id}"),
                #[allow(clippy::cast_precision_loss, reason = "decimal strings are f64 in Python")]
                (Parsed::Integer(number), expected) => {
                    let is_equal = expected.parse() == Ok(*number) || expected.parse() == Ok(*number as f64);
                    assert!(is_equal, "{id}: {number}, expected {expected}");
                }
                (Parsed::Real(number), expected) => {
                    let expected: f64 = expected.parse().unwrap();
                    assert!(*number == expected || number.is_nan() && expected.is_nan(), "{id}: {number}");
                }
                (Parsed::Empty, _) => panic!("{id}: no value, expected {expected}"),
            }
            count += 1;
        }
        assert!(count > 80, "{count} cases");
    }

    #[test]
    fn term_of_every_code_string_is_the_expected_one() {
        for [id, _, _, value, expected] in cases().filter(|case| case[1] == "CS" && !case[4].starts_with('[')) {
            assert_eq!(format!("'{}'", term(&from_hex(value))), expected, "{id}");
        }
    }

    #[test]
    fn number_without_a_vr_or_of_unknown_vr_has_that_of_the_dictionary() {
        for vr in [None, Some(*b"UN")] {
            assert_eq!(parse(vr, &[7, 0], false), Parsed::Integer(7));
        }
    }

    #[test]
    fn other_values_are_shown_as_found() {
        let shown = |vr: &Vr, bytes: &[u8]| parse(Some(*vr), bytes, false).to_string();
        assert_eq!(shown(b"US", &[1, 0, 2, 0]), "[1, 2]");
        assert_eq!(shown(b"US", &[1]), "1 bytes long");
        assert_eq!(shown(b"FL", &[1]), "1 bytes long");
        assert_eq!(shown(b"IS", b"1\\2"), "[\"1\", \"2\"]");
        assert_eq!(shown(b"DS", b"1,5"), "'1,5'");
        assert_eq!(shown(b"DS", b""), "nothing");
    }
}
