//! Decodes PackBits runs (PS3.5 G.3).
//!
//! The fast loop takes one literal run, if there is one, and the replicate run after it per step. It does not branch on
//! the kind of the first run:
//!
//! ```text
//! src  │header│ literal … │header│value│ …      one step: [a literal run] + a replicate run
//! out  │ literal … │ value value value … │      32 bytes are always copied, then 64 are always set
//! ```
//!
//! Example: `02 a b c  FD x` is a literal run of 3 bytes and a replicate run of 257 - 0xFD = 4 bytes. One pair step reads
//! both headers, copies 32 bytes from `a` on to `out`, sets 64 bytes to `x` from `out + 3` on, and advances by 6 bytes of
//! `src` and 7 of `out`: `a b c x x x x`. The 57 further bytes it has set are overwritten by the next steps. For `FD x`
//! alone, the same instructions copy 32 bytes too, but the length of the literal run is 0, so all of them are overwritten.
//!
//! ```text
//! pair step:                                          single-run step:
//!     header = src[0]                                     header = src[0]
//!     n = header + 1 if header < 0x80 else 0              both = 32 bytes of literals, 32 bytes of src[1]
//!     copy 32 (if n > 32: 128) bytes to out               store both blended by the top bit of header
//!     src += n + 1 if n > 0;  out += n                    if the run has more than 32 bytes: copy or set 128
//!     if src[0] < 0x80 or src[0] == 0x80: return          return
//!     set 64 (if the run is longer: 128) bytes of src[1]
//! ```
//!
//! Some encoders write many literal runs in succession. Then a pair step decodes a literal run only, and takes a branch
//! that the branch predictor does not foresee. A single-run step decodes one run of either kind by a blend, without that
//! branch. Steps of two or three segments alternate, so that the CPU overlaps them. Each lane chooses by a probe, a call of
//! `fill` with pair steps that counts literal runs after literal runs:
//!
//! | probe: literal runs after literal runs | probe: `src` bytes against `out` bytes | next seven calls |
//! |---|---|---|
//! | at most one per 48 `out` bytes | any | pair steps, in lock-step with other such lanes without long runs |
//! | more | `src` ≤ `out` (replicate runs matter) | single-run steps, in lock-step with other such lanes |
//! | more | `src` > `out` (almost only literal runs) | single-run steps in lock-step only, else pair steps |
//!
//! Measured on real frames, relative to the choice made here: a branch on the kind of the first run is 20 % slower, 35 % on
//! photographs; vectors of 16 bytes 19 % slower; a pair step without the branch for a literal run after a literal run 20 %
//! slower. From one literal pair in 48 bytes on, single-run steps are about 1.5 times as fast as pair steps. Prefetching
//! the output gains 5 to 25 % on frames that are larger than the L2 cache.
//!
//! A pair step alone takes about 9 cycles, the latency from a header to the address of the next one. In lock-step, pair
//! steps of three photographic planes take two thirds of the time, those of two planes 0.93. A plane of long runs together
//! with one of literal runs loses 5 %: a mispredicted branch of either discards the steps of both.
//!
//! Both loops stop where a step might read or write out of bounds. Exact steps, one run at a time, do the rest and find
//! truncated segments, so the result does not depend on the CPU level.

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::CpuLevel;

/// Bytes of `src` that a pair step may read: two headers, a literal run of 128 bytes and the value of a replicate run,
/// rounded up.
const STEP_SRC_BYTES: usize = 140;
/// Bytes of `out` that a pair step may write: a literal run of 128 bytes and a replicate run of 128.
pub(crate) const STEP_OUT_BYTES: usize = 256;

/// Position in a segment and in its plane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// Byte offset of the next run in the segment.
    pub(crate) src: usize,
    /// Number of decoded bytes in the plane.
    pub(crate) out: usize,
}

/// Decoding state of one segment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lane<'a> {
    src: &'a [u8],
    position: Position,
    /// True if replicate runs of more than 64 bytes are common.
    has_long_runs: bool,
    /// Number of calls of [`Self::fill`] until the next probe, which decides the kind of step again.
    fills_to_probe: u8,
    /// True if the last probe found literal runs that follow a literal run so often that single-run steps are faster.
    prefers_single_runs: bool,
    /// True if the last probe found hardly any replicate run. Pair steps are then predicted well, so single-run steps
    /// are used only together with other lanes.
    is_mostly_literal: bool,
}

/// A literal run after a literal run costs a mispredicted branch in a pair step. Single-run steps are faster if there
/// is one in fewer decoded bytes than this, on average.
const MIN_BYTES_PER_LITERAL_PAIR: usize = 48;
/// Calls of [`Lane::fill`] between two probes.
const FILLS_PER_PROBE: u8 = 7;

impl<'a> Lane<'a> {
    /// Returns a lane at the start of `src`; `has_long_runs` is true if replicate runs of more than 64 bytes are
    /// common.
    pub(crate) fn new(src: &'a [u8], has_long_runs: bool) -> Self {
        Self { src, has_long_runs, ..Self::default() }
    }

    /// True if the next call of `fill` uses single-run steps. A probe needs pair steps, because only these count.
    fn uses_single_runs(&self) -> bool {
        self.prefers_single_runs && self.fills_to_probe > 0
    }

    /// True if the next call of `fill` uses pair steps, and other such lanes can proceed in lock-step.
    fn uses_pairs_in_lockstep(&self) -> bool {
        !self.prefers_single_runs && self.fills_to_probe > 0 && !self.has_long_runs
    }

    /// Returns the position of the next run.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// Subtracts the first `out` decoded bytes, which the caller removes from the plane.
    pub(crate) fn consume(&mut self, out: usize) {
        self.position.out = self.position.out.saturating_sub(out);
    }

    /// Decodes whole runs until `out[..want]` is complete; returns `false` if the segment ends first.
    ///
    /// `out` has at least `want` bytes. A run that passes the end of `out` is cut off there, although `position().out`
    /// counts all of it. Bytes of `out` after `position().out` may be overwritten. Decoding is fast while
    /// [`STEP_OUT_BYTES`] bytes are left in `out`. `prefetch` is memory that will be written next: the fast loop
    /// prefetches its cache lines.
    pub(crate) fn fill(&mut self, out: &mut [u8], want: usize, prefetch: &[u8], level: CpuLevel) -> bool {
        let src = self.src;
        if self.uses_single_runs() && !self.is_mostly_literal {
            single_run_steps([(self, out)], want, level);
        }
        let start = self.position;
        let is_probe = self.fills_to_probe == 0;
        let hints = Hints { prefetch, has_long_runs: self.has_long_runs, is_probe };
        let (position, literal_pairs) = pair_steps(src, src.len(), start, out, want, hints, level);
        self.position = position;
        if is_probe {
            let (src_bytes, out_bytes) = (position.src - start.src, position.out - start.out);
            self.prefers_single_runs = literal_pairs * MIN_BYTES_PER_LITERAL_PAIR > out_bytes;
            self.is_mostly_literal = src_bytes > out_bytes;
            self.fills_to_probe = FILLS_PER_PROBE;
        } else {
            self.fills_to_probe -= 1;
        }
        if self.position.out < want && src.len() < self.position.src + STEP_SRC_BYTES {
            self.position = pair_steps_at_end(src, self.position, out, want, level);
        }
        while self.position.out < want {
            let Some(next) = scalar::exact_step(src, self.position, out) else { return false };
            self.position = next;
        }
        true
    }
}

/// Advances the lanes towards `want`, two or three with the same kind of step at a time in lock-step, so that the CPU
/// overlaps their steps. The caller then calls [`Lane::fill`] for all lanes. `planes` has the planes of the lanes, of
/// `pitch` bytes each. Returns the number of bytes of `prefetch` whose cache lines were prefetched, from the first one on.
pub(crate) fn fill_in_lockstep(
    lanes: &mut [Lane<'_>],
    planes: &mut [u8],
    pitch: usize,
    want: usize,
    prefetch: &[u8],
    level: CpuLevel,
) -> usize {
    for_each_group(lanes, planes, pitch, Lane::uses_single_runs, |group| match group {
        Group::Two(lanes) => single_run_steps(lanes, want, level),
        Group::Three(lanes) => single_run_steps(lanes, want, level),
    });
    let mut prefetched = 0;
    for_each_group(lanes, planes, pitch, Lane::uses_pairs_in_lockstep, |group| {
        let prefetch = prefetch.get(prefetched..).unwrap_or_default();
        prefetched += match group {
            Group::Two(lanes) => pair_steps_in_lockstep(lanes, want, prefetch, level),
            Group::Three(lanes) => pair_steps_in_lockstep(lanes, want, prefetch, level),
        };
    });
    prefetched
}

/// Lanes that proceed in lock-step, with their planes.
enum Group<'g, 'a> {
    Two([(&'g mut Lane<'a>, &'g mut [u8]); 2]),
    Three([(&'g mut Lane<'a>, &'g mut [u8]); 3]),
}

/// Calls `advance` for groups of the lanes for which `is_member` returns true, unless there is only one.
fn for_each_group<'a>(
    lanes: &mut [Lane<'a>],
    planes: &mut [u8],
    pitch: usize,
    is_member: impl Fn(&Lane<'a>) -> bool,
    mut advance: impl FnMut(Group<'_, 'a>),
) {
    let mut remaining = lanes.iter().filter(|lane| is_member(lane)).count();
    let planes = planes.chunks_exact_mut(pitch);
    let mut members = lanes.iter_mut().zip(planes).filter(|(lane, _)| is_member(lane));
    while remaining > 1 {
        let (Some(first), Some(second)) = (members.next(), members.next()) else { return };
        remaining -= 2;
        match if remaining == 1 { members.next() } else { None } {
            Some(third) => return advance(Group::Three([first, second, third])),
            None => advance(Group::Two([first, second])),
        }
    }
}

/// Options of the fast loop that do not change its result.
#[derive(Debug, Clone, Copy, Default)]
struct Hints<'a> {
    /// Memory to prefetch for writing.
    prefetch: &'a [u8],
    /// As in [`Lane`].
    has_long_runs: bool,
    /// True if literal runs that follow a literal run are counted.
    is_probe: bool,
}

/// Takes pair steps if fewer than [`STEP_SRC_BYTES`] bytes of `src` are left: in a copy with unused bytes after it,
/// while steps do not pass the end of `src`.
fn pair_steps_at_end(src: &[u8], position: Position, out: &mut [u8], want: usize, level: CpuLevel) -> Position {
    let rest = src.get(position.src..).unwrap_or_default();
    let mut copy = [0; 2 * STEP_SRC_BYTES];
    if let Some(copied) = copy.get_mut(..rest.len()) {
        copied.copy_from_slice(rest);
    }
    let start = Position { src: 0, ..position };
    let (end, _) = pair_steps(&copy, rest.len(), start, out, want, Hints::default(), level);
    Position { src: position.src + end.src, ..end }
}

/// Takes pair steps while `src` and `out` have enough bytes for one, until `out[..want]` is complete or the next step
/// would use bytes after `src[..end]`. Returns the new position and, in a probe, the number of literal runs that follow
/// a literal run.
fn pair_steps(
    src: &[u8],
    end: usize,
    position: Position,
    out: &mut [u8],
    want: usize,
    hints: Hints<'_>,
    level: CpuLevel,
) -> (Position, usize) {
    #[cfg(target_arch = "x86_64")]
    if level.is_v3() {
        // SAFETY: a `CpuLevel` of v3 or above comes only from detection.
        #[allow(unsafe_code)]
        return unsafe { x86::pair_steps(src, end, position, out, want, hints) };
    }
    let _ = (hints, level);
    // The portable level has no single-run steps to choose.
    (scalar::pair_steps(src, end, position, out, want), 0)
}

/// Takes single-run steps, one of each lane per round, while all lanes have enough bytes for one. Does nothing at the
/// portable level.
fn single_run_steps<const N: usize>(lanes: [(&mut Lane<'_>, &mut [u8]); N], want: usize, level: CpuLevel) {
    #[cfg(target_arch = "x86_64")]
    if level.is_v3() {
        // SAFETY: a `CpuLevel` of v3 or above comes only from detection.
        #[allow(unsafe_code)]
        return unsafe { x86::single_run_steps(lanes, want) };
    }
    let _ = (lanes, want, level);
}

/// Takes pair steps, one of each lane per round, while all lanes have enough bytes for a few. Returns the number of
/// prefetched bytes. Does nothing at the portable level.
fn pair_steps_in_lockstep<const N: usize>(
    lanes: [(&mut Lane<'_>, &mut [u8]); N],
    want: usize,
    prefetch: &[u8],
    level: CpuLevel,
) -> usize {
    #[cfg(target_arch = "x86_64")]
    if level.is_v3() {
        // SAFETY: a `CpuLevel` of v3 or above comes only from detection.
        #[allow(unsafe_code)]
        return unsafe { x86::pair_steps_in_lockstep(lanes, want, prefetch) };
    }
    let _ = (lanes, want, prefetch, level);
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::miri_or;

    #[test]
    #[allow(clippy::cast_possible_truncation, reason = "any byte will do")]
    fn fill_writes_only_its_range_and_levels_agree() {
        let mut state = 1u32;
        let mut random = |bound: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % bound
        };
        for _ in 0..miri_or(20_000, 60) {
            let src: Vec<u8> = (0..random(500)).map(|_| random(256) as u8).collect();
            let out_bytes = random(900);
            let want = random(out_bytes + 1);
            let start = Position { src: random(src.len() + 1), out: random(out_bytes + 1) };
            let lane = Lane {
                position: start,
                fills_to_probe: random(2) as u8,
                prefers_single_runs: random(2) == 0,
                is_mostly_literal: random(2) == 0,
                ..Lane::new(&src, random(2) == 0)
            };
            let mut first = None;
            for level in CpuLevel::available() {
                let mut memory = vec![0xa5; out_bytes + 600];
                let mut lane = lane;
                let is_complete = lane.fill(&mut memory[300..300 + out_bytes], want, &[], level);
                let end = lane.position();
                assert!(end.src <= src.len());
                assert!(memory[..300 + start.out].iter().all(|byte| *byte == 0xa5));
                assert!(memory[300 + out_bytes..].iter().all(|byte| *byte == 0xa5));
                // A pair step may end one run later than a single-run step.
                let mut position = start;
                while position.out < end.out || position.src < end.src {
                    position = scalar::exact_step(&src, position, &mut []).unwrap();
                }
                assert_eq!(position, end);
                let decoded = memory[300 + start.out..300 + end.out.min(want).max(start.out)].to_vec();
                let outcome = (is_complete, is_complete.then_some(decoded));
                assert_eq!(*first.get_or_insert(outcome.clone()), outcome);
            }
        }
    }

    #[test]
    #[allow(clippy::cast_possible_truncation, reason = "any byte will do")]
    fn fill_in_lockstep_equals_exact_steps_of_each_lane() {
        const PITCH: usize = 4096 + STEP_OUT_BYTES;
        let mut state = 1u32;
        let mut random = |bound: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % bound
        };
        let memory = [0; 12 * 64];
        for _ in 0..miri_or(400, 3) {
            let count = 1 + random(6);
            // Most headers are those of short literal runs, so that most lanes use single-run steps after the first
            // probe.
            let segments: Vec<Vec<u8>> = (0..count)
                .map(|_| {
                    let (bound, min) = [(8, 0), (16, 248), (256, 0)][random(3)];
                    (0..random(miri_or(30_000, 2_000))).map(|_| (random(bound) as u8).wrapping_add(min)).collect()
                })
                .collect();
            let mut first = None;
            for level in CpuLevel::available() {
                let mut lanes: Vec<Lane<'_>> = segments.iter().map(|src| Lane::new(src, false)).collect();
                let mut planes = vec![0; count * PITCH];
                let mut decoded = vec![Vec::new(); count];
                for block in 0..12 {
                    let prefetch = &memory[..block * 64];
                    let prefetched = fill_in_lockstep(&mut lanes, &mut planes, PITCH, 4096, prefetch, level);
                    assert!(prefetched <= prefetch.len());
                    let planes = planes.chunks_exact_mut(PITCH);
                    for ((lane, plane), decoded) in lanes.iter_mut().zip(planes).zip(&mut decoded) {
                        if lane.fill(plane, 4096, &[], level) {
                            decoded.extend_from_slice(&plane[..4096]);
                            lane.consume(4096);
                            plane.copy_within(4096..4096 + lane.position().out, 0);
                        }
                    }
                }
                for (decoded, src) in decoded.iter().zip(&segments) {
                    let (mut position, mut out) = (Position::default(), vec![0; 13 * 4096]);
                    while position.out < 12 * 4096
                        && let Some(next) = scalar::exact_step(src, position, &mut out)
                    {
                        position = next;
                    }
                    assert!(decoded.len() == position.out.min(12 * 4096) / 4096 * 4096);
                    assert!(*decoded == out[..decoded.len()]);
                }
                assert!(*first.get_or_insert(decoded.clone()) == decoded);
            }
        }
    }
}
