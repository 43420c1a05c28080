//! Plain loops: one chain of additions per component, and vectors where a sample does not wait for its left one.

#[inline(always)]
pub(super) fn first_row(row: &mut [u16], components: usize, initial: u16) {
    match components {
        1 => sums(row, [initial; 1]),
        2 => sums(row, [initial; 2]),
        3 => sums(row, [initial; 3]),
        _ => sums(row, [initial; 4]),
    }
}

/// Running sums of each component, from those of `left` on.
#[inline(always)]
fn sums<const N: usize>(row: &mut [u16], mut left: [u16; N]) {
    let (pixels, rest) = row.as_chunks_mut::<N>();
    let add = |(sample, left): (&mut u16, &mut u16)| {
        *left = left.wrapping_add(*sample);
        *sample = *left;
    };
    for pixel in pixels {
        pixel.iter_mut().zip(&mut left).for_each(add);
    }
    rest.iter_mut().zip(&mut left).for_each(add);
}

#[inline(always)]
pub(super) fn rows(rows: &mut [u16], above: &[u16], components: usize, selection_value: u8) {
    match components {
        1 => by_value::<1>(rows, above, selection_value),
        2 => by_value::<2>(rows, above, selection_value),
        3 => by_value::<3>(rows, above, selection_value),
        _ => by_value::<4>(rows, above, selection_value),
    }
}

#[inline(always)]
fn by_value<const N: usize>(rows: &mut [u16], above: &[u16], selection_value: u8) {
    match selection_value {
        1 => each(rows, above, |row, above| line::<N>(row, above, |d, a, _, _| a.wrapping_add(d))),
        2 => each(rows, above, add),
        3 => each(rows, above, |row, above| {
            let (first, rest) = row.split_at_mut(N.min(row.len()));
            add(first, above);
            add(rest, above);
        }),
        4 => each(rows, above, |row, above| {
            line::<N>(row, above, |d, a, b, c| a.wrapping_add(d.wrapping_add(b).wrapping_sub(c)));
        }),
        5 => each(rows, above, |row, above| {
            line::<N>(row, above, |d, a, b, c| a.wrapping_add(d.wrapping_add(half_difference(b, c))));
        }),
        6 => each(rows, above, |row, above| {
            line::<N>(row, above, |d, a, b, c| d.wrapping_add(b).wrapping_add(half_difference(a, c)));
        }),
        _ => each(rows, above, |row, above| line::<N>(row, above, |d, a, b, _| d.wrapping_add(a.midpoint(b)))),
    }
}

/// Calls `line` for each row and the one above it, which is as long.
#[inline(always)]
fn each<'a>(rows: &'a mut [u16], mut above: &'a [u16], line: impl Fn(&mut [u16], &[u16])) {
    for row in rows.chunks_mut(above.len()) {
        line(row, above.get(..row.len()).unwrap_or_default());
        above = row;
    }
}

/// `(a - b) >> 1`, modulo 2^16.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "modulo 2^16")]
fn half_difference(a: u16, b: u16) -> u16 {
    ((i32::from(a) - i32::from(b)) >> 1) as u16
}

#[inline(always)]
fn add(row: &mut [u16], prediction: &[u16]) {
    for (sample, prediction) in row.iter_mut().zip(prediction) {
        *sample = sample.wrapping_add(*prediction);
    }
}

/// One row by `sample`: (difference, Ra, Rb, Rc) → x. The first pixel is predicted from above.
#[inline(always)]
fn line<const N: usize>(row: &mut [u16], above: &[u16], sample: impl Fn(u16, u16, u16, u16) -> u16) {
    let Some((first, rest)) = row.split_first_chunk_mut::<N>() else { return add(row, above) };
    add(first, above);
    let mut left = *first;
    let below = above.get(N..).unwrap_or_default();
    let (pixels, rest) = rest.as_chunks_mut::<N>();
    let ((corners, corners_rest), (above, above_rest)) = (above.as_chunks::<N>(), below.as_chunks::<N>());
    for ((pixel, above), corner) in pixels.iter_mut().zip(above).zip(corners) {
        for (((x, a), b), c) in pixel.iter_mut().zip(&mut left).zip(above).zip(corner) {
            *x = sample(*x, *a, *b, *c);
            *a = *x;
        }
    }
    let corner = corners.last().map_or(corners_rest, |corner| corner.as_slice());
    for (((x, a), b), c) in rest.iter_mut().zip(left).zip(above_rest).zip(corner) {
        *x = sample(*x, a, *b, *c);
    }
}

#[inline(always)]
pub(super) fn store(samples: &[u16], shift: u32, mask: u16, out: &mut [u8], sample_bytes: usize, stride: usize) {
    let value = |sample: u16| sample.wrapping_shl(shift) & mask;
    if sample_bytes == 1 {
        let low = |sample| {
            let [low, _] = value(sample).to_le_bytes();
            [low]
        };
        each_place(samples, out, stride, low);
    } else {
        each_place(samples, out, stride, |sample| value(sample).to_le_bytes());
    }
}

#[inline(always)]
fn each_place<const BYTES: usize>(samples: &[u16], out: &mut [u8], stride: usize, bytes: impl Fn(u16) -> [u8; BYTES]) {
    let places = out.as_chunks_mut::<BYTES>().0;
    match stride {
        1 => places.iter_mut().zip(samples).for_each(|(place, sample)| *place = bytes(*sample)),
        2 => each_pixel::<2, BYTES>(samples, places, bytes),
        3 => each_pixel::<3, BYTES>(samples, places, bytes),
        4 => each_pixel::<4, BYTES>(samples, places, bytes),
        _ => places.iter_mut().step_by(stride).zip(samples).for_each(|(place, sample)| *place = bytes(*sample)),
    }
}

#[inline(always)]
fn each_pixel<const N: usize, const BYTES: usize>(
    samples: &[u16],
    places: &mut [[u8; BYTES]],
    bytes: impl Fn(u16) -> [u8; BYTES],
) {
    let (pixels, rest) = places.as_chunks_mut::<N>();
    let last = rest.first_mut();
    let mut samples = samples.iter();
    for (pixel, sample) in pixels.iter_mut().zip(samples.by_ref()) {
        if let [place, ..] = pixel.as_mut_slice() {
            *place = bytes(*sample);
        }
    }
    if let (Some(place), Some(sample)) = (last, samples.next()) {
        *place = bytes(*sample);
    }
}
