//! Rescale Slope and Rescale Intercept of frames (PS3.3 C.11.1).
//!
//! Precedence (PS3.3 C.7.6.16.2.9): Pixel Value Transformation of the frame's own functional groups, that of the shared
//! functional groups, the attributes of the data set itself.
//!
//! An RT Dose object has Dose Grid Scaling instead: dose = stored value × Dose Grid Scaling (PS3.3 C.8.8.3).

use crate::element::Tag;
use crate::element_reader::{DataSet, find_items};
use crate::object::Object;
use crate::parse::{Attribute, Parsed, number, text};
use crate::window::Window;
use dicoxide_core::{DecodeError, ErrorKind, Rescale, Result};

const INTERCEPT: Attribute = Attribute::new(0x0028_1052, "Rescale Intercept", b"DS");
const SLOPE: Attribute = Attribute::new(0x0028_1053, "Rescale Slope", b"DS");
const DOSE_GRID_SCALING: Attribute = Attribute::new(0x3004_000E, "Dose Grid Scaling", b"DS");
const SOP_CLASS_UID: Tag = Tag(0x0008_0016);
/// SOP Class of RT Dose (PS3.4 B.5).
const RT_DOSE_STORAGE: &str = "1.2.840.10008.5.1.4.1.1.481.2";
const PIXEL_VALUE_TRANSFORMATION_SEQUENCE: Tag = Tag(0x0028_9145);
const SHARED_FUNCTIONAL_GROUPS_SEQUENCE: Tag = Tag(0x5200_9229);
const PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE: Tag = Tag(0x5200_9230);
const IDENTITY: Rescale = Rescale { slope: 1.0, intercept: 0.0 };

impl Object {
    /// Returns the rescale of each frame in `indices`, a single one if all are equal, or none if no frame has one.
    ///
    /// # Errors
    /// `Mismatch` if slope or intercept is not a finite number; the errors of [`Self::items`].
    pub fn rescales(&self, indices: &[usize]) -> Result<Vec<Rescale>> {
        // One window for all functional groups, which are adjacent in the file.
        let mut window = Window::new(self.bytes());
        let shared_groups = match self.data_set().get(SHARED_FUNCTIONAL_GROUPS_SEQUENCE) {
            Some(sequence) => self.items(sequence)?,
            None => Vec::new(),
        };
        let shared = match shared_groups.first() {
            Some(group) => pixel_value_transformation(self, &mut window, group)?,
            None => None,
        };
        let default = match shared {
            Some(rescale) => Some(rescale),
            None => rescale_of(self, self.data_set())?,
        };
        let default = match dose_grid_scaling(self)? {
            Some(scaling) if default.is_none_or(|rescale| rescale == IDENTITY) => Some(scaling),
            Some(_) => {
                return Err(mismatch("Dose Grid Scaling and another rescale found, one of them expected".to_owned()));
            }
            None => default,
        };
        let per_frame = match self.data_set().get(PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE) {
            Some(sequence) => self.per_frame_items(sequence)?,
            None => &[],
        };
        if per_frame.is_empty() {
            self.record_item_deviation(window);
            return Ok(default.into_iter().collect());
        }
        let mut rescales = Vec::with_capacity(indices.len());
        for index in indices {
            let own = match per_frame.get(*index) {
                Some(item) => {
                    let group = DataSet::read_item(&mut window, *item)?;
                    pixel_value_transformation(self, &mut window, &group)?
                }
                None => None,
            };
            rescales.push(own.or(default));
        }
        self.record_item_deviation(window);
        match rescales.first() {
            Some(first) if rescales.iter().all(|rescale| rescale == first) => Ok((*first).into_iter().collect()),
            _ => Ok(rescales.into_iter().map(|rescale| rescale.unwrap_or(IDENTITY)).collect()),
        }
    }
}

/// Returns the rescale of one item of a functional groups sequence.
fn pixel_value_transformation(object: &Object, window: &mut Window<'_>, group: &DataSet) -> Result<Option<Rescale>> {
    let Some(sequence) = group.get(PIXEL_VALUE_TRANSFORMATION_SEQUENCE) else { return Ok(None) };
    match find_items(window, sequence)?.first() {
        Some(item) => rescale_of(object, &DataSet::read_item(window, *item)?),
        None => Ok(None),
    }
}

/// Returns Dose Grid Scaling, which an RT Dose object must have, as a rescale.
fn dose_grid_scaling(object: &Object) -> Result<Option<Rescale>> {
    let data_set = object.data_set();
    let Some(element) = data_set.get(DOSE_GRID_SCALING.tag) else {
        let class = data_set.get(SOP_CLASS_UID).map(|element| object.read_attribute(element)).transpose()?;
        if class.is_some_and(|uid| text(&uid) == RT_DOSE_STORAGE) {
            return Err(mismatch("Dose Grid Scaling is missing".to_owned()));
        }
        return Ok(None);
    };
    let parsed = number(element, DOSE_GRID_SCALING.vr, &object.read_attribute(element)?);
    match finite(&parsed) {
        Some(slope) => Ok(Some(Rescale { slope, intercept: 0.0 })),
        None => Err(mismatch(format!("Dose Grid Scaling {parsed} found, a number expected"))),
    }
}

fn mismatch(message: String) -> DecodeError {
    DecodeError::new(ErrorKind::Mismatch, message, "PS3.3 C.8.8.3")
}

/// Returns a finite number.
#[allow(clippy::cast_precision_loss, reason = "rounded to nearest, as a decimal string is")]
fn finite(parsed: &Parsed) -> Option<f64> {
    match parsed {
        Parsed::Integer(value) => Some(*value as f64),
        Parsed::Real(value) => Some(*value).filter(|value| value.is_finite()),
        Parsed::Empty | Parsed::Other(_) => None,
    }
}

/// Returns slope and intercept if both attributes are present. Both empty mean no rescale; one empty is an error.
fn rescale_of(object: &Object, data_set: &DataSet) -> Result<Option<Rescale>> {
    let value = |attribute: &Attribute| {
        let element = data_set.get(attribute.tag);
        element.map(|element| Ok(number(element, attribute.vr, &object.read_attribute(element)?))).transpose()
    };
    let (Some(slope), Some(intercept)) = (value(&SLOPE)?, value(&INTERCEPT)?) else { return Ok(None) };
    if (&slope, &intercept) == (&Parsed::Empty, &Parsed::Empty) {
        return Ok(None);
    }
    match (finite(&slope), finite(&intercept)) {
        (Some(slope), Some(intercept)) => Ok(Some(Rescale { slope, intercept })),
        _ => {
            let message = format!("Rescale Slope {slope} and Rescale Intercept {intercept} found, numbers expected");
            Err(DecodeError::new(ErrorKind::Mismatch, message, "PS3.3 C.11.1"))
        }
    }
}
