//! Compares deflated frames with the native frames that they hold.

#![allow(clippy::cast_possible_truncation, reason = "test frames are small")]

use super::has_zlib_header;
use crate::*;
use flate2::write::{DeflateEncoder, ZlibEncoder};
use flate2::{Compression, GzBuilder};
use proptest::prelude::*;
use std::io::Write;
use std::sync::atomic::AtomicBool;
use testing::miri_or;

const DEFLATED: TransferSyntax = TransferSyntax::DEFLATED_IMAGE_FRAME_COMPRESSION;
const NATIVE: TransferSyntax = TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN;

fn info(rows: u32, columns: u32, samples_per_pixel: u32, bits_allocated: u32, bits_stored: u32) -> FrameInfo {
    with_layout(rows, columns, samples_per_pixel, bits_allocated, bits_stored, 0, PhotometricInterpretation::Other)
}

fn with_layout(
    rows: u32,
    columns: u32,
    samples_per_pixel: u32,
    bits_allocated: u32,
    bits_stored: u32,
    planar_configuration: u32,
    photometric_interpretation: PhotometricInterpretation,
) -> FrameInfo {
    FrameInfo::new(Attributes {
        rows,
        columns,
        samples_per_pixel,
        bits_allocated,
        bits_stored,
        high_bit: bits_stored - 1,
        sample_kind: SampleKind::Unsigned,
        planar_configuration,
        photometric_interpretation,
    })
    .unwrap()
}

fn decode(
    frame: &[u8],
    syntax: TransferSyntax,
    info: &FrameInfo,
    limits: &Limits,
) -> Result<(Vec<u64>, Vec<Deviation>)> {
    let context = FrameContext { syntax, info, limits, options: DecodeOptions::default() };
    let mut samples = vec![0; info.samples()];
    let cancel = Cancel { stop: &AtomicBool::new(false), poll: None };
    let out = SamplesMut::U64(&mut samples);
    let staged = decode_frame(&context, frame.into(), out, &mut Workspace::default(), cancel)?;
    if info.sample_bytes() == 1 {
        let mut direct = vec![0; info.samples()];
        let out = SamplesMut::U8(&mut direct);
        let decoded = decode_frame(&context, frame.into(), out, &mut Workspace::default(), cancel)?;
        assert!(direct.iter().map(|sample| u64::from(*sample)).eq(samples.iter().copied()), "direct output");
        assert_eq!(decoded.deviations, staged.deviations);
    }
    Ok((samples, staged.deviations))
}

fn deflate(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn frame_bytes(info: &FrameInfo) -> usize {
    super::frame_bits(info).div_ceil(8) as usize
}

fn error(frame: &[u8], info: &FrameInfo) -> DecodeError {
    decode(frame, DEFLATED, info, &Limits::unbounded()).unwrap_err()
}

fn messages(frame: &[u8], info: &FrameInfo) -> Vec<String> {
    let (_, deviations) = decode(frame, DEFLATED, info, &Limits::unbounded()).unwrap();
    deviations.iter().map(|deviation| deviation.message.to_string()).collect()
}

/// Bytes 0, 7, 14, …: compressible, and no byte is like its neighbours.
fn ramp(count: usize) -> Vec<u8> {
    (0..count).map(|index| (index * 7) as u8).collect()
}

fn layouts() -> impl Strategy<Value = FrameInfo> {
    let interpretation =
        prop_oneof![Just(PhotometricInterpretation::Other), Just(PhotometricInterpretation::YbrFull422)];
    let bits = prop::sample::select(vec![(1, 1), (8, 8), (8, 5), (16, 16), (16, 12), (32, 32), (64, 64)]);
    let samples = prop::sample::select(vec![1, 3]);
    (1..20_u32, 1..12_u32, samples, bits, 0..2_u32, interpretation).prop_map(
        |(rows, pairs, samples, (allocated, stored), planar, interpretation)| {
            let samples = if allocated == 1 { 1 } else { samples };
            let is_422 = samples == 3 && interpretation == PhotometricInterpretation::YbrFull422;
            let planar = if samples == 3 && !is_422 { planar } else { 0 };
            with_layout(rows, pairs * 2, samples, allocated, stored, planar, interpretation)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(miri_or(4, 300)))]

    #[test]
    fn deflated_frame_has_the_samples_of_the_native_frame(
        info in layouts(), level in 0..10_u32, seed in any::<u64>(), period in 1..600_usize,
    ) {
        let bytes: Vec<u8> = (0..frame_bytes(&info))
            .map(|index| ((index % period) as u64).wrapping_mul(seed | 1).to_le_bytes()[6])
            .collect();
        let (expected, _) = decode(&bytes, NATIVE, &info, &Limits::unbounded()).unwrap();
        let (samples, deviations) = decode(&deflate(&bytes, level), DEFLATED, &info, &Limits::unbounded()).unwrap();
        prop_assert_eq!(samples, expected);
        prop_assert_eq!(deviations, vec![]);
    }

    #[test]
    fn any_bytes_have_all_samples_or_an_error(info in layouts(), bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Err(error) = decode(&bytes, DEFLATED, &info, &Limits::unbounded()) {
            prop_assert!(matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Malformed), "{}", error);
        }
    }
}

#[test]
fn large_frame_is_inflated_in_several_blocks() {
    let info = info(1500, miri_or(20, 2000), 1, 16, 16);
    let bytes = ramp(frame_bytes(&info));
    let (expected, _) = decode(&bytes, NATIVE, &info, &Limits::unbounded()).unwrap();
    let (samples, deviations) = decode(&deflate(&bytes, 6), DEFLATED, &info, &Limits::unbounded()).unwrap();
    assert!(samples == expected);
    assert_eq!(deviations, []);
}

#[test]
fn prefix_of_a_frame_is_truncated_or_has_all_samples() {
    for layout in [info(9, 16, 1, 8, 8), with_layout(9, 16, 3, 8, 8, 1, PhotometricInterpretation::Other)] {
        let bytes = ramp(frame_bytes(&layout));
        let frame = deflate(&bytes, 9);
        let expected = decode(&frame, DEFLATED, &layout, &Limits::unbounded()).unwrap().0;
        let mut complete = 0;
        for length in 0..frame.len() {
            match decode(&frame[..length], DEFLATED, &layout, &Limits::unbounded()) {
                Ok((samples, deviations)) => {
                    complete += 1;
                    assert_eq!(samples, expected);
                    assert_eq!(deviations[0].message, "the deflate stream has no end");
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Truncated, "{error}"),
            }
        }
        assert!(complete <= 3, "{complete}");
    }
}

#[test]
fn stream_of_fewer_bytes_is_truncated() {
    let layout = info(8, 8, 1, 8, 8);
    let error = error(&deflate(&ramp(63), 6), &layout);
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert!(
        error.to_string().starts_with("the deflate stream has 63 bytes of samples, 64 expected at byte "),
        "{error}"
    );
}

#[test]
fn subsampled_ybr_partial_is_unsupported() {
    let layout = with_layout(8, 8, 3, 8, 8, 0, PhotometricInterpretation::YbrPartial);
    assert_eq!(error(&deflate(&ramp(96), 6), &layout).kind(), ErrorKind::Unsupported);
}

#[test]
fn stream_of_more_bytes_has_a_deviation() {
    let layout = info(8, 8, 1, 8, 8);
    let found = messages(&deflate(&ramp(65), 6), &layout);
    assert_eq!(found, ["the deflate stream has more than 64 bytes of samples, the rest is ignored"]);
}

#[test]
fn trailing_bytes_have_a_deviation_unless_they_are_padding() {
    let layout = info(8, 8, 1, 8, 8);
    let frame = deflate(&ramp(64), 6);
    for padding in [&[0][..], &[7], &[0, 0, 0]] {
        assert_eq!(messages(&[&frame, padding].concat(), &layout), [""; 0]);
    }
    let found = messages(&[&frame[..], &[0, 1]].concat(), &layout);
    assert_eq!(found, ["2 bytes follow the end of the deflate stream, ignored"]);
}

#[test]
fn zlib_header_has_a_deviation() {
    let layout = info(8, 8, 1, 8, 8);
    for level in [0, 1, 6, 9] {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(&ramp(64)).unwrap();
        let mut frame = encoder.finish().unwrap();
        let (samples, _) = decode(&frame, DEFLATED, &layout, &Limits::unbounded()).unwrap();
        assert!(samples.iter().copied().eq(ramp(64).into_iter().map(u64::from)));
        assert_eq!(
            messages(&frame, &layout),
            ["the frame has a zlib header, a deflate stream without header expected"]
        );
        *frame.last_mut().unwrap() ^= 1;
        assert_eq!(error(&frame, &layout).kind(), ErrorKind::Malformed, "wrong checksum");
    }
}

#[test]
fn stored_block_like_a_zlib_header_is_a_stored_block() {
    // 78 01 as a stored block: 3 header bits 000, padding, length 0x0001 with its inverse.
    let stored = [0x78, 0x01, 0x00, 0xFE, 0xFF, 42, 0x03, 0x00];
    assert!(!has_zlib_header(&stored));
    let (samples, deviations) = decode(&stored, DEFLATED, &info(1, 1, 1, 8, 8), &Limits::unbounded()).unwrap();
    assert_eq!((samples, deviations), (vec![42], vec![]));
}

#[test]
fn gzip_file_is_malformed() {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::new(6));
    encoder.write_all(&ramp(64)).unwrap();
    let error = error(&encoder.finish().unwrap(), &info(8, 8, 1, 8, 8));
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().starts_with("the deflate stream is invalid: "), "{error}");
}

#[test]
fn frame_shorter_than_the_highest_ratio_is_refused_before_allocation() {
    let layout = info(4000, 4000, 1, 16, 16);
    let format = codec::codec_for(DEFLATED).unwrap();
    let shortest = deflate(&vec![0; frame_bytes(&layout)], 9);
    assert!(shortest.len() as u64 >= format.min_frame_bytes(&layout));
    assert!((shortest.len() as u64) < format.min_frame_bytes(&layout) * 11 / 10);
    let error = format.truncated_error(&[3, 0], &layout).unwrap();
    assert_eq!(error.to_string(), "frame has 2 bytes, at least 31008 expected at byte 2 (PS3.5 Annex A)");
}

#[test]
fn scratch_of_planes_is_counted_against_the_budget() {
    let layout = with_layout(64, 64, 3, 8, 8, 1, PhotometricInterpretation::Other);
    let frame = deflate(&ramp(frame_bytes(&layout)), 6);
    let found = decode(&frame, DEFLATED, &layout, &Limits::new(Some(64 * 64 * 3 - 1))).unwrap_err();
    assert_eq!(found.kind(), ErrorKind::LimitExceeded);
}
