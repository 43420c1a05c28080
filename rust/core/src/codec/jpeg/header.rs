//! Codestream → header: the rules of the DCT processes for frame header and scans (T.81 Annexes F and G).

use super::geometry::Geometry;
use crate::codec::t81::codestream::{self, Codestream, ProcessRules, ScanContext};
use crate::codec::t81::headers::{FrameHeader, MAX_SCAN_COMPONENTS, ScanComponent};
use crate::codec::t81::huffman::{HuffmanTable, TableClass};
use crate::codec::t81::marker::Process;
use crate::codec::t81::quantization::QuantizationValues;
use crate::codec::t81::typical_tables::typical_table;
use crate::error::{Result, malformed, unsupported};
use crate::frame::Deviation;
use crate::kernel::CpuLevel;

/// Largest category of a DC difference; T.81 Table F.1 ends at 11 for 8 bits, and libjpeg-turbo accepts 15.
const MAX_DC_CATEGORY: u8 = 15;
/// Largest Al of a progressive scan (T.81 B.2.3).
const MAX_APPROXIMATION: u8 = 13;
/// Blocks of an interleaved MCU (T.81 B.2.3).
pub(super) const MAX_MCU_BLOCKS: usize = 10;
/// Most scans of a frame: one per component, coefficient and bit would be 3 × 64 × 14. Encoders write about ten.
const MAX_SCANS: usize = 1000;

/// The headers of a codestream. The scans code every coefficient of every component completely.
pub(in crate::codec) type Header = Codestream<Parameters>;
/// One scan of a DCT process.
pub(super) type Scan = codestream::Scan<Parameters>;

/// Parameters of a scan.
#[derive(Debug)]
pub(in crate::codec) struct Parameters {
    /// Huffman tables of each component.
    pub(super) tables: Vec<ScanTables>,
    /// Quantization table of each component, as it is defined when the scan starts.
    pub(super) quantization: Vec<QuantizationValues>,
    /// The coefficients in the scan, and their bits.
    pub(super) band: Band,
}

/// Huffman tables of one component in a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::codec) struct ScanTables {
    /// Table for DC coefficients; `None` if the scan has none or only refines them.
    pub(super) dc: Option<HuffmanTable>,
    /// Table for AC coefficients; `None` if the scan has none.
    pub(super) ac: Option<HuffmanTable>,
}

/// Spectral selection and successive approximation of a scan (T.81 G.1.1.1). Sequential scans code all bits of all
/// coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) struct Band {
    /// Ss: first coefficient in zigzag order.
    pub(super) first: u8,
    /// Se: last coefficient.
    pub(super) last: u8,
    /// Ah: the previous Al of these coefficients; 0 in their first scan.
    pub(super) high: u8,
    /// Al: number of low bits that are not coded yet.
    pub(super) low: u8,
}

impl Band {
    /// All bits of all coefficients.
    const ALL: Self = Self { first: 0, last: 63, high: 0, low: 0 };
}

/// Reads all headers of a frame.
///
/// # Errors
/// `Unsupported` for processes other than DCT with Huffman coding; `Truncated` and `Malformed`.
pub(super) fn parse(bytes: &[u8], level: CpuLevel) -> Result<Header> {
    codestream::read::<Dct>(bytes, level)
}

/// Rules of the DCT processes.
#[derive(Default)]
struct Dct {
    /// For each component that is in a scan: the number of low bits of each coefficient that are not coded yet, `None` for
    /// coefficients that are in no scan.
    missing_bits: Vec<(usize, [Option<u8>; 64])>,
    scan_count: usize,
}

impl ProcessRules for Dct {
    type Parameters = Parameters;

    const EXPECTED: &'static str = "DCT process with huffman coding";
    const HAS_QUANTIZATION: bool = true;

    fn accepts(process: Process) -> bool {
        matches!(process, Process::Baseline | Process::Extended | Process::Progressive)
    }

    fn check_frame(&mut self, frame: &FrameHeader, deviations: &mut Vec<Deviation>) -> Result<()> {
        match (frame.process, frame.precision) {
            (_, 8) | (Process::Extended | Process::Progressive, 12) => {}
            (_, 12) => {
                let text = "precision 12 found in a baseline frame header, 8 expected";
                deviations.push(Deviation::new(text, "ITU-T T.81 B.2.2").at(frame.offset));
            }
            (_, precision) => {
                let text = format!("precision {precision} found, 8 or 12 expected");
                return Err(malformed(text, "ITU-T T.81 B.2.2").at(frame.offset));
            }
        }
        if frame.components.len() > MAX_SCAN_COMPONENTS {
            let text = format!("{} components found, 1 to 4 expected", frame.components.len());
            return Err(unsupported(text, "PS3.3 C.7.6.3.1.1").at(frame.offset + 5));
        }
        Geometry::check_sampling(frame)
    }

    fn read_scan(&mut self, scan: &ScanContext<'_>, deviations: &mut Vec<Deviation>) -> Result<(Parameters, usize)> {
        self.scan_count += 1;
        if self.scan_count > MAX_SCANS {
            return Err(unsupported(format!("more than {MAX_SCANS} scans"), "").at(scan.marker_offset));
        }
        let is_progressive = scan.frame.process == Process::Progressive;
        let band = if is_progressive { progressive_band(scan)? } else { sequential_band(scan, deviations) };
        let mut tables = Vec::with_capacity(scan.components.len());
        let mut quantization = Vec::with_capacity(scan.components.len());
        for (component, index) in scan.header.components.iter().zip(scan.components) {
            self.record(*index, component, band, is_progressive, deviations)?;
            let (has_dc, has_ac) =
                if is_progressive { (band.first == 0 && band.high == 0, band.first > 0) } else { (true, true) };
            tables.push(ScanTables {
                dc: has_dc.then(|| table(scan, TableClass::Dc, component, deviations)).transpose()?,
                ac: has_ac.then(|| table(scan, TableClass::Ac, component, deviations)).transpose()?,
            });
            quantization.push(*quantization_table(scan, *index)?);
        }
        let geometry = Geometry::new(scan.frame, scan.lines);
        if scan.components.len() > 1 {
            let blocks = geometry.mcu_blocks(scan.components);
            if blocks > MAX_MCU_BLOCKS {
                let text = format!("{blocks} blocks in an MCU found, at most {MAX_MCU_BLOCKS} expected");
                return Err(malformed(text, "ITU-T T.81 B.2.3").at(scan.marker_offset));
            }
        }
        let (columns, rows) = geometry.scan_mcus(scan.components);
        Ok((Parameters { tables, quantization, band }, columns * rows))
    }

    fn missing_data(&self, frame: &FrameHeader) -> Option<String> {
        for (index, component) in frame.components.iter().enumerate() {
            let id = component.id;
            let Some((_, bits)) = self.missing_bits.iter().find(|(coded, _)| *coded == index) else {
                return Some(format!("component {id} is in no scan"));
            };
            if let Some((coefficient, bits)) = bits.iter().enumerate().find(|(_, bits)| **bits != Some(0)) {
                let missing = bits.map_or("all bits".to_owned(), |bits| format!("the low {bits} bits"));
                return Some(format!("{missing} of coefficient {coefficient} of component {id} are in no scan"));
            }
        }
        None
    }
}

impl Dct {
    /// Records that a scan codes `band` of the component at `index`.
    fn record(
        &mut self,
        index: usize,
        component: &ScanComponent,
        band: Band,
        is_progressive: bool,
        deviations: &mut Vec<Deviation>,
    ) -> Result<()> {
        let known = self.missing_bits.iter().position(|(coded, _)| *coded == index);
        if known.is_some() && !is_progressive {
            let text = format!("component {} is in two scans", component.id);
            return Err(malformed(text, "ITU-T T.81 B.2.3").at(component.offset));
        }
        let known = known.unwrap_or_else(|| {
            self.missing_bits.push((index, [None; 64]));
            self.missing_bits.len() - 1
        });
        let Some((_, missing_bits)) = self.missing_bits.get_mut(known) else { return Ok(()) };
        let clause = "ITU-T T.81 G.1.1.1.1";
        if band.first > 0 && missing_bits.first() == Some(&None) {
            let text = format!("AC coefficients of component {} are coded before its DC coefficients", component.id);
            deviations.push(Deviation::new(text, clause).at(component.offset));
        }
        let coefficients = missing_bits.iter_mut().enumerate();
        for (coefficient, bits) in coefficients.skip(band.first.into()).take((band.last - band.first + 1).into()) {
            let expected = bits.unwrap_or(0);
            if bits.is_some() && band.high == 0 || band.high != expected {
                let found = band.high;
                let text = match bits {
                    Some(0) => format!("coefficient {coefficient} of component {} is coded twice", component.id),
                    _ => format!("Ah {found} found for coefficient {coefficient}, {expected} expected"),
                };
                return Err(malformed(text, "ITU-T T.81 G.1.1.1.2").at(component.offset));
            }
            *bits = Some(band.low);
        }
        Ok(())
    }
}

/// Returns the band of a sequential scan. Its parameters have only one valid value and no effect on decoding.
fn sequential_band(scan: &ScanContext<'_>, deviations: &mut Vec<Deviation>) -> Band {
    let header = scan.header;
    let found = (header.spectral_start, header.spectral_end, header.approximation_high, header.approximation_low);
    if found != (0, 63, 0, 0) {
        let (start, end, high, low) = found;
        let text =
            format!("Ss {start}, Se {end}, Ah {high} and Al {low} found in a sequential scan, 0, 63, 0 and 0 expected");
        deviations.push(Deviation::new(text, "ITU-T T.81 B.2.3").at(header.offset));
    }
    Band::ALL
}

/// Returns the band of a progressive scan (T.81 Table B.3, G.1.1.1).
fn progressive_band(scan: &ScanContext<'_>) -> Result<Band> {
    let header = scan.header;
    let (first, last) = (header.spectral_start, header.spectral_end);
    let (high, low) = (header.approximation_high, header.approximation_low);
    let is_band = if first == 0 { last == 0 } else { first <= last && last <= 63 };
    if !is_band {
        let text = format!("Ss {first} and Se {last} found, 0 and 0 or 1 to 63 expected");
        return Err(malformed(text, "ITU-T T.81 G.1.1.1.1").at(header.offset));
    }
    if first > 0 && scan.components.len() > 1 {
        let text = format!("{} components found in a scan of AC coefficients, 1 expected", scan.components.len());
        return Err(malformed(text, "ITU-T T.81 G.1.1.1.1").at(scan.marker_offset));
    }
    if low > MAX_APPROXIMATION || high > 0 && low + 1 != high {
        let text =
            format!("Ah {high} and Al {low} found, Al at most {MAX_APPROXIMATION} and, after Ah > 0, Ah - 1 expected");
        return Err(malformed(text, "ITU-T T.81 G.1.1.1.2").at(header.offset + 2));
    }
    Ok(Band { first, last, high, low })
}

/// Returns the Huffman table that a component of a scan selects.
fn table(
    scan: &ScanContext<'_>,
    class: TableClass,
    component: &ScanComponent,
    deviations: &mut Vec<Deviation>,
) -> Result<HuffmanTable> {
    let destination = match class {
        TableClass::Dc => component.dc_table,
        TableClass::Ac => component.ac_table,
    };
    let clause = "ITU-T T.81 B.2.4.2";
    let Some((table, values_offset)) = scan.huffman.get(class, destination) else {
        let Some(table) = typical_table(class, destination) else {
            let text = format!("huffman table {destination} is not defined");
            return Err(malformed(text, clause).at(component.offset + 1));
        };
        let text = "no huffman table found, the typical tables of T.81 K.3 apply";
        if deviations.iter().all(|deviation| deviation.message != text) {
            deviations.push(Deviation::new(text, clause).at(component.offset + 1));
        }
        return Ok(table);
    };
    let max_category = if class == TableClass::Dc { MAX_DC_CATEGORY } else { u8::MAX };
    if let Some((index, category)) = (0..).zip(&table.values).find(|(_, category)| **category > max_category) {
        let text = format!("category {category} found, 0 to {MAX_DC_CATEGORY} expected");
        return Err(malformed(text, "ITU-T T.81 F.1.2.1").at(values_offset + index));
    }
    Ok(table.clone())
}

/// Returns the quantization table of the component at `index`.
fn quantization_table<'a>(scan: &ScanContext<'a>, index: usize) -> Result<&'a QuantizationValues> {
    let component = scan.frame.components.get(index);
    let (destination, offset) = component.map_or((0, 0), |component| (component.quantization_table, component.offset));
    scan.quantization.get(destination).ok_or_else(|| {
        let text = format!("quantization table {destination} is not defined");
        malformed(text, "ITU-T T.81 B.2.4.1").at(offset + 2)
    })
}
