//! Operations on samples that the caller already has: packed bits, rescale, colour. Independent of codecs.

pub mod bits;
pub mod rescale;
pub mod ybr;
