//! Plain loops over samples of one size, which the compiler turns into vectors of whatever width it may use.

use crate::frame::StoredBits;

/// Applies `$change` to every `$word` of `$samples`; what is left of a broken sample at the end stays.
macro_rules! each {
    ($word:ty, $samples:expr, $change:expr) => {{
        let change = $change;
        for sample in $samples.as_chunks_mut::<{ size_of::<$word>() }>().0 {
            *sample = change(<$word>::from_le_bytes(*sample)).to_le_bytes();
        }
    }};
    ($word:ty, $src:expr => $out:expr, $change:expr) => {{
        let change = $change;
        let out = $out.as_chunks_mut::<{ size_of::<$word>() }>().0;
        for (from, to) in $src.as_chunks::<{ size_of::<$word>() }>().0.iter().zip(out) {
            *to = change(<$word>::from_le_bytes(*from)).to_le_bytes();
        }
    }};
}

/// The value of one `$word`. Flipping the sign bit and taking its weight away extends it without an
/// arithmetic shift, which AVX2 lacks for 64 bits and SSE2 for 8.
macro_rules! value_of {
    ($word:ty, $stored:expr) => {{
        let (shift, bits) = ($stored.shift, $stored.bits);
        let mask = <$word>::MAX.wrapping_shr(<$word>::BITS.wrapping_sub(bits));
        let sign: $word = if $stored.signed { mask ^ (mask >> 1) } else { 0 };
        move |word: $word| ((word.wrapping_shr(shift) & mask) ^ sign).wrapping_sub(sign)
    }};
}

macro_rules! by_size {
    ($sample_bytes:expr, $run:ident) => {
        match $sample_bytes {
            1 => $run!(u8),
            2 => $run!(u16),
            4 => $run!(u32),
            _ => $run!(u64),
        }
    };
}

#[inline(always)]
pub(super) fn extract_in_place(samples: &mut [u8], sample_bytes: usize, stored: StoredBits) {
    macro_rules! run {
        ($word:ty) => {
            each!($word, samples, value_of!($word, stored))
        };
    }
    by_size!(sample_bytes, run);
}

#[inline(always)]
pub(super) fn extract(src: &[u8], out: &mut [u8], sample_bytes: usize, swap: bool, stored: Option<StoredBits>) {
    macro_rules! run {
        ($word:ty) => {
            match (stored, swap) {
                (None, _) => each!($word, src => out, <$word>::swap_bytes),
                (Some(stored), false) => each!($word, src => out, value_of!($word, stored)),
                (Some(stored), true) => {
                    let aligned = value_of!($word, stored);
                    each!($word, src => out, |word: $word| aligned(word.swap_bytes()));
                }
            }
        };
    }
    by_size!(sample_bytes, run);
}

#[inline(always)]
pub(super) fn swap_bytes(samples: &mut [u8], sample_bytes: usize) {
    macro_rules! run {
        ($word:ty) => {
            each!($word, samples, <$word>::swap_bytes)
        };
    }
    by_size!(sample_bytes, run);
}
