//! Blocks that the compiler compares as vectors; byte by byte only where a block has what is looked for.

/// Bytes of a block.
const BLOCK: usize = 16;

#[inline(always)]
pub(super) fn find_marker(src: &[u8], from: usize) -> Option<usize> {
    let bytes = src.get(from..)?;
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let (next_blocks, _) = bytes.get(1..)?.as_chunks::<BLOCK>();
    let is_marker = |byte: u8, next: u8| (byte == 0xFF) & (next != 0);
    let clean = blocks.iter().zip(next_blocks).take_while(|(block, next)| !any(block, next, is_marker)).count();
    let at = from + clean * BLOCK;
    let bytes = src.get(at..)?;
    let next = bytes.get(1..).unwrap_or_default().iter().copied().chain([0xFF]);
    bytes.iter().zip(next).position(|(byte, next)| is_marker(*byte, next)).map(|index| at + index)
}

#[inline(always)]
fn any(block: &[u8; BLOCK], next: &[u8; BLOCK], pair: impl Fn(u8, u8) -> bool) -> bool {
    block.iter().zip(next).fold(false, |found, (byte, next)| found | pair(*byte, *next))
}

#[inline(always)]
pub(super) fn unstuff(src: &[u8], out: &mut [u8]) -> usize {
    unstuff_from(src, out, 0, 0)
}

/// What is left of `src` from `at` on, to `out` from `written` on, which is not behind `at`.
#[inline(always)]
pub(super) fn unstuff_from(src: &[u8], out: &mut [u8], at: usize, mut written: usize) -> usize {
    let mut last = at.checked_sub(1).and_then(|at| src.get(at)).copied().unwrap_or(0);
    let (blocks, rest) = src.get(at..).unwrap_or_default().as_chunks::<BLOCK>();
    for block in blocks {
        let [.., block_last] = block;
        let [_, next @ ..] = block;
        let stuffed = (last == 0xFF) & (block.first() == Some(&0))
            | block.iter().zip(next).fold(false, |found, (byte, next)| found | (*byte == 0xFF) & (*next == 0));
        if stuffed {
            written = bytes(block, out, last, written);
        } else if let Some(out) = out.get_mut(written..).and_then(|out| out.first_chunk_mut()) {
            *out = *block;
            written += BLOCK;
        }
        last = *block_last;
    }
    bytes(rest, out, last, written)
}

/// Byte by byte without a branch that depends on them; `last` is the byte before `src`.
#[inline(always)]
fn bytes(src: &[u8], out: &mut [u8], mut last: u8, mut written: usize) -> usize {
    for byte in src {
        if let Some(out) = out.get_mut(written) {
            *out = *byte;
        }
        written += usize::from((last != 0xFF) | (*byte != 0));
        last = *byte;
    }
    written
}
