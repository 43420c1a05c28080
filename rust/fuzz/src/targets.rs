//! Fuzz targets by name. libFuzzer, the corpus and `cargo test` run the same functions.

use crate::{
    Coverage, Opened, code_block_decodes_alike, codestream_header_matches_decoder,
    cut_codestream_fails_or_decodes_alike, decode_all_paths_equal, decode_codestream_all_paths_equal,
    encode_decode_round_trip, lookup_equals_entry_of_each_value, open_memory_and_file_equal, packets_decode_alike,
    pixel_operations_equal_on_all_levels, rendering_equal_on_all_levels, rle_equals_reference_decoder,
};

/// A property, and the name of its corpus.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name of the target, and of its folders in `corpus/` and `regressions/`.
    pub name: &'static str,
    /// Panics if the property does not hold for the input.
    pub run: fn(&[u8]) -> Coverage,
}

/// All targets.
pub const TARGETS: [Target; 20] = [
    // All codecs of the registry: the first byte of an input chooses one.
    Target { name: "decode", run: decode_all_paths_equal },
    Target { name: "rle", run: |bytes| decode_codestream_all_paths_equal("rle", bytes) },
    Target { name: "jpeg_lossless", run: |bytes| decode_codestream_all_paths_equal("jpeg_lossless", bytes) },
    Target { name: "jpeg", run: |bytes| decode_codestream_all_paths_equal("jpeg", bytes) },
    Target { name: "jpegls", run: |bytes| decode_codestream_all_paths_equal("jpegls", bytes) },
    Target { name: "jpeg2000", run: |bytes| decode_codestream_all_paths_equal("jpeg2000", bytes) },
    Target { name: "htj2k", run: |bytes| decode_codestream_all_paths_equal("htj2k", bytes) },
    Target { name: "jpegxl", run: |bytes| decode_codestream_all_paths_equal("jpegxl", bytes) },
    Target { name: "deflated", run: |bytes| decode_codestream_all_paths_equal("deflated", bytes) },
    Target { name: "jpeg2000_packets", run: packets_decode_alike },
    Target { name: "jpeg2000_block", run: code_block_decodes_alike::<false> },
    Target { name: "htj2k_block", run: code_block_decodes_alike::<true> },
    Target { name: "jpegls_cut", run: cut_codestream_fails_or_decodes_alike },
    Target { name: "codestream_headers", run: codestream_header_matches_decoder },
    Target { name: "rle_naive", run: rle_equals_reference_decoder },
    Target { name: "encode", run: encode_decode_round_trip },
    Target { name: "pixels", run: pixel_operations_equal_on_all_levels },
    Target { name: "lookup", run: lookup_equals_entry_of_each_value },
    Target { name: "rendering", run: rendering_equal_on_all_levels },
    Target { name: "part10", run: open },
];

/// Returns the target named `name`.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}

fn open(bytes: &[u8]) -> Coverage {
    match open_memory_and_file_equal(bytes) {
        Opened::Unreadable => Coverage::Error,
        Opened::DataSet => Coverage::Skipped,
        Opened::Image => Coverage::Decoded,
    }
}
