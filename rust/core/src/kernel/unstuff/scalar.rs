//! Blocks that the compiler makes vectors of, and words of eight bytes.

/// Bytes of a block, which is compared as vectors, and of a word.
const BLOCK: usize = 16;
const WORD: usize = size_of::<u64>();

#[inline(always)]
pub(super) fn find_marker(src: &[u8], from: usize) -> Option<usize> {
    let bytes = src.get(from..)?;
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let (next_blocks, _) = bytes.get(1..)?.as_chunks::<BLOCK>();
    let clean = blocks.iter().zip(next_blocks).take_while(|(block, next)| !any_marker(block, next)).count();
    let at = from + clean * BLOCK;
    let bytes = src.get(at..)?;
    let next = bytes.get(1..).unwrap_or_default().iter().copied().chain([0xFF]);
    bytes.iter().zip(next).position(|(byte, next)| is_marker(*byte, next)).map(|index| at + index)
}

#[inline(always)]
fn is_marker(byte: u8, next: u8) -> bool {
    (byte == 0xFF) & (next != 0)
}

#[inline(always)]
fn any_marker(block: &[u8; BLOCK], next: &[u8; BLOCK]) -> bool {
    block.iter().zip(next).fold(false, |found, (byte, next)| found | is_marker(*byte, *next))
}

#[inline(always)]
pub(super) fn unstuff(src: &[u8], out: &mut [u8]) -> usize {
    let (Some(first), Some(place)) = (src.first(), out.first_mut()) else { return 0 };
    *place = *first;
    unstuff_behind(src, out, 0, 1)
}

/// What follows index `before` of `src`, to `out` from `written` on.
///
/// Each turn stores a word as it is, and again from behind each stuffed 00 in it.
#[inline(always)]
pub(super) fn unstuff_behind(src: &[u8], out: &mut [u8], mut before: usize, mut written: usize) -> usize {
    while let Some(window) = src.get(before..).and_then(|src| src.first_chunk::<{ 2 * WORD + 2 }>())
        && let Some(place) = out.get_mut(written..).and_then(|out| out.first_chunk_mut::<{ 2 * WORD }>())
    {
        let (befores, bytes) = (word(window, 0), word(window, 1));
        set(place, 0, bytes);
        let mut skipped = 0;
        if has_zero(!befores) {
            let mut stuffed = zeros(!befores) & zeros(bytes);
            while stuffed != 0 {
                let index = stuffed.trailing_zeros() as usize / 8;
                set(place, index - skipped, word(window, index + 2));
                skipped += 1;
                stuffed &= stuffed.wrapping_sub(1);
            }
        }
        before += WORD;
        written += WORD - skipped;
    }
    let is_kept = |pair: &(&u8, &u8)| !matches!(pair, (0xFF, 0));
    let befores = src.get(before..).unwrap_or_default();
    let bytes = befores.get(1..).unwrap_or_default();
    for (_, byte) in befores.iter().zip(bytes).filter(is_kept) {
        let Some(place) = out.get_mut(written) else { break };
        *place = *byte;
        written += 1;
    }
    written
}

#[inline(always)]
fn word(window: &[u8; 2 * WORD + 2], at: usize) -> u64 {
    window.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[inline(always)]
fn set(place: &mut [u8; 2 * WORD], at: usize, word: u64) {
    if let Some(place) = place.get_mut(at..).and_then(|place| place.first_chunk_mut()) {
        *place = word.to_le_bytes();
    }
}

const ONES: u64 = u64::MAX / 0xFF;

/// Whether any byte is 0.
#[inline(always)]
fn has_zero(word: u64) -> bool {
    word.wrapping_sub(ONES) & !word & (ONES << 7) != 0
}

/// The top bit of each byte that is 0.
#[inline(always)]
fn zeros(word: u64) -> u64 {
    let low = ONES * 0x7F;
    !((word & low).wrapping_add(low) | word | low)
}
