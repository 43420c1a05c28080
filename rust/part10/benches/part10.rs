//! Time of opening a CT file by path, and of decoding it. Every result is checked before it is timed.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

mod files;
#[path = "../../core/benches/images/mod.rs"]
mod images;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dicoxide_core::{Samples, TransferSyntax};
use files::{Ct, Pixels, TemporaryDirectory, decode, memory, prepare};
use images::{SIDE, bytes, grey, lossless, twelve_bits};
use std::hint::black_box;

fn bench(criterion: &mut Criterion) {
    let samples = grey();
    let native = bytes(&samples);
    let frames = [lossless(&samples, SIDE, twelve_bits())];
    let ct = |syntax, private_item_count, pixels| Ct { syntax, side: SIDE, frame_count: 1, private_item_count, pixels };
    let files = [
        ("explicit_vr", ct(TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN, 0, Pixels::Native(&native))),
        ("implicit_vr", ct(TransferSyntax::IMPLICIT_VR_LITTLE_ENDIAN, 0, Pixels::Native(&native))),
        ("nested", ct(TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN, 100, Pixels::Native(&native))),
        ("deflated", ct(TransferSyntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, 0, Pixels::Native(&native))),
        ("jpeg_lossless", ct(TransferSyntax::JPEG_LOSSLESS_SV1, 0, Pixels::Fragments(&frames))),
    ];
    let directory = TemporaryDirectory::new();
    let mut group = criterion.benchmark_group("part10");
    for (name, file) in &files {
        let source = directory.source(name, file);
        let mut out = memory(&source);
        decode(&source, &mut out);
        assert!(out.as_ref().bytes() == Samples::U16(&samples).bytes(), "{name}");
        group.bench_function(format!("header/{name}"), |bencher| bencher.iter(|| prepare(black_box(&source))));
        group.throughput(Throughput::Bytes(native.len() as u64));
        group.bench_function(format!("decode/{name}"), |bencher| {
            bencher.iter(|| decode(black_box(&source), &mut out));
        });
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
