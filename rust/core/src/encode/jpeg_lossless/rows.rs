//! Rows of samples → rows of differences, modulo 2^16.

use super::plan::Plan;
use crate::error::{Result, output};
use crate::frame::Samples;

/// Walks down the image, twice where need be; keeps the row above.
pub(super) struct Rows<'r, 'a> {
    recipe: &'r Plan<'a>,
    row: Vec<u16>,
    above: Vec<u16>,
    differences: Vec<u16>,
}

impl<'r, 'a> Rows<'r, 'a> {
    pub(super) fn new(recipe: &'r Plan<'a>) -> Self {
        let row = vec![0; recipe.row_samples()];
        Self { recipe, above: row.clone(), differences: row.clone(), row }
    }

    /// The differences of row `index`, which is the `first` of its restart interval or the one after that asked for
    /// before.
    ///
    /// # Errors
    /// `Output` if a sample needs more bits than the precision has.
    pub(super) fn differences(&mut self, index: usize, first: bool) -> Result<&[u16]> {
        std::mem::swap(&mut self.row, &mut self.above);
        self.load(index)?;
        let components = usize::from(self.recipe.components);
        let Self { recipe, row, above, differences } = self;
        if first {
            // T.81 H.1.2.1: the first line is predicted from the left, its first sample from half the range.
            let middle = 1 << (recipe.precision - recipe.point_transform - 1);
            predict(1, row, row, components, differences);
            subtract_start(row, &[middle; 4], components, differences);
        } else {
            predict(recipe.selection_value, row, above, components, differences);
            // The first sample of any other line is predicted from above.
            subtract_start(row, above, components, differences);
        }
        Ok(differences)
    }

    /// The samples of row `index` as unsigned numbers of the precision, the point transform applied.
    fn load(&mut self, index: usize) -> Result<()> {
        let Plan { samples, precision, point_transform, .. } = *self.recipe;
        let start = index * self.row.len();
        let range = start..start + self.row.len();
        let mask = u16::MAX >> (16 - precision);
        let shift = u32::from(point_transform);
        // What a signed sample is off by from an unsigned one, so that one test finds both ends.
        let half = 1 << (precision - 1);
        let row = &mut self.row;
        let outside = match samples {
            Samples::U8(samples) => samples.get(range).map(|src| load(src, u16::from, 0, mask, shift, row)),
            Samples::U16(samples) => samples.get(range).map(|src| load(src, |sample| sample, 0, mask, shift, row)),
            Samples::I8(samples) => {
                let widen = |sample| i16::from(sample).cast_unsigned();
                samples.get(range).map(|src| load(src, widen, half, mask, shift, row))
            }
            Samples::I16(samples) => {
                samples.get(range).map(|src| load(src, i16::cast_unsigned, half, mask, shift, row))
            }
            _ => None,
        };
        if outside == Some(0) { Ok(()) } else { Err(self.refusal(start)) }
    }

    #[cold]
    fn refusal(&self, start: usize) -> crate::DecodeError {
        let precision = self.recipe.precision;
        let (low, high) = (-(1_i32 << (precision - 1)), 1_i32 << (precision - 1));
        let found = |values: &mut dyn Iterator<Item = i32>, low, high| {
            values.enumerate().skip(start).find(|(_, value)| !(low..high).contains(value))
        };
        let found = match self.recipe.samples {
            Samples::U8(samples) => found(&mut samples.iter().copied().map(i32::from), 0, 2 * high),
            Samples::U16(samples) => found(&mut samples.iter().copied().map(i32::from), 0, 2 * high),
            Samples::I8(samples) => found(&mut samples.iter().copied().map(i32::from), low, high),
            Samples::I16(samples) => found(&mut samples.iter().copied().map(i32::from), low, high),
            _ => None,
        };
        let (at, value) = found.unwrap_or_default();
        output(
            format!("value {value} of sample {at} needs more than the {precision} bits of the precision"),
            "ITU-T T.81 A.1",
        )
    }
}

/// Returns bits of samples that lie outside the mask; `half` is 0 for unsigned samples.
#[inline]
fn load<T: Copy>(src: &[T], widen: impl Fn(T) -> u16, half: u16, mask: u16, shift: u32, row: &mut [u16]) -> u16 {
    let mut outside = 0;
    for (sample, place) in src.iter().zip(row) {
        let bits = widen(*sample);
        outside |= bits.wrapping_add(half) & !mask;
        *place = (bits & mask).wrapping_shr(shift);
    }
    outside
}

/// Differences of all but the first pixel of a row that is not the first: Ra is to the left, Rb above, Rc above to the
/// left (T.81 Table H.1).
fn predict(selection_value: u8, row: &[u16], above: &[u16], components: usize, out: &mut [u16]) {
    match selection_value {
        1 => subtract(row, above, components, out, |a, _, _| a),
        2 => subtract(row, above, components, out, |_, b, _| b),
        3 => subtract(row, above, components, out, |_, _, c| c),
        4 => subtract(row, above, components, out, |a, b, c| a.wrapping_add(b).wrapping_sub(c)),
        5 => subtract(row, above, components, out, |a, b, c| a.wrapping_add(half_difference(b, c))),
        6 => subtract(row, above, components, out, |a, b, c| b.wrapping_add(half_difference(a, c))),
        _ => subtract(row, above, components, out, |a, b, _| (a & b).wrapping_add((a ^ b) >> 1)),
    }
}

/// Writes the samples of all but the first pixel less what `predictor` makes of Ra, Rb and Rc.
#[inline]
fn subtract(row: &[u16], above: &[u16], components: usize, out: &mut [u16], predictor: impl Fn(u16, u16, u16) -> u16) {
    let (Some(samples), Some(b), Some(out)) =
        (row.get(components..), above.get(components..), out.get_mut(components..))
    else {
        return;
    };
    let neighbours = row.iter().zip(b).zip(above);
    for ((sample, out), ((a, b), c)) in samples.iter().zip(out).zip(neighbours) {
        *out = sample.wrapping_sub(predictor(*a, *b, *c));
    }
}

/// Writes the samples of the first pixel less `prediction`.
fn subtract_start(row: &[u16], prediction: &[u16], components: usize, out: &mut [u16]) {
    for ((sample, predicted), out) in row.iter().zip(prediction).zip(out).take(components) {
        *out = sample.wrapping_sub(*predicted);
    }
}

/// (x - y) >> 1 of numbers that have 17 bits with their sign, modulo 2^16.
#[inline]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "modulo 2^16 is wanted")]
fn half_difference(x: u16, y: u16) -> u16 {
    (i32::from(x).wrapping_sub(i32::from(y)) >> 1) as u16
}
