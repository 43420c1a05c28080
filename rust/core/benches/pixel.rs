//! Operations on samples at every CPU level, compared with a memcpy of the same number of output bytes, in the L2 cache and
//! beyond it.
//!
//! Every result is checked before it is timed. Throughput counts output bytes.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "sizes are chosen here")]
#![allow(clippy::unwrap_used, reason = "a bench stops at the first error")]

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use dicoxide_core::frame::{PhotometricInterpretation, SampleKind};
use dicoxide_core::pixel::{bits, rescale, ybr};
use dicoxide_core::{
    Attributes, Cancel, CpuLevel, DecodeOptions, FrameBytes, FrameContext, FrameInfo, Limits, Rescale, Samples,
    SamplesMut, TransferSyntax, Workspace, decode_frame,
};
use std::hint::black_box;
use std::sync::atomic::AtomicBool;

/// Output bytes: within the L2 cache of all current CPUs, and beyond it.
const SIZES: [usize; 2] = [256 << 10, 16 << 20];

type Group<'a> = BenchmarkGroup<'a, WallTime>;

/// Checks at every CPU level that `run` gives `expected`, and times it; then times a memcpy of the same size.
fn bench_levels<T: Copy + PartialEq + Default>(
    group: &mut Group<'_>,
    name: &str,
    expected: &[T],
    run: impl Fn(&mut [T], CpuLevel),
) {
    group.throughput(Throughput::Bytes(size_of_val(expected) as u64));
    let mut out = vec![T::default(); expected.len()];
    for level in CpuLevel::available() {
        run(&mut out, level);
        assert!(out == expected, "{name}, {}", level.name());
        let id = format!("{name}/{}/{}", level.name(), size_of_val(expected));
        group.bench_function(id, |b| b.iter(|| run(black_box(&mut out), level)));
    }
    let id = format!("{name}/memcpy/{}", size_of_val(expected));
    group.bench_function(id, |b| b.iter(|| black_box(&mut out).copy_from_slice(black_box(expected))));
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let step = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(step).take(len).collect()
}

fn bit_packing(c: &mut Criterion) {
    let mut group = c.benchmark_group("bits");
    for size in SIZES {
        let src = noise(size / 8 + 1);
        for offset in [0, 3] {
            let expected: Vec<u8> = (offset..offset + size).map(|i| src[i / 8] >> (i % 8) & 1).collect();
            bench_levels(&mut group, &format!("unpack from {offset}"), &expected, |out, level| {
                bits::unpack_bits_into(black_box(&src), offset, out, level).unwrap();
            });
        }
        let expected = &src[..size / 8];
        let samples: Vec<u8> = (0..size).map(|i| src[i / 8] >> (i % 8) & 1).collect();
        bench_levels(&mut group, "pack", expected, |out, level| {
            bits::pack_bits_into(black_box(&samples), out, level).unwrap();
        });
    }
}

fn rescaling(c: &mut Criterion) {
    let mut group = c.benchmark_group("rescale");
    let stop = AtomicBool::new(false);
    let cancel = Cancel { stop: &stop, poll: None };
    let (integers, fractions) =
        (Rescale { slope: 1.0, intercept: -1024.0 }, Rescale { slope: 0.123_456_7, intercept: -3.3 });
    for size in SIZES {
        let src: Vec<i16> = noise(size / 2).as_chunks().0.iter().map(|b| i16::from_le_bytes(*b) / 32).collect();
        let floats = Samples::I16(&src[..size / 4]);
        for (name, rescale) in [("int16 to float32, 1x-1024", integers), ("int16 to float32, fractions", fractions)] {
            let value = |x: &i16| (f64::from(*x) * rescale.slope + rescale.intercept) as f32;
            let expected: Vec<f32> = src[..size / 4].iter().map(value).collect();
            bench_levels(&mut group, name, &expected, |out, level| {
                rescale::rescale_into(black_box(floats), rescale.into(), SamplesMut::F32(out), false, cancel, level)
                    .unwrap();
            });
        }
        let expected: Vec<i16> = src.iter().map(|x| x - 1024).collect();
        bench_levels(&mut group, "int16 to int16, 1x-1024", &expected, |out, level| {
            rescale::rescale_into(
                black_box(Samples::I16(&src)),
                integers.into(),
                SamplesMut::I16(out),
                false,
                cancel,
                level,
            )
            .unwrap();
        });
    }
}

fn colour(c: &mut Criterion) {
    let mut group = c.benchmark_group("ybr");
    for size in SIZES {
        // Cb is a multiple of 4, so that no pixel is a tie: there the float64 formula is not a valid reference.
        let src: Vec<u8> =
            noise(size / 3 * 3).iter().enumerate().map(|(i, v)| if i % 3 == 1 { v & !3 } else { *v }).collect();
        let rgb = |[y, cb, cr]: &[u8; 3]| {
            let (y, cb, cr) = (f64::from(*y), f64::from(*cb) - 128.0, f64::from(*cr) - 128.0);
            [y + 1.402 * cr, y - (0.114 * 1.772 * cb + 0.299 * 1.402 * cr) / 0.587, y + 1.772 * cb]
                .map(|v| (v + 0.5).floor().clamp(0.0, 255.0) as u8)
        };
        let expected: Vec<u8> = src.as_chunks::<3>().0.iter().flat_map(rgb).collect();
        bench_levels(&mut group, "full to rgb, with a copy", &expected, |out, level| {
            out.copy_from_slice(black_box(&src));
            ybr::full_to_rgb(out, level).unwrap();
        });
    }
}

/// Native frames: with Bits Stored 16 a copy; Bits Stored 12 should be as fast.
fn native(c: &mut Criterion) {
    let mut group = c.benchmark_group("native");
    let stop = AtomicBool::new(false);
    let limits = Limits::default();
    for size in SIZES {
        let src = noise(size);
        for (name, bits_stored, syntax) in [
            ("16 bits", 16, TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN),
            ("12 bits", 12, TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN),
            ("12 bits, big endian", 12, TransferSyntax::EXPLICIT_VR_BIG_ENDIAN),
        ] {
            let info = FrameInfo::new(Attributes {
                rows: 512,
                columns: (size / 1024) as u32,
                samples_per_pixel: 1,
                bits_allocated: 16,
                bits_stored,
                high_bit: bits_stored - 1,
                sample_kind: SampleKind::Signed,
                planar_configuration: 0,
                photometric_interpretation: PhotometricInterpretation::Other,
            })
            .unwrap();
            let read = if syntax.is_big_endian() { i16::from_be_bytes } else { i16::from_le_bytes };
            let unused = 16 - bits_stored;
            let expected: Vec<i16> = src.as_chunks().0.iter().map(|b| read(*b) << unused >> unused).collect();
            bench_levels(&mut group, name, &expected, |out, level| {
                let context = FrameContext {
                    syntax,
                    info: &info,
                    limits: &limits,
                    options: DecodeOptions { cpu_level: level, ..DecodeOptions::default() },
                };
                let cancel = Cancel { stop: &stop, poll: None };
                let frame = FrameBytes::from(black_box(&src[..]));
                decode_frame(&context, frame, SamplesMut::I16(out), &mut Workspace::default(), cancel).unwrap();
            });
        }
    }
}

/// `YBR_FULL_422`: three output bytes for two input bytes.
fn expansion(c: &mut Criterion) {
    let mut group = c.benchmark_group("native");
    let stop = AtomicBool::new(false);
    let limits = Limits::default();
    let syntax = TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN;
    for size in SIZES {
        let (rows, columns) = (512, size / 512 / 12 * 4);
        let info = FrameInfo::new(Attributes {
            rows: rows as u32,
            columns: columns as u32,
            samples_per_pixel: 3,
            bits_allocated: 8,
            bits_stored: 8,
            high_bit: 7,
            sample_kind: SampleKind::Unsigned,
            planar_configuration: 0,
            photometric_interpretation: PhotometricInterpretation::YbrFull422,
        })
        .unwrap();
        let src = noise(rows * columns * 2);
        let pair = |[y0, y1, cb, cr]: &[u8; 4]| [*y0, *cb, *cr, *y1, *cb, *cr];
        let expected: Vec<u8> = src.as_chunks().0.iter().flat_map(pair).collect();
        bench_levels(&mut group, "8 bits, 4:2:2", &expected, |out, level| {
            let context = FrameContext {
                syntax,
                info: &info,
                limits: &limits,
                options: DecodeOptions { cpu_level: level, ..DecodeOptions::default() },
            };
            let cancel = Cancel { stop: &stop, poll: None };
            let frame = FrameBytes::from(black_box(&src[..]));
            decode_frame(&context, frame, SamplesMut::U8(out), &mut Workspace::default(), cancel).unwrap();
        });
    }
}

criterion_group!(pixel, bit_packing, rescaling, colour, native, expansion);
criterion_main!(pixel);
