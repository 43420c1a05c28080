//! RLE as PS3.5 Annex G has it, byte by byte: what the fast decoder is compared with.

use crate::Tried;
use dicoxide_core::{
    Attributes, FrameBytes, FrameInfo, Job, Limits, Options, PhotometricInterpretation, SampleKind, SamplesMut, Tier,
    TransferSyntax, Watch, Workspace, decode_frame,
};
use std::sync::atomic::AtomicBool;

/// Bytes that choose rows, columns, and the kind of sample.
const CHOICE_BYTES: usize = 3;

/// Where the fast decoder gives samples, they are those of the naive one; where this one finds all that the standard
/// asks for, the fast one gives samples.
pub fn rle_is_naive(bytes: &[u8]) -> Tried {
    let Some((&[rows, columns, kind], frame)) = bytes.split_first_chunk::<CHOICE_BYTES>() else {
        return Tried::Nothing;
    };
    let (rows, columns) = (u32::from(rows) + 1, u32::from(columns) + 1);
    let samples_per_pixel = if kind % 2 == 0 { 1 } else { 3 };
    let sample_bytes = 1_u32 << (kind / 2 % 3);
    let attributes = Attributes {
        rows,
        columns,
        samples_per_pixel,
        bits_allocated: 8 * sample_bytes,
        bits_stored: 8 * sample_bytes,
        high_bit: 8 * sample_bytes - 1,
        sample_kind: SampleKind::Unsigned,
        planar_configuration: 0,
        photometric_interpretation: PhotometricInterpretation::Other,
    };
    let Ok(info) = FrameInfo::new(attributes) else { return Tried::Nothing };
    let expected = naive(frame, (rows * columns) as usize, samples_per_pixel as usize, sample_bytes as usize);
    let mut tried = Tried::Refused;
    for tier in Tier::available() {
        let mut out = vec![0_u8; info.samples() * info.sample_bytes()];
        match (decoded(&info, frame, &mut out, tier), &expected) {
            (Ok(()), Some((samples, _))) => {
                assert!(out == *samples, "{} gives other samples", tier.name());
                tried = Tried::Decoded;
            }
            (Ok(()), None) => panic!("{} decodes what has no samples", tier.name()),
            (Err(error), Some((_, true))) => panic!("{} refuses a good frame: {error}", tier.name()),
            (Err(_), _) => {}
        }
    }
    tried
}

fn decoded(info: &FrameInfo, frame: &[u8], out: &mut [u8], tier: Tier) -> Result<(), dicoxide_core::DecodeError> {
    let stop = AtomicBool::new(false);
    let watch = Watch { stop: &stop, poll: None };
    let (limits, mut workspace) = (Limits::default(), Workspace::default());
    let options = Options { tier, ..Options::default() };
    let job = Job { syntax: TransferSyntax::RLE_LOSSLESS, info, limits: &limits, options };
    let samples = match info.sample_bytes() {
        1 => SamplesMut::U8(out),
        2 => {
            let mut words: Vec<u16> = vec![0; info.samples()];
            let done = decode_frame(&job, FrameBytes::from(frame), SamplesMut::U16(&mut words), &mut workspace, watch);
            out.chunks_exact_mut(2).zip(words).for_each(|(to, word)| to.copy_from_slice(&word.to_le_bytes()));
            return done.map(|_| ());
        }
        _ => {
            let mut words: Vec<u32> = vec![0; info.samples()];
            let done = decode_frame(&job, FrameBytes::from(frame), SamplesMut::U32(&mut words), &mut workspace, watch);
            out.chunks_exact_mut(4).zip(words).for_each(|(to, word)| to.copy_from_slice(&word.to_le_bytes()));
            return done.map(|_| ());
        }
    };
    decode_frame(&job, FrameBytes::from(frame), samples, &mut workspace, watch).map(|_| ())
}

/// Little-endian samples, and whether nothing had to be tolerated; None where a plane has too few bytes.
fn naive(frame: &[u8], pixels: usize, samples_per_pixel: usize, sample_bytes: usize) -> Option<(Vec<u8>, bool)> {
    let word = |at: usize| {
        let bytes = frame.get(4 * at..4 * at + 4)?;
        usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
    };
    let segments = samples_per_pixel * sample_bytes;
    let mut is_good = frame.len() >= 64 && word(0)? == segments;
    let offsets = (0..segments).map(|segment| word(segment + 1)).collect::<Option<Vec<usize>>>()?;
    is_good &= offsets.first() == Some(&64) && (segments + 1..16).all(|at| word(at) == Some(0));
    is_good &= offsets.is_sorted_by(|one, next| one < next) && offsets.iter().all(|offset| offset % 2 == 0);
    let mut out = vec![0; pixels * segments];
    for (segment, offset) in offsets.iter().enumerate() {
        let end = offsets.get(segment + 1).copied().unwrap_or(frame.len());
        let (plane, used) = plane(frame.get(*offset..end)?, pixels)?;
        // One byte may fill up to an even length.
        is_good &= used.is_some_and(|used| end - offset - used <= 1);
        let (sample, byte) = (segment / sample_bytes, sample_bytes - 1 - segment % sample_bytes);
        for (pixel, value) in plane.into_iter().enumerate() {
            *out.get_mut((pixel * samples_per_pixel + sample) * sample_bytes + byte)? = value;
        }
    }
    Some((out, is_good))
}

/// The bytes of one segment, and how many of its bytes made just them.
fn plane(segment: &[u8], pixels: usize) -> Option<(Vec<u8>, Option<usize>)> {
    let (mut out, mut at) = (Vec::new(), 0);
    while out.len() < pixels {
        let count = *segment.get(at)?;
        at += 1;
        match count {
            128 => {}
            0..128 => {
                out.extend(segment.get(at..at + usize::from(count) + 1)?);
                at += usize::from(count) + 1;
            }
            _ => {
                out.extend(vec![*segment.get(at)?; 257 - usize::from(count)]);
                at += 1;
            }
        }
    }
    // What a run makes beyond the plane is tolerated.
    let is_exact = out.len() == pixels;
    out.truncate(pixels);
    Some((out, is_exact.then_some(at)))
}
