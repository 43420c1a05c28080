//! Images that benches and counts are made of, and their encoded frames.
#![allow(dead_code, reason = "each of those who include it takes a part")]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "sizes are chosen here, and who measures is to stop where it fails"
)]

use dicoxide_core::encode::{self, Image, jpeg_lossless::Parameters};
use dicoxide_core::{Attributes, Cancel, FrameInfo, PhotometricInterpretation, SampleKind, Samples, TransferSyntax};
use std::sync::atomic::AtomicBool;

/// Rows and columns of a usual image.
pub(crate) const SIDE: u32 = 512;

/// Nobody stops what is measured.
pub(crate) fn watch() -> Cancel<'static> {
    static STOP: AtomicBool = AtomicBool::new(false);
    Cancel { stop: &STOP, poll: None }
}

/// CT-like: smooth, with noise; air around it.
pub(crate) fn samples(side: u32, bits: u32, samples_per_pixel: u32) -> Vec<u16> {
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 60) as u16
    };
    let scale = 1 << (bits - 8);
    (0..side * side * samples_per_pixel)
        .map(|at| {
            let (x, y) = (at / samples_per_pixel % side, at / samples_per_pixel / side);
            let is_air = x.abs_diff(side / 2).pow(2) + y.abs_diff(side / 2).pow(2) > (side * 3 / 8).pow(2);
            let tissue = (x / 8 + y / 5 + 40) as u16 * scale;
            if is_air { 0 } else { tissue + noise() * scale / 4 }
        })
        .collect()
}

/// 12-bit samples of a usual image.
pub(crate) fn grey() -> Vec<u16> {
    samples(SIDE, 12, 1)
}

/// 8-bit samples of a usual image in colour.
pub(crate) fn colour() -> Vec<u8> {
    samples(SIDE, 8, 3).into_iter().map(|value| value as u8).collect()
}

/// Little-endian bytes of samples.
pub(crate) fn bytes(samples: &[u16]) -> Vec<u8> {
    samples.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Attributes of an image of unsigned samples.
pub(crate) const fn attributes(side: u32, bits_allocated: u32, bits_stored: u32, samples_per_pixel: u32) -> Attributes {
    Attributes {
        rows: side,
        columns: side,
        samples_per_pixel,
        bits_allocated,
        bits_stored,
        high_bit: bits_stored - 1,
        sample_kind: SampleKind::Unsigned,
        planar_configuration: 0,
        photometric_interpretation: PhotometricInterpretation::Other,
    }
}

/// Of 12-bit samples in 16 bits.
pub(crate) fn grey_info(side: u32) -> FrameInfo {
    FrameInfo::new(attributes(side, 16, 12, 1)).unwrap()
}

/// Of colours of 8 bits.
pub(crate) fn colour_info() -> FrameInfo {
    FrameInfo::new(attributes(SIDE, 8, 8, 3)).unwrap()
}

/// The image of 12-bit samples, to be encoded.
pub(crate) fn grey_image(samples: &[u16], side: u32) -> Image<'_> {
    Image { samples: Samples::U16(samples), rows: side, columns: side, samples_per_pixel: 1 }
}

/// The image of colours of 8 bits, to be encoded.
pub(crate) fn colour_image(samples: &[u8]) -> Image<'_> {
    Image { samples: Samples::U8(samples), rows: SIDE, columns: SIDE, samples_per_pixel: 3 }
}

/// How 12-bit samples are encoded.
pub(crate) fn twelve_bits() -> Parameters {
    Parameters { precision: Some(12), ..Parameters::default() }
}

/// 12-bit samples as a frame of JPEG Lossless.
pub(crate) fn lossless(samples: &[u16], side: u32, parameters: Parameters) -> Vec<u8> {
    encode::jpeg_lossless(&grey_image(samples, side), parameters, watch()).unwrap()
}

/// Colours of 8 bits as a frame of JPEG Lossless.
pub(crate) fn lossless_colour(samples: &[u8]) -> Vec<u8> {
    encode::jpeg_lossless(&colour_image(samples), Parameters::default(), watch()).unwrap()
}

/// The transfer syntax that allows a selection value.
pub(crate) const fn lossless_syntax(selection_value: u32) -> TransferSyntax {
    if selection_value == 1 { TransferSyntax::JPEG_LOSSLESS_SV1 } else { TransferSyntax::JPEG_LOSSLESS }
}
