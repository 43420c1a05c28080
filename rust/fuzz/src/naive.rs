//! RLE, fast against naive: the naive decoder is that of the core's own tests.

#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "what it indexes it has checked; else it is to stop")]
#[path = "../../core/src/codec/rle/tests/oracle.rs"]
mod oracle;

use crate::Tried;
use dicoxide_core::{
    Attributes, Cancel, CpuLevel, DecodeOptions, FrameBytes, FrameInfo, Job, Limits, PhotometricInterpretation,
    SampleKind, SamplesMut, TransferSyntax, Workspace, decode_frame,
};
use oracle::{Outcome, oracle};
use std::sync::atomic::AtomicBool;

/// Bytes that choose rows, columns, and the kind of sample.
const CHOICE_BYTES: usize = 3;

/// Every path gives the samples of the naive decoder and notes at the same places, or the same error at the same place.
pub fn rle_is_naive(bytes: &[u8]) -> Tried {
    let Some((&[rows, columns, kind], frame)) = bytes.split_first_chunk::<CHOICE_BYTES>() else {
        return Tried::Nothing;
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
    let Ok(info) = FrameInfo::new(attributes) else { return Tried::Nothing };
    let expected = oracle(frame, &info, true);
    for tier in CpuLevel::available() {
        let found = decoded(&info, frame, tier);
        assert!(found == expected, "{}: {found:?}, {expected:?} expected", tier.name());
    }
    if matches!(expected, Outcome::Samples { .. }) { Tried::Decoded } else { Tried::Refused }
}

fn decoded(info: &FrameInfo, frame: &[u8], tier: CpuLevel) -> Outcome {
    let stop = AtomicBool::new(false);
    let watch = Cancel { stop: &stop, poll: None };
    let (limits, mut workspace) = (Limits::default(), Workspace::default());
    let options = DecodeOptions { tier, ..DecodeOptions::default() };
    let job = Job { syntax: TransferSyntax::RLE_LOSSLESS, info, limits: &limits, options };
    let mut words = vec![0_u32; info.samples()];
    let size = info.samples() * info.sample_bytes();
    let out = match info.sample_bytes() {
        1 => SamplesMut::U8(bytemuck::cast_slice_mut(&mut words).get_mut(..info.samples()).unwrap_or_default()),
        2 => SamplesMut::U16(bytemuck::cast_slice_mut(&mut words).get_mut(..info.samples()).unwrap_or_default()),
        _ => SamplesMut::U32(&mut words),
    };
    match decode_frame(&job, FrameBytes::from(frame), out, &mut workspace, watch) {
        Ok(decoded) => Outcome::Samples {
            bytes: bytemuck::cast_slice(&words).get(..size).unwrap_or_default().to_vec(),
            noted: decoded.deviations.iter().filter_map(|deviations| deviations.offset).collect(),
        },
        Err(error) => Outcome::Error { kind: error.kind(), at: error.offset().unwrap_or(u64::MAX) },
    }
}
