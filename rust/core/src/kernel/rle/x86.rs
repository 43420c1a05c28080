//! x86-64-v3: the pair step of [`super::scalar`] on pointers, with one bounds check per step, and single-run steps.

use super::{Hints, Lane, Position, STEP_OUT_BYTES, STEP_SRC_BYTES};
use std::arch::x86_64::*;
use std::ptr::{null, null_mut};

/// Bytes of a cache line.
const LINE_BYTES: usize = 64;

/// Bytes of `src` that a pair step may advance by: two headers, a literal run of 128 bytes and the value of a replicate
/// run.
const STEP_SRC_ADVANCE: usize = 131;
/// Rounds of steps in lock-step that are worth the calculation of their number.
const MIN_ROUNDS: usize = 2;
/// Bytes of `src` that a single-run step may read: a header and a literal run of 128 bytes.
const RUN_SRC_BYTES: usize = 129;
/// Bytes of `out` that a single-run step may write.
const RUN_OUT_BYTES: usize = 128;

/// Implements [`super::pair_steps`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn pair_steps(
    src: &[u8],
    end: usize,
    position: Position,
    out: &mut [u8],
    want: usize,
    hints: Hints<'_>,
) -> (Position, usize) {
    let Hints { prefetch, has_long_runs, is_probe } = hints;
    match (!prefetch.is_empty(), has_long_runs, is_probe) {
        _ if end < src.len() => run_steps::<false, true, false, false>(src, end, position, out, want, &[]),
        (true, false, false) => run_steps::<true, false, false, false>(src, end, position, out, want, prefetch),
        (true, true, false) => run_steps::<true, false, true, false>(src, end, position, out, want, prefetch),
        (false, false, false) => run_steps::<false, false, false, false>(src, end, position, out, want, &[]),
        (false, true, false) => run_steps::<false, false, true, false>(src, end, position, out, want, &[]),
        (true, false, true) => run_steps::<true, false, false, true>(src, end, position, out, want, prefetch),
        (true, true, true) => run_steps::<true, false, true, true>(src, end, position, out, want, prefetch),
        (false, false, true) => run_steps::<false, false, false, true>(src, end, position, out, want, &[]),
        (false, true, true) => run_steps::<false, false, true, true>(src, end, position, out, want, &[]),
    }
}

/// Takes pair steps. `PREFETCH`: prefetch memory; `BOUNDED`: a step may pass `end`, so check that; `LONG` and `PROBE`:
/// see [`pair_step`].
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn run_steps<const PREFETCH: bool, const BOUNDED: bool, const LONG: bool, const PROBE: bool>(
    src: &[u8],
    end: usize,
    position: Position,
    out: &mut [u8],
    want: usize,
    to_prefetch: &[u8],
) -> (Position, usize) {
    let (Some(last_src), Some(last_out)) =
        (src.len().checked_sub(STEP_SRC_BYTES), out.len().checked_sub(STEP_OUT_BYTES))
    else {
        return (position, 0);
    };
    let end_out = want.min(last_out + 1);
    if position.src > last_src || position.out >= end_out {
        return (position, 0);
    }
    let (first_src, first_out) = (src.as_ptr(), out.as_mut_ptr());
    let (last_src, end_src) = (first_src.wrapping_add(last_src), first_src.wrapping_add(end));
    let end_out = first_out.wrapping_add(end_out);
    let (mut src, mut out) = (first_src.wrapping_add(position.src), first_out.wrapping_add(position.out));
    let mut line = to_prefetch.as_ptr();
    let end_line = line.wrapping_add(to_prefetch.len());
    let mut literal_pairs = 0;
    while src <= last_src && out < end_out {
        if PREFETCH {
            for _ in 0..if LONG { 2 } else { 1 } {
                prefetch(line);
                line = line.wrapping_add(LINE_BYTES).min(end_line);
            }
        }
        // SAFETY: the loop condition leaves STEP_SRC_BYTES bytes from `src` on, and STEP_OUT_BYTES from `out` on.
        #[allow(unsafe_code)]
        let (src_bytes, out_bytes) = unsafe { pair_step::<LONG, PROBE>(src, out, &mut literal_pairs) };
        if BOUNDED && src.wrapping_add(src_bytes) > end_src {
            break;
        }
        src = src.wrapping_add(src_bytes);
        out = out.wrapping_add(out_bytes);
    }
    let position =
        Position { src: src.addr().wrapping_sub(first_src.addr()), out: out.addr().wrapping_sub(first_out.addr()) };
    (position, literal_pairs)
}

/// Decodes an optional literal run and the replicate run after it. Returns the numbers of bytes read, at most
/// [`STEP_SRC_ADVANCE`], and written, at most [`STEP_OUT_BYTES`]. With `PROBE`, `literal_pairs` counts literal runs that
/// follow the literal run. `LONG` always sets 128 bytes, which saves a branch for replicate runs of more than 64 bytes.
///
/// # Safety
/// [`STEP_SRC_BYTES`] bytes can be read from `src` on and [`STEP_OUT_BYTES`] written from `out` on; they do not
/// overlap.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
#[allow(unsafe_code)]
unsafe fn pair_step<const LONG: bool, const PROBE: bool>(
    src: *const u8,
    out: *mut u8,
    literal_pairs: &mut usize,
) -> (usize, usize) {
    // SAFETY: a literal run has at most 128 bytes, read from src + 1 on and written from out on. So the second header
    // is at src + 129 or before, and its value at src + 130 < src + STEP_SRC_BYTES. The replicate run starts at out +
    // 128 or before, and at most 128 bytes are set there, up to out + STEP_OUT_BYTES. All copies read up to src + 129
    // at most.
    unsafe {
        let header = isize::from(src.read().cast_signed());
        // If the first run is a replicate run, the literal run has no header and no bytes. There is no branch, because
        // it could not be predicted.
        let is_literal = !(header >> 63);
        let literal_bytes = (header.wrapping_add(1) & is_literal).cast_unsigned();
        let literal_run_bytes = (header.wrapping_add(2) & is_literal).cast_unsigned();
        let second = src.add(literal_run_bytes);
        copy_32(src.add(1), out);
        if literal_bytes > 32 {
            copy_32(src.add(33), out.add(32));
            copy_32(src.add(65), out.add(64));
            copy_32(src.add(97), out.add(96));
        }
        let (header, value) =
            (isize::from(second.read().cast_signed()), _mm256_set1_epi8(second.add(1).read().cast_signed()));
        let out = out.add(literal_bytes);
        set_32(out, value);
        set_32(out.add(32), value);
        if LONG {
            set_32(out.add(64), value);
            set_32(out.add(96), value);
        }
        let length = 1isize.wrapping_sub(header).cast_unsigned();
        if length.wrapping_sub(2) > if LONG { 126 } else { 62 } {
            if header >= 0 {
                if PROBE {
                    *literal_pairs = literal_pairs.wrapping_add(1);
                }
                return (literal_run_bytes, literal_bytes);
            }
            if header == -128 {
                // A no-op after a literal run is left to the next step, because that run may be the last one of the
                // plane.
                return (literal_run_bytes.max(1), literal_bytes);
            }
            if !LONG {
                set_32(out.add(64), value);
                set_32(out.add(96), value);
            }
        }
        (literal_run_bytes.wrapping_add(2), literal_bytes.wrapping_add(length))
    }
}

/// Implements [`super::pair_steps_in_lockstep`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn pair_steps_in_lockstep<const N: usize>(
    lanes: [(&mut Lane<'_>, &mut [u8]); N],
    want: usize,
    to_prefetch: &[u8],
) -> usize {
    if to_prefetch.is_empty() {
        run_rounds::<false, N>(lanes, want, to_prefetch)
    } else {
        run_rounds::<true, N>(lanes, want, to_prefetch)
    }
}

/// Takes pair steps, one of each lane per round, while all lanes have enough bytes for [`MIN_ROUNDS`]. Returns the number
/// of prefetched bytes.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn run_rounds<const PREFETCH: bool, const N: usize>(
    mut lanes: [(&mut Lane<'_>, &mut [u8]); N],
    want: usize,
    to_prefetch: &[u8],
) -> usize {
    let mut line = to_prefetch.as_ptr();
    let end_line = line.wrapping_add(to_prefetch.len());
    loop {
        // The number of rounds is that of the longest steps, so that a round needs no check. Most steps are shorter, so
        // bytes are left for more rounds.
        let rounds = lanes.iter().map(|(lane, out)| rounds_left(lane, out.len(), want)).min().unwrap_or_default();
        if rounds < MIN_ROUNDS {
            return line.addr().wrapping_sub(to_prefetch.as_ptr().addr());
        }
        let mut cursors = [(null::<u8>(), null_mut::<u8>()); N];
        for (cursor, (lane, out)) in cursors.iter_mut().zip(&mut lanes) {
            let src = lane.src.as_ptr().wrapping_add(lane.position.src);
            *cursor = (src, out.as_mut_ptr().wrapping_add(lane.position.out));
        }
        for _ in 0..rounds {
            for (src, out) in &mut cursors {
                if PREFETCH {
                    prefetch(line);
                    line = line.wrapping_add(LINE_BYTES).min(end_line);
                }
                // SAFETY: `rounds_left` leaves STEP_SRC_BYTES bytes of `src` and STEP_OUT_BYTES of `out` to each step of
                // every lane: a step advances by at most STEP_SRC_ADVANCE and STEP_OUT_BYTES.
                #[allow(unsafe_code)]
                let (src_bytes, out_bytes) = unsafe { pair_step::<false, false>(*src, *out, &mut 0) };
                *src = src.wrapping_add(src_bytes);
                *out = out.wrapping_add(out_bytes);
            }
        }
        for ((src_end, out_end), (lane, out)) in cursors.iter().zip(&mut lanes) {
            lane.position.src = src_end.addr().wrapping_sub(lane.src.as_ptr().addr());
            lane.position.out = out_end.addr().wrapping_sub(out.as_ptr().addr());
        }
    }
}

/// Returns a number of pair steps that neither pass the end of the segment or of the `out_bytes` bytes of the plane, nor
/// start at or after `want`.
#[inline]
fn rounds_left(lane: &Lane<'_>, out_bytes: usize, want: usize) -> usize {
    let src = lane.src.len().saturating_sub(lane.position.src.saturating_add(STEP_SRC_BYTES)) / STEP_SRC_ADVANCE;
    let out = want.min(out_bytes).saturating_sub(lane.position.out) / STEP_OUT_BYTES;
    src.min(out)
}

/// Position of a lane in memory, and the ends of the ranges in which a single-run step may start: `last_src` inclusive,
/// `end_out` exclusive.
#[derive(Clone, Copy)]
struct Cursor {
    src: *const u8,
    out: *mut u8,
    last_src: *const u8,
    end_out: *mut u8,
}

/// Implements [`super::single_run_steps`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn single_run_steps<const N: usize>(mut lanes: [(&mut Lane<'_>, &mut [u8]); N], want: usize) {
    const NONE: Cursor = Cursor { src: null(), out: null_mut(), last_src: null(), end_out: null_mut() };
    let mut cursors = [NONE; N];
    for (cursor, (lane, out)) in cursors.iter_mut().zip(&mut lanes) {
        let (Some(last_src), Some(last_out)) =
            (lane.src.len().checked_sub(RUN_SRC_BYTES), out.len().checked_sub(RUN_OUT_BYTES))
        else {
            return;
        };
        let (src, out) = (lane.src.as_ptr(), out.as_mut_ptr());
        *cursor = Cursor {
            src: src.wrapping_add(lane.position.src),
            out: out.wrapping_add(lane.position.out),
            last_src: src.wrapping_add(last_src),
            end_out: out.wrapping_add(want.min(last_out + 1)),
        };
    }
    while cursors.iter().all(|cursor| cursor.src <= cursor.last_src && cursor.out < cursor.end_out) {
        for cursor in &mut cursors {
            // SAFETY: the loop condition leaves RUN_SRC_BYTES bytes of `src` and RUN_OUT_BYTES of `out` to every lane.
            #[allow(unsafe_code)]
            let (src_bytes, out_bytes) = unsafe { single_run_step(cursor.src, cursor.out) };
            cursor.src = cursor.src.wrapping_add(src_bytes);
            cursor.out = cursor.out.wrapping_add(out_bytes);
        }
    }
    for (cursor, (lane, out)) in cursors.iter().zip(&mut lanes) {
        lane.position.src = cursor.src.addr().wrapping_sub(lane.src.as_ptr().addr());
        lane.position.out = cursor.out.addr().wrapping_sub(out.as_ptr().addr());
    }
}

/// Decodes one run. Returns the numbers of bytes read, at most [`RUN_SRC_BYTES`], and written, at most
/// [`RUN_OUT_BYTES`]. Runs of up to 32 bytes take no branch on their kind.
///
/// # Safety
/// [`RUN_SRC_BYTES`] bytes can be read from `src` on and [`RUN_OUT_BYTES`] written from `out` on; they do not overlap.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
#[allow(unsafe_code)]
unsafe fn single_run_step(src: *const u8, out: *mut u8) -> (usize, usize) {
    // SAFETY: at most 128 literal bytes are read from src + 1 on, up to src + RUN_SRC_BYTES; at most 128 are written.
    unsafe {
        let header = src.read().cast_signed();
        let value = _mm256_set1_epi8(src.add(1).read().cast_signed());
        let literal = _mm256_loadu_si256(src.add(1).cast());
        // The blend selects by the top bit of each byte, which is set in the header of a replicate run.
        set_32(out, _mm256_blendv_epi8(literal, value, _mm256_set1_epi8(header)));
        let header = isize::from(header);
        let is_replicate = header >> 63;
        let out_bytes = (header ^ is_replicate).wrapping_sub(is_replicate).wrapping_add(1).cast_unsigned();
        let src_bytes = (header & !is_replicate).wrapping_add(2).cast_unsigned();
        if out_bytes > 32 {
            if header >= 0 {
                copy_32(src.add(33), out.add(32));
                copy_32(src.add(65), out.add(64));
                copy_32(src.add(97), out.add(96));
            } else if header == -128 {
                return (1, 0);
            } else {
                set_32(out.add(32), value);
                set_32(out.add(64), value);
                set_32(out.add(96), value);
            }
        }
        (src_bytes, out_bytes)
    }
}

/// Copies 32 bytes.
///
/// # Safety
/// 32 bytes can be read from `src` on and written from `out` on.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
#[allow(unsafe_code)]
unsafe fn copy_32(src: *const u8, out: *mut u8) {
    // SAFETY: required of the caller.
    unsafe { _mm256_storeu_si256(out.cast(), _mm256_loadu_si256(src.cast())) }
}

/// Stores 32 bytes.
///
/// # Safety
/// 32 bytes can be written from `out` on.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
#[allow(unsafe_code)]
unsafe fn set_32(out: *mut u8, value: __m256i) {
    // SAFETY: required of the caller.
    unsafe { _mm256_storeu_si256(out.cast(), value) }
}

/// Prefetches a cache line; `line` may be any address.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn prefetch(line: *const u8) {
    // SAFETY: a prefetch has no effect on values and never faults.
    #[allow(unsafe_code, unused_unsafe, reason = "the intrinsic is unsafe in some compiler versions")]
    unsafe {
        _mm_prefetch::<_MM_HINT_ET0>(line.cast());
    }
}
