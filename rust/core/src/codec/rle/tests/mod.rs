//! Compares samples and errors of all CPU levels with those of a reference decoder, for frames of a test encoder.

#![allow(clippy::cast_possible_truncation, reason = "test frames are small")]

mod errors;
mod reference;
mod styles;

use crate::*;
use proptest::prelude::*;
use reference::{Outcome, reference_decode};
use std::sync::atomic::AtomicBool;
use styles::{Rng, Style, encode, plane};
use testing::miri_or;

const BIG: SegmentByteOrder = SegmentByteOrder::Big;

/// Attributes of a frame whose samples fill their bytes.
fn info(rows: u32, columns: u32, samples_per_pixel: u32, bits_allocated: u32) -> FrameInfo {
    FrameInfo::new(Attributes {
        rows,
        columns,
        samples_per_pixel,
        bits_allocated,
        bits_stored: bits_allocated,
        high_bit: bits_allocated - 1,
        sample_kind: SampleKind::Unsigned,
        planar_configuration: 0,
        photometric_interpretation: PhotometricInterpretation::Other,
    })
    .unwrap()
}

/// Value of output bytes before decoding.
const UNTOUCHED: u8 = 0xa5;

fn decode(frame: &[u8], info: &FrameInfo, order: SegmentByteOrder, level: CpuLevel) -> Result<(Vec<u8>, Decoded)> {
    let limits = Limits::unbounded();
    let options = DecodeOptions { codec: order.into(), cpu_level: level, ..DecodeOptions::default() };
    let context = FrameContext { syntax: TransferSyntax::RLE_LOSSLESS, info, limits: &limits, options };
    let mut words = vec![u64::from_ne_bytes([UNTOUCHED; 8]); (info.samples() * info.sample_bytes()).div_ceil(8)];
    let out = match info.sample_bytes() {
        1 => SamplesMut::U8(&mut bytemuck::cast_slice_mut(&mut words)[..info.samples()]),
        2 => SamplesMut::U16(&mut bytemuck::cast_slice_mut(&mut words)[..info.samples()]),
        4 => SamplesMut::U32(&mut bytemuck::cast_slice_mut(&mut words)[..info.samples()]),
        _ => SamplesMut::U64(&mut words),
    };
    let cancel = Cancel { stop: &AtomicBool::new(false), poll: None };
    let decoded = decode_frame(&context, frame.into(), out, &mut Workspace::default(), cancel)?;
    let bytes: &[u8] = bytemuck::cast_slice(&words);
    assert!(bytes[info.samples() * info.sample_bytes()..].iter().all(|byte| *byte == UNTOUCHED));
    Ok((bytes[..info.samples() * info.sample_bytes()].to_vec(), decoded))
}

/// Decodes to a wider type, so that the output stage provides blocks.
fn decode_in_blocks(frame: &[u8], info: &FrameInfo, level: CpuLevel) -> Result<Vec<u8>> {
    let limits = Limits::unbounded();
    let options = DecodeOptions { cpu_level: level, ..DecodeOptions::default() };
    let context = FrameContext { syntax: TransferSyntax::RLE_LOSSLESS, info, limits: &limits, options };
    let mut out = vec![0u64; info.samples()];
    let cancel = Cancel { stop: &AtomicBool::new(false), poll: None };
    decode_frame(&context, frame.into(), SamplesMut::U64(&mut out), &mut Workspace::default(), cancel)?;
    Ok(out.iter().flat_map(|sample| sample.to_le_bytes()[..info.sample_bytes()].to_vec()).collect())
}

/// Asserts that every CPU level, and an output in blocks, has the outcome of the reference decoder; returns that outcome.
fn check(frame: &[u8], info: &FrameInfo, order: SegmentByteOrder) -> Outcome {
    let expected = reference_decode(frame, info, order == SegmentByteOrder::Big);
    let mut messages = Vec::new();
    for level in CpuLevel::available() {
        match (&expected, decode(frame, info, order, level)) {
            (Outcome::Samples { bytes, deviation_offsets }, Ok((samples, decoded))) => {
                assert!(samples == *bytes, "{} {:?}", level.name(), info.attributes());
                let offsets: Vec<u64> = decoded.deviations.iter().filter_map(|deviation| deviation.offset).collect();
                assert_eq!(offsets, *deviation_offsets, "{:?}", decoded.deviations);
                assert_eq!(decoded.code_path, level.name());
                messages.push(format!("{:?}", decoded.deviations));
            }
            (Outcome::Error { kind, offset }, Err(error)) => {
                assert_eq!((*kind, Some(*offset)), (error.kind(), error.offset()), "{error}");
                messages.push(error.to_string());
            }
            (expected, result) => panic!("{}: {expected:?} expected, {result:?} found", level.name()),
        }
        if order == SegmentByteOrder::Big {
            match (&expected, decode_in_blocks(frame, info, level)) {
                (Outcome::Samples { bytes, .. }, Ok(samples)) => assert!(samples == *bytes),
                (Outcome::Error { .. }, Err(error)) => messages.push(error.to_string()),
                (expected, result) => panic!("{}: {expected:?} expected, {result:?} found", level.name()),
            }
        }
    }
    if matches!(expected, Outcome::Error { .. }) {
        messages.dedup();
        assert_eq!(messages.len(), 1, "{messages:?}");
    }
    expected
}

const LAYOUTS: [(u32, u32); 12] =
    [(1, 8), (1, 1), (1, 16), (3, 8), (4, 8), (2, 8), (3, 16), (1, 32), (1, 64), (3, 32), (2, 16), (4, 16)];

fn random_frame(info: &FrameInfo, style: Style, rng: &mut Rng) -> Vec<u8> {
    let mut planes: Vec<Vec<u8>> =
        (0..info.samples_per_pixel() * info.sample_bytes()).map(|_| plane(info.pixels(), rng)).collect();
    if info.is_bit_packed() {
        planes.iter_mut().flatten().for_each(|pixel| *pixel &= 1);
    }
    encode(&planes, style, rng)
}

/// Returns a frame of Bits Allocated 1 with eight pixels per byte.
fn packed_frame(info: &FrameInfo, style: Style, rng: &mut Rng) -> Vec<u8> {
    let plane = plane(info.pixels().div_ceil(8), rng);
    encode(&[plane], style, rng)
}

proptest! {
    #[test]
    fn rle_conformant_frame_equals_reference(
        (samples_per_pixel, bits) in proptest::sample::select(&LAYOUTS[..]),
        rows in 1u32..miri_or(40, 5),
        columns in prop_oneof![1u32..70, miri_or(300u32, 80)..miri_or(1500, 90)],
        style in Style::any(),
        seed: u64,
    ) {
        let info = info(rows, columns, samples_per_pixel, bits);
        let frame = random_frame(&info, style, &mut Rng(seed));
        prop_assert!(super::Rle.starts_frame(&frame, frame.len(), &info));
        for order in [BIG, SegmentByteOrder::Little] {
            let outcome = check(&frame, &info, order);
            let Outcome::Samples { deviation_offsets, .. } = outcome else { panic!("{outcome:?}") };
            prop_assert_eq!(deviation_offsets, Vec::<u64>::new());
        }
    }

    #[test]
    fn rle_packed_bits_equal_reference_with_a_deviation(
        rows in 1u32..miri_or(40, 5),
        columns in prop_oneof![2u32..70, miri_or(300u32, 80)..miri_or(1500, 90)],
        style in Style::any(),
        seed: u64,
    ) {
        let info = info(rows, columns, 1, 1);
        let frame = packed_frame(&info, style, &mut Rng(seed));
        let outcome = check(&frame, &info, BIG);
        let Outcome::Samples { deviation_offsets, .. } = outcome else { panic!("{outcome:?}") };
        prop_assert_eq!(deviation_offsets, vec![64]);
    }

    #[test]
    fn rle_corrupt_frame_equals_reference(
        (samples_per_pixel, bits) in proptest::sample::select(&LAYOUTS[..]),
        rows in 1u32..20,
        columns in 1u32..200,
        style in Style::any(),
        seed: u64,
    ) {
        let info = info(rows, columns, samples_per_pixel, bits);
        let mut rng = Rng(seed);
        let mut frame = random_frame(&info, style, &mut rng);
        for _ in 0..1 + rng.below(4) {
            match rng.below(8) {
                0 => frame.truncate(rng.below(frame.len() + 1)),
                1 => frame.extend((0..1 + rng.below(300)).map(|i| (i * 7) as u8)),
                2 if frame.len() > 64 => {
                    let start = 64 + rng.below(frame.len() - 64);
                    frame.drain(start..(start + 1 + rng.below(200)).min(frame.len()));
                }
                3 => {
                    let index = rng.below(64.min(frame.len()) + 1);
                    if let Some(byte) = frame.get_mut(index) {
                        *byte = byte.wrapping_add(rng.below(3) as u8).wrapping_sub(1);
                    }
                }
                _ => {
                    let index = rng.below(frame.len() + 1);
                    if let Some(byte) = frame.get_mut(index) { *byte = rng.below(256) as u8; }
                }
            }
        }
        check(&frame, &info, BIG);
    }

    #[test]
    fn rle_random_segments_equal_reference(
        (samples_per_pixel, bits) in proptest::sample::select(&LAYOUTS[..]),
        rows in 1u32..20,
        columns in 1u32..200,
        seed: u64,
    ) {
        let info = info(rows, columns, samples_per_pixel, bits);
        let mut rng = Rng(seed);
        let count = info.samples_per_pixel() * info.sample_bytes();
        let extra = rng.below(40);
        let segments: Vec<Vec<u8>> =
            (0..count)
                .map(|_| (0..1 + info.pixels() / 50 + extra).map(|_| rng.below(256) as u8).collect())
                .collect();
        check(&styles::frame(&segments), &info, BIG);
    }
}

#[test]
fn rle_sizes_around_blocks_equal_reference() {
    let mut rng = Rng(7);
    for pixels in [8 * 1024, 16 * 1024, 32 * 1024, 16 * 1024 * 8].into_iter().take(miri_or(4, 1)) {
        for columns in [pixels - 1, pixels, pixels + 1].into_iter().filter(|columns| *columns < 65_536) {
            for (samples_per_pixel, bits) in LAYOUTS.into_iter().step_by(miri_or(1, 6)) {
                for style in [Style::PYDICOM, Style::LITERALS, Style::LITERAL_PAIRS, Style::MIXED, Style::SHORT] {
                    let info = info(1, columns, samples_per_pixel, bits);
                    check(&random_frame(&info, style, &mut rng), &info, BIG);
                }
            }
        }
    }
    for (rows, columns) in [(8, 8191), (8, 8192), (8, 8193), (1025, 128), (5, 52_429)].into_iter().skip(miri_or(0, 4)) {
        let info = info(rows, columns, 1, 1);
        check(&random_frame(&info, Style::PYDICOM, &mut rng), &info, BIG);
        check(&packed_frame(&info, Style::PYDICOM, &mut rng), &info, BIG);
    }
}

/// Frames of many blocks, so that lanes change between pair steps and single-run steps several times.
#[test]
fn rle_successive_literal_runs_equal_reference() {
    let mut rng = Rng(11);
    for (samples_per_pixel, bits) in LAYOUTS.into_iter().step_by(miri_or(1, 7)) {
        let info = info(9, miri_or(13_001, 1_301), samples_per_pixel, bits);
        for style in [Style::LITERAL_PAIRS, Style::MIXED, Style::SHORT] {
            let mut frame = random_frame(&info, style, &mut rng);
            check(&frame, &info, BIG);
            for _ in 0..4 {
                let index = 64 + rng.below(frame.len() - 64);
                frame[index] = rng.below(256) as u8;
            }
            check(&frame, &info, BIG);
            frame.truncate(frame.len() - 1 - rng.below(frame.len() / 4));
            check(&frame, &info, BIG);
        }
    }
}

#[test]
fn rle_every_prefix_is_an_error() {
    let mut rng = Rng(3);
    for (samples_per_pixel, bits) in LAYOUTS {
        let info = info(7, 93, samples_per_pixel, bits);
        let frame = random_frame(&info, Style::PYDICOM, &mut rng);
        let last = frame.len() - 1;
        for length in (0..last).step_by(miri_or(1, 101)) {
            let outcome = check(&frame[..length], &info, BIG);
            // A prefix that decodes to an eighth of the pixels is a frame of packed bits.
            let is_packed = bits == 1
                && matches!(&outcome, Outcome::Samples { deviation_offsets, .. } if deviation_offsets.first() == Some(&64));
            assert!(is_packed || matches!(outcome, Outcome::Error { .. }), "{length} of {}", frame.len());
        }
    }
}

#[test]
fn rle_bits_above_bits_stored_are_cleared() {
    let mut attributes = *info(30, 40, 1, 16).attributes();
    (attributes.bits_stored, attributes.high_bit, attributes.sample_kind) = (12, 11, SampleKind::Unsigned);
    let info = FrameInfo::new(attributes).unwrap();
    let frame = random_frame(&info, Style::PYDICOM, &mut Rng(5));
    let Outcome::Samples { bytes, .. } = reference_decode(&frame, &info, true) else { panic!() };
    let masked: Vec<u8> = bytes.chunks(2).flat_map(|sample| [sample[0], sample[1] & 15]).collect();
    for level in CpuLevel::available() {
        assert_eq!(decode(&frame, &info, BIG, level).unwrap().0, masked);
    }
}
