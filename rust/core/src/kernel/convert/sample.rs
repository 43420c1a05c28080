//! Traits of the sample types, as the conversion loops need them.

/// A type of samples.
pub(in crate::kernel) trait Sample: Copy {
    /// Bytes of one sample.
    const BYTES: usize;
    /// The largest magnitude of a sample, rounded up to `f64`; infinite for floats.
    const LARGEST: f64;
    /// Returns the little-endian samples of `src`. Bytes of an incomplete sample at the end are ignored.
    fn all(src: &[u8]) -> impl ExactSizeIterator<Item = Self>;
    /// Returns the nearest `f32`, rounded once.
    fn to_f32(self) -> f32;
    /// Returns the nearest `f64`.
    fn to_f64(self) -> f64;
    /// Returns the value as `f64`, or NaN if `f64` cannot hold it exactly.
    fn to_exact_f64(self) -> f64;
}

/// A floating-point type of samples.
pub(in crate::kernel) trait Float: Sample + PartialOrd {
    const INFINITY: Self;
    const NEG_INFINITY: Self;
}

/// An integer type of samples.
pub(in crate::kernel) trait Integer: Sample + Ord {
    /// The narrowest type in which common slopes and intercepts do not overflow. For all others, `i128` is used.
    type Wide: Wide;
    /// Smallest value.
    const MIN: i128;
    /// Largest value.
    const MAX: i128;
    /// Converts to a type that holds every value.
    fn widen<W: Wide>(self) -> W;
    /// Returns the nearest value of the type; 0 for NaN.
    fn saturated(value: f64) -> Self;
}

/// An integer type to compute rescaled values in.
pub(in crate::kernel) trait Wide: Copy + Ord + Into<i128> {
    const ZERO: Self;
    /// Largest value.
    const MAX: i128;
    fn from_i64(value: i64) -> Self;
    fn from_u64(value: u64) -> Self;
    /// Returns `value` modulo 2^bits.
    fn from_i128(value: i128) -> Self;
    /// Returns `self` × slope + intercept, modulo 2^bits.
    fn rescaled(self, slope: Self, intercept: Self) -> Self;
    /// Returns the value modulo 2^bits of the output type.
    fn narrow<T: Narrow>(self) -> T;
}

/// Integer type of an output. Conversions to it are modulo 2^bits, for example 300 becomes 44 in `u8`.
pub(in crate::kernel) trait Narrow: Integer {
    fn from_i32(value: i32) -> Self;
    fn from_i64(value: i64) -> Self;
    fn from_i128(value: i128) -> Self;
}

macro_rules! sample {
    ($($type:ident $largest:expr, $exact:expr;)*) => {$(
        impl Sample for $type {
            const BYTES: usize = size_of::<$type>();
            const LARGEST: f64 = $largest;

            #[inline(always)]
            fn all(src: &[u8]) -> impl ExactSizeIterator<Item = Self> {
                src.as_chunks::<{ size_of::<$type>() }>().0.iter().map(|bytes| Self::from_le_bytes(*bytes))
            }

            #[inline(always)]
            #[allow(clippy::cast_possible_truncation, reason = "the one rounding that is wanted")]
            fn to_f32(self) -> f32 {
                self as f32
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }

            #[inline(always)]
            #[allow(clippy::cast_possible_truncation, reason = "2^64 and less")]
            fn to_exact_f64(self) -> f64 {
                let exact: fn(Self) -> bool = $exact;
                if exact(self) { self as f64 } else { f64::NAN }
            }
        }
    )*};
}
sample! {
    u8 255.0, |_| true;
    i8 128.0, |_| true;
    u16 65_535.0, |_| true;
    i16 32_768.0, |_| true;
    u32 4_294_967_295.0, |_| true;
    i32 2_147_483_648.0, |_| true;
    u64 18_446_744_073_709_551_616.0, |x| x as f64 as i128 == i128::from(x);
    i64 9_223_372_036_854_775_808.0, |x| x as f64 as i128 == i128::from(x);
    f32 f64::INFINITY, |_| true;
    f64 f64::INFINITY, |_| true;
}

impl Float for f32 {
    const INFINITY: Self = Self::INFINITY;
    const NEG_INFINITY: Self = Self::NEG_INFINITY;
}

impl Float for f64 {
    const INFINITY: Self = Self::INFINITY;
    const NEG_INFINITY: Self = Self::NEG_INFINITY;
}

macro_rules! integer {
    ($($type:ident $wide:ident $from:ident;)*) => {$(
        impl Integer for $type {
            type Wide = $wide;
            const MIN: i128 = <$type>::MIN as i128;
            const MAX: i128 = <$type>::MAX as i128;

            #[inline(always)]
            fn widen<W: Wide>(self) -> W {
                W::$from(self.into())
            }

            #[inline(always)]
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturation is wanted")]
            fn saturated(value: f64) -> Self {
                value as Self
            }
        }

        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "modulo is wanted")]
        impl Narrow for $type {
            #[inline(always)]
            fn from_i32(value: i32) -> Self {
                value as Self
            }

            #[inline(always)]
            fn from_i64(value: i64) -> Self {
                value as Self
            }

            #[inline(always)]
            fn from_i128(value: i128) -> Self {
                value as Self
            }
        }
    )*};
}
integer! {
    u8 i32 from_i64;
    i8 i32 from_i64;
    u16 i32 from_i64;
    i16 i32 from_i64;
    u32 i64 from_i64;
    i32 i64 from_i64;
    u64 i128 from_u64;
    i64 i128 from_i64;
}

macro_rules! wide {
    ($($type:ident $narrow:ident;)*) => {$(
        #[allow(clippy::cast_possible_truncation, reason = "modulo is wanted")]
        impl Wide for $type {
            const ZERO: Self = 0;
            const MAX: i128 = <$type>::MAX as i128;

            #[inline(always)]
            fn from_i64(value: i64) -> Self {
                value as Self
            }

            #[inline(always)]
            fn from_u64(value: u64) -> Self {
                value as Self
            }

            #[inline(always)]
            fn from_i128(value: i128) -> Self {
                value as Self
            }

            #[inline(always)]
            fn rescaled(self, slope: Self, intercept: Self) -> Self {
                self.wrapping_mul(slope).wrapping_add(intercept)
            }

            #[inline(always)]
            fn narrow<T: Narrow>(self) -> T {
                T::$narrow(self)
            }
        }
    )*};
}
wide! {
    i32 from_i32;
    i64 from_i64;
    i128 from_i128;
}
