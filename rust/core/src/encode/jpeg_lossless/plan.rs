//! The image and the caller's parameters, validated.

use super::Parameters;
use crate::encode::stored_values::StoredValues;
use crate::encode::{Image, out_of_range, within};
use crate::error::{Result, output};

/// Everything that header and scan need.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) values: StoredValues<'a>,
    /// Bytes of a row in memory.
    pub(super) row_bytes: usize,
    pub(super) rows: u16,
    pub(super) columns: u16,
    pub(super) components: u8,
    pub(super) precision: u8,
    pub(super) selection_value: u8,
    pub(super) point_transform: u8,
    /// Restart interval in pixels, a multiple of the columns; 0 for none.
    pub(super) restart_interval: u16,
}

impl<'a> Plan<'a> {
    /// Checks the image and the parameters.
    ///
    /// # Errors
    /// `Output`.
    pub(super) fn new(image: &Image<'a>, parameters: Parameters) -> Result<Self> {
        let (rows, columns) = image.checked_size()?;
        let frame = "ITU-T T.81 Table B.2";
        let type_bits = StoredValues::type_bits(&image.samples, frame)?;
        let scan = "ITU-T T.81 Table B.3";
        let precision = within("precision", parameters.precision.unwrap_or(type_bits), 2, 16, frame)?;
        let plan = Self {
            values: StoredValues::new(image.samples, precision, "ITU-T T.81 A.1"),
            row_bytes: image.row_samples() * image.samples.sample_bytes(),
            rows,
            columns,
            // One scan has at most four components.
            components: within("samples per pixel", image.samples_per_pixel, 1, 4, scan)?,
            precision,
            selection_value: within("selection value", parameters.selection_value, 1, 7, scan)?,
            point_transform: within("point transform", parameters.point_transform, 0, u32::from(precision) - 1, scan)?,
            restart_interval: u16::try_from(parameters.restart_interval).map_err(|_| {
                out_of_range("restart interval", parameters.restart_interval, 0, 65535, "ITU-T T.81 B.2.4.4")
            })?,
        };
        if !plan.restart_interval.is_multiple_of(plan.columns) {
            let text = format!(
                "restart interval {} found, a multiple of the {} columns expected",
                plan.restart_interval, plan.columns
            );
            return Err(output(text, "ITU-T T.81 H.1.1"));
        }
        Ok(plan)
    }

    /// Returns the number of samples of a row.
    pub(super) fn row_samples(&self) -> usize {
        usize::from(self.columns) * usize::from(self.components)
    }

    /// Returns the number of rows of a restart interval, all rows if there is none.
    pub(super) fn interval_rows(&self) -> usize {
        usize::from(if self.restart_interval == 0 { self.rows } else { self.restart_interval / self.columns })
    }
}
