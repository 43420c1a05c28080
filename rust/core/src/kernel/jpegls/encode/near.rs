//! Lines of near-lossless scans: each sample is replaced by its reconstruction, which is a neighbour of the next ones.

use super::bits::BitPosition;
use super::model::{self, Line, Model};
use super::regular;
use super::run::{self, Neighbours};

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
    let Model { parameters, constants, contexts, gradients, .. } = model;
    let (constants, regular_contexts) = (*constants, &mut contexts.regular);
    let width = lines.iter().map(|line| line.contexts.len()).min().unwrap_or_default();
    // The samples to the left.
    let mut left = lines.each_ref().map(|line| line.row.first().copied().unwrap_or_default());
    let mut x = 0;
    while x < width {
        let mut pixel = [(0, 0, 0); COMPONENTS];
        for ((line, a), pixel) in lines.iter().zip(left).zip(&mut pixel) {
            let above = line.above.get(x..).and_then(|above| above.first_chunk());
            let (Some([c, b]), Some(part)) = (above, line.contexts.get(x)) else { break };
            *pixel = (part.cast_signed().wrapping_add(gradients.quantize(*c, a)), *b, *c);
        }
        if pixel.iter().any(|(index, ..)| *index != 0) {
            for ((line, a), (index, b, c)) in lines.iter_mut().zip(&mut left).zip(pixel) {
                let sign = i32::from(index >> 15);
                let Some(context) = regular_contexts.get_mut(usize::from(index.unsigned_abs())) else { break };
                let Some(sample) = line.row.get_mut(x.wrapping_add(1)) else { break };
                let prediction = i32::from(model::median(*a, b, c));
                let reconstructed;
                (bits, reconstructed) =
                    regular::append_near(bits, context, sign, prediction, i32::from(*sample), &constants, codes);
                *sample = reconstructed;
                *a = reconstructed;
            }
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
            let contexts = &mut contexts.run;
            bits =
                run::append_interruption(bits, sample, neighbours, is_similar, *run_index, contexts, parameters, codes);
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
