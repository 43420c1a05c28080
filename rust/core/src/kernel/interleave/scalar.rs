//! Portable bodies: loops over blocks of constant length, which the compiler vectorises.

/// Interleaves whole blocks. Returns the number of bytes done in each plane, 0 for a number of planes without a body.
pub(super) fn interleave(planes: &[&[u8]], sample_bytes: usize, out: &mut [u8]) -> usize {
    match (planes.len(), sample_bytes) {
        (2, 1) => for_each_block(planes, out, |[a, b], out: &mut [u8; 2 * BLOCK]| {
            out.as_chunks_mut().0.iter_mut().zip(pairs_of(a, b)).for_each(|(out, pair)| *out = pair.to_le_bytes());
        }),
        (3, 1) => for_each_block(planes, out, |planes, out: &mut [u8; 3 * BLOCK]| {
            three(planes.map(<[u8; BLOCK]>::as_slice), out)
        }),
        (3, 2) => for_each_block(planes, out, |[a, b, c], out: &mut [u8; 3 * BLOCK]| {
            let pixels = a.as_chunks().0.iter().zip(b.as_chunks().0).zip(c.as_chunks().0);
            for (out, ((a, b), c)) in out.as_chunks_mut::<2>().0.as_chunks_mut().0.iter_mut().zip(pixels) {
                *out = [*a, *b, *c];
            }
        }),
        (4, 1) => for_each_block(planes, out, |[a, b, c, d], out: &mut [u8; 4 * BLOCK]| {
            out.as_chunks_mut()
                .0
                .iter_mut()
                .zip(quads_of(a, b, c, d))
                .for_each(|(out, quad)| *out = quad.to_le_bytes());
        }),
        (6, 1) => for_each_block(planes, out, |[a, b, c, d, e, f], out: &mut [u8; 6 * BLOCK]| {
            let pairs = pairs_of(a, b).into_iter().zip(pairs_of(c, d)).zip(pairs_of(e, f));
            for (out, ((ab, cd), ef)) in out.as_chunks_mut::<6>().0.iter_mut().zip(pairs) {
                let ([a, b], [c, d], [e, f]) = (ab.to_le_bytes(), cd.to_le_bytes(), ef.to_le_bytes());
                *out = [a, b, c, d, e, f];
            }
        }),
        (8, 1) => for_each_block(planes, out, |[a, b, c, d, e, f, g, h], out: &mut [u8; 8 * BLOCK]| {
            let quads = quads_of(a, b, c, d).into_iter().zip(quads_of(e, f, g, h));
            for (out, (low, high)) in out.as_chunks_mut().0.iter_mut().zip(quads) {
                *out = (u64::from(low) | u64::from(high) << 32).to_le_bytes();
            }
        }),
        (12, 1) => for_each_block(planes, out, |[a, b, c, d, e, f, g, h, i, j, k, l], out: &mut [u8; 12 * BLOCK]| {
            let quads = quads_of(a, b, c, d).into_iter().zip(quads_of(e, f, g, h)).zip(quads_of(i, j, k, l));
            for (out, ((abcd, efgh), ijkl)) in out.as_chunks_mut::<4>().0.as_chunks_mut().0.iter_mut().zip(quads) {
                *out = [abcd.to_le_bytes(), efgh.to_le_bytes(), ijkl.to_le_bytes()];
            }
        }),
        _ => 0,
    }
}

/// Bytes of each plane per block.
const BLOCK: usize = 128;

/// Calls `interleave_block` for every block of `N` planes; `BYTES` is `N` × [`BLOCK`].
#[inline(always)]
fn for_each_block<const N: usize, const BYTES: usize>(
    planes: &[&[u8]],
    out: &mut [u8],
    interleave_block: impl Fn([&[u8; BLOCK]; N], &mut [u8; BYTES]),
) -> usize {
    let mut sources: [&[[u8; BLOCK]]; N] = [&[]; N];
    for (source, plane) in sources.iter_mut().zip(planes) {
        *source = plane.as_chunks().0;
    }
    for (index, out) in out.as_chunks_mut().0.iter_mut().enumerate() {
        let mut blocks = [&[0; BLOCK]; N];
        for (block, source) in blocks.iter_mut().zip(&sources) {
            let Some(bytes) = source.get(index) else { return index * BLOCK };
            *block = bytes;
        }
        interleave_block(blocks, out);
    }
    out.len() / BYTES * BLOCK
}

/// Returns `a[i] | b[i] << 8` for every `i`.
#[inline(always)]
fn pairs_of(a: &[u8; BLOCK], b: &[u8; BLOCK]) -> [u16; BLOCK] {
    let mut pairs = [0; BLOCK];
    for ((pair, a), b) in pairs.iter_mut().zip(a).zip(b) {
        *pair = u16::from(*a) | u16::from(*b) << 8;
    }
    pairs
}

/// Returns `a[i] | b[i] << 8 | c[i] << 16 | d[i] << 24` for every `i`.
#[inline(always)]
fn quads_of(a: &[u8; BLOCK], b: &[u8; BLOCK], c: &[u8; BLOCK], d: &[u8; BLOCK]) -> [u32; BLOCK] {
    let mut quads = [0; BLOCK];
    for ((quad, low), high) in quads.iter_mut().zip(pairs_of(a, b)).zip(pairs_of(c, d)) {
        *quad = u32::from(low) | u32::from(high) << 16;
    }
    quads
}

/// Interleaves three planes of a multiple of four bytes: four bytes of each plane are a 32-bit word, and four pixels are three
/// words.
///
/// ```text
/// byte of word    0   1   2   3
/// first           a0  b0  c0  a1
/// second          b1  c1  a2  b2
/// third           c2  a3  b3  c3
/// ```
#[inline(always)]
pub(in crate::kernel) fn three([a, b, c]: [&[u8]; 3], out: &mut [u8]) {
    let words = a.as_chunks().0.iter().zip(b.as_chunks().0).zip(c.as_chunks().0);
    for (out, ((a, b), c)) in out.as_chunks_mut::<4>().0.as_chunks_mut().0.iter_mut().zip(words) {
        let (a, b, c) = (u32::from_le_bytes(*a), u32::from_le_bytes(*b), u32::from_le_bytes(*c));
        let first = a & 0xff | (b & 0xff) << 8 | (c & 0xff) << 16 | a << 16 & 0xff00_0000;
        let second = b >> 8 & 0xff | c & 0xff00 | a & 0xff_0000 | b << 8 & 0xff00_0000;
        let third = c >> 16 & 0xff | a >> 16 & 0xff00 | b >> 8 & 0xff_0000 | c & 0xff00_0000;
        *out = [first.to_le_bytes(), second.to_le_bytes(), third.to_le_bytes()];
    }
}

/// Interleaves the planes from byte `done` on; `out` starts with their first element.
pub(super) fn interleave_rest(planes: &[&[u8]], sample_bytes: usize, done: usize, out: &mut [u8]) {
    if let [plane] = planes {
        out.iter_mut().zip(plane.iter().skip(done)).for_each(|(out, byte)| *out = *byte);
        return;
    }
    for (index, plane) in planes.iter().enumerate() {
        let samples = plane.get(done..).unwrap_or_default().chunks_exact(sample_bytes);
        let pixels = out.get_mut(index * sample_bytes..).unwrap_or_default();
        for (pixel, sample) in pixels.chunks_mut(planes.len() * sample_bytes).zip(samples) {
            for (to, from) in pixel.iter_mut().zip(sample) {
                *to = *from;
            }
        }
    }
}
