//! Rows of samples → rows of differences, modulo 2^16.

use super::plan::Plan;
use crate::error::Result;

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
        let Plan { values, point_transform, .. } = self.plan;
        values.load(index * self.row.len(), u32::from(*point_transform), &mut self.row)?;
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
