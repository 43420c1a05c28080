//! Converts the values of frequent attributes to Python objects, many in one call.
//!
//! Rare and malformed values are left to `dicoxide/_sources/values.py`, which has the rules for all value
//! representations. Both agree on the cases of `tests/sources/vr_values.tsv`.

use dicoxide_part10::Vr;
use pyo3::BoundObject;
use pyo3::prelude::*;
use pyo3::types::PyList;

/// Converts the value of an element; `None` if it is left to the Python code.
pub(crate) fn convert<'py>(
    py: Python<'py>,
    vr: Vr,
    bytes: &[u8],
    is_big_endian: bool,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match &vr {
        b"US" => numbers(py, bytes, is_big_endian, u16::from_le_bytes),
        b"SS" => numbers(py, bytes, is_big_endian, i16::from_le_bytes),
        b"UL" => numbers(py, bytes, is_big_endian, u32::from_le_bytes),
        b"SL" => numbers(py, bytes, is_big_endian, i32::from_le_bytes),
        b"FL" => numbers(py, bytes, is_big_endian, |bytes| f64::from(f32::from_le_bytes(bytes))),
        b"FD" => numbers(py, bytes, is_big_endian, f64::from_le_bytes),
        b"DS" => texts(py, bytes, parse::<f64>),
        b"IS" => texts(py, bytes, parse::<i64>),
        b"AS" | b"CS" | b"DA" | b"DT" | b"LO" | b"SH" | b"TM" | b"UI" if bytes.is_empty() => {
            Ok(Some("".into_pyobject(py)?.into_any()))
        }
        b"AS" | b"CS" | b"DA" | b"DT" | b"TM" => texts(py, bytes, Some),
        // White space inside would be removed: it is left to the Python code.
        b"UI" => texts(py, bytes, |uid| uid.bytes().all(|byte| byte.is_ascii_graphic()).then_some(uid)),
        // An escape sequence selects another character set.
        b"LO" | b"SH" if !bytes.contains(&0x1B) => texts(py, bytes, |text| Some(text.trim_end_matches(['\0', ' ']))),
        _ => Ok(None),
    }
}

/// Converts binary numbers: None, a number, or a list of several; `None` in Rust if the length is not a multiple of
/// `N`.
fn numbers<'py, const N: usize, T: IntoPyObject<'py>>(
    py: Python<'py>,
    bytes: &[u8],
    is_big_endian: bool,
    from_le_bytes: fn([u8; N]) -> T,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let number = |bytes: &[u8; N]| {
        let mut bytes = *bytes;
        if is_big_endian {
            bytes.reverse();
        }
        to_object(py, from_le_bytes(bytes))
    };
    match bytes.as_chunks::<N>() {
        ([], []) => Ok(Some(py.None().into_bound(py))),
        ([single], []) => number(single).map(Some),
        (several, []) => {
            let objects = several.iter().map(number).collect::<PyResult<Vec<_>>>()?;
            Ok(Some(PyList::new(py, objects)?.into_any()))
        }
        _ => Ok(None),
    }
}

/// Converts ASCII texts that a backslash separates (PS3.5 6.4): one object, or a list of several; None for no bytes.
/// Returns `None` in Rust if `convert` does for any of them, or if there are other characters.
fn texts<'py, 'a, T: IntoPyObject<'py>>(
    py: Python<'py>,
    bytes: &'a [u8],
    convert: fn(&'a str) -> Option<T>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii()) else { return Ok(None) };
    if text.is_empty() {
        return Ok(Some(py.None().into_bound(py)));
    }
    let text = text.trim_end_matches(['\0', ' ']);
    let Some(values) = text.split('\\').map(convert).collect::<Option<Vec<T>>>() else { return Ok(None) };
    let mut values = values.into_iter();
    match (values.next(), values.len()) {
        (Some(single), 0) => to_object(py, single).map(Some),
        (first, _) => {
            let objects =
                first.into_iter().chain(values).map(|value| to_object(py, value)).collect::<PyResult<Vec<_>>>()?;
            Ok(Some(PyList::new(py, objects)?.into_any()))
        }
    }
}

fn parse<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.trim_matches(' ').parse().ok()
}

fn to_object<'py, T: IntoPyObject<'py>>(py: Python<'py>, value: T) -> PyResult<Bound<'py, PyAny>> {
    value.into_pyobject(py).map(|object| object.into_any().into_bound()).map_err(Into::into)
}
