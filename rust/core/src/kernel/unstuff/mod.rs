//! Byte stuffing of entropy-coded data: a 00 follows each FF that is no marker (ITU-T T.81 B.1.1.5).

mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_v4;

#[cfg(test)]
mod tests;

use super::CpuLevel;
use super::cpu::dispatch;

/// Index of the first FF at or after `from` that is not followed by 00: a marker, a fill byte, or the end of `src`.
pub(crate) fn find_marker(src: &[u8], from: usize, tier: CpuLevel) -> Option<usize> {
    dispatch!(tier, find_marker(src, from))
}

/// Copies `src` to `out` without the 00 that follows each FF; returns the bytes written. Any other FF is copied.
///
/// `out` is at least as long as `src`; where it is not, what does not fit is left out. What lies behind the result in
/// `out` may be overwritten.
pub(crate) fn unstuff(src: &[u8], out: &mut [u8], tier: CpuLevel) -> usize {
    let src = src.get(..out.len()).unwrap_or(src);
    dispatch!(tier, v4 unstuff(src, out))
}
