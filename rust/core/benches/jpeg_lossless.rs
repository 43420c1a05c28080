//! JPEG Lossless: decoding of CT-like frames at every CPU level and entropy mode, and encoding. Every result is checked
//! before it is timed.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench stops at the first error")]

mod images;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dicoxide_core::encode::{self, jpeg_lossless::Parameters};
use dicoxide_core::{
    CpuLevel, DecodeOptions, EntropyMode, FrameContext, FrameInfo, Limits, OutputOptions, Rescale, SampleType, Samples,
    SamplesBuf, TransferSyntax, Workspace, decode_frame,
};
use images::{
    SIDE, colour, colour_image, colour_info, grey, grey_image, grey_info, lossless, lossless_colour, lossless_syntax,
    never_cancelled, twelve_bits,
};
use std::hint::black_box;

/// A frame and its decoded samples.
struct Frame<'a> {
    name: &'static str,
    syntax: TransferSyntax,
    info: FrameInfo,
    bytes: Vec<u8>,
    rescale: Option<Rescale>,
    expected: Samples<'a>,
}

fn decoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("jpeg_lossless");
    let (grey, colour) = (grey(), colour());
    let rescale = Rescale { slope: 1.0, intercept: -1024.0 };
    let values: Vec<f32> = grey.iter().map(|value| f32::from(*value) - 1024.0).collect();
    let grey_frame = |name, parameters: Parameters, rescale, expected| Frame {
        name,
        syntax: lossless_syntax(parameters.selection_value),
        info: grey_info(SIDE),
        bytes: lossless(&grey, SIDE, parameters),
        rescale,
        expected,
    };
    let stored = Samples::U16(&grey);
    let frames = [
        grey_frame("ct_512x512_u12_sv1", twelve_bits(), None, stored),
        grey_frame("ct_512x512_u12_sv6", Parameters { selection_value: 6, ..twelve_bits() }, None, stored),
        grey_frame(
            "ct_512x512_u12_restarts",
            Parameters { restart_interval: 16 * SIDE, ..twelve_bits() },
            None,
            stored,
        ),
        grey_frame("ct_512x512_u12_rescaled", twelve_bits(), Some(rescale), Samples::F32(&values)),
        Frame {
            name: "photo_512x512_rgb_u8",
            syntax: TransferSyntax::JPEG_LOSSLESS_SV1,
            info: colour_info(),
            bytes: lossless_colour(&colour),
            rescale: None,
            expected: Samples::U8(&colour),
        },
    ];
    for frame in &frames {
        group.throughput(Throughput::Bytes(frame.expected.bytes().len() as u64));
        for level in CpuLevel::available() {
            for mode in [EntropyMode::Serial, EntropyMode::Speculative] {
                let (limits, mut workspace) = (Limits::unbounded(), Workspace::default());
                let mut out = output_buffer(frame);
                let output = OutputOptions { rescale: frame.rescale, ..OutputOptions::default() };
                let options =
                    DecodeOptions { output, cpu_level: level, codec: mode.into(), ..DecodeOptions::default() };
                let context = FrameContext { syntax: frame.syntax, info: &frame.info, limits: &limits, options };
                let mut decode = |out: &mut SamplesBuf| {
                    decode_frame(
                        &context,
                        black_box(&frame.bytes[..]).into(),
                        out.as_mut(),
                        &mut workspace,
                        never_cancelled(),
                    )
                };
                decode(&mut out).unwrap();
                let id = format!("{}/{}/{}", frame.name, mode.name(), level.name());
                assert!(out.as_ref().bytes() == frame.expected.bytes(), "{id}");
                group.bench_function(id, |bencher| bencher.iter(|| decode(&mut out).unwrap()));
            }
        }
    }
}

fn output_buffer(frame: &Frame<'_>) -> SamplesBuf {
    let sample_type = if frame.rescale.is_some() { SampleType::F32 } else { frame.info.sample_type() };
    SamplesBuf::new(sample_type, frame.info.samples(), |words| Ok(vec![1; words])).unwrap()
}

/// `decoding` checks that the encoded frames decode to the samples.
fn encoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("jpeg_lossless encode");
    let (grey, colour) = (grey(), colour());
    for (name, image, parameters) in [
        ("ct_512x512_u12_sv1", grey_image(&grey, SIDE), twelve_bits()),
        ("ct_512x512_u12_sv6", grey_image(&grey, SIDE), Parameters { selection_value: 6, ..twelve_bits() }),
        ("photo_512x512_rgb_u8", colour_image(&colour), Parameters::default()),
    ] {
        group.throughput(Throughput::Bytes(image.samples.bytes().len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| encode::jpeg_lossless(black_box(&image), parameters, never_cancelled()).unwrap());
        });
    }
}

criterion_group!(benches, decoding, encoding);
criterion_main!(benches);
