//! What has to hold for any bytes: plain functions from bytes to nothing that panic where it does not.
//!
//! The first bytes choose codec, attributes and options, so that a codec is tried from the day it is registered.

#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a property fails by panicking")]

mod encode;
mod frames;
mod naive;
mod part10;
mod pixels;
mod targets;

pub use encode::encoding_returns;
pub use frames::{frames_agree, headers_hold};
pub use naive::rle_is_naive;
pub use part10::{Opened, opening_agrees};
pub use pixels::pixels_agree;
pub use targets::{TARGETS, Target, target};

use dicoxide_core::codec::{CODECS, codec_for};
use dicoxide_core::frames::{ExtendedOffsets, FrameTable, FramesOutput, PixelData, check_frames, decode_frames};
use dicoxide_core::{
    Attributes, CpuLevel, DecodeError, DecodeOptions, EntropyMode, ErrorKind, FrameInfo, Job, Limits, OutputOptions,
    PhotometricInterpretation, Rescale, SampleKind, SamplesMut, SegmentByteOrder, Store, TransferSyntax,
};

/// Bytes that choose what is tried; the rest is what is decoded.
pub const CHOICE_BYTES: usize = 12;
/// Samples of all frames of one try: properties are to be tried often.
const MOST_SAMPLES: usize = 1 << 16;
/// The same for a codec that has several ways through the data: only large frames tell them apart.
pub const MOST_SAMPLES_OF_WAYS: usize = 1 << 20;
/// Enough for the scratch of any try.
const AMPLE_BYTES: u64 = 1 << 24;

/// How far a try got, so that a campaign can tell that it tries something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// The choice is no image, or one too large to be tried often.
    Nothing,
    /// All ways gave the same error.
    Refused,
    /// All ways gave the same samples.
    Decoded,
}

/// What the first bytes choose.
struct Choice {
    syntax: TransferSyntax,
    info: FrameInfo,
    options: DecodeOptions,
    number_of_frames: Option<u32>,
    word_swapped: bool,
    /// Whether the codec looks at [`DecodeOptions::way`].
    has_ways: bool,
    /// Bytes of budget beyond the output.
    spare_bytes: u64,
}

/// Any value decodes to the same samples, or fails with the same error, on every CPU path, way through the data and
/// number of threads; a failure is no bug, and what is noted ends up the same too.
pub fn decoding_agrees(bytes: &[u8]) -> Tried {
    match agreed(bytes) {
        None => Tried::Nothing,
        Some((_, Err(_))) => Tried::Refused,
        Some((_, Ok(_))) => Tried::Decoded,
    }
}

/// The same, and the samples are `expected`: the bits of each as a number, in the order of the value.
pub fn decoding_gives(bytes: &[u8], expected: &[u64]) {
    let Some((info, outcome)) = agreed(bytes) else { panic!("nothing was tried") };
    let memory = match outcome {
        Ok((memory, _)) => memory,
        Err((frame, error)) => panic!("frame {frame} was refused: {error}"),
    };
    let samples = bytemuck::cast_slice::<u64, u8>(&memory).chunks_exact(info.sample_bytes()).map(|bytes| {
        let mut word = [0; 8];
        word.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
        u64::from_le_bytes(word)
    });
    let samples: Vec<u64> = samples.take(memory.len()).collect();
    // The last frame was asked for first.
    let samples = samples.chunks(info.samples()).rev().flatten();
    if let Some(at) = samples.clone().zip(expected).position(|(found, expected)| found != expected) {
        panic!("sample {at} is {:?}, {:?} expected", samples.clone().nth(at), expected.get(at));
    }
    assert_eq!(samples.count(), expected.len(), "samples");
}

/// What all paths give.
fn agreed(bytes: &[u8]) -> Option<(FrameInfo, Outcome)> {
    let (choice, value) = choose(bytes)?;
    // Where the choice says so, the last bytes are an Extended Offset Table of two frames.
    let (value, extended) = match value.split_last_chunk::<32>() {
        Some((value, table)) if choice.word_swapped && choice.syntax.is_encapsulated() => {
            let (offsets, lengths) = table.split_at(16);
            (value, Some(ExtendedOffsets { offsets, lengths }))
        }
        _ => (value, None),
    };
    let data = PixelData { value: value.into(), extended };
    let first = Path { tier: CpuLevel::PORTABLE, way: choice.has_ways.then_some(EntropyMode::Serial), threads: 1 };
    let expected = outcome(&choice, data, first)?;
    for tier in CpuLevel::available() {
        // Several threads need more of a tight budget than one.
        let is_ample = choice.spare_bytes == AMPLE_BYTES;
        for path in paths(tier, choice.has_ways).filter(|path| *path != first && (is_ample || path.threads == 1)) {
            assert_eq!(outcome(&choice, data, path).as_ref(), Some(&expected), "{} {path:?}", tier.name());
        }
    }
    Some((choice.info, expected))
}

/// How a try goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Path {
    tier: CpuLevel,
    way: Option<EntropyMode>,
    threads: usize,
}

/// All paths of a tier: threads have the way that is chosen for them.
fn paths(tier: CpuLevel, has_ways: bool) -> impl Iterator<Item = Path> {
    let ways = EntropyMode::ALL.into_iter().filter(move |_| has_ways).map(Some);
    let alone = ways.chain((!has_ways).then_some(None)).map(move |way| Path { tier, way, threads: 1 });
    alone.chain([Path { tier, way: None, threads: 2 }])
}

/// Samples and notes, or the frame and its error.
type Outcome = Result<(Vec<u64>, String), (usize, DecodeError)>;

fn outcome(choice: &Choice, data: PixelData<'_>, path: Path) -> Option<Outcome> {
    let codec = codec_for(choice.syntax)?;
    let Choice { info, number_of_frames, .. } = choice;
    let table = if choice.syntax.is_encapsulated() {
        FrameTable::encapsulated(info, data, *number_of_frames, codec)
    } else {
        FrameTable::native(info, data.value.len(), *number_of_frames, choice.word_swapped)
    };
    let table = match table {
        Ok(table) => table,
        Err(error) => return Some(Err((0, checked(error, data.value.len())))),
    };
    let indices: Vec<usize> = (0..table.frame_count()).rev().collect();
    let most = if choice.has_ways { MOST_SAMPLES_OF_WAYS } else { MOST_SAMPLES };
    let samples = info.samples().checked_mul(indices.len()).filter(|samples| *samples <= most)?;
    // What the first of several frames takes beyond its need, a later one may need.
    let spare_bytes = if indices.len() > 1 { AMPLE_BYTES } else { choice.spare_bytes };
    let limits = Limits::new(Some((samples * info.sample_bytes()) as u64 + spare_bytes));
    let Path { tier, way, threads } = path;
    let job =
        Job { syntax: choice.syntax, info, limits: &limits, options: DecodeOptions { tier, way, ..choice.options } };
    let mut memory = vec![0_u64; samples];
    let decoded = check_frames(&table, data, &indices, info, codec, &limits).and_then(|()| {
        let output = FramesOutput { samples: typed(&mut memory, info, &choice.options), rescales: &[], is_warm: false };
        decode_frames(&job, &table, data, &indices, output, threads, &|| false)
    });
    Some(match decoded {
        Ok(summary) => Ok((memory, format!("{:?} {:?}", table.deviations(), summary.deviations))),
        Err(failed) => Err((failed.index, checked(failed.error, data.value.len()))),
    })
}

/// Errors tell a place that is there, in one line.
fn checked(error: DecodeError, value_bytes: usize) -> DecodeError {
    assert!(error.offset().is_none_or(|offset| offset <= value_bytes as u64), "{error}");
    assert!(!error.to_string().contains('\n') && error.kind() != ErrorKind::Interrupted, "{error}");
    error
}

/// The first samples' worth of `memory`, one word a sample whatever its type: what lies behind them stays 0.
fn typed<'a>(memory: &'a mut [u64], info: &FrameInfo, options: &DecodeOptions) -> SamplesMut<'a> {
    fn first<T: bytemuck::Pod>(memory: &mut [u64]) -> &mut [T] {
        let samples = memory.len();
        bytemuck::cast_slice_mut(memory).get_mut(..samples).unwrap_or_default()
    }
    if options.finish.rescale.is_some() {
        return SamplesMut::F64(first(memory));
    }
    match (info.sample_bytes(), info.is_signed(), info.is_float()) {
        (4, _, true) => SamplesMut::F32(first(memory)),
        (_, _, true) => SamplesMut::F64(first(memory)),
        (1, false, _) => SamplesMut::U8(first(memory)),
        (1, true, _) => SamplesMut::I8(first(memory)),
        (2, false, _) => SamplesMut::U16(first(memory)),
        (2, true, _) => SamplesMut::I16(first(memory)),
        (4, false, _) => SamplesMut::U32(first(memory)),
        (4, true, _) => SamplesMut::I32(first(memory)),
        (_, false, _) => SamplesMut::U64(first(memory)),
        (_, true, _) => SamplesMut::I64(first(memory)),
    }
}

/// Attributes mostly as images have them, so that most tries get to a codec's loop.
fn choose(bytes: &[u8]) -> Option<(Choice, &[u8])> {
    let (head, value) = bytes.split_first_chunk::<CHOICE_BYTES>()?;
    let [codec, syntax, rows, columns, samples, allocated, stored, shift, kind, frames, options, term] = *head;
    let codec = CODECS.get(usize::from(codec) % CODECS.len())?;
    let has_ways = codec.name() == "jpeg_lossless";
    let syntaxes = codec.syntaxes();
    let syntax = *syntaxes.get(usize::from(syntax) % syntaxes.len())?;
    let sample_kind = match kind % 8 {
        0 => SampleKind::Float,
        1..4 => SampleKind::Signed,
        _ => SampleKind::Unsigned,
    };
    let bits_allocated = match allocated % 8 {
        0 => 1,
        1..3 => 8,
        3..6 => 16,
        6 => 32,
        _ => 64,
    };
    let bits_stored = u32::from(stored) % (bits_allocated + 1);
    let attributes = Attributes {
        rows: u32::from(rows) + 256 * u32::from(frames >> 3 & 3),
        columns: u32::from(columns) + 256 * u32::from(frames >> 5 & 3),
        samples_per_pixel: u32::from(samples % 5),
        bits_allocated,
        bits_stored,
        high_bit: (bits_stored + u32::from(shift % 4)).saturating_sub(1),
        sample_kind,
        planar_configuration: u32::from(options & 1),
        photometric_interpretation: PhotometricInterpretation::from_term(match term % 4 {
            0 => "YBR_FULL",
            1 => "YBR_FULL_422",
            2 => "RGB",
            _ => "MONOCHROME2",
        }),
    };
    let info = FrameInfo::new(attributes).ok()?;
    let finish = OutputOptions {
        to_rgb: options & 2 != 0,
        rescale: (options & 12 == 12).then_some(Rescale { slope: 0.5, intercept: f64::from(shift) }),
        store: if options & 64 == 0 { Store::Cached } else { Store::Streamed },
    };
    let is_tight = has_ways && options & 128 != 0;
    let segment_byte_order = if options & 16 == 0 { SegmentByteOrder::Big } else { SegmentByteOrder::Little };
    let strict = options & 32 != 0;
    let options =
        DecodeOptions { finish, segment_byte_order, strict, tier: CpuLevel::PORTABLE, ..DecodeOptions::default() };
    // The bits in between are those of rows and columns.
    let number_of_frames = (frames & 128 == 0).then_some(u32::from(frames % 8));
    let word_swapped = term & 4 != 0;
    let spare_bytes = if is_tight { u64::from(term) << 12 } else { AMPLE_BYTES };
    Some((Choice { syntax, info, options, number_of_frames, word_swapped, has_ways, spare_bytes }, value))
}

/// What lies between the marks.
fn pieces<'a>(bytes: &'a [u8], mark: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let all = rest.take()?;
        let at = all.windows(mark.len()).position(|window| window == mark);
        let (piece, after) = all.split_at(at.unwrap_or(all.len()));
        rest = after.get(mark.len()..).filter(|_| at.is_some());
        Some(piece)
    })
}
