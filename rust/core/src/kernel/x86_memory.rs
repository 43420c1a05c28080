//! Loads and stores of whole vectors, from and to arrays of their size.

use bytemuck::Pod;
use std::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_loadu_si128, _mm_storeu_si128, _mm256_loadu_si256, _mm256_storeu_si256,
    _mm512_loadu_si512, _mm512_storeu_si512,
};

/// Loads a vector from an array of 16 bytes, 8 words, …
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn load_128<T: Pod>(array: &T) -> __m128i {
    const { assert!(size_of::<T>() == size_of::<__m128i>()) }
    // SAFETY: the array has the 16 bytes that are read, all initialised; it need not be aligned.
    #[allow(unsafe_code)]
    unsafe {
        _mm_loadu_si128(std::ptr::from_ref(array).cast())
    }
}

/// Stores a vector to an array of 16 bytes, 8 words, …
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn store_128<T: Pod>(array: &mut T, vector: __m128i) {
    const { assert!(size_of::<T>() == size_of::<__m128i>()) }
    // SAFETY: the array has the 16 bytes that are written, and any bytes are valid; it need not be aligned.
    #[allow(unsafe_code)]
    unsafe {
        _mm_storeu_si128(std::ptr::from_mut(array).cast(), vector);
    }
}

/// Loads a vector from an array of 32 bytes, 16 words, …
#[inline]
#[target_feature(enable = "avx")]
pub(super) fn load_256<T: Pod>(array: &T) -> __m256i {
    const { assert!(size_of::<T>() == size_of::<__m256i>()) }
    // SAFETY: the array has the 32 bytes that are read, all initialised; it need not be aligned.
    #[allow(unsafe_code)]
    unsafe {
        _mm256_loadu_si256(std::ptr::from_ref(array).cast())
    }
}

/// Stores a vector to an array of 32 bytes, 16 words, …
#[inline]
#[target_feature(enable = "avx")]
pub(super) fn store_256<T: Pod>(array: &mut T, vector: __m256i) {
    const { assert!(size_of::<T>() == size_of::<__m256i>()) }
    // SAFETY: the array has the 32 bytes that are written, and any bytes are valid; it need not be aligned.
    #[allow(unsafe_code)]
    unsafe {
        _mm256_storeu_si256(std::ptr::from_mut(array).cast(), vector);
    }
}

/// Loads a vector from an array of 64 bytes, 32 words, …
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load_512<T: Pod>(array: &T) -> __m512i {
    const { assert!(size_of::<T>() == size_of::<__m512i>()) }
    // SAFETY: the array has the 64 bytes that are read, all initialised; it need not be aligned.
    #[allow(unsafe_code)]
    unsafe {
        _mm512_loadu_si512(std::ptr::from_ref(array).cast())
    }
}

/// Stores a vector to an array of 64 bytes, 32 words, …
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn store_512<T: Pod>(array: &mut T, vector: __m512i) {
    const { assert!(size_of::<T>() == size_of::<__m512i>()) }
    // SAFETY: the array has the 64 bytes that are written, and any bytes are valid; it need not be aligned.
    #[allow(unsafe_code)]
    unsafe {
        _mm512_storeu_si512(std::ptr::from_mut(array).cast(), vector);
    }
}
