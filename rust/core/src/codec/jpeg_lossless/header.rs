//! Codestream → header: the rules of the lossless process for frame header and scans (T.81 Annex H).

use crate::codec::t81::codestream::{self, Codestream, ProcessRules, ScanContext};
use crate::codec::t81::headers::{FrameHeader, MAX_SCAN_COMPONENTS};
use crate::codec::t81::huffman::{HuffmanTable, HuffmanTables, TableClass};
use crate::codec::t81::marker::Process;
use crate::error::{Result, malformed, unsupported};
use crate::frame::Deviation;
use crate::kernel::CpuLevel;

/// Largest category of a difference (T.81 Table H.2).
const MAX_CATEGORY: u8 = 16;

/// The headers of a codestream. Every component is in exactly one scan.
pub(in crate::codec) type Header = Codestream<Parameters>;
/// One scan of a lossless process.
pub(super) type Scan = codestream::Scan<Parameters>;

/// Parameters of a scan.
#[derive(Debug)]
pub(in crate::codec) struct Parameters {
    /// Huffman table of each component.
    pub(super) tables: Vec<HuffmanTable>,
    /// Selection value of the predictor, 1 to 7 (Table H.1).
    pub(super) selection_value: u8,
    /// Number of low bits that every sample lost before coding.
    pub(super) point_transform: u8,
}

/// Reads all headers of a frame.
///
/// # Errors
/// `Unsupported` for processes other than lossless with Huffman coding; `Truncated` and `Malformed`.
pub(super) fn parse(bytes: &[u8], level: CpuLevel) -> Result<Header> {
    codestream::read::<Lossless>(bytes, level)
}

/// Rules of the lossless process.
#[derive(Default)]
struct Lossless {
    /// Indices of the components that are in a scan.
    coded: Vec<usize>,
}

impl ProcessRules for Lossless {
    type Parameters = Parameters;

    const EXPECTED: &'static str = "lossless process with huffman coding";
    const HAS_QUANTIZATION: bool = false;

    fn accepts(process: Process) -> bool {
        process == Process::Lossless
    }

    fn check_frame(&mut self, frame: &FrameHeader, _: &mut Vec<Deviation>) -> Result<()> {
        if !(2..=16).contains(&frame.precision) {
            let text = format!("precision {} found, 2 to 16 expected", frame.precision);
            return Err(malformed(text, "ITU-T T.81 B.2.2").at(frame.offset));
        }
        if frame.components.len() > MAX_SCAN_COMPONENTS {
            let text = format!("{} components found, 1 to 4 expected", frame.components.len());
            return Err(unsupported(text, "PS3.3 C.7.6.3.1.1").at(frame.offset + 5));
        }
        check_sampling(frame)
    }

    fn read_scan(&mut self, scan: &ScanContext<'_>, _: &mut Vec<Deviation>) -> Result<(Parameters, usize)> {
        let clause = "ITU-T T.81 B.2.3";
        let ScanContext { frame, header, restart_interval, .. } = *scan;
        let mut tables = Vec::new();
        for (component, index) in header.components.iter().zip(scan.components) {
            if self.coded.contains(index) {
                let text = format!("component {} is in two scans", component.id);
                return Err(malformed(text, clause).at(component.offset));
            }
            self.coded.push(*index);
            tables.push(table(scan.huffman, component.dc_table, component.offset)?);
        }
        let (selection_value, point_transform) = (header.spectral_start, header.approximation_low);
        if !(1..=7).contains(&selection_value) {
            let text = format!("selection value {selection_value} found, 1 to 7 expected");
            return Err(malformed(text, "ITU-T T.81 H.1.2.1").at(header.offset));
        }
        if (header.spectral_end, header.approximation_high) != (0, 0) {
            let text = format!("Se {} and Ah {} found, 0 expected", header.spectral_end, header.approximation_high);
            return Err(malformed(text, clause).at(header.offset + 1));
        }
        if point_transform >= frame.precision {
            let text = format!(
                "point transform {point_transform} found, less than the precision of {} bits expected",
                frame.precision
            );
            return Err(malformed(text, clause).at(header.offset + 2));
        }
        if !restart_interval.is_multiple_of(frame.columns) {
            let text =
                format!("restart interval {restart_interval} found, a multiple of {} columns expected", frame.columns);
            return Err(malformed(text, "ITU-T T.81 H.1.1").at(scan.marker_offset));
        }
        let mcus = usize::from(scan.lines) * usize::from(frame.columns);
        Ok((Parameters { tables, selection_value, point_transform }, mcus))
    }

    fn missing_data(&self, frame: &FrameHeader) -> Option<String> {
        let mut components = frame.components.iter().enumerate();
        let (_, missing) = components.find(|(index, _)| !self.coded.contains(index))?;
        Some(format!("component {} is in no scan", missing.id))
    }
}

/// Checks that no component is subsampled. The sampling factors of a single component have no effect (A.2.2).
fn check_sampling(frame: &FrameHeader) -> Result<()> {
    match frame.components.iter().find(|component| component.sampling != (1, 1)) {
        Some(component) if frame.components.len() > 1 => {
            let (horizontal, vertical) = component.sampling;
            let text = format!("sampling factors {horizontal} and {vertical} found, 1 and 1 expected");
            Err(unsupported(text, "ITU-T T.81 A.1.1").at(component.offset + 1))
        }
        _ => Ok(()),
    }
}

/// Returns the table at a destination that the component at `offset` selects.
fn table(tables: &HuffmanTables, destination: u8, offset: usize) -> Result<HuffmanTable> {
    let Some((table, values_offset)) = tables.get(TableClass::Dc, destination) else {
        let text = format!("huffman table {destination} is not defined");
        return Err(malformed(text, "ITU-T T.81 B.2.4.2").at(offset + 1));
    };
    if let Some((index, category)) = (0..).zip(&table.values).find(|(_, category)| **category > MAX_CATEGORY) {
        let text = format!("category {category} found, 0 to 16 expected");
        return Err(malformed(text, "ITU-T T.81 H.1.2.2").at(values_offset + index));
    }
    Ok(table.clone())
}
