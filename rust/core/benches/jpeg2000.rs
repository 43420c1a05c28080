//! JPEG 2000 and HTJ2K: decoding of frames at every CPU level. Every result is checked before it is timed.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench stops at the first error")]

mod images;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dicoxide_core::{
    CpuLevel, DecodeOptions, FrameContext, FrameInfo, Limits, Samples, SamplesBuf, Workspace, decode_frame,
};
use images::{Jpeg2000, never_cancelled};
use std::hint::black_box;

fn decoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("jpeg2000");
    let images = [Jpeg2000::GREY_53, Jpeg2000::GREY_97, Jpeg2000::RGB_53, Jpeg2000::GREY_HT, Jpeg2000::RGB_HT];
    for image in &images {
        let info = image.info();
        let mut out = output_buffer(&info);
        group.throughput(Throughput::Bytes(out.as_ref().bytes().len() as u64));
        let mut first: Option<Vec<u8>> = None;
        for cpu_level in CpuLevel::available() {
            let (limits, mut workspace) = (Limits::unbounded(), Workspace::default());
            let options = DecodeOptions { cpu_level, ..DecodeOptions::default() };
            let context = FrameContext { syntax: image.syntax, info: &info, limits: &limits, options };
            let mut decode = |out: &mut SamplesBuf| {
                decode_frame(&context, black_box(image.src).into(), out.as_mut(), &mut workspace, never_cancelled())
            };
            decode(&mut out).unwrap();
            let id = format!("{}/{}", image.name, cpu_level.name());
            assert!(max_error(out.as_ref(), &image.samples()) <= image.max_error, "{id}");
            let expected = first.get_or_insert_with(|| out.as_ref().bytes().to_vec());
            assert!(out.as_ref().bytes() == expected, "{id}: differs from the first level");
            group.bench_function(id, |bencher| bencher.iter(|| decode(&mut out).unwrap()));
        }
    }
}

fn output_buffer(info: &FrameInfo) -> SamplesBuf {
    SamplesBuf::new(info.sample_type(), info.samples(), |words| Ok(vec![1; words])).unwrap()
}

/// Returns the largest difference of two samples.
fn max_error(decoded: Samples<'_>, encoded: &[u16]) -> u16 {
    let decoded: Vec<u16> = match decoded {
        Samples::U8(values) => values.iter().map(|value| u16::from(*value)).collect(),
        Samples::U16(values) => values.to_vec(),
        _ => Vec::new(),
    };
    assert!(decoded.len() == encoded.len(), "unsigned samples of 8 or 16 bits");
    decoded.iter().zip(encoded).map(|(decoded, encoded)| decoded.abs_diff(*encoded)).max().unwrap_or(0)
}

criterion_group!(benches, decoding);
criterion_main!(benches);
