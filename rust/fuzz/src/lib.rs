//! Properties that hold for any input bytes. Each is a function of the bytes that panics if the property does not hold.
//!
//! [`TARGETS`] lists them by name. `cargo test` runs them on random inputs and on `corpus/` and `regressions/`;
//! `libfuzzer/`, a workspace of its own, runs them under libFuzzer (`make fuzz T=decode S=600`).
//!
//! The first [`CHOICE_BYTES`] bytes of an input choose codec, attributes and options, the rest is the Pixel Data value:
//!
//! ```text
//! byte  content                               byte  content
//!    0  index of the codec in CODECS             6  Bits Stored
//!    1  index of its transfer syntax             7  High Bit - (Bits Stored - 1), 0 to 3
//!    2  rows, low 8 bits                         8  kind: 0 float, 1 to 3 signed, 4 to 7 unsigned
//!    3  columns, low 8 bits                      9  bits 0-2 frames, 3-4 rows, 5-6 columns, 7 frames absent
//!    4  samples per pixel, modulo 5             10  options, see `choose`
//!    5  Bits Allocated: 1, 8, 16, 32, 64        11  bits 0-1 photometric interpretation, bit 2 word swap
//! ```
//!
//! So a codec is fuzzed as soon as it is registered.

#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a property fails by panicking")]

mod encode;
mod frames;
mod jpeg2000;
mod naive;
mod part10;
mod pixels;
mod rendering;
mod targets;

pub use encode::encode_decode_round_trip;
pub use frames::{
    codestream_header_matches_decoder, cut_codestream_fails_or_decodes_alike, decode_codestream_all_paths_equal,
};
pub use jpeg2000::{code_block_decodes_alike, packets_decode_alike};
pub use naive::rle_equals_reference_decoder;
pub use part10::{Opened, open_memory_and_file_equal};
pub use pixels::{lookup_equals_entry_of_each_value, pixel_operations_equal_on_all_levels};
pub use rendering::rendering_equal_on_all_levels;
pub use targets::{TARGETS, Target, target};

use dicoxide_core::codec::{CODECS, codec_for};
use dicoxide_core::frames::{ExtendedOffsets, FrameTable, FramesOutput, PixelData, check_frames, decode_frames};
use dicoxide_core::{
    Attributes, CodecOptions, CpuLevel, DecodeError, DecodeOptions, EntropyMode, ErrorKind, FrameContext, FrameInfo,
    Limits, LookupTable, OutputOptions, OutputTransform, PhotometricInterpretation, Rescale, RgbConversion, SampleKind,
    SampleType, SamplesMut, SegmentByteOrder, StoreHint, TransferSyntax, ValueTransform,
};

/// Number of leading bytes that choose codec, attributes and options.
pub const CHOICE_BYTES: usize = 12;
/// Largest number of samples of an input, over all frames: larger ones are skipped, as they are slow.
const MAX_SAMPLES: usize = 1 << 16;
/// [`MAX_SAMPLES`] of a codec with several entropy modes, which take different code paths for large frames only.
pub const MAX_SAMPLES_MULTI_PATH: usize = 1 << 20;
/// Budget that is enough for the scratch buffers of any input.
const AMPLE_SCRATCH_BYTES: u64 = 1 << 24;
/// Codecs whose frames have several resolutions.
const REDUCED: [&str; 3] = ["jpeg", "jpeg2000", "htj2k"];
/// Maximum number of entries of a look-up table.
const MAX_ENTRIES: usize = 300;

/// How far an input got. Tests check that enough inputs reach each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// Not decoded: the attributes are invalid, or the image is too large.
    Skipped,
    /// All paths gave the same error.
    Error,
    /// All paths gave the same samples.
    Decoded,
}

/// The codec, attributes and options that an input chooses.
struct Choice {
    syntax: TransferSyntax,
    info: FrameInfo,
    options: DecodeOptions,
    /// Table of the frames at even positions of a call; those at odd positions have a linear transform.
    table: Option<LookupTable>,
    number_of_frames: Option<u32>,
    word_swapped: bool,
    /// True if the codec has several entropy modes.
    has_entropy_modes: bool,
    /// Budget for scratch buffers, in bytes.
    scratch_bytes: u64,
}

/// Property: every CPU level, entropy mode and number of threads gives the same samples and deviations, or the same error.
pub fn decode_all_paths_equal(bytes: &[u8]) -> Coverage {
    match common_outcome(bytes) {
        None => Coverage::Skipped,
        Some((_, Err(_))) => Coverage::Error,
        Some((_, Ok(_))) => Coverage::Decoded,
    }
}

/// As [`decode_all_paths_equal`], and the samples are `expected`: the bit pattern of each, in the order of the value.
///
/// # Panics
/// If the input is skipped or gives an error, or a sample differs.
pub fn decode_equals(bytes: &[u8], expected: &[u64]) {
    let Some((info, outcome)) = common_outcome(bytes) else { panic!("input was skipped") };
    let memory = match outcome {
        Ok((memory, _)) => memory,
        Err((frame, error)) => panic!("frame {frame}: {error}"),
    };
    let samples = bytemuck::cast_slice::<u64, u8>(&memory).chunks_exact(info.sample_bytes()).map(|bytes| {
        let mut word = [0; 8];
        word.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
        u64::from_le_bytes(word)
    });
    let samples: Vec<u64> = samples.take(memory.len()).collect();
    // `outcome` decodes the frames last to first.
    let samples = samples.chunks(info.samples()).rev().flatten();
    if let Some(index) = samples.clone().zip(expected).position(|(found, expected)| found != expected) {
        panic!("sample {index} is {:?}, {:?} expected", samples.clone().nth(index), expected.get(index));
    }
    assert_eq!(samples.count(), expected.len(), "samples");
}

/// Returns the outcome of all paths, which must be equal; `None` if the input is skipped.
fn common_outcome(bytes: &[u8]) -> Option<(FrameInfo, Outcome)> {
    let (choice, value) = choose(bytes)?;
    // Bit 2 of byte 11 of an encapsulated value: its last 32 bytes are an Extended Offset Table of two frames.
    let (value, extended) = match value.split_last_chunk::<32>() {
        Some((value, table)) if choice.word_swapped && choice.syntax.is_encapsulated() => {
            let (offsets, lengths) = table.split_at(16);
            (value, Some(ExtendedOffsets { offsets, lengths }))
        }
        _ => (value, None),
    };
    let data = PixelData { value: value.into(), extended };
    let entropy_mode = choice.has_entropy_modes.then_some(EntropyMode::Serial);
    let reference = Path { level: CpuLevel::PORTABLE, entropy_mode, threads: 1 };
    let expected = outcome(&choice, data, reference)?;
    for level in CpuLevel::available() {
        // Several threads need more scratch buffers than one: a tight budget would give different errors.
        let is_ample = choice.scratch_bytes == AMPLE_SCRATCH_BYTES;
        for path in
            paths(level, choice.has_entropy_modes).filter(|path| *path != reference && (is_ample || path.threads == 1))
        {
            assert_eq!(outcome(&choice, data, path).as_ref(), Some(&expected), "{} {path:?}", level.name());
        }
    }
    Some((choice.info, expected))
}

/// A code path through the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Path {
    level: CpuLevel,
    /// `None`: the codec's choice.
    entropy_mode: Option<EntropyMode>,
    threads: usize,
}

/// Returns all paths of a CPU level: each entropy mode on one thread, and two threads with the codec's choice.
fn paths(level: CpuLevel, has_entropy_modes: bool) -> impl Iterator<Item = Path> {
    let modes = EntropyMode::ALL.into_iter().filter(move |_| has_entropy_modes).map(Some);
    let modes = modes.chain((!has_entropy_modes).then_some(None));
    let single_threaded = modes.map(move |entropy_mode| Path { level, entropy_mode, threads: 1 });
    single_threaded.chain([Path { level, entropy_mode: None, threads: 2 }])
}

/// Samples (one word each) and deviations, or the index of a frame and its error.
type Outcome = Result<(Vec<u64>, String), (usize, DecodeError)>;

fn outcome(choice: &Choice, data: PixelData<'_>, path: Path) -> Option<Outcome> {
    let codec = codec_for(choice.syntax)?;
    let Choice { info, number_of_frames, .. } = choice;
    let table = match FrameTable::new(choice.syntax, codec, info, data, *number_of_frames, choice.word_swapped) {
        Ok(table) => table,
        Err(error) => return Some(Err((0, checked(error, data.value.len())))),
    };
    let indices: Vec<usize> = (0..table.frame_count()).rev().collect();
    let max_samples = if choice.has_entropy_modes { MAX_SAMPLES_MULTI_PATH } else { MAX_SAMPLES };
    let frame_samples = info.reduced(choice.options.reduce).samples();
    let samples = frame_samples.checked_mul(indices.len()).filter(|samples| *samples <= max_samples)?;
    // With a tight budget, whether a later frame fails depends on the scratch buffers that the first one has grown.
    let scratch_bytes = if indices.len() > 1 { AMPLE_SCRATCH_BYTES } else { choice.scratch_bytes };
    let limits = Limits::new(Some((samples * info.sample_bytes()) as u64 + scratch_bytes));
    let Path { level, entropy_mode, threads } = path;
    let context = FrameContext {
        syntax: choice.syntax,
        info,
        limits: &limits,
        options: DecodeOptions {
            cpu_level: level,
            codec: CodecOptions { entropy_mode: entropy_mode.unwrap_or_default(), ..choice.options.codec },
            ..choice.options
        },
    };
    let transforms: Vec<OutputTransform<'_>> = match &choice.table {
        Some(table) => [ValueTransform::Table(table), Rescale { slope: 2.0, intercept: -1.0 }.into()]
            .map(OutputTransform::Values)
            .into_iter()
            .cycle()
            .take(indices.len())
            .collect(),
        None => Vec::new(),
    };
    let mut memory = vec![0_u64; samples];
    let decoded = check_frames(&table, data, &indices, info, codec, &limits).and_then(|()| {
        let output = FramesOutput { samples: typed(&mut memory, choice), transforms: &transforms, is_warm: false };
        decode_frames(&context, &table, data, &indices, output, threads, &|| false)
    });
    Some(match decoded {
        Ok(summary) => Ok((memory, format!("{:?} {:?}", table.deviations(), summary.deviations))),
        Err(frame_error) => Err((frame_error.index, checked(frame_error.error, data.value.len()))),
    })
}

/// Checks that an error is one line, and that its offset is within the value.
fn checked(error: DecodeError, value_bytes: usize) -> DecodeError {
    assert!(error.offset().is_none_or(|offset| offset <= value_bytes as u64), "{error}");
    assert!(!error.to_string().contains('\n') && error.kind() != ErrorKind::Interrupted, "{error}");
    error
}

/// Returns the first `memory.len()` samples of the output type in `memory`. Unused bytes of `memory` stay 0.
fn typed<'a>(memory: &'a mut [u64], choice: &Choice) -> SamplesMut<'a> {
    let is_transformed = choice.options.output.rescale.is_some() || choice.table.is_some();
    let sample_type = if is_transformed { SampleType::F64 } else { choice.info.sample_type() };
    let samples = memory.len();
    match SamplesMut::in_words(sample_type, memory, samples) {
        Some(samples) => samples,
        None => panic!("a word holds a sample of any type"),
    }
}

/// Reads the choice from the first bytes, and returns the rest. Common attributes are more frequent, so that most inputs
/// reach a codec's loop.
///
/// Options: bit 0 planar configuration, 1 `to_rgb`, 2 and 3 rescale if both are set, look-up table if only 3 is, 4 segment
/// byte order, 5 `strict`, 6 non-temporal stores, 7 tight budget. Bits 5 and 6 of `kind`: `reduce`, for the codecs in `REDUCED`.
/// `tests/support/fuzzing` reads the same layout.
fn choose(bytes: &[u8]) -> Option<(Choice, &[u8])> {
    let (head, value) = bytes.split_first_chunk::<CHOICE_BYTES>()?;
    let [codec, syntax, rows, columns, samples, allocated, stored, shift, kind, frames, options, term] = *head;
    let codec = CODECS.get(usize::from(codec) % CODECS.len())?;
    let has_entropy_modes = codec.name() == "jpeg_lossless";
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
    let output = OutputOptions {
        to_rgb: (options & 2 != 0).then_some(RgbConversion::Dicom),
        rescale: (options & 12 == 12).then_some(Rescale { slope: 0.5, intercept: f64::from(shift) }),
        store: if options & 64 == 0 { StoreHint::Cached } else { StoreHint::Streamed },
    };
    let is_table = options & 12 == 8;
    let entries = value.iter().take(MAX_ENTRIES).copied().map(u16::from);
    let table = is_table.then(|| LookupTable::new(i64::from(columns) - 128, entries).ok()).flatten();
    let is_tight = has_entropy_modes && options & 128 != 0;
    let segment_byte_order = if options & 16 == 0 { SegmentByteOrder::Big } else { SegmentByteOrder::Little };
    let strict = options & 32 != 0;
    let options = DecodeOptions {
        output,
        codec: segment_byte_order.into(),
        reduce: if REDUCED.contains(&codec.name()) { u32::from(kind >> 5 & 3) } else { 0 },
        strict,
        cpu_level: CpuLevel::PORTABLE,
        ..DecodeOptions::default()
    };
    let number_of_frames = (frames & 128 == 0).then_some(u32::from(frames % 8));
    let word_swapped = term & 4 != 0;
    let scratch_bytes = if is_tight { u64::from(term) << 12 } else { AMPLE_SCRATCH_BYTES };
    Some((
        Choice { syntax, info, options, table, number_of_frames, word_swapped, has_entropy_modes, scratch_bytes },
        value,
    ))
}

/// Splits `bytes` at each `separator`.
fn split<'a>(bytes: &'a [u8], separator: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest.take()?;
        let offset = bytes.windows(separator.len()).position(|window| window == separator);
        let (part, after) = bytes.split_at(offset.unwrap_or(bytes.len()));
        rest = after.get(separator.len()..).filter(|_| offset.is_some());
        Some(part)
    })
}
