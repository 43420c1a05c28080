//! Choice of the codec by the codestream, precedence of rescales, and bare codestreams.

#![allow(clippy::cast_possible_truncation, reason = "samples have 12 bits")]

use super::*;
use crate::ErrorKind;
use crate::encode::jpeg_lossless::Parameters;
use crate::encode::{Image, jpeg_lossless};
use crate::sample::{Rescale, Samples};

use std::sync::atomic::AtomicBool;

const ROWS: u32 = 9;
const COLUMNS: u32 = 7;

fn samples() -> Vec<u16> {
    (0..ROWS * COLUMNS).map(|index| u16::try_from(index * 37 % 4096).unwrap()).collect()
}

fn with_cancel<T>(work: impl FnOnce(Cancel<'_>) -> T) -> T {
    work(Cancel { stop: &AtomicBool::new(false), poll: None })
}

/// A lossless codestream of 12-bit samples.
fn lossless(samples: &[u16]) -> Vec<u8> {
    let image = Image { samples: Samples::U16(samples), rows: ROWS, columns: COLUMNS, samples_per_pixel: 1 };
    let parameters = Parameters { precision: Some(12), ..Parameters::default() };
    with_cancel(|cancel| jpeg_lossless(&image, parameters, cancel)).unwrap()
}

/// A frame header of a process with arithmetic coding, without data.
fn arithmetic() -> Vec<u8> {
    [&[0xFF, 0xD8, 0xFF, 0xC9, 0, 11, 8, 0, 9, 0, 7, 1, 1, 0x11, 0][..], &[0; 100], &[0xFF, 0xD9]].concat()
}

fn info(bits_stored: u32) -> FrameInfo {
    FrameInfo::new(Attributes {
        rows: ROWS,
        columns: COLUMNS,
        samples_per_pixel: 1,
        bits_allocated: 16,
        bits_stored,
        high_bit: bits_stored - 1,
        sample_kind: SampleKind::Unsigned,
        planar_configuration: 0,
        photometric_interpretation: PhotometricInterpretation::Other,
    })
    .unwrap()
}

fn decode(syntax: TransferSyntax, info: &FrameInfo, src: &[u8], strict: bool) -> Result<(Vec<u16>, Decoded)> {
    let limits = Limits::unbounded();
    let options = DecodeOptions { strict, ..DecodeOptions::default() };
    let context = FrameContext { syntax, info, limits: &limits, options };
    let mut out = vec![0; info.samples()];
    let mut workspace = Workspace::default();
    let decoded =
        with_cancel(|cancel| decode_frame(&context, src.into(), SamplesMut::U16(&mut out), &mut workspace, cancel))?;
    Ok((out, decoded))
}

const OTHER_CODESTREAM_SYNTAXES: [TransferSyntax; 6] = [
    TransferSyntax::JPEG_BASELINE_8BIT,
    TransferSyntax::JPEG_EXTENDED_12BIT,
    TransferSyntax::JPEG_LS_LOSSLESS,
    TransferSyntax::JPEG_LS_NEAR_LOSSLESS,
    TransferSyntax::JPEG2000,
    TransferSyntax::HTJ2K,
];

#[test]
fn decode_frame_lossless_codestream_of_another_syntax_is_a_deviation() {
    let (samples, info) = (samples(), info(12));
    let src = lossless(&samples);
    for syntax in OTHER_CODESTREAM_SYNTAXES {
        let (found, decoded) = decode(syntax, &info, &src, false).unwrap();
        assert_eq!((found, decoded.deviations.len()), (samples.clone(), 1));
        let text = format!("JPEG Lossless codestream found, transfer syntax is {}", syntax.keyword());
        assert_eq!((&*decoded.deviations[0].message, decoded.deviations[0].offset), (&*text, Some(2)));
        let error = decode(syntax, &info, &src, true).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Malformed, &*text));
    }
    for syntax in [TransferSyntax::JPEG_LOSSLESS, TransferSyntax::JPEG_LOSSLESS_SV1] {
        assert_eq!(decode(syntax, &info, &src, true).unwrap().1.deviations, []);
    }
    // Formats that are no codestreams keep to their syntax.
    assert_eq!(decode(TransferSyntax::RLE_LOSSLESS, &info, &src, false).unwrap_err().kind(), ErrorKind::Malformed);
}

#[test]
fn decode_frame_codestream_without_codec_is_unsupported() {
    for syntax in [TransferSyntax::JPEG_LOSSLESS, TransferSyntax::JPEG_BASELINE_8BIT] {
        assert_eq!(decode(syntax, &info(8), &arithmetic(), false).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}

#[test]
fn decode_frame_precision_above_bits_stored_is_a_deviation_and_masked() {
    let samples = samples();
    let (found, decoded) = decode(TransferSyntax::JPEG_LOSSLESS, &info(10), &lossless(&samples), false).unwrap();
    assert_eq!(found, samples.iter().map(|sample| sample & 0x3FF).collect::<Vec<_>>());
    assert_eq!(decoded.deviations.len(), 1);
}

#[test]
fn decode_batch_mixed_codestreams_have_the_results_of_single_frames() {
    let (samples, info, limits) = (samples(), info(12), Limits::unbounded());
    let sources = [lossless(&samples), arithmetic(), lossless(&samples), lossless(&samples)[..90].to_vec()];
    for syntax in [TransferSyntax::JPEG_LOSSLESS, TransferSyntax::JPEG_BASELINE_8BIT] {
        let context = FrameContext { syntax, info: &info, limits: &limits, options: DecodeOptions::default() };
        let mut outputs = vec![vec![0_u16; samples.len()]; sources.len()];
        let frames = sources.iter().zip(&mut outputs);
        let frames =
            frames.map(|(src, out)| BatchFrame { src: (&**src).into(), out: SamplesMut::U16(out), transform: None });
        let results = with_cancel(|cancel| decode_batch(&context, frames.collect(), &mut Workspace::default(), cancel));
        for ((src, out), result) in sources.iter().zip(outputs).zip(results) {
            let single = decode(syntax, &info, src, false);
            assert_eq!(
                single.map(|(samples, decoded)| (samples, decoded.deviations)),
                result.map(|decoded| (out, decoded.deviations))
            );
        }
    }
}

#[test]
fn decode_batch_frame_rescale_takes_precedence_over_that_of_the_call() {
    let (samples, info, limits) = (samples(), info(12), Limits::unbounded());
    let src = lossless(&samples);
    let of_call = Rescale { slope: 2.0, intercept: 1.0 };
    let output = OutputOptions { rescale: Some(of_call), ..OutputOptions::default() };
    let options = DecodeOptions { output, ..DecodeOptions::default() };
    let context = FrameContext { syntax: TransferSyntax::JPEG_LOSSLESS, info: &info, limits: &limits, options };
    for count in [1, 3] {
        let mut outputs = vec![vec![0.0_f32; samples.len()]; count];
        let of_frame = Rescale { slope: 1.0, intercept: -5.0 };
        let rescales = [None, Some(of_frame), None];
        let frames = outputs.iter_mut().zip(rescales);
        let frames = frames.map(|(out, rescale)| {
            let transform = rescale.map(|rescale| crate::ValueTransform::Linear(rescale).into());
            BatchFrame { src: (&*src).into(), out: SamplesMut::F32(out), transform }
        });
        let results = with_cancel(|cancel| decode_batch(&context, frames.collect(), &mut Workspace::default(), cancel));
        assert!(results.iter().all(Result::is_ok));
        for (out, rescale) in outputs.iter().zip(rescales) {
            let Rescale { slope, intercept } = rescale.unwrap_or(of_call);
            let expected = samples.iter().map(|sample| (f64::from(*sample) * slope + intercept) as f32);
            assert!(out.iter().copied().eq(expected));
        }
    }
}

#[test]
fn decode_frame_reduce_without_resolutions_is_an_output_error() {
    let (info, limits) = (info(12), Limits::unbounded());
    let lossless = lossless(&samples());
    let native = vec![0; info.samples() * 2];
    let frames = [(TransferSyntax::JPEG_LOSSLESS, lossless), (TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN, native)];
    for (syntax, src) in frames {
        let options = DecodeOptions { reduce: 1, ..DecodeOptions::default() };
        let context = FrameContext { syntax, info: &info, limits: &limits, options };
        let mut out = vec![0; context.output_info().samples()];
        let mut workspace = Workspace::default();
        let out = SamplesMut::U16(&mut out);
        let error = with_cancel(|cancel| decode_frame(&context, (&*src).into(), out, &mut workspace, cancel));
        let error = error.unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::Output, "reduce is 1, the frame has 1 resolution level(s)")
        );
    }
}

#[test]
fn reduced_attributes_round_up() {
    let attributes = Attributes { rows: 9, columns: 65_535, ..*info(12).attributes() };
    let full = FrameInfo::new(attributes).unwrap();
    assert_eq!(full.reduced(0), full);
    for (reduce, rows, columns) in [(1, 5, 32_768), (2, 3, 16_384), (4, 1, 4096), (31, 1, 1), (32, 1, 1)] {
        let found = full.reduced(reduce);
        assert_eq!((found.attributes().rows, found.attributes().columns), (rows, columns));
        assert_eq!((found.pixels(), found.samples()), ((rows * columns) as usize, (rows * columns) as usize));
    }
}

#[test]
fn bare_codestream_decodes_as_its_header_declares() {
    let samples = samples();
    let src = lossless(&samples);
    let codestream = BareCodestream::open(&src).unwrap();
    assert_eq!(codestream.codestream().format, CodestreamFormat::JpegLossless);
    assert_eq!((codestream.size(0).unwrap(), codestream.info().samples()), ((ROWS, COLUMNS), samples.len()));
    let mut out = vec![0; samples.len()];
    let limits = Limits::unbounded();
    let mut decode = |options: CodestreamOptions| {
        with_cancel(|cancel| {
            codestream.decode(&src, &options, &limits, SamplesMut::U16(&mut out), &mut Workspace::default(), cancel)
        })
    };
    assert_eq!(decode(CodestreamOptions::default()).unwrap().deviations, []);
    let error = decode(CodestreamOptions { reduce: 1, ..CodestreamOptions::default() }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Output);
    assert_eq!(out, samples);
}

#[test]
fn bare_codestream_other_format_is_unsupported() {
    assert_eq!(BareCodestream::open(&arithmetic()).unwrap_err().kind(), ErrorKind::Unsupported);
}
