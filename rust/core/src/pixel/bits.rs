//! Samples of one bit, eight to a byte, least significant bit first.

use crate::CpuLevel;
use crate::error::{Result, output, truncated};
use crate::kernel::bits;

const CLAUSE: &str = "PS3.5 8.1.1";

/// Unpacks `out.len()` bits of `src`, from bit `offset_bits` of it, to samples of 0 and 1.
///
/// # Errors
/// `Truncated` where `src` ends before the last bit.
///
/// # Standard
/// PS3.5 8.1.1.
pub fn unpack_bits_into(src: &[u8], offset_bits: usize, out: &mut [u8], tier: CpuLevel) -> Result<()> {
    let found = (src.len() as u128 * 8).saturating_sub(offset_bits as u128);
    let within = offset_bits % 8;
    let Some(src) = src.get(offset_bits / 8..).filter(|_| found >= out.len() as u128) else {
        let message = format!("{found} bits found from bit {offset_bits} on, {} expected", out.len());
        return Err(truncated(message, CLAUSE));
    };
    #[allow(clippy::cast_possible_truncation, reason = "below 8")]
    bits::unpack(src, within as u32, out, tier);
    Ok(())
}

/// Packs the samples of `src` (0 is 0, anything else is 1) into `out`, `src.len() / 8` bytes rounded up.
/// Unused bits of the last byte are 0.
///
/// # Errors
/// `Output` where `out` has another length.
///
/// # Standard
/// PS3.5 8.1.1.
pub fn pack_bits_into(src: &[u8], out: &mut [u8], tier: CpuLevel) -> Result<()> {
    let needed = src.len().div_ceil(8);
    if out.len() != needed {
        return Err(output(format!("output holds {} bytes, the packed samples have {needed}", out.len()), CLAUSE));
    }
    bits::pack(src, out, tier);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn lengths_are_checked() {
        let tier = CpuLevel::PORTABLE;
        let mut out = [9; 9];
        unpack_bits_into(&[0, 0b1000_0001, 1], 8, &mut out, tier).unwrap();
        assert_eq!(out, [1, 0, 0, 0, 0, 0, 0, 1, 1]);
        for (src, offset_bits) in [(&[0, 1][..], 8), (&[0, 1], 100), (&[0], usize::MAX), (&[], 0)] {
            let error = unpack_bits_into(src, offset_bits, &mut out, tier).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Truncated);
        }
        unpack_bits_into(&[], 0, &mut [], tier).unwrap();
        for len in [0, 1, 3] {
            let error = pack_bits_into(&[1; 9], &mut vec![0; len], tier).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Output);
        }
    }
}
