//! The portable bodies, in shapes that the compiler turns into vectors.

/// All of it.
pub(super) fn interleave(planes: &[&[u8]], sample_bytes: usize, out: &mut [u8]) {
    match (planes, sample_bytes) {
        ([plane], _) => out.iter_mut().zip(*plane).for_each(|(out, byte)| *out = *byte),
        ([a, b], 1) => {
            for ((out, a), b) in out.as_chunks_mut().0.iter_mut().zip(*a).zip(*b) {
                *out = (u16::from(*a) | u16::from(*b) << 8).to_le_bytes();
            }
        }
        ([a, b, c], 1) => three(a, b, c, out),
        ([a, b, c, d], 1) => {
            for ((((out, a), b), c), d) in out.as_chunks_mut().0.iter_mut().zip(*a).zip(*b).zip(*c).zip(*d) {
                *out = (u32::from(*a) | u32::from(*b) << 8 | u32::from(*c) << 16 | u32::from(*d) << 24).to_le_bytes();
            }
        }
        _ => rest(planes, sample_bytes, 0, out),
    }
}

/// Four pixels are three words: no vector of the baseline shuffles bytes.
fn three(a: &[u8], b: &[u8], c: &[u8], out: &mut [u8]) {
    let (quads, _) = a.as_chunks::<4>();
    for (((out, a), b), c) in
        out.as_chunks_mut::<12>().0.iter_mut().zip(quads).zip(b.as_chunks().0).zip(c.as_chunks().0)
    {
        let ([a0, a1, a2, a3], [b0, b1, b2, b3], [c0, c1, c2, c3]): (&[u8; 4], &[u8; 4], &[u8; 4]) = (a, b, c);
        *out = [*a0, *b0, *c0, *a1, *b1, *c1, *a2, *b2, *c2, *a3, *b3, *c3];
    }
    let done = quads.len() * 4;
    rest(&[a, b, c], 1, done, out.get_mut(3 * done..).unwrap_or_default());
}

/// What is left after the first `done` bytes of each plane; `out` begins there.
pub(super) fn rest(planes: &[&[u8]], sample_bytes: usize, done: usize, out: &mut [u8]) {
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
