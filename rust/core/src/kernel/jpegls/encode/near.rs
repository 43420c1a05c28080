//! Lines of near-lossless scans: each sample is replaced by its reconstruction, which is a neighbour of the next ones.

#![allow(clippy::indexing_slicing, reason = "components are below the length of arrays, context indices are masked")]

use super::bits::BitPosition;
use super::model::{self, CONTEXT_INDICES, Line, Model};
use super::regular;
use super::run::{self, Interruptions, Neighbours};

/// Encodes a line of one component, or of `COMPONENTS` whose samples are interleaved; modes as in
/// [`super::lossless::encode_line`].
#[inline(always)]
pub(super) fn encode_line<const COMPONENTS: usize>(
    lines: &mut [Line; COMPONENTS],
    run_index: &mut usize,
    model: &mut Model,
    mut bits: BitPosition,
    codes: &mut [u8],
) -> BitPosition {
    for line in &mut *lines {
        line.pad();
        line.quantize_above(model.steps);
    }
    let Model { parameters, constants, regular, run, gradients, .. } = model;
    let mut interruptions = Interruptions { contexts: run, parameters, constants };
    let constants = *constants;
    let width = lines.iter().map(|line| line.models.len()).min().unwrap_or_default();
    // The samples to the left.
    let mut left = lines.each_ref().map(|line| line.row.first().copied().unwrap_or_default());
    let mut x = 0;
    while x < width {
        let pixel: [_; COMPONENTS] = std::array::from_fn(|component| {
            let line = &lines[component];
            let above = line.above.get(x..).and_then(|above| above.first_chunk());
            let (Some([c, b]), Some(part)) = (above, line.models.get(x)) else { return (0, 0, 0) };
            (part.cast_signed().wrapping_add(gradients.quantize(*c, left[component])), *b, *c)
        });
        if pixel.iter().any(|(index, ..)| *index != 0) {
            for_each_component!(COMPONENTS, |component| {
                let (index, b, c) = pixel[component];
                let Some(sample) = lines[component].row.get_mut(x.wrapping_add(1)) else { break };
                let context = &mut regular[index.unsigned_abs() as usize % CONTEXT_INDICES];
                let prediction = i32::from(model::median(left[component], b, c));
                let (sign, value) = (index >> 31, i32::from(*sample));
                (bits, *sample) = regular::append_near(bits, context, sign, prediction, value, &constants, codes);
                left[component] = *sample;
            });
            x = x.wrapping_add(1);
            continue;
        }
        let start = x;
        let near = constants.near.unsigned_abs();
        x = lines.iter().zip(left).map(|(line, a)| run_end(&line.row, start, width, a, near)).min().unwrap_or(width);
        for (line, a) in lines.iter_mut().zip(left) {
            line.row.get_mut(start.wrapping_add(1)..=x).unwrap_or_default().fill(a);
        }
        bits = run::append_length(bits, x.wrapping_sub(start), x >= width, run_index, codes);
        if x >= width {
            break;
        }
        for (line, left) in lines.iter_mut().zip(&mut left) {
            let neighbours = Neighbours::new(line, x);
            let is_similar = COMPONENTS == 1 && u32::from(neighbours.a.abs_diff(neighbours.b)) <= near;
            let Some(sample) = line.row.get_mut(x.wrapping_add(1)) else { break };
            bits = interruptions.append(bits, sample, neighbours, is_similar, *run_index, codes);
            *left = *sample;
        }
        *run_index = run_index.saturating_sub(1);
        x = x.wrapping_add(1);
    }
    bits
}

/// Returns the end of the run of one component that starts with sample `start` and is within `near` of `a`.
fn run_end(row: &[u16], start: usize, width: usize, a: u16, near: u32) -> usize {
    let samples = row.get(start + 1..=width).unwrap_or_default();
    let is_outside = |sample: &u16| u32::from(sample.abs_diff(a)) > near;
    start + samples.iter().position(is_outside).unwrap_or(samples.len())
}
