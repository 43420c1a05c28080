//! Rendering: functions from stored values to samples for display (PS3.4 N.2).
//!
//! ```text
//! stored value → modality → VOI → inversion → output range       [`Grayscale`]
//! stored value → palette entry                                   [`Palette`]
//! ```

mod grayscale;
mod palette;

pub use grayscale::{Grayscale, GrayscaleOptions, Modality, OutputRange, Voi};
pub use palette::{Palette, PaletteEntries};

use crate::error::{Result, output};
use crate::sample::SampleType;

/// A function from the stored values of a frame to output samples. Clones share tables.
#[derive(Debug, Clone, PartialEq)]
pub enum Rendering {
    /// One output sample per stored sample, by modality transform, VOI function and inversion.
    Grayscale(Grayscale),
    /// The palette entry of the stored value.
    Palette(Palette),
}

impl Rendering {
    /// Type of the output samples.
    #[must_use]
    pub fn output_type(&self) -> SampleType {
        match self {
            Self::Grayscale(grayscale) => grayscale.output().sample_type(),
            Self::Palette(palette) => palette.entries().sample_type(),
        }
    }

    /// Output samples per stored sample: 3 for a palette of RGB entries, otherwise 1.
    #[must_use]
    pub fn samples_per_value(&self) -> usize {
        match self {
            Self::Grayscale(_) => 1,
            Self::Palette(palette) => palette.entries().samples_per_entry(),
        }
    }

    /// Checks that the rendering applies to `samples_per_pixel` stored samples of type `stored`, and that the output has its
    /// type.
    ///
    /// # Errors
    /// `Output`.
    pub(crate) fn check(&self, stored: SampleType, samples_per_pixel: usize, target: SampleType) -> Result<()> {
        if target != self.output_type() {
            let text = format!("output of {}, rendered samples are {}", target.name(), self.output_type().name());
            return Err(output(text, ""));
        }
        match self {
            Self::Grayscale(grayscale) if grayscale.stored() != stored => {
                let text = format!("rendering of {}, stored values are {}", grayscale.stored().name(), stored.name());
                Err(output(text, ""))
            }
            Self::Palette(_) if stored.is_float() => Err(output("palette for float samples", "PS3.3 C.7.6.3.1.5")),
            Self::Palette(_) if samples_per_pixel != 1 => {
                Err(output("palette for an image with more than one sample per pixel", "PS3.3 C.7.6.3.1.5"))
            }
            _ => Ok(()),
        }
    }
}
