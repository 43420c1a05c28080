//! RLE Lossless: decoding of synthetic frames at every CPU level, and encoding. Every result is checked before it is timed.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "a bench stops at the first error"
)]

mod images;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dicoxide_core::{
    Attributes, CpuLevel, DecodeOptions, FrameContext, FrameInfo, Limits, PhotometricInterpretation, SampleKind,
    SamplesMut, TransferSyntax, Workspace, decode_frame, encode,
};
use images::{SIDE, colour, colour_image, colour_info, grey, grey_image, grey_info, never_cancelled};
use std::hint::black_box;

struct Frame {
    name: &'static str,
    info: FrameInfo,
    bytes: Vec<u8>,
    samples: Vec<u8>,
}

/// Returns a frame whose samples are `value(x, y, sample, noise)`, of `bits_allocated` bits each, with usual runs.
fn frame(
    name: &'static str,
    (rows, columns, samples_per_pixel, bits_allocated): (u32, u32, u32, u32),
    value: impl Fn(u32, u32, u32, u32) -> u32,
) -> Frame {
    frame_with(name, (rows, columns, samples_per_pixel, bits_allocated), value, runs)
}

/// As [`frame`], with the rows of each byte plane encoded by `encode`.
fn frame_with(
    name: &'static str,
    (rows, columns, samples_per_pixel, bits_allocated): (u32, u32, u32, u32),
    value: impl Fn(u32, u32, u32, u32) -> u32,
    encode: impl Fn(&[u8]) -> Vec<u8>,
) -> Frame {
    let info = FrameInfo::new(Attributes {
        rows,
        columns,
        samples_per_pixel,
        bits_allocated,
        bits_stored: bits_allocated,
        high_bit: bits_allocated - 1,
        sample_kind: SampleKind::Unsigned,
        planar_configuration: 0,
        photometric_interpretation: PhotometricInterpretation::Other,
    })
    .expect("attributes of a valid image");
    let n = info.sample_bytes();
    let mut noise = 1u32;
    let mut samples = Vec::new();
    for index in 0..rows * columns * samples_per_pixel {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (pixel, sample) = (index / samples_per_pixel, index % samples_per_pixel);
        samples.extend(&value(pixel % columns, pixel / columns, sample, noise >> 24).to_le_bytes()[..n]);
    }
    let pixel_bytes = info.samples_per_pixel() * n;
    let segments: Vec<Vec<u8>> = (0..pixel_bytes)
        .map(|index| {
            let byte = index / n * n + n - 1 - index % n;
            let plane: Vec<u8> = samples.iter().skip(byte).step_by(pixel_bytes).copied().collect();
            plane.chunks(columns as usize).flat_map(&encode).collect()
        })
        .collect();
    let mut bytes = u32::try_from(pixel_bytes).expect("at most 15").to_le_bytes().to_vec();
    let mut offset = 64;
    for segment in &segments {
        bytes.extend(u32::try_from(offset).expect("a small frame").to_le_bytes());
        offset += segment.len();
    }
    bytes.resize(64, 0);
    bytes.extend(segments.concat());
    Frame { name, info, bytes, samples }
}

/// PackBits runs of a usual encoder: replicate runs from three equal bytes on.
fn runs(row: &[u8]) -> Vec<u8> {
    let same = |start: usize| row[start..].iter().take(128).take_while(|byte| **byte == row[start]).count();
    let mut out = Vec::new();
    let mut start = 0;
    while start < row.len() {
        let mut length = same(start);
        if length > 2 {
            out.extend([(257 - length) as u8, row[start]]);
        } else {
            length = (start..row.len()).take(128).take_while(|start| same(*start) < 3).count();
            out.push((length - 1) as u8);
            out.extend(&row[start..start + length]);
        }
        start += length;
    }
    out
}

/// PackBits runs of an unusual encoder: consecutive literal runs of at most eight bytes, replicate runs from two equal bytes
/// on.
fn short_runs(row: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut start = 0;
    while start < row.len() {
        let same = row[start..].iter().take(128).take_while(|byte| **byte == row[start]).count();
        // Pseudo-random lengths, which the branch predictor cannot learn.
        let max_length = 1 + start.wrapping_mul(2_654_435_761) / 65_536 % 8;
        let length = row[start..].windows(2).take(max_length).take_while(|pair| pair[0] != pair[1]).count().max(1);
        if same > 1 {
            out.extend([(257 - same) as u8, row[start]]);
            start += same;
        } else {
            out.push((length - 1) as u8);
            out.extend(&row[start..start + length]);
            start += length;
        }
    }
    out
}

fn short_literals() -> Vec<Frame> {
    let value = |_, _, _, noise: u32| if noise < 180 { noise * 257 } else { 0x4242 };
    vec![
        frame_with("short_literals_512x512_u8", (512, 512, 1, 8), value, short_runs),
        frame_with("short_literals_512x512_u16", (512, 512, 1, 16), value, short_runs),
        frame_with("short_literals_480x640_rgb_u8", (480, 640, 3, 8), value, short_runs),
        frame_with(
            "short_literals_low_byte_512x512_u16",
            (512, 512, 1, 16),
            |x, _, _, noise| x / 100 * 256 + if noise < 180 { noise } else { 0x42 },
            short_runs,
        ),
    ]
}

fn frames() -> Vec<Frame> {
    let disc =
        |x: u32, y: u32, size: u32| x.abs_diff(size / 2).pow(2) + y.abs_diff(size / 2).pow(2) < (size * 2 / 5).pow(2);
    vec![
        frame(
            "ct_512x512_u16",
            (512, 512, 1, 16),
            |x, y, _, noise| {
                if disc(x, y, 512) { 1000 + x / 4 + noise / 8 } else { 0 }
            },
        ),
        frame("cr_2048x2048_u16", (2048, 2048, 1, 16), |x, y, _, noise| 500 + x / 8 + y / 16 + noise / 64),
        frame("photo_480x640_rgb_u8", (480, 640, 3, 8), |x, y, sample, noise| {
            (x / 6 + y / 9 + sample * 40 + u32::from(noise < 60) * noise / 8) & 255
        }),
        frame("flat_480x640_rgb_u8", (480, 640, 3, 8), |x, y, sample, _| {
            (x / 80 * 31 + y / 60 * 7 + sample * 85) & 255
        }),
        frame(
            "us_600x800_u8",
            (600, 800, 1, 8),
            |x, y, _, noise| {
                if disc(x, y, 600) { noise / 4 * u32::from(noise > 180) } else { 0 }
            },
        ),
        frame(
            "dose_256x256_u32",
            (256, 256, 1, 32),
            |x, y, _, noise| if disc(x, y, 256) { x * y * 400 + noise } else { 0 },
        ),
        frame("bars_256x256_rgb_u16", (256, 256, 3, 16), |x, _, sample, _| (x / 32 * 8191 + sample * 257) & 0xffff),
        frame("bars_256x256_rgb_u32", (256, 256, 3, 32), |x, _, sample, _| (x / 32).wrapping_mul(0x0123_4567) + sample),
        frame("tiny_10x10_u32", (10, 10, 1, 32), |x, y, _, noise| x * y * 400 + noise),
        frame("tiny_100x100_rgb_u8", (100, 100, 3, 8), |_, y, sample, _| y / 10 * 25 + sample),
    ]
}

fn decode(frame: &Frame, level: CpuLevel, words: &mut [u64], workspace: &mut Workspace) {
    let out = match frame.info.sample_bytes() {
        1 => SamplesMut::U8(bytemuck::cast_slice_mut(words)),
        2 => SamplesMut::U16(bytemuck::cast_slice_mut(words)),
        _ => SamplesMut::U32(bytemuck::cast_slice_mut(words)),
    };
    let limits = Limits::unbounded();
    let options = DecodeOptions { cpu_level: level, ..DecodeOptions::default() };
    let context = FrameContext { syntax: TransferSyntax::RLE_LOSSLESS, info: &frame.info, limits: &limits, options };
    decode_frame(&context, black_box(&frame.bytes[..]).into(), out, workspace, never_cancelled())
        .expect("a valid frame");
}

fn decoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rle");
    for frame in frames().into_iter().chain(short_literals()) {
        group.throughput(Throughput::Bytes(frame.samples.len() as u64));
        let mut words = vec![0u64; frame.samples.len() / 8];
        for level in CpuLevel::available() {
            let mut workspace = Workspace::default();
            decode(&frame, level, &mut words, &mut workspace);
            assert!(bytemuck::cast_slice::<_, u8>(&words) == frame.samples, "{} {}", frame.name, level.name());
            group.bench_function(BenchmarkId::new(frame.name, level.name()), |bencher| {
                bencher.iter(|| decode(&frame, level, &mut words, &mut workspace));
            });
        }
    }
    group.finish();
}

fn encoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rle encode");
    let (grey, colour) = (grey(), colour());
    for (name, image, info) in [
        ("ct_512x512_u12", grey_image(&grey, SIDE), grey_info(SIDE)),
        ("photo_512x512_rgb_u8", colour_image(&colour), colour_info()),
    ] {
        let samples = image.samples.bytes().to_vec();
        let bytes = encode::rle(&image, never_cancelled()).expect("a valid image");
        let frame = Frame { name, info, bytes, samples };
        let mut words = vec![0u64; frame.samples.len() / 8];
        decode(&frame, CpuLevel::best(), &mut words, &mut Workspace::default());
        assert!(bytemuck::cast_slice::<_, u8>(&words) == frame.samples, "{name}");
        group.throughput(Throughput::Bytes(frame.samples.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| encode::rle(black_box(&image), never_cancelled()).expect("a valid image"));
        });
    }
    group.finish();
}

criterion_group!(benches, decoding, encoding);
criterion_main!(benches);
