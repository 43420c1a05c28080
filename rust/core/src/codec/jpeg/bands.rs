//! Decodes one sequential frame with restart intervals on several threads: a band of MCU rows on each.
//!
//! A band starts at a row of MCUs that starts with a restart interval. Vertical interpolation needs the samples above and
//! below a band, so its thread decodes the MCU rows of its neighbours too, and writes only its own rows of pixels:
//!
//! ```text
//! MCU rows    0  1  2  3  4  5  6  7
//! band 0      ■  ■  ■  ■  □              ■ decoded and written
//! band 1               □  ■  ■  ■  ■     □ decoded
//! ```

use super::header::Scan;
use super::plan::Plan;
use super::reconstruct::{self, Reconstruction};
use super::sequential::{self, ScanPart};
use crate::codec::FrameContext;
use crate::codec::workspace::WorkerBuffers;
use crate::error::{Result, truncated};
use crate::frame::Deviation;
use crate::kernel::coefficients::McuTables;
use crate::limits::Limits;
use crate::output::{Band, Output, ScratchBlock};
use crate::parallel::with_helpers;
use std::ops::Range;

/// Pixels of a band below which a thread costs more than it gains.
const MIN_BAND_PIXELS: usize = 1 << 18;

/// Scratch buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct ThreadBuffers {
    sequential: sequential::ScratchBuffers,
    reconstruct: reconstruct::ScratchBuffers,
    output: ScratchBlock,
}

/// MCU rows of one thread.
#[derive(Debug, Clone, PartialEq, Eq)]
struct BandRows {
    /// MCU rows whose pixels are written.
    written: Range<usize>,
    /// MCU rows that are decoded: these, and those of the neighbours that interpolation needs.
    decoded: Range<usize>,
}

/// A band and the memory that its thread needs.
struct Task<'a> {
    rows: &'a BandRows,
    band: Band<'a>,
    buffers: &'a mut ThreadBuffers,
}

/// Decodes `scan`, the only one of `plan`, into `output` on several threads. Returns the first deviation, or the first error
/// in the order of the codestream. `None` if one thread is to decode the frame; nothing is written then.
pub(super) fn decode(
    plan: &Plan<'_>,
    scan: &Scan,
    tables: &McuTables,
    workers: &mut WorkerBuffers<ThreadBuffers>,
    context: &FrameContext<'_>,
    output: &mut Output<'_>,
) -> Option<Result<Option<Deviation>>> {
    let geometry = &plan.geometry;
    let threads = context.options.threads.min(geometry.rows * geometry.columns / MIN_BAND_PIXELS);
    let bands = divide(plan, scan, threads)?;
    let pixel_rows: Vec<usize> = bands.iter().map(|rows| geometry.band(&rows.written).rows).collect();
    let poll = output.poll();
    let outputs = output.bands(&pixel_rows)?;
    let buffers = workers.reserve(bands.len(), max_thread_bytes(plan, scan), context.limits).ok()?;
    let mut tasks = bands.iter().zip(outputs).zip(buffers).map(|((rows, band), buffers)| Task { rows, band, buffers });
    let first = tasks.next()?;
    let run = |task, poll| decode_band(plan, scan, tables, task, poll);
    let tasks: Vec<Task<'_>> = tasks.collect();
    let helper_count = tasks.len();
    let (result, helpers) = with_helpers(tasks, |task| run(task, None), || run(first, poll));
    let results: Result<Vec<Option<Deviation>>> = std::iter::once(result).chain(helpers.iter().cloned()).collect();
    if helpers.len() < helper_count {
        // The system has started fewer threads.
        return None;
    }
    output.finish_bands();
    Some(results.map(|deviations| deviations.into_iter().flatten().next()))
}

/// Divides the MCU rows into bands for `threads` threads; `None` if there is only one, or if restart intervals do not
/// start where bands could.
fn divide(plan: &Plan<'_>, scan: &Scan, threads: usize) -> Option<Vec<BandRows>> {
    let geometry = &plan.geometry;
    let interval = usize::from(scan.restart_interval);
    if threads < 2 || interval == 0 {
        return None;
    }
    let starts: Vec<usize> =
        (0..geometry.mcu_rows).filter(|row| (row * geometry.mcu_columns).is_multiple_of(interval)).collect();
    let needs_neighbours = geometry.components.iter().any(|size| size.ratio.1 > 1);
    let margin = usize::from(needs_neighbours);
    let mut bands: Vec<BandRows> = Vec::with_capacity(threads);
    for band in 0..threads {
        let ideal_end = geometry.mcu_rows * (band + 1) / threads;
        let start = bands.last().map_or(0, |last| last.written.end);
        let end = match starts.iter().rfind(|row| **row <= ideal_end) {
            Some(end) if band + 1 < threads => *end,
            _ => geometry.mcu_rows,
        };
        if end <= start {
            continue;
        }
        let decoded_start = starts.iter().rfind(|row| **row + margin <= start).copied().unwrap_or(0);
        let decoded_end = starts.iter().find(|row| **row >= end + margin).copied().unwrap_or(geometry.mcu_rows);
        bands.push(BandRows { written: start..end, decoded: decoded_start..decoded_end });
    }
    // Long restart intervals make neighbours expensive.
    let decoded: usize = bands.iter().map(|rows| rows.decoded.len()).sum();
    (bands.len() > 1 && decoded * 4 <= geometry.mcu_rows * 5).then_some(bands)
}

/// Returns a bound of the bytes that one thread allocates.
fn max_thread_bytes(plan: &Plan<'_>, scan: &Scan) -> usize {
    /// Rows of pixels, of upsampled samples, and of 16-bit vertical sums, in rows of samples.
    const FURTHER_ROWS: usize = 16;
    /// Samples between the rows, and those that fill the last vector.
    const FURTHER_SAMPLES: usize = 192;
    let components = &plan.geometry.components;
    let mcu_rows: usize = components.iter().map(|size| size.sampling.1 * size.block_size.side()).sum();
    let mcu_samples = components.iter().map(|size| size.sampling.0 * size.block_size.side()).max().unwrap_or(0);
    let row_samples = plan.geometry.mcu_columns * mcu_samples + FURTHER_SAMPLES;
    let longest_segment = scan.segments.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
    (2 * mcu_rows + FURTHER_ROWS) * row_samples * plan.precision.sample_bytes()
        + sequential::ScratchBuffers::max_bytes(longest_segment)
}

/// Decodes one band. Returns its first deviation.
fn decode_band(
    plan: &Plan<'_>,
    scan: &Scan,
    tables: &McuTables,
    task: Task<'_>,
    poll: Option<&dyn Fn() -> bool>,
) -> Result<Option<Deviation>> {
    let Task { rows: BandRows { written, decoded }, band, buffers } = task;
    let ThreadBuffers { sequential, reconstruct, output: scratch } = buffers;
    // `decode` has reserved the memory.
    let limits = &Limits::unbounded();
    let mut output = band.into_output(scratch, poll);
    let geometry = &plan.geometry;
    let interval = usize::from(scan.restart_interval).max(1);
    let segments =
        decoded.start * geometry.mcu_columns / interval..(decoded.end * geometry.mcu_columns).div_ceil(interval);
    let part = ScanPart { scan, segments: scan.segments.get(segments).unwrap_or_default(), tables };
    let first_row = (written.start - decoded.start) * geometry.mcu_pixel_rows;
    let written_rows = first_row..first_row + geometry.band(written).rows;
    let plan = plan.band(decoded);
    let mut reconstruction = Reconstruction::new(&plan, written_rows, reconstruct, limits, &mut output)?;
    let deviation = sequential::decode_scan(&plan, part, sequential, &mut reconstruction, limits, &mut output)?;
    match output.pixels_left() {
        0 => Ok(deviation),
        pixels => Err(truncated(format!("{pixels} pixels of a band are missing"), "ITU-T T.81 F.2")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::cast_possible_truncation, reason = "test images are small")]

    use super::super::header;
    use super::*;
    use crate::kernel::CpuLevel;
    use crate::output::{Cancel, OutputOptions};
    use crate::sample::SamplesMut;
    use crate::{Attributes, FrameInfo, PhotometricInterpretation, SampleKind};
    use std::sync::atomic::AtomicBool;

    /// A frame of 8-bit 4:2:0 (`0x22`), 4:4:4 (`0x11`) or the like with empty restart intervals of `interval` MCUs.
    fn frame(rows: u16, columns: u16, sampling: u8, interval: u16) -> Vec<u8> {
        let mut frame = vec![0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0];
        frame.extend([1; 64]);
        frame.extend([0xFF, 0xC0, 0, 17, 8]);
        frame.extend([rows.to_be_bytes(), columns.to_be_bytes()].concat());
        frame.extend([3, 1, sampling, 0, 2, 0x11, 0, 3, 0x11, 0, 0xFF, 0xDD, 0, 4]);
        frame.extend(interval.to_be_bytes());
        frame.extend([0xFF, 0xDA, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);
        let (mcu_columns, mcu_rows) = (8 * u32::from(sampling >> 4), 8 * u32::from(sampling & 15));
        let mcus = u32::from(rows).div_ceil(mcu_rows) * u32::from(columns).div_ceil(mcu_columns);
        let bytes_per_interval = vec![0; usize::from(interval) * 3];
        for index in 0..mcus.div_ceil(interval.into()) {
            if index > 0 {
                frame.extend([0xFF, 0xD0 + ((index - 1) % 8) as u8]);
            }
            frame.extend(&bytes_per_interval);
        }
        frame.extend([0xFF, 0xD9]);
        frame
    }

    fn plan(frame: &[u8], reduce: u32) -> Plan<'_> {
        Plan::new(frame, header::parse(frame, CpuLevel::PORTABLE).unwrap(), reduce).unwrap()
    }

    fn divided(rows: u16, columns: u16, sampling: u8, interval: u16, threads: usize) -> Option<Vec<BandRows>> {
        let frame = frame(rows, columns, sampling, interval);
        let plan = plan(&frame, 0);
        divide(&plan, plan.single_scan().unwrap(), threads)
    }

    fn band(written: Range<usize>, decoded: Range<usize>) -> BandRows {
        BandRows { written, decoded }
    }

    #[test]
    fn divide_bands_cover_all_rows_and_their_neighbours() {
        // 4 MCUs per row, 20 rows of MCUs.
        assert_eq!(divided(160, 32, 0x11, 4, 2).unwrap(), [band(0..10, 0..10), band(10..20, 10..20)]);
        assert_eq!(divided(320, 64, 0x22, 4, 2).unwrap(), [band(0..10, 0..11), band(10..20, 9..20)]);
        // An interval of two rows of MCUs.
        assert_eq!(divided(320, 64, 0x22, 8, 2).unwrap(), [band(0..10, 0..12), band(10..20, 8..20)]);
        // Half a row of MCUs.
        assert_eq!(divided(160, 32, 0x11, 2, 3).unwrap(), [band(0..6, 0..6), band(6..13, 6..13), band(13..20, 13..20)]);
    }

    #[test]
    fn divide_without_starts_or_gain_is_none() {
        assert_eq!(divided(160, 32, 0x11, 4, 1), None);
        // Intervals that start a row of MCUs at row 19 and at no other.
        assert_eq!(divided(160, 32, 0x11, 76, 2).map(|bands| bands.len()), None);
        // Neighbours of two long intervals would be decoded twice.
        assert_eq!(divided(320, 64, 0x22, 40, 2), None);
    }

    #[test]
    fn max_thread_bytes_bounds_what_a_thread_allocates() {
        for (rows, columns) in [(1, 1), (40, 7), (33, 65), (17, 1030)] {
            for (sampling, reduce) in [(0x11, 0), (0x22, 0), (0x21, 0), (0x41, 1), (0x12, 1), (0x42, 2), (0x22, 3)] {
                let frame = frame(rows, columns, sampling, 3);
                let plan = plan(&frame, reduce);
                let info = FrameInfo::new(Attributes {
                    rows: plan.geometry.rows as u32,
                    columns: plan.geometry.columns as u32,
                    samples_per_pixel: 3,
                    bits_allocated: 8,
                    bits_stored: 8,
                    high_bit: 7,
                    sample_kind: SampleKind::Unsigned,
                    planar_configuration: 0,
                    photometric_interpretation: PhotometricInterpretation::Other,
                });
                let info = info.unwrap();
                let (mut out, stop) = (vec![0; info.samples()], AtomicBool::new(false));
                let (mut block, cancel) = (ScratchBlock::default(), Cancel { stop: &stop, poll: None });
                let (options, out) = (OutputOptions::default(), SamplesMut::U8(&mut out));
                let level = CpuLevel::PORTABLE;
                let mut output = Output::new(&info, false, options, out, &mut block, cancel, level).unwrap();

                let limits = Limits::new(Some(max_thread_bytes(&plan, plan.single_scan().unwrap()) as u64));
                let mut scratch = reconstruct::ScratchBuffers::default();
                Reconstruction::new(&plan, 0..plan.geometry.rows, &mut scratch, &limits, &mut output).unwrap();
                limits.reserve(sequential::ScratchBuffers::max_bytes(9)).unwrap();
            }
        }
    }
}
