//! The RLE decoder against the reference decoder of the core's unit tests.

#[allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "the reference decoder checks before it indexes; a panic fails the property"
)]
#[path = "../../core/src/codec/rle/tests/reference.rs"]
mod reference;

use crate::Coverage;
use dicoxide_core::{
    Attributes, Cancel, CpuLevel, DecodeOptions, FrameBytes, FrameContext, FrameInfo, Limits,
    PhotometricInterpretation, SampleKind, SamplesMut, TransferSyntax, Workspace, decode_frame,
};
use reference::{Outcome, reference_decode};
use std::sync::atomic::AtomicBool;

/// Leading bytes of an input: rows - 1, columns - 1, and the sample type.
const CHOICE_BYTES: usize = 3;

/// Property: every CPU level gives the samples of the reference decoder and deviations at the same offsets, or the same
/// error at the same offset.
pub fn rle_equals_reference_decoder(bytes: &[u8]) -> Coverage {
    let Some((&[rows, columns, kind], frame)) = bytes.split_first_chunk::<CHOICE_BYTES>() else {
        return Coverage::Skipped;
    };
    let bits = 8_u32 << (kind / 2 % 3);
    let attributes = Attributes {
        rows: u32::from(rows) + 1,
        columns: u32::from(columns) + 1,
        samples_per_pixel: if kind % 2 == 0 { 1 } else { 3 },
        bits_allocated: bits,
        bits_stored: bits,
        high_bit: bits - 1,
        sample_kind: SampleKind::Unsigned,
        planar_configuration: 0,
        photometric_interpretation: PhotometricInterpretation::Other,
    };
    let Ok(info) = FrameInfo::new(attributes) else { return Coverage::Skipped };
    let expected = reference_decode(frame, &info, true);
    for level in CpuLevel::available() {
        let outcome = decode(&info, frame, level);
        assert!(outcome == expected, "{}: {outcome:?}, {expected:?} expected", level.name());
    }
    if matches!(expected, Outcome::Samples { .. }) { Coverage::Decoded } else { Coverage::Error }
}

fn decode(info: &FrameInfo, frame: &[u8], level: CpuLevel) -> Outcome {
    let stop = AtomicBool::new(false);
    let cancel = Cancel { stop: &stop, poll: None };
    let (limits, mut workspace) = (Limits::default(), Workspace::default());
    let options = DecodeOptions { cpu_level: level, ..DecodeOptions::default() };
    let context = FrameContext { syntax: TransferSyntax::RLE_LOSSLESS, info, limits: &limits, options };
    let mut words = vec![0_u32; info.samples()];
    let output_bytes = info.samples() * info.sample_bytes();
    let out = match info.sample_bytes() {
        1 => SamplesMut::U8(bytemuck::cast_slice_mut(&mut words).get_mut(..info.samples()).unwrap_or_default()),
        2 => SamplesMut::U16(bytemuck::cast_slice_mut(&mut words).get_mut(..info.samples()).unwrap_or_default()),
        _ => SamplesMut::U32(&mut words),
    };
    match decode_frame(&context, FrameBytes::from(frame), out, &mut workspace, cancel) {
        Ok(decoded) => Outcome::Samples {
            bytes: bytemuck::cast_slice(&words).get(..output_bytes).unwrap_or_default().to_vec(),
            deviation_offsets: decoded.deviations.iter().filter_map(|deviation| deviation.offset).collect(),
        },
        Err(error) => Outcome::Error { kind: error.kind(), offset: error.offset().unwrap_or(u64::MAX) },
    }
}
