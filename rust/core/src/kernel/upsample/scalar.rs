//! Portable bodies: loops over equal slices, which the compiler vectorises.

use super::FarRow;

/// A sample of a component: `u8` of 8 bits, or `u16` of 12 bits.
pub(crate) trait Sample: bytemuck::Pod {
    /// Returns the value as 16 bits, in which the sums are computed.
    fn to_u16(self) -> u16;
    /// Returns the sample of `value`, which is in its range.
    fn from_u16(value: u16) -> Self;
    /// Returns (3 `self` + `far` + 1) >> 2.
    fn mix_down(self, far: Self) -> Self;
    /// Returns (3 `self` + `far` + 2) >> 2.
    fn mix_up(self, far: Self) -> Self;
    /// Returns the value less the middle of the range, 128 or 2048.
    fn less_middle(self) -> i16;
}

impl Sample for u8 {
    #[inline(always)]
    fn to_u16(self) -> u16 {
        self.into()
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "a mean of samples is in their range")]
    fn from_u16(value: u16) -> Self {
        value as Self
    }

    /// (3 a + b + 1) >> 2 is the mean of a and (a + b + 1) >> 1, rounded down. `pavgb` computes means that are rounded up
    /// without more bits than a byte; they are one too much if the lowest bits differ.
    #[inline(always)]
    fn mix_down(self, far: Self) -> Self {
        let mean = mean_up(self, far);
        mean_up(self, mean).wrapping_sub((self ^ mean) & 1)
    }

    /// (3 a + b + 2) >> 2 is the mean of a and (a + b) >> 1, rounded up.
    #[inline(always)]
    fn mix_up(self, far: Self) -> Self {
        mean_up(self, mean_up(self, far).wrapping_sub((self ^ far) & 1))
    }

    /// Inverts the upper bit. A subtraction made the compiler compute in 32 bits.
    #[inline(always)]
    fn less_middle(self) -> i16 {
        (self ^ 0x80).cast_signed().into()
    }
}

impl Sample for u16 {
    #[inline(always)]
    fn to_u16(self) -> u16 {
        self
    }

    #[inline(always)]
    fn from_u16(value: u16) -> Self {
        value
    }

    #[inline(always)]
    fn mix_down(self, far: Self) -> Self {
        weighted(self, far).wrapping_add(1) >> 2
    }

    #[inline(always)]
    fn mix_up(self, far: Self) -> Self {
        weighted(self, far).wrapping_add(2) >> 2
    }

    #[inline(always)]
    fn less_middle(self) -> i16 {
        self.cast_signed().wrapping_sub(2048)
    }
}

/// Returns the mean of two bytes, rounded up.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "a mean of bytes is a byte")]
fn mean_up(a: u8, b: u8) -> u8 {
    ((u16::from(a) + u16::from(b) + 1) >> 1) as u8
}

/// Returns 3 `near` + `far`. Samples of 12 bits do not wrap.
#[inline(always)]
fn weighted(near: u16, far: u16) -> u16 {
    near.wrapping_add(near << 1).wrapping_add(far)
}

#[inline(always)]
pub(in crate::kernel) fn double_row<T: Sample>(samples: &[T], pixels: &mut [T]) {
    double(samples, pixels, |near, left, right| {
        [weighted(near, left).wrapping_add(1) >> 2, weighted(near, right).wrapping_add(2) >> 2]
    });
}

#[inline(always)]
pub(in crate::kernel) fn double_sums<T: Sample>(sums: &[u16], pixels: &mut [T]) {
    double(sums, pixels, |near, left, right| {
        [weighted(near, left).wrapping_add(8) >> 4, weighted(near, right).wrapping_add(7) >> 4]
    });
}

/// Stores the two pixels `pair(sample, left neighbour, right neighbour)` of each sample between the first and the last one.
#[inline(always)]
fn double<S: Sample, T: Sample>(samples: &[S], pixels: &mut [T], pair: impl Fn(u16, u16, u16) -> [u16; 2]) {
    debug_assert_eq!(pixels.len() + 4, 2 * samples.len(), "two pixels per sample between the edges");
    let near = samples.get(1..).unwrap_or_default();
    let right = samples.get(2..).unwrap_or_default();
    let pixels = pixels.as_chunks_mut::<2>().0;
    for (((pixels, near), left), right) in pixels.iter_mut().zip(near).zip(samples).zip(right) {
        *pixels = pair(near.to_u16(), left.to_u16(), right.to_u16()).map(T::from_u16);
    }
}

#[inline(always)]
pub(super) fn vertical_sums<T: Sample>(near: &[T], far: &[T], sums: &mut [u16]) {
    for ((sum, near), far) in sums.iter_mut().zip(near).zip(far) {
        *sum = weighted(near.to_u16(), far.to_u16());
    }
}

#[inline(always)]
pub(super) fn between_rows<T: Sample>(near: &[T], far: &[T], far_row: FarRow, pixels: &mut [T]) {
    let samples = pixels.iter_mut().zip(near).zip(far);
    match far_row {
        FarRow::Above => samples.for_each(|((pixel, near), far)| *pixel = near.mix_down(*far)),
        FarRow::Below => samples.for_each(|((pixel, near), far)| *pixel = near.mix_up(*far)),
    }
}

#[inline(always)]
pub(super) fn repeat<T: Sample>(samples: &[T], ratio: usize, pixels: &mut [T]) {
    match ratio {
        2 => repeat_times::<T, 2>(samples, pixels),
        4 => repeat_times::<T, 4>(samples, pixels),
        ratio => pixels.chunks_mut(ratio.max(1)).zip(samples).for_each(|(pixels, sample)| pixels.fill(*sample)),
    }
}

#[inline(always)]
fn repeat_times<T: Sample, const RATIO: usize>(samples: &[T], pixels: &mut [T]) {
    let (chunks, rest) = pixels.as_chunks_mut::<RATIO>();
    let last = samples.get(chunks.len());
    for (pixels, sample) in chunks.iter_mut().zip(samples) {
        *pixels = [*sample; RATIO];
    }
    if let Some(sample) = last {
        rest.fill(*sample);
    }
}
