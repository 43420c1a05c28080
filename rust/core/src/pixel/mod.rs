//! Operations on samples that the caller already has: packed bits, rescale, colour, rendering, overlays. Independent of codecs.

pub mod bits;
pub mod overlay;
pub mod render;
pub mod rescale;
pub mod ybr;
