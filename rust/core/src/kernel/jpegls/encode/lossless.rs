//! Lines of lossless scans: contexts and predictions of the whole line first, then the codes.

use super::bits::BitPosition;
use super::model::{Line, Model};
use super::regular;
use super::run::{self, Neighbours};

/// Encodes a line of one component, or of `COMPONENTS` whose samples are interleaved.
///
/// ```text
/// for each pixel:
///     context 0 in all components:   run mode, to the end of the line or a run interruption
///     otherwise:                     regular mode, also for components with context 0
/// ```
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
        line.predict(model.steps);
    }
    let Model { parameters, constants, contexts, .. } = model;
    let (constants, regular_contexts) = (*constants, &mut contexts.regular);
    let indices = lines.each_ref().map(|line| &line.contexts[..]);
    let predictions = lines.each_ref().map(|line| &line.predictions[..]);
    let rows = lines.each_ref().map(|line| &line.row[..]);
    let width = indices.map(<[_]>::len).into_iter().min().unwrap_or_default();
    let mut x = 0;
    while x < width {
        let pixel = indices.map(|indices| indices.get(x).copied().unwrap_or_default());
        if pixel.iter().any(|index| *index != 0) {
            let samples = pixel.iter().zip(predictions.iter().zip(&rows));
            for (index, (predictions, row)) in samples {
                let (Some(prediction), Some(sample)) = (predictions.get(x), row.get(x.wrapping_add(1))) else { break };
                let Some(context) = regular_contexts.get_mut(usize::from(*index >> 1)) else { break };
                let sign = i32::from(*index & 1).wrapping_neg();
                let (prediction, sample) = (i32::from(*prediction), i32::from(*sample));
                bits = regular::append_lossless(bits, context, sign, prediction, sample, &constants, codes);
            }
            x = x.wrapping_add(1);
            continue;
        }
        let start = x;
        x = rows.iter().map(|row| run_end(row, start, width)).min().unwrap_or(width);
        bits = run::append_length(bits, x.wrapping_sub(start), x >= width, run_index, codes);
        if x >= width {
            break;
        }
        for (line, row) in lines.iter().zip(&rows) {
            let neighbours = Neighbours::new(line, x);
            let mut sample = row.get(x.wrapping_add(1)).copied().unwrap_or_default();
            let is_similar = COMPONENTS == 1 && neighbours.a == neighbours.b;
            let contexts = &mut contexts.run;
            bits = run::append_interruption(
                bits,
                &mut sample,
                neighbours,
                is_similar,
                *run_index,
                contexts,
                parameters,
                codes,
            );
        }
        *run_index = run_index.saturating_sub(1);
        x = x.wrapping_add(1);
    }
    bits
}

/// Returns the end of the run of one component that starts with sample `start` and repeats the sample before it.
fn run_end(row: &[u16], start: usize, width: usize) -> usize {
    const VECTOR: usize = 32;
    let a = row.get(start).copied().unwrap_or_default();
    let samples = row.get(start + 1..=width).unwrap_or_default();
    let (vectors, _) = samples.as_chunks::<VECTOR>();
    let is_equal = |vector: &&[u16; VECTOR]| vector.iter().fold(0, |difference, sample| difference | (sample ^ a)) == 0;
    let length = vectors.iter().take_while(is_equal).count() * VECTOR;
    let rest = samples.get(length..).unwrap_or_default();
    start + length + rest.iter().position(|sample| *sample != a).unwrap_or(rest.len())
}
