//! Packed samples of 1 bit: eight per byte, least significant bit first (PS3.5 8.1.1).

use crate::error::{Result, output, truncated};
use crate::kernel::CpuLevel;
use crate::kernel::bits;

const CLAUSE: &str = "PS3.5 8.1.1";

/// Unpacks `out.len()` samples, starting at bit `offset_bits` of `src`, into bytes of 0 and 1.
///
/// # Errors
/// `Truncated` if `src` has fewer than `offset_bits + out.len()` bits.
///
/// # Standard
/// PS3.5 8.1.1.
pub fn unpack_bits_into(src: &[u8], offset_bits: usize, out: &mut [u8], level: CpuLevel) -> Result<()> {
    let found = (src.len() as u128 * 8).saturating_sub(offset_bits as u128);
    let Some(src) = src.get(offset_bits / 8..).filter(|_| found >= out.len() as u128) else {
        let message = format!("{found} bits found from bit {offset_bits} on, {} expected", out.len());
        return Err(truncated(message, CLAUSE));
    };
    #[allow(clippy::cast_possible_truncation, reason = "below 8")]
    bits::unpack(src, (offset_bits % 8) as u32, out, level);
    Ok(())
}

/// Packs `src` into `out`: 0 becomes bit 0, any other byte becomes bit 1. Unused bits of the last byte are 0.
///
/// # Errors
/// `Output` unless `out.len()` is `src.len()` / 8, rounded up.
///
/// # Standard
/// PS3.5 8.1.1.
pub fn pack_bits_into(src: &[u8], out: &mut [u8], level: CpuLevel) -> Result<()> {
    let needed = src.len().div_ceil(8);
    if out.len() != needed {
        return Err(output(format!("output holds {} bytes, the packed samples have {needed}", out.len()), CLAUSE));
    }
    bits::pack(src, out, level);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn unpack_and_pack_wrong_length_is_an_error() {
        let level = CpuLevel::PORTABLE;
        let mut out = [9; 9];
        unpack_bits_into(&[0, 0b1000_0001, 1], 8, &mut out, level).unwrap();
        assert_eq!(out, [1, 0, 0, 0, 0, 0, 0, 1, 1]);
        for (src, offset_bits) in [(&[0, 1][..], 8), (&[0, 1], 100), (&[0], usize::MAX), (&[], 0)] {
            let error = unpack_bits_into(src, offset_bits, &mut out, level).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Truncated);
        }
        unpack_bits_into(&[], 0, &mut [], level).unwrap();
        for len in [0, 1, 3] {
            let error = pack_bits_into(&[1; 9], &mut vec![0; len], level).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Output);
        }
    }
}
