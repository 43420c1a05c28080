//! Byte stuffing of entropy-coded data (ITU-T T.81 B.1.1.5): encoders write a 00 after each byte FF, so that an FF followed
//! by anything else is a marker. The decoders work on data without the stuffed bytes.
//!
//! ```text
//! stuffed      12 FF 00 34 FF D9          unstuffed   12 FF 34, and a marker at index 4
//! ```
//!
//! About one byte in 256 of typical data is FF. So portable code and AVX2 copy whole vectors, and only correct those that
//! contain a stuffed byte:
//!
//! ```text
//! src  12 FF 00 34 56 FF 00 78                first store    12 FF 00 34 56 FF 00 78
//!            ▲           ▲ stuffed bytes      from 34 on     12 FF 34 56 FF 00 78
//!                                             from 78 on     12 FF 34 56 FF 78
//! ```
//!
//! AVX-512 compacts the bytes of a vector with one instruction instead.

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_v4;

#[cfg(test)]
mod tests;

use super::CpuLevel;
use super::cpu::dispatch;

/// Returns the index of the first FF at or after `from` that is not followed by 00: a marker, a fill byte, or the last byte.
pub(crate) fn find_marker(src: &[u8], from: usize, level: CpuLevel) -> Option<usize> {
    dispatch!(level, find_marker(src, from))
}

/// Copies `src` to `out` without the 00 that follows each FF, and returns the number of bytes written. Markers are copied.
///
/// `out` is at least as long as `src`; if it is shorter, only the first `out.len()` bytes of `src` are used. Bytes of `out`
/// after the result may be overwritten.
pub(crate) fn unstuff(src: &[u8], out: &mut [u8], level: CpuLevel) -> usize {
    let src = src.get(..out.len()).unwrap_or(src);
    dispatch!(level, v4 unstuff(src, out))
}
