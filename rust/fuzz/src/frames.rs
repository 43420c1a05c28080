//! Properties of bare codestreams: only the codestream is mutated, so that a fuzzer gets further into the decoder.

use crate::{CHOICE_BYTES, Coverage, decode_all_paths_equal, split};
use dicoxide_core::codec::{CODECS, codestream_size, jpeg_lossless_dimensions};
use dicoxide_core::{
    Attributes, Cancel, DecodeOptions, ErrorKind, FrameBytes, FrameInfo, Job, Limits, PhotometricInterpretation,
    SampleKind, SamplesMut, TransferSyntax, Workspace, decode_frame,
};
use std::sync::atomic::AtomicBool;

/// Property: as [`decode_all_paths_equal`], for frames of the codec named `codec`. The bytes after the choice are frames of
/// one fragment each, separated by item tags.
pub fn decode_codestream_all_paths_equal(codec: &str, bytes: &[u8]) -> Coverage {
    let Some(index) = CODECS.iter().position(|registered| registered.name() == codec) else { return Coverage::Skipped };
    let Some((head, rest)) = bytes.split_first_chunk::<CHOICE_BYTES>() else { return Coverage::Skipped };
    let mut head = *head;
    if let (Some(first), Ok(index)) = (head.first_mut(), u8::try_from(index)) {
        *first = index;
    }
    // An empty Basic Offset Table, then one item per frame. The separator is no part of any codec's frames.
    let mut object = head.to_vec();
    object.extend([0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0]);
    for fragment in split(rest, b"\xFE\xFF\x00\xE0") {
        let mut fragment = fragment.to_vec();
        fragment.resize(fragment.len().next_multiple_of(2), 0);
        object.extend([0xFE, 0xFF, 0, 0xE0]);
        object.extend(u32::try_from(fragment.len()).unwrap_or(0).to_le_bytes());
        object.extend(fragment);
    }
    decode_all_paths_equal(&object)
}

/// Property: a data set with the size and precision that the headers of a JPEG Lossless codestream declare never gives a
/// `Mismatch`; and `codestream_size` returns the same size.
pub fn jpeg_header_matches_decoder(bytes: &[u8]) -> Coverage {
    // Must not panic for any bytes: it is called before fallback decoders are.
    let size = codestream_size(bytes);
    let Ok(declared) = jpeg_lossless_dimensions(bytes) else { return Coverage::Error };
    let dimensions = (u32::from(declared.rows), u32::from(declared.columns));
    assert!(size.is_none_or(|size| size == dimensions), "{size:?}, {dimensions:?}");
    let attributes = Attributes {
        rows: u32::from(declared.rows),
        columns: u32::from(declared.columns),
        samples_per_pixel: u32::try_from(declared.components).unwrap_or(0),
        bits_allocated: if declared.precision > 8 { 16 } else { 8 },
        bits_stored: u32::from(declared.precision),
        high_bit: u32::from(declared.precision).saturating_sub(1),
        sample_kind: SampleKind::Unsigned,
        planar_configuration: 0,
        photometric_interpretation: PhotometricInterpretation::Other,
    };
    let Ok(info) = FrameInfo::new(attributes) else { return Coverage::Skipped };
    if info.samples() > crate::MAX_SAMPLES_MULTI_PATH {
        return Coverage::Skipped;
    }
    let stop = AtomicBool::new(false);
    let cancel = Cancel { stop: &stop, poll: None };
    let (limits, mut workspace) = (Limits::default(), Workspace::default());
    let job =
        Job { syntax: TransferSyntax::JPEG_LOSSLESS, info: &info, limits: &limits, options: DecodeOptions::default() };
    let mut words = vec![0_u16; info.samples()];
    let out = if declared.precision > 8 {
        SamplesMut::U16(&mut words)
    } else {
        SamplesMut::U8(bytemuck::cast_slice_mut(&mut words).get_mut(..info.samples()).unwrap_or_default())
    };
    match decode_frame(&job, FrameBytes::from(bytes), out, &mut workspace, cancel) {
        Ok(_) => Coverage::Decoded,
        Err(error) => {
            assert_ne!(error.kind(), ErrorKind::Mismatch, "{error}");
            Coverage::Error
        }
    }
}
