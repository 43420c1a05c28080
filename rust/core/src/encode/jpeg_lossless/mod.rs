//! JPEG Lossless, process 14 with Huffman coding: one interleaved scan, tables made for the image.
//!
//! Two passes over the samples: the first counts categories, from which the best tables follow; the second writes
//! the codes. Differences are made anew in the second, which costs less than to keep them.

mod header;
mod huffman;
mod plan;
mod rows;
mod scan;

use super::{Image, PeriodicCancel};
use crate::Cancel;
use crate::error::Result;
use plan::Plan;

/// How a frame is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// The predictor, 1 to 7 (T.81 Table H.1).
    pub selection_value: u32,
    /// How many low bits of each sample are dropped.
    pub point_transform: u32,
    /// Pixels from one restart marker to the next, a multiple of the columns; 0 for none.
    pub restart_interval: u32,
    /// Bits of a sample, 2 to 16; those of the array's type by default.
    pub precision: Option<u32>,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { selection_value: 1, point_transform: 0, restart_interval: 0, precision: None }
    }
}

/// Encodes one frame of 8- or 16-bit samples, signed or unsigned, as a JPEG Lossless codestream.
///
/// Signed samples are written as their two's complement bits of `precision`. Components are numbered from 1; no
/// colour is converted. With a point transform of 0 every sample comes back as it was.
///
/// # Errors
/// `Output` where a parameter is out of range, where samples are of another type, or where a value needs more bits
/// than `precision`; `Interrupted`.
///
/// # Standard
/// ITU-T T.81 Annex H; Annex K.2 for the tables; PS3.5 A.4.1 and 8.2.1.
pub fn jpeg_lossless(image: &Image<'_>, parameters: Parameters, watch: Cancel<'_>) -> Result<Vec<u8>> {
    let recipe = Plan::new(image, parameters)?;
    let mut beats = PeriodicCancel::new(watch);
    let counts = scan::count(&recipe, &mut beats)?;
    let tables = huffman::Tables::new(&counts);
    let mut out = Vec::new();
    // One byte in 256 is stuffed where bytes are of any value.
    let entropy_coded_bytes = tables.coded_bits(&counts) / 8;
    out.reserve(usize::try_from(entropy_coded_bytes + entropy_coded_bytes / 64).unwrap_or(0) + 1024);
    header::write(&recipe, &tables, &mut out);
    scan::write(&recipe, &tables, &mut beats, &mut out)?;
    header::end(&mut out);
    Ok(out)
}

#[cfg(test)]
mod tests;
