//! Paths of the part10 crate: opening and decoding files.

use crate::files::{Ct, Pixels, TemporaryDirectory, decode, memory, prepare};
use crate::images::{SIDE, bytes, grey, grey_image, lossless, never_cancelled, samples, twelve_bits};
use crate::{Named, Path};
use dicoxide_core::{TransferSyntax, encode};
use dicoxide_part10::{BatchDecoder, Outcome, Request, Source};
use std::hint::black_box;
use std::time::Duration;

/// Rows and columns of a small image, in pixels.
const SMALL: u32 = 64;
const SMALL_IMAGE_COUNT: usize = 20;

pub(crate) const PATHS: &[Named] = &[
    ("header explicit vr", || header(TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN, 0)),
    ("header implicit vr", || header(TransferSyntax::IMPLICIT_VR_LITTLE_ENDIAN, 0)),
    ("header nested", || header(TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN, 100)),
    ("file native", || native(TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN, SIDE)),
    ("file deflated", || native(TransferSyntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, SIDE / 2)),
    ("file jpeg lossless", || {
        let frames = [lossless(&grey(), SIDE, twelve_bits())];
        decoding(&Ct { pixels: Pixels::Fragments(&frames), ..ct(TransferSyntax::JPEG_LOSSLESS_SV1, SIDE) })
    }),
    ("frames by their offsets", || {
        let frames = vec![lossless(&samples(SMALL, 12, 1), SMALL, twelve_bits()); SMALL_IMAGE_COUNT];
        let file = ct(TransferSyntax::JPEG_LOSSLESS_SV1, SMALL);
        decoding(&Ct { frame_count: SMALL_IMAGE_COUNT, pixels: Pixels::Offsets(&frames), ..file })
    }),
    ("frames in fragments", || {
        let frame = encode::rle(&grey_image(&samples(SMALL, 12, 1), SMALL), never_cancelled()).unwrap();
        let fragments: Vec<Vec<u8>> =
            (0..SMALL_IMAGE_COUNT).flat_map(|_| frame.chunks(512).map(<[u8]>::to_vec)).collect();
        let file = ct(TransferSyntax::RLE_LOSSLESS, SMALL);
        decoding(&Ct { frame_count: SMALL_IMAGE_COUNT, pixels: Pixels::Fragments(&fragments), ..file })
    }),
    ("many files", many),
];

fn ct(syntax: TransferSyntax, side: u32) -> Ct<'static> {
    Ct { syntax, side, frame_count: 1, private_item_count: 0, pixels: Pixels::Native(&[]) }
}

fn decoding(file: &Ct<'_>) -> Path {
    let directory = TemporaryDirectory::new();
    let source = directory.source("file", file);
    let mut out = memory(&source);
    Box::new(move || {
        let _ = &directory;
        decode(black_box(&source), &mut out);
    })
}

fn native(syntax: TransferSyntax, side: u32) -> Path {
    let samples = bytes(&samples(side, 12, 1));
    decoding(&Ct { pixels: Pixels::Native(&samples), ..ct(syntax, side) })
}

fn header(syntax: TransferSyntax, private_item_count: usize) -> Path {
    let samples = bytes(&samples(SMALL, 12, 1));
    let directory = TemporaryDirectory::new();
    let file = Ct { private_item_count, pixels: Pixels::Native(&samples), ..ct(syntax, SMALL) };
    let source = directory.source("file", &file);
    Box::new(move || {
        let _ = &directory;
        drop(black_box(prepare(black_box(&source))));
    })
}

/// Batch decoding of small files on one thread, from its start to its end.
fn many() -> Path {
    let directory = TemporaryDirectory::new();
    let frames = [lossless(&samples(SMALL, 12, 1), SMALL, twelve_bits())];
    let file = Ct { pixels: Pixels::Fragments(&frames), ..ct(TransferSyntax::JPEG_LOSSLESS_SV1, SMALL) };
    let names: Vec<String> = (10..10 + SMALL_IMAGE_COUNT).map(|number| number.to_string()).collect();
    for name in &names {
        directory.source(name, &file);
    }
    Box::new(move || {
        let _ = &directory;
        let decoder = BatchDecoder::new(Request::default(), Box::new(|words| Ok(vec![1; words])), u64::MAX, 1);
        decoder.push((0..).zip(names.iter().map(|name| Source::Path(name.into())))).unwrap();
        // Wait until all sources are done: how often the caller would be woken before is not deterministic.
        std::thread::sleep(Duration::from_secs(1));
        let mut outcomes = Vec::with_capacity(names.len());
        while outcomes.len() < names.len() {
            outcomes.extend(decoder.take_results(0, 0, &|| false).outcomes);
        }
        assert!(outcomes.iter().all(|(_, outcome)| matches!(outcome, Outcome::Decoded(_))), "valid files");
    })
}
