//! Paths of files.

use crate::files::{Ct, Folder, Pixels, decode, memory, prepare};
use crate::images::{SIDE, bytes, grey, grey_image, lossless, never_cancelled, samples, twelve_bits};
use crate::{Named, Path};
use dicoxide_core::{TransferSyntax, encode};
use dicoxide_part10::{BatchDecoder, Outcome, Request, Source};
use std::hint::black_box;
use std::time::Duration;

/// Rows and columns of a small image.
const SMALL: u32 = 64;
const SMALL_IMAGES: usize = 20;

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
        let frames = vec![lossless(&samples(SMALL, 12, 1), SMALL, twelve_bits()); SMALL_IMAGES];
        let file = ct(TransferSyntax::JPEG_LOSSLESS_SV1, SMALL);
        decoding(&Ct { frames: SMALL_IMAGES, pixels: Pixels::Offsets(&frames), ..file })
    }),
    ("frames in fragments", || {
        let frame = encode::rle(&grey_image(&samples(SMALL, 12, 1), SMALL), never_cancelled()).unwrap();
        let fragments: Vec<Vec<u8>> = (0..SMALL_IMAGES).flat_map(|_| frame.chunks(512).map(<[u8]>::to_vec)).collect();
        let file = ct(TransferSyntax::RLE_LOSSLESS, SMALL);
        decoding(&Ct { frames: SMALL_IMAGES, pixels: Pixels::Fragments(&fragments), ..file })
    }),
    ("many files", many),
];

fn ct(syntax: TransferSyntax, side: u32) -> Ct<'static> {
    Ct { syntax, side, frames: 1, private_items: 0, pixels: Pixels::Native(&[]) }
}

fn decoding(file: &Ct<'_>) -> Path {
    let folder = Folder::new();
    let source = folder.source("file", file);
    let mut out = memory(&source);
    Box::new(move || {
        let _ = &folder;
        decode(black_box(&source), &mut out);
    })
}

fn native(syntax: TransferSyntax, side: u32) -> Path {
    let samples = bytes(&samples(side, 12, 1));
    decoding(&Ct { pixels: Pixels::Native(&samples), ..ct(syntax, side) })
}

fn header(syntax: TransferSyntax, private_items: usize) -> Path {
    let samples = bytes(&samples(SMALL, 12, 1));
    let folder = Folder::new();
    let file = Ct { private_items, pixels: Pixels::Native(&samples), ..ct(syntax, SMALL) };
    let source = folder.source("file", &file);
    Box::new(move || {
        let _ = &folder;
        drop(black_box(prepare(black_box(&source))));
    })
}

/// Small files on a thread of their own, from its start to its end.
fn many() -> Path {
    let folder = Folder::new();
    let frames = [lossless(&samples(SMALL, 12, 1), SMALL, twelve_bits())];
    let file = Ct { pixels: Pixels::Fragments(&frames), ..ct(TransferSyntax::JPEG_LOSSLESS_SV1, SMALL) };
    let names: Vec<String> = (10..10 + SMALL_IMAGES).map(|place| place.to_string()).collect();
    for name in &names {
        folder.source(name, &file);
    }
    Box::new(move || {
        let _ = &folder;
        // Whether memory was used before does not change what it takes.
        let many = BatchDecoder::new(Request::default(), Box::new(|words| Ok(vec![1; words])), u64::MAX, 1);
        many.push((0..).zip(names.iter().map(|name| Source::Path(name.into())))).unwrap();
        // The caller comes when all is done: how often it would be woken until then is up to chance.
        std::thread::sleep(Duration::from_secs(1));
        let mut all = Vec::with_capacity(names.len());
        while all.len() < names.len() {
            all.extend(many.take_results(0, 0, &|| false).outcomes);
        }
        assert!(all.iter().all(|(_, outcome)| matches!(outcome, Outcome::Decoded(_))), "good files");
    })
}
