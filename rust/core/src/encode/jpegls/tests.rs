//! Codestreams byte by byte, and every error. Round trips are tested in Python, with the decoders of other packages too.

use super::*;
use crate::{ErrorKind, Samples};
use std::sync::atomic::AtomicBool;

fn encode(
    samples: Samples<'_>,
    (rows, columns, samples_per_pixel): (u32, u32, u32),
    parameters: Parameters,
) -> Result<Vec<u8>> {
    let stop = AtomicBool::new(false);
    let cancel = Cancel { stop: &stop, poll: None };
    jpegls(&Image { samples, rows, columns, samples_per_pixel }, parameters, cancel)
}

#[test]
fn encode_example_of_the_standard_gives_its_bytes() {
    // T.87 H.3.
    let image = [0, 0, 90, 74, 68, 50, 43, 205, 64, 145, 145, 145, 100, 145, 145, 145];
    let encoded = encode(Samples::U8(&image), (4, 4, 1), Parameters::default()).unwrap();
    let expected = [
        &[0xFF, 0xD8][..],
        &[0xFF, 0xF7, 0, 11, 8, 0, 4, 0, 4, 1, 1, 0x11, 0],
        &[0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0, 0],
        &[0xC0, 0, 0, 0x6C, 0x80, 0x20, 0x8E, 1, 0xC0, 0, 0, 0x57, 0x40, 0, 0, 0x6E, 0xE6, 0, 0, 1, 0xBC, 0x18, 0, 0],
        &[5, 0xD8, 0, 0, 0x91, 0x60],
        &[0xFF, 0xD9],
    ];
    assert_eq!(encoded, expected.concat());
}

#[test]
fn encode_interleave_modes_write_their_scan_headers() {
    let of = |interleave| Parameters { interleave, near: 1, ..Parameters::default() };
    let pixels = Samples::U8(&[0; 3]);
    let scans = |encoded: &[u8]| encoded.windows(2).filter(|pair| *pair == [0xFF, 0xDA]).count();
    let contains = |encoded: &[u8], header: &[u8]| encoded.windows(header.len()).any(|window| window == header);
    let separate = encode(pixels, (1, 1, 3), of(Interleave::None)).unwrap();
    assert_eq!(scans(&separate), 3);
    for component in 1..=3 {
        assert!(contains(&separate, &[0xFF, 0xDA, 0, 8, 1, component, 0, 1, 0, 0]));
    }
    for (interleave, mode) in [(Interleave::Line, 1), (Interleave::Sample, 2)] {
        let together = encode(pixels, (1, 1, 3), of(interleave)).unwrap();
        assert_eq!(scans(&together), 1);
        assert!(contains(&together, &[0xFF, 0xDA, 0, 12, 3, 1, 0, 2, 0, 3, 0, 1, mode, 0]));
        // A single component is not interleaved.
        let single = encode(Samples::U8(&[0]), (1, 1, 1), of(interleave)).unwrap();
        assert!(contains(&single, &[0xFF, 0xDA, 0, 8, 1, 1, 0, 1, 0, 0]));
    }
}

#[test]
fn encode_more_than_12_bits_writes_the_default_parameters() {
    let of = |precision| Parameters { precision: Some(precision), ..Parameters::default() };
    let lse = [0xFF, 0xF8, 0, 13, 1, 0xFF, 0xFF, 0, 18, 0, 67, 1, 20, 0, 64];
    let encoded = encode(Samples::U16(&[1]), (1, 1, 1), of(16)).unwrap();
    assert_eq!(encoded[15..30], lse);
    let encoded = encode(Samples::U16(&[1]), (1, 1, 1), of(12)).unwrap();
    assert!(!encoded.windows(2).any(|pair| pair == [0xFF, 0xF8]));
}

#[test]
fn encode_parameter_out_of_range_is_an_output_error() {
    let assert_refused = |samples, shape, parameters, words: &str| {
        let error = encode(samples, shape, parameters).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output);
        assert!(error.to_string().contains(words), "{error}");
    };
    let usual = Parameters::default();
    let one = Samples::U8(&[1]);
    for precision in [0, 1, 17, 256 + 8] {
        assert_refused(one, (1, 1, 1), Parameters { precision: Some(precision), ..usual }, "2 to 16 expected");
    }
    assert_refused(one, (1, 1, 1), Parameters { near: 128, ..usual }, "0 to 127 expected (ITU-T T.87 C.2.3)");
    assert_refused(one, (1, 1, 1), Parameters { near: 2, precision: Some(2), ..usual }, "0 to 1 expected");
    assert_refused(Samples::U16(&[1]), (1, 1, 1), Parameters { near: 256, ..usual }, "0 to 255 expected");
    assert_refused(Samples::U8(&[0; 5]), (1, 1, 5), usual, "1 to 4 expected");
    let many = vec![0; 65536];
    assert_refused(Samples::U8(&many), (65536, 1, 1), usual, "rows 65536 found");
    assert_refused(Samples::U8(&many), (1, 65536, 1), usual, "columns 65536 found");
    assert_refused(Samples::U32(&[1]), (1, 1, 1), usual, "samples of uint32 found");
    assert_refused(one, (2, 1, 1), usual, "1 samples found");
    assert_refused(Samples::U8(&[]), (0, 1, 1), usual, "rows 0 found");
}

#[test]
fn encode_value_beyond_precision_is_an_output_error() {
    let of = |precision| Parameters { precision: Some(precision), ..Parameters::default() };
    let assert_refused = |samples, shape, precision, words: &str| {
        let error = encode(samples, shape, of(precision)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output);
        assert!(error.message().contains(words), "{error}");
    };
    assert_refused(Samples::U8(&[0, 3, 7, 8]), (2, 2, 1), 3, "value 8 of sample 3 needs");
    assert_refused(Samples::U8(&[0, 3, 7, 8]), (1, 2, 2), 3, "value 8 of sample 3 needs");
    assert_refused(Samples::I16(&[-2048, 2048, 0, 0]), (2, 2, 1), 12, "value 2048 of sample 1 needs");
    encode(Samples::I16(&[-2048, 2047, 0, 0]), (2, 2, 1), of(12)).unwrap();
    encode(Samples::I8(&[-128, 127, 0, 0]), (2, 2, 1), of(16)).unwrap();
    encode(Samples::U16(&[0, 65535, 0, 0]), (2, 2, 1), of(16)).unwrap();
}

#[test]
fn encode_signed_value_whose_sign_could_change_is_an_output_error() {
    let of = |near| Parameters { near, precision: Some(12), ..Parameters::default() };
    for (value, near) in [(2047, 1), (-2048, 1), (2045, 3), (-2046, 3)] {
        let error = encode(Samples::I16(&[0, value, 0, 0]), (2, 2, 1), of(near)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output);
        assert!(error.message().starts_with(&format!("value {value} of sample 1 found")), "{error}");
    }
    for (value, near) in [(2047, 0), (-2048, 0), (2044, 3), (-2045, 3)] {
        encode(Samples::I16(&[0, value, 0, 0]), (2, 2, 1), of(near)).unwrap();
    }
    encode(Samples::U16(&[0, 4095, 2047, 2048]), (2, 2, 1), of(3)).unwrap();
}

#[test]
fn encode_cancelled_is_interrupted() {
    let stop = AtomicBool::new(true);
    let image = Image { samples: Samples::U8(&[1]), rows: 1, columns: 1, samples_per_pixel: 1 };
    let cancel = Cancel { stop: &stop, poll: None };
    assert_eq!(jpegls(&image, Parameters::default(), cancel).unwrap_err().kind(), ErrorKind::Interrupted);
}
