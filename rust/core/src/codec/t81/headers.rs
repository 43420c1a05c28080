//! Frame header, scan header, restart interval, number of lines (T.81 B.2.2, B.2.3, B.2.4.4, B.2.5).

use super::marker::Parameters;
use crate::error::{Result, malformed};

/// Most components of a scan (T.81 B.2.3); an image of DICOM has no more either.
pub(in crate::codec) const MAX_SCAN_COMPONENTS: usize = 4;

/// One component as the frame header has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) struct Component {
    /// Its identifier, any byte.
    pub(in crate::codec) id: u8,
    /// Horizontal and vertical sampling factor, 1 to 4.
    pub(in crate::codec) sampling: (u8, u8),
    /// Where its parameters are.
    pub(in crate::codec) offset: usize,
}

/// Start of frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::codec) struct FrameHeader {
    /// Sample precision in bits.
    pub(in crate::codec) precision: u8,
    /// Number of lines; 0 where DNL is to say it.
    pub(in crate::codec) lines: u16,
    /// Samples per line, 1 or more.
    pub(in crate::codec) columns: u16,
    /// The components, identifiers all different.
    pub(in crate::codec) components: Vec<Component>,
    /// Where the sample precision is: lines, samples per line and the number of components follow.
    pub(in crate::codec) offset: usize,
}

impl FrameHeader {
    /// # Errors
    /// `Malformed` if a parameter is out of its range.
    pub(in crate::codec) fn parse(mut parameters: Parameters<'_>) -> Result<Self> {
        let clause = "ITU-T T.81 B.2.2";
        let offset = parameters.at();
        let precision = parameters.byte()?;
        let lines = parameters.word()?;
        let columns = parameters.word()?;
        let count = parameters.byte()?;
        if columns == 0 {
            return Err(malformed("0 samples per line found, 1 or more expected", clause).at(offset + 3));
        }
        if count == 0 {
            return Err(malformed("no component found, 1 or more expected", clause).at(offset + 5));
        }
        let mut components: Vec<Component> = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let offset = parameters.at();
            let id = parameters.byte()?;
            let (horizontal, vertical) = parameters.halves()?;
            parameters.byte()?;
            if !(1..=4).contains(&horizontal) || !(1..=4).contains(&vertical) {
                let text = format!("sampling factors {horizontal} and {vertical} found, 1 to 4 expected");
                return Err(malformed(text, clause).at(offset + 1));
            }
            if components.iter().any(|other| other.id == id) {
                return Err(malformed(format!("component {id} found twice"), clause).at(offset));
            }
            components.push(Component { id, sampling: (horizontal, vertical), offset });
        }
        parameters.end()?;
        Ok(Self { precision, lines, columns, components, offset })
    }
}

/// One component as a scan header has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) struct ScanComponent {
    /// The identifier of the frame header.
    pub(in crate::codec) id: u8,
    /// Destination of the table for DC coefficients, or for differences, 0 to 3.
    pub(in crate::codec) dc_table: u8,
    /// Where its parameters are.
    pub(in crate::codec) offset: usize,
}

/// Start of scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::codec) struct ScanHeader {
    /// 1 to 4 components.
    pub(in crate::codec) components: Vec<ScanComponent>,
    /// Ss: start of spectral selection, or the predictor of a lossless process.
    pub(in crate::codec) spectral_start: u8,
    /// Se: end of spectral selection.
    pub(in crate::codec) spectral_end: u8,
    /// Ah: successive approximation bit position high.
    pub(in crate::codec) approximation_high: u8,
    /// Al: successive approximation bit position low, or the point transform.
    pub(in crate::codec) approximation_low: u8,
    /// Where Ss is: Se, and Ah with Al, follow.
    pub(in crate::codec) offset: usize,
}

impl ScanHeader {
    /// # Errors
    /// `Malformed` if a parameter is out of its range.
    pub(in crate::codec) fn parse(mut parameters: Parameters<'_>) -> Result<Self> {
        let clause = "ITU-T T.81 B.2.3";
        let at = parameters.at();
        let count = parameters.byte()?;
        if count == 0 || usize::from(count) > MAX_SCAN_COMPONENTS {
            return Err(malformed(format!("{count} components in a scan found, 1 to 4 expected"), clause).at(at));
        }
        let mut components: Vec<ScanComponent> = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let offset = parameters.at();
            let id = parameters.byte()?;
            let (dc_table, ac_table) = parameters.halves()?;
            if dc_table > 3 || ac_table > 3 {
                let text = format!("tables {dc_table} and {ac_table} found, 0 to 3 expected");
                return Err(malformed(text, clause).at(offset + 1));
            }
            if components.iter().any(|other| other.id == id) {
                return Err(malformed(format!("component {id} found twice in a scan"), clause).at(offset));
            }
            components.push(ScanComponent { id, dc_table, offset });
        }
        let offset = parameters.at();
        let (spectral_start, spectral_end) = (parameters.byte()?, parameters.byte()?);
        let (approximation_high, approximation_low) = parameters.halves()?;
        parameters.end()?;
        Ok(Self { components, spectral_start, spectral_end, approximation_high, approximation_low, offset })
    }
}

/// The one number of DRI (restart interval in MCUs, 0 for none) or DNL (number of lines).
///
/// # Errors
/// `Malformed` if the segment is not two bytes.
pub(in crate::codec) fn number(mut parameters: Parameters<'_>) -> Result<u16> {
    let number = parameters.word()?;
    parameters.end()?;
    Ok(number)
}
