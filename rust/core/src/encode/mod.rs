//! Samples → the bytes of one frame: the way back, for callers that make or change images.
//!
//! An encoder is built as a codec is: **header** (what is written before the samples), **recipe** (the caller's
//! parameters, checked, and all that the loop needs), **scan** (samples → entropy-coded bytes).

pub mod jpeg_lossless;
mod rle;

pub use jpeg_lossless::jpeg_lossless;
pub use rle::rle;

use crate::error::{Result, output};
use crate::{Cancel, Samples};

/// Bytes of samples between two looks at the watch.
const BEAT_BYTES: usize = 4 << 20;

/// One frame to be encoded: samples in planar configuration 0, and how they lie.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// All samples, row by row, the samples of a pixel side by side.
    pub samples: Samples<'a>,
    /// Rows of the image.
    pub rows: u32,
    /// Columns of the image.
    pub columns: u32,
    /// Samples of each pixel; T.81 calls them components.
    pub samples_per_pixel: u32,
}

impl Image<'_> {
    /// Rows and columns, of an image that is made of that many samples and has some.
    fn size(&self) -> Result<(u16, u16)> {
        let (rows, columns) = (side("rows", self.rows)?, side("columns", self.columns)?);
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

    /// Samples of one row.
    const fn row_samples(&self) -> usize {
        self.columns as usize * self.samples_per_pixel as usize
    }
}

fn side(name: &str, value: u32) -> Result<u16> {
    u16::try_from(value)
        .ok()
        .filter(|side| *side > 0)
        .ok_or_else(|| output(format!("{name} {value} found, 1 to 65535 expected"), "PS3.3 C.7.6.3"))
}

/// Looks at the watch every few MiB.
struct PeriodicCancel<'a> {
    watch: Cancel<'a>,
    left_bytes: usize,
}

impl<'a> PeriodicCancel<'a> {
    fn new(watch: Cancel<'a>) -> Self {
        Self { watch, left_bytes: 0 }
    }

    /// Says that `bytes` more are about to be read.
    fn advance(&mut self, bytes: usize) -> Result<()> {
        match self.left_bytes.checked_sub(bytes) {
            Some(left) => self.left_bytes = left,
            None => {
                self.left_bytes = BEAT_BYTES;
                self.watch.beat()?;
            }
        }
        Ok(())
    }
}
