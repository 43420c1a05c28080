//! Encoding: samples to the bytes of one frame, one frame per call.
//!
//! An encoder has three parts, like a codec: the header (bytes before the entropy-coded data), the plan (the caller's
//! parameters, validated, and everything else the loop needs), and the loop (samples to entropy-coded data). Encoders do
//! not depend on codecs.

pub mod jpeg_lossless;
pub mod jpegls;
mod rle;
mod segments;
mod stored_values;

pub use jpeg_lossless::jpeg_lossless;
pub use jpegls::jpegls;
pub use rle::rle;

use crate::error::{DecodeError, Result, limit_exceeded, output};
use crate::output::{CANCEL_INTERVAL_BYTES, Cancel};
use crate::sample::Samples;

/// One frame to encode, in planar configuration 0.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// `rows * columns * samples_per_pixel` samples, row by row; the samples of a pixel are contiguous.
    pub samples: Samples<'a>,
    /// Rows of the image, 1 to 65535.
    pub rows: u32,
    /// Columns of the image, 1 to 65535.
    pub columns: u32,
    /// Samples per pixel, at least 1. In T.81: components.
    pub samples_per_pixel: u32,
}

/// Reserves memory for `bytes` more bytes of an encoded frame.
///
/// # Errors
/// `LimitExceeded` if the system has too little memory.
fn reserve_encoded(encoded: &mut Vec<u8>, bytes: usize) -> Result<()> {
    encoded.try_reserve(bytes).map_err(|_| limit_exceeded(format!("no memory for {bytes} bytes"), ""))
}

impl Image<'_> {
    /// Checks the size against the number of samples. Returns rows and columns.
    ///
    /// # Errors
    /// `Output` if a dimension is out of range, or the number of samples differs.
    fn checked_size(&self) -> Result<(u16, u16)> {
        let (rows, columns) = (checked_dimension("rows", self.rows)?, checked_dimension("columns", self.columns)?);
        if self.samples_per_pixel == 0 {
            return Err(output("samples per pixel 0 found, at least 1 expected", ""));
        }
        let pixels = u64::from(rows) * u64::from(columns);
        if pixels.checked_mul(u64::from(self.samples_per_pixel)) != Some(self.samples.len() as u64) {
            return Err(output(
                format!(
                    "{} samples found, {} rows x {} columns x {} samples per pixel expected",
                    self.samples.len(),
                    self.rows,
                    self.columns,
                    self.samples_per_pixel
                ),
                "",
            ));
        }
        Ok((rows, columns))
    }

    /// Number of samples per row.
    const fn row_samples(&self) -> usize {
        self.columns as usize * self.samples_per_pixel as usize
    }
}

fn checked_dimension(name: &str, value: u32) -> Result<u16> {
    u16::try_from(value)
        .ok()
        .filter(|dimension| *dimension > 0)
        .ok_or_else(|| output(format!("{name} {value} found, 1 to 65535 expected"), "PS3.3 C.7.6.3"))
}

/// Returns `value` if it is in `low..=high`.
fn within(name: &'static str, value: u32, low: u32, high: u32, clause: &'static str) -> Result<u8> {
    let checked = u8::try_from(value).ok().filter(|_| (low..=high).contains(&value));
    checked.ok_or_else(|| out_of_range(name, value, low, high, clause))
}

fn out_of_range(name: &'static str, value: u32, low: u32, high: u32, clause: &'static str) -> DecodeError {
    output(format!("{name} {value} found, {low} to {high} expected"), clause)
}

/// Checks for cancellation every [`CANCEL_INTERVAL_BYTES`] bytes.
struct PeriodicCancel<'a> {
    cancel: Cancel<'a>,
    /// Bytes until the next check; the first call of `advance` checks.
    left_bytes: usize,
}

impl<'a> PeriodicCancel<'a> {
    fn new(cancel: Cancel<'a>) -> Self {
        Self { cancel, left_bytes: 0 }
    }

    /// Counts `bytes` bytes that are read next.
    ///
    /// # Errors
    /// `Interrupted` if the call is cancelled.
    fn advance(&mut self, bytes: usize) -> Result<()> {
        match self.left_bytes.checked_sub(bytes) {
            Some(left) => self.left_bytes = left,
            None => {
                self.left_bytes = CANCEL_INTERVAL_BYTES;
                self.cancel.check()?;
            }
        }
        Ok(())
    }
}
