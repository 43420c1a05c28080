//! Prediction in plain Rust. Loops in which a sample does not depend on the one to its left become vectors; the others are
//! one dependent chain per component.

#[inline(always)]
pub(super) fn first_row(row: &mut [u16], components: usize, initial: u16) {
    match components {
        1 => running_sums(row, [initial; 1]),
        2 => running_sums(row, [initial; 2]),
        3 => running_sums(row, [initial; 3]),
        _ => running_sums(row, [initial; 4]),
    }
}

/// Replaces the differences of each component by their running sums, starting from `left`.
#[inline(always)]
fn running_sums<const N: usize>(row: &mut [u16], mut left: [u16; N]) {
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
        1 => predict_by_value::<1>(rows, above, selection_value),
        2 => predict_by_value::<2>(rows, above, selection_value),
        3 => predict_by_value::<3>(rows, above, selection_value),
        _ => predict_by_value::<4>(rows, above, selection_value),
    }
}

#[inline(always)]
fn predict_by_value<const N: usize>(rows: &mut [u16], above: &[u16], selection_value: u8) {
    match (selection_value, N) {
        (1, _) => for_each_row(rows, above, |row, above| predict_row::<N>(row, above, |d, a, _, _| a.wrapping_add(d))),
        (2, _) => for_each_row(rows, above, add),
        (3, _) => for_each_row(rows, above, |row, above| {
            let (first, rest) = row.split_at_mut(N.min(row.len()));
            add(first, above);
            add(rest, above);
        }),
        (4, 1) => for_each_row(rows, above, predictor4_row),
        (4, _) => for_each_row(rows, above, |row, above| {
            predict_row::<N>(row, above, |d, a, b, c| a.wrapping_add(d.wrapping_add(b).wrapping_sub(c)));
        }),
        (5, 1) => for_each_row(rows, above, predictor5_row),
        (5, _) => for_each_row(rows, above, |row, above| {
            predict_row::<N>(row, above, |d, a, b, c| a.wrapping_add(d.wrapping_add(half_difference(b, c))));
        }),
        (6, 1) => {
            let (rows, above) = predict_wavefronts_of_4(rows, above, predictor6);
            for_each_row(rows, above, |row, above| predict_row::<1>(row, above, predictor6));
        }
        (6, _) => for_each_row(rows, above, |row, above| predict_row::<N>(row, above, predictor6)),
        (_, 1) => {
            let (rows, above) = predict_wavefronts_of_4(rows, above, predictor7);
            for_each_row(rows, above, |row, above| predict_row::<1>(row, above, predictor7));
        }
        (_, _) => for_each_row(rows, above, |row, above| predict_row::<N>(row, above, predictor7)),
    }
}

/// Returns the sample x of selection value 6: difference + Rb + ((Ra - Rc) >> 1).
#[inline(always)]
pub(super) fn predictor6(difference: u16, a: u16, b: u16, c: u16) -> u16 {
    difference.wrapping_add(b).wrapping_add(half_difference(a, c))
}

/// Returns the sample x of selection value 7: difference + ((Ra + Rb) >> 1).
#[inline(always)]
pub(super) fn predictor7(difference: u16, a: u16, b: u16, _: u16) -> u16 {
    difference.wrapping_add(a.midpoint(b))
}

/// Predicts a row of one component by selection value 4: x - Rb = (Ra - Rc) + difference, so x - Rb is the running sum of the differences.
#[inline(always)]
fn predictor4_row(row: &mut [u16], above: &[u16]) {
    running_sums(row, [0]);
    add(row, above);
}

/// Predicts a row of one component by selection value 5: x is the running sum of difference + ((Rb - Rc) >> 1), whose terms
/// are known before the row.
#[inline(always)]
fn predictor5_row(row: &mut [u16], above: &[u16]) {
    let (Some((first, rest)), Some((above0, below))) = (row.split_first_mut(), above.split_first()) else { return };
    *first = first.wrapping_add(*above0);
    for ((difference, b), c) in rest.iter_mut().zip(below).zip(above) {
        *difference = difference.wrapping_add(half_difference(*b, *c));
    }
    running_sums(row, [0]);
}

/// Calls `predict` for each row and the row above it. Only the last row may be shorter than `above`.
#[inline(always)]
pub(super) fn for_each_row<'a>(rows: &'a mut [u16], mut above: &'a [u16], mut predict: impl FnMut(&mut [u16], &[u16])) {
    for row in rows.chunks_mut(above.len()) {
        predict(row, above.get(..row.len()).unwrap_or_default());
        above = row;
    }
}

/// Predicts rows of one component in wavefronts of four, whose left and corner samples fit the registers of baseline x86-64.
/// Returns the remaining rows and the row above them.
#[inline(always)]
pub(super) fn predict_wavefronts_of_4<'a>(
    rows: &'a mut [u16],
    above: &'a [u16],
    sample: impl Fn(u16, u16, u16, u16) -> u16 + Copy,
) -> (&'a mut [u16], &'a [u16]) {
    predict_wavefronts::<4>(rows, above, sample, |group, above| {
        let Wavefront { lines: [row0, row1, row2, row3], left, corner } = group;
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

/// `R` rows, each one sample behind the row above it.
///
/// With selection values 6 and 7 a sample depends on the ones to its left and above it, so a row is one dependent chain.
/// The chains of several rows overlap if each row is one sample behind the row above:
///
/// ```text
/// column    0    1    2    3    4    5    6          R = 4; tN: predicted in step N; ·: predicted before step 0
/// row 0     ·    ·    ·    ·    t0   t1   t2
/// row 1     ·    ·    ·    t0   t1   t2   t3
/// row 2     ·    ·    t0   t1   t2   t3   t4
/// row 3     ·    t0   t1   t2   t3   t4   t5
///
/// before step 0: predict the first R, R - 1, …, 1 samples of the rows, row by row
/// step t: row r predicts column t + R - r
///         Ra[r] = the row's sample of step t - 1
///         Rb[r] = Ra[r - 1], because the row above predicted that column in step t - 1; Rb[0] is from the row above all
///         Rc[r] = Rb[r] of step t - 1
/// after the last step: predict the remaining samples, row by row
/// ```
pub(super) struct Wavefront<'a, const R: usize> {
    /// The samples of each row from step 0 on; all rows have one length.
    pub(super) lines: [&'a mut [u16]; R],
    /// Ra of step 0.
    pub(super) left: [u16; R],
    /// Rc of step 0.
    pub(super) corner: [u16; R],
}

/// Predicts groups of `R` whole rows as wavefronts. `predict_steps` gets a wavefront and the row above from step 0 on, and
/// returns the number of steps it predicted; the samples before and after them are predicted here. Returns the remaining
/// rows and the row above them.
#[inline(always)]
pub(super) fn predict_wavefronts<'a, const R: usize>(
    rows: &'a mut [u16],
    mut above: &'a [u16],
    sample: impl Fn(u16, u16, u16, u16) -> u16 + Copy,
    predict_steps: impl Fn(Wavefront<'_, R>, &[u16]) -> usize,
) -> (&'a mut [u16], &'a [u16]) {
    let row_len = above.len();
    let group_len = row_len.saturating_mul(R);
    let whole = if row_len > R { rows.len() / group_len * group_len } else { 0 };
    let (whole, rest) = rows.split_at_mut(whole);
    for group in whole.chunks_exact_mut(group_len) {
        let mut end = R;
        for_each_row(group, above, |row, above| {
            if let (Some(row), Some(above)) = (row.get_mut(..end), above.get(..end)) {
                predict_row::<1>(row, above, sample);
            }
            end -= 1;
        });
        let (wavefront, below) = wavefront_of(group, above);
        let mut start = R + predict_steps(wavefront, below);
        for_each_row(group, above, |row, above| {
            finish_row(row, above, start, sample);
            start -= 1;
        });
        above = group.get(group_len - row_len..).unwrap_or_default();
    }
    (rest, above)
}

/// Returns the wavefront of a group of rows whose first samples are predicted, and the row above from step 0 on.
#[inline(always)]
fn wavefront_of<'a, 'b, const R: usize>(group: &'a mut [u16], above: &'b [u16]) -> (Wavefront<'a, R>, &'b [u16]) {
    let (corner0, below) = above.split_at(R.min(above.len()));
    let mut wavefront = Wavefront { lines: [(); R].map(|()| Default::default()), left: [0; R], corner: [0; R] };
    let mut next_corner = corner0.last().copied().unwrap_or_default();
    let starts = wavefront.lines.iter_mut().zip(&mut wavefront.left).zip(&mut wavefront.corner);
    for ((row, ((line, left), corner)), done) in group.chunks_exact_mut(above.len()).zip(starts).zip((1..=R).rev()) {
        let (start, rest) = row.split_at_mut(done);
        *corner = next_corner;
        if let [.., before, last] = start {
            next_corner = *before;
            *left = *last;
        } else if let [last] = start {
            *left = *last;
        }
        *line = rest.get_mut(..below.len()).unwrap_or_default();
    }
    (wavefront, below)
}

/// Predicts the samples of a row from `start` on.
#[inline(always)]
fn finish_row(row: &mut [u16], above: &[u16], start: usize, sample: impl Fn(u16, u16, u16, u16) -> u16) {
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

/// Predicts one row by `sample`: (difference, Ra, Rb, Rc) → x. The first pixel is predicted from above.
#[inline(always)]
fn predict_row<const N: usize>(row: &mut [u16], above: &[u16], sample: impl Fn(u16, u16, u16, u16) -> u16) {
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
        store_strided(samples, out, stride, low);
    } else {
        store_strided(samples, out, stride, |sample| value(sample).to_le_bytes());
    }
}

#[inline(always)]
fn store_strided<const BYTES: usize>(
    samples: &[u16],
    out: &mut [u8],
    stride: usize,
    bytes: impl Fn(u16) -> [u8; BYTES],
) {
    let slots = out.as_chunks_mut::<BYTES>().0;
    match stride {
        1 => slots.iter_mut().zip(samples).for_each(|(slot, sample)| *slot = bytes(*sample)),
        2 => store_first_of_pixels::<2, BYTES>(samples, slots, bytes),
        3 => store_first_of_pixels::<3, BYTES>(samples, slots, bytes),
        4 => store_first_of_pixels::<4, BYTES>(samples, slots, bytes),
        _ => slots.iter_mut().step_by(stride).zip(samples).for_each(|(slot, sample)| *slot = bytes(*sample)),
    }
}

#[inline(always)]
fn store_first_of_pixels<const N: usize, const BYTES: usize>(
    samples: &[u16],
    slots: &mut [[u8; BYTES]],
    bytes: impl Fn(u16) -> [u8; BYTES],
) {
    let (pixels, rest) = slots.as_chunks_mut::<N>();
    let last = rest.first_mut();
    let mut samples = samples.iter();
    for (pixel, sample) in pixels.iter_mut().zip(samples.by_ref()) {
        if let [slot, ..] = pixel.as_mut_slice() {
            *slot = bytes(*sample);
        }
    }
    if let (Some(slot), Some(sample)) = (last, samples.next()) {
        *slot = bytes(*sample);
    }
}
