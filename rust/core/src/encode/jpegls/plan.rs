//! The image and the caller's parameters, validated.

use super::{Interleave, Parameters};
use crate::encode::stored_values::StoredValues;
use crate::encode::{Image, out_of_range, within};
use crate::error::{Result, output};
use crate::kernel::jpegls::{self, Parameters as CodingParameters, Preset};
use crate::sample::Samples;

/// Everything that header and scans need.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) values: StoredValues<'a>,
    /// Bytes of a row in memory.
    pub(super) row_bytes: usize,
    pub(super) is_signed: bool,
    pub(super) rows: u16,
    pub(super) columns: u16,
    pub(super) components: u8,
    /// Components of each scan: all, or 1.
    pub(super) scan_components: u8,
    pub(super) interleave: Interleave,
    pub(super) precision: u8,
    pub(super) near: u8,
    pub(super) parameters: CodingParameters,
}

impl<'a> Plan<'a> {
    /// Checks the image and the parameters.
    ///
    /// # Errors
    /// `Output`.
    pub(super) fn new(image: &Image<'a>, parameters: Parameters) -> Result<Self> {
        let (rows, columns) = image.checked_size()?;
        let frame = "ITU-T T.87 C.2.2";
        let scan = "ITU-T T.87 C.2.3";
        let type_bits = StoredValues::type_bits(&image.samples, frame)?;
        let precision = within("precision", parameters.precision.unwrap_or(type_bits), 2, 16, frame)?;
        let components = within("samples per pixel", image.samples_per_pixel, 1, 4, scan)?;
        let interleave = if components == 1 { Interleave::None } else { parameters.interleave };
        let max_near = jpegls::max_near((1 << precision) - 1);
        let near = within("near", parameters.near, 0, max_near, scan)?;
        let coding_parameters = CodingParameters::new(u32::from(precision), u32::from(near), Preset::default())
            .ok_or_else(|| out_of_range("near", parameters.near, 0, max_near, scan))?;
        Ok(Self {
            values: StoredValues::new(image.samples, precision, "ITU-T T.87 C.2.2"),
            row_bytes: image.row_samples() * image.samples.sample_bytes(),
            is_signed: matches!(image.samples, Samples::I8(_) | Samples::I16(_)),
            rows,
            columns,
            components,
            scan_components: if interleave == Interleave::None { 1 } else { components },
            interleave,
            precision,
            near,
            parameters: coding_parameters,
        })
    }

    /// Checks that the error of near-lossless encoding changes the sign of no sample; `values` are those from index
    /// `start` on.
    ///
    /// # Errors
    /// `Output`.
    pub(super) fn check_signs(&self, start: usize, values: &[u16]) -> Result<()> {
        if !self.is_signed || self.near == 0 {
            return Ok(());
        }
        let near = u16::from(self.near);
        let mask = u16::MAX >> (16 - self.precision);
        let half = 1 << (self.precision - 1);
        // Distance to the least value of the precision.
        let distance = |value: u16| value.wrapping_add(half) & mask;
        let changes_sign = |value: &u16| !(near..=mask - near).contains(&distance(*value));
        let Some(index) = values.iter().position(changes_sign) else { return Ok(()) };
        let value = values.get(index).map_or(0, |value| i32::from(distance(*value)) - i32::from(half));
        let text = format!(
            "value {value} of sample {} found, {} to {} expected with near {near}, so that no sign changes",
            start + index,
            i32::from(near) - i32::from(half),
            i32::from(half) - 1 - i32::from(near),
        );
        Err(output(text, "PS3.5 8.2.3"))
    }

    /// Returns the value of ILV in SOS (T.87 C.2.3).
    pub(super) const fn interleave_mode(&self) -> u8 {
        match self.interleave {
            Interleave::None => 0,
            Interleave::Line => 1,
            Interleave::Sample => 2,
        }
    }
}
