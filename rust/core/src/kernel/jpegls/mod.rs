//! JPEG-LS (T.87 Annex A): context modelling, run lengths and Golomb codes.
//!
//! A sample x is predicted from its neighbours a (left), b (above) and c (above left). The prediction is corrected by the
//! mean prediction error of earlier samples with a similar neighbourhood, their context. The prediction error is Golomb
//! coded:
//!
//! ```text
//! regular mode       prediction  median(a, b, a + b - c) + C of the context
//!                    code        a unary and k binary bits; k from the mean magnitude of errors in the context
//! run mode           where all gradients are 0 (near-lossless: at most NEAR)
//!                    code        1 per complete run segment, whose length 2^J grows with the run index;
//!                                0 and J bits for the rest, then the run interruption sample
//! ```
//!
//! Decoder and encoder share [`Parameters`] and the contexts. A codec passes a segment of entropy-coded data through
//! [`unstuff`], then decodes it line by line with [`decode_line`]. An encoder passes lines of samples to a [`ScanEncoder`].

mod context_table;
mod contexts;
mod decode;
mod encode;
mod parameters;
mod stuffing;

#[cfg(test)]
mod tests;

pub(crate) use contexts::{Context, Contexts, RUN_EXPONENTS, RunContext};
pub(crate) use decode::{Interleave, LineError, Scan, ScanState, decode_line};
pub(crate) use encode::ScanEncoder;
pub(crate) use parameters::{Parameters, Preset, max_near, reset_range};
pub(crate) use stuffing::{PADDING_BYTES, find_marker, stuffed_offset, unstuff};
