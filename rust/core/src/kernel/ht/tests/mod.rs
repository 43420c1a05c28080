//! All CPU levels against the plain decoder and the encoder: blocks of all shapes and depths, damaged segments, errors.

#![allow(clippy::cast_possible_truncation, reason = "values of known size")]

mod encoder;
mod reference;

use super::super::CpuLevel;
use super::super::code_block::{BlockErrorReason, CodeBlock, CodewordSegment, Dequantization};
use super::{Job, Scratch, decode_job, unstuff};
use crate::testing::{Random, miri_or};
use encoder::Samples;

/// Value of memory that a decoder should not depend on.
const FILL: i32 = 0x5A5A_5A5A;
/// Sizes of blocks: all remainders of steps, words of 32 columns, stripes, and the extreme shapes.
const SIZES: [(usize, usize); 22] = [
    (1, 1),
    (1, 2),
    (2, 1),
    (3, 3),
    (4, 4),
    (5, 2),
    (6, 7),
    (7, 8),
    (8, 5),
    (9, 9),
    (15, 4),
    (16, 16),
    (31, 6),
    (32, 3),
    (33, 11),
    (63, 13),
    (64, 64),
    (65, 5),
    (1024, 4),
    (4, 1024),
    (819, 5),
    (1, 1024),
];

/// Segments of a block and the parameters of their decoding.
struct Encoded {
    width: usize,
    height: usize,
    bit_planes: u32,
    cleanup: Vec<u8>,
    /// Number of passes and bytes.
    refinement: Option<(u32, Vec<u8>)>,
    is_causal: bool,
}

impl Encoded {
    /// Decodes the block as the second one of a row of blocks, and returns its coefficients.
    fn decode(
        &self,
        dequantization: Dequantization,
        roi_shift: u32,
        level: CpuLevel,
    ) -> Result<Vec<i32>, BlockErrorReason> {
        let mut segments = vec![CodewordSegment { passes: 1, bytes: self.cleanup.len() }];
        let mut data = self.cleanup.clone();
        if let Some((passes, bytes)) = &self.refinement {
            segments.push(CodewordSegment { passes: *passes, bytes: bytes.len() });
            data.extend(bytes);
        }
        let (width, height, offset) = (self.width, self.height, 5);
        let stride = offset + width + 3;
        let bit_planes = self.bit_planes;
        let block = CodeBlock { width, height, offset, bit_planes, roi_shift, data: &data, segments: &segments };
        let mut out = vec![FILL; stride * height];
        let mut scratch: Box<Scratch> = Box::new([0xA5A5_A5A5; _]);
        let job = Job { is_vertically_causal: self.is_causal, dequantization, blocks: &[block], stride };
        decode_job(&job, &mut out, &mut scratch, level).map_err(|error| error.reason)?;
        let mut coefficients = Vec::new();
        for row in out.chunks(stride) {
            let (before, rest) = row.split_at(offset);
            let (samples, after) = rest.split_at(width);
            assert!(before.iter().chain(after).all(|value| *value == FILL), "written outside the block");
            coefficients.extend_from_slice(samples);
        }
        Ok(coefficients)
    }

    /// Returns twice the value of each sample, from the plain decoder.
    fn reference(&self) -> Result<Vec<(u64, bool)>, BlockErrorReason> {
        reference::decode(&reference::Block {
            width: self.width,
            height: self.height,
            bit_plane: self.bit_planes - 1,
            is_causal: self.is_causal,
            cleanup: &self.cleanup,
            refinement: self.refinement.as_ref().map(|(passes, bytes)| (*passes, bytes.as_slice())),
        })
    }

    fn describe(&self, level: CpuLevel) -> String {
        let passes = self.refinement.as_ref().map(|(passes, _)| *passes);
        let Self { width, height, bit_planes, is_causal, .. } = self;
        format!("{width} × {height}, {bit_planes} planes, {passes:?}, causal {is_causal}, {}", level.name())
    }

    /// Compares all levels with the plain decoder.
    fn check(&self) -> Result<Vec<(u64, bool)>, BlockErrorReason> {
        let expected = self.reference();
        for level in CpuLevel::available() {
            let signed = |(doubled, is_negative): (u64, bool)| {
                let doubled = i32::try_from(doubled).unwrap();
                if is_negative { -doubled } else { doubled }
            };
            let integers = expected.clone().map(|samples| samples.into_iter().map(|s| signed(s) / 2).collect());
            assert_eq!(self.decode(Dequantization::Reversible, 0, level), integers, "{}", self.describe(level));
            let step = 0.37;
            let floats = expected.clone().map(|samples| {
                samples.into_iter().map(|s| (signed(s) as f32 * (0.5 * step)).to_bits().cast_signed()).collect()
            });
            let decoded = self.decode(Dequantization::Irreversible { step }, 0, level);
            assert_eq!(decoded, floats, "{}", self.describe(level));
        }
        expected
    }
}

/// Returns random samples of at most `bits` bits; of `density` in 8, others are 0. Small magnitudes are more frequent.
fn samples(width: usize, height: usize, bits: u32, density: usize, random: &mut Random) -> Samples {
    let count = width * height;
    let mut magnitude = || {
        let used = random.below(bits as usize + 1) as u32;
        let value = (random.next() as u32 | 1) & ((1_u64 << used) - 1) as u32;
        if random.below(8) < density { value } else { 0 }
    };
    let magnitudes = (0..count).map(|_| magnitude()).collect();
    Samples { width, height, magnitudes, signs: (0..count).map(|_| random.next() & 4 == 0).collect() }
}

fn encode(samples: &Samples, bit_planes: u32, random: &mut Random) -> Encoded {
    let &Samples { width, height, .. } = samples;
    let cleanup = encoder::cleanup(samples, random);
    Encoded { width, height, bit_planes, cleanup, refinement: None, is_causal: false }
}

#[test]
fn decode_job_cleanup_gives_the_encoded_samples() {
    let mut random = Random(1);
    for (width, height) in SIZES {
        for bits in [1, 2, 5, 8, 12, 16, 22, 23, 24, 25, 30] {
            for density in miri_or(&[0, 1, 4, 8][..], &[4]) {
                let samples = samples(width, height, bits, *density, &mut random);
                let encoded = encode(&samples, 1, &mut random);
                let decoded = encoded.check().unwrap();
                for ((doubled, is_negative), (magnitude, sign)) in
                    decoded.into_iter().zip(samples.magnitudes.iter().zip(&samples.signs))
                {
                    let expected = u64::from(*magnitude) * 2 + u64::from(*magnitude > 0);
                    assert_eq!((doubled, is_negative), (expected, *magnitude > 0 && *sign), "{bits} bits");
                }
            }
        }
    }
}

#[test]
fn decode_job_smooth_samples_gives_the_encoded_samples() {
    // Neighbours of similar magnitude have small residuals and large known bits.
    let mut random = Random(2);
    for bits in [3, 7, 11, 15, 20, 26] {
        let mut samples = samples(64, 32, bits, 8, &mut random);
        samples.magnitudes.iter_mut().for_each(|magnitude| *magnitude |= 1 << (bits - 1));
        let decoded = encode(&samples, 1, &mut random).check().unwrap();
        let magnitudes: Vec<u64> = decoded.iter().map(|(doubled, _)| doubled / 2).collect();
        assert!(magnitudes.iter().zip(&samples.magnitudes).all(|(a, b)| *a == u64::from(*b)), "{bits} bits");
    }
}

#[test]
fn decode_job_refinement_gives_the_encoded_samples() {
    let mut random = Random(3);
    for (width, height) in SIZES {
        for (passes, is_causal) in [(1, false), (2, false), (1, true), (2, true)] {
            for bits in [2, 6, 17] {
                let mut samples = samples(width, height, bits, 3, &mut random);
                let bytes = encoder::refinement(&mut samples, passes == 2, is_causal);
                let cleanup = Samples {
                    magnitudes: samples.magnitudes.iter().map(|magnitude| magnitude >> 1).collect(),
                    signs: samples.signs.clone(),
                    width,
                    height,
                };
                let encoded =
                    Encoded { refinement: Some((passes, bytes)), is_causal, ..encode(&cleanup, 2, &mut random) };
                let decoded = encoded.check().unwrap();
                if encoded.refinement.is_some_and(|(_, bytes)| bytes.is_empty()) {
                    continue;
                }
                for ((doubled, _), magnitude) in decoded.into_iter().zip(&samples.magnitudes) {
                    // In half units: the middle of an interval of one unit, or of two without MagRef.
                    let expected = match (magnitude, passes) {
                        (0, _) => 0,
                        (2.., 1) => u64::from(magnitude >> 1) * 4 + 2,
                        _ => u64::from(*magnitude) * 2 + 1,
                    };
                    assert_eq!(doubled, expected, "{width} × {height}, {passes} passes, {bits} bits");
                }
            }
        }
    }
}

#[test]
fn decode_job_all_bit_planes_scale_magnitudes() {
    let mut random = Random(4);
    for bit_planes in 1..=30 {
        let samples = samples(13, 9, 31 - bit_planes, 6, &mut random);
        let encoded = encode(&samples, bit_planes, &mut random);
        let decoded = encoded.check().unwrap();
        for ((doubled, _), magnitude) in decoded.into_iter().zip(&samples.magnitudes) {
            let expected = u64::from(2 * magnitude + 1) << (bit_planes - 1);
            assert_eq!(doubled, if *magnitude == 0 { 0 } else { expected }, "{bit_planes} bit-planes");
        }
    }
}

#[test]
fn decode_job_roi_shift_scales_large_magnitudes_down() {
    let mut random = Random(5);
    let mut samples = samples(40, 40, 8, 6, &mut random);
    let expected: Vec<i32> = samples
        .magnitudes
        .iter()
        .zip(&samples.signs)
        .map(|(magnitude, sign)| if *sign { -(*magnitude as i32) } else { *magnitude as i32 })
        .collect();
    for magnitude in samples.magnitudes.iter_mut().skip(1).step_by(2) {
        *magnitude <<= 8;
    }
    let encoded = encode(&samples, 1, &mut random);
    for level in CpuLevel::available() {
        assert_eq!(encoded.decode(Dequantization::Reversible, 8, level).as_ref(), Ok(&expected));
        let halves = encoded.decode(Dequantization::Irreversible { step: 1.0 }, 8, level).unwrap();
        for (half, integer) in halves.iter().zip(&expected) {
            let value = f32::from_bits(half.cast_unsigned()).abs() - integer.abs() as f32;
            assert!((0.0..=0.5).contains(&value), "{value}");
        }
        let refined =
            Encoded { refinement: Some((2, vec![0; 400])), bit_planes: 2, ..encode(&samples, 2, &mut random) };
        let scaled = refined.decode(Dequantization::Reversible, 9, level).unwrap();
        let plain = refined.decode(Dequantization::Reversible, 0, level).unwrap();
        let expected: Vec<i32> = plain.iter().map(|v| if v.abs() < 512 { *v } else { v / 512 }).collect();
        assert_eq!(scaled, expected, "{}", level.name());
    }
}

#[test]
fn decode_job_damaged_segments_agree_with_the_reference() {
    let mut random = Random(6);
    let mut errors = 0;
    for round in 0..miri_or(3000, 30) {
        let (width, height) = [(64, 8), (7, 5), (33, 4), (4, 64), (1, 9)][round % 5];
        let bits = 1 + random.below(24) as u32;
        let samples = samples(width, height, bits, 1 + random.below(8), &mut random);
        let bit_planes = 1 + random.below(8) as u32;
        let mut encoded = encode(&samples, bit_planes, &mut random);
        for _ in 0..1 + random.below(4) {
            let index = random.below(encoded.cleanup.len());
            encoded.cleanup[index] = random.next() as u8;
        }
        if round % 7 == 0 {
            encoded.cleanup.drain(..random.below(encoded.cleanup.len()));
        }
        if bit_planes > 1 && round % 3 == 0 {
            let bytes = (0..1 + random.below(100)).map(|_| [random.next() as u8, 0xFF][random.below(2)]).collect();
            encoded.refinement = Some((1 + random.below(2) as u32, bytes));
            encoded.is_causal = random.below(2) == 0;
        }
        errors += u32::from(encoded.check().is_err());
    }
    assert!(errors > miri_or(100, 0), "{errors} errors");
}

#[test]
fn decode_job_random_bytes_agree_with_the_reference() {
    let mut random = Random(7);
    let mut decoded = 0;
    for round in 0..miri_or(3000, 30) {
        let (width, height) = SIZES[round % 15];
        let bit_planes = 1 + random.below(30) as u32;
        let has_many_ones = round % 5 == 0;
        let mut byte = || if has_many_ones { [0xFF, 0x7F, 0x8F, 0x90][random.below(4)] } else { random.next() as u8 };
        let mut cleanup: Vec<u8> = (0..602).map(|_| byte()).collect();
        cleanup.truncate(2 + random.below(600));
        if round % 2 == 0 {
            // A valid length, so that more than the lengths is tested.
            let length = cleanup.len();
            let code_bytes = 2 + random.below(length - 1);
            cleanup[length - 1] = (code_bytes >> 4) as u8;
            cleanup[length - 2] = cleanup[length - 2] & 0xF0 | (code_bytes & 0xF) as u8;
        }
        let refinement = (bit_planes > 1).then(|| (2, (0..50).map(|_| random.next() as u8).collect()));
        let encoded = Encoded { width, height, bit_planes, cleanup, refinement, is_causal: round % 3 == 0 };
        decoded += u32::from(encoded.check().is_ok());
    }
    assert!(decoded > miri_or(100, 0), "{decoded} decoded");
}

#[test]
fn decode_job_blocks_of_all_bounds_give_the_samples_of_each_alone() {
    let mut random = Random(10);
    let (width, height, count) = (16, 12, 12);
    for _ in 0..miri_or(50, 2) {
        let mut encode_block = || {
            let bits = [3, 10, 14, 15, 16, 20][random.below(6)];
            encode(&samples(width, height, bits, 4, &mut random), 1, &mut random)
        };
        let encoded: Vec<Encoded> = (0..count).map(|_| encode_block()).collect();
        let segments = |block: &Encoded| [CodewordSegment { passes: 1, bytes: block.cleanup.len() }];
        let segments: Vec<_> = encoded.iter().map(segments).collect();
        let stride = width * count;
        let blocks = encoded.iter().zip(&segments).zip((0..).step_by(width)).map(|((block, segments), offset)| {
            let data = &block.cleanup;
            CodeBlock { width, height, offset, bit_planes: 1, roi_shift: 0, data, segments }
        });
        let blocks: Vec<CodeBlock<'_>> = blocks.collect();
        let dequantization = Dequantization::Reversible;
        let job = Job { is_vertically_causal: false, dequantization, blocks: &blocks, stride };
        for level in CpuLevel::available() {
            let mut out = vec![FILL; stride * height];
            let mut scratch: Box<Scratch> = Box::new([0xA5A5_A5A5; _]);
            decode_job(&job, &mut out, &mut scratch, level).unwrap();
            for (index, block) in encoded.iter().enumerate() {
                let columns = index * width..(index + 1) * width;
                let samples: Vec<i32> = out.chunks(stride).flat_map(|row| row[columns.clone()].to_vec()).collect();
                assert_eq!(samples, block.decode(dequantization, 0, level).unwrap(), "block {index}, {}", level.name());
            }
        }
    }
}

#[test]
fn decode_job_invalid_string_lengths_are_errors() {
    // Scup: 1, longer than the segment, 4080.
    let mut long = vec![0; 5000];
    long[4999] = 0xFF;
    for cleanup in [vec![], vec![0], vec![1, 0], vec![0, 0], vec![3, 0], vec![0, 1], long] {
        let encoded = Encoded { width: 4, height: 4, bit_planes: 1, cleanup, refinement: None, is_causal: false };
        for level in CpuLevel::available() {
            let decoded = encoded.decode(Dequantization::Reversible, 0, level);
            assert_eq!(decoded, Err(BlockErrorReason::StringLengths), "{} bytes", encoded.cleanup.len());
        }
    }
}

#[test]
fn decode_job_codes_beyond_the_segment_are_an_error() {
    // MEL symbols 1 and 12 bits of codewords for 1024 quads.
    let cleanup = vec![0, 3, 0];
    let encoded = Encoded { width: 64, height: 64, bit_planes: 1, cleanup, refinement: None, is_causal: false };
    for level in CpuLevel::available() {
        let decoded = encoded.decode(Dequantization::Reversible, 0, level);
        assert_eq!(decoded, Err(BlockErrorReason::Codes), "{}", level.name());
    }
}

#[test]
fn decode_job_too_large_magnitudes_are_an_error() {
    let mut random = Random(8);
    let samples = samples(16, 16, 20, 8, &mut random);
    for level in CpuLevel::available() {
        let encoded = encode(&samples, 11, &mut random);
        assert!(encoded.decode(Dequantization::Reversible, 0, level).is_ok());
        let encoded = encode(&samples, 12, &mut random);
        assert_eq!(encoded.decode(Dequantization::Reversible, 0, level), Err(BlockErrorReason::Magnitude));
    }
}

#[test]
fn decode_job_invalid_passes_and_segments_are_errors() {
    let cleanup = CodewordSegment { passes: 1, bytes: 3 };
    let refinement = CodewordSegment { passes: 2, bytes: 1 };
    let data = [0xFF, 3, 0, 0];
    let decode = |segments: &[CodewordSegment], bit_planes, data| {
        let block = CodeBlock { width: 1, height: 1, offset: 0, bit_planes, roi_shift: 0, data, segments };
        let dequantization = Dequantization::Reversible;
        let job = Job { is_vertically_causal: false, dequantization, blocks: &[block], stride: 1 };
        let mut scratch: Box<Scratch> = Box::new([0; _]);
        decode_job(&job, &mut [0], &mut scratch, CpuLevel::PORTABLE).map_err(|error| error.reason)
    };
    assert_eq!(decode(&[cleanup], 1, &data), Ok(()));
    assert_eq!(decode(&[cleanup, refinement], 2, &data), Ok(()));
    assert_eq!(decode(&[], 2, &data), Err(BlockErrorReason::Passes));
    assert_eq!(decode(&[cleanup; 3], 2, &data), Err(BlockErrorReason::Passes));
    assert_eq!(decode(&[cleanup, refinement], 1, &data), Err(BlockErrorReason::Passes));
    for passes in [0, 3] {
        let [first, second] = [cleanup, refinement].map(|segment| CodewordSegment { passes, ..segment });
        assert_eq!(decode(&[first], 2, &data), Err(BlockErrorReason::Passes));
        assert_eq!(decode(&[cleanup, second], 2, &data), Err(BlockErrorReason::Passes));
    }
    assert_eq!(decode(&[cleanup, refinement], 2, &data[..3]), Err(BlockErrorReason::Segments));
    assert_eq!(decode(&[cleanup], 1, &data[..2]), Err(BlockErrorReason::Segments));
    for bit_planes in [0, 31] {
        assert_eq!(decode(&[cleanup], bit_planes, &data), Err(BlockErrorReason::BitPlanes));
    }
}

#[test]
fn decode_job_reports_the_index_of_the_block() {
    let segments = [CodewordSegment { passes: 1, bytes: 3 }];
    let block = |offset, data| CodeBlock {
        width: 2,
        height: 2,
        offset,
        bit_planes: 1,
        roi_shift: 0,
        data,
        segments: &segments,
    };
    let valid = [0xFF, 3, 0];
    for (blocks, expected) in [
        ([block(0, &valid), block(2, &[0, 0, 0])], (1, BlockErrorReason::StringLengths)),
        ([block(3, &valid), block(2, &valid)], (0, BlockErrorReason::Size)),
    ] {
        let dequantization = Dequantization::Reversible;
        let job = Job { is_vertically_causal: false, dequantization, blocks: &blocks, stride: 4 };
        let mut scratch: Box<Scratch> = Box::new([0; _]);
        let error = decode_job(&job, &mut [0; 8], &mut scratch, CpuLevel::PORTABLE).unwrap_err();
        assert_eq!((error.block, error.reason), expected);
    }
}

#[test]
fn unstuff_of_strings_with_many_stuffing_bits_gives_each_bit() {
    let mut random = Random(9);
    for round in 0..miri_or(500, 20) {
        let values = [[0xFF, 0x7F, 0x8F, 0x90], [0xFF, 0, 0xFF, 0x7F], [1, 2, 3, 0xFF]][round % 3];
        let source: Vec<u8> = (0..2 + random.below(60)).map(|_| values[random.below(4)]).collect();
        let mut out = vec![0xA5; source.len() + 9 + unstuff::PADDING_BYTES];
        let (count, bytes) = unstuff::unstuff_forward(&source, &mut out, unstuff::PADDING_BYTES, |_, _, _| None);
        let mut expected = Vec::new();
        let mut before = 0;
        for byte in &source {
            expected.extend((0..if before == 0xFF { 7 } else { 8 }).map(|bit| byte >> bit & 1));
            before = *byte;
        }
        assert_eq!(count, expected.len());
        let bits: Vec<u8> = (1..8 * bytes).map(|bit| out[bit / 8] >> (bit % 8) & 1).collect();
        assert_eq!(bits[..expected.len()], expected);
        assert!(bits[expected.len()..].iter().all(|bit| *bit == 1));
    }
}
