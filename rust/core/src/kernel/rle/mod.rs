//! PackBits runs → bytes (PS3.5 G.3).
//!
//! The fast body takes a pair of runs a step, without a branch on their kind:
//!
//! ```text
//! src  │header│ literal … │header│value│ …      one step: [a literal run] + a replicate run
//! out  │ literal … │ value value value … │      32 bytes are always copied, then 64 are always set
//! ```
//!
//! Where an encoder leaves many literal runs behind literal runs, a step takes one run of either kind instead, by a
//! blend of both, and two or three segments in turn.
//!
//! It stops where a step might read or write too far; an exact step takes over there. Errors and the end of
//! a segment are met by exact steps alone, so they are the same on every tier.

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::CpuLevel;

/// Bytes of `src` that a step may read: two headers, a literal of 128 and the value of a replicate run, rounded up.
const STEP_SRC: usize = 140;
/// Bytes of `out` that a step may write: a literal of 128 and a replicate run of 128.
pub(crate) const STEP_OUT: usize = 256;

/// How far a segment is decoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// Bytes of the segment that were used.
    pub(crate) src: usize,
    /// Bytes that were made of them.
    pub(crate) out: usize,
}

/// One segment on its way into a plane.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lane<'a> {
    src: &'a [u8],
    at: Position,
    /// Whether replicate runs of more than 64 bytes are common.
    long_runs: bool,
    /// Fillings until it is measured again how runs follow each other.
    unmeasured: u8,
    /// Whether literal runs follow literal runs so often that a step is to take one run.
    odd: bool,
    /// Whether hardly any run is a replicate run. The predictor foresees that, so alone the lane is left to pair steps.
    literal: bool,
}

/// Literal runs that follow a literal run cost a pair step that the predictor does not foresee. Where one comes to
/// fewer bytes than this, a step that takes one run of either kind is faster.
const ODD_BYTES: usize = 48;
/// Fillings until it is measured again whether that is so.
const UNMEASURED: u8 = 7;

impl<'a> Lane<'a> {
    /// At the start of `src`; `long_runs`: whether replicate runs of more than 64 bytes are common.
    pub(crate) fn new(src: &'a [u8], long_runs: bool) -> Self {
        Self { src, long_runs, ..Self::default() }
    }

    /// Whether the next filling is made one run a step.
    fn is_odd(&self) -> bool {
        self.odd && self.unmeasured > 0
    }

    /// How far it is.
    pub(crate) fn at(&self) -> Position {
        self.at
    }

    /// Takes away the first `out` bytes that were made.
    pub(crate) fn take(&mut self, out: usize) {
        self.at.out = self.at.out.saturating_sub(out);
    }

    /// Decodes whole runs until `out[..want]` is complete; `false` if the segment ends first.
    ///
    /// `out` is at least `want` long. A run that passes the end of `out` is cut there, though `at().out` counts all
    /// of it. Beyond `at().out`, `out` may be overwritten; it is fast where [`STEP_OUT`] bytes are left there.
    /// `ahead` is memory that will be written next: the fast body asks for it, line by line, while it decodes.
    pub(crate) fn fill(&mut self, out: &mut [u8], want: usize, ahead: &[u8], tier: CpuLevel) -> bool {
        let src = self.src;
        if self.is_odd() && !self.literal {
            single_steps([(self, out)], want, tier);
        }
        let from = self.at;
        let measured = self.unmeasured == 0;
        let hints = Hints { ahead, long_runs: self.long_runs, measured };
        let (at, odd) = steps(src, src.len(), from, out, want, hints, tier);
        self.at = at;
        if measured {
            self.odd = odd * ODD_BYTES > at.out - from.out;
            self.literal = at.src - from.src > at.out - from.out;
            self.unmeasured = UNMEASURED;
        } else {
            self.unmeasured -= 1;
        }
        if self.at.out < want && src.len() < self.at.src + STEP_SRC {
            self.at = last_steps(src, self.at, out, want, tier);
        }
        while self.at.out < want {
            let Some(next) = scalar::exact_step(src, self.at, out) else { return false };
            self.at = next;
        }
        true
    }
}

/// Takes `lanes` towards `want` by twos and threes, where it is one run a step for each: none waits for the others.
/// All are to be filled up afterwards. A lane's plane is the piece of `planes` at its place, `pitch` bytes long.
pub(crate) fn fill_together(lanes: &mut [Lane<'_>], planes: &mut [u8], pitch: usize, want: usize, tier: CpuLevel) {
    let mut left = lanes.iter().filter(|lane| lane.is_odd()).count();
    let mut odd = lanes.iter_mut().zip(planes.chunks_exact_mut(pitch)).filter(|(lane, _)| lane.is_odd());
    while left > 1 {
        let (Some(first), Some(second)) = (odd.next(), odd.next()) else { return };
        left -= 2;
        match if left == 1 { odd.next() } else { None } {
            Some(third) => return single_steps([first, second, third], want, tier),
            None => single_steps([first, second], want, tier),
        }
    }
}

/// What makes the fast body faster and changes nothing else: see [`Lane`].
#[derive(Debug, Clone, Copy, Default)]
struct Hints<'a> {
    ahead: &'a [u8],
    long_runs: bool,
    /// Whether literal runs after literal runs are counted.
    measured: bool,
}

/// The fast steps that are left where less than [`STEP_SRC`] bytes of `src` are: in a copy with room behind it,
/// as far as steps don't pass the end of `src`.
fn last_steps(src: &[u8], at: Position, out: &mut [u8], want: usize, tier: CpuLevel) -> Position {
    let rest = src.get(at.src..).unwrap_or_default();
    let mut copy = [0; 2 * STEP_SRC];
    if let Some(to) = copy.get_mut(..rest.len()) {
        to.copy_from_slice(rest);
    }
    let (now, _) = steps(&copy, rest.len(), Position { src: 0, ..at }, out, want, Hints::default(), tier);
    Position { src: at.src + now.src, ..now }
}

/// As many fast steps as there is room for, within `src[..end]`; and, if `measured`, how many literal runs
/// followed a literal run.
fn steps(
    src: &[u8],
    end: usize,
    at: Position,
    out: &mut [u8],
    want: usize,
    hints: Hints<'_>,
    tier: CpuLevel,
) -> (Position, usize) {
    #[cfg(target_arch = "x86_64")]
    if tier.is_v3() {
        // SAFETY: holding a v3 CpuLevel proves detection.
        #[allow(unsafe_code)]
        return unsafe { x86::steps(src, end, at, out, want, hints) };
    }
    let _ = (hints, tier);
    // The portable body has no other step to count for.
    (scalar::steps(src, end, at, out, want), 0)
}

/// Steps of one run, lane by lane in turn, as long as every lane has room for one.
fn single_steps<const N: usize>(lanes: [(&mut Lane<'_>, &mut [u8]); N], want: usize, tier: CpuLevel) {
    #[cfg(target_arch = "x86_64")]
    if tier.is_v3() {
        // SAFETY: holding a v3 CpuLevel proves detection.
        #[allow(unsafe_code)]
        return unsafe { x86::single_steps(lanes, want) };
    }
    let _ = (lanes, want, tier);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::miri_or;

    #[test]
    #[allow(clippy::cast_possible_truncation, reason = "any byte will do")]
    fn nothing_outside_is_touched_and_tiers_agree() {
        let mut state = 1u32;
        let mut random = |bound: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % bound
        };
        for _ in 0..miri_or(20_000, 60) {
            let src: Vec<u8> = (0..random(500)).map(|_| random(256) as u8).collect();
            let room = random(900);
            let want = random(room + 1);
            let start = Position { src: random(src.len() + 1), out: random(room + 1) };
            let lane = Lane {
                at: start,
                unmeasured: random(2) as u8,
                odd: random(2) == 0,
                literal: random(2) == 0,
                ..Lane::new(&src, random(2) == 0)
            };
            let mut first = None;
            for tier in CpuLevel::available() {
                let mut memory = vec![0xa5; room + 600];
                let mut lane = lane;
                let whole = lane.fill(&mut memory[300..300 + room], want, &[], tier);
                let at = lane.at();
                assert!(at.src <= src.len());
                assert!(memory[..300 + start.out].iter().all(|byte| *byte == 0xa5));
                assert!(memory[300 + room..].iter().all(|byte| *byte == 0xa5));
                // A step of two runs may be one run ahead of a step of one.
                let mut walked = start;
                while walked.out < at.out || walked.src < at.src {
                    walked = scalar::exact_step(&src, walked, &mut []).unwrap();
                }
                assert_eq!(walked, at);
                let made = memory[300 + start.out..300 + at.out.min(want).max(start.out)].to_vec();
                let found = (whole, whole.then_some(made));
                assert_eq!(*first.get_or_insert(found.clone()), found);
            }
        }
    }

    #[test]
    #[allow(clippy::cast_possible_truncation, reason = "any byte will do")]
    fn lanes_do_not_disturb_each_other() {
        const PITCH: usize = 4096 + STEP_OUT;
        let mut state = 1u32;
        let mut random = |bound: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % bound
        };
        for _ in 0..miri_or(400, 3) {
            let count = 1 + random(6);
            // Headers of short literal runs are likelier than not, so that most lanes turn odd at once.
            let segments: Vec<Vec<u8>> = (0..count)
                .map(|_| {
                    let (bound, least) = [(8, 0), (16, 248), (256, 0)][random(3)];
                    (0..random(miri_or(30_000, 2_000))).map(|_| (random(bound) as u8).wrapping_add(least)).collect()
                })
                .collect();
            let mut first = None;
            for tier in CpuLevel::available() {
                let mut lanes: Vec<Lane<'_>> = segments.iter().map(|src| Lane::new(src, false)).collect();
                let mut planes = vec![0; count * PITCH];
                let mut found = vec![Vec::new(); count];
                for _ in 0..12 {
                    fill_together(&mut lanes, &mut planes, PITCH, 4096, tier);
                    for ((lane, plane), found) in lanes.iter_mut().zip(planes.chunks_exact_mut(PITCH)).zip(&mut found) {
                        if lane.fill(plane, 4096, &[], tier) {
                            found.extend_from_slice(&plane[..4096]);
                            lane.take(4096);
                            plane.copy_within(4096..4096 + lane.at().out, 0);
                        }
                    }
                }
                for (found, src) in found.iter().zip(&segments) {
                    let (mut at, mut out) = (Position::default(), vec![0; 13 * 4096]);
                    while at.out < 12 * 4096
                        && let Some(next) = scalar::exact_step(src, at, &mut out)
                    {
                        at = next;
                    }
                    assert!(found.len() == at.out.min(12 * 4096) / 4096 * 4096);
                    assert!(*found == out[..found.len()]);
                }
                assert!(*first.get_or_insert(found.clone()) == found);
            }
        }
    }
}
