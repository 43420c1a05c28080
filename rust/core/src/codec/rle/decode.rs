//! Decodes the segments of a frame into byte planes and interleaves these, block by block (PS3.5 G.2, G.3.2).
//!
//! ```text
//! segment ─ fill ─► scratch plane │ block of samples │ excess of the last run │ space for one step │
//! segment ─ fill ─► scratch plane │       ⋮ interleave ──► output       └── moved to the front before the next block
//! ```

use super::header::MAX_SEGMENTS;
use super::plan::{Plan, Segment, SingleBit};
use crate::error::{DecodeError, Result, truncated};
use crate::frame::Deviation;
use crate::kernel::rle::{Lane, Position, STEP_OUT_BYTES, fill_in_lockstep};
use crate::kernel::{bits, interleave};
use crate::limits::Limits;
use crate::output::Output;

/// Bytes of one plane that are decoded before the planes are interleaved; all planes of a block fit into L1 or L2.
const BLOCK_BYTES: usize = 8 * 1024;
/// Bytes of a single plane per call of [`Lane::fill`], which chooses the kind of step at each call.
const FILL_BYTES: usize = 64 * 1024;
/// Minimum output bytes for prefetching: smaller output is usually in L2 when it is written.
const PREFETCH_BYTES: usize = 1 << 18;
/// Bytes between scratch planes, so that they do not compete for the same cache sets.
const PLANE_GAP_BYTES: usize = 64;
/// Bytes of a cache line.
const LINE_BYTES: usize = 64;
/// Minimum bytes of a plane for blocks that start at cache lines: the first block, which does not, is a small part then.
const MIN_ALIGNED_BYTES: usize = 4 * BLOCK_BYTES;

/// Decodes all segments, and returns their deviations.
///
/// # Errors
/// `Truncated` if a segment ends before its plane is complete, `Mismatch` if it has a large surplus, `Malformed` for
/// single-bit pixels other than 0 and 1, `LimitExceeded`, and the errors of `output`.
pub(super) fn decode(
    plan: &Plan<'_>,
    limits: &Limits,
    scratch: &mut Vec<u8>,
    output: &mut Output<'_>,
) -> Result<Vec<Deviation>> {
    let ends = match plan.planes() {
        [segment] if plan.single_bit == Some(SingleBit::Packed) => {
            decode_bit_plane(segment, plan, limits, scratch, output)?
        }
        [segment] => match decode_single_plane(segment, plan, output)? {
            Some(ends) => ends,
            None => decode_blocks(plan, limits, scratch, output)?,
        },
        _ => decode_blocks(plan, limits, scratch, output)?,
    };
    let mut deviations: Vec<Deviation> = plan.layout_deviation().into_iter().collect();
    for (plane, segment) in plan.segments() {
        deviations.extend(match ends.get(plane) {
            // The plane ends with the last decoded run.
            Some(Position { src, out: 0 }) => segment.trailing_deviation(*src)?,
            _ => segment.check_runs(plan.plane_bytes)?,
        });
    }
    Ok(deviations)
}

/// Position of each segment; `out` counts decoded bytes that have not been written to the output.
type Positions = [Position; MAX_SEGMENTS];

/// Decodes a single byte plane directly into the output. Returns `None`, and decodes nothing, if the output does not
/// provide the whole plane as one block.
fn decode_single_plane(segment: &Segment<'_>, plan: &Plan<'_>, output: &mut Output<'_>) -> Result<Option<Positions>> {
    let cpu_level = output.cpu_level();
    let out = output.block(plan.plane_bytes)?;
    if out.len() != plan.plane_bytes {
        return Ok(None);
    }
    let mut lane = new_lane(segment, plan);
    for end in (0..plan.plane_bytes).step_by(FILL_BYTES) {
        if !lane.fill(out, plan.plane_bytes.min(end + FILL_BYTES), &[], cpu_level) {
            return Err(truncated_segment(plan));
        }
    }
    plan.check_single_bits(out, 0)?;
    output.commit(plan.plane_bytes)?;
    lane.consume(plan.plane_bytes);
    Ok(Some(single_position(&lane)))
}

/// Decodes any number of byte planes into scratch buffers, and interleaves them into the output.
fn decode_blocks(
    plan: &Plan<'_>,
    limits: &Limits,
    scratch: &mut Vec<u8>,
    output: &mut Output<'_>,
) -> Result<Positions> {
    let count = plan.planes().len();
    let (pitch, scratch) = scratch_planes(scratch, count, plan, limits)?;
    let mut lanes = [Lane::default(); MAX_SEGMENTS];
    for (lane, segment) in lanes.iter_mut().zip(plan.planes()) {
        *lane = new_lane(segment, plan);
    }
    let (lanes, _) = lanes.split_at_mut(count);
    let is_prefetched = plan.plane_bytes * count >= PREFETCH_BYTES;
    let mut first_pixel = 0;
    while output.pixels_left() > 0 {
        let cpu_level = output.cpu_level();
        let block = output.block(BLOCK_BYTES)?;
        let is_first = first_pixel == 0;
        let pixels = if is_first && plan.plane_bytes >= MIN_ALIGNED_BYTES {
            pixels_to_line_end(block, count)
        } else {
            block.len() / count
        };
        let block = block.split_at_mut(pixels * count).0;
        let mut to_prefetch: &[u8] = if is_prefetched { block } else { &[] };
        // The first block is a probe of all lanes, each on its own.
        if !is_first {
            let prefetched = fill_in_lockstep(lanes, scratch, pitch, pixels, to_prefetch, cpu_level);
            to_prefetch = to_prefetch.get(prefetched..).unwrap_or_default();
        }
        // Each lane prefetches an equal share of the rest.
        let prefetch_bytes = to_prefetch.len() / count;
        for (index, (lane, plane)) in lanes.iter_mut().zip(scratch.chunks_exact_mut(pitch)).enumerate() {
            let range = index * prefetch_bytes..(index + 1) * prefetch_bytes;
            let prefetch = to_prefetch.get(range).unwrap_or_default();
            if !lane.fill(plane, pixels, prefetch, cpu_level) {
                return Err(truncated_segment(plan));
            }
        }
        let mut planes: [&[u8]; MAX_SEGMENTS] = [&[]; MAX_SEGMENTS];
        for (block_plane, plane) in planes.iter_mut().zip(scratch.chunks_exact(pitch)) {
            *block_plane = plane.split_at(pixels).0;
        }
        interleave::interleave(planes.split_at(count).0, 1, block, cpu_level);
        plan.check_single_bits(block, first_pixel)?;
        first_pixel += pixels;
        output.commit(pixels)?;
        for (lane, plane) in lanes.iter_mut().zip(scratch.chunks_exact_mut(pitch)) {
            carry_over(lane, plane, pixels);
        }
    }
    let mut ends = [Position::default(); MAX_SEGMENTS];
    for (end, lane) in ends.iter_mut().zip(lanes) {
        *end = lane.position();
    }
    Ok(ends)
}

/// Returns the largest number of pixels of `block`, of `pixel_bytes` bytes each, that end at the end of a cache line; all of
/// them if none do. Interleaving into blocks that start at a cache line takes three quarters of the time.
fn pixels_to_line_end(block: &[u8], pixel_bytes: usize) -> usize {
    let pixels = block.len() / pixel_bytes;
    let ends_line = |pixels: &usize| (block.as_ptr().addr() + pixels * pixel_bytes).is_multiple_of(LINE_BYTES);
    (1..=pixels).rev().take(LINE_BYTES).find(ends_line).unwrap_or(pixels)
}

/// Decodes a plane of packed bits, eight pixels per byte without padding at the ends of rows.
fn decode_bit_plane(
    segment: &Segment<'_>,
    plan: &Plan<'_>,
    limits: &Limits,
    scratch: &mut Vec<u8>,
    output: &mut Output<'_>,
) -> Result<Positions> {
    let (_, plane) = scratch_planes(scratch, 1, plan, limits)?;
    let mut lane = new_lane(segment, plan);
    let mut bit_offset = 0;
    while output.pixels_left() > 0 {
        let cpu_level = output.cpu_level();
        let block = output.block(BLOCK_BYTES * 8 - bit_offset)?;
        let pixels = block.len();
        let bits = bit_offset + pixels;
        if !lane.fill(plane, bits.div_ceil(8), &[], cpu_level) {
            return Err(truncated_segment(plan));
        }
        #[expect(clippy::cast_possible_truncation, reason = "0 to 7, by the remainder below")]
        bits::unpack(plane, bit_offset as u32, block, cpu_level);
        output.commit(pixels)?;
        bit_offset = bits % 8;
        carry_over(&mut lane, plane, bits / 8);
    }
    lane.consume(usize::from(bit_offset > 0));
    Ok(single_position(&lane))
}

/// Returns the distance between scratch planes in bytes, and the memory of `count` planes. Each has space for a block,
/// the excess of its last run, and one step.
fn scratch_planes<'s>(
    scratch: &'s mut Vec<u8>,
    count: usize,
    plan: &Plan<'_>,
    limits: &Limits,
) -> Result<(usize, &'s mut [u8])> {
    let pitch = plan.plane_bytes.min(BLOCK_BYTES).next_multiple_of(LINE_BYTES) + STEP_OUT_BYTES + PLANE_GAP_BYTES;
    let needed = pitch * count;
    limits.grow_zeroed(scratch, needed + LINE_BYTES)?;
    // The planes start at cache lines, so that reading them crosses no line.
    let start = scratch.as_ptr().align_offset(LINE_BYTES).min(LINE_BYTES);
    Ok((pitch, scratch.split_at_mut(start).1.split_at_mut(needed).0))
}

/// Returns the lane of a segment, at its start.
fn new_lane<'a>(segment: &Segment<'a>, plan: &Plan<'_>) -> Lane<'a> {
    Lane::new(segment.bytes, segment.has_long_runs(plan.plane_bytes))
}

/// Returns the position of the only segment.
fn single_position(lane: &Lane<'_>) -> Positions {
    let mut ends = [Position::default(); MAX_SEGMENTS];
    ends[0] = lane.position();
    ends
}

/// Removes the first `consumed` bytes of `plane`, and moves the decoded bytes after them to its front.
fn carry_over(lane: &mut Lane<'_>, plane: &mut [u8], consumed: usize) {
    lane.consume(consumed);
    let decoded = consumed..consumed + lane.position().out;
    // A run may pass the end of its plane: `position` counts bytes that `fill` has cut off.
    plane.copy_within(decoded.start..decoded.end.min(plane.len()), 0);
}

/// Returns the error of the first truncated segment. The loops above may have stopped at another one, depending on the
/// block size; so the error does not depend on how the frame was decoded.
fn truncated_segment(plan: &Plan<'_>) -> DecodeError {
    plan.segments()
        .find_map(|(_, segment)| segment.check_runs(plan.plane_bytes).err())
        .unwrap_or_else(|| truncated("a segment ends before its plane", "PS3.5 Annex G.3.2"))
}
