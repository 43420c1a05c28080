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
    match (selection_value, N) {
        (1, _) => each(rows, above, |row, above| line::<N>(row, above, |d, a, _, _| a.wrapping_add(d))),
        (2, _) => each(rows, above, add),
        (3, _) => each(rows, above, |row, above| {
            let (first, rest) = row.split_at_mut(N.min(row.len()));
            add(first, above);
            add(rest, above);
        }),
        (4, 1) => each(rows, above, sums_and_above),
        (4, _) => each(rows, above, |row, above| {
            line::<N>(row, above, |d, a, b, c| a.wrapping_add(d.wrapping_add(b).wrapping_sub(c)));
        }),
        (5, 1) => each(rows, above, sums_and_halves),
        (5, _) => each(rows, above, |row, above| {
            line::<N>(row, above, |d, a, b, c| a.wrapping_add(d.wrapping_add(half_difference(b, c))));
        }),
        (6, 1) => {
            let (rows, above) = fours(rows, above, sixth);
            each(rows, above, |row, above| line::<1>(row, above, sixth));
        }
        (6, _) => each(rows, above, |row, above| line::<N>(row, above, sixth)),
        (_, 1) => {
            let (rows, above) = fours(rows, above, seventh);
            each(rows, above, |row, above| line::<1>(row, above, seventh));
        }
        (_, _) => each(rows, above, |row, above| line::<N>(row, above, seventh)),
    }
}

/// Rb + ((Ra - Rc) >> 1)
#[inline(always)]
pub(super) fn sixth(difference: u16, a: u16, b: u16, c: u16) -> u16 {
    difference.wrapping_add(b).wrapping_add(half_difference(a, c))
}

/// (Ra + Rb) >> 1
#[inline(always)]
pub(super) fn seventh(difference: u16, a: u16, b: u16, _: u16) -> u16 {
    difference.wrapping_add(a.midpoint(b))
}

/// Selection value 4: x - Rb = (Ra - Rc) + difference, so x - Rb is the running sum of the differences.
#[inline(always)]
fn sums_and_above(row: &mut [u16], above: &[u16]) {
    sums(row, [0]);
    add(row, above);
}

/// Selection value 5: x is the running sum of the differences and (Rb - Rc) >> 1, which are known before.
#[inline(always)]
fn sums_and_halves(row: &mut [u16], above: &[u16]) {
    let (Some((first, rest)), Some((above0, below))) = (row.split_first_mut(), above.split_first()) else { return };
    *first = first.wrapping_add(*above0);
    for ((difference, b), c) in rest.iter_mut().zip(below).zip(above) {
        *difference = difference.wrapping_add(half_difference(*b, *c));
    }
    sums(row, [0]);
}

/// Calls `line` for each row and the one above it, which is as long.
#[inline(always)]
pub(super) fn each<'a>(rows: &'a mut [u16], mut above: &'a [u16], mut line: impl FnMut(&mut [u16], &[u16])) {
    for row in rows.chunks_mut(above.len()) {
        line(row, above.get(..row.len()).unwrap_or_default());
        above = row;
    }
}

/// Rows of one component in groups of four whose chains overlap. Returns the rows that are left and the one above them.
#[inline(always)]
pub(super) fn fours<'a>(
    rows: &'a mut [u16],
    above: &'a [u16],
    sample: impl Fn(u16, u16, u16, u16) -> u16 + Copy,
) -> (&'a mut [u16], &'a [u16]) {
    groups::<4>(rows, above, sample, |group, above| {
        let Skewed { lines: [row0, row1, row2, row3], left, corner } = group;
        let ([mut a0, mut a1, mut a2, mut a3], [mut c0, mut c1, mut c2, mut c3]) = (left, corner);
        let steps = row0.len().min(above.len());
        for ((((x0, x1), x2), x3), b0) in row0.iter_mut().zip(row1).zip(row2).zip(row3).zip(above) {
            let [b0, b1, b2, b3] = [*b0, a0, a1, a2];
            [a0, a1] = [sample(*x0, a0, b0, c0), sample(*x1, a1, b1, c1)];
            [a2, a3] = [sample(*x2, a2, b2, c2), sample(*x3, a3, b3, c3)];
            [*x0, *x1, *x2, *x3] = [a0, a1, a2, a3];
            [c0, c1, c2, c3] = [b0, b1, b2, b3];
        }
        steps
    })
}

/// `R` rows, each a sample behind the one above it.
///
/// ```text
///   row 0   done done done t    ·        what each row needs of the one above it at step t
///   row 1   done done t    ·    ·        is what that one became at step t - 1
///   row 2   done t    ·    ·    ·
/// ```
pub(super) struct Skewed<'a, const R: usize> {
    /// The rows from step 0 on, of one length.
    pub(super) lines: [&'a mut [u16]; R],
    /// Ra of step 0.
    pub(super) left: [u16; R],
    /// Rc of step 0.
    pub(super) corner: [u16; R],
}

/// Hands groups of `R` whole rows to `middle`, with the row above from step 0 on; it returns the steps it went. What
/// lies before and behind them is done here. Returns the rows that are left and the one above them.
#[inline(always)]
pub(super) fn groups<'a, const R: usize>(
    rows: &'a mut [u16],
    mut above: &'a [u16],
    sample: impl Fn(u16, u16, u16, u16) -> u16 + Copy,
    middle: impl Fn(Skewed<'_, R>, &[u16]) -> usize,
) -> (&'a mut [u16], &'a [u16]) {
    let row_len = above.len();
    let group_len = row_len.saturating_mul(R);
    let whole = if row_len > R { rows.len() / group_len * group_len } else { 0 };
    let (whole, rest) = rows.split_at_mut(whole);
    for group in whole.chunks_exact_mut(group_len) {
        let mut end = R;
        each(group, above, |row, above| {
            if let (Some(row), Some(above)) = (row.get_mut(..end), above.get(..end)) {
                line::<1>(row, above, sample);
            }
            end -= 1;
        });
        let (skewed, below) = skew(group, above);
        let mut start = R + middle(skewed, below);
        each(group, above, |row, above| {
            resume(row, above, start, sample);
            start -= 1;
        });
        above = group.get(group_len - row_len..).unwrap_or_default();
    }
    (rest, above)
}

#[inline(always)]
fn skew<'a, 'b, const R: usize>(group: &'a mut [u16], above: &'b [u16]) -> (Skewed<'a, R>, &'b [u16]) {
    let (corner0, below) = above.split_at(R.min(above.len()));
    let mut skewed = Skewed { lines: [(); R].map(|()| Default::default()), left: [0; R], corner: [0; R] };
    let mut corner_of_next = corner0.last().copied().unwrap_or_default();
    let places = skewed.lines.iter_mut().zip(&mut skewed.left).zip(&mut skewed.corner);
    for ((row, ((line, left), corner)), done) in group.chunks_exact_mut(above.len()).zip(places).zip((1..=R).rev()) {
        let (start, rest) = row.split_at_mut(done);
        *corner = corner_of_next;
        if let [.., before, last] = start {
            corner_of_next = *before;
            *left = *last;
        } else if let [last] = start {
            *left = *last;
        }
        *line = rest.get_mut(..below.len()).unwrap_or_default();
    }
    (skewed, below)
}

/// Goes on with a row from sample `start` on.
#[inline(always)]
fn resume(row: &mut [u16], above: &[u16], start: usize, sample: impl Fn(u16, u16, u16, u16) -> u16) {
    let (Some((done, rest)), Some((corners, above))) = (row.split_at_mut_checked(start), above.split_at_checked(start))
    else {
        return;
    };
    let (Some(mut left), Some(mut corner)) = (done.last().copied(), corners.last().copied()) else { return };
    for (x, above) in rest.iter_mut().zip(above) {
        left = sample(*x, left, *above, corner);
        corner = *above;
        *x = left;
    }
}

/// `(a - b) >> 1`, modulo 2^16.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "modulo 2^16")]
fn half_difference(a: u16, b: u16) -> u16 {
    ((i32::from(a) - i32::from(b)) >> 1) as u16
}

#[inline(always)]
pub(super) fn add(row: &mut [u16], prediction: &[u16]) {
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
