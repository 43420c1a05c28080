//! Segments → samples, block by block (PS3.5 G.2, G.3.2).
//!
//! ```text
//! segment ─ fill ─► scratch plane │ block of samples │ what the last run gave too much │ room for a step │
//! segment ─ fill ─► scratch plane │       ⋮ interleave ──► output        └── moved to the front of the next block
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
/// `Truncated` if a segment ends before its plane, `LimitExceeded`, and the output's own.
pub(super) fn decode(
    plan: &Plan<'_>,
    limits: &Limits,
    scratch: &mut Vec<u8>,
    output: &mut Output<'_>,
) -> Result<Vec<Deviation>> {
    let ends = match plan.planes() {
        [segment] if plan.bit_packed => packed_bits(segment, plan, limits, scratch, output)?,
        [segment] => match straight(segment, plan, output)? {
            Some(ends) => ends,
            None => blocks(plan, limits, scratch, output)?,
        },
        _ => blocks(plan, limits, scratch, output)?,
    };
    let mut deviations = Vec::new();
    for (plane, segment) in plan.segments() {
        deviations.extend(match ends.get(plane) {
            // The plane ended with a run.
            Some(Position { src, out: 0 }) => segment.rest_after(*src),
            _ => segment.survey(plan.plane_bytes)?,
        });
    }
    Ok(deviations)
}

/// Where each segment stands: `out` counts from the end of what the output has.
type Positions = [Position; MAX_SEGMENTS];

/// One plane of bytes, decoded into the output itself. `None` where the output has no room for all of it at once.
fn straight(segment: &Segment<'_>, plan: &Plan<'_>, output: &mut Output<'_>) -> Result<Option<Positions>> {
    let cpu_level = output.cpu_level();
    let out = output.block(plan.plane_bytes)?;
    if out.len() != plan.plane_bytes {
        return Ok(None);
    }
    let mut lane = lane(segment, plan);
    for end in (0..plan.plane_bytes).step_by(STRAIGHT_BYTES) {
        if !lane.fill(out, plan.plane_bytes.min(end + STRAIGHT_BYTES), &[], cpu_level) {
            return Err(cut(plan));
        }
    }
    output.commit(plan.plane_bytes)?;
    lane.take(plan.plane_bytes);
    Ok(Some(one(&lane)))
}

/// Any number of planes, by way of scratch.
fn blocks(plan: &Plan<'_>, limits: &Limits, scratch: &mut Vec<u8>, output: &mut Output<'_>) -> Result<Positions> {
    let count = plan.planes().len();
    let (pitch, scratch) = planes_of(scratch, count, plan, limits)?;
    let mut lanes = [Lane::default(); MAX_SEGMENTS];
    for (to, segment) in lanes.iter_mut().zip(plan.planes()) {
        *to = lane(segment, plan);
    }
    let lanes = lanes.get_mut(..count).unwrap_or_default();
    let prefetch = plan.plane_bytes * count >= PREFETCH_BYTES;
    while output.pixels_left() > 0 {
        let cpu_level = output.cpu_level();
        let block = output.block(BLOCK_BYTES)?;
        let pixels = block.len() / count;
        let share = if prefetch { pixels } else { 0 };
        fill_together(lanes, scratch, pitch, pixels, cpu_level);
        for (index, (lane, plane)) in lanes.iter_mut().zip(scratch.chunks_exact_mut(pitch)).enumerate() {
            let ahead = block.get(index * share..(index + 1) * share).unwrap_or_default();
            if !lane.fill(plane, pixels, ahead, cpu_level) {
                return Err(cut(plan));
            }
        }
        let mut parts: [&[u8]; MAX_SEGMENTS] = [&[]; MAX_SEGMENTS];
        for (part, plane) in parts.iter_mut().zip(scratch.chunks_exact(pitch)) {
            *part = plane.get(..pixels).unwrap_or_default();
        }
        interleave::interleave(parts.get(..count).unwrap_or_default(), 1, block, cpu_level);
        output.commit(pixels)?;
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
    plan: &Plan<'_>,
    limits: &Limits,
    scratch: &mut Vec<u8>,
    output: &mut Output<'_>,
) -> Result<Positions> {
    let (_, plane) = planes_of(scratch, 1, plan, limits)?;
    let mut lane = lane(segment, plan);
    let mut offset_bits = 0;
    while output.pixels_left() > 0 {
        let cpu_level = output.cpu_level();
        let block = output.block(BLOCK_BYTES * 8 - offset_bits)?;
        let pixels = block.len();
        let bits = offset_bits + pixels;
        if !lane.fill(plane, bits.div_ceil(8), &[], cpu_level) {
            return Err(cut(plan));
        }
        // At most 7, by the remainder below.
        #[expect(clippy::cast_possible_truncation, reason = "0 to 7")]
        bits::unpack(plane, offset_bits as u32, block, cpu_level);
        output.commit(pixels)?;
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
    plan: &Plan<'_>,
    limits: &Limits,
) -> Result<(usize, &'s mut [u8])> {
    let pitch = plan.plane_bytes.min(BLOCK_BYTES).next_multiple_of(64) + STEP_OUT + APART;
    let needed = pitch * count;
    if scratch.len() < needed {
        limits.reserve(needed - scratch.len())?;
        scratch.resize(needed, 0);
    }
    Ok((pitch, scratch.get_mut(..needed).unwrap_or_default()))
}

/// A segment at its start.
fn lane<'a>(segment: &Segment<'a>, plan: &Plan<'_>) -> Lane<'a> {
    Lane::new(segment.bytes, segment.has_long_runs(plan.plane_bytes))
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
fn cut(plan: &Plan<'_>) -> DecodeError {
    plan.segments()
        .find_map(|(_, segment)| segment.survey(plan.plane_bytes).err())
        .unwrap_or_else(|| truncated("a segment ends before its plane", "PS3.5 Annex G.3.2"))
}
