//! Runs one path of the core so many times: what `make bench-check` counts the instructions of.
//!
//! `counts` lists the paths; `counts PATH N` runs one. The input is the same for any N, so that the difference of two
//! counts is the path alone.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a tool that is to stop where it fails"
)]
#![allow(clippy::cast_possible_truncation, reason = "sizes are chosen here")]

use dicoxide_core::encode::{self, Image, jpeg_lossless::Parameters};
use dicoxide_core::pixel::{bits, ybr};
use dicoxide_core::{
    Attributes, Finish, FrameBytes, FrameInfo, Job, Limits, Options, PhotometricInterpretation, Rescale, SampleKind,
    Samples, SamplesBuf, Tier, TransferSyntax, Watch, Way, Workspace, decode_frame,
};
use std::hint::black_box;
use std::sync::atomic::AtomicBool;

const SIDE: u32 = 512;
static STOP: AtomicBool = AtomicBool::new(false);

/// CT-like: smooth, with noise; air around it.
fn samples(bits: u32, samples_per_pixel: u32) -> Vec<u16> {
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 60) as u16
    };
    let scale = 1 << (bits - 8);
    (0..SIDE * SIDE * samples_per_pixel)
        .map(|at| {
            let (x, y) = (at / samples_per_pixel % SIDE, at / samples_per_pixel / SIDE);
            let is_air = x.abs_diff(SIDE / 2).pow(2) + y.abs_diff(SIDE / 2).pow(2) > (SIDE * 3 / 8).pow(2);
            let tissue = (x / 8 + y / 5 + 40) as u16 * scale;
            if is_air { 0 } else { tissue + noise() * scale / 4 }
        })
        .collect()
}

fn info(bits_allocated: u32, bits_stored: u32, samples_per_pixel: u32) -> FrameInfo {
    FrameInfo::new(Attributes {
        rows: SIDE,
        columns: SIDE,
        samples_per_pixel,
        bits_allocated,
        bits_stored,
        high_bit: bits_stored - 1,
        sample_kind: SampleKind::Unsigned,
        planar_configuration: 0,
        photometric_interpretation: PhotometricInterpretation::Other,
    })
    .unwrap()
}

fn image(samples: Samples<'_>, samples_per_pixel: u32) -> Image<'_> {
    Image { samples, rows: SIDE, columns: SIDE, samples_per_pixel }
}

/// What one path does, on input that is made before.
type Path = Box<dyn FnMut()>;

fn decoding(syntax: TransferSyntax, info: FrameInfo, src: Vec<u8>, finish: Finish, way: Option<Way>) -> Path {
    let (limits, mut workspace) = (Limits::default(), Workspace::default());
    let name = if finish.rescale.is_some() { "float32" } else { info.type_name() };
    let mut out = SamplesBuf::new(name, info.samples(), |bytes| Ok(vec![1; bytes.div_ceil(8)])).unwrap().unwrap();
    Box::new(move || {
        let job = Job { syntax, info: &info, limits: &limits, options: Options { finish, way, ..Options::default() } };
        let watch = Watch { stop: &STOP, poll: None };
        decode_frame(&job, FrameBytes::from(black_box(&src[..])), out.as_mut(), &mut workspace, watch).unwrap();
    })
}

fn path(name: &str) -> Option<Path> {
    let watch = Watch { stop: &STOP, poll: None };
    let (grey, colour) = (samples(12, 1), samples(8, 3));
    let bytes: Vec<u8> = grey.iter().flat_map(|value| value.to_le_bytes()).collect();
    let rgb: Vec<u8> = colour.iter().map(|value| *value as u8).collect();
    let lossless = |selection_value| {
        let parameters = Parameters { selection_value, precision: Some(12), ..Parameters::default() };
        encode::jpeg_lossless(&image(Samples::U16(&grey), 1), parameters, watch).unwrap()
    };
    let (plain, jpeg, rle) = (Finish::default(), TransferSyntax::JPEG_LOSSLESS_SV1, TransferSyntax::RLE_LOSSLESS);
    let native = TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN;
    let rescale = Some(Rescale { slope: 1.0, intercept: -1024.0 });
    Some(match name {
        "native 12 in 16" => decoding(native, info(16, 12, 1), bytes, plain, None),
        "native rescaled" => decoding(native, info(16, 12, 1), bytes, Finish { rescale, ..plain }, None),
        "rle 16" => {
            let src = encode::rle(&image(Samples::U16(&grey), 1), watch).unwrap();
            decoding(rle, info(16, 12, 1), src, plain, None)
        }
        "rle rgb" => {
            let src = encode::rle(&image(Samples::U8(&rgb), 3), watch).unwrap();
            decoding(rle, info(8, 8, 3), src, plain, None)
        }
        "jpeg lossless serial" => decoding(jpeg, info(16, 12, 1), lossless(1), plain, Some(Way::Serial)),
        "jpeg lossless speculative" => decoding(jpeg, info(16, 12, 1), lossless(1), plain, Some(Way::Speculative)),
        "jpeg lossless sv 6" => decoding(TransferSyntax::JPEG_LOSSLESS, info(16, 12, 1), lossless(6), plain, None),
        "jpeg lossless rescaled" => decoding(jpeg, info(16, 12, 1), lossless(1), Finish { rescale, ..plain }, None),
        "jpeg lossless rgb" => {
            let src = encode::jpeg_lossless(&image(Samples::U8(&rgb), 3), Parameters::default(), watch).unwrap();
            decoding(jpeg, info(8, 8, 3), src, plain, None)
        }
        "encode jpeg lossless" => Box::new(move || {
            let parameters = Parameters { precision: Some(12), ..Parameters::default() };
            black_box(encode::jpeg_lossless(&image(Samples::U16(&grey), 1), parameters, watch).unwrap());
        }),
        "encode rle" => Box::new(move || {
            black_box(encode::rle(&image(Samples::U16(&grey), 1), watch).unwrap());
        }),
        "unpack bits" => {
            let mut out = vec![0; bytes.len() * 8 - 3];
            Box::new(move || bits::unpack_bits_into(black_box(&bytes), 3, &mut out, Tier::best()).unwrap())
        }
        "ybr to rgb" => {
            let mut out = rgb;
            Box::new(move || ybr::full_to_rgb(black_box(&mut out), Tier::best()).unwrap())
        }
        _ => return None,
    })
}

const PATHS: [&str; 13] = [
    "native 12 in 16",
    "native rescaled",
    "rle 16",
    "rle rgb",
    "jpeg lossless serial",
    "jpeg lossless speculative",
    "jpeg lossless sv 6",
    "jpeg lossless rescaled",
    "jpeg lossless rgb",
    "encode jpeg lossless",
    "encode rle",
    "unpack bits",
    "ybr to rgb",
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(times)) = (arguments.next(), arguments.next()) else {
        println!("{}", Tier::best().name());
        PATHS.iter().for_each(|name| println!("{name}"));
        return;
    };
    let mut run = path(&name).expect("a path that is listed");
    for _ in 0..times.parse().expect("a number") {
        run();
    }
}
