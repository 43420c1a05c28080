//! Messages of errors and deviations.

use super::styles::frame;
use super::{BIG, check, decode, info};
use crate::*;

fn error(bytes: &[u8], info: &FrameInfo) -> String {
    check(bytes, info, BIG);
    decode(bytes, info, BIG, CpuLevel::best()).unwrap_err().to_string()
}

fn deviations(bytes: &[u8], info: &FrameInfo) -> Vec<String> {
    check(bytes, info, BIG);
    let (_, decoded) = decode(bytes, info, BIG, CpuLevel::best()).unwrap();
    decoded.deviations.into_iter().map(|deviation| deviation.into_error().to_string()).collect()
}

/// Returns a frame: a header of `words`, then `bytes`.
fn raw(words: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut frame: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    frame.resize(64, 0);
    frame.extend(bytes);
    frame
}

#[test]
fn header_invalid_field_is_an_error_at_its_offset() {
    let one_segment = info(2, 2, 1, 8);
    let two_segments = info(2, 2, 1, 16);
    let cases = [
        (error(&[], &one_segment), "RLE header of 0 bytes found, 64 expected at byte 0 (PS3.5 Annex G.5)"),
        (error(&[1; 63], &one_segment), "RLE header of 63 bytes found, 64 expected at byte 63 (PS3.5 Annex G.5)"),
        (
            error(&raw(&[0], &[]), &one_segment),
            "number of segments 0 found, 1 to 15 expected at byte 0 (PS3.5 Annex G.5)",
        ),
        (
            error(&raw(&[16], &[]), &one_segment),
            "number of segments 16 found, 1 to 15 expected at byte 0 (PS3.5 Annex G.5)",
        ),
        (
            error(&raw(&[2, 64, 66], &[0; 4]), &one_segment),
            "number of segments 2 found, 1 expected: samples per pixel x bytes per sample at byte 0 (PS3.5 Annex G.2)",
        ),
        (
            error(&raw(&[1, 63], &[0xfd, 0]), &one_segment),
            "offset 63 of segment 1 found, 64 to 65 expected at byte 4 (PS3.5 Annex G.5)",
        ),
        (
            error(&raw(&[2, 64, 64], &[0xfd, 0, 0xfd, 0]), &two_segments),
            "offset 64 of segment 2 found, 65 to 67 expected at byte 8 (PS3.5 Annex G.5)",
        ),
        (
            error(&raw(&[2, 64, u32::MAX], &[0xfd, 0, 0xfd, 0]), &two_segments),
            "offset 4294967295 of segment 2 found, 65 to 67 expected at byte 8 (PS3.5 Annex G.5)",
        ),
    ];
    for (message, expected) in cases {
        assert_eq!(message, expected);
    }
}

#[test]
fn segment_truncated_is_an_error_at_its_end() {
    let info = info(2, 4, 1, 8);
    let cases: [(&[u8], &str); 4] = [
        (&[0x80], "segment 1 ends after 0 of 8 decoded bytes at byte 65 (PS3.5 Annex G.3.2)"),
        (&[0xfd, 1, 0xff, 2], "segment 1 ends after 6 of 8 decoded bytes at byte 68 (PS3.5 Annex G.3.2)"),
        (&[0xfd, 1, 0xfe], "replicate run passes the end of segment 1 at byte 67 (PS3.5 Annex G.3.2)"),
        (&[7, 1, 2], "literal run of 8 bytes passes the end of segment 1 after 2 at byte 67 (PS3.5 Annex G.3.2)"),
    ];
    for (segment, expected) in cases {
        assert_eq!(error(&frame(&[segment.to_vec()]), &info), expected);
    }
}

#[test]
fn segments_truncated_error_names_the_first() {
    let info = info(4, 4, 1, 16);
    let truncated = || vec![0xfd, 1];
    assert_eq!(
        error(&frame(&[truncated(), truncated()]), &info),
        "segment 1 ends after 4 of 16 decoded bytes at byte 66 (PS3.5 Annex G.3.2)"
    );
}

#[test]
fn plan_large_image_in_few_bytes_is_truncated() {
    let info = info(65_535, 65_535, 1, 1);
    let limits = Limits::new(Some(0));
    let options = DecodeOptions::default();
    let context = FrameContext { syntax: TransferSyntax::RLE_LOSSLESS, info: &info, limits: &limits, options };
    let bytes = frame(&[vec![0x81, 0]]);
    let header = super::super::header::Header::parse(&bytes, 1).unwrap();
    let error = super::super::plan::Plan::new(&bytes, &header, &context).unwrap_err();
    assert_eq!(
        error.to_string(),
        "segment 1 of 2 bytes found, at least 8388353 expected for 536854529 decoded bytes at byte 66 (PS3.5 Annex G.3)"
    );
}

#[test]
fn scratch_above_the_limit_is_an_error() {
    let info = info(100, 1000, 3, 32);
    let bytes = frame(&vec![[0x81, 7].repeat(782); 12]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    for (max_bytes, is_sufficient) in [(12 * 9 * 1024, true), (12 * 8 * 1024, false)] {
        let limits = Limits::new(Some(max_bytes));
        let context = FrameContext {
            syntax: TransferSyntax::RLE_LOSSLESS,
            info: &info,
            limits: &limits,
            options: DecodeOptions::default(),
        };
        let mut out = vec![0u32; info.samples()];
        let cancel = Cancel { stop: &stop, poll: None };
        let result =
            decode_frame(&context, bytes[..].into(), SamplesMut::U32(&mut out), &mut Workspace::default(), cancel);
        assert_eq!(result.err().map(|error| error.kind()), (!is_sufficient).then_some(ErrorKind::LimitExceeded));
    }
}

#[test]
fn segment_end_other_than_padding_is_a_deviation() {
    let info = info(2, 4, 1, 8);
    let of_segment = |segment: &[u8]| deviations(&frame(&[segment.to_vec()]), &info);
    let no_deviation: [&str; 0] = [];
    assert_eq!(of_segment(&[0xf9, 5]), no_deviation);
    assert_eq!(of_segment(&[0xfa, 5, 0, 6]), no_deviation);
    assert_eq!(of_segment(&[0xff, 5, 5, 1, 2, 3, 4, 5, 6, 0]), no_deviation);
    assert_eq!(
        of_segment(&[0xf8, 5]),
        ["run of segment 1 passes the end of its plane by 1 at byte 64 (PS3.5 Annex G.3)"]
    );
    assert_eq!(
        of_segment(&[0xfb, 5, 3, 1, 2, 3, 4]),
        ["run of segment 1 passes the end of its plane by 2 at byte 66 (PS3.5 Annex G.3)"]
    );
    assert_eq!(of_segment(&[0xf9, 5, 0]), ["1 bytes follow the last run of segment 1 at byte 66 (PS3.5 Annex G.3)"]);
    assert_eq!(of_segment(&[0xf9, 5, 0x80]), ["1 bytes follow the last run of segment 1 at byte 66 (PS3.5 Annex G.3)"]);
    assert_eq!(of_segment(&[0xf9, 5, 0, 0]), ["2 bytes follow the last run of segment 1 at byte 66 (PS3.5 Annex G.3)"]);
    assert_eq!(
        deviations(&raw(&[1, 66, 9], &[0, 0, 0xf9, 5]), &info),
        [
            "segment 1 starts at byte 66, not right after the header at byte 4 (PS3.5 Annex G.4)",
            "unused segment offset is not zero at byte 8 (PS3.5 Annex G.5)"
        ]
    );
}

#[test]
fn segment_long_trailing_runs_are_an_error_if_they_decode_to_more_than_a_run() {
    // The plane ends with a literal run, and enough runs follow for a pair step to decode one of them.
    let info = info(1, 300, 1, 16);
    let with_trailing_runs = |count: usize| {
        let mut segment = [0x81, 7].repeat(2);
        segment.push(43);
        segment.extend(0..44);
        segment.extend([0xff, 9].repeat(count));
        frame(&[segment.clone(), segment])
    };
    assert_eq!(
        deviations(&with_trailing_runs(64), &info),
        [
            "128 bytes follow the last run of segment 1 at byte 113 (PS3.5 Annex G.3)",
            "128 bytes follow the last run of segment 2 at byte 290 (PS3.5 Annex G.3)"
        ]
    );
    assert_eq!(
        error(&with_trailing_runs(65), &info),
        "more than 128 decoded bytes follow the plane of segment 1 at byte 113 (PS3.5 Annex G.3)"
    );
}

#[test]
fn segment_trailing_zeros_are_a_deviation() {
    let info = info(2, 4, 1, 8);
    let mut segment = vec![0xf9, 5];
    segment.extend([0; 4000]);
    assert_eq!(
        deviations(&frame(&[segment]), &info),
        ["4000 bytes follow the last run of segment 1 at byte 66 (PS3.5 Annex G.3)"]
    );
}

#[test]
fn single_bit_layout_follows_from_the_decoded_length() {
    let info = info(3, 6, 1, 1);
    let of_segment = |segment: &[u8]| decode(&frame(&[segment.to_vec()]), &info, BIG, CpuLevel::best()).unwrap().0;
    assert_eq!(of_segment(&[0xf0, 1, 0, 0]), [vec![1; 17], vec![0]].concat());
    assert_eq!(of_segment(&[2, 0xff, 0xff, 1, 0]), [vec![1; 17], vec![0]].concat());
    assert_eq!(deviations(&frame(&[vec![0xf0, 1, 0, 0]]), &info), [""; 0]);
    assert_eq!(
        deviations(&frame(&[vec![2, 0xff, 0xff, 1]]), &info),
        ["segment 1 has packed bits, one byte per pixel expected at byte 64 (PS3.5 Annex G.2)"]
    );
    assert_eq!(
        error(&frame(&[vec![0xf0, 1, 0, 2]]), &info),
        "pixel 17 has value 2, 0 or 1 expected at byte 64 (PS3.5 Annex G.2)"
    );
    assert_eq!(
        error(&frame(&[vec![0xfd, 1]]), &info),
        "segment 1 has 4 decoded bytes, 18 (one per pixel) or 3 (packed bits) expected at byte 66 (PS3.5 Annex G.2)"
    );
    assert_eq!(
        error(&frame(&[vec![0xff, 1]]), &info),
        "segment 1 ends after 2 of 3 decoded bytes at byte 66 (PS3.5 Annex G.3.2)"
    );
}

#[test]
fn segment_no_op_after_the_last_run_is_a_deviation() {
    let info = info(1, 20, 1, 16);
    for padding in [0, 300] {
        let mut segment = vec![19];
        segment.extend(0..20);
        segment.push(0x80);
        segment.extend(vec![0x80; padding]);
        assert_eq!(
            deviations(&frame(&[segment.clone(), segment]), &info).first().map(String::as_str),
            Some(&*format!("{} bytes follow the last run of segment 1 at byte 85 (PS3.5 Annex G.3)", padding + 1))
        );
    }
}

#[test]
fn strict_deviation_is_an_error() {
    let info = info(2, 4, 1, 8);
    let limits = Limits::unbounded();
    let options = DecodeOptions { strict: true, ..DecodeOptions::default() };
    let context = FrameContext { syntax: TransferSyntax::RLE_LOSSLESS, info: &info, limits: &limits, options };
    let mut out = [0; 8];
    let stop = std::sync::atomic::AtomicBool::new(false);
    let cancel = Cancel { stop: &stop, poll: None };
    let bytes = frame(&[vec![0xf8, 5]]);
    let error = decode_frame(&context, bytes[..].into(), SamplesMut::U8(&mut out), &mut Workspace::default(), cancel);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Malformed);
}

#[test]
fn starts_frame_requires_a_plausible_header() {
    let starts = |bytes: &[u8], info: &FrameInfo| {
        codec::codec_for(TransferSyntax::RLE_LOSSLESS).unwrap().starts_frame(bytes, bytes.len(), info)
    };
    let two_segments = info(2, 2, 1, 16);
    assert!(starts(&raw(&[2, 64, 66], &[]), &two_segments));
    assert!(starts(&raw(&[2, 64, 1_000_000], &[1, 2]), &two_segments));
    assert!(!starts(&raw(&[2, 64, 66], &[])[..63], &two_segments));
    assert!(!starts(&raw(&[2, 65, 66], &[]), &two_segments));
    assert!(!starts(&raw(&[2, 64, 64], &[]), &two_segments));
    assert!(!starts(&raw(&[2, 64, 66, 1], &[]), &two_segments));
    assert!(!starts(&raw(&[1, 64], &[]), &two_segments));
    assert!(!starts(&raw(&[16, 64], &[]), &info(2, 2, 4, 32)));
}
