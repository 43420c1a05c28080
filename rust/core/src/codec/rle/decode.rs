//! Segments → samples, block by block (PS3.5 G.2, G.3.2).
//!
//! ```text
//! segment ─ fill ─► scratch plane │ block of samples │ what the last run gave too much │ room for a step │
//! segment ─ fill ─► scratch plane │       ⋮ interleave ──► sink        └── moved to the front of the next block
//! ```

use super::header::MAX_SEGMENTS;
use super::plan::{Plan, Segment};
use crate::error::{DecodeError, Result, truncated};
use crate::frame::Deviation;
use crate::kernel::rle::{Lane, Position, STEP_OUT, fill_together};
use crate::kernel::{bits, interleave};
use crate::limits::Limits;
use crate::output::Output;

/// Bytes of one plane that are decoded before planes are put together: all planes of a block stay in L1 or L2.
const BLOCK_BYTES: usize = 8 * 1024;
/// Bytes of a plane without others, between two looks at how its runs follow each other.
const STRAIGHT_BYTES: usize = 64 * 1024;
/// Output of this size and more is seldom in L2 when it is written.
const PREFETCH_BYTES: usize = 1 << 18;
/// Scratch planes are this much further apart, so that they don't compete for the same cache sets.
const APART: usize = 64;

/// Decodes all segments and says which were not as the standard wants them.
///
/// # Errors
/// `Truncated` if a segment ends before its plane, `LimitExceeded`, and the sink's own.
pub(super) fn scan(
    recipe: &Plan<'_>,
    limits: &Limits,
    scratch: &mut Vec<u8>,
    sink: &mut Output<'_>,
) -> Result<Vec<Deviation>> {
    let ends = match recipe.planes() {
        [segment] if recipe.bit_packed => packed_bits(segment, recipe, limits, scratch, sink)?,
        [segment] => match straight(segment, recipe, sink)? {
            Some(ends) => ends,
            None => blocks(recipe, limits, scratch, sink)?,
        },
        _ => blocks(recipe, limits, scratch, sink)?,
    };
    let mut deviations = Vec::new();
    for (plane, segment) in recipe.segments() {
        deviations.extend(match ends.get(plane) {
            // The plane ended with a run.
            Some(Position { src, out: 0 }) => segment.rest_after(*src),
            _ => segment.survey(recipe.plane_bytes)?,
        });
    }
    Ok(deviations)
}

/// Where each segment stands: `out` counts from the end of what the sink has.
type Positions = [Position; MAX_SEGMENTS];

/// One plane of bytes, decoded into the output itself. `None` where the sink has no room for all of it at once.
fn straight(segment: &Segment<'_>, recipe: &Plan<'_>, sink: &mut Output<'_>) -> Result<Option<Positions>> {
    let tier = sink.tier();
    let out = sink.block(recipe.plane_bytes);
    if out.len() != recipe.plane_bytes {
        return Ok(None);
    }
    let mut lane = lane(segment, recipe);
    for end in (0..recipe.plane_bytes).step_by(STRAIGHT_BYTES) {
        if !lane.fill(out, recipe.plane_bytes.min(end + STRAIGHT_BYTES), &[], tier) {
            return Err(cut(recipe));
        }
    }
    sink.commit(recipe.plane_bytes)?;
    lane.take(recipe.plane_bytes);
    Ok(Some(one(&lane)))
}

/// Any number of planes, by way of scratch.
fn blocks(recipe: &Plan<'_>, limits: &Limits, scratch: &mut Vec<u8>, sink: &mut Output<'_>) -> Result<Positions> {
    let count = recipe.planes().len();
    let (pitch, scratch) = planes_of(scratch, count, recipe, limits)?;
    let mut lanes = [Lane::default(); MAX_SEGMENTS];
    for (to, segment) in lanes.iter_mut().zip(recipe.planes()) {
        *to = lane(segment, recipe);
    }
    let lanes = lanes.get_mut(..count).unwrap_or_default();
    let prefetch = recipe.plane_bytes * count >= PREFETCH_BYTES;
    while sink.pixels_left() > 0 {
        let tier = sink.tier();
        let block = sink.block(BLOCK_BYTES);
        let pixels = block.len() / count;
        let share = if prefetch { pixels } else { 0 };
        fill_together(lanes, scratch, pitch, pixels, tier);
        for (index, (lane, plane)) in lanes.iter_mut().zip(scratch.chunks_exact_mut(pitch)).enumerate() {
            let ahead = block.get(index * share..(index + 1) * share).unwrap_or_default();
            if !lane.fill(plane, pixels, ahead, tier) {
                return Err(cut(recipe));
            }
        }
        let mut parts: [&[u8]; MAX_SEGMENTS] = [&[]; MAX_SEGMENTS];
        for (part, plane) in parts.iter_mut().zip(scratch.chunks_exact(pitch)) {
            *part = plane.get(..pixels).unwrap_or_default();
        }
        interleave::interleave(parts.get(..count).unwrap_or_default(), 1, block, tier);
        sink.commit(pixels)?;
        for (lane, plane) in lanes.iter_mut().zip(scratch.chunks_exact_mut(pitch)) {
            keep_rest(lane, plane, pixels);
        }
    }
    let mut ends = [Position::default(); MAX_SEGMENTS];
    for (end, lane) in ends.iter_mut().zip(lanes) {
        *end = lane.at();
    }
    Ok(ends)
}

/// One plane of bits: eight pixels a byte, one run of bits over the whole frame.
fn packed_bits(
    segment: &Segment<'_>,
    recipe: &Plan<'_>,
    limits: &Limits,
    scratch: &mut Vec<u8>,
    sink: &mut Output<'_>,
) -> Result<Positions> {
    let (_, plane) = planes_of(scratch, 1, recipe, limits)?;
    let mut lane = lane(segment, recipe);
    let mut offset_bits = 0;
    while sink.pixels_left() > 0 {
        let tier = sink.tier();
        let block = sink.block(BLOCK_BYTES * 8 - offset_bits);
        let pixels = block.len();
        let bits = offset_bits + pixels;
        if !lane.fill(plane, bits.div_ceil(8), &[], tier) {
            return Err(cut(recipe));
        }
        // At most 7, by the remainder below.
        #[expect(clippy::cast_possible_truncation, reason = "0 to 7")]
        bits::unpack(plane, offset_bits as u32, block, tier);
        sink.commit(pixels)?;
        offset_bits = bits % 8;
        keep_rest(&mut lane, plane, bits / 8);
    }
    lane.take(usize::from(offset_bits > 0));
    Ok(one(&lane))
}

/// Scratch of `count` planes with room for a block, the carry and one step, and how far the planes are apart.
fn planes_of<'s>(
    scratch: &'s mut Vec<u8>,
    count: usize,
    recipe: &Plan<'_>,
    limits: &Limits,
) -> Result<(usize, &'s mut [u8])> {
    let pitch = recipe.plane_bytes.min(BLOCK_BYTES).next_multiple_of(64) + STEP_OUT + APART;
    let needed = pitch * count;
    if scratch.len() < needed {
        limits.reserve(needed - scratch.len())?;
        scratch.resize(needed, 0);
    }
    Ok((pitch, scratch.get_mut(..needed).unwrap_or_default()))
}

/// A segment at its start.
fn lane<'a>(segment: &Segment<'a>, recipe: &Plan<'_>) -> Lane<'a> {
    Lane::new(segment.bytes, segment.has_long_runs(recipe.plane_bytes))
}

/// Where the only segment stands.
fn one(lane: &Lane<'_>) -> Positions {
    let mut ends = [Position::default(); MAX_SEGMENTS];
    ends[0] = lane.at();
    ends
}

/// Moves what was decoded beyond `taken` to the front of `plane`.
fn keep_rest(lane: &mut Lane<'_>, plane: &mut [u8], taken: usize) {
    lane.take(taken);
    let rest = lane.at().out;
    if plane.get(taken..taken + rest).is_some() {
        plane.copy_within(taken..taken + rest, 0);
    }
}

/// The error of the first segment that is cut short. Blocks come upon them in another order, so that is found
/// out here: it is the same however the frame was decoded.
fn cut(recipe: &Plan<'_>) -> DecodeError {
    recipe
        .segments()
        .find_map(|(_, segment)| segment.survey(recipe.plane_bytes).err())
        .unwrap_or_else(|| truncated("a segment ends before its plane", "PS3.5 Annex G.3.2"))
}
