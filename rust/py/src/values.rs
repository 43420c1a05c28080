//! Values of the usual attributes as Python objects, many in one call. What is rarer, or broken, is left to Python,
//! which gives the same for these (`_values.py`).

use dicoxide_part10::Vr;
use pyo3::BoundObject;
use pyo3::prelude::*;
use pyo3::types::PyList;

/// The value of an element of `vr`, or `None` where Python has to look at it.
pub(crate) fn usual<'py>(
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
        b"DS" => words(py, bytes, parsed::<f64>),
        b"IS" => words(py, bytes, parsed::<i64>),
        b"AS" | b"CS" | b"DA" | b"DT" | b"TM" | b"UI" if bytes.is_empty() => Ok(Some("".into_pyobject(py)?.into_any())),
        b"AS" | b"CS" | b"DA" | b"DT" | b"TM" => words(py, bytes, Some),
        // White space around a UID, of any kind, is not its own.
        b"UI" => words(py, bytes, |uid| uid.bytes().all(|byte| byte.is_ascii_graphic()).then_some(uid)),
        b"LO" | b"SH" if bytes.is_empty() => Ok(Some("".into_pyobject(py)?.into_any())),
        // An escape switches character sets.
        b"LO" | b"SH" if !bytes.contains(&0x1B) => words(py, bytes, |text| Some(text.trim_end_matches(['\0', ' ']))),
        _ => Ok(None),
    }
}

fn numbers<'py, const N: usize, T: IntoPyObject<'py>>(
    py: Python<'py>,
    bytes: &[u8],
    is_big_endian: bool,
    value: fn([u8; N]) -> T,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let (values, rest) = bytes.as_chunks::<N>();
    let value = |bytes: &[u8; N]| {
        let mut bytes = *bytes;
        if is_big_endian {
            bytes.reverse();
        }
        value(bytes)
    };
    match (values, rest) {
        ([], []) => Ok(Some(py.None().into_bound(py))),
        ([one], []) => object(py, value(one)).map(Some),
        (several, []) => {
            let several = several.iter().map(|one| object(py, value(one))).collect::<PyResult<Vec<_>>>()?;
            Ok(Some(PyList::new(py, several)?.into_any()))
        }
        _ => Ok(None),
    }
}

/// Values of text that a backslash separates (PS3.5 6.4).
fn words<'py, 'a, T: IntoPyObject<'py>>(
    py: Python<'py>,
    bytes: &'a [u8],
    value: fn(&'a str) -> Option<T>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii()) else { return Ok(None) };
    if text.is_empty() {
        return Ok(Some(py.None().into_bound(py)));
    }
    let text = text.trim_end_matches(['\0', ' ']);
    let Some(values) = text.split('\\').map(value).collect::<Option<Vec<T>>>() else { return Ok(None) };
    let mut values = values.into_iter();
    match (values.next(), values.len()) {
        (Some(one), 0) => object(py, one).map(Some),
        (first, _) => {
            let all = first.into_iter().chain(values).map(|one| object(py, one)).collect::<PyResult<Vec<_>>>()?;
            Ok(Some(PyList::new(py, all)?.into_any()))
        }
    }
}

fn parsed<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.trim_matches(' ').parse().ok()
}

fn object<'py, T: IntoPyObject<'py>>(py: Python<'py>, value: T) -> PyResult<Bound<'py, PyAny>> {
    value.into_pyobject(py).map(|object| object.into_any().into_bound()).map_err(Into::into)
}
