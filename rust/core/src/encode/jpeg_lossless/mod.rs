//! JPEG Lossless encoder: ITU-T T.81 process 14 with Huffman coding, one interleaved scan, tables optimised for the image.
//!
//! Two passes over the samples: the first counts categories, from which the tables are built; the second writes the codes.
//! The second pass computes the differences again, which costs less than storing them.

mod header;
mod huffman;
mod plan;
mod rows;
mod scan;

use super::{Image, PeriodicCancel, reserve_encoded};
use crate::error::Result;
use crate::output::Cancel;
use plan::Plan;

/// Options of the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// Selection value of the predictor, 1 to 7 (T.81 Table H.1).
    pub selection_value: u32,
    /// Number of low bits that each sample loses.
    pub point_transform: u32,
    /// Pixels between two restart markers, a multiple of the columns; 0 for no restart markers.
    pub restart_interval: u32,
    /// Bits of a sample, 2 to 16; by default those of the array's type.
    pub precision: Option<u32>,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { selection_value: 1, point_transform: 0, restart_interval: 0, precision: None }
    }
}

/// Encodes one frame of 8- or 16-bit samples, signed or unsigned, as a JPEG Lossless codestream.
///
/// Signed samples are written as the low `precision` bits of their two's complement. Component identifiers count from 1;
/// colour is not converted. With a point transform of 0, decoding restores every sample.
///
/// # Errors
/// `Output` if a parameter is out of range, the samples have another type, or a value needs more bits than `precision`;
/// `LimitExceeded` if there is no memory for the codestream; `Interrupted`.
///
/// # Standard
/// ITU-T T.81 Annex H; Annex K.2 for the tables; PS3.5 A.4.1 and 8.2.1.
pub fn jpeg_lossless(image: &Image<'_>, parameters: Parameters, cancel: Cancel<'_>) -> Result<Vec<u8>> {
    let plan = Plan::new(image, parameters)?;
    let mut cancel = PeriodicCancel::new(cancel);
    let counts = scan::count(&plan, &mut cancel)?;
    let tables = huffman::Tables::new(&counts);
    let mut out = Vec::new();
    // One byte in 64 covers stuffed bytes, one in 256 of random data; 1024 bytes cover the header. Space for one more row
    // keeps the last rows from growing the buffer.
    let entropy_coded_bytes = tables.coded_bits(&counts) / 8;
    let bytes = usize::try_from(entropy_coded_bytes + entropy_coded_bytes / 64).unwrap_or(usize::MAX);
    let bytes = bytes.saturating_add(1024 + 2 * scan::max_row_bytes(&plan));
    reserve_encoded(&mut out, bytes)?;
    header::write(&plan, &tables, &mut out);
    scan::write(&plan, &tables, &mut cancel, &mut out)?;
    header::end(&mut out);
    Ok(out)
}

#[cfg(test)]
mod tests;
