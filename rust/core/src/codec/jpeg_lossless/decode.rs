//! Decodes the scans of one frame, or of several frames in lock-step, into the output stage.

use super::diagnose::{first_error, prefer_codestream_error};
use super::parallel::{self, WorkerBuffers};
use super::plan::{Plan, Tables};
use super::self_sync::ChunkBuffers;
use super::stream::{PartResult, Stream, StreamBuffers, WINDOW_BYTES};
use crate::codec::{EntropyMode, FrameContext};
use crate::error::{DecodeError, ErrorKind, Result, malformed};
use crate::frame::{Deviation, FrameBytes};
use crate::kernel::huffman::{self, Prefetch, Task};
use crate::kernel::{CpuLevel, predict};
use crate::output::Output;

/// Scratch buffers of one thread, reused from frame to frame.
#[derive(Debug, Default)]
pub(super) struct ScratchBuffers {
    streams: Vec<StreamBuffers>,
    chunks: ChunkBuffers,
    pub(super) workers: WorkerBuffers,
}

/// Decodes all scans of a frame. Returns the entropy mode that was used, and the deviations.
///
/// # Errors
/// `Malformed` for an unassigned code, `Truncated` if the data end too early, `LimitExceeded`, and the errors of `output`.
pub(super) fn decode_frame(
    plan: &Plan<'_>,
    tables: &Tables,
    scratch: &mut ScratchBuffers,
    context: &FrameContext<'_>,
    output: &mut Output<'_>,
) -> Result<(EntropyMode, Vec<Deviation>)> {
    output.declare_bits(plan.mask.count_ones());
    let (level, mode, limits) = (output.cpu_level(), context.options.codec.entropy_mode, context.limits);
    let ScratchBuffers { streams: stream_buffers, chunks, workers } = scratch;
    stream_buffers.resize_with(stream_buffers.len().max(plan.scans.len()), StreamBuffers::default);
    let mut streams = Vec::with_capacity(plan.scans.len());
    for (scan, buffers) in plan.scans.iter().zip(stream_buffers) {
        streams.push(Stream::new(plan, scan, tables.at(&scan.tables), buffers, limits, level)?);
    }
    // Buffers that only make decoding faster come last: a budget that is too small for them is not an error.
    let longest = plan.scans.iter().flat_map(|scan| &scan.segments).map(ExactSizeIterator::len).max().unwrap_or(0);
    let may_speculate = mode == EntropyMode::Speculative
        && plan.scans.len() == 1
        && chunks.grow(longest.min(WINDOW_BYTES) * 8, limits).is_ok();
    let mut chunks = may_speculate.then_some(chunks);
    let mut flush = |streams: &mut [Stream<'_>]| {
        let flushed = output_rows(plan, streams, level, output).map(|()| output.pixels_left() > 0);
        flushed.map_err(|error| prefer_codestream_error(error, plan, tables))
    };
    if let ([stream], Some(chunks)) = (streams.as_mut_slice(), chunks.as_deref_mut()) {
        parallel::decode(plan, tables, stream, workers, chunks, context, &mut flush)?;
    }
    while !streams.iter().any(Stream::has_failed) && flush(&mut streams)? {
        decode_rows(&mut streams, chunks.as_deref_mut(), mode, level);
    }
    if streams.iter().any(Stream::has_failed) {
        return Err(first_error(plan, tables));
    }
    let has_speculated = streams.iter().any(Stream::has_speculated);
    let used_mode = if has_speculated { mode } else { mode.min(EntropyMode::Lanes) };
    Ok((used_mode, streams.into_iter().filter_map(Stream::deviation).collect()))
}

/// Decodes frames in lock-step, without chunks. Each frame has the result that [`decode_frame`] would give; the results of
/// frames without a plan have no meaning.
pub(super) fn decode_frames(
    plans: &[Result<Plan<'_>>],
    tables: &Tables,
    scratch: &mut ScratchBuffers,
    context: &FrameContext<'_>,
    frames: &mut [(FrameBytes<'_>, Output<'_>)],
) -> Vec<Result<(EntropyMode, Vec<Deviation>)>> {
    let mode = context.options.codec.entropy_mode.min(EntropyMode::Lanes);
    let level = frames.first().map_or(CpuLevel::PORTABLE, |(_, output)| output.cpu_level());
    let mut results: Vec<Result<(EntropyMode, Vec<Deviation>)>> =
        plans.iter().map(|_| Ok((mode, Vec::new()))).collect();
    let scan_count = plans.iter().flatten().map(|plan| plan.scans.len()).sum();
    scratch.streams.resize_with(scratch.streams.len().max(scan_count), StreamBuffers::default);
    let mut stream_buffers = scratch.streams.iter_mut();
    // Indices of the frames that are not complete, and the streams of all of them in the same order.
    let mut unfinished: Vec<usize> = Vec::new();
    let mut streams: Vec<Stream<'_>> = Vec::new();
    for (index, (plan, result)) in plans.iter().zip(&mut results).enumerate() {
        let Ok(plan) = plan else { continue };
        let frame_streams: Result<Vec<_>> = plan
            .scans
            .iter()
            .zip(&mut stream_buffers)
            .map(|(scan, buffers)| Stream::new(plan, scan, tables.at(&scan.tables), buffers, context.limits, level))
            .collect();
        match frame_streams {
            Ok(frame_streams) => {
                if let Some((_, output)) = frames.get_mut(index) {
                    output.declare_bits(plan.mask.count_ones());
                }
                unfinished.push(index);
                streams.extend(frame_streams);
            }
            Err(error) => *result = Err(error),
        }
    }
    while !unfinished.is_empty() {
        decode_rows(&mut streams, None, mode, level);
        let mut rest = Vec::with_capacity(streams.len());
        let mut all_streams = streams.into_iter();
        unfinished.retain(|index| {
            let (Some(Ok(plan)), Some((_, output)), Some(result)) =
                (plans.get(*index), frames.get_mut(*index), results.get_mut(*index))
            else {
                debug_assert!(false, "an unfinished frame has a plan, an output and a result");
                return false;
            };
            let mut frame_streams: Vec<Stream<'_>> = all_streams.by_ref().take(plan.scans.len()).collect();
            let flushed = if frame_streams.iter().any(Stream::has_failed) {
                Err(first_error(plan, tables))
            } else {
                output_rows(plan, &mut frame_streams, level, output)
                    .map_err(|error| prefer_codestream_error(error, plan, tables))
            };
            let is_done = flushed.is_err() || output.pixels_left() == 0;
            if is_done {
                *result = flushed.map(|()| (mode, frame_streams.into_iter().filter_map(Stream::deviation).collect()));
            } else {
                rest.append(&mut frame_streams);
            }
            !is_done
        });
        streams = rest;
    }
    results
}

/// Decodes one window of each of `streams`: more rows become ready, or a stream fails.
fn decode_rows(
    streams: &mut [Stream<'_>],
    chunk_buffers: Option<&mut ChunkBuffers>,
    mode: EntropyMode,
    level: CpuLevel,
) {
    for stream in streams.iter_mut() {
        stream.fill();
    }
    if let ([stream], Some(chunk_buffers)) = (&mut *streams, chunk_buffers) {
        stream.decode_chunks(chunk_buffers);
    }
    let mut tasks: Vec<Task<'_>> = streams.iter_mut().flat_map(Stream::tasks).collect();
    if mode == EntropyMode::Serial {
        tasks
            .iter_mut()
            .for_each(|task| huffman::decode(std::slice::from_mut(task), &mut Prefetch::default(), CpuLevel::PORTABLE));
    } else {
        huffman::decode(&mut tasks, &mut Prefetch::default(), level);
    }
    let results: Vec<PartResult> = tasks.iter().map(PartResult::of).collect();
    let mut results = results.as_slice();
    for stream in streams {
        let stream_results;
        (stream_results, results) = results.split_at_checked(stream.part_count()).unwrap_or((results, &[]));
        stream.flush_rows(stream_results);
    }
}

/// Writes the rows that are ready in all streams of a frame to `output`.
fn output_rows(plan: &Plan<'_>, streams: &mut [Stream<'_>], level: CpuLevel, output: &mut Output<'_>) -> Result<()> {
    let rows = streams.iter().map(Stream::rows_ready).min().unwrap_or(0);
    let (mut first_pixel, end) = (0, rows * plan.columns);
    while first_pixel < end {
        let block = output.block(end - first_pixel)?;
        let pixels = block.len() / (plan.components * plan.sample_bytes);
        if pixels == 0 {
            debug_assert!(false, "output and plan have equal numbers of pixels");
            return Err(DecodeError::new(ErrorKind::Output, "output has no space for the decoded rows", ""));
        }
        if plan.sample_bytes > 2 {
            // Decoded samples have 16 bits; the bits above them are 0.
            block.fill(0);
        }
        for stream in streams.iter() {
            store_components(plan, stream, first_pixel, pixels, block, level)?;
        }
        output.commit(pixels)?;
        first_pixel += pixels;
    }
    for stream in streams {
        stream.consume(rows, Prefetch::new(output.next_addresses(), plan.sample_bytes));
    }
    Ok(())
}

/// Stores the samples of one scan, `pixels` pixels of its ready rows from `first_pixel` on, to the positions of its
/// components in the interleaved `block`.
fn store_components(
    plan: &Plan<'_>,
    stream: &Stream<'_>,
    first_pixel: usize,
    pixels: usize,
    block: &mut [u8],
    level: CpuLevel,
) -> Result<()> {
    let missing = || {
        debug_assert!(false, "rows are ready and the block has whole pixels");
        malformed("samples are missing", "ITU-T T.81 H.1.2.2").at(plan.frame.len())
    };
    let scan = stream.scan();
    let (scan_components, frame_components) = (scan.components.len(), plan.components);
    // A sample of 32 or 64 bits is stored as 16 bits, followed by zeros.
    let stored_bytes = plan.sample_bytes.min(2);
    let sample_stride = plan.sample_bytes / stored_bytes;
    let range = first_pixel * scan_components..(first_pixel + pixels) * scan_components;
    let samples = stream.samples(range).ok_or_else(missing)?;
    let (shift, mask) = (scan.point_transform, plan.mask);
    if scan_components == frame_components {
        predict::store(samples, shift, mask, block, stored_bytes, sample_stride, level);
        return Ok(());
    }
    for (scan_index, component) in scan.components.iter().enumerate() {
        let out = block.get_mut(component * stored_bytes * sample_stride..).ok_or_else(missing)?;
        let pixel_stride = frame_components * sample_stride;
        if scan_components == 1 {
            predict::store(samples, shift, mask, out, stored_bytes, pixel_stride, level);
            continue;
        }
        // Scans of two or three of the components are rare: one sample at a time.
        let component_samples = samples.iter().skip(scan_index).step_by(scan_components);
        for (sample, out) in component_samples.zip(out.chunks_mut(pixel_stride * stored_bytes)) {
            predict::store(&[*sample], shift, mask, out, stored_bytes, 1, level);
        }
    }
    Ok(())
}
