//! Decodes one frame with restart intervals on several threads: a band of rows on each.
//!
//! Decoding starts anew with each restart interval. A band starts with a line that starts one in every scan.

use super::decode::{self, ScratchBuffers};
use super::plan::Plan;
use crate::codec::FrameContext;
use crate::codec::workspace::WorkerBuffers;
use crate::error::Result;
use crate::frame::Deviation;
use crate::limits::Limits;
use crate::output::{Band, Output, ScratchBlock};
use crate::parallel::with_helpers;
use std::ops::Range;

/// Samples of a band below which one thread decodes the frame. A second thread gains from half of them on, but if other
/// processes use all cores, a call may wait milliseconds for it.
pub(super) const MIN_BAND_SAMPLES: usize = 1 << 16;

/// Scratch buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct ThreadBuffers {
    scratch: ScratchBuffers,
    output: ScratchBlock,
}

/// A band and the memory that its thread needs.
struct Task<'a> {
    rows: Range<usize>,
    band: Band<'a>,
    buffers: &'a mut ThreadBuffers,
}

/// Decodes a frame into `output` on several threads. Returns the first deviation, or the first error in the order of the
/// rows. `None` if one thread is to decode the frame; nothing is finished then.
pub(super) fn decode(
    plan: &Plan<'_>,
    workers: &mut WorkerBuffers<ThreadBuffers>,
    context: &FrameContext<'_>,
    output: &mut Output<'_>,
) -> Option<Result<Option<(usize, Deviation)>>> {
    let samples = plan.rows * plan.columns * plan.components;
    let bands = divide(plan, context.options.threads.min(samples / MIN_BAND_SAMPLES))?;
    let poll = output.poll();
    let row_counts: Vec<usize> = bands.iter().map(ExactSizeIterator::len).collect();
    let outputs = output.bands(&row_counts)?;
    let buffers = workers.reserve(bands.len(), ScratchBuffers::max_bytes(plan), context.limits).ok()?;
    let tasks = bands.into_iter().zip(outputs).zip(buffers);
    let mut tasks = tasks.map(|((rows, band), buffers)| Task { rows, band, buffers });
    let first = tasks.next()?;
    let tasks: Vec<Task<'_>> = tasks.collect();
    let helper_count = tasks.len();
    let (result, helpers) =
        with_helpers(tasks, |task| decode_band(plan, task, None), || decode_band(plan, first, poll));
    if helpers.len() < helper_count {
        // The system has started fewer threads.
        return None;
    }
    let results: Result<Vec<Option<(usize, Deviation)>>> = std::iter::once(result).chain(helpers).collect();
    output.finish_bands();
    // One thread reports the first deviation of the first scan.
    Some(results.map(|deviations| deviations.into_iter().flatten().min_by_key(|(scan, _)| *scan)))
}

/// Divides the rows into bands for at most `threads` threads; `None` if there is only one.
fn divide(plan: &Plan<'_>, threads: usize) -> Option<Vec<Range<usize>>> {
    let (first, others) = plan.scans.split_first()?;
    if threads < 2 || first.segments.len() < 2 {
        return None;
    }
    let starts: Vec<usize> = (0..first.segments.len())
        .map(|interval| interval * first.interval_lines)
        .filter(|row| others.iter().all(|scan| row.is_multiple_of(scan.interval_lines)))
        .collect();
    let bands = threads.min(starts.len());
    let start_of = |band: usize| starts.get(starts.len() * band / bands).copied().unwrap_or(plan.rows);
    (bands > 1).then(|| (0..bands).map(|band| start_of(band)..start_of(band + 1)).collect())
}

/// Decodes one band. Returns its first deviation, with the index of its scan.
fn decode_band(plan: &Plan<'_>, task: Task<'_>, poll: Option<&dyn Fn() -> bool>) -> Result<Option<(usize, Deviation)>> {
    let Task { rows, band, buffers: ThreadBuffers { scratch, output } } = task;
    // `decode` has reserved the memory.
    decode::decode_rows(plan, rows, scratch, &Limits::unbounded(), &mut band.into_output(output, poll))
}
