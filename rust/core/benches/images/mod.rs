//! Test images for benches and instruction counts, and their encoded frames.
#![allow(dead_code, reason = "each bench that includes this module uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "sizes are chosen here, and a bench stops at the first error"
)]

use dicoxide_core::encode::{self, Image, jpeg_lossless::Parameters};
use dicoxide_core::{Attributes, Cancel, FrameInfo, PhotometricInterpretation, SampleKind, Samples, TransferSyntax};
use std::sync::atomic::AtomicBool;

/// Rows and columns of the images.
pub(crate) const SIDE: u32 = 512;

/// Returns a token that is never cancelled.
pub(crate) fn never_cancelled() -> Cancel<'static> {
    static STOP: AtomicBool = AtomicBool::new(false);
    Cancel { stop: &STOP, poll: None }
}

/// Returns samples of a CT-like image of `side` × `side` pixels and `bits` bits: smooth with noise, surrounded by air (0).
pub(crate) fn samples(side: u32, bits: u32, samples_per_pixel: u32) -> Vec<u16> {
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 60) as u16
    };
    let scale = 1 << (bits - 8);
    (0..side * side * samples_per_pixel)
        .map(|index| {
            let (x, y) = (index / samples_per_pixel % side, index / samples_per_pixel / side);
            let is_air = x.abs_diff(side / 2).pow(2) + y.abs_diff(side / 2).pow(2) > (side * 3 / 8).pow(2);
            let tissue = (x / 8 + y / 5 + 40) as u16 * scale;
            if is_air { 0 } else { tissue + noise() * scale / 4 }
        })
        .collect()
}

/// Returns the 12-bit samples of a grey image.
pub(crate) fn grey() -> Vec<u16> {
    samples(SIDE, 12, 1)
}

/// Returns the 8-bit samples of an RGB image.
pub(crate) fn colour() -> Vec<u8> {
    samples(SIDE, 8, 3).into_iter().map(|value| value as u8).collect()
}

/// Returns samples as little-endian bytes.
pub(crate) fn bytes(samples: &[u16]) -> Vec<u8> {
    samples.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Returns the attributes of an image of unsigned samples.
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

/// Returns the attributes of a grey image: 12-bit samples in 16 bits.
pub(crate) fn grey_info(side: u32) -> FrameInfo {
    FrameInfo::new(attributes(side, 16, 12, 1)).unwrap()
}

/// Returns the attributes of the 8-bit RGB image.
pub(crate) fn colour_info() -> FrameInfo {
    FrameInfo::new(attributes(SIDE, 8, 8, 3)).unwrap()
}

/// Returns the grey image for an encoder.
pub(crate) fn grey_image(samples: &[u16], side: u32) -> Image<'_> {
    Image { samples: Samples::U16(samples), rows: side, columns: side, samples_per_pixel: 1 }
}

/// Returns the RGB image for an encoder.
pub(crate) fn colour_image(samples: &[u8]) -> Image<'_> {
    Image { samples: Samples::U8(samples), rows: SIDE, columns: SIDE, samples_per_pixel: 3 }
}

/// Returns the JPEG Lossless parameters for 12-bit samples.
pub(crate) fn twelve_bits() -> Parameters {
    Parameters { precision: Some(12), ..Parameters::default() }
}

/// Encodes 12-bit samples as JPEG Lossless.
pub(crate) fn lossless(samples: &[u16], side: u32, parameters: Parameters) -> Vec<u8> {
    encode::jpeg_lossless(&grey_image(samples, side), parameters, never_cancelled()).unwrap()
}

/// Encodes 8-bit RGB samples as JPEG Lossless.
pub(crate) fn lossless_colour(samples: &[u8]) -> Vec<u8> {
    encode::jpeg_lossless(&colour_image(samples), Parameters::default(), never_cancelled()).unwrap()
}

/// A codestream of [`samples`] of [`JPEG_2000_SIDE`] × [`JPEG_2000_SIDE`] pixels, encoded by OpenJPEG or OpenJPH.
pub(crate) struct Jpeg2000 {
    pub(crate) name: &'static str,
    pub(crate) syntax: TransferSyntax,
    pub(crate) src: &'static [u8],
    /// Precision of the codestream, in bits.
    pub(crate) precision: u32,
    pub(crate) samples_per_pixel: u32,
    /// Largest difference of a decoded sample from the encoded one.
    pub(crate) max_error: u16,
}

/// Rows and columns of the JPEG 2000 codestreams.
pub(crate) const JPEG_2000_SIDE: u32 = 256;

impl Jpeg2000 {
    /// Grey samples of 12 bits, 5/3 wavelet.
    pub(crate) const GREY_53: Self = Self {
        name: "grey_256x256_u12_53",
        syntax: TransferSyntax::JPEG2000_LOSSLESS,
        src: include_bytes!("jpeg2000/gray_53.j2k"),
        precision: 12,
        samples_per_pixel: 1,
        max_error: 0,
    };
    /// Grey samples of 12 bits, 9/7 wavelet.
    pub(crate) const GREY_97: Self = Self {
        name: "grey_256x256_u12_97",
        syntax: TransferSyntax::JPEG2000,
        src: include_bytes!("jpeg2000/gray_97.j2k"),
        max_error: 26,
        ..Self::GREY_53
    };
    /// RGB samples, 5/3 wavelet.
    pub(crate) const RGB_53: Self = Self {
        name: "photo_256x256_rgb_u8_53",
        src: include_bytes!("jpeg2000/rgb_53.j2k"),
        precision: 8,
        samples_per_pixel: 3,
        ..Self::GREY_53
    };
    /// Grey samples of 12 bits in a codestream of 16 bits, 5/3 wavelet, HT code-blocks.
    pub(crate) const GREY_HT: Self = Self {
        name: "grey_256x256_u12_ht",
        syntax: TransferSyntax::HTJ2K_LOSSLESS,
        src: include_bytes!("jpeg2000/gray.jph"),
        precision: 16,
        ..Self::GREY_53
    };
    /// RGB samples, 5/3 wavelet, HT code-blocks.
    pub(crate) const RGB_HT: Self = Self {
        name: "photo_256x256_rgb_u8_ht",
        syntax: TransferSyntax::HTJ2K_LOSSLESS,
        src: include_bytes!("jpeg2000/rgb.jph"),
        ..Self::RGB_53
    };

    /// Returns the attributes of the image.
    pub(crate) fn info(&self) -> FrameInfo {
        let allocated = if self.precision == 8 { 8 } else { 16 };
        FrameInfo::new(attributes(JPEG_2000_SIDE, allocated, self.precision, self.samples_per_pixel)).unwrap()
    }

    /// Returns the encoded samples.
    pub(crate) fn samples(&self) -> Vec<u16> {
        samples(JPEG_2000_SIDE, if self.samples_per_pixel == 1 { 12 } else { 8 }, self.samples_per_pixel)
    }
}

/// Returns the transfer syntax for a selection value.
pub(crate) const fn lossless_syntax(selection_value: u32) -> TransferSyntax {
    if selection_value == 1 { TransferSyntax::JPEG_LOSSLESS_SV1 } else { TransferSyntax::JPEG_LOSSLESS }
}
