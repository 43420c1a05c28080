//! Any number of threads gives the same samples, deviations and errors as one, for any data.

#![allow(clippy::cast_possible_truncation, reason = "test data are any bits")]

use super::block::BLOCK_BYTES;
use super::*;
use crate::codec::jpeg_lossless::DecoderState;
use crate::codec::jpeg_lossless::tests::info_of;
use crate::kernel::CpuLevel;
use crate::kernel::huffman::PAD_BYTES;
use crate::sample::Rescale;
use crate::testing::Random;
use crate::{
    Cancel, DecodeError, DecodeOptions, Deviation, ErrorKind, FrameContext, FrameInfo, SamplesMut, TransferSyntax,
    Workspace, decode_frame,
};
use std::ops::Range;
use std::sync::atomic::AtomicBool;

/// One code per category, with its length in bits; lengths do not decrease.
struct Codes {
    lengths: &'static [u32],
    categories: &'static [u8],
}

/// All symbols have 9 bits, codes and extra bits together: decoders out of step never synchronise.
const ALWAYS_NINE_BITS: Codes =
    Codes { lengths: &[1, 2, 3, 4, 5, 6, 7, 8, 9], categories: &[8, 7, 6, 5, 4, 3, 2, 1, 0] };
/// Large differences, about 13 bits per symbol.
const LARGE: Codes = Codes { lengths: &[2, 2, 3, 3, 4, 5, 6], categories: &[9, 10, 8, 11, 7, 12, 0] };
/// Small differences, and a few symbols of 31 bits.
const SMALL: Codes = Codes { lengths: &[1, 3, 3, 4, 16, 16], categories: &[0, 1, 2, 3, 15, 16] };
/// Half of all codes of 3 bits are unassigned.
const SPARSE: Codes = Codes { lengths: &[3, 3, 3, 3], categories: &[4, 5, 6, 0] };

impl Codes {
    /// Returns the code of each category.
    fn codes(&self) -> Vec<u32> {
        let (mut code, mut last) = (0, 0);
        let mut codes = Vec::new();
        for length in self.lengths {
            code <<= length - last;
            codes.push(code);
            (code, last) = (code + 1, *length);
        }
        codes
    }

    /// Returns a DHT segment with this table.
    fn segment(&self, destination: u8) -> Vec<u8> {
        let mut counts = [0_u8; 16];
        self.lengths.iter().for_each(|length| counts[*length as usize - 1] += 1);
        let mut segment = vec![0xFF, 0xC4, 0, 19 + self.categories.len() as u8, destination];
        segment.extend(counts);
        segment.extend(self.categories);
        segment
    }
}

/// Writes bits with byte stuffing.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    window: u64,
    count: u32,
}

impl BitWriter {
    fn put(&mut self, value: u32, length: u32) {
        self.window = self.window << length | u64::from(value);
        self.count += length;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.window >> self.count) as u8;
            self.bytes.push(byte);
            if byte == 0xFF {
                self.bytes.push(0);
            }
        }
    }

    /// Fills the last byte with ones.
    fn align(&mut self) {
        let missing = (8 - self.count % 8) % 8;
        self.put((1 << missing) - 1, missing);
    }
}

/// A frame, and the byte offset of its entropy-coded data.
struct Frame {
    bytes: Vec<u8>,
    data_offset: usize,
    rows: usize,
    columns: usize,
    components: usize,
}

/// Encodes a frame of random symbols. The codes of each table are drawn so that the first ones are the most frequent.
fn frame(rows: usize, columns: usize, tables: &[&Codes], restart_rows: usize, selection_value: u8) -> Frame {
    let components = tables.len();
    let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ (rows * columns) as u64);
    let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xC3, 0, 8 + 3 * components as u8, 16];
    bytes.extend([(rows >> 8) as u8, rows as u8, (columns >> 8) as u8, columns as u8, components as u8]);
    (0..components as u8).for_each(|id| bytes.extend([id, 0x11, 0]));
    (0_u8..).zip(tables).for_each(|(destination, table)| bytes.extend(table.segment(destination)));
    let interval = restart_rows * columns;
    bytes.extend([0xFF, 0xDD, 0, 4, (interval >> 8) as u8, interval as u8]);
    bytes.extend([0xFF, 0xDA, 0, 6 + 2 * components as u8, components as u8]);
    (0..components as u8).for_each(|id| bytes.extend([id, id << 4]));
    bytes.extend([selection_value, 0, 0]);
    let data_offset = bytes.len();
    let mut bits = BitWriter { bytes, ..BitWriter::default() };
    let codes: Vec<Vec<u32>> = tables.iter().map(|table| table.codes()).collect();
    for row in 0..rows {
        if restart_rows > 0 && row > 0 && row % restart_rows == 0 {
            bits.align();
            bits.bytes.extend([0xFF, 0xD0 + ((row / restart_rows - 1) % 8) as u8]);
        }
        for sample in 0..columns * components {
            let (table, codes) = (tables[sample % components], &codes[sample % components]);
            let index = (random.next().trailing_zeros() as usize).min(codes.len() - 1);
            let category = u32::from(table.categories[index]) % 16;
            bits.put(codes[index], table.lengths[index]);
            bits.put(random.next() as u32 & ((1 << category) - 1), category);
        }
    }
    bits.align();
    bits.bytes.extend([0xFF, 0xD9]);
    Frame { bytes: bits.bytes, data_offset, rows, columns, components }
}

type Outcome = std::result::Result<(Vec<u16>, Vec<Deviation>), DecodeError>;

impl Frame {
    fn info(&self) -> FrameInfo {
        info_of(self.rows as u32, self.columns as u32, self.components as u32)
    }

    /// Returns the outcome, and `true` if helpers were started.
    fn decode(&self, options: DecodeOptions, limits: &Limits, poll: &dyn Fn() -> bool) -> (Outcome, bool) {
        let info = self.info();
        let mut out = vec![0; info.samples()];
        let context = FrameContext { syntax: TransferSyntax::JPEG_LOSSLESS, info: &info, limits, options };
        let stop = AtomicBool::new(false);
        let mut workspace = Workspace::default();
        let samples = SamplesMut::U16(&mut out);
        let cancel = Cancel { stop: &stop, poll: Some(poll) };
        let decoded = decode_frame(&context, self.bytes.as_slice().into(), samples, &mut workspace, cancel);
        let has_helpers = workspace.state.with(|state: &mut DecoderState| !state.scratch.workers.blocks.is_empty());
        (decoded.map(|decoded| (out, decoded.deviations)), has_helpers)
    }

    /// Checks that all CPU levels and numbers of threads have the same outcome, and returns it.
    fn agreed_outcome(&self) -> Outcome {
        let decode = |options| self.decode(options, &Limits::unbounded(), &|| false);
        let serial = DecodeOptions {
            cpu_level: CpuLevel::PORTABLE,
            codec: EntropyMode::Serial.into(),
            ..DecodeOptions::default()
        };
        let (expected, _) = decode(serial);
        for level in CpuLevel::available() {
            for threads in [1, 2, 3, 7] {
                let codec = EntropyMode::Speculative.into();
                let (outcome, _) =
                    decode(DecodeOptions { cpu_level: level, codec, threads, ..DecodeOptions::default() });
                assert!(outcome == expected, "{} {threads}: {:?} {:?}", level.name(), outcome.err(), expected.err());
            }
        }
        expected
    }

    fn data_bytes(&self) -> usize {
        self.bytes.len() - self.data_offset
    }
}

#[test]
fn decode_any_number_of_threads_gives_the_same_samples() {
    for (rows, columns, tables, restart_rows, selection_value) in [
        (500, 431, &[&LARGE][..], 0, 1),
        (1500, 1300, &[&SMALL], 0, 7),
        (600, 501, &[&ALWAYS_NINE_BITS], 0, 4),
        (800, 901, &[&SPARSE], 0, 1),
        (500, 300, &[&LARGE, &SMALL, &ALWAYS_NINE_BITS], 0, 2),
        (500, 400, &[&SMALL, &LARGE], 0, 1),
        (700, 401, &[&LARGE], 1, 1),
        (700, 401, &[&ALWAYS_NINE_BITS], 37, 6),
        (700, 401, &[&LARGE], 163, 5),
        (500, 300, &[&SPARSE, &ALWAYS_NINE_BITS, &LARGE], 31, 3),
        // A row that is longer than the differences of a round.
        (4, 50_001, &[&LARGE, &ALWAYS_NINE_BITS, &LARGE, &ALWAYS_NINE_BITS], 0, 1),
    ] {
        let frame = frame(rows, columns, tables, restart_rows, selection_value);
        assert!(frame.data_bytes() >= MIN_BYTES, "{}", frame.data_bytes());
        assert_eq!(frame.agreed_outcome().unwrap().1, []);
        for (threads, expected) in [(1, false), (2, true)] {
            let options = DecodeOptions { threads, codec: EntropyMode::Speculative.into(), ..DecodeOptions::default() };
            assert_eq!(frame.decode(options, &Limits::unbounded(), &|| false).1, expected);
        }
    }
}

#[test]
fn decode_small_frame_or_other_mode_starts_no_thread() {
    let (small, large) = (frame(100, 300, &[&LARGE], 0, 1), frame(500, 431, &[&LARGE], 0, 1));
    for (frame, way) in [(small, EntropyMode::Speculative), (large, EntropyMode::Lanes)] {
        let options = DecodeOptions { threads: 4, codec: way.into(), ..DecodeOptions::default() };
        assert!(!frame.decode(options, &Limits::unbounded(), &|| false).1);
    }
}

#[test]
fn decode_truncated_data_gives_the_same_error() {
    for restart_rows in [0, 40] {
        let whole = frame(500, 431, &[&LARGE], restart_rows, 1);
        for data_bytes in [1, 40_000, 150_000, 290_001, 299_990] {
            let end = whole.data_offset + (whole.data_bytes() - 2).min(data_bytes);
            let bytes = whole.bytes[..end].to_vec();
            let kind = Frame { bytes, ..whole }.agreed_outcome().map(|_| ()).map_err(|error| error.kind());
            assert_eq!(kind, Err(ErrorKind::Truncated), "{data_bytes}");
        }
        for dropped in 2..20 {
            let bytes = whole.bytes[..whole.bytes.len() - dropped].to_vec();
            let _ = Frame { bytes, ..whole }.agreed_outcome();
        }
    }
}

#[test]
fn decode_corrupt_data_gives_the_same_error() {
    let mut random = Random(5);
    let mut failed = 0;
    for (tables, restart_rows) in
        [(&[&LARGE][..], 0), (&[&SPARSE], 0), (&[&SMALL, &LARGE], 0), (&[&LARGE], 3), (&[&ALWAYS_NINE_BITS], 101)]
    {
        let mut frame = frame(900, 430, tables, restart_rows, 1);
        for _ in 0..6 {
            let start = frame.data_offset + random.below(frame.data_bytes() - 40);
            let original = frame.bytes[start..start + 40].to_vec();
            let length = 1 + random.below(40);
            // FF and the byte after it stay as they are, so that no marker appears or disappears.
            for index in start..start + length {
                if frame.bytes[index] != 0xFF && frame.bytes[index - 1] != 0xFF {
                    frame.bytes[index] = random.below(255) as u8;
                }
            }
            failed += usize::from(frame.agreed_outcome().is_err());
            frame.bytes[start..start + 40].copy_from_slice(&original);
        }
    }
    assert!(failed > 4, "{failed}");
}

#[test]
fn decode_bytes_after_last_sample_reports_the_same_deviation() {
    for unused_bytes in [1, 2, 70, 5000, 90_000] {
        let mut frame = frame(500, 431, &[&LARGE], 0, 1);
        let eoi = frame.bytes.len() - 2;
        frame.bytes.splice(eoi..eoi, std::iter::repeat_n(0x5A, unused_bytes));
        let (_, deviations) = frame.agreed_outcome().unwrap();
        assert_eq!(deviations.len(), 1, "{unused_bytes}");
    }
}

#[test]
fn decode_fewer_rows_than_data_ignores_the_rest() {
    // The data after the last row are not part of the image, even where their codes are unassigned.
    let mut frame = frame(700, 431, &[&SPARSE, &LARGE], 0, 1);
    for rows in [1_u8, 77, 250] {
        frame.bytes[7..9].copy_from_slice(&[0, rows]);
        frame.rows = rows.into();
        assert_eq!(frame.agreed_outcome().unwrap().1.len(), 1);
    }
}

#[test]
fn decode_codestream_and_output_error_reports_codestream_error() {
    let mut frame = frame(900, 430, &[&SPARSE], 0, 1);
    let start = frame.data_offset + 170_000;
    frame.bytes[start..start + 8].fill(0xEE);
    let finish = crate::OutputOptions {
        rescale: Some(Rescale { slope: 0.5, intercept: 0.0 }),
        ..crate::OutputOptions::default()
    };
    for threads in [1, 2, 3] {
        let options = DecodeOptions {
            threads,
            output: finish,
            codec: EntropyMode::Speculative.into(),
            ..DecodeOptions::default()
        };
        let (outcome, _) = frame.decode(options, &Limits::unbounded(), &|| false);
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Malformed);
    }
}

#[test]
fn decode_budget_for_one_thread_uses_one() {
    let frame = frame(500, 431, &[&LARGE], 0, 1);
    let options = DecodeOptions { threads: 3, codec: EntropyMode::Speculative.into(), ..DecodeOptions::default() };
    let (expected, _) = frame.decode(options, &Limits::unbounded(), &|| false);
    let limits = Limits::new(Some(2 << 20));
    let (outcome, has_helpers) = frame.decode(options, &limits, &|| false);
    assert!(outcome == expected && outcome.is_ok() && !has_helpers);
}

#[test]
fn decode_cancelled_ends_all_threads() {
    let frame = frame(2000, 2000, &[&LARGE], 0, 1);
    let options = DecodeOptions { threads: 3, codec: EntropyMode::Speculative.into(), ..DecodeOptions::default() };
    let (outcome, has_helpers) = frame.decode(options, &Limits::unbounded(), &|| true);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Interrupted);
    assert!(has_helpers);
}

#[test]
fn split_any_segments_covers_all_data_and_keeps_stuffed_pairs() {
    let mut random = Random(77);
    for round in 0..200 {
        let mut frame = Vec::new();
        let mut segments = Vec::new();
        for _ in 0..1 + random.below(12) {
            let start = frame.len();
            for _ in 0..random.below([100, 9000, 200_000][round % 3]) {
                match random.below(3) {
                    0 => frame.extend([0xFF, 0]),
                    _ => frame.push(0x11),
                }
            }
            segments.push(start..frame.len());
            frame.extend([0xFF, 0xD0]);
        }
        let mut expected = segments.iter().cloned().enumerate();
        let mut left: Option<(usize, Range<usize>)> = None;
        for block in split(&frame, &segments) {
            match block {
                Block::Segments(group) => {
                    let bytes: usize = segments[group.clone()].iter().map(|bytes| bytes.len() + PAD_BYTES).sum();
                    assert!(bytes <= BLOCK_BYTES && left.is_none());
                    group.for_each(|index| assert_eq!(expected.next().map(|(index, _)| index), Some(index)));
                }
                Block::Part { segment, bytes } => {
                    let (index, rest) = left.take().or_else(|| expected.next()).unwrap();
                    assert_eq!((segment, bytes.start), (index, rest.start));
                    assert!(bytes.len() > MAX_SHORT_SEGMENT_BYTES / 2 && bytes.len() <= BLOCK_BYTES + 1);
                    assert!(!frame[..bytes.end].ends_with(&[0xFF]));
                    left = (bytes.end < rest.end).then_some((index, bytes.end..rest.end));
                }
            }
        }
        assert!(left.is_none() && expected.next().is_none());
    }
}
