//! Portable pair steps, and the exact step of all CPU levels.

use super::{Position, STEP_OUT_BYTES, STEP_SRC_BYTES};

/// Implements [`super::pair_steps`].
#[inline(always)]
pub(super) fn pair_steps(src: &[u8], end: usize, mut position: Position, out: &mut [u8], want: usize) -> Position {
    while position.out < want {
        let Some(src) = src.get(position.src..).and_then(|rest| rest.first_chunk()) else { break };
        let Some(out) = out.get_mut(position.out..).and_then(|rest| rest.first_chunk_mut()) else { break };
        let (src_bytes, out_bytes) = pair_step(src, out);
        if src_bytes > end - position.src {
            break;
        }
        position.src += src_bytes;
        position.out += out_bytes;
    }
    position
}

/// Decodes an optional literal run and the replicate run after it; returns the numbers of bytes read and written.
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "a run has at most 128 bytes, so the compiler drops every check")]
fn pair_step(src: &[u8; STEP_SRC_BYTES], out: &mut [u8; STEP_OUT_BYTES]) -> (usize, usize) {
    let header = usize::from(src[0]);
    // If the first run is a replicate run, the literal run has no header and no bytes. There is no branch, because it
    // could not be predicted.
    let is_literal = (header >> 7).wrapping_sub(1);
    let (literal_bytes, literal_run_bytes) = ((header + 1) & is_literal & 0xff, (header + 2) & is_literal & 0xff);
    out[..32].copy_from_slice(&src[1..33]);
    if literal_bytes > 32 {
        out[32..128].copy_from_slice(&src[33..129]);
    }
    let (header, value) = (usize::from(src[literal_run_bytes]), src[literal_run_bytes + 1]);
    out[literal_bytes..literal_bytes + 64].fill(value);
    match header {
        0xc1.. => {}
        0x81.. => out[literal_bytes + 64..literal_bytes + 128].fill(value),
        // A no-op after a literal run is left to the next step, because that run may be the last one of the plane.
        0x80 => return (literal_run_bytes.max(1), literal_bytes),
        _ => return (literal_run_bytes, literal_bytes),
    }
    (literal_run_bytes + 2, literal_bytes + 257 - header)
}

/// Decodes one run; returns the position after it, or `None` if `src` ends within it.
pub(super) fn exact_step(src: &[u8], position: Position, out: &mut [u8]) -> Option<Position> {
    let (header, rest) = src.get(position.src..)?.split_first()?;
    let remaining = out.get_mut(position.out..).unwrap_or_default();
    let header = usize::from(*header);
    let (src_bytes, out_bytes) = match header {
        0x80 => (1, 0),
        0..0x80 => {
            let values = rest.get(..=header)?;
            for (out, value) in remaining.iter_mut().zip(values) {
                *out = *value;
            }
            (header + 2, header + 1)
        }
        _ => {
            let value = rest.first()?;
            let run_length = 257 - header;
            for out in remaining.iter_mut().take(run_length) {
                *out = *value;
            }
            (2, run_length)
        }
    };
    Some(Position { src: position.src + src_bytes, out: position.out + out_bytes })
}
