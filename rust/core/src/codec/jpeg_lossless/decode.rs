//! Streams → samples in the sink, rows at a time.

use super::diagnose::{before_output, verdict};
use super::parallel::{self, WorkerBuffers};
use super::plan::{Plan, Tables};
use super::self_sync::ChunkBuffers;
use super::stream::{Memory, Stream, WINDOW_BYTES, advance};
use crate::codec::{EntropyMode, FrameContext};
use crate::error::Result;
use crate::frame::{Deviation, FrameBytes};
use crate::kernel::{CpuLevel, predict};
use crate::output::Output;

/// What the loop works in, reused from frame to frame.
#[derive(Debug, Default)]
pub(super) struct Room {
    memories: Vec<Memory>,
    regions: ChunkBuffers,
    pub(super) crew: WorkerBuffers,
}

/// Decodes all scans; says which way it went, and what was not as the standard wants it.
///
/// # Errors
/// `Malformed` for a code without a value, `Truncated` if the data end too early, `LimitExceeded`, and the sink's own.
pub(super) fn scan(
    recipe: &Plan<'_>,
    tables: &Tables,
    room: &mut Room,
    context: &FrameContext<'_>,
    sink: &mut Output<'_>,
) -> Result<(EntropyMode, Vec<Deviation>)> {
    let (tier, way, limits) = (sink.tier(), context.way, context.limits);
    let Room { memories, regions, crew } = room;
    memories.resize_with(memories.len().max(recipe.scans.len()), Memory::default);
    let mut streams = Vec::with_capacity(recipe.scans.len());
    for (scan, memory) in recipe.scans.iter().zip(memories) {
        streams.push(Stream::new(recipe, scan, tables.at(&scan.tables), memory, limits, tier)?);
    }
    // Last of all, and only if the budget has room for it: what can be done without it must not fail with it.
    let longest = recipe.scans.iter().flat_map(|scan| &scan.segments).map(ExactSizeIterator::len).max().unwrap_or(0);
    let may_speculate = way == EntropyMode::Speculative && recipe.scans.len() == 1;
    let mut regions = (may_speculate && regions.grow(longest.min(WINDOW_BYTES) * 8, limits)).then_some(regions);
    let mut emit = |streams: &mut [Stream<'_>]| {
        let emitted = emit(recipe, streams, tier, sink).map(|()| sink.pixels_left() > 0);
        emitted.map_err(|error| before_output(error, recipe, tables))
    };
    if let ([stream], Some(regions)) = (streams.as_mut_slice(), regions.as_deref_mut()) {
        parallel::decode(recipe, tables, stream, (crew, regions), (context, tier), &mut emit)?;
    }
    while !streams.iter().any(Stream::has_failed) && emit(&mut streams)? {
        advance(&mut streams, regions.as_deref_mut(), way, tier);
    }
    if streams.iter().any(Stream::has_failed) {
        return Err(verdict(recipe, tables));
    }
    let went = if streams.iter().any(Stream::has_speculated) { way } else { way.min(EntropyMode::Lanes) };
    Ok((went, streams.into_iter().filter_map(Stream::deviations).collect()))
}

/// Decodes frames in lock-step, without chunks: as [`scan`] does each. Where there is no recipe there is nothing to be had.
pub(super) fn scan_together(
    recipes: &[Result<Plan<'_>>],
    tables: &Tables,
    room: &mut Room,
    context: &FrameContext<'_>,
    frames: &mut [(FrameBytes<'_>, Output<'_>)],
) -> Vec<Result<(EntropyMode, Vec<Deviation>)>> {
    let way = context.way.min(EntropyMode::Lanes);
    let tier = frames.first().map_or(CpuLevel::PORTABLE, |(_, sink)| sink.tier());
    let mut results: Vec<Result<(EntropyMode, Vec<Deviation>)>> =
        recipes.iter().map(|_| Ok((way, Vec::new()))).collect();
    let scans = recipes.iter().flatten().map(|recipe| recipe.scans.len()).sum();
    room.memories.resize_with(room.memories.len().max(scans), Memory::default);
    let mut memories = room.memories.iter_mut();
    // Of each frame in work, its place; and its streams, one frame's behind the other's.
    let mut working: Vec<usize> = Vec::new();
    let mut streams: Vec<Stream<'_>> = Vec::new();
    for (place, (recipe, result)) in recipes.iter().zip(&mut results).enumerate() {
        let Ok(recipe) = recipe else { continue };
        let own: Result<Vec<_>> = recipe
            .scans
            .iter()
            .zip(&mut memories)
            .map(|(scan, memory)| Stream::new(recipe, scan, tables.at(&scan.tables), memory, context.limits, tier))
            .collect();
        match own {
            Ok(own) => {
                working.push(place);
                streams.extend(own);
            }
            Err(error) => *result = Err(error),
        }
    }
    while !working.is_empty() {
        advance(&mut streams, None, way, tier);
        let mut rest = Vec::with_capacity(streams.len());
        let mut all = streams.into_iter();
        working.retain(|place| {
            let (Some(Ok(recipe)), Some((_, sink)), Some(result)) =
                (recipes.get(*place), frames.get_mut(*place), results.get_mut(*place))
            else {
                return false;
            };
            let mut own: Vec<Stream<'_>> = all.by_ref().take(recipe.scans.len()).collect();
            let emitted = if own.iter().any(Stream::has_failed) {
                Err(verdict(recipe, tables))
            } else {
                emit(recipe, &mut own, tier, sink).map_err(|error| before_output(error, recipe, tables))
            };
            let is_done = emitted.is_err() || sink.pixels_left() == 0;
            if is_done {
                *result = emitted.map(|()| (way, own.into_iter().filter_map(Stream::deviations).collect()));
            } else {
                rest.append(&mut own);
            }
            !is_done
        });
        streams = rest;
    }
    results
}

/// Stores the rows that are ready in all streams.
fn emit(recipe: &Plan<'_>, streams: &mut [Stream<'_>], tier: CpuLevel, sink: &mut Output<'_>) -> Result<()> {
    let rows = streams.iter().map(Stream::ready_rows).min().unwrap_or(0);
    let (mut done, end) = (0, rows * recipe.columns);
    while done < end {
        let block = sink.block(end - done);
        let pixels = block.len() / (recipe.components * recipe.sample_bytes);
        if recipe.sample_bytes > 2 {
            // Samples have 16 bits at most: what is above them is 0.
            block.fill(0);
        }
        for stream in streams.iter() {
            store(recipe, stream, done, pixels, block, tier);
        }
        sink.commit(pixels)?;
        done += pixels;
    }
    for stream in streams {
        stream.take(rows);
    }
    Ok(())
}

/// Stores `pixels` pixels of one scan, from the pixel `first` of its ready rows on, to the places of its components.
fn store(recipe: &Plan<'_>, stream: &Stream<'_>, first: usize, pixels: usize, block: &mut [u8], tier: CpuLevel) {
    let scan = stream.scan();
    let (own, all) = (scan.components.len(), recipe.components);
    // A wider sample is one of 16 bits with room behind it.
    let bytes = recipe.sample_bytes.min(2);
    let apart = recipe.sample_bytes / bytes;
    let samples = stream.samples(first * own..(first + pixels) * own);
    let (shift, mask) = (scan.point_transform, recipe.mask);
    if own == all {
        return predict::store(samples, shift, mask, block, bytes, apart, tier);
    }
    for (place, component) in scan.components.iter().enumerate() {
        let Some(out) = block.get_mut(component * bytes * apart..) else { return };
        if own == 1 {
            predict::store(samples, shift, mask, out, bytes, all * apart, tier);
            continue;
        }
        // Some but not all components in one scan: seldom enough to go pixel by pixel.
        for (sample, out) in samples.iter().skip(place).step_by(own).zip(out.chunks_mut(all * bytes * apart)) {
            predict::store(&[*sample], shift, mask, out, bytes, 1, tier);
        }
    }
}
