//! Header and attributes → everything the decoding loop needs, validated (T.81 Annex H).

use super::header::{Header, Parameters, Scan};
use crate::codec::FrameContext;
use crate::codec::t81::headers::MAX_SCAN_COMPONENTS;
use crate::codec::t81::huffman::HuffmanTable;
use crate::error::{Result, malformed, truncated};
use crate::frame::{Deviation, FrameInfo};
use crate::kernel::huffman::Table;
use std::ops::Range;

/// Look-up tables that are cached from frame to frame: the frames of an object often have the same Huffman tables.
const MAX_CACHED_TABLES: usize = 16;
/// Samples from which on a pair table is built: for fewer, building it costs more than it saves.
const MIN_PAIRED_SAMPLES: u64 = 1 << 14;
/// Bytes of SOI, SOF3, DHT with one code, and SOS, without their components.
const MIN_HEADER_BYTES: u64 = 2 + 10 + 22 + 8;
/// Bytes that one component adds to SOF3 and SOS.
const COMPONENT_BYTES: u64 = 3 + 2;

/// One scan.
#[derive(Debug)]
pub(super) struct ScanPlan {
    /// Indices in the frame header of the scan's components.
    pub(super) components: Vec<usize>,
    /// Indices in [`Tables`]: one per component, or one for all components.
    pub(super) tables: Vec<usize>,
    /// Selection value, 1 to 7 (Table H.1).
    pub(super) selection_value: u8,
    /// Bits that samples are shifted left after prediction.
    pub(super) point_transform: u32,
    /// Prediction of the first sample of each component: 2^(P - Pt - 1).
    pub(super) initial: u16,
    /// Rows of a restart interval; all rows if there are none.
    pub(super) interval_rows: usize,
    /// Byte ranges of the entropy-coded segments in the frame: one per restart interval.
    pub(super) segments: Vec<Range<usize>>,
}

impl ScanPlan {
    /// Returns the number of rows of a segment of a scan of `rows` rows: fewer in the last one, 0 after it.
    pub(super) fn segment_rows(&self, segment: usize, rows: usize) -> usize {
        rows.saturating_sub(segment.saturating_mul(self.interval_rows)).min(self.interval_rows)
    }
}

/// One frame.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) frame: &'a [u8],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) components: usize,
    /// Bytes of a stored sample; more than two if Bits Allocated is more than 16.
    pub(super) sample_bytes: usize,
    /// The low P bits.
    pub(super) mask: u16,
    pub(super) scans: Vec<ScanPlan>,
    pub(super) deviations: Vec<Deviation>,
}

/// Look-up tables of the last frames of one thread.
#[derive(Debug, Default)]
pub(super) struct Tables(Vec<CachedTable>);

#[derive(Debug)]
struct CachedTable {
    huffman: HuffmanTable,
    table: Table,
    /// Samples that were decoded, or are about to be, by this table.
    samples: u64,
}

impl Tables {
    /// Returns the index of the look-up table of `huffman`, built if it is not cached. `samples` is the number of samples
    /// that it will decode.
    fn index_of(&mut self, huffman: HuffmanTable, probes_per_refill: usize, samples: u64) -> usize {
        let is_same =
            |cached: &CachedTable| cached.table.probes_per_refill() == probes_per_refill && cached.huffman == huffman;
        let index = self.0.iter().position(is_same).unwrap_or_else(|| {
            let table = Table::new(huffman.counts, &huffman.values, probes_per_refill);
            self.0.push(CachedTable { huffman, table, samples: 0 });
            self.0.len() - 1
        });
        if let Some(cached) = self.0.get_mut(index) {
            cached.samples += samples;
            if cached.samples >= MIN_PAIRED_SAMPLES {
                cached.table.build_pair_table();
            }
        }
        index
    }

    /// Empties the cache if it is full.
    pub(super) fn shrink(&mut self) {
        if self.0.len() > MAX_CACHED_TABLES {
            self.0.clear();
        }
    }

    /// Returns the tables at `indices`.
    pub(super) fn at(&self, indices: &[usize]) -> Vec<&Table> {
        indices.iter().filter_map(|index| self.0.get(*index)).map(|cached| &cached.table).collect()
    }
}

/// Returns the size of the shortest codestream of such a frame: headers, and one bit per sample.
pub(super) fn min_frame_bytes(info: &FrameInfo) -> u64 {
    let components = info.samples_per_pixel() as u64;
    MIN_HEADER_BYTES + COMPONENT_BYTES * components + (info.samples() as u64).div_ceil(8)
}

impl<'a> Plan<'a> {
    /// Plans the decoding of a frame whose header agrees with the attributes, and builds the look-up tables.
    ///
    /// # Errors
    /// `Truncated` if the data cannot hold the samples at one bit each.
    pub(super) fn new(
        frame: &'a [u8],
        header: Header,
        context: &FrameContext<'_>,
        tables: &mut Tables,
    ) -> Result<Self> {
        let info = context.info;
        let components = header.frame.components.len();
        let (rows, columns) = (usize::from(header.lines), usize::from(header.frame.columns));
        let precision = header.frame.precision;
        let mut plan = Self {
            frame,
            rows,
            columns,
            components,
            sample_bytes: info.sample_bytes(),
            mask: u16::MAX >> (16 - precision.clamp(1, 16)),
            scans: Vec::with_capacity(header.scans.len()),
            deviations: header.deviations,
        };
        for scan in header.scans {
            plan.scans.push(plan_scan(scan, rows, columns, precision, tables)?);
        }
        Ok(plan)
    }
}

impl Plan<'_> {
    /// Returns the number of symbols of a segment of `scan`, 0 after the last one.
    pub(super) fn segment_symbols(&self, scan: &ScanPlan, segment: usize) -> usize {
        scan.segment_rows(segment, self.rows) * self.columns * scan.components.len()
    }
}

fn plan_scan(scan: Scan, rows: usize, columns: usize, precision: u8, tables: &mut Tables) -> Result<ScanPlan> {
    let interval_rows = match usize::from(scan.restart_interval) / columns {
        0 => rows,
        interval_rows => interval_rows,
    };
    let end = scan.segments.last().map_or(0, |last| last.end);
    let expected = rows.div_ceil(interval_rows);
    if scan.segments.len() != expected {
        let text = format!("{} restart intervals found, {expected} expected", scan.segments.len());
        let error = if scan.segments.len() > expected { malformed } else { truncated };
        return Err(error(text, "ITU-T T.81 E.1.4").at(end));
    }
    let samples = rows as u64 * columns as u64 * scan.components.len() as u64;
    let bytes: u64 = scan.segments.iter().map(|segment| segment.len() as u64).sum();
    if samples > bytes * 8 {
        let min_bytes = samples.div_ceil(8);
        let text = format!("{bytes} entropy-coded bytes found, at least {min_bytes} expected for {samples} samples");
        return Err(truncated(text, "ITU-T T.81 H.1.2.2").at(end));
    }
    let first = scan.parameters.tables.first();
    let is_one_table = scan.parameters.tables.iter().all(|table| Some(table) == first);
    let cycle = if is_one_table { 1 } else { scan.parameters.tables.len().min(MAX_SCAN_COMPONENTS) };
    let probes = probes_per_refill(cycle, bytes * 8, samples);
    let Parameters { tables: scan_tables, selection_value, point_transform } = scan.parameters;
    Ok(ScanPlan {
        tables: scan_tables.into_iter().take(cycle).map(|table| tables.index_of(table, probes, samples)).collect(),
        components: scan.components,
        selection_value,
        point_transform: point_transform.into(),
        initial: 1 << (precision - point_transform - 1).min(15),
        interval_rows,
        segments: scan.segments,
    })
}

/// Returns the number of probes per refill for `samples` samples in `bits` bits, a multiple of the `cycle` of tables.
///
/// A refill gives at least 56 bits: 7 per probe of 8 probes, 14 of 4, 18 of 3, 28 of 2. Symbols that need more cost a
/// slow path for the whole refill, so the mean length of a symbol must be well below that share: with a number twice
/// too large, decoding fell from 600 to 80 MB/s (measured). A smaller number only costs more refills.
fn probes_per_refill(cycle: usize, bits: u64, samples: u64) -> usize {
    // By the mean length of a symbol in half bits: under 1.5 bits, under 5.5, under 10, and more.
    let probes = match bits * 2 / samples.max(1) {
        0..3 => 8,
        3..11 => 4,
        11..20 => 3,
        _ => 2,
    };
    match cycle {
        1 => probes,
        2 => (probes & !1).max(2),
        3 => 3,
        _ => probes.max(4),
    }
}
