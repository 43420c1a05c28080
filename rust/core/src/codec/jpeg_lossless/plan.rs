//! Header + attributes → what the loop needs: how many symbols of which tables make which samples (T.81 Annex H).

use super::header::{Header, Scan};
use crate::codec::FrameContext;
use crate::codec::t81::headers::MAX_SCAN_COMPONENTS;
use crate::codec::t81::huffman::HuffmanTable;
use crate::error::{Result, malformed, mismatch, truncated, unsupported};
use crate::frame::{Deviation, FrameInfo};
use crate::kernel::huffman::Table;
use std::ops::Range;

/// Tables that are kept from frame to frame: the frames of an object often share theirs.
const KEPT_TABLES: usize = 16;
/// Samples from which on it pays to look for pairs of symbols in a table.
const PAIRED_SAMPLES: u64 = 1 << 14;
/// SOI, SOF3, DHT of one code, SOS, without the components.
const LEAST_HEADER_BYTES: u64 = 2 + 10 + 22 + 8;
/// What a component adds to SOF3 and SOS.
const COMPONENT_BYTES: u64 = 3 + 2;

/// One scan, as its symbols are turned into samples.
#[derive(Debug)]
pub(super) struct ScanPlan {
    /// Which components of the frame are in the scan, in its order.
    pub(super) components: Vec<usize>,
    /// Places in [`Tables`]: of each component, or of all.
    pub(super) tables: Vec<usize>,
    pub(super) selection_value: u8,
    /// Bits that samples are shifted left at last.
    pub(super) point_transform: u32,
    /// Prediction of the first pixel: 2^(P - Pt - 1).
    pub(super) initial: u16,
    /// Rows of a segment; the last may have fewer.
    pub(super) segment_rows: usize,
    /// Where the entropy-coded segments lie in the frame.
    pub(super) segments: Vec<Range<usize>>,
}

impl ScanPlan {
    /// Rows of a segment of a scan of `rows`, 0 behind the last.
    pub(super) fn rows_of(&self, segment: usize, rows: usize) -> usize {
        rows.saturating_sub(segment.saturating_mul(self.segment_rows)).min(self.segment_rows)
    }
}

/// What the loop needs to know of one frame.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) frame: &'a [u8],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) components: usize,
    /// Bytes of a decoded sample: 1, 2, or more than the samples fill.
    pub(super) sample_bytes: usize,
    /// P, and the low P bits.
    pub(super) precision: u32,
    pub(super) mask: u16,
    pub(super) scans: Vec<ScanPlan>,
    pub(super) deviations: Vec<Deviation>,
    /// That its colour is not what the data set says.
    pub(super) colour: Option<Deviation>,
}

/// The tables of a thread's last frames, and of how many samples they were.
#[derive(Debug, Default)]
pub(super) struct Tables(Vec<(HuffmanTable, Table, u64)>);

impl Tables {
    /// The place of a table for so many samples more, which is made where it is not there yet.
    fn find(&mut self, wanted: HuffmanTable, group: usize, samples: u64) -> usize {
        let found = self.0.iter().position(|(have, table, _)| table.group() == group && *have == wanted);
        let place = found.unwrap_or_else(|| {
            let table = Table::new(wanted.counts, &wanted.values, group);
            self.0.push((wanted, table, 0));
            self.0.len() - 1
        });
        if let Some((_, table, all)) = self.0.get_mut(place) {
            *all += samples;
            if *all >= PAIRED_SAMPLES {
                table.pair();
            }
        }
        place
    }

    /// Forgets all, if they are many.
    pub(super) fn shrink(&mut self) {
        if self.0.len() > KEPT_TABLES {
            self.0.clear();
        }
    }

    /// The tables at `places`.
    pub(super) fn at(&self, places: &[usize]) -> Vec<&Table> {
        places.iter().filter_map(|place| self.0.get(*place)).map(|(_, table, _)| table).collect()
    }
}

/// The shortest codestream of such a frame: headers, and a bit for each sample.
pub(super) fn min_frame_bytes(info: &FrameInfo) -> u64 {
    let components = info.samples_per_pixel() as u64;
    LEAST_HEADER_BYTES + COMPONENT_BYTES * components + (info.samples() as u64).div_ceil(8)
}

impl<'a> Plan<'a> {
    /// Holds the header against the attributes.
    ///
    /// # Errors
    /// `Mismatch` where they contradict each other, `Truncated` where the data are too short to hold the samples however
    /// they are coded.
    pub(super) fn new(
        frame: &'a [u8],
        header: Header,
        context: &FrameContext<'_>,
        tables: &mut Tables,
    ) -> Result<Self> {
        let info = context.info;
        check_attributes(&header, info)?;
        let components = header.frame.components.len();
        let (rows, columns) = (usize::from(header.lines), usize::from(header.frame.columns));
        let precision = header.frame.precision;
        let mut recipe = Self {
            frame,
            rows,
            columns,
            components,
            sample_bytes: info.sample_bytes(),
            precision: precision.into(),
            mask: u16::MAX >> (16 - precision.clamp(1, 16)),
            scans: Vec::with_capacity(header.scans.len()),
            deviations: header.deviations,
            colour: None,
        };
        for scan in header.scans {
            recipe.scans.push(scan_recipe(scan, rows, columns, precision, tables)?);
        }
        Ok(recipe)
    }
}

impl Plan<'_> {
    /// Symbols of a segment of `scan`, 0 behind the last.
    pub(super) fn symbols(&self, scan: &ScanPlan, segment: usize) -> usize {
        scan.rows_of(segment, self.rows) * self.columns * scan.components.len()
    }
}

/// What the codestream and the data set both say.
pub(super) fn check_attributes(header: &Header, info: &FrameInfo) -> Result<()> {
    let attributes = info.attributes();
    let frame = &header.frame;
    let differ = |name: &str, found: u32, expected: u32, offset: usize| {
        let text = format!("{name} {found} found in the codestream, {expected} in the data set");
        Err(mismatch(text, "PS3.5 8.2.1").at(offset))
    };
    if u32::from(header.lines) != attributes.rows {
        return differ("number of lines", header.lines.into(), attributes.rows, header.lines_at);
    }
    if u32::from(frame.columns) != attributes.columns {
        return differ("samples per line", frame.columns.into(), attributes.columns, frame.offset + 3);
    }
    if frame.components.len() != attributes.samples_per_pixel as usize {
        let found = u32::try_from(frame.components.len()).unwrap_or(u32::MAX);
        return differ("number of components", found, attributes.samples_per_pixel, frame.offset + 5);
    }
    if u32::from(frame.precision) > attributes.bits_allocated {
        let text = format!(
            "precision {} found in the codestream, bits allocated {} in the data set",
            frame.precision, attributes.bits_allocated
        );
        return Err(mismatch(text, "PS3.5 8.2.1").at(frame.offset));
    }
    if info.is_float() || info.is_bit_packed() {
        let text = format!("bits allocated {} found, 8 or more integer bits expected", attributes.bits_allocated);
        return Err(unsupported(text, "PS3.5 8.2.1"));
    }
    Ok(())
}

fn scan_recipe(scan: Scan, rows: usize, columns: usize, precision: u8, tables: &mut Tables) -> Result<ScanPlan> {
    let segment_rows = match usize::from(scan.restart_interval) / columns {
        0 => rows,
        rows_of_interval => rows_of_interval,
    };
    let end = scan.segments.last().map_or(0, |last| last.end);
    let expected = rows.div_ceil(segment_rows);
    if scan.segments.len() > expected {
        let text = format!("{} restart intervals found, {expected} expected", scan.segments.len());
        return Err(malformed(text, "ITU-T T.81 E.1.4").at(end));
    }
    if scan.segments.len() < expected {
        let text = format!("{} restart intervals found, {expected} expected", scan.segments.len());
        return Err(truncated(text, "ITU-T T.81 E.1.4").at(end));
    }
    let samples = rows as u64 * columns as u64 * scan.components.len() as u64;
    let bytes: u64 = scan.segments.iter().map(|segment| segment.len() as u64).sum();
    if samples > bytes * 8 {
        let text = format!("{bytes} bytes found for {samples} samples of at least 1 bit each");
        return Err(truncated(text, "ITU-T T.81 H.1.2.2").at(end));
    }
    let first = scan.tables.first();
    let is_one_table = scan.tables.iter().all(|table| Some(table) == first);
    let cycle = if is_one_table { 1 } else { scan.tables.len().min(MAX_SCAN_COMPONENTS) };
    let group = group(cycle, bytes * 8, samples);
    Ok(ScanPlan {
        tables: scan.tables.into_iter().take(cycle).map(|table| tables.find(table, group, samples)).collect(),
        components: scan.components,
        selection_value: scan.selection_value,
        point_transform: scan.point_transform.into(),
        initial: 1 << (precision - scan.point_transform - 1).min(15),
        segment_rows,
        segments: scan.segments,
    })
}

/// Probes of one refill: as many as seldom need more bits than a refill gives, and whole cycles of tables.
fn group(cycle: usize, bits: u64, samples: u64) -> usize {
    let fits = match bits * 2 / samples.max(1) {
        0..3 => 8,
        3..12 => 4,
        12..20 => 3,
        _ => 2,
    };
    match cycle {
        1 => fits,
        2 => (fits & !1).max(2),
        3 => 3,
        _ => fits.max(4),
    }
}
