//! Opened DICOM objects, and the elements of their data sets, as Python holds them.

use crate::errors::{self, Failure};
use crate::frames::Frames;
use crate::guard::detached;
use crate::values;
use dicoxide_core::{DecodeError, Limits, ReadAt, Rescale};
use dicoxide_part10::{DataSet, Element, Image, OpenError, Source, Tag, open};
use pyo3::exceptions::{PyBaseException, PyTypeError};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBytes, PyDict, PyString};
use std::sync::Arc;

/// A DICOM object in a file or in bytes: its header is read, its frames when they are asked for.
#[pyclass(frozen, module = "dicoxide._core")]
pub(crate) struct Object {
    object: Arc<dicoxide_part10::Object>,
    image: Arc<Image>,
}

/// What `Object.spec` gives: `FrameSpec`'s fields in their order, and the number of frames as stated.
type Spec<'a> = ((&'a str, u32, u32, u32, u32, Option<u32>, Option<u32>, u32, u32, &'a str, &'static str), Option<u32>);

#[pymethods]
impl Object {
    /// Opens a path, or bytes that hold a file. What a deflated data set inflates to counts against `max_bytes`.
    #[new]
    #[pyo3(signature = (src, max_bytes=None))]
    fn new(py: Python<'_>, src: &Bound<'_, PyAny>, max_bytes: Option<u64>) -> PyResult<Self> {
        let source = readable(src)?;
        let opened = detached(py, |_| open(&source, &Limits::new(max_bytes)))?;
        Self::of(py, opened, &source)
    }

    /// What the header says of the image.
    fn spec(&self) -> Spec<'_> {
        let image = &*self.image;
        let spec = (
            image.transfer_syntax.as_str(),
            image.rows,
            image.columns,
            image.samples_per_pixel,
            image.bits_allocated,
            image.bits_stored,
            image.high_bit,
            image.pixel_representation,
            image.planar_configuration,
            image.photometric_interpretation.as_str(),
            image.pixel_keyword,
        );
        (spec, image.number_of_frames)
    }

    /// Returns the frames. With `find_only`, also of transfer syntaxes without a decoder: to find frames, not to decode.
    #[pyo3(signature = (*, find_only=false))]
    fn frames(&self, py: Python<'_>, find_only: bool) -> PyResult<Frames> {
        Frames::of_object(py, Arc::clone(&self.object), Arc::clone(&self.image), find_only)
    }

    /// The elements of its data set.
    fn elements(&self) -> Elements {
        Elements { object: Arc::clone(&self.object), item: None }
    }

    /// (slope, intercept) of each frame of `indices`, or one for all; empty where there is none.
    fn rescales(&self, py: Python<'_>, indices: Vec<usize>) -> PyResult<Vec<(f64, f64)>> {
        let found = detached(py, |_| self.object.rescales(&indices))?;
        let pair = |Rescale { slope, intercept }| (slope, intercept);
        Ok(found.map_err(|error| self.failed(&error))?.into_iter().map(pair).collect())
    }

    /// Whether a Modality LUT Sequence stands in place of a rescale.
    fn has_modality_lut(&self) -> PyResult<bool> {
        self.object.has_modality_lut().map_err(|error| self.failed(&error))
    }

    /// Where the pixel data element's value lies: offset, length, whether that counts in the file itself.
    fn value_place(&self) -> (u64, u64, bool) {
        let Element { offset, length, .. } = self.image.element;
        (offset, length, !self.object.is_inflated())
    }

    /// The pixel data element's value.
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let value = detached(py, |_| self.object.read(&self.image.element))?;
        Ok(PyBytes::new(py, &value.map_err(|error| self.failed(&error))?))
    }
}

impl Object {
    fn of(
        py: Python<'_>,
        opened: Result<(dicoxide_part10::Object, Image), OpenError>,
        source: &Source,
    ) -> PyResult<Self> {
        match opened {
            Ok((object, image)) => Ok(Self { object: Arc::new(object), image: Arc::new(image) }),
            Err(OpenError::File(error)) => Err(unreadable(py, &error, source)),
            Err(OpenError::Header(error, uid)) => {
                Err(Failure { transfer_syntax: uid.as_deref(), ..Failure::of(&error) }.into())
            }
        }
    }

    fn failed(&self, error: &DecodeError) -> PyErr {
        Failure { transfer_syntax: Some(&self.image.transfer_syntax), ..Failure::of(error) }.into()
    }
}

/// Opens many paths, or bytes that hold a file, on at most `threads` threads: what `Object` gives of each, or raises.
#[pyfunction]
#[pyo3(signature = (sources, threads, max_bytes=None))]
pub(crate) fn open_many<'py>(
    py: Python<'py>,
    sources: Vec<Bound<'py, PyAny>>,
    threads: usize,
    max_bytes: Option<u64>,
) -> PyResult<Vec<Opened<'py>>> {
    let sources = sources.iter().map(readable).collect::<PyResult<Vec<_>>>()?;
    let opened = detached(py, |_| dicoxide_part10::open_many(&sources, max_bytes, threads))?;
    let of = |(opened, source)| match Object::of(py, opened, source) {
        Ok(object) => Opened::Object(object),
        Err(error) => Opened::Failed(error.into_value(py).into_bound(py)),
    };
    Ok(opened.into_iter().zip(&sources).map(of).collect())
}

/// An object, or why there is none.
#[derive(IntoPyObject)]
pub(crate) enum Opened<'py> {
    Object(Object),
    Failed(Bound<'py, PyBaseException>),
}

/// What Python gives to be opened.
pub(crate) fn readable(src: &Bound<'_, PyAny>) -> PyResult<Source> {
    match src.cast::<PyBytes>() {
        Ok(bytes) => Ok(Source::Bytes(Arc::new(InMemory(bytes.clone().into())))),
        Err(_) => src.extract().map(Source::Path).map_err(|_| PyTypeError::new_err("src must be a path or bytes")),
    }
}

/// What the system says of a source.
fn unreadable(py: Python<'_>, error: &std::io::Error, source: &Source) -> PyErr {
    match source {
        Source::Path(path) => errors::of_file(py, error, path),
        Source::Bytes(_) => errors::system(None, &error.to_string()),
    }
}

/// Bytes of Python, which nobody can change.
struct InMemory(PyBackedBytes);

impl ReadAt for InMemory {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> std::io::Result<usize> {
        (&*self.0).read_at(offset, out)
    }

    fn memory(&self) -> Option<&[u8]> {
        Some(&self.0)
    }
}

/// The elements of a data set or of an item.
#[pyclass(frozen, module = "dicoxide._core")]
pub(crate) struct Elements {
    object: Arc<dicoxide_part10::Object>,
    item: Option<DataSet>,
}

/// An element as Python takes it: the items of a sequence, or VR, value and whether it is big-endian.
#[derive(IntoPyObject)]
pub(crate) enum ElementValue<'py> {
    Items(Vec<Elements>),
    Value((Option<String>, Bound<'py, PyBytes>, bool)),
}

#[pymethods]
impl Elements {
    /// The tags that are there, in the order of the file.
    fn tags(&self) -> Vec<u32> {
        self.data_set().elements().iter().map(|element| element.tag.0).collect()
    }

    /// The values of those elements of `wanted` that are there: by their keywords, of (keyword, tag, VR of the
    /// dictionary). Where a value takes a closer look, its keyword is in the second place.
    fn read_common<'py>(
        &self,
        py: Python<'py>,
        wanted: Vec<(Bound<'py, PyString>, u32, PyBackedStr)>,
    ) -> PyResult<(Bound<'py, PyDict>, Vec<Bound<'py, PyString>>)> {
        let found = PyDict::new(py);
        let mut left = Vec::new();
        for (keyword, tag, usual) in wanted {
            let Some(element) = self.data_set().get(Tag(tag)) else { continue };
            let vr = element.vr.filter(|vr| vr != b"UN").or_else(|| usual.as_bytes().try_into().ok());
            let value = match vr {
                Some(vr) if &vr != b"SQ" => {
                    let bytes = self.object.read(element).map_err(|error| PyErr::from(Failure::of(&error)))?;
                    values::usual(py, vr, &bytes, element.encoding.is_big_endian)?
                }
                _ => None,
            };
            match value {
                Some(value) => found.set_item(keyword, value)?,
                None => left.push(keyword),
            }
        }
        Ok((found, left))
    }

    /// The element of a tag, or None. Where the file does not say what it is, `is_sequence` does.
    fn get<'py>(&self, py: Python<'py>, tag: u32, is_sequence: bool) -> PyResult<Option<ElementValue<'py>>> {
        let Some(element) = self.data_set().get(Tag(tag)) else { return Ok(None) };
        let failed = |error: DecodeError| PyErr::from(Failure::of(&error));
        if element.vr == Some(*b"SQ") || is_sequence && matches!(element.vr, None | Some([b'U', b'N'])) {
            let items = self.object.items(element).map_err(failed)?;
            let items = items.into_iter().map(|item| Self { object: Arc::clone(&self.object), item: Some(item) });
            return Ok(Some(ElementValue::Items(items.collect())));
        }
        let value = self.object.read(element).map_err(failed)?;
        let value = PyBytes::new(py, &value);
        Ok(Some(ElementValue::Value((element.vr.map(name), value, element.encoding.is_big_endian))))
    }
}

impl Elements {
    fn data_set(&self) -> &DataSet {
        self.item.as_ref().unwrap_or_else(|| self.object.data_set())
    }
}

fn name(vr: [u8; 2]) -> String {
    vr.iter().copied().map(char::from).collect()
}
