//! x86-64-v3: the step of [`super::scalar`] on pointers, its bounds checked once a step and not once an access.

use super::{Hints, Lane, Position, STEP_OUT, STEP_SRC};
use std::arch::x86_64::*;
use std::ptr::{null, null_mut};

/// Bytes of a cache line.
const LINE_BYTES: usize = 64;

/// Bytes of `src` that a step of one run may read: a header and a literal of 128.
const RUN_SRC: usize = 129;
/// Bytes of `out` that a step of one run may write.
const RUN_OUT: usize = 128;

/// As [`super::steps`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn steps(
    src: &[u8],
    end: usize,
    at: Position,
    out: &mut [u8],
    want: usize,
    hints: Hints<'_>,
) -> (Position, usize) {
    let Hints { ahead, long_runs, measured } = hints;
    match (!ahead.is_empty(), long_runs, measured) {
        _ if end < src.len() => run::<false, true, false, false>(src, end, at, out, want, &[]),
        (true, false, false) => run::<true, false, false, false>(src, end, at, out, want, ahead),
        (true, true, false) => run::<true, false, true, false>(src, end, at, out, want, ahead),
        (false, false, false) => run::<false, false, false, false>(src, end, at, out, want, &[]),
        (false, true, false) => run::<false, false, true, false>(src, end, at, out, want, &[]),
        (true, false, true) => run::<true, false, false, true>(src, end, at, out, want, ahead),
        (true, true, true) => run::<true, false, true, true>(src, end, at, out, want, ahead),
        (false, false, true) => run::<false, false, false, true>(src, end, at, out, want, &[]),
        (false, true, true) => run::<false, false, true, true>(src, end, at, out, want, &[]),
    }
}

/// `AHEAD`: whether to prefetch; `BOUNDED`: whether a step may pass `end`; `LONG` and `MEASURED`: see [`step`].
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn run<const AHEAD: bool, const BOUNDED: bool, const LONG: bool, const MEASURED: bool>(
    src: &[u8],
    end: usize,
    at: Position,
    out: &mut [u8],
    want: usize,
    ahead: &[u8],
) -> (Position, usize) {
    let (Some(last_src), Some(last_out)) = (src.len().checked_sub(STEP_SRC), out.len().checked_sub(STEP_OUT)) else {
        return (at, 0);
    };
    let end_out = want.min(last_out + 1);
    if at.src > last_src || at.out >= end_out {
        return (at, 0);
    }
    let (first_src, first_out) = (src.as_ptr(), out.as_mut_ptr());
    let (last_src, end_src) = (first_src.wrapping_add(last_src), first_src.wrapping_add(end));
    let end_out = first_out.wrapping_add(end_out);
    let (mut src, mut out) = (first_src.wrapping_add(at.src), first_out.wrapping_add(at.out));
    let mut line = ahead.as_ptr();
    let end_ahead = line.wrapping_add(ahead.len());
    let mut odd = 0;
    while src <= last_src && out < end_out {
        if AHEAD {
            for _ in 0..if LONG { 2 } else { 1 } {
                prefetch(line);
                line = line.wrapping_add(LINE_BYTES).min(end_ahead);
            }
        }
        // SAFETY: the loop's condition leaves STEP_SRC bytes of `src` from here on, and STEP_OUT of `out`.
        #[allow(unsafe_code)]
        let (used, made) = unsafe { step::<LONG, MEASURED>(src, out, &mut odd) };
        if BOUNDED && src.wrapping_add(used) > end_src {
            break;
        }
        src = src.wrapping_add(used);
        out = out.wrapping_add(made);
    }
    let at =
        Position { src: src.addr().wrapping_sub(first_src.addr()), out: out.addr().wrapping_sub(first_out.addr()) };
    (at, odd)
}

/// An optional literal run and the replicate run after it: bytes used, at most 131, and made, at most [`STEP_OUT`].
/// With `MEASURED`, `odd` counts the literal runs that are met in the place of the replicate run.
/// `LONG` sets 128 bytes at once, so that no branch asks whether a replicate run is longer than 64.
///
/// # Safety
/// [`STEP_SRC`] bytes can be read from `src` on, [`STEP_OUT`] be written from `out` on, and they don't overlap.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
#[allow(unsafe_code)]
unsafe fn step<const LONG: bool, const MEASURED: bool>(
    src: *const u8,
    out: *mut u8,
    odd: &mut usize,
) -> (usize, usize) {
    // SAFETY: a literal run has at most 128 bytes, from src + 1 and to out. So the second header is at most at
    // src + 129 and its value at src + 130 < STEP_SRC; the replicate run begins at most at out + 128, and
    // at most 128 bytes are set there, which ends at STEP_OUT. Each copy ends at src + 129 or before.
    unsafe {
        let header = isize::from(src.read().cast_signed());
        // A replicate run in the first place is a literal run of nothing, without a header: no branch tells them
        // apart, for no predictor could.
        let is_literal = !(header >> 63);
        let literal = (header.wrapping_add(1) & is_literal).cast_unsigned();
        let span = (header.wrapping_add(2) & is_literal).cast_unsigned();
        let second = src.add(span);
        copy_32(src.add(1), out);
        if literal > 32 {
            copy_32(src.add(33), out.add(32));
            copy_32(src.add(65), out.add(64));
            copy_32(src.add(97), out.add(96));
        }
        let (header, value) =
            (isize::from(second.read().cast_signed()), _mm256_set1_epi8(second.add(1).read().cast_signed()));
        let out = out.add(literal);
        set_32(out, value);
        set_32(out.add(32), value);
        if LONG {
            set_32(out.add(64), value);
            set_32(out.add(96), value);
        }
        let length = 1isize.wrapping_sub(header).cast_unsigned();
        if length.wrapping_sub(2) > if LONG { 126 } else { 62 } {
            if header >= 0 {
                if MEASURED {
                    *odd = odd.wrapping_add(1);
                }
                return (span, literal);
            }
            if header == -128 {
                // After a literal run it is left to the next step, for it may lie behind the last run of the plane.
                return (span.max(1), literal);
            }
            if !LONG {
                set_32(out.add(64), value);
                set_32(out.add(96), value);
            }
        }
        (span.wrapping_add(2), literal.wrapping_add(length))
    }
}

/// Where a lane is in memory, and the last places where a step of one run may begin.
#[derive(Clone, Copy)]
struct Cursor {
    src: *const u8,
    out: *mut u8,
    last_src: *const u8,
    end_out: *mut u8,
}

/// As [`super::single_steps`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn single_steps<const N: usize>(mut lanes: [(&mut Lane<'_>, &mut [u8]); N], want: usize) {
    const NONE: Cursor = Cursor { src: null(), out: null_mut(), last_src: null(), end_out: null_mut() };
    let mut cursors = [NONE; N];
    for (cursor, (lane, out)) in cursors.iter_mut().zip(&mut lanes) {
        let (Some(last_src), Some(last_out)) = (lane.src.len().checked_sub(RUN_SRC), out.len().checked_sub(RUN_OUT))
        else {
            return;
        };
        let (src, out) = (lane.src.as_ptr(), out.as_mut_ptr());
        *cursor = Cursor {
            src: src.wrapping_add(lane.at.src),
            out: out.wrapping_add(lane.at.out),
            last_src: src.wrapping_add(last_src),
            end_out: out.wrapping_add(want.min(last_out + 1)),
        };
    }
    while cursors.iter().all(|cursor| cursor.src <= cursor.last_src && cursor.out < cursor.end_out) {
        for cursor in &mut cursors {
            // SAFETY: the loop's condition leaves RUN_SRC bytes of `src` and RUN_OUT of `out` to every lane.
            #[allow(unsafe_code)]
            let (used, made) = unsafe { single_step(cursor.src, cursor.out) };
            cursor.src = cursor.src.wrapping_add(used);
            cursor.out = cursor.out.wrapping_add(made);
        }
    }
    for (cursor, (lane, out)) in cursors.iter().zip(&mut lanes) {
        lane.at.src = cursor.src.addr().wrapping_sub(lane.src.as_ptr().addr());
        lane.at.out = cursor.out.addr().wrapping_sub(out.as_ptr().addr());
    }
}

/// One run of either kind: bytes used, at most [`RUN_SRC`], and made, at most [`RUN_OUT`]. Up to 32 bytes no branch
/// tells the kinds apart.
///
/// # Safety
/// [`RUN_SRC`] bytes can be read from `src` on, [`RUN_OUT`] be written from `out` on, and they don't overlap.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
#[allow(unsafe_code)]
unsafe fn single_step(src: *const u8, out: *mut u8) -> (usize, usize) {
    // SAFETY: the literal's 128 bytes are read from src + 1 on and end at RUN_SRC; no more than 128 are written.
    unsafe {
        let header = src.read().cast_signed();
        let value = _mm256_set1_epi8(src.add(1).read().cast_signed());
        let literal = _mm256_loadu_si256(src.add(1).cast());
        // A blend goes by the top bit of each byte, and so does the kind of a run.
        set_32(out, _mm256_blendv_epi8(literal, value, _mm256_set1_epi8(header)));
        let header = isize::from(header);
        let is_replicate = header >> 63;
        let made = (header ^ is_replicate).wrapping_sub(is_replicate).wrapping_add(1).cast_unsigned();
        let used = (header & !is_replicate).wrapping_add(2).cast_unsigned();
        if made > 32 {
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
        (used, made)
    }
}

/// # Safety
/// 32 bytes can be read from `src` on and be written from `out` on.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
#[allow(unsafe_code)]
unsafe fn copy_32(src: *const u8, out: *mut u8) {
    // SAFETY: the caller's.
    unsafe { _mm256_storeu_si256(out.cast(), _mm256_loadu_si256(src.cast())) }
}

/// # Safety
/// 32 bytes can be written from `out` on.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
#[allow(unsafe_code)]
unsafe fn set_32(out: *mut u8, value: __m256i) {
    // SAFETY: the caller's.
    unsafe { _mm256_storeu_si256(out.cast(), value) }
}

/// Asks for a line of memory that will be written; any address will do.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn prefetch(line: *const u8) {
    // SAFETY: a prefetch reads nothing and faults nowhere.
    #[allow(unsafe_code, unused_unsafe, reason = "whether the intrinsic is unsafe depends on the compiler's version")]
    unsafe {
        _mm_prefetch::<_MM_HINT_ET0>(line.cast());
    }
}
