//! Loops over samples of one size, which the compiler vectorises for the instruction set of the caller.

use crate::sample::StoredBits;

/// Applies `$change` to every `$word` of `$samples`, or from `$src` to `$out`. An incomplete sample at the end is left as
/// it is.
macro_rules! map_words {
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

/// Returns a closure that extracts the stored value of one `$word`.
///
/// `(value ^ sign) - sign`, where `sign` is the top bit of the value, extends the sign without an arithmetic shift, which
/// AVX2 lacks for 64 bits and SSE2 for 8 bits. With 8 bits: 0x8A ^ 0x80 = 0x0A, 0x0A - 0x80 = -118.
macro_rules! value_of {
    ($word:ty, $stored:expr) => {{
        let (shift, bits) = ($stored.shift, $stored.bits);
        let mask = <$word>::MAX.wrapping_shr(<$word>::BITS.wrapping_sub(bits));
        let sign: $word = if $stored.signed { mask ^ (mask >> 1) } else { 0 };
        move |word: $word| ((word.wrapping_shr(shift) & mask) ^ sign).wrapping_sub(sign)
    }};
}

/// Expands `$run!` with the unsigned type of `$sample_bytes` bytes.
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
            map_words!($word, samples, value_of!($word, stored))
        };
    }
    by_size!(sample_bytes, run);
}

#[inline(always)]
pub(super) fn extract(src: &[u8], out: &mut [u8], sample_bytes: usize, swap: bool, stored: Option<StoredBits>) {
    macro_rules! run {
        ($word:ty) => {
            match (stored, swap) {
                (None, _) => map_words!($word, src => out, <$word>::swap_bytes),
                (Some(stored), false) => map_words!($word, src => out, value_of!($word, stored)),
                (Some(stored), true) => {
                    let value_of = value_of!($word, stored);
                    map_words!($word, src => out, |word: $word| value_of(word.swap_bytes()));
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
            map_words!($word, samples, <$word>::swap_bytes)
        };
    }
    by_size!(sample_bytes, run);
}
