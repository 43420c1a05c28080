//! The portable body, and the exact step of every tier.

use super::{Position, STEP_OUT, STEP_SRC};

/// As many steps as there is room for, until `out[..want]` is complete; none that uses more than `src[..end]`.
#[inline(always)]
pub(super) fn steps(src: &[u8], end: usize, mut at: Position, out: &mut [u8], want: usize) -> Position {
    while at.out < want {
        let Some(src) = src.get(at.src..).and_then(|rest| rest.first_chunk()) else { break };
        let Some(out) = out.get_mut(at.out..).and_then(|rest| rest.first_chunk_mut()) else { break };
        let (used, made) = step(src, out);
        if used > end - at.src {
            break;
        }
        at.src += used;
        at.out += made;
    }
    at
}

/// An optional literal run and the replicate run after it: bytes used and made.
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "a run has at most 128 bytes, so the compiler drops every check")]
fn step(src: &[u8; STEP_SRC], out: &mut [u8; STEP_OUT]) -> (usize, usize) {
    let header = usize::from(src[0]);
    // A replicate run in the first place is a literal run of nothing, without a header: no branch tells them
    // apart, for no predictor could.
    let is_literal = (header >> 7).wrapping_sub(1);
    let (literal, span) = ((header + 1) & is_literal & 0xff, (header + 2) & is_literal & 0xff);
    out[..32].copy_from_slice(&src[1..33]);
    if literal > 32 {
        out[32..128].copy_from_slice(&src[33..129]);
    }
    let (header, value) = (usize::from(src[span]), src[span + 1]);
    out[literal..literal + 64].fill(value);
    match header {
        0xc1.. => {}
        0x81.. => out[literal + 64..literal + 128].fill(value),
        // After a literal run it is left to the next step, for it may lie behind the last run of the plane.
        0x80 => return (span.max(1), literal),
        _ => return (span, literal),
    }
    (span + 2, literal + 257 - header)
}

/// One run, or `None` if `src` ends within it.
pub(super) fn exact_step(src: &[u8], at: Position, out: &mut [u8]) -> Option<Position> {
    let (header, rest) = src.get(at.src..)?.split_first()?;
    let room = out.get_mut(at.out..).unwrap_or_default();
    let header = usize::from(*header);
    let (used, made) = match header {
        0x80 => (1, 0),
        0..0x80 => {
            let values = rest.get(..=header)?;
            for (out, value) in room.iter_mut().zip(values) {
                *out = *value;
            }
            (header + 2, header + 1)
        }
        _ => {
            let value = rest.first()?;
            let made = 257 - header;
            for out in room.iter_mut().take(made) {
                *out = *value;
            }
            (2, made)
        }
    };
    Some(Position { src: at.src + used, out: at.out + made })
}
