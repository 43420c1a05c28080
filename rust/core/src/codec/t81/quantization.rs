//! Quantization tables of DQT segments (T.81 B.2.4.1).

use super::marker::Parameters;
use crate::error::{Result, malformed};

/// Natural position (8 × row + column) of each coefficient in zigzag order (T.81 Figure A.6).
pub(in crate::codec) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, //
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28, //
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, //
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// The 64 elements of a table in natural order.
pub(in crate::codec) type QuantizationValues = [u16; 64];

/// The four destinations. A table that is defined again replaces the one before.
#[derive(Debug, Clone, Default)]
pub(in crate::codec) struct QuantizationTables([Option<QuantizationValues>; 4]);

impl QuantizationTables {
    /// Stores the tables of one DQT segment. Elements of 0 are accepted, as libjpeg-turbo does: their coefficients are 0.
    ///
    /// # Errors
    /// `Malformed` if a parameter is out of its range.
    pub(in crate::codec) fn define(&mut self, mut parameters: Parameters<'_>) -> Result<()> {
        while !parameters.is_empty() {
            let offset = parameters.offset();
            let (precision, destination) = parameters.u4_pair()?;
            let Some(table) = self.0.get_mut(usize::from(destination)).filter(|_| precision <= 1) else {
                let text =
                    format!("precision {precision} and destination {destination} found, 0 to 1 and 0 to 3 expected");
                return Err(malformed(text, "ITU-T T.81 B.2.4.1").at(offset));
            };
            let mut values = [0; 64];
            for position in ZIGZAG {
                let value = if precision == 0 { parameters.u8()?.into() } else { parameters.u16()? };
                if let Some(element) = values.get_mut(usize::from(position)) {
                    *element = value;
                }
            }
            *table = Some(values);
        }
        Ok(())
    }

    /// Returns the table at `destination`.
    pub(in crate::codec) fn get(&self, destination: u8) -> Option<&QuantizationValues> {
        self.0.get(usize::from(destination))?.as_ref()
    }
}
