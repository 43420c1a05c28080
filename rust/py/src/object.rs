//! Opened DICOM objects and the elements of their data sets, as Python objects.

use crate::errors::{self, Failure};
use crate::file_object::FileObject;
use crate::frame_args::FrameDeviation;
use crate::frames::Frames;
use crate::guard::detached;
use crate::lookup_table::LookupTable;
use crate::values;
use dicoxide_core::{DecodeError, Limits, ReadAt, Rescale};
use dicoxide_part10::{DataSet, Element, Image, ModalityLut, OpenError, Source, Tag, Vr, open};
use pyo3::exceptions::{PyBaseException, PyTypeError};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBytes, PyDict, PyString};
use std::sync::Arc;

/// A DICOM object in a file or in bytes. Its header is read when it is opened, its frames when they are decoded.
///
/// `src` is a path (`str` or `os.PathLike`), the `bytes` of a file, or a `SeekableFile`. `max_bytes` bounds an inflated data set.
///
/// Raises `CorruptFrameError` if the header is not that of an image, `LimitError`, or `OSError`.
#[pyclass(frozen, module = "dicoxide._core")]
pub(crate) struct Object {
    object: Arc<dicoxide_part10::Object>,
    image: Arc<Image>,
}

/// The fields of a `FrameSpec` in their order, and Number of Frames (0028,0008) if it is present.
type Spec<'a> = ((&'a str, u32, u32, u32, u32, Option<u32>, Option<u32>, u32, u32, &'a str, &'static str), Option<u32>);

#[pymethods]
impl Object {
    #[new]
    #[pyo3(signature = (src, max_bytes=None))]
    fn new(py: Python<'_>, src: &Bound<'_, PyAny>, max_bytes: Option<u64>) -> PyResult<Self> {
        let source = source_of(src)?;
        let opened = detached(py, |_| open(&source, &Limits::new(max_bytes)))?;
        Self::from_opened(py, opened, &source)
    }

    /// Returns the fields of a `FrameSpec` as declared, and Number of Frames or None.
    fn spec(&self) -> Spec<'_> {
        let image = &*self.image;
        let fields = (
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
        (fields, image.number_of_frames)
    }

    /// Returns the frames. With `find_only`, also of transfer syntaxes without a decoder: to find frames, not to
    /// decode.
    ///
    /// Raises `UnsupportedError` without a decoder, or another `DecodeError` if the frames cannot be located.
    #[pyo3(signature = (*, find_only=false))]
    fn frames(&self, py: Python<'_>, find_only: bool) -> PyResult<Frames> {
        Frames::of_object(py, Arc::clone(&self.object), Arc::clone(&self.image), find_only)
    }

    /// Returns the elements of the data set.
    fn elements(&self) -> Elements {
        Elements { object: Arc::clone(&self.object), item: None }
    }

    /// Returns (slope, intercept) of each frame in `indices`, a single pair if all are equal, or [] if no frame has
    /// one.
    fn rescales(&self, py: Python<'_>, indices: Vec<usize>) -> PyResult<Vec<(f64, f64)>> {
        let rescales = detached(py, |_| self.object.rescales(&indices))?.map_err(|error| self.failed(&error))?;
        Ok(rescales.into_iter().map(|Rescale { slope, intercept }| (slope, intercept)).collect())
    }

    /// Returns True if a Modality LUT Sequence replaces Rescale Slope and Rescale Intercept (PS3.3 C.11.1).
    fn has_modality_lut(&self) -> PyResult<bool> {
        self.object.has_modality_lut().map_err(|error| self.failed(&error))
    }

    /// Returns the table of the Modality LUT Sequence and its deviations, None if there is none.
    ///
    /// Raises `CorruptFrameError` if the table is not as PS3.3 C.11.1.1.1 defines it.
    fn modality_lut(&self, py: Python<'_>) -> PyResult<Option<(LookupTable, Vec<FrameDeviation>)>> {
        let is_signed = self.image.pixel_representation == 1;
        let lut = detached(py, |_| self.object.modality_lut(is_signed))?.map_err(|error| self.failed(&error))?;
        Ok(lut.map(|ModalityLut { table, deviations }| {
            let deviations = deviations.into_iter().map(|deviation| FrameDeviation::new(None, deviation));
            (LookupTable(std::sync::Arc::new(table)), deviations.collect())
        }))
    }

    /// Returns the first deviation in the items that have been read so far for rescales, a Modality LUT or elements. Empty
    /// if there is none, or if the data set itself has one, which is among the deviations of the frames.
    fn item_deviations(&self) -> Vec<FrameDeviation> {
        self.object.item_deviation().map(|deviation| FrameDeviation::new(None, deviation.clone())).into_iter().collect()
    }

    /// Returns byte offset and length of the pixel data value, and True if the offset refers to the file itself, not to
    /// an inflated data set.
    fn value_range(&self) -> (u64, u64, bool) {
        let Element { offset, length, .. } = self.image.element;
        (offset, length, !self.object.is_inflated())
    }

    /// Reads the pixel data value.
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let value = detached(py, |_| self.object.read(&self.image.element))?;
        Ok(PyBytes::new(py, &value.map_err(|error| self.failed(&error))?))
    }
}

impl Object {
    fn from_opened(
        py: Python<'_>,
        opened: Result<(dicoxide_part10::Object, Image), OpenError>,
        source: &Source,
    ) -> PyResult<Self> {
        match opened {
            Ok((object, image)) => Ok(Self::new_from(object, image)),
            Err(error) => Err(open_error(py, error, source)),
        }
    }

    pub(crate) fn new_from(object: dicoxide_part10::Object, image: Image) -> Self {
        Self { object: Arc::new(object), image: Arc::new(image) }
    }

    fn failed(&self, error: &DecodeError) -> PyErr {
        Failure { transfer_syntax: Some(&self.image.transfer_syntax), ..Failure::of(error) }.into()
    }
}

/// Returns the exception for the error of opening `source`.
pub(crate) fn open_error(py: Python<'_>, error: OpenError, source: &Source) -> PyErr {
    match (error, source) {
        (OpenError::File(error), Source::Path(path)) => errors::file_error(py, &error, path),
        (OpenError::File(error), Source::Bytes(_)) => errors::system_error(None, &error.to_string()),
        (OpenError::Header(error, uid), _) => Failure { transfer_syntax: uid.as_deref(), ..Failure::of(&error) }.into(),
    }
}

/// Opens many paths, or `bytes` of files, on at most `threads` threads. Returns, for each source, an `Object`, or the
/// exception that `Object(source)` raises.
#[pyfunction]
#[pyo3(signature = (sources, threads, max_bytes=None))]
pub(crate) fn open_many<'py>(
    py: Python<'py>,
    sources: Vec<Bound<'py, PyAny>>,
    threads: usize,
    max_bytes: Option<u64>,
) -> PyResult<Vec<OpenResult<'py>>> {
    let sources = sources.iter().map(source_of).collect::<PyResult<Vec<_>>>()?;
    let results = detached(py, |_| dicoxide_part10::open_many(&sources, max_bytes, threads))?;
    let to_python = |(opened, source)| match Object::from_opened(py, opened, source) {
        Ok(object) => OpenResult::Object(object),
        Err(error) => OpenResult::Exception(error.into_value(py).into_bound(py)),
    };
    Ok(results.into_iter().zip(&sources).map(to_python).collect())
}

/// Returns the elements of the data set of a file that may be damaged or have no image, up to the first error, and True
/// if the file ends after its last element, or after at most 7 zero bytes of padding.
///
/// Raises `CorruptFrameError` if the data set cannot be found, `LimitError`, or `OSError`.
#[pyfunction]
#[pyo3(signature = (src, max_bytes=None))]
pub(crate) fn read_elements(
    py: Python<'_>,
    src: &Bound<'_, PyAny>,
    max_bytes: Option<u64>,
) -> PyResult<(Elements, bool)> {
    let source = source_of(src)?;
    let opened = detached(py, |_| {
        let object = dicoxide_part10::open_incomplete(&source, &Limits::new(max_bytes))?;
        let is_complete = object.is_complete().map_err(|error| OpenError::Header(error, None))?;
        Ok((object, is_complete))
    })?;
    let (object, is_complete) = opened.map_err(|error| open_error(py, error, &source))?;
    Ok((Elements { object: Arc::new(object), item: None }, is_complete))
}

/// An opened object, or the exception of opening it.
#[derive(IntoPyObject)]
pub(crate) enum OpenResult<'py> {
    Object(Object),
    Exception(Bound<'py, PyBaseException>),
}

/// Returns the source that a Python object is: `bytes`, a path, or a `SeekableFile`.
pub(crate) fn source_of(src: &Bound<'_, PyAny>) -> PyResult<Source> {
    if let Ok(bytes) = src.cast::<PyBytes>() {
        return Ok(Source::Bytes(Arc::new(PySource(bytes.clone().into()))));
    }
    if let Ok(path) = src.extract() {
        return Ok(Source::Path(path));
    }
    match FileObject::new(src)? {
        Some(file) => Ok(Source::Bytes(Arc::new(file))),
        None => Err(PyTypeError::new_err("src must be a path, bytes or a SeekableFile")),
    }
}

/// Python `bytes` as a source. They are immutable, so they can be read with the interpreter detached.
struct PySource(PyBackedBytes);

impl ReadAt for PySource {
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
    /// `None` for the object's own data set.
    item: Option<DataSet>,
}

/// An element: the items of a sequence, or (VR or None, value, is_big_endian).
#[derive(IntoPyObject)]
pub(crate) enum ElementValue<'py> {
    Items(Vec<Elements>),
    Value((Option<String>, Bound<'py, PyBytes>, bool)),
}

#[pymethods]
impl Elements {
    /// Returns the tags in file order.
    fn tags(&self) -> Vec<u32> {
        self.data_set().elements().iter().map(|element| element.tag.0).collect()
    }

    /// Converts the values of many attributes, given as (keyword, tag, VR of the data dictionary).
    ///
    /// Returns a dict of the values by keyword, and the keywords that are left to the caller: of rare VRs, sequences,
    /// and malformed values. Absent attributes are in neither.
    fn read_common<'py>(
        &self,
        py: Python<'py>,
        wanted: Vec<(Bound<'py, PyString>, u32, PyBackedStr)>,
    ) -> PyResult<(Bound<'py, PyDict>, Vec<Bound<'py, PyString>>)> {
        let values = PyDict::new(py);
        let mut left = Vec::new();
        for (keyword, tag, dictionary_vr) in wanted {
            let Some(element) = self.data_set().get(Tag(tag)) else { continue };
            let vr = element.vr.filter(|vr| vr != b"UN").or_else(|| dictionary_vr.as_bytes().try_into().ok());
            let value = match vr {
                Some(vr) if &vr != b"SQ" => {
                    let bytes = self.object.read(element).map_err(|error| PyErr::from(Failure::of(&error)))?;
                    values::convert(py, vr, &bytes, element.encoding.is_big_endian)?
                }
                _ => None,
            };
            match value {
                Some(value) => values.set_item(keyword, value)?,
                None => left.push(keyword),
            }
        }
        Ok((values, left))
    }

    /// Returns a list of `Elements` for a sequence, (VR or None, value, is_big_endian) for another element, None if
    /// there is no element with this tag. `is_sequence` decides if the file declares no VR, or UN.
    fn get<'py>(&self, py: Python<'py>, tag: u32, is_sequence: bool) -> PyResult<Option<ElementValue<'py>>> {
        let Some(element) = self.data_set().get(Tag(tag)) else { return Ok(None) };
        let failed = |error: DecodeError| PyErr::from(Failure::of(&error));
        if element.vr == Some(*b"SQ") || is_sequence && matches!(element.vr.as_ref(), None | Some(b"UN")) {
            let items = self.object.items(element).map_err(failed)?;
            let items = items.into_iter().map(|item| Self { object: Arc::clone(&self.object), item: Some(item) });
            return Ok(Some(ElementValue::Items(items.collect())));
        }
        let value = self.object.read(element).map_err(failed)?;
        let value = PyBytes::new(py, &value);
        Ok(Some(ElementValue::Value((element.vr.map(vr_name), value, element.encoding.is_big_endian))))
    }
}

impl Elements {
    fn data_set(&self) -> &DataSet {
        self.item.as_ref().unwrap_or_else(|| self.object.data_set())
    }
}

fn vr_name(vr: Vr) -> String {
    vr.iter().copied().map(char::from).collect()
}
