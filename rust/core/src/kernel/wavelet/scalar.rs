//! Portable bodies: loops over equal slices, which the compiler vectorises.
//!
//! In a row, `first` are the samples 0, 2, 4, … and `second` the samples 1, 3, 5, … of the level. Which of them are the low-pass
//! ones depends on the coordinate of the first column. Sample `i` of each has these neighbours, mirrored at the edges:
//!
//! ```text
//! index       0          1          2          3          4
//! sample      first[0]   second[0]  first[1]   second[1]  first[2]
//!
//! first[i]    second[i-1] and second[i]
//! second[i]   first[i] and first[i+1]
//! ```

/// Lifting parameters of 9/7 (T.800 Table F.4), in the order in which they are undone.
const DELTA: f32 = 0.443_506_85;
const GAMMA: f32 = 0.882_911_1;
const BETA: f32 = -0.052_980_12;
const ALPHA: f32 = -1.586_134_3;

/// Factors of the coefficients of a row before lifting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scales {
    /// Factors of low-pass and high-pass coefficients.
    bands: [f32; 2],
    /// Factors if the row has a single sample, by its coordinate: even, odd.
    single: [f32; 2],
}

impl Scales {
    /// Returns the factors of a row with an even or odd (`is_high`) coordinate. `is_single` is true if it is the only row.
    pub(super) const fn new(is_high: bool, is_single: bool) -> Self {
        // K and its powers (T.800 Table F.4).
        const K: f32 = 1.230_174_1;
        const K_2: f32 = 1.513_328_3;
        const K_INVERSE: f32 = 0.812_893_1;
        const K_2_INVERSE: f32 = 0.660_795_15;
        match (is_single, is_high) {
            (false, false) => Self { bands: [K_2, 1.0], single: [K, 0.5 * K] },
            (false, true) => Self { bands: [1.0, K_2_INVERSE], single: [K_INVERSE, 0.5 * K_INVERSE] },
            (true, false) => Self { bands: [K, K_INVERSE], single: [1.0, 0.5] },
            (true, true) => Self { bands: [0.5 * K, 0.5 * K_INVERSE], single: [0.5, 0.25] },
        }
    }
}

/// Undoes the step of even samples.
#[inline(always)]
const fn even_53(sample: i32, left: i32, right: i32) -> i32 {
    sample.wrapping_sub(left.wrapping_add(right).wrapping_add(2) >> 2)
}

/// Undoes the step of odd samples.
#[inline(always)]
const fn odd_53(sample: i32, left: i32, right: i32) -> i32 {
    sample.wrapping_add(left.wrapping_add(right) >> 1)
}

/// Undoes one step. The multiplication and the additions are rounded one by one.
#[inline(always)]
fn step_97(factor: f32, sample: f32, left: f32, right: f32) -> f32 {
    sample - factor * (left + right)
}

#[inline(always)]
pub(super) fn filter_row_53(low: &[i32], high: &[i32], starts_high: bool, scratch: &mut [i32], out: &mut [i32]) {
    if let [out] = out {
        *out = low.first().copied().or(high.first().map(|sample| sample / 2)).unwrap_or_default();
        return;
    }
    let Some(even) = scratch.get_mut(..low.len()) else { return };
    if starts_high {
        lift_second(low, high, even, even_53);
        lift_first_into(high, even, out, odd_53);
    } else {
        lift_first(low, high, even, even_53);
        lift_second_into(high, even, out, odd_53);
    }
}

#[inline(always)]
pub(super) fn filter_row_97(
    low: &[f32],
    high: &[f32],
    starts_high: bool,
    scales: Scales,
    scratch: &mut [f32],
    out: &mut [f32],
) {
    let Scales { bands: [low_scale, high_scale], single: [even_scale, odd_scale] } = scales;
    if let [out] = out {
        let even = low.first().map(|sample| sample * even_scale);
        *out = even.or(high.first().map(|sample| sample * odd_scale)).unwrap_or_default();
        return;
    }
    // Of the four steps, the first two read coefficients, which they scale.
    let delta =
        |sample: f32, left: f32, right: f32| step_97(DELTA, sample * low_scale, left * high_scale, right * high_scale);
    let gamma = |sample: f32, left, right| step_97(GAMMA, sample * high_scale, left, right);
    let beta = |sample, left, right| step_97(BETA, sample, left, right);
    let alpha = |sample, left, right| step_97(ALPHA, sample, left, right);
    let Some((even, scratch)) = scratch.split_at_mut_checked(low.len()) else { return };
    let Some((odd, scratch)) = scratch.split_at_mut_checked(high.len()) else { return };
    let Some(last_even) = scratch.get_mut(..low.len()) else { return };
    if starts_high {
        lift_second(low, high, even, delta);
        lift_first(high, even, odd, gamma);
        lift_second(even, odd, last_even, beta);
        lift_first_into(odd, last_even, out, alpha);
    } else {
        lift_first(low, high, even, delta);
        lift_second(high, even, odd, gamma);
        lift_first(even, odd, last_even, beta);
        lift_second_into(odd, last_even, out, alpha);
    }
}

/// Stores `step(sample, left, right)` of each of the first samples.
#[inline(always)]
fn lift_first<T: Copy>(first: &[T], second: &[T], out: &mut [T], step: impl Fn(T, T, T) -> T) {
    let Some((leading, inner)) = first.split_first() else { return };
    let (Some(left), Some(right), Some((out, inner_out))) = (second.first(), second.get(1..), out.split_first_mut())
    else {
        return;
    };
    *out = step(*leading, *left, *left);
    for (((out, sample), left), right) in inner_out.iter_mut().zip(inner).zip(second).zip(right) {
        *out = step(*sample, *left, *right);
    }
    if let (true, Some(out), Some(sample), Some(left)) =
        (first.len() > second.len(), inner_out.last_mut(), inner.last(), second.last())
    {
        *out = step(*sample, *left, *left);
    }
}

/// Stores `step(sample, left, right)` of each of the second samples.
#[inline(always)]
fn lift_second<T: Copy>(second: &[T], first: &[T], out: &mut [T], step: impl Fn(T, T, T) -> T) {
    let Some(right) = first.get(1..) else { return };
    for (((out, sample), left), right) in out.iter_mut().zip(second).zip(first).zip(right) {
        *out = step(*sample, *left, *right);
    }
    if let (true, Some(out), Some(sample), Some(left)) =
        (first.len() == second.len(), out.last_mut(), second.last(), first.last())
    {
        *out = step(*sample, *left, *left);
    }
}

/// As [`lift_first`], but stores the row: the results and `second` in turn.
#[inline(always)]
fn lift_first_into<T: Copy>(first: &[T], second: &[T], out: &mut [T], step: impl Fn(T, T, T) -> T) {
    let (pairs, single) = out.as_chunks_mut::<2>();
    let (Some((leading, inner)), Some((pair, inner_pairs))) = (first.split_first(), pairs.split_first_mut()) else {
        return;
    };
    let (Some(left), Some(right)) = (second.first(), second.get(1..)) else { return };
    *pair = [step(*leading, *left, *left), *left];
    for (((pair, sample), left), right) in inner_pairs.iter_mut().zip(inner).zip(second).zip(right) {
        *pair = [step(*sample, *left, *right), *right];
    }
    if let ([out], Some(sample), Some(left)) = (single, inner.last(), second.last()) {
        *out = step(*sample, *left, *left);
    }
}

/// As [`lift_second`], but stores the row: `first` and the results in turn.
#[inline(always)]
fn lift_second_into<T: Copy>(second: &[T], first: &[T], out: &mut [T], step: impl Fn(T, T, T) -> T) {
    let Some(right) = first.get(1..) else { return };
    let (pairs, single) = out.as_chunks_mut::<2>();
    for (((pair, sample), left), right) in pairs.iter_mut().zip(second).zip(first).zip(right) {
        *pair = [*left, step(*sample, *left, *right)];
    }
    match (single, pairs.last_mut(), second.last(), first.last()) {
        ([out], _, _, Some(last)) => *out = *last,
        ([], Some(pair), Some(sample), Some(left)) => *pair = [*left, step(*sample, *left, *left)],
        _ => {}
    }
}

#[inline(always)]
pub(super) fn lift_row_53(step: usize, row: &mut [i32], above: &[i32], below: &[i32]) {
    if step == 0 { lift_row(row, above, below, even_53) } else { lift_row(row, above, below, odd_53) }
}

#[inline(always)]
pub(super) fn lift_row_97(step: usize, row: &mut [f32], above: &[f32], below: &[f32]) {
    let factor = match step {
        0 => DELTA,
        1 => GAMMA,
        2 => BETA,
        _ => ALPHA,
    };
    lift_row(row, above, below, |sample, above, below| step_97(factor, sample, above, below));
}

#[inline(always)]
fn lift_row<T: Copy>(row: &mut [T], above: &[T], below: &[T], step: impl Fn(T, T, T) -> T) {
    for ((sample, above), below) in row.iter_mut().zip(above).zip(below) {
        *sample = step(*sample, *above, *below);
    }
}

#[inline(always)]
pub(super) fn lift_rows_53(odd: &[i32], even: &mut [i32], lifted_odd: &mut [i32], lifted_even: &[i32]) {
    let rows = odd.iter().zip(even).zip(lifted_odd).zip(lifted_even);
    for (((odd, even), lifted_odd), lifted_even) in rows {
        *even = even_53(*even, *lifted_odd, *odd);
        *lifted_odd = odd_53(*lifted_odd, *lifted_even, *even);
    }
}

#[inline(always)]
pub(super) fn lift_rows_97(a: &[f32], b: &mut [f32], c: &mut [f32], d: &mut [f32], e: &mut [f32], f: &[f32]) {
    for (((((a, b), c), d), e), f) in a.iter().zip(b).zip(c).zip(d).zip(e).zip(f) {
        let even = step_97(DELTA, *b, *c, *a);
        let odd = step_97(GAMMA, *c, *d, even);
        let last_even = step_97(BETA, *d, *e, odd);
        let last_odd = step_97(ALPHA, *e, *f, last_even);
        (*b, *c, *d, *e) = (even, odd, last_even, last_odd);
    }
}
