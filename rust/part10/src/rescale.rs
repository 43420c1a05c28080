//! Rescale Slope and Intercept of frames (PS3.3 C.11.1): those of the frame's functional groups come first, then the
//! shared ones', then the data set's own (PS3.3 C.7.6.16.2.9).

use crate::element::Tag;
use crate::element_reader::{DataSet, items};
use crate::object::{Object, item};
use crate::parse::{Attribute, Parsed, number};
use crate::window::Window;
use dicoxide_core::{DecodeError, ErrorKind, Rescale, Result};

const INTERCEPT: Attribute = Attribute::new(0x0028_1052, "Rescale Intercept", b"DS");
const SLOPE: Attribute = Attribute::new(0x0028_1053, "Rescale Slope", b"DS");
const PIXEL_VALUE_TRANSFORMATION_SEQUENCE: Tag = Tag(0x0028_9145);
const SHARED_FUNCTIONAL_GROUPS_SEQUENCE: Tag = Tag(0x5200_9229);
const PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE: Tag = Tag(0x5200_9230);
const IDENTITY: Rescale = Rescale { slope: 1.0, intercept: 0.0 };

pub(crate) fn rescales(object: &Object, indices: &[usize]) -> Result<Vec<Rescale>> {
    let groups = |tag| object.data_set().get(tag).map_or(Ok(Vec::new()), |sequence| object.items(sequence));
    // One for all groups: they lie next to each other.
    let mut window = Window::new(object.bytes());
    let shared = groups(SHARED_FUNCTIONAL_GROUPS_SEQUENCE)?;
    let of_all = match shared.first() {
        Some(group) => transformation(object, &mut window, group)?,
        None => None,
    };
    let of_all = match of_all {
        Some(found) => Some(found),
        None => pair(object, object.data_set())?,
    };
    let per_frame = match object.data_set().get(PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE) {
        Some(sequence) => object.per_frame_places(sequence)?,
        None => &[],
    };
    if per_frame.is_empty() {
        return Ok(of_all.into_iter().collect());
    }
    let mut found = Vec::with_capacity(indices.len());
    for index in indices {
        let of_frame = match per_frame.get(*index) {
            Some(place) => {
                let group = item(&mut window, *place)?;
                transformation(object, &mut window, &group)?
            }
            None => None,
        };
        found.push(of_frame.or(of_all));
    }
    match found.first() {
        Some(first) if found.iter().all(|other| other == first) => Ok((*first).into_iter().collect()),
        _ => Ok(found.into_iter().map(|found| found.unwrap_or(IDENTITY)).collect()),
    }
}

/// That of one item of a functional groups sequence.
fn transformation(object: &Object, window: &mut Window<'_>, group: &DataSet) -> Result<Option<Rescale>> {
    let Some(sequence) = group.get(PIXEL_VALUE_TRANSFORMATION_SEQUENCE) else { return Ok(None) };
    match items(window, sequence)?.first() {
        Some(place) => pair(object, &item(window, *place)?),
        None => Ok(None),
    }
}

/// Slope and intercept, where both are there; one of them without a value is no identity.
fn pair(object: &Object, data_set: &DataSet) -> Result<Option<Rescale>> {
    let value = |attribute: &Attribute| {
        let element = data_set.get(attribute.tag);
        element.map(|element| Ok(number(element, attribute.vr, &object.read_short(element)?))).transpose()
    };
    let (Some(slope), Some(intercept)) = (value(&SLOPE)?, value(&INTERCEPT)?) else { return Ok(None) };
    if (&slope, &intercept) == (&Parsed::Empty, &Parsed::Empty) {
        return Ok(None);
    }
    let finite = |parsed: &Parsed| match parsed {
        #[allow(clippy::cast_precision_loss, reason = "nearest, as a decimal string is read")]
        Parsed::Integer(value) => Some(*value as f64),
        Parsed::Real(value) => Some(*value).filter(|value| value.is_finite()),
        Parsed::Empty | Parsed::Other(_) => None,
    };
    match (finite(&slope), finite(&intercept)) {
        (Some(slope), Some(intercept)) => Ok(Some(Rescale { slope, intercept })),
        _ => {
            let shown = |parsed: &Parsed| match parsed {
                Parsed::Empty => "nothing".to_owned(),
                Parsed::Integer(value) => value.to_string(),
                Parsed::Real(value) => value.to_string(),
                Parsed::Other(text) => text.clone(),
            };
            let (slope, intercept) = (shown(&slope), shown(&intercept));
            let what = format!("Rescale Slope {slope} and Rescale Intercept {intercept} found, numbers expected");
            Err(DecodeError::new(ErrorKind::Mismatch, what, "PS3.3 C.11.1"))
        }
    }
}
