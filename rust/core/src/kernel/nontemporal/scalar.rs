//! Portable bodies: ordinary stores.

use crate::kernel::stored_bits;
use crate::sample::StoredBits;

pub(super) fn copy(src: &[u8], out: &mut [u8]) {
    out.copy_from_slice(src);
}

pub(super) fn extract16(src: &[u8], out: &mut [u8], stored: StoredBits, _is_nontemporal: bool) {
    stored_bits::extract(src, out, 2, false, Some(stored), crate::kernel::CpuLevel::PORTABLE);
}
