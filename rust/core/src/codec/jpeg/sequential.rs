//! Decodes the scan of a sequential frame that has all components in one scan (T.81 F.2).
//!
//! ```text
//! segment ─► unstuffed bytes ─► blocks of coefficients ─► Reconstruction
//!            segment.rs         at most BATCH_BLOCKS       inverse DCT, rows of pixels
//! ```

use super::header::Scan;
use super::plan::Plan;
use super::reconstruct::Reconstruction;
use super::segment::{PADDING_BYTES, SegmentBuffer, frame_offset};
use crate::error::{DecodeError, Result, malformed, truncated};
use crate::frame::Deviation;
use crate::kernel::coefficients::{
    BLOCK_COEFFICIENTS, CoefficientError, McuTables, SPARE_COEFFICIENTS, SegmentState, decode_blocks,
};
use crate::limits::Limits;
use crate::output::Output;
use std::ops::Range;

/// Blocks that are decoded before their inverse DCT: 32 KiB of coefficients. The speed is the same for 32 to 512 blocks.
pub(super) const BATCH_BLOCKS: usize = 256;
/// Coefficients of a batch, with the spare ones that the kernel requires.
pub(super) const BATCH_COEFFICIENTS: usize = BATCH_BLOCKS * BLOCK_COEFFICIENTS + SPARE_COEFFICIENTS;

/// Scratch buffers of one thread, reused from frame to frame.
#[derive(Debug, Default)]
pub(super) struct ScratchBuffers {
    segment: SegmentBuffer,
    /// Coefficients of a batch; all zero between two batches.
    coefficients: Vec<i16>,
}

impl ScratchBuffers {
    /// Bytes that scans with segments of up to `segment_bytes` bytes need.
    pub(super) const fn max_bytes(segment_bytes: usize) -> usize {
        segment_bytes + PADDING_BYTES + BATCH_COEFFICIENTS * size_of::<i16>()
    }
}

/// A scan, or some of its restart intervals.
#[derive(Clone, Copy)]
pub(super) struct ScanPart<'a> {
    pub(super) scan: &'a Scan,
    /// Byte ranges of the restart intervals.
    pub(super) segments: &'a [Range<usize>],
    pub(super) tables: &'a McuTables,
}

/// Decodes `part`, which codes the MCUs of `plan`, into `output`. Returns the first deviation.
///
/// # Errors
/// `Malformed` for an unassigned code, `Truncated` if the data end too early, `LimitExceeded`, and the errors of `output`.
pub(super) fn decode_scan(
    plan: &Plan<'_>,
    part: ScanPart<'_>,
    scratch: &mut ScratchBuffers,
    reconstruction: &mut Reconstruction<'_>,
    limits: &Limits,
    output: &mut Output<'_>,
) -> Result<Option<Deviation>> {
    let ScanPart { scan, segments, tables } = part;
    let level = output.cpu_level();
    let mcu_blocks = reconstruction.mcu_blocks();
    let (mcu_columns, mcu_rows) = plan.geometry.scan_mcus(&scan.components);
    let mut mcus_left = mcu_columns * mcu_rows;
    let interval = if scan.restart_interval == 0 { mcus_left } else { scan.restart_interval.into() };
    let ScratchBuffers { segment: buffer, coefficients } = scratch;
    limits.grow_zeroed(coefficients, BATCH_COEFFICIENTS)?;
    let mut deviation = None;
    // Blocks of the batch.
    let mut batched = 0;
    for segment in segments {
        let data = buffer.load(plan.frame, segment, limits, level)?;
        let mut state = SegmentState::new(0, data.end_bit);
        let segment_blocks = interval.min(mcus_left) * mcu_blocks;
        mcus_left -= interval.min(mcus_left);
        let mut decoded = 0;
        while decoded < segment_blocks {
            let blocks = (segment_blocks - decoded).min(BATCH_BLOCKS - batched);
            let range = batched * BLOCK_COEFFICIENTS..(batched + blocks) * BLOCK_COEFFICIENTS + SPARE_COEFFICIENTS;
            let batch = coefficients.get_mut(range).unwrap_or_default();
            if let Err(error) = decode_blocks(data.bytes, &mut state, tables, batch, level) {
                coefficients.fill(0);
                let error = diagnose(error, plan, segment, segment_blocks);
                return Err(error);
            }
            decoded += blocks;
            batched += blocks;
            if batched == BATCH_BLOCKS || mcus_left == 0 && decoded == segment_blocks {
                let batch = coefficients.get_mut(..batched * BLOCK_COEFFICIENTS).unwrap_or_default();
                let result = reconstruction.blocks(batch, output);
                if result.is_err() {
                    coefficients.fill(0);
                }
                result?;
                batched = 0;
            }
        }
        deviation = deviation.or_else(|| unused_bytes(segment, &state));
    }
    Ok(deviation)
}

/// Returns the deviation of bytes after the last block of a segment; the last byte may be filled up with ones.
pub(super) fn unused_bytes(segment: &Range<usize>, state: &SegmentState) -> Option<Deviation> {
    let is_used = state.end_bit.saturating_sub(state.bit_offset) < 8;
    let text = "bytes follow the last block of a scan or restart interval";
    (!is_used).then(|| Deviation::new(text, "ITU-T T.81 F.1.2.3").at(segment.end))
}

/// Returns the error of a segment, which has `blocks` blocks.
pub(super) fn diagnose(error: CoefficientError, plan: &Plan<'_>, segment: &Range<usize>, blocks: usize) -> DecodeError {
    match error {
        CoefficientError::Unassigned { bit_offset } => malformed("huffman code is not assigned", "ITU-T T.81 F.2.2.3")
            .at(frame_offset(plan.frame, segment, bit_offset / 8)),
        CoefficientError::Truncated => {
            let text = format!("entropy-coded data end before the last of {blocks} blocks");
            truncated(text, "ITU-T T.81 F.2.2").at(segment.end)
        }
    }
}
