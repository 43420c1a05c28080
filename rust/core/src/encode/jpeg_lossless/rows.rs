//! Rows of samples → rows of differences, modulo 2^16.

use super::plan::Plan;
use crate::error::{Result, output};
use crate::sample::Samples;

/// Computes the differences of consecutive rows. Keeps the row above, so rows are requested from top to bottom.
pub(super) struct Rows<'r, 'a> {
    plan: &'r Plan<'a>,
    row: Vec<u16>,
    above: Vec<u16>,
    differences: Vec<u16>,
}

impl<'r, 'a> Rows<'r, 'a> {
    pub(super) fn new(plan: &'r Plan<'a>) -> Self {
        let row = vec![0; plan.row_samples()];
        Self { plan, above: row.clone(), differences: row.clone(), row }
    }

    /// Returns the differences of row `index`: the first row of a restart interval, or the row after the previous call's.
    ///
    /// # Errors
    /// `Output` if a sample needs more bits than the precision has.
    pub(super) fn differences(&mut self, index: usize, first: bool) -> Result<&[u16]> {
        std::mem::swap(&mut self.row, &mut self.above);
        self.load(index)?;
        let components = usize::from(self.plan.components);
        let Self { plan, row, above, differences } = self;
        if first {
            // The first line is predicted from the left, its first sample from half the range (T.81 H.1.2.1).
            let middle = 1 << (plan.precision - plan.point_transform - 1);
            predict(1, row, row, components, differences);
            subtract_start(row, &[middle; 4], components, differences);
        } else {
            predict(plan.selection_value, row, above, components, differences);
            // The first pixel of any other line is predicted from above.
            subtract_start(row, above, components, differences);
        }
        Ok(differences)
    }

    /// Loads row `index`: the low P bits of each sample, shifted right by the point transform.
    fn load(&mut self, index: usize) -> Result<()> {
        let Plan { samples, precision, point_transform, .. } = *self.plan;
        let start = index * self.row.len();
        let range = start..start + self.row.len();
        let mask = u16::MAX >> (16 - precision);
        let shift = u32::from(point_transform);
        // Added to signed samples, so that values in -half..half become 0..2 * half, and one mask tests both bounds.
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
        if outside == Some(0) { Ok(()) } else { Err(self.precision_error(start)) }
    }

    /// Returns the error of the first sample from `start` on that the precision does not hold.
    #[cold]
    fn precision_error(&self, start: usize) -> crate::error::DecodeError {
        let precision = self.plan.precision;
        let (low, high) = (-(1_i32 << (precision - 1)), 1_i32 << (precision - 1));
        let first_outside = |values: &mut dyn Iterator<Item = i32>, low, high| {
            values.enumerate().skip(start).find(|(_, value)| !(low..high).contains(value))
        };
        let outside = match self.plan.samples {
            Samples::U8(samples) => first_outside(&mut samples.iter().copied().map(i32::from), 0, 2 * high),
            Samples::U16(samples) => first_outside(&mut samples.iter().copied().map(i32::from), 0, 2 * high),
            Samples::I8(samples) => first_outside(&mut samples.iter().copied().map(i32::from), low, high),
            Samples::I16(samples) => first_outside(&mut samples.iter().copied().map(i32::from), low, high),
            _ => None,
        };
        let (index, value) = outside.unwrap_or_default();
        output(
            format!("value {value} of sample {index} needs more than the {precision} bits of the precision"),
            "ITU-T T.81 A.1",
        )
    }
}

/// Loads samples to `row`. Returns a value that is not 0 if a sample, plus `half`, has bits outside the mask; `half` is 0
/// for unsigned samples.
#[inline]
fn load<T: Copy>(src: &[T], widen: impl Fn(T) -> u16, half: u16, mask: u16, shift: u32, row: &mut [u16]) -> u16 {
    let mut outside = 0;
    for (sample, loaded) in src.iter().zip(row) {
        let bits = widen(*sample);
        outside |= bits.wrapping_add(half) & !mask;
        *loaded = (bits & mask).wrapping_shr(shift);
    }
    outside
}

/// Computes the differences of all pixels but the first. Ra is the sample to the left, Rb above, Rc above the left one
/// (T.81 Table H.1).
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

/// Writes sample - `predictor`(Ra, Rb, Rc) for all pixels but the first.
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

/// Writes sample - prediction for the first pixel.
fn subtract_start(row: &[u16], prediction: &[u16], components: usize, out: &mut [u16]) {
    for ((sample, predicted), out) in row.iter().zip(prediction).zip(out).take(components) {
        *out = sample.wrapping_sub(*predicted);
    }
}

/// Returns (x - y) >> 1, modulo 2^16. The difference has 17 bits with its sign.
#[inline]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "modulo 2^16 is wanted")]
fn half_difference(x: u16, y: u16) -> u16 {
    (i32::from(x).wrapping_sub(i32::from(y)) >> 1) as u16
}
