//! PackBits runs → bytes (PS3.5 G.3).
//!
//! The fast body takes a pair of runs a step, without a branch on their kind:
//!
//! ```text
//! src  │header│ literal … │header│value│ …      one step: [a literal run] + a replicate run
//! out  │ literal … │ value value value … │      32 bytes are always copied, then 64 are always set
//! ```
//!
//! It stops where a step might read or write too far; an exact step takes over there. Errors and the end of
//! a segment are met by exact steps alone, so they are the same on every tier.

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::Tier;

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

/// What makes it faster and changes nothing else.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hints<'a> {
    /// Memory that will be written next. The fast body asks for it, line by line, while it decodes.
    pub(crate) ahead: &'a [u8],
    /// Whether replicate runs of more than 64 bytes are common.
    pub(crate) long_runs: bool,
}

/// Decodes whole runs of `src` from `at` on until `out[..want]` is complete; `false` if `src` ends first.
///
/// `out` is at least `want` long. A run that passes the end of `out` is cut there, though `at.out` counts all
/// of it. Beyond `at.out`, `out` may be overwritten; it is fast where [`STEP_OUT`] bytes are left there.
pub(crate) fn fill(src: &[u8], at: &mut Position, out: &mut [u8], want: usize, hints: Hints<'_>, tier: Tier) -> bool {
    *at = steps(src, src.len(), *at, out, want, hints, tier);
    if at.out < want && src.len() < at.src + STEP_SRC {
        *at = last_steps(src, *at, out, want, tier);
    }
    while at.out < want {
        let Some(next) = scalar::exact_step(src, *at, out) else { return false };
        *at = next;
    }
    true
}

/// The fast steps that are left where less than [`STEP_SRC`] bytes of `src` are: in a copy with room behind it,
/// as far as steps don't pass the end of `src`.
fn last_steps(src: &[u8], at: Position, out: &mut [u8], want: usize, tier: Tier) -> Position {
    let rest = src.get(at.src..).unwrap_or_default();
    let mut copy = [0; 2 * STEP_SRC];
    for (to, from) in copy.iter_mut().zip(rest) {
        *to = *from;
    }
    let now = steps(&copy, rest.len(), Position { src: 0, ..at }, out, want, Hints::default(), tier);
    Position { src: at.src + now.src, ..now }
}

/// As many fast steps as there is room for, within `src[..end]`.
fn steps(src: &[u8], end: usize, at: Position, out: &mut [u8], want: usize, hints: Hints<'_>, tier: Tier) -> Position {
    #[cfg(target_arch = "x86_64")]
    if tier.is_v3() {
        // SAFETY: holding a v3 Tier proves detection.
        #[allow(unsafe_code)]
        return unsafe { x86::steps(src, end, at, out, want, hints) };
    }
    let _ = (hints, tier);
    scalar::steps(src, end, at, out, want)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::cast_possible_truncation, reason = "any byte will do")]
    fn nothing_outside_is_touched_and_tiers_agree() {
        let mut state = 1u32;
        let mut random = |bound: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % bound
        };
        for _ in 0..20_000 {
            let src: Vec<u8> = (0..random(500)).map(|_| random(256) as u8).collect();
            let room = random(900);
            let want = random(room + 1);
            let start = Position { src: random(src.len() + 1), out: random(room + 1) };
            let hints = Hints { ahead: &[], long_runs: random(2) == 0 };
            let mut first = None;
            for tier in Tier::available() {
                let mut memory = vec![0xa5; room + 600];
                let mut at = start;
                let whole = fill(&src, &mut at, &mut memory[300..300 + room], want, hints, tier);
                assert!(at.src <= src.len());
                assert!(memory[..300 + start.out].iter().all(|byte| *byte == 0xa5));
                assert!(memory[300 + room..].iter().all(|byte| *byte == 0xa5));
                let made = memory[300 + start.out..300 + at.out.min(room)].to_vec();
                let found = (whole, whole.then_some((at, made)));
                assert_eq!(*first.get_or_insert(found.clone()), found);
            }
        }
    }
}
