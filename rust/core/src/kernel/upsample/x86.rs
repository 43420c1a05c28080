//! AVX2 bodies: the portable loops, which the compiler vectorises for AVX2, and shuffles that repeat bytes.

use super::{FarRow, Sample, scalar};
use crate::kernel::x86_memory::{load_128, load_256, store_256};
use std::arch::x86_64::*;

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn double_row<T: Sample>(samples: &[T], pixels: &mut [T]) {
    scalar::double_row(samples, pixels);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn vertical_sums<T: Sample>(near: &[T], far: &[T], sums: &mut [u16]) {
    scalar::vertical_sums(near, far, sums);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn double_sums<T: Sample>(sums: &[u16], pixels: &mut [T]) {
    scalar::double_sums(sums, pixels);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn between_rows<T: Sample>(near: &[T], far: &[T], far_row: FarRow, pixels: &mut [T]) {
    scalar::between_rows(near, far, far_row, pixels);
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
pub(super) fn repeat<T: Sample>(samples: &[T], ratio: usize, pixels: &mut [T]) {
    if size_of::<T>() == 1
        && let (Ok(samples), Ok(pixels)) =
            (bytemuck::try_cast_slice::<T, u8>(samples), bytemuck::try_cast_slice_mut::<T, u8>(pixels))
    {
        return match ratio {
            2 => repeat_bytes::<1>(samples, pixels),
            4 => repeat_bytes::<2>(samples, pixels),
            _ => scalar::repeat(samples, ratio, pixels),
        };
    }
    scalar::repeat(samples, ratio, pixels);
}

/// Repeats bytes 2 × `VECTORS` times. 16 samples give that many vectors of pixels, each by one shuffle; the samples are in
/// both halves of the vector that is shuffled.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe,popcnt")]
fn repeat_bytes<const VECTORS: usize>(samples: &[u8], pixels: &mut [u8]) {
    let controls: [[u8; 32]; VECTORS] = const { repeat_controls() };
    let samples_by_round = samples.as_chunks::<16>().0;
    let (rounds, _) = pixels.as_chunks_mut::<32>().0.as_chunks_mut::<VECTORS>();
    for (round, samples) in rounds.iter_mut().zip(samples_by_round) {
        let both = _mm256_broadcastsi128_si256(load_128(samples));
        for (pixels, control) in round.iter_mut().zip(&controls) {
            store_256(pixels, _mm256_shuffle_epi8(both, load_256(control)));
        }
    }
    let done = rounds.len().min(samples_by_round.len()) * 16;
    let (rest, pixels) = (samples.get(done..), pixels.get_mut(done * 2 * VECTORS..));
    scalar::repeat(rest.unwrap_or_default(), 2 * VECTORS, pixels.unwrap_or_default());
}

/// Returns the shuffle control of each vector: pixel p is sample p / (2 × `VECTORS`).
#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated by the compiler")]
const fn repeat_controls<const VECTORS: usize>() -> [[u8; 32]; VECTORS] {
    let (mut controls, mut pixel) = ([[0; 32]; VECTORS], 0);
    while pixel < 32 * VECTORS {
        controls[pixel / 32][pixel % 32] = (pixel / (2 * VECTORS)) as u8;
        pixel += 1;
    }
    controls
}
