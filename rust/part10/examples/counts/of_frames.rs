//! Paths of the core crate: decoding and encoding single frames.

use crate::images::{
    Jpeg2000, SIDE, attributes, bytes, colour, colour_image, colour_info, grey, grey_image, grey_info, lossless,
    lossless_colour, lossless_syntax, never_cancelled, samples, twelve_bits,
};
use crate::{Named, Path};
use dicoxide_core::encode::{self, Image, jpeg_lossless::Parameters, jpegls};
use dicoxide_core::pixel::{bits, rescale, ybr};
use dicoxide_core::{
    Attributes, CpuLevel, DecodeOptions, EntropyMode, FrameBytes, FrameContext, FrameInfo, Limits, LookupTable,
    OutputOptions, PhotometricInterpretation, Rescale, RgbConversion, SampleType, Samples, SamplesBuf, SamplesMut,
    TransferSyntax, ValueTransform, Workspace, decode_frame,
};
use std::hint::black_box;

pub(crate) const PATHS: &[Named] = &[
    ("native 12 in 16", || native(little_endian(), OutputOptions::default())),
    ("native rescaled", || native(little_endian(), rescaled())),
    ("native big endian", || native(TransferSyntax::EXPLICIT_VR_BIG_ENDIAN, OutputOptions::default())),
    ("native packed bits", packed_bits),
    ("native rgb in planes", planes),
    ("rle 16", || {
        let src = encode::rle(&grey_image(&grey(), SIDE), never_cancelled()).unwrap();
        decoding(TransferSyntax::RLE_LOSSLESS, grey_info(SIDE), src, OutputOptions::default(), EntropyMode::default())
    }),
    ("rle rgb", || {
        let src = encode::rle(&colour_image(&colour()), never_cancelled()).unwrap();
        decoding(TransferSyntax::RLE_LOSSLESS, colour_info(), src, OutputOptions::default(), EntropyMode::default())
    }),
    ("jpeg lossless serial", || jpeg(twelve_bits(), OutputOptions::default(), EntropyMode::Serial)),
    ("jpeg lossless speculative", || jpeg(twelve_bits(), OutputOptions::default(), EntropyMode::Speculative)),
    ("jpeg lossless restarts", || {
        jpeg(
            Parameters { restart_interval: 16 * SIDE, ..twelve_bits() },
            OutputOptions::default(),
            EntropyMode::default(),
        )
    }),
    ("jpeg lossless sv 6", || {
        jpeg(Parameters { selection_value: 6, ..twelve_bits() }, OutputOptions::default(), EntropyMode::default())
    }),
    ("jpeg lossless rescaled", || jpeg(twelve_bits(), rescaled(), EntropyMode::default())),
    ("jpeg lossless rgb", || {
        let src = lossless_colour(&colour());
        decoding(
            TransferSyntax::JPEG_LOSSLESS_SV1,
            colour_info(),
            src,
            OutputOptions::default(),
            EntropyMode::default(),
        )
    }),
    ("jpeg dct gray", || dct(include_bytes!("../../../core/benches/images/jpeg/gray.jpg"), 8, 1)),
    ("jpeg dct 12 bits", || dct(include_bytes!("../../../core/benches/images/jpeg/gray_12.jpg"), 12, 1)),
    ("jpeg dct 4:4:4", || dct(include_bytes!("../../../core/benches/images/jpeg/ybr_444.jpg"), 8, 3)),
    ("jpeg dct 4:2:0", || dct(include_bytes!("../../../core/benches/images/jpeg/ybr_420.jpg"), 8, 3)),
    ("jpeg dct progressive", || dct(include_bytes!("../../../core/benches/images/jpeg/progressive_420.jpg"), 8, 3)),
    ("jpeg-ls 12 in 16", || jpeg_ls(&grey_image(&grey(), SIDE), grey_info(SIDE), 12, 0)),
    ("jpeg-ls near 2", || jpeg_ls(&grey_image(&grey(), SIDE), grey_info(SIDE), 12, 2)),
    ("jpeg-ls rgb", || jpeg_ls(&colour_image(&colour()), colour_info(), 8, 0)),
    ("jpeg 2000 5/3", || jpeg_2000(&Jpeg2000::GREY_53)),
    ("jpeg 2000 9/7", || jpeg_2000(&Jpeg2000::GREY_97)),
    ("jpeg 2000 rgb", || jpeg_2000(&Jpeg2000::RGB_53)),
    ("htj2k", || jpeg_2000(&Jpeg2000::GREY_HT)),
    ("htj2k rgb", || jpeg_2000(&Jpeg2000::RGB_HT)),
    ("small jpeg-ls 16", || jpeg_ls(&grey_image(&small_grey(), SMALL), grey_info(SMALL), 12, 0)),
    ("small rle 16", || {
        let src = encode::rle(&grey_image(&small_grey(), SMALL), never_cancelled()).unwrap();
        decoding(TransferSyntax::RLE_LOSSLESS, grey_info(SMALL), src, OutputOptions::default(), EntropyMode::default())
    }),
    ("small rle rgb", || {
        let samples = small_bytes(3);
        let image = Image { samples: Samples::U8(&samples), rows: SMALL, columns: SMALL, samples_per_pixel: 3 };
        let info = FrameInfo::new(attributes(SMALL, 8, 8, 3)).unwrap();
        let src = encode::rle(&image, never_cancelled()).unwrap();
        decoding(TransferSyntax::RLE_LOSSLESS, info, src, OutputOptions::default(), EntropyMode::default())
    }),
    ("small jpeg lossless 8", || {
        let samples = small_bytes(1);
        let image = Image { samples: Samples::U8(&samples), rows: SMALL, columns: SMALL, samples_per_pixel: 1 };
        let info = FrameInfo::new(attributes(SMALL, 8, 8, 1)).unwrap();
        let src = encode::jpeg_lossless(&image, Parameters::default(), never_cancelled()).unwrap();
        decoding(TransferSyntax::JPEG_LOSSLESS_SV1, info, src, OutputOptions::default(), EntropyMode::default())
    }),
    ("small jpeg lossless 16", || {
        let src = lossless(&small_grey(), SMALL, twelve_bits());
        decoding(
            TransferSyntax::JPEG_LOSSLESS_SV1,
            grey_info(SMALL),
            src,
            OutputOptions::default(),
            EntropyMode::default(),
        )
    }),
    ("encode jpeg lossless", || {
        let samples = grey();
        Box::new(move || drop(black_box(lossless(black_box(&samples), SIDE, twelve_bits()))))
    }),
    ("encode jpeg-ls", || encoding_jpeg_ls(0)),
    ("encode jpeg-ls near 2", || encoding_jpeg_ls(2)),
    ("encode jpeg-ls rgb", || {
        let samples = colour();
        let parameters = jpeg_ls_parameters(8, 0);
        Box::new(move || {
            drop(black_box(encode::jpegls(&colour_image(black_box(&samples)), parameters, never_cancelled()).unwrap()));
        })
    }),
    ("encode rle", || {
        let samples = grey();
        Box::new(move || {
            drop(black_box(encode::rle(&grey_image(black_box(&samples), SIDE), never_cancelled()).unwrap()))
        })
    }),
    ("unpack bits", || {
        let bytes = bytes(&grey());
        let mut out = vec![0; bytes.len() * 8 - 3];
        Box::new(move || bits::unpack_bits_into(black_box(&bytes), 3, &mut out, CpuLevel::best()).unwrap())
    }),
    ("ybr to rgb", || {
        let mut out = colour();
        Box::new(move || ybr::full_to_rgb(black_box(&mut out), CpuLevel::best()).unwrap())
    }),
    ("look-up table 16", || {
        let samples = grey();
        let mut out = vec![0.0; samples.len()];
        let table = LookupTable::new(100, (0..4000).rev()).unwrap();
        Box::new(move || {
            let (stored, out) = (Samples::U16(black_box(&samples)), SamplesMut::F32(&mut out));
            let transform = ValueTransform::Table(&table);
            rescale::rescale_into(stored, transform, out, false, never_cancelled(), CpuLevel::best()).unwrap();
        })
    }),
];

/// Rows and columns of a small image. Most of its instructions are per frame, not per sample.
const SMALL: u32 = 64;

/// Returns the 12-bit samples of a small image.
fn small_grey() -> Vec<u16> {
    samples(SMALL, 12, 1)
}

/// Returns the 8-bit samples of a small image.
fn small_bytes(samples_per_pixel: u32) -> Vec<u8> {
    let samples = samples(SMALL, 8, samples_per_pixel);
    samples.into_iter().map(|value| u8::try_from(value).unwrap_or(u8::MAX)).collect()
}

const fn little_endian() -> TransferSyntax {
    TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN
}

fn rescaled() -> OutputOptions {
    OutputOptions { rescale: Some(Rescale { slope: 1.0, intercept: -1024.0 }), ..OutputOptions::default() }
}

fn decoding(syntax: TransferSyntax, info: FrameInfo, src: Vec<u8>, output: OutputOptions, mode: EntropyMode) -> Path {
    let (limits, mut workspace) = (Limits::default(), Workspace::default());
    let sample_type = if output.rescale.is_some() { SampleType::F32 } else { info.sample_type() };
    let mut out = SamplesBuf::new(sample_type, info.samples(), |words| Ok(vec![1; words])).unwrap();
    Box::new(move || {
        let context = FrameContext {
            syntax,
            info: &info,
            limits: &limits,
            options: DecodeOptions { output, codec: mode.into(), ..DecodeOptions::default() },
        };
        decode_frame(&context, FrameBytes::from(black_box(&src[..])), out.as_mut(), &mut workspace, never_cancelled())
            .unwrap();
    })
}

/// Native frames of 12-bit samples in 16 bits.
fn native(syntax: TransferSyntax, output: OutputOptions) -> Path {
    let samples = grey();
    let src = if syntax.is_big_endian() {
        samples.iter().flat_map(|value| value.to_be_bytes()).collect()
    } else {
        bytes(&samples)
    };
    decoding(syntax, grey_info(SIDE), src, output, EntropyMode::default())
}

fn packed_bits() -> Path {
    let info = FrameInfo::new(attributes(SIDE, 1, 1, 1)).unwrap();
    let mut src = bytes(&grey());
    src.truncate(info.samples() / 8);
    decoding(little_endian(), info, src, OutputOptions::default(), EntropyMode::default())
}

fn planes() -> Path {
    let info = FrameInfo::new(Attributes { planar_configuration: 1, ..attributes(SIDE, 8, 8, 3) }).unwrap();
    decoding(little_endian(), info, colour(), OutputOptions::default(), EntropyMode::default())
}

/// A JPEG DCT codestream of 256 × 256 pixels; colour is converted to RGB.
fn dct(src: &[u8], precision: u32, samples_per_pixel: u32) -> Path {
    let photometric_interpretation =
        if samples_per_pixel == 3 { PhotometricInterpretation::YbrFull } else { PhotometricInterpretation::Other };
    let allocated = if precision == 8 { 8 } else { 16 };
    let attributes =
        Attributes { photometric_interpretation, ..attributes(256, allocated, precision, samples_per_pixel) };
    let output = OutputOptions { to_rgb: Some(RgbConversion::Dicom), ..OutputOptions::default() };
    let info = FrameInfo::new(attributes).unwrap();
    decoding(TransferSyntax::JPEG_EXTENDED_12BIT, info, src.to_vec(), output, EntropyMode::default())
}

/// Parameters of a JPEG-LS codestream; the samples of a pixel are interleaved.
fn jpeg_ls_parameters(precision: u32, near: u32) -> jpegls::Parameters {
    jpegls::Parameters { near, precision: Some(precision), ..jpegls::Parameters::default() }
}

fn jpeg_ls(image: &Image<'_>, info: FrameInfo, precision: u32, near: u32) -> Path {
    let src = encode::jpegls(image, jpeg_ls_parameters(precision, near), never_cancelled()).unwrap();
    decoding(TransferSyntax::JPEG_LS_NEAR_LOSSLESS, info, src, OutputOptions::default(), EntropyMode::default())
}

fn jpeg_2000(image: &Jpeg2000) -> Path {
    decoding(image.syntax, image.info(), image.src.to_vec(), OutputOptions::default(), EntropyMode::default())
}

fn encoding_jpeg_ls(near: u32) -> Path {
    let (samples, parameters) = (grey(), jpeg_ls_parameters(12, near));
    Box::new(move || {
        drop(black_box(encode::jpegls(&grey_image(black_box(&samples), SIDE), parameters, never_cancelled()).unwrap()));
    })
}

fn jpeg(parameters: Parameters, output: OutputOptions, mode: EntropyMode) -> Path {
    let src = lossless(&grey(), SIDE, parameters);
    decoding(lossless_syntax(parameters.selection_value), grey_info(SIDE), src, output, mode)
}
