//! Lines of lossless scans: contexts and predictions of the whole line first, then the codes.

#![allow(clippy::indexing_slicing, reason = "components are below the length of arrays, context indices are masked")]

use super::bits::BitPosition;
use super::model::{CONTEXT_INDICES, Line, Model};
use super::regular;
use super::run::{self, Interruptions, Neighbours};

/// Bits of the context in an element of `models`.
const CONTEXT_MASK: u32 = 0xFFFF;

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
    let Model { parameters, constants, regular, run, .. } = model;
    let mut interruptions = Interruptions { contexts: run, parameters, constants };
    let constants = *constants;
    let width = lines.iter().map(|line| line.models.len()).min().unwrap_or_default();
    let (mut models, mut rows) = ([&[][..]; COMPONENTS], [&[][..]; COMPONENTS]);
    for ((models, row), line) in models.iter_mut().zip(&mut rows).zip(&*lines) {
        // Slices of one length, so that the loop has one check.
        let (Some(line_models), Some(samples)) = (line.models.get(..width), line.row.get(1..=width)) else {
            return bits;
        };
        (*models, *row) = (line_models, samples);
    }
    let mut x = 0;
    while x < width {
        let pixel = models.map(|models| models.get(x).copied().unwrap_or_default());
        let is_run = pixel.iter().fold(0, |any, model| any | model & CONTEXT_MASK) == 0;
        if !is_run {
            for_each_component!(COMPONENTS, |component| {
                let (Some(sample), model) = (rows[component].get(x), pixel[component]) else { break };
                let context = &mut regular[(model >> 1) as usize % CONTEXT_INDICES];
                let sign = (model & 1).cast_signed().wrapping_neg();
                let (prediction, sample) = ((model >> 16).cast_signed(), i32::from(*sample));
                bits = regular::append_lossless(bits, context, sign, prediction, sample, &constants, codes);
            });
            x = x.wrapping_add(1);
            continue;
        }
        let start = x;
        x = lines.iter().map(|line| run_end(&line.row, start, width)).min().unwrap_or(width);
        bits = run::append_length(bits, x.wrapping_sub(start), x >= width, run_index, codes);
        if x >= width {
            break;
        }
        for (line, row) in lines.iter().zip(&rows) {
            let neighbours = Neighbours::new(line, x);
            let mut sample = row.get(x).copied().unwrap_or_default();
            let is_similar = COMPONENTS == 1 && neighbours.a == neighbours.b;
            bits = interruptions.append(bits, &mut sample, neighbours, is_similar, *run_index, codes);
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
