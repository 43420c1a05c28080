//! Grayscale pipeline: modality, VOI, inversion, output range (PS3.4 N.2.1).

use crate::error::{DecodeError, Result, malformed, output};
use crate::lookup_table::LookupTable;
use crate::sample::{Rescale, SampleType};
use crate::value_ranges::ValueRanges;
use std::sync::Arc;

/// Transform of stored values to modality values; NaN if there is none. Clones share tables.
#[derive(Debug, Clone)]
pub enum Modality {
    /// Modality values are the stored values.
    Identity,
    /// Slope and intercept.
    Linear(Rescale),
    /// One value per stored value.
    Table(Arc<LookupTable>),
    /// Values of ranges of stored values.
    Ranges(Arc<ValueRanges>),
}

impl PartialEq for Modality {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Identity, Self::Identity) => true,
            (Self::Linear(a), Self::Linear(b)) => a == b,
            // Comparing the entries would take longer than it saves.
            (Self::Table(a), Self::Table(b)) => Arc::ptr_eq(a, b),
            (Self::Ranges(a), Self::Ranges(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

/// Function from modality values to the output range.
#[derive(Debug, Clone)]
pub enum Voi {
    /// VOI LUT Function LINEAR: window center and width (PS3.3 C.11.2.1.2.1).
    Linear {
        /// Window Center (0028,1050).
        center: f64,
        /// Window Width (0028,1051), at least 1.
        width: f64,
    },
    /// VOI LUT Function `LINEAR_EXACT` (PS3.3 C.11.2.1.3.2).
    LinearExact {
        /// Window Center (0028,1050).
        center: f64,
        /// Window Width (0028,1051), above 0.
        width: f64,
    },
    /// VOI LUT Function SIGMOID (PS3.3 C.11.2.1.3.1).
    Sigmoid {
        /// Window Center (0028,1050).
        center: f64,
        /// Window Width (0028,1051), above 0.
        width: f64,
    },
    /// `low` becomes the smallest, `high` the largest output, linearly between. If they are equal, all is smallest.
    Range {
        /// Modality value of the smallest output.
        low: f64,
        /// Modality value of the largest output.
        high: f64,
    },
    /// VOI LUT with entries of `bits` bits; modality values are rounded down (PS3.3 C.11.2.1.1).
    Table {
        /// The entries.
        table: Arc<LookupTable>,
        /// Bits per entry: 1 to 16.
        bits: u32,
    },
}

impl PartialEq for Voi {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Linear { center, width }, Self::Linear { center: c, width: w })
            | (Self::LinearExact { center, width }, Self::LinearExact { center: c, width: w })
            | (Self::Sigmoid { center, width }, Self::Sigmoid { center: c, width: w }) => (center, width) == (c, w),
            (Self::Range { low, high }, Self::Range { low: l, high: h }) => (low, high) == (l, h),
            (Self::Table { table, bits }, Self::Table { table: t, bits: b }) => bits == b && Arc::ptr_eq(table, t),
            _ => false,
        }
    }
}

impl Voi {
    /// The VOI LUT Function `name` (0028,1056): `LINEAR`, `LINEAR_EXACT` or `SIGMOID`, or `RANGE` with its two ends.
    ///
    /// # Errors
    /// `Output` for another name.
    pub fn from_name(name: &str, first: f64, second: f64) -> Result<Self> {
        let (center, width) = (first, second);
        match name {
            "LINEAR" => Ok(Self::Linear { center, width }),
            "LINEAR_EXACT" => Ok(Self::LinearExact { center, width }),
            "SIGMOID" => Ok(Self::Sigmoid { center, width }),
            "RANGE" => Ok(Self::Range { low: first, high: second }),
            _ => Err(output(
                format!("VOI function {name}, LINEAR, LINEAR_EXACT or SIGMOID expected"),
                "PS3.3 C.11.2.1.3",
            )),
        }
    }

    fn check(&self) -> Result<()> {
        let window = |center: &f64, width: &f64, is_valid: bool, least: &str, clause| -> Result<()> {
            if !(center.is_finite() && width.is_finite()) {
                let text = format!("window center {center} and width {width} found, finite numbers expected");
                return Err(malformed(text, clause));
            }
            if is_valid {
                Ok(())
            } else {
                Err(malformed(format!("window width {width} found, {least} expected"), clause))
            }
        };
        match self {
            Self::Linear { center, width } => window(center, width, *width >= 1.0, "at least 1", "PS3.3 C.11.2.1.2.1"),
            Self::LinearExact { center, width } | Self::Sigmoid { center, width } => {
                window(center, width, *width > 0.0, "a width above 0", "PS3.3 C.11.2.1.3")
            }
            Self::Range { low, high } if !(low.is_finite() && high.is_finite() && low <= high) => {
                Err(output(format!("range from {low} to {high}, finite and ascending values expected"), ""))
            }
            Self::Table { bits, .. } if !(1..=16).contains(bits) => {
                let text = format!("VOI LUT entries of {bits} bits found, 1 to 16 expected");
                Err(malformed(text, "PS3.3 C.11.2.1.1"))
            }
            Self::Range { .. } | Self::Table { .. } => Ok(()),
        }
    }
}

/// Type and range of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputRange {
    /// 0 to 255.
    U8,
    /// 0 to 65 535.
    U16,
    /// 0.0 to 1.0.
    F32,
}

impl OutputRange {
    /// The range of the type that NumPy calls `name`.
    ///
    /// # Errors
    /// `Output` for other types than `uint8`, `uint16` and `float32`.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "uint8" => Ok(Self::U8),
            "uint16" => Ok(Self::U16),
            "float32" => Ok(Self::F32),
            _ => Err(output(format!("rendered samples are uint8, uint16 or float32, not {name}"), "")),
        }
    }

    /// Type of the output samples.
    #[must_use]
    pub const fn sample_type(self) -> SampleType {
        match self {
            Self::U8 => SampleType::U8,
            Self::U16 => SampleType::U16,
            Self::F32 => SampleType::F32,
        }
    }

    /// Largest output.
    #[must_use]
    pub const fn max(self) -> f64 {
        match self {
            Self::U8 => 255.0,
            Self::U16 => 65_535.0,
            Self::F32 => 1.0,
        }
    }
}

/// Parts of the pipeline that are usually the default.
#[derive(Debug, Clone, PartialEq)]
pub struct GrayscaleOptions {
    /// Transform of the stored values.
    pub modality: Modality,
    /// True if large values are dark: output = largest output - value.
    pub inverted: bool,
    /// First and last stored value, both inclusive, that render as the smallest output, also if inverted.
    pub padding: Option<(f64, f64)>,
    /// Type and range of the output.
    pub output: OutputRange,
}

impl Default for GrayscaleOptions {
    fn default() -> Self {
        Self { modality: Modality::Identity, inverted: false, padding: None, output: OutputRange::U8 }
    }
}

/// One output sample per stored sample. Values are computed in `f64` and rounded half to even once.
#[derive(Debug, Clone, PartialEq)]
pub struct Grayscale {
    stored: SampleType,
    bits_stored: u32,
    voi: Voi,
    options: GrayscaleOptions,
}

impl Grayscale {
    /// The pipeline for stored values of type `stored` with `bits_stored` significant bits.
    ///
    /// # Errors
    /// `Malformed` for an invalid window or VOI LUT; `Output` for a range that is not ascending, `bits_stored` that the type
    /// does not have, a table for float values, or a slope or intercept that is not finite.
    pub fn new(stored: SampleType, bits_stored: u32, voi: Voi, options: GrayscaleOptions) -> Result<Self> {
        voi.check()?;
        let type_bits = stored.bytes() * 8;
        if bits_stored == 0 || u32::try_from(type_bits).is_ok_and(|bits| bits_stored > bits) {
            return Err(output(format!("{bits_stored} bits stored, 1 to {type_bits} expected"), "PS3.3 C.7.6.3"));
        }
        let refused = |text: &'static str| -> DecodeError { output(text, "PS3.3 C.11.1.1.1") };
        match &options.modality {
            Modality::Linear(Rescale { slope, intercept }) if !(slope.is_finite() && intercept.is_finite()) => {
                let text = format!("slope {slope} and intercept {intercept} found, finite numbers expected");
                Err(output(text, "PS3.3 C.11.1"))
            }
            Modality::Table(_) if stored.is_float() => Err(refused("look-up table for float samples")),
            Modality::Ranges(ranges) if stored.is_float() && ranges.has_entries() => {
                Err(refused("look-up table for float samples"))
            }
            _ => Ok(Self { stored, bits_stored, voi, options }),
        }
    }

    /// Type of the stored values.
    #[must_use]
    pub const fn stored(&self) -> SampleType {
        self.stored
    }

    /// Significant bits of the stored values.
    #[must_use]
    pub const fn bits_stored(&self) -> u32 {
        self.bits_stored
    }

    /// Function from modality values to the output range.
    #[must_use]
    pub const fn voi(&self) -> &Voi {
        &self.voi
    }

    /// Transform of the stored values.
    #[must_use]
    pub const fn modality(&self) -> &Modality {
        &self.options.modality
    }

    /// True if large values are dark.
    #[must_use]
    pub const fn is_inverted(&self) -> bool {
        self.options.inverted
    }

    /// First and last stored value that render as the smallest output.
    #[must_use]
    pub const fn padding(&self) -> Option<(f64, f64)> {
        self.options.padding
    }

    /// Type and range of the output.
    #[must_use]
    pub const fn output(&self) -> OutputRange {
        self.options.output
    }

    /// Derivative of the output with respect to the stored value within the window, before inversion, if it is a line there.
    pub(crate) fn line_slope(&self) -> Option<f64> {
        let width = match self.voi {
            Voi::Linear { width, .. } => width - 1.0,
            Voi::LinearExact { width, .. } => width,
            Voi::Range { low, high } => high - low,
            Voi::Sigmoid { .. } | Voi::Table { .. } => return None,
        };
        Some(self.modality_slope()? * self.output().max() / width)
    }

    /// True if the rounded output never decreases, or never increases, with the stored value, padding excepted.
    ///
    /// Sums, products and quotients that are rounded to nearest are monotone. `exp` may be wrong by a unit in the last place,
    /// 2^-52 of its value; exponents of neighbours that differ by 2^-30 make it change much more.
    pub(crate) fn is_monotone(&self) -> bool {
        const MIN_EXPONENT_STEP: f64 = 9.3e-10;
        match self.voi {
            Voi::Linear { .. } | Voi::LinearExact { .. } | Voi::Range { .. } => self.modality_slope().is_some(),
            Voi::Sigmoid { width, .. } => {
                self.modality_slope().is_some_and(|slope| 4.0 * slope.abs() / width >= MIN_EXPONENT_STEP)
            }
            Voi::Table { .. } => false,
        }
    }

    /// Derivative of the modality value, if it is a line.
    fn modality_slope(&self) -> Option<f64> {
        match self.modality() {
            Modality::Identity => Some(1.0),
            Modality::Linear(rescale) => Some(rescale.slope),
            Modality::Table(_) | Modality::Ranges(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn grayscale(voi: Voi) -> Result<Grayscale> {
        Grayscale::new(SampleType::U16, 12, voi, GrayscaleOptions::default())
    }

    #[test]
    fn grayscale_with_invalid_window_names_the_clause() {
        let cases = [
            ("LINEAR", 0.5, "PS3.3 C.11.2.1.2.1"),
            ("LINEAR", f64::NAN, "PS3.3 C.11.2.1.2.1"),
            ("LINEAR_EXACT", 0.0, "PS3.3 C.11.2.1.3"),
            ("SIGMOID", -1.0, "PS3.3 C.11.2.1.3"),
            ("SIGMOID", f64::INFINITY, "PS3.3 C.11.2.1.3"),
        ];
        for (name, width, clause) in cases {
            let error = grayscale(Voi::from_name(name, 40.0, width).unwrap()).unwrap_err();
            assert_eq!((error.kind(), error.clause()), (ErrorKind::Malformed, clause), "{name} {width}");
        }
        assert!(grayscale(Voi::from_name("LINEAR", 40.0, 1.0).unwrap()).is_ok());
        assert_eq!(Voi::from_name("linear", 40.0, 1.0).unwrap_err().kind(), ErrorKind::Output);
    }

    #[test]
    fn grayscale_with_invalid_range_bits_or_table_is_refused() {
        for (low, high) in [(1.0, 0.0), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert_eq!(grayscale(Voi::Range { low, high }).unwrap_err().kind(), ErrorKind::Output);
        }
        let table = Arc::new(LookupTable::new(0, [1].into_iter()).unwrap());
        for bits in [0, 17] {
            let error = grayscale(Voi::Table { table: Arc::clone(&table), bits }).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed);
        }
        let range = || Voi::Range { low: 0.0, high: 1.0 };
        for bits in [0, 17] {
            let options = GrayscaleOptions::default();
            assert_eq!(Grayscale::new(SampleType::U16, bits, range(), options).unwrap_err().kind(), ErrorKind::Output);
        }
        let options = GrayscaleOptions { modality: Modality::Table(table), ..GrayscaleOptions::default() };
        assert_eq!(Grayscale::new(SampleType::F32, 32, range(), options).unwrap_err().kind(), ErrorKind::Output);
        let modality = Modality::Linear(Rescale { slope: f64::NAN, intercept: 0.0 });
        let options = GrayscaleOptions { modality, ..GrayscaleOptions::default() };
        assert_eq!(Grayscale::new(SampleType::U16, 16, range(), options).unwrap_err().kind(), ErrorKind::Output);
    }
}
