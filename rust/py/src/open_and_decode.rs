//! Opens a small image and decodes it in one call.

use crate::arrays::UninitArray;
use crate::frame_args::{FrameDeviation, OptionArgs};
use crate::guard::detached;
use crate::object::{Object, open_error, source_of};
use dicoxide_core::Limits;
use dicoxide_part10::{Image, ImagePlan, Request, open};
use numpy::PyUntypedArray;
use pyo3::prelude::*;

/// Maximum number of samples of an image that is decoded when it is opened: one thread decodes it.
const MAX_SAMPLES: u64 = 1 << 18;

/// An array and its deviations, or an opened object.
#[derive(IntoPyObject)]
pub(crate) enum Opened<'py> {
    Decoded((Bound<'py, PyUntypedArray>, Vec<FrameDeviation>)),
    Object(Object),
}

/// Opens a source as `Object(src)` does. If it is a small image of one frame, decodes it too: the calls between opening
/// and decoding take as long as both.
///
/// Returns (array, deviations), or the `Object` for all else: several frames, a large frame, a feature that only
/// the package implements, an error in the frame.
#[pyfunction]
pub(crate) fn open_and_decode<'py>(
    py: Python<'py>,
    src: &Bound<'py, PyAny>,
    rescale: bool,
    to_rgb: bool,
    reduce: u32,
) -> PyResult<Opened<'py>> {
    let source = source_of(src)?;
    let request =
        Request { rescale, options: OptionArgs::of_output(to_rgb, reduce).decode_options(), ..Request::default() };
    let limits = Limits::unbounded();
    let opened = detached(py, |_| {
        let (object, image) = open(&source, &limits)?;
        let plan = if is_small(&image) { ImagePlan::new(&object, &image, &request).ok() } else { None };
        Ok((object, image, plan))
    })?;
    let (object, image, plan) = opened.map_err(|error| open_error(py, error, &source))?;
    if let Some(plan) = plan.filter(|plan| plan.frame_count() == 1) {
        let mut array = UninitArray::new(py, plan.sample_type(), plan.shape())?;
        let samples = array.samples()?;
        if let Ok(deviations) = detached(py, |poll| plan.decode(&object, &image, &limits, samples, 1, poll))? {
            let deviations = deviations.into_iter().map(|(index, deviation)| FrameDeviation::new(index, deviation));
            return Ok(Opened::Decoded((array.filled(), deviations.collect())));
        }
    }
    Ok(Opened::Object(Object::new_from(object, image)))
}

fn is_small(image: &Image) -> bool {
    let pixels = u64::from(image.rows) * u64::from(image.columns);
    image.number_of_frames.is_none_or(|count| count <= 1)
        && pixels.saturating_mul(image.samples_per_pixel.into()) <= MAX_SAMPLES
}
