//! The portable bodies: loops long enough for the compiler to turn them into vectors.

/// As much as whole turns hold: how many bytes of each plane, none where there is no body.
pub(super) fn interleave(planes: &[&[u8]], sample_bytes: usize, out: &mut [u8]) -> usize {
    match (planes.len(), sample_bytes) {
        (2, 1) => each(planes, out, |[a, b], out: &mut [u8; 2 * TURN]| {
            out.as_chunks_mut().0.iter_mut().zip(two(a, b)).for_each(|(out, pair)| *out = pair.to_le_bytes());
        }),
        (3, 1) => each(planes, out, three),
        (4, 1) => each(planes, out, |[a, b, c, d], out: &mut [u8; 4 * TURN]| {
            out.as_chunks_mut().0.iter_mut().zip(four(a, b, c, d)).for_each(|(out, quad)| *out = quad.to_le_bytes());
        }),
        (6, 1) => each(planes, out, |[a, b, c, d, e, f], out: &mut [u8; 6 * TURN]| {
            let pairs = two(a, b).into_iter().zip(two(c, d)).zip(two(e, f));
            for (out, ((ab, cd), ef)) in out.as_chunks_mut::<6>().0.iter_mut().zip(pairs) {
                let ([a, b], [c, d], [e, f]) = (ab.to_le_bytes(), cd.to_le_bytes(), ef.to_le_bytes());
                *out = [a, b, c, d, e, f];
            }
        }),
        (8, 1) => each(planes, out, |[a, b, c, d, e, f, g, h], out: &mut [u8; 8 * TURN]| {
            let quads = four(a, b, c, d).into_iter().zip(four(e, f, g, h));
            for (out, (low, high)) in out.as_chunks_mut().0.iter_mut().zip(quads) {
                *out = (u64::from(low) | u64::from(high) << 32).to_le_bytes();
            }
        }),
        (12, 1) => each(planes, out, |[a, b, c, d, e, f, g, h, i, j, k, l], out: &mut [u8; 12 * TURN]| {
            let quads = four(a, b, c, d).into_iter().zip(four(e, f, g, h)).zip(four(i, j, k, l));
            for (out, ((abcd, efgh), ijkl)) in out.as_chunks_mut::<4>().0.as_chunks_mut().0.iter_mut().zip(quads) {
                *out = [abcd.to_le_bytes(), efgh.to_le_bytes(), ijkl.to_le_bytes()];
            }
        }),
        _ => 0,
    }
}

/// Bytes of a plane that a turn takes.
const TURN: usize = 128;

/// `BYTES` is `N` x [`TURN`].
#[inline(always)]
fn each<const N: usize, const BYTES: usize>(
    planes: &[&[u8]],
    out: &mut [u8],
    weave: impl Fn([&[u8; TURN]; N], &mut [u8; BYTES]),
) -> usize {
    let mut sources: [&[[u8; TURN]]; N] = [&[]; N];
    for (source, plane) in sources.iter_mut().zip(planes) {
        *source = plane.as_chunks().0;
    }
    for (turn, out) in out.as_chunks_mut().0.iter_mut().enumerate() {
        let mut pieces = [&[0; TURN]; N];
        for (piece, source) in pieces.iter_mut().zip(&sources) {
            let Some(bytes) = source.get(turn) else { return turn * TURN };
            *piece = bytes;
        }
        weave(pieces, out);
    }
    out.len() / BYTES * TURN
}

#[inline(always)]
fn two(a: &[u8; TURN], b: &[u8; TURN]) -> [u16; TURN] {
    let mut pairs = [0; TURN];
    for ((pair, a), b) in pairs.iter_mut().zip(a).zip(b) {
        *pair = u16::from(*a) | u16::from(*b) << 8;
    }
    pairs
}

#[inline(always)]
fn four(a: &[u8; TURN], b: &[u8; TURN], c: &[u8; TURN], d: &[u8; TURN]) -> [u32; TURN] {
    let mut quads = [0; TURN];
    for ((quad, low), high) in quads.iter_mut().zip(two(a, b)).zip(two(c, d)) {
        *quad = u32::from(low) | u32::from(high) << 16;
    }
    quads
}

/// Four samples of each plane are a word, and four pixels are three words: their bytes are masked into place.
#[inline(always)]
fn three([a, b, c]: [&[u8; TURN]; 3], out: &mut [u8; 3 * TURN]) {
    let words = a.as_chunks().0.iter().zip(b.as_chunks().0).zip(c.as_chunks().0);
    for (out, ((a, b), c)) in out.as_chunks_mut::<4>().0.as_chunks_mut().0.iter_mut().zip(words) {
        let (a, b, c) = (u32::from_le_bytes(*a), u32::from_le_bytes(*b), u32::from_le_bytes(*c));
        let first = a & 0xff | (b & 0xff) << 8 | (c & 0xff) << 16 | a << 16 & 0xff00_0000;
        let second = b >> 8 & 0xff | c & 0xff00 | a & 0xff_0000 | b << 8 & 0xff00_0000;
        let third = c >> 16 & 0xff | a >> 16 & 0xff00 | b >> 8 & 0xff_0000 | c & 0xff00_0000;
        *out = [first.to_le_bytes(), second.to_le_bytes(), third.to_le_bytes()];
    }
}

/// What is left after the first `done` bytes of each plane; `out` begins there.
pub(super) fn rest(planes: &[&[u8]], sample_bytes: usize, done: usize, out: &mut [u8]) {
    if let [plane] = planes {
        out.iter_mut().zip(plane.iter().skip(done)).for_each(|(out, byte)| *out = *byte);
        return;
    }
    for (index, plane) in planes.iter().enumerate() {
        let samples = plane.get(done..).unwrap_or_default().chunks_exact(sample_bytes);
        let slots = out.get_mut(index * sample_bytes..).unwrap_or_default();
        for (slot, sample) in slots.chunks_mut(planes.len() * sample_bytes).zip(samples) {
            for (to, from) in slot.iter_mut().zip(sample) {
                *to = *from;
            }
        }
    }
}
