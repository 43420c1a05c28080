//! Raw frames of one codec: what is mutated is the codestream alone, so that a fuzzer gets far into it.

use crate::{CHOICE_BYTES, Tried, decoding_agrees, pieces};
use dicoxide_core::codec::{CODECS, codestream_size, jpeg_lossless_dimensions};
use dicoxide_core::{
    Attributes, Cancel, DecodeOptions, ErrorKind, FrameBytes, FrameInfo, Job, Limits, PhotometricInterpretation,
    SampleKind, SamplesMut, TransferSyntax, Workspace, decode_frame,
};
use std::sync::atomic::AtomicBool;

/// The rest of the bytes are fragments of one frame each, of the codec of that name; see [`decoding_agrees`].
pub fn frames_agree(codec: &str, bytes: &[u8]) -> Tried {
    let Some(number) = CODECS.iter().position(|one| one.name() == codec) else { return Tried::Nothing };
    let Some((head, rest)) = bytes.split_first_chunk::<CHOICE_BYTES>() else { return Tried::Nothing };
    let mut head = *head;
    if let (Some(first), Ok(number)) = (head.first_mut(), u8::try_from(number)) {
        *first = number;
    }
    // An empty Basic Offset Table, then an item for what lies between two marks that no frame needs.
    let mut object = head.to_vec();
    object.extend([0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0]);
    for fragment in pieces(rest, b"\xFE\xFF\x00\xE0") {
        let mut fragment = fragment.to_vec();
        fragment.resize(fragment.len().next_multiple_of(2), 0);
        object.extend([0xFE, 0xFF, 0, 0xE0]);
        object.extend(u32::try_from(fragment.len()).unwrap_or(0).to_le_bytes());
        object.extend(fragment);
    }
    decoding_agrees(&object)
}

/// What the headers of a JPEG Lossless codestream say of it is what decodes it: a frame of these dimensions is never
/// refused for them.
pub fn headers_hold(bytes: &[u8]) -> Tried {
    // Of any bytes, as they are asked for before other decoders are.
    let size = codestream_size(bytes);
    let Ok(found) = jpeg_lossless_dimensions(bytes) else { return Tried::Refused };
    let dimensions = (u32::from(found.rows), u32::from(found.columns));
    assert!(size.is_none_or(|size| size == dimensions), "{size:?}, {dimensions:?}");
    let attributes = Attributes {
        rows: u32::from(found.rows),
        columns: u32::from(found.columns),
        samples_per_pixel: u32::try_from(found.components).unwrap_or(0),
        bits_allocated: if found.precision > 8 { 16 } else { 8 },
        bits_stored: u32::from(found.precision),
        high_bit: u32::from(found.precision).saturating_sub(1),
        sample_kind: SampleKind::Unsigned,
        planar_configuration: 0,
        photometric_interpretation: PhotometricInterpretation::Other,
    };
    let Ok(info) = FrameInfo::new(attributes) else { return Tried::Nothing };
    if info.samples() > crate::MOST_SAMPLES_OF_WAYS {
        return Tried::Nothing;
    }
    let stop = AtomicBool::new(false);
    let watch = Cancel { stop: &stop, poll: None };
    let (limits, mut workspace) = (Limits::default(), Workspace::default());
    let job =
        Job { syntax: TransferSyntax::JPEG_LOSSLESS, info: &info, limits: &limits, options: DecodeOptions::default() };
    let mut words = vec![0_u16; info.samples()];
    let out = if found.precision > 8 {
        SamplesMut::U16(&mut words)
    } else {
        SamplesMut::U8(bytemuck::cast_slice_mut(&mut words).get_mut(..info.samples()).unwrap_or_default())
    };
    match decode_frame(&job, FrameBytes::from(bytes), out, &mut workspace, watch) {
        Ok(_) => Tried::Decoded,
        Err(error) => {
            assert_ne!(error.kind(), ErrorKind::Mismatch, "{error}");
            Tried::Refused
        }
    }
}
