//! Frame header, scan header, restart interval, number of lines (T.81 B.2.2, B.2.3, B.2.4.4, B.2.5).

use super::marker::{Parameters, Process};
use crate::error::{Result, malformed};

/// Most components of a scan (T.81 B.2.3). DICOM images have no more either.
pub(in crate::codec) const MAX_SCAN_COMPONENTS: usize = 4;

/// One component of the frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) struct Component {
    /// Component identifier Ci, any byte.
    pub(in crate::codec) id: u8,
    /// Horizontal and vertical sampling factors Hi and Vi, 1 to 4.
    pub(in crate::codec) sampling: (u8, u8),
    /// Destination Tqi of the quantization table; not checked, because lossless processes do not use it.
    pub(in crate::codec) quantization_table: u8,
    /// Byte offset of the component's parameters.
    pub(in crate::codec) offset: usize,
}

/// Parameters of a start-of-frame segment, which are the same for all processes (T.81 B.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::codec) struct FrameHeader {
    /// Process that the marker announces.
    pub(in crate::codec) process: Process,
    /// Sample precision P in bits; each process allows other values.
    pub(in crate::codec) precision: u8,
    /// Number of lines Y; 0 if a DNL segment gives it.
    pub(in crate::codec) lines: u16,
    /// Samples per line X, 1 or more; in JPEG-LS 0 if an LSE segment gives it (T.87 C.2.4.1.4).
    pub(in crate::codec) columns: u16,
    /// Components, 1 or more, with different identifiers.
    pub(in crate::codec) components: Vec<Component>,
    /// Byte offset of P. Y (2 bytes), X (2 bytes) and the number of components follow.
    pub(in crate::codec) offset: usize,
}

impl FrameHeader {
    /// # Errors
    /// `Malformed` if a parameter is out of its range.
    pub(in crate::codec) fn parse(process: Process, mut parameters: Parameters<'_>) -> Result<Self> {
        let clause = "ITU-T T.81 B.2.2";
        let offset = parameters.offset();
        let precision = parameters.u8()?;
        let lines = parameters.u16()?;
        let columns = parameters.u16()?;
        let count = parameters.u8()?;
        if columns == 0 && process != Process::JpegLs {
            return Err(malformed("0 samples per line found, 1 or more expected", clause).at(offset + 3));
        }
        if count == 0 {
            return Err(malformed("0 components found, 1 or more expected", clause).at(offset + 5));
        }
        let mut components: Vec<Component> = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let offset = parameters.offset();
            let id = parameters.u8()?;
            let (horizontal, vertical) = parameters.u4_pair()?;
            let quantization_table = parameters.u8()?;
            if !(1..=4).contains(&horizontal) || !(1..=4).contains(&vertical) {
                let text = format!("sampling factors {horizontal} and {vertical} found, 1 to 4 expected");
                return Err(malformed(text, clause).at(offset + 1));
            }
            if components.iter().any(|component| component.id == id) {
                return Err(malformed(format!("component identifier {id} found twice"), clause).at(offset));
            }
            components.push(Component { id, sampling: (horizontal, vertical), quantization_table, offset });
        }
        parameters.end()?;
        Ok(Self { process, precision, lines, columns, components, offset })
    }
}

/// One component of a scan header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) struct ScanComponent {
    /// Component identifier Csj.
    pub(in crate::codec) id: u8,
    /// Destination Tdj of the Huffman table for DC coefficients, or for differences, 0 to 3.
    pub(in crate::codec) dc_table: u8,
    /// Destination Taj of the Huffman table for AC coefficients, 0 to 3.
    pub(in crate::codec) ac_table: u8,
    /// Byte offset of the component's parameters.
    pub(in crate::codec) offset: usize,
}

/// Parameters of a start-of-scan segment (T.81 B.2.3). Those of JPEG-LS have other meanings, see `jpegls::header`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::codec) struct ScanHeader {
    /// Components, 1 to 4.
    pub(in crate::codec) components: Vec<ScanComponent>,
    /// Ss: start of spectral selection, or the selection value of a lossless process.
    pub(in crate::codec) spectral_start: u8,
    /// Se: end of spectral selection.
    pub(in crate::codec) spectral_end: u8,
    /// Ah: successive approximation bit position high.
    pub(in crate::codec) approximation_high: u8,
    /// Al: successive approximation bit position low, or the point transform of a lossless process.
    pub(in crate::codec) approximation_low: u8,
    /// Byte offset of Ss. Se, and the byte with Ah and Al, follow.
    pub(in crate::codec) offset: usize,
}

impl ScanHeader {
    /// # Errors
    /// `Malformed` if a parameter is out of its range.
    pub(in crate::codec) fn parse(mut parameters: Parameters<'_>) -> Result<Self> {
        let clause = "ITU-T T.81 B.2.3";
        let count_offset = parameters.offset();
        let count = parameters.u8()?;
        if count == 0 || usize::from(count) > MAX_SCAN_COMPONENTS {
            let text = format!("{count} components in a scan found, 1 to 4 expected");
            return Err(malformed(text, clause).at(count_offset));
        }
        let mut components: Vec<ScanComponent> = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let offset = parameters.offset();
            let id = parameters.u8()?;
            let (dc_table, ac_table) = parameters.u4_pair()?;
            if dc_table > 3 || ac_table > 3 {
                let text = format!("huffman table destinations {dc_table} and {ac_table} found, 0 to 3 expected");
                return Err(malformed(text, clause).at(offset + 1));
            }
            if components.iter().any(|component| component.id == id) {
                return Err(malformed(format!("component identifier {id} found twice in a scan"), clause).at(offset));
            }
            components.push(ScanComponent { id, dc_table, ac_table, offset });
        }
        let offset = parameters.offset();
        let (spectral_start, spectral_end) = (parameters.u8()?, parameters.u8()?);
        let (approximation_high, approximation_low) = parameters.u4_pair()?;
        parameters.end()?;
        Ok(Self { components, spectral_start, spectral_end, approximation_high, approximation_low, offset })
    }
}

/// Reads the only parameter of DRI (restart interval in MCUs, 0 for none) or DNL (number of lines).
///
/// # Errors
/// `Malformed` if the segment does not have exactly two bytes of parameters.
pub(in crate::codec) fn number(mut parameters: Parameters<'_>) -> Result<u16> {
    let number = parameters.u16()?;
    parameters.end()?;
    Ok(number)
}
