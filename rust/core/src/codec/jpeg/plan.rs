//! Header and attributes → everything that the decoding loops need, validated.

use super::geometry::Geometry;
use super::header::{Header, Scan, ScanTables};
use crate::codec::t81::marker::Process;
use crate::error::{DecodeError, Result, limit_exceeded, malformed, truncated};
use crate::frame::FrameInfo;
use crate::kernel::coefficients::{BlockCodes, HuffmanCode, McuTables};
use crate::kernel::idct::{Precision, QuantizationTable};
use std::ops::Range;

/// Sets of look-up tables that are cached from frame to frame: the frames of an object often have the same Huffman tables.
const MAX_CACHED_TABLES: usize = 4;
/// Bytes of SOI, DQT, SOF, DHT and SOS, without their components and tables.
const MIN_HEADER_BYTES: u64 = 2 + 4 + 10 + 4 + 8;
/// Bytes that one component adds to SOF and SOS.
const COMPONENT_BYTES: u64 = 3 + 2;
/// Pixels for which a frame has at least one bit: a DC coefficient is coded for each block of 64 samples, and all
/// components together have a sample for at least two pixels (for factors 4 × 1 and 1 × 4).
const MAX_PIXELS_PER_BIT: u64 = 2 * 64;
/// Blocks that all refinement scans of AC coefficients together may look at. A few bits can code an empty refinement of
/// thousands of blocks, so 900 KB could cost a minute. These blocks take 2 to 3 seconds; a frame of 65500 × 65500
/// pixels and 3 components may have 5 such scans per component, where encoders write one or two.
const MAX_REFINED_BLOCKS: u64 = 1 << 30;

/// One frame.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// The bytes of the frame.
    pub(super) frame: &'a [u8],
    pub(super) geometry: Geometry,
    pub(super) precision: Precision,
    /// Quantization table of each component: the one that is defined when its first scan starts.
    pub(super) quantization: Vec<QuantizationTable>,
    pub(super) is_progressive: bool,
    pub(super) scans: Vec<Scan>,
}

/// Returns the size of the shortest codestream of such a frame.
pub(super) fn min_frame_bytes(info: &FrameInfo) -> u64 {
    let attributes = info.attributes();
    let pixels = u64::from(attributes.rows) * u64::from(attributes.columns);
    MIN_HEADER_BYTES + COMPONENT_BYTES * info.samples_per_pixel() as u64 + pixels / MAX_PIXELS_PER_BIT / 8
}

impl<'a> Plan<'a> {
    /// Plans the decoding of a frame whose header agrees with the attributes. `reduce` is the number of resolutions that
    /// are discarded.
    ///
    /// # Errors
    /// `Truncated` and `Malformed` if a scan cannot hold its coefficients.
    pub(super) fn new(frame: &'a [u8], header: Header, reduce: u32) -> Result<Self> {
        let is_progressive = header.frame.process == Process::Progressive;
        let geometry = Geometry::reduced(&header.frame, header.lines, reduce);
        for scan in &header.scans {
            check_scan(scan, &geometry, is_progressive)?;
        }
        check_refinements(&header.scans, &geometry)?;
        let component_count = header.frame.components.len();
        let quantization = (0..component_count).filter_map(|index| first_quantization_table(&header.scans, index));
        Ok(Self {
            frame,
            precision: if header.frame.precision == 8 { Precision::Eight } else { Precision::Twelve },
            quantization: quantization.collect(),
            is_progressive,
            geometry,
            scans: header.scans,
        })
    }

    /// Returns the plan of some of the rows of interleaved MCUs, as if they were a frame. It has no scans.
    pub(super) fn band(&self, mcu_rows: &Range<usize>) -> Self {
        let geometry = self.geometry.band(mcu_rows);
        Self { geometry, quantization: self.quantization.clone(), scans: Vec::new(), ..*self }
    }

    /// Returns the scan, if there is only one, and it is sequential.
    pub(super) fn single_scan(&self) -> Option<&Scan> {
        match self.scans.as_slice() {
            [scan] if !self.is_progressive => Some(scan),
            _ => None,
        }
    }
}

fn first_quantization_table(scans: &[Scan], component: usize) -> Option<QuantizationTable> {
    scans.iter().find_map(|scan| {
        let index = scan.components.iter().position(|in_scan| *in_scan == component)?;
        scan.parameters.quantization.get(index).map(QuantizationTable::new)
    })
}

/// Checks the number of restart intervals, and that the data of DC coefficients are long enough.
fn check_scan(scan: &Scan, geometry: &Geometry, is_progressive: bool) -> Result<()> {
    let (mcu_columns, mcu_rows) = geometry.scan_mcus(&scan.components);
    let mcus = mcu_columns * mcu_rows;
    let end = scan.segments.last().map_or(0, |last| last.end);
    let expected = if scan.restart_interval == 0 { 1 } else { mcus.div_ceil(scan.restart_interval.into()) };
    if scan.segments.len() != expected {
        let text = format!("{} restart intervals found, {expected} expected", scan.segments.len());
        let error: fn(String, &'static str) -> DecodeError =
            if scan.segments.len() > expected { malformed } else { truncated };
        return Err(error(text, "ITU-T T.81 E.1.4").at(end));
    }
    let blocks = match scan.components.len() {
        1 => mcus,
        _ => mcus * geometry.mcu_blocks(&scan.components),
    };
    // Each code has at least one bit: DC and EOB of a sequential block, DC of a progressive one. A progressive scan of AC
    // coefficients may code many blocks by one EOB run.
    let min_bits = match (is_progressive, scan.parameters.band.first) {
        (false, _) => blocks * 2,
        (true, 0) => blocks,
        (true, _) => 1,
    };
    let bytes: usize = scan.segments.iter().map(ExactSizeIterator::len).sum();
    if bytes * 8 < min_bits {
        let min_bytes = min_bits.div_ceil(8);
        let text = format!("{bytes} entropy-coded bytes found, at least {min_bytes} expected for {blocks} blocks");
        return Err(truncated(text, "ITU-T T.81 F.1.2").at(end));
    }
    Ok(())
}

/// Checks the number of blocks that refinement scans of AC coefficients look at.
fn check_refinements(scans: &[Scan], geometry: &Geometry) -> Result<()> {
    let mut blocks = 0_u64;
    for scan in scans.iter().filter(|scan| scan.parameters.band.first > 0 && scan.parameters.band.high > 0) {
        let (columns, rows) = geometry.scan_mcus(&scan.components);
        blocks += columns as u64 * rows as u64;
        if blocks > MAX_REFINED_BLOCKS {
            let text = format!("refinement scans of more than {MAX_REFINED_BLOCKS} blocks in all");
            let offset = scan.segments.first().map_or(0, |first| first.start);
            return Err(limit_exceeded(text, "ITU-T T.81 G.1.2.3").at(offset));
        }
    }
    Ok(())
}

/// Look-up tables of the last sequential scans of one thread.
#[derive(Debug, Default)]
pub(super) struct Tables(Vec<McuTables>);

impl Tables {
    /// Returns the tables of a sequential scan, built if they are not cached.
    pub(super) fn of_scan(&mut self, scan: &Scan, geometry: &Geometry) -> Option<&McuTables> {
        let mut blocks = Vec::new();
        for ((index, component), tables) in scan.components.iter().enumerate().zip(&scan.parameters.tables) {
            let ScanTables { dc: Some(dc), ac: Some(ac) } = tables else { return None };
            let dc = HuffmanCode { counts: &dc.counts, values: &dc.values };
            let ac = HuffmanCode { counts: &ac.counts, values: &ac.values };
            let block_count = match scan.components.len() {
                1 => 1,
                _ => geometry.mcu_blocks(&[*component]),
            };
            blocks.extend((0..block_count).map(|_| BlockCodes { dc, ac, component: index }));
        }
        let cached = self.0.iter().position(|tables| tables.is_of(&blocks));
        let index = match cached {
            Some(index) => index,
            None => {
                if self.0.len() >= MAX_CACHED_TABLES {
                    self.0.clear();
                }
                self.0.push(McuTables::new(&blocks));
                self.0.len() - 1
            }
        };
        self.0.get(index)
    }
}
