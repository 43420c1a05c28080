//! Property of the encoders: decoding returns what was encoded.

use crate::Coverage;
use dicoxide_core::encode::{self, Image, jpeg_lossless, jpegls};
use dicoxide_core::{
    Attributes, Cancel, DecodeOptions, ErrorKind, FrameBytes, FrameContext, FrameInfo, Limits,
    PhotometricInterpretation, SampleKind, Samples, SamplesMut, TransferSyntax, Workspace, decode_frame,
};
use std::sync::atomic::AtomicBool;

/// Leading bytes of an input, which choose the image and the parameters. The rest are its samples, repeated as needed.
const CHOICE_BYTES: usize = 5;

/// Property: `decode(encode(x)) == x` for each encoder, within NEAR for near-lossless JPEG-LS; the only errors of an encoder are
/// of kind `Output`.
pub fn encode_decode_round_trip(bytes: &[u8]) -> Coverage {
    let Some((&[rows, columns, kind, parameters, interval], values)) = bytes.split_first_chunk::<CHOICE_BYTES>() else {
        return Coverage::Skipped;
    };
    let (rows, columns) = (u32::from(rows) + 1, u32::from(columns) + 1);
    let samples_per_pixel = u32::from(kind % 4) + 1;
    let is_wide = kind & 4 != 0;
    let count = (rows * columns * samples_per_pixel) as usize;
    let precision = if is_wide { 2 + u32::from(kind >> 4) % 15 } else { 8 };
    let mask = if is_wide { u16::MAX >> (16 - precision) } else { 0xFF };
    let mut words: Vec<u16> =
        values.chunks(2).map(|pair| pair.iter().fold(0, |word, byte| word << 8 | u16::from(*byte)) & mask).collect();
    if words.is_empty() {
        words.push(0);
    }
    let words: Vec<u16> = words.into_iter().cycle().take(count).collect();
    let bytes_in: Vec<u8> = words.iter().map(|word| word.to_le_bytes()[0]).collect();
    let samples = if is_wide { Samples::U16(&words) } else { Samples::U8(&bytes_in) };
    let image = Image { samples, rows, columns, samples_per_pixel };
    let stop = AtomicBool::new(false);
    let cancel = Cancel { stop: &stop, poll: None };
    let precision_of_words = is_wide.then_some(precision);
    let lossless = jpeg_lossless::Parameters {
        selection_value: u32::from(parameters % 7) + 1,
        restart_interval: u32::from(interval % 4) * columns,
        precision: precision_of_words,
        ..jpeg_lossless::Parameters::default()
    };
    let interleave = match interval >> 2 & 3 {
        0 | 1 => jpegls::Interleave::Sample,
        2 => jpegls::Interleave::Line,
        _ => jpegls::Interleave::None,
    };
    let [exact, near] = [0, u32::from(interval >> 4)].map(|near| jpegls::Parameters {
        near,
        interleave,
        precision: precision_of_words,
    });
    let allocated = if is_wide { 16 } else { 8 };
    let encoded = [
        (TransferSyntax::RLE_LOSSLESS, allocated, 0, encode::rle(&image, cancel)),
        (TransferSyntax::JPEG_LOSSLESS, precision, 0, encode::jpeg_lossless(&image, lossless, cancel)),
        (TransferSyntax::JPEG_LS_LOSSLESS, precision, 0, encode::jpegls(&image, exact, cancel)),
        (TransferSyntax::JPEG_LS_NEAR_LOSSLESS, precision, near.near, encode::jpegls(&image, near, cancel)),
    ];
    let mut coverage = Coverage::Error;
    for (syntax, bits_stored, near, encoded) in encoded {
        let frame = match encoded {
            Ok(frame) => frame,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Output, "{error}");
                continue;
            }
        };
        let attributes = Attributes {
            rows,
            columns,
            samples_per_pixel,
            bits_allocated: allocated,
            bits_stored,
            high_bit: bits_stored - 1,
            sample_kind: SampleKind::Unsigned,
            planar_configuration: 0,
            photometric_interpretation: PhotometricInterpretation::Other,
        };
        let Ok(info) = FrameInfo::new(attributes) else { panic!("{attributes:?}") };
        let (limits, mut workspace) = (Limits::default(), Workspace::default());
        let context = FrameContext {
            syntax,
            info: &info,
            limits: &limits,
            options: DecodeOptions { strict: true, ..DecodeOptions::default() },
        };
        let (mut words_out, mut bytes_out) = (vec![0; words.len()], vec![0; words.len()]);
        let out = if is_wide { SamplesMut::U16(&mut words_out) } else { SamplesMut::U8(&mut bytes_out) };
        if let Err(error) = decode_frame(&context, FrameBytes::from(&frame[..]), out, &mut workspace, cancel) {
            panic!("{syntax:?}: encoded frame does not decode: {error}");
        }
        let decoded: Vec<u16> = if is_wide { words_out } else { bytes_out.into_iter().map(u16::from).collect() };
        let source = words.iter().map(|word| word & mask);
        let largest = decoded.iter().zip(source).map(|(found, word)| u32::from(found.abs_diff(word))).max();
        assert!(largest <= Some(near), "{syntax:?}: decoded samples differ from the encoded ones by {largest:?}");
        coverage = Coverage::Decoded;
    }
    coverage
}
