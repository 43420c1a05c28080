//! Samples → samples, for callers that already hold them. Knows no codec.

pub mod bits;
pub mod rescale;
pub mod ybr;
