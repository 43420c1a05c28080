//! Samples of one type → samples of another, with or without rescale (PS3.3 C.11.1).

use super::Tier;
use crate::frame::SamplesMut;

/// Output = stored × slope + intercept, computed in `f64` and rounded once to the output type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rescale {
    /// Rescale Slope (0028,1053).
    pub slope: f64,
    /// Rescale Intercept (0028,1052).
    pub intercept: f64,
}

/// How to read the bytes of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SampleType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

/// Converts all of `src` (samples of type `from`, native order) into `out`, of as many samples.
///
/// Without `rescale` a plain cast; integers only become a type that holds all their values, or a float.
/// With it, `y = f64(x) * slope + intercept`, two roundings as NumPy does it, then one to the output type.
///
/// # Errors
/// The index of the first sample whose value is not exact in an integer output.
pub(crate) fn convert(
    src: &[u8],
    from: SampleType,
    rescale: Option<Rescale>,
    out: SamplesMut<'_>,
    _tier: Tier,
) -> Result<(), usize> {
    let rescale = rescale.unwrap_or(Rescale { slope: 1.0, intercept: 0.0 });
    macro_rules! to {
        ($in:ty, $out:expr, $cast:expr) => {{
            for (i, (x, y)) in src.chunks_exact(size_of::<$in>()).zip($out.iter_mut()).enumerate() {
                let mut b = [0; size_of::<$in>()];
                b.copy_from_slice(x);
                let v = <$in>::from_le_bytes(b) as f64 * rescale.slope + rescale.intercept;
                *y = ($cast)(v).ok_or(i)?;
            }
            Ok(())
        }};
    }
    macro_rules! int {
        ($t:ty) => {
            |v: f64| {
                let w = v as $t;
                (w as f64 == v).then_some(w)
            }
        };
    }
    macro_rules! from {
        ($in:ty) => {
            match out {
                SamplesMut::U8(o) => to!($in, o, int!(u8)),
                SamplesMut::I8(o) => to!($in, o, int!(i8)),
                SamplesMut::U16(o) => to!($in, o, int!(u16)),
                SamplesMut::I16(o) => to!($in, o, int!(i16)),
                SamplesMut::U32(o) => to!($in, o, int!(u32)),
                SamplesMut::I32(o) => to!($in, o, int!(i32)),
                SamplesMut::U64(o) => to!($in, o, int!(u64)),
                SamplesMut::I64(o) => to!($in, o, int!(i64)),
                SamplesMut::F32(o) => to!($in, o, |v: f64| Some(v as f32)),
                SamplesMut::F64(o) => to!($in, o, Some),
            }
        };
    }
    match from {
        SampleType::U8 => from!(u8),
        SampleType::I8 => from!(i8),
        SampleType::U16 => from!(u16),
        SampleType::I16 => from!(i16),
        SampleType::U32 => from!(u32),
        SampleType::I32 => from!(i32),
        SampleType::U64 => from!(u64),
        SampleType::I64 => from!(i64),
        SampleType::F32 => from!(f32),
        SampleType::F64 => from!(f64),
    }
}
