//! x86-64-v3: the step of [`super::scalar`] on pointers, its bounds checked once a step and not once an access.

use super::{Hints, Position, STEP_OUT, STEP_SRC};
use std::arch::x86_64::*;

/// Bytes of a cache line.
const LINE_BYTES: usize = 64;

/// As [`super::scalar::steps`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
pub(super) fn steps(src: &[u8], end: usize, at: Position, out: &mut [u8], want: usize, hints: Hints<'_>) -> Position {
    match (!hints.ahead.is_empty(), hints.long_runs) {
        _ if end < src.len() => run::<false, true, false>(src, end, at, out, want, &[]),
        (true, false) => run::<true, false, false>(src, end, at, out, want, hints.ahead),
        (true, true) => run::<true, false, true>(src, end, at, out, want, hints.ahead),
        (false, false) => run::<false, false, false>(src, end, at, out, want, &[]),
        (false, true) => run::<false, false, true>(src, end, at, out, want, &[]),
    }
}

/// `AHEAD`: whether to prefetch; `BOUNDED`: whether a step may pass `end`; `LONG`: see [`step`].
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
fn run<const AHEAD: bool, const BOUNDED: bool, const LONG: bool>(
    src: &[u8],
    end: usize,
    at: Position,
    out: &mut [u8],
    want: usize,
    ahead: &[u8],
) -> Position {
    let (Some(last_src), Some(last_out)) = (src.len().checked_sub(STEP_SRC), out.len().checked_sub(STEP_OUT)) else {
        return at;
    };
    let end_out = want.min(last_out + 1);
    if at.src > last_src || at.out >= end_out {
        return at;
    }
    let (first_src, first_out) = (src.as_ptr(), out.as_mut_ptr());
    let (last_src, end_src) = (first_src.wrapping_add(last_src), first_src.wrapping_add(end));
    let end_out = first_out.wrapping_add(end_out);
    let (mut src, mut out) = (first_src.wrapping_add(at.src), first_out.wrapping_add(at.out));
    let mut line = ahead.as_ptr();
    let end_ahead = line.wrapping_add(ahead.len());
    while src <= last_src && out < end_out {
        if AHEAD {
            for _ in 0..if LONG { 2 } else { 1 } {
                prefetch(line);
                line = line.wrapping_add(LINE_BYTES).min(end_ahead);
            }
        }
        // SAFETY: the loop's condition leaves STEP_SRC bytes of `src` from here on, and STEP_OUT of `out`.
        #[allow(unsafe_code)]
        let (used, made) = unsafe { step::<LONG>(src, out) };
        if BOUNDED && src.wrapping_add(used) > end_src {
            break;
        }
        src = src.wrapping_add(used);
        out = out.wrapping_add(made);
    }
    Position { src: src.addr().wrapping_sub(first_src.addr()), out: out.addr().wrapping_sub(first_out.addr()) }
}

/// An optional literal run and the replicate run after it: bytes used, at most 131, and made, at most [`STEP_OUT`].
/// `LONG` sets 128 bytes at once, so that no branch asks whether a replicate run is longer than 64.
///
/// # Safety
/// [`STEP_SRC`] bytes can be read from `src` on, [`STEP_OUT`] be written from `out` on, and they don't overlap.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
#[allow(unsafe_code)]
unsafe fn step<const LONG: bool>(src: *const u8, out: *mut u8) -> (usize, usize) {
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

/// # Safety
/// 32 bytes can be read from `src` on and be written from `out` on.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
#[allow(unsafe_code)]
unsafe fn copy_32(src: *const u8, out: *mut u8) {
    // SAFETY: the caller's.
    unsafe { _mm256_storeu_si256(out.cast(), _mm256_loadu_si256(src.cast())) }
}

/// # Safety
/// 32 bytes can be written from `out` on.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
#[allow(unsafe_code)]
unsafe fn set_32(out: *mut u8, value: __m256i) {
    // SAFETY: the caller's.
    unsafe { _mm256_storeu_si256(out.cast(), value) }
}

/// Asks for a line of memory that will be written; any address will do.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
fn prefetch(line: *const u8) {
    // SAFETY: a prefetch reads nothing and faults nowhere.
    #[allow(unsafe_code, unused_unsafe, reason = "whether the intrinsic is unsafe depends on the compiler's version")]
    unsafe {
        _mm_prefetch::<_MM_HINT_ET0>(line.cast());
    }
}
