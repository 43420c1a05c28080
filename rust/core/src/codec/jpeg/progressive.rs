//! Decodes frames of several scans: progressive (T.81 Annex G), and sequential ones with components in scans of their own.
//!
//! ```text
//! each scan:  segment ─► unstuffed bytes ─► coefficients of the whole frame
//! then:       MCU row ─► batches of blocks ─► Reconstruction
//! ```
//!
//! The coefficients are stored per component, row by row of blocks. A scan of one component codes ceil(width / 8) blocks
//! per row; a row of stored blocks is longer if whole MCUs are. The blocks at its end stay zero, and their samples are not
//! used.
//!
//! # Bounds
//!
//! The memory for coefficients is charged to the budget, and `plan` has checked that the data of the scans have a bit per
//! block before it is allocated. The time is bounded by the bits of the data, except for AC coefficients: a run of EOB can
//! end 32767 blocks. Such a run is skipped at once in the first scan of a band. A refinement scan looks at one word per
//! block; `plan` limits the blocks of all such scans. A call can be cancelled after every `CANCEL_BLOCKS` blocks.

use super::geometry::Geometry;
use super::header::{Band, MAX_MCU_BLOCKS, Scan};
use super::plan::{self, Plan};
use super::reconstruct::Reconstruction;
use super::segment::{SegmentBuffer, SegmentData};
use super::sequential::{BATCH_BLOCKS, BATCH_COEFFICIENTS, diagnose, unused_bytes};
use crate::codec::t81::huffman::HuffmanTable;
use crate::error::{DecodeError, Result, malformed};
use crate::frame::Deviation;
use crate::kernel::CpuLevel;
use crate::kernel::coefficients::progressive::{
    AcBand, AcBlocks, AcTable, Block, DcMcus, DcPosition, DcTable, decode_ac, decode_dc_first, refine_dc,
};
use crate::kernel::coefficients::{
    BLOCK_COEFFICIENTS, CoefficientError, HuffmanCode, McuTables, SPARE_COEFFICIENTS, SegmentState, decode_blocks,
};
use crate::limits::Limits;
use crate::output::Output;
use std::ops::Range;

/// Blocks between two cancellation checks.
const CANCEL_BLOCKS: usize = 1 << 14;

/// Scratch buffers of one thread, reused from frame to frame.
#[derive(Debug, Default)]
pub(super) struct ScratchBuffers {
    segment: SegmentBuffer,
    coefficients: Coefficients,
}

/// Coefficients of a frame, as `kernel::coefficients::progressive` describes them.
#[derive(Debug, Default)]
struct Coefficients {
    blocks: Vec<Block>,
    /// Sequential scans set all bits of a block that is coded.
    nonzero: Vec<u64>,
    dc: Vec<i16>,
    /// Blocks that are copied from or to the above; all zero between two batches.
    batch: Vec<i16>,
}

/// Blocks of one component in [`Coefficients`].
#[derive(Debug, Clone, Copy)]
struct Plane {
    /// Index of the first block.
    start: usize,
    /// Stored blocks per row.
    columns: usize,
    /// Blocks of an MCU, horizontally and vertically.
    sampling: (usize, usize),
}

/// Everything that the MCUs of a scan need.
struct ScanDecoder<'a> {
    tables: Tables<'a>,
    /// Planes of the components of the scan.
    planes: Vec<Plane>,
    level: CpuLevel,
}

/// Look-up tables of a scan, which select the kernel.
enum Tables<'a> {
    Sequential(&'a McuTables),
    DcFirst { tables: Vec<DcTable>, low: u8 },
    DcRefinement { low: u8 },
    Ac { table: Box<AcTable>, band: AcBand },
}

/// Decodes all scans into `output`. Returns the first deviation.
///
/// # Errors
/// `Malformed` for an unassigned code, `Truncated` if the data of a scan end too early, `LimitExceeded`, `Interrupted`, and
/// the errors of `output`.
pub(super) fn decode_scans(
    plan: &Plan<'_>,
    tables: &mut plan::Tables,
    scratch: &mut ScratchBuffers,
    reconstruction: &mut Reconstruction<'_>,
    limits: &Limits,
    output: &mut Output<'_>,
) -> Result<Option<Deviation>> {
    let (planes, block_count) = planes(&plan.geometry);
    let ScratchBuffers { segment, coefficients } = scratch;
    limits.grow_zeroed(&mut coefficients.blocks, block_count)?;
    limits.grow_zeroed(&mut coefficients.nonzero, block_count)?;
    limits.grow_zeroed(&mut coefficients.dc, block_count)?;
    limits.grow_zeroed(&mut coefficients.batch, BATCH_COEFFICIENTS)?;
    coefficients.nonzero.fill(0);
    coefficients.dc.fill(0);
    // An error may leave coefficients in the batch.
    coefficients.batch.fill(0);
    let mut deviation = None;
    for scan in &plan.scans {
        let mut planes: Vec<Plane> = scan.components.iter().filter_map(|index| planes.get(*index).copied()).collect();
        if let [plane] = planes.as_mut_slice() {
            // The MCU of a single component is a block.
            plane.sampling = (1, 1);
        }
        let tables = Tables::new(plan, scan, tables)?;
        let decoder = ScanDecoder { tables, planes, level: output.cpu_level() };
        let found = decode_scan(plan, scan, &decoder, segment, coefficients, limits, output)?;
        deviation = deviation.or(found);
    }
    reconstruct(plan, &planes, coefficients, reconstruction, output)?;
    Ok(deviation)
}

/// Returns the planes of all components for interleaved MCUs, and the number of their blocks.
fn planes(geometry: &Geometry) -> (Vec<Plane>, usize) {
    let mut start = 0;
    let planes = geometry.components.iter().map(|component| {
        let (horizontal, vertical) = component.sampling;
        let columns = geometry.mcu_columns * horizontal;
        let plane = Plane { start, columns, sampling: component.sampling };
        start += columns * geometry.mcu_rows * vertical;
        plane
    });
    (planes.collect(), start)
}

fn code(table: &HuffmanTable) -> HuffmanCode<'_> {
    HuffmanCode { counts: &table.counts, values: &table.values }
}

/// Returns the positions of the blocks of an MCU, in a row of MCUs of `planes`. They count components from 0.
fn mcu_positions(planes: &[Plane], mcu_row: usize) -> Vec<DcPosition> {
    let mut positions = Vec::with_capacity(MAX_MCU_BLOCKS);
    for (component, plane) in planes.iter().enumerate() {
        let (horizontal, vertical) = plane.sampling;
        for row in mcu_row * vertical..(mcu_row + 1) * vertical {
            let first = plane.start + row * plane.columns;
            positions.extend((0..horizontal).map(|h| DcPosition { component, offset: first + h, step: horizontal }));
        }
    }
    positions
}

impl<'a> Tables<'a> {
    /// Builds the tables of a scan.
    fn new(plan: &Plan<'_>, scan: &Scan, cached: &'a mut plan::Tables) -> Result<Self> {
        let Band { first, last, high, low } = scan.parameters.band;
        if !plan.is_progressive {
            return cached.of_scan(scan, &plan.geometry).map(Self::Sequential).ok_or_else(missing_tables);
        }
        let mut codes = scan.parameters.tables.iter();
        match (first, high) {
            (0, 0) => {
                let tables = codes.filter_map(|tables| tables.dc.as_ref()).map(|table| DcTable::new(code(table)));
                Ok(Self::DcFirst { tables: tables.collect(), low })
            }
            (0, _) => Ok(Self::DcRefinement { low }),
            _ => {
                let ac = codes.next().and_then(|tables| tables.ac.as_ref()).ok_or_else(missing_tables)?;
                let table = Box::new(AcTable::new(code(ac), high > 0));
                Ok(Self::Ac { table, band: AcBand { first, last, low } })
            }
        }
    }
}

impl ScanDecoder<'_> {
    /// Returns the number of blocks of an MCU.
    fn mcu_blocks(&self) -> usize {
        self.planes.iter().map(|plane| plane.sampling.0 * plane.sampling.1).sum()
    }

    /// Decodes `mcus`, a range of MCUs of one row.
    fn decode(
        &self,
        data: SegmentData<'_>,
        state: &mut SegmentState,
        mcu_row: usize,
        mcus: Range<usize>,
        coefficients: &mut Coefficients,
    ) -> Result<(), CoefficientError> {
        let positions = mcu_positions(&self.planes, mcu_row);
        let Coefficients { blocks, nonzero, dc, .. } = coefficients;
        match &self.tables {
            Tables::Sequential(tables) => {
                decode_sequential(data.bytes, state, tables, &positions, mcus, coefficients, self.level)
            }
            Tables::DcFirst { tables, low } => {
                let mcus = DcMcus { positions: &positions, mcus, low: *low, dc };
                decode_dc_first(data.bytes, state, tables, mcus, self.level)
            }
            Tables::DcRefinement { low } => {
                refine_dc(data.bytes, state, DcMcus { positions: &positions, mcus, low: *low, dc })
            }
            Tables::Ac { table, band } => {
                // The scan has one component, and an MCU one block.
                let first = positions.first().map_or(0, |position| position.offset);
                let range = first + mcus.start..first + mcus.end;
                let (Some(blocks), Some(nonzero)) = (blocks.get_mut(range.clone()), nonzero.get_mut(range)) else {
                    debug_assert!(false, "a scan has more blocks than the frame");
                    return Err(CoefficientError::Truncated);
                };
                decode_ac(data.bytes, state, table, AcBlocks { band: *band, blocks, nonzero }, self.level)
            }
        }
    }
}

/// Decodes all segments of one scan. Returns its deviation, if it has one.
fn decode_scan(
    plan: &Plan<'_>,
    scan: &Scan,
    decoder: &ScanDecoder<'_>,
    buffer: &mut SegmentBuffer,
    coefficients: &mut Coefficients,
    limits: &Limits,
    output: &Output<'_>,
) -> Result<Option<Deviation>> {
    let mcu_blocks = decoder.mcu_blocks();
    let (mcu_columns, mcu_rows) = plan.geometry.scan_mcus(&scan.components);
    let mcu_count = mcu_columns * mcu_rows;
    let interval = if scan.restart_interval == 0 { mcu_count } else { scan.restart_interval.into() };
    let (mut mcu, mut unchecked_blocks, mut deviation) = (0, 0, None);
    for segment in &scan.segments {
        let data = buffer.load(plan.frame, segment, limits, decoder.level)?;
        let mut state = SegmentState::new(0, data.end_bit);
        let (first, end) = (mcu, mcu_count.min(mcu + interval));
        while mcu < end {
            let (row, column) = (mcu / mcu_columns, mcu % mcu_columns);
            let mcus = column..mcu_columns.min(column + end - mcu);
            mcu += mcus.len();
            unchecked_blocks += mcus.len() * mcu_blocks;
            if unchecked_blocks >= CANCEL_BLOCKS {
                unchecked_blocks = 0;
                output.check_cancelled()?;
            }
            decoder
                .decode(data, &mut state, row, mcus, coefficients)
                .map_err(|error| diagnose(error, plan, segment, (end - first) * mcu_blocks))?;
        }
        deviation = deviation.or_else(|| unused_bytes(segment, &state));
    }
    Ok(deviation)
}

/// Decodes MCUs of a sequential scan: in batches, which are copied to their positions.
fn decode_sequential(
    data: &[u8],
    state: &mut SegmentState,
    tables: &McuTables,
    positions: &[DcPosition],
    mcus: Range<usize>,
    coefficients: &mut Coefficients,
    level: CpuLevel,
) -> Result<(), CoefficientError> {
    let Coefficients { blocks, nonzero, dc, batch } = coefficients;
    let batch_mcus = BATCH_BLOCKS / positions.len().max(1);
    for first in mcus.clone().step_by(batch_mcus) {
        let count = batch_mcus.min(mcus.end - first) * positions.len();
        let batch = batch.get_mut(..count * BLOCK_COEFFICIENTS + SPARE_COEFFICIENTS).unwrap_or_default();
        decode_blocks(data, state, tables, batch, level)?;
        let (decoded, _) = batch.as_chunks_mut::<BLOCK_COEFFICIENTS>();
        let indices = (first..mcus.end).flat_map(|mcu| positions.iter().map(move |p| p.offset + mcu * p.step));
        for (index, decoded) in indices.take(count).zip(decoded) {
            let block = (blocks.get_mut(index), nonzero.get_mut(index), dc.get_mut(index));
            let (Some(block), Some(nonzero), Some(dc)) = block else {
                debug_assert!(false, "a scan has more blocks than the frame");
                return Err(CoefficientError::Truncated);
            };
            (*block, *nonzero, *dc) = (*decoded, u64::MAX, decoded[0]);
            *decoded = [0; BLOCK_COEFFICIENTS];
        }
    }
    Ok(())
}

/// Passes the coefficients of all MCUs on, in batches of MCUs of one row.
fn reconstruct(
    plan: &Plan<'_>,
    planes: &[Plane],
    coefficients: &mut Coefficients,
    reconstruction: &mut Reconstruction<'_>,
    output: &mut Output<'_>,
) -> Result<()> {
    let Coefficients { blocks, nonzero, dc, batch } = coefficients;
    let mcu_columns = plan.geometry.mcu_columns;
    for mcu_row in 0..plan.geometry.mcu_rows {
        let positions = mcu_positions(planes, mcu_row);
        let batch_mcus = BATCH_BLOCKS / positions.len().max(1);
        for first in (0..mcu_columns).step_by(batch_mcus) {
            let count = batch_mcus.min(mcu_columns - first) * positions.len();
            let batch = batch.get_mut(..count * BLOCK_COEFFICIENTS).unwrap_or_default();
            let indices = (first..mcu_columns).flat_map(|mcu| positions.iter().map(move |p| p.offset + mcu * p.step));
            for (index, target) in indices.zip(batch.as_chunks_mut::<BLOCK_COEFFICIENTS>().0) {
                if let (Some(block), Some(1..)) = (blocks.get(index), nonzero.get(index)) {
                    *target = *block;
                }
                target[0] = dc.get(index).copied().unwrap_or(0);
            }
            reconstruction.blocks(batch, output)?;
        }
    }
    Ok(())
}

/// The error of an impossible scan: `header` gives each scan the tables that it needs.
fn missing_tables() -> DecodeError {
    debug_assert!(false, "a scan without its huffman tables");
    malformed("huffman table is not defined", "ITU-T T.81 B.2.4.2")
}
