//! Rows whose runs are known, and round trips through the codec.

#![allow(clippy::cast_possible_truncation, reason = "test frames are small")]

use super::*;
use crate::{
    Attributes, DecodeOptions, ErrorKind, FrameInfo, Job, Limits, PhotometricInterpretation, SampleKind, SamplesMut,
    TransferSyntax, Workspace, decode_frame,
};
use proptest::prelude::*;
use std::sync::atomic::AtomicBool;

fn encode(samples: Samples<'_>, rows: u32, columns: u32, samples_per_pixel: u32) -> Result<Vec<u8>> {
    let stop = AtomicBool::new(false);
    rle(&Image { samples, rows, columns, samples_per_pixel }, Cancel { stop: &stop, poll: None })
}

/// The one segment of one row.
fn runs(row: &[u8]) -> Vec<u8> {
    encode(Samples::U8(row), 1, row.len() as u32, 1).unwrap().split_off(HEADER_BYTES)
}

#[test]
fn runs_of_each_kind() {
    assert_eq!(runs(&[7]), [0, 7]);
    assert_eq!(runs(&[7, 7]), [255, 7]);
    assert_eq!(runs(&[1, 2, 3]), [2, 1, 2, 3]);
    assert_eq!(runs(&[1, 2, 2, 3]), [3, 1, 2, 2, 3, 0], "a pair stays in its literal run");
    assert_eq!(runs(&[2, 2, 3]), [255, 2, 0, 3]);
    assert_eq!(runs(&[1, 2, 2, 2]), [0, 1, 254, 2]);
    assert_eq!(runs(&[1, 1, 1, 2, 2, 3, 3, 3]), [254, 1, 255, 2, 254, 3]);
    assert_eq!(runs(&[5; 128]), [129, 5]);
    assert_eq!(runs(&[5; 129]), [129, 5, 0, 5]);
    assert_eq!(runs(&[5; 256]), [129, 5, 129, 5]);
    let rising: Vec<u8> = (0..=255).collect();
    let expected = [&[127], &rising[..128], &[127], &rising[128..]].concat();
    assert_eq!(runs(&rising), expected);
}

#[test]
fn runs_end_with_their_row() {
    let encoded = encode(Samples::U8(&[4; 6]), 2, 3, 1).unwrap();
    assert_eq!(encoded[HEADER_BYTES..], [254, 4, 254, 4]);
}

#[test]
fn segments_are_byte_planes_the_most_significant_first() {
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
fn what_has_no_such_frame_is_refused() {
    let refused = |result: Result<Vec<u8>>, words: &str| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output);
        assert!(error.message().contains(words), "{error}");
    };
    refused(encode(Samples::U32(&[0; 4]), 1, 1, 4), "16 segments found");
    refused(encode(Samples::F32(&[0.0]), 1, 1, 1), "float32");
    refused(encode(Samples::U8(&[]), 0, 1, 1), "rows 0");
    refused(encode(Samples::U8(&[]), 1, 0, 1), "columns 0");
    refused(encode(Samples::U8(&[]), 1, 1, 0), "samples per pixel 0");
    refused(encode(Samples::U8(&[1, 2]), 1, 1, 1), "2 samples found");
    refused(encode(Samples::U8(&[1]), 65535, 65535, u32::MAX), "1 samples found");
    refused(encode(Samples::U8(&[1]), u32::MAX, 1, 1), "1 to 65535 expected");
}

#[test]
fn a_watch_stops_it() {
    let stop = AtomicBool::new(false);
    let image = Image { samples: Samples::U8(&[1]), rows: 1, columns: 1, samples_per_pixel: 1 };
    let error = rle(&image, Cancel { stop: &stop, poll: Some(&|| true) }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

/// What the codec makes of `encoded`, with nothing to tolerate.
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
    let job = Job { syntax, info: &info, limits: &limits, options };
    let mut out = vec![0; info.samples()];
    let stop = AtomicBool::new(false);
    let watch = Cancel { stop: &stop, poll: None };
    decode_frame(&job, encoded.into(), SamplesMut::U16(&mut out), &mut Workspace::default(), watch).unwrap();
    out
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
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
