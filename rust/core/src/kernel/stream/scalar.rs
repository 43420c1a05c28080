//! The portable bodies: ordinary stores.

use crate::frame::StoredBits;
use crate::kernel::align;

pub(super) fn copy(src: &[u8], out: &mut [u8]) {
    out.copy_from_slice(src);
}

pub(super) fn align16(src: &[u8], out: &mut [u8], stored: StoredBits, _past_caches: bool) {
    align::align_copy(src, out, 2, false, Some(stored), crate::Tier::PORTABLE);
}
