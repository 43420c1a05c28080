//! Values of the few attributes that decoding needs, as numbers and text (PS3.5 6.2). A file may state another VR than
//! the dictionary's; what it states counts.

use crate::element::{Element, Tag, Vr};

/// What an element's value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Parsed {
    /// Nothing: no bytes, or blanks where text is expected.
    Empty,
    Integer(i128),
    Real(f64),
    /// No number, or several: as it is shown in an error.
    Other(String),
}

/// The value of `bytes`, of an element that the dictionary says to be of VR `usual`.
pub(crate) fn number(element: &Element, usual: Vr, bytes: &[u8]) -> Parsed {
    let vr = match element.vr {
        None => usual,
        Some(unknown) if &unknown == b"UN" => usual,
        Some(vr) => vr,
    };
    if bytes.is_empty() {
        return Parsed::Empty;
    }
    let is_big_endian = element.encoding.is_big_endian;
    match &vr {
        b"US" | b"SS" => integers::<2>(bytes, &vr == b"SS", is_big_endian),
        b"UL" | b"SL" => integers::<4>(bytes, &vr == b"SL", is_big_endian),
        b"UV" | b"SV" => integers::<8>(bytes, &vr == b"SV", is_big_endian),
        b"FL" => one(reals::<4>(bytes, is_big_endian, |bytes| f64::from(f32::from_le_bytes(bytes)))),
        b"FD" => one(reals::<8>(bytes, is_big_endian, f64::from_le_bytes)),
        _ => of_text(&text(bytes)),
    }
}

/// The text of `bytes`, without the padding around it (PS3.5 6.2).
pub(crate) fn text(bytes: &[u8]) -> String {
    untrimmed(bytes).trim_matches(['\0', ' ']).to_owned()
}

/// The text of `bytes`, with its padding.
pub(crate) fn untrimmed(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn of_text(text: &str) -> Parsed {
    // Some writers pad with tabs and line ends.
    let text = text.trim();
    let shown = || Parsed::Other(format!("'{text}'"));
    if text.is_empty() {
        Parsed::Empty
    } else if text.contains('\\') {
        Parsed::Other(format!("{:?}", text.split('\\').collect::<Vec<_>>()))
    } else if let Ok(integer) = text.parse::<i64>() {
        Parsed::Integer(i128::from(integer))
    } else {
        text.parse().map_or_else(|_| shown(), Parsed::Real)
    }
}

fn integers<const N: usize>(bytes: &[u8], is_signed: bool, is_big_endian: bool) -> Parsed {
    let value = |bytes: &[u8; N]| {
        let mut word = [0; 8];
        // Most significant byte last.
        word.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
        let spare = 64 - 8 * N;
        let value = u64::from_le_bytes(word) << spare;
        if is_signed { i128::from(value.cast_signed() >> spare) } else { i128::from(value >> spare) }
    };
    let (values, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        return Parsed::Other(format!("{} bytes long", bytes.len()));
    }
    let values: Vec<i128> = values.iter().map(|bytes| value(&ordered(*bytes, is_big_endian))).collect();
    match values.as_slice() {
        [] => Parsed::Empty,
        [value] => Parsed::Integer(*value),
        several => Parsed::Other(format!("{several:?}")),
    }
}

fn reals<const N: usize>(bytes: &[u8], is_big_endian: bool, value: fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.as_chunks::<N>().0.iter().map(|bytes| value(ordered(*bytes, is_big_endian))).collect()
}

fn one(values: Vec<f64>) -> Parsed {
    match values.as_slice() {
        [] => Parsed::Empty,
        [value] => Parsed::Real(*value),
        several => Parsed::Other(format!("{several:?}")),
    }
}

fn ordered<const N: usize>(mut bytes: [u8; N], is_big_endian: bool) -> [u8; N] {
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
