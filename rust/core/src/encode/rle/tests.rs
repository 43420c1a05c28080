//! Rows with known runs, and round trips through the decoder.

#![allow(clippy::cast_possible_truncation, reason = "test frames are small")]

use super::*;
use crate::{
    Attributes, DecodeOptions, ErrorKind, FrameContext, FrameInfo, Limits, PhotometricInterpretation, SampleKind,
    SamplesMut, TransferSyntax, Workspace, decode_frame,
};
use proptest::prelude::*;
use std::sync::atomic::AtomicBool;

fn encode(samples: Samples<'_>, rows: u32, columns: u32, samples_per_pixel: u32) -> Result<Vec<u8>> {
    let stop = AtomicBool::new(false);
    rle(&Image { samples, rows, columns, samples_per_pixel }, Cancel { stop: &stop, poll: None })
}

/// Returns the segment of an 8-bit image of one row.
fn runs(row: &[u8]) -> Vec<u8> {
    encode(Samples::U8(row), 1, row.len() as u32, 1).unwrap().split_off(HEADER_BYTES)
}

#[test]
fn rle_row_has_expected_runs() {
    let rising: Vec<u8> = (0..=255).collect();
    let two_literals = [&[127], &rising[..128], &[127], &rising[128..]].concat();
    // Row, its runs.
    let cases: [(&[u8], &[u8]); 11] = [
        (&[7], &[0, 7]),
        (&[7, 7], &[255, 7]),
        (&[1, 2, 3], &[2, 1, 2, 3]),
        // A pair stays in its literal run.
        (&[1, 2, 2, 3], &[3, 1, 2, 2, 3, 0]),
        (&[2, 2, 3], &[255, 2, 0, 3]),
        (&[1, 2, 2, 2], &[0, 1, 254, 2]),
        (&[1, 1, 1, 2, 2, 3, 3, 3], &[254, 1, 255, 2, 254, 3]),
        (&[5; 128], &[129, 5]),
        (&[5; 129], &[129, 5, 0, 5]),
        (&[5; 256], &[129, 5, 129, 5]),
        (&rising, &two_literals),
    ];
    for (row, expected) in cases {
        assert_eq!(runs(row), expected, "{row:?}");
    }
}

#[test]
fn rle_rows_end_their_runs() {
    let encoded = encode(Samples::U8(&[4; 6]), 2, 3, 1).unwrap();
    assert_eq!(encoded[HEADER_BYTES..], [254, 4, 254, 4]);
}

#[test]
fn rle_segments_are_byte_planes_most_significant_first() {
    let encoded = encode(Samples::U16(&[0x0102, 0x0102]), 1, 2, 1).unwrap();
    let mut expected = vec![0; HEADER_BYTES];
    expected[0] = 2;
    expected[4] = 64;
    expected[8] = 66;
    expected.extend([255, 1, 255, 2]);
    assert_eq!(encoded, expected);
    let encoded = encode(Samples::U8(&[1, 2, 3, 1, 2, 3]), 1, 2, 3).unwrap();
    assert_eq!(encoded[HEADER_BYTES..], [255, 1, 255, 2, 255, 3]);
}

#[test]
fn rle_invalid_image_is_an_output_error() {
    // Samples, rows, columns, samples per pixel, part of the message.
    let cases = [
        (Samples::U32(&[0; 4]), 1, 1, 4, "16 segments found"),
        (Samples::F32(&[0.0]), 1, 1, 1, "float32"),
        (Samples::U8(&[]), 0, 1, 1, "rows 0"),
        (Samples::U8(&[]), 1, 0, 1, "columns 0"),
        (Samples::U8(&[]), 1, 1, 0, "samples per pixel 0"),
        (Samples::U8(&[1, 2]), 1, 1, 1, "2 samples found"),
        (Samples::U8(&[1]), 65535, 65535, u32::MAX, "1 samples found"),
        (Samples::U8(&[1]), u32::MAX, 1, 1, "1 to 65535 expected"),
    ];
    for (samples, rows, columns, samples_per_pixel, text) in cases {
        let error = encode(samples, rows, columns, samples_per_pixel).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output);
        assert!(error.message().contains(text), "{error}");
    }
}

#[test]
fn rle_cancelled_by_poll_is_interrupted() {
    let stop = AtomicBool::new(false);
    let image = Image { samples: Samples::U8(&[1]), rows: 1, columns: 1, samples_per_pixel: 1 };
    let error = rle(&image, Cancel { stop: &stop, poll: Some(&|| true) }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

/// Decodes `encoded` with `strict`, so that every deviation is an error.
fn decoded(encoded: &[u8], rows: u32, columns: u32, samples_per_pixel: u32) -> Vec<u16> {
    let info = FrameInfo::new(Attributes {
        rows,
        columns,
        samples_per_pixel,
        bits_allocated: 16,
        bits_stored: 16,
        high_bit: 15,
        sample_kind: SampleKind::Unsigned,
        planar_configuration: 0,
        photometric_interpretation: PhotometricInterpretation::from_term(""),
    })
    .unwrap();
    let limits = Limits::unbounded();
    let options = DecodeOptions { strict: true, ..DecodeOptions::default() };
    let syntax = TransferSyntax::from_uid("1.2.840.10008.1.2.5").unwrap();
    let context = FrameContext { syntax, info: &info, limits: &limits, options };
    let mut out = vec![0; info.samples()];
    let stop = AtomicBool::new(false);
    let cancel = Cancel { stop: &stop, poll: None };
    decode_frame(&context, encoded.into(), SamplesMut::U16(&mut out), &mut Workspace::default(), cancel).unwrap();
    out
}

proptest! {
    #[test]
    fn rle_random_runs_round_trip(
        rows in 1..5_u32,
        columns in 1..400_u32,
        samples_per_pixel in 1..4_u32,
        runs in prop::collection::vec((prop::sample::select(vec![0_u16, 1, 256, 257, 65535]), 1..200_usize), 1..40),
    ) {
        let count = (rows * columns * samples_per_pixel) as usize;
        let short = runs.iter().flat_map(|(value, length)| std::iter::repeat_n(*value, 1 + length % 5));
        let long = runs.iter().flat_map(|(value, length)| std::iter::repeat_n(*value, *length));
        let samples: Vec<u16> = short.chain(long).cycle().take(count).collect();
        let encoded = encode(Samples::U16(&samples), rows, columns, samples_per_pixel).unwrap();
        prop_assert_eq!(encoded.len() % 2, 0);
        prop_assert_eq!(decoded(&encoded, rows, columns, samples_per_pixel), samples);
    }
}
