//! What is fuzzed, by name: fuzzers, the corpus that is kept, and `cargo test` run the same functions.

use crate::{
    Opened, Tried, decoding_agrees, encoding_returns, frames_agree, headers_hold, opening_agrees, pixels_agree,
    rle_is_naive,
};

/// A property of any bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// As folders of corpora call it.
    pub name: &'static str,
    /// Panics where the property does not hold; tells how far it got.
    pub run: fn(&[u8]) -> Tried,
}

/// All of them.
pub const TARGETS: [Target; 8] = [
    // The first byte chooses the codec: a new one is fuzzed from the day it is registered.
    Target { name: "decode", run: decoding_agrees },
    Target { name: "rle", run: |bytes| frames_agree("rle", bytes) },
    Target { name: "jpeg_lossless", run: |bytes| frames_agree("jpeg_lossless", bytes) },
    Target { name: "jpeg_headers", run: headers_hold },
    Target { name: "rle_naive", run: rle_is_naive },
    Target { name: "encode", run: encoding_returns },
    Target { name: "pixels", run: pixels_agree },
    Target { name: "part10", run: opening },
];

/// One of them.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}

fn opening(bytes: &[u8]) -> Tried {
    match opening_agrees(bytes) {
        Opened::Refused => Tried::Refused,
        Opened::DataSet => Tried::Nothing,
        Opened::Image => Tried::Decoded,
    }
}
