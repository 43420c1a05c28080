//! The way there and back: what is encoded decodes to what it was.

use crate::Tried;
use dicoxide_core::encode::{self, Image, jpeg_lossless::Parameters};
use dicoxide_core::{
    Attributes, Cancel, DecodeOptions, ErrorKind, FrameBytes, FrameInfo, Job, Limits, PhotometricInterpretation,
    SampleKind, Samples, SamplesMut, TransferSyntax, Workspace, decode_frame,
};
use std::sync::atomic::AtomicBool;

/// Bytes that choose the image and the parameters; the rest are its samples, again and again where they are few.
const CHOICE_BYTES: usize = 5;

/// decode(encode(x)) = x for both encoders, and an encoder refuses nothing but what it says that it does.
pub fn encoding_returns(bytes: &[u8]) -> Tried {
    let Some((&[rows, columns, kind, parameters, interval], rest)) = bytes.split_first_chunk::<CHOICE_BYTES>() else {
        return Tried::Nothing;
    };
    let (rows, columns) = (u32::from(rows) + 1, u32::from(columns) + 1);
    let samples_per_pixel = u32::from(kind % 4) + 1;
    let is_wide = kind & 4 != 0;
    let count = (rows * columns * samples_per_pixel) as usize;
    let precision = if is_wide { 2 + u32::from(kind >> 4) % 15 } else { 8 };
    let mask = if is_wide { u16::MAX >> (16 - precision) } else { 0xFF };
    let mut words: Vec<u16> =
        rest.chunks(2).map(|pair| pair.iter().fold(0, |word, byte| word << 8 | u16::from(*byte)) & mask).collect();
    if words.is_empty() {
        words.push(0);
    }
    let words: Vec<u16> = words.into_iter().cycle().take(count).collect();
    let narrow: Vec<u8> = words.iter().map(|word| word.to_le_bytes()[0]).collect();
    let samples = if is_wide { Samples::U16(&words) } else { Samples::U8(&narrow) };
    let image = Image { samples, rows, columns, samples_per_pixel };
    let stop = AtomicBool::new(false);
    let watch = Cancel { stop: &stop, poll: None };
    let parameters = Parameters {
        selection_value: u32::from(parameters % 7) + 1,
        restart_interval: u32::from(interval % 4) * columns,
        precision: is_wide.then_some(precision),
        ..Parameters::default()
    };
    let allocated = if is_wide { 16 } else { 8 };
    let encoded = [
        (TransferSyntax::RLE_LOSSLESS, allocated, encode::rle(&image, watch)),
        (TransferSyntax::JPEG_LOSSLESS, precision, encode::jpeg_lossless(&image, parameters, watch)),
    ];
    let mut tried = Tried::Refused;
    for (syntax, bits_stored, encoded) in encoded {
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
        let job = Job {
            syntax,
            info: &info,
            limits: &limits,
            options: DecodeOptions { strict: true, ..DecodeOptions::default() },
        };
        let (mut wide, mut small) = (vec![0; words.len()], vec![0; words.len()]);
        let out = if is_wide { SamplesMut::U16(&mut wide) } else { SamplesMut::U8(&mut small) };
        if let Err(error) = decode_frame(&job, FrameBytes::from(&frame[..]), out, &mut workspace, watch) {
            panic!("{syntax:?} refuses what was encoded: {error}");
        }
        assert!(if is_wide { wide == words } else { small == narrow }, "{syntax:?} comes back as something else");
        tried = Tried::Decoded;
    }
    tried
}
