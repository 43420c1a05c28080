//! Unstuffing in plain Rust, eight bytes at a time; the search for markers in blocks that the compiler vectorises.

/// Bytes that are searched for a marker at a time.
const BLOCK: usize = 16;
const WORD: usize = size_of::<u64>();

#[inline(always)]
pub(super) fn find_marker(src: &[u8], from: usize) -> Option<usize> {
    let bytes = src.get(from..)?;
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let (next_blocks, _) = bytes.get(1..)?.as_chunks::<BLOCK>();
    let clean = blocks.iter().zip(next_blocks).take_while(|(block, next)| !any_marker(block, next)).count();
    let block_start = from + clean * BLOCK;
    let bytes = src.get(block_start..)?;
    let next = bytes.get(1..).unwrap_or_default().iter().copied().chain([0xFF]);
    bytes.iter().zip(next).position(|(byte, next)| is_marker(*byte, next)).map(|index| block_start + index)
}

#[inline(always)]
fn is_marker(byte: u8, next: u8) -> bool {
    (byte == 0xFF) & (next != 0)
}

#[inline(always)]
fn any_marker(block: &[u8; BLOCK], next: &[u8; BLOCK]) -> bool {
    block.iter().zip(next).fold(false, |any, (byte, next)| any | is_marker(*byte, *next))
}

#[inline(always)]
pub(super) fn unstuff(src: &[u8], out: &mut [u8]) -> usize {
    let (Some(first), Some(first_out)) = (src.first(), out.first_mut()) else { return 0 };
    *first_out = *first;
    unstuff_after(src, out, 0, 1)
}

/// Unstuffs the bytes of `src` after index `before`, to `out` from index `written` on; returns the number of bytes in `out`.
///
/// ```text
/// per word of 8 bytes: store it; for each stuffed 00 in it, store the word that starts after the 00 over it
/// ```
///
/// A byte is stuffed if it is 00 and the byte before it is FF, so the words are compared with the ones one byte earlier.
#[inline(always)]
pub(super) fn unstuff_after(src: &[u8], out: &mut [u8], mut before: usize, mut written: usize) -> usize {
    while let Some(window) = src.get(before..).and_then(|src| src.first_chunk::<{ 2 * WORD + 2 }>())
        && let Some(stored) = out.get_mut(written..).and_then(|out| out.first_chunk_mut::<{ 2 * WORD }>())
    {
        let (previous, bytes) = (word(window, 0), word(window, 1));
        store(stored, 0, bytes);
        let mut skipped = 0;
        if has_zero(!previous) {
            let mut stuffed = zeros(!previous) & zeros(bytes);
            while stuffed != 0 {
                let index = stuffed.trailing_zeros() as usize / 8;
                store(stored, index - skipped, word(window, index + 2));
                skipped += 1;
                stuffed &= stuffed.wrapping_sub(1);
            }
        }
        before += WORD;
        written += WORD - skipped;
    }
    let is_kept = |pair: &(&u8, &u8)| !matches!(pair, (0xFF, 0));
    let previous = src.get(before..).unwrap_or_default();
    let bytes = previous.get(1..).unwrap_or_default();
    for (_, byte) in previous.iter().zip(bytes).filter(is_kept) {
        let Some(stored) = out.get_mut(written) else { break };
        *stored = *byte;
        written += 1;
    }
    written
}

/// Returns the word at byte `index` of a window.
#[inline(always)]
fn word(window: &[u8; 2 * WORD + 2], index: usize) -> u64 {
    window.get(index..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[inline(always)]
fn store(out: &mut [u8; 2 * WORD], index: usize, word: u64) {
    match out.get_mut(index..).and_then(|out| out.first_chunk_mut()) {
        Some(out) => *out = word.to_le_bytes(),
        None => debug_assert!(false, "index is at most {WORD}"),
    }
}

const ONES: u64 = u64::MAX / 0xFF;

/// True if any byte is 0. A borrow from a byte sets its top bit only if the byte is 0, or a lower byte is.
#[inline(always)]
fn has_zero(word: u64) -> bool {
    word.wrapping_sub(ONES) & !word & (ONES << 7) != 0
}

/// Returns the top bit of each byte that is 0. Exact for every byte: no carry crosses bytes.
#[inline(always)]
fn zeros(word: u64) -> u64 {
    let low = ONES * 0x7F;
    !((word & low).wrapping_add(low) | word | low)
}
