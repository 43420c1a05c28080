//! Reference decoder, byte by byte as PS3.5 Annex G describes it.

use crate::{ErrorKind, FrameInfo};

#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    Samples { bytes: Vec<u8>, deviation_offsets: Vec<u64> },
    Error { kind: ErrorKind, offset: u64 },
}

pub(super) fn reference_decode(frame: &[u8], info: &FrameInfo, is_big: bool) -> Outcome {
    let error = |kind, offset: usize| Outcome::Error { kind, offset: offset as u64 };
    if frame.len() < 64 {
        return error(ErrorKind::Truncated, frame.len());
    }
    let word = |index: usize| u32::from_le_bytes(frame[4 * index..4 * index + 4].try_into().unwrap()) as usize;
    let (sample_bytes, count) = (info.sample_bytes(), info.samples_per_pixel() * info.sample_bytes());
    if word(0) != count {
        let kind = if (1..=15).contains(&word(0)) { ErrorKind::Mismatch } else { ErrorKind::Malformed };
        return error(kind, 0);
    }
    for index in 1..=count {
        if word(index) < 64 || word(index) >= frame.len() || index > 1 && word(index) <= word(index - 1) {
            return error(ErrorKind::Malformed, 4 * index);
        }
    }
    let end = |index| if index == count { frame.len() } else { word(index + 1) };
    let mut needed = if info.is_bit_packed() { info.pixels().div_ceil(8) } else { info.pixels() };
    if let Some(index) = (1..=count).find(|index| 64 * (end(*index) - word(*index)) < needed) {
        return error(ErrorKind::Truncated, end(index));
    }
    let mut deviation_offsets = Vec::new();
    deviation_offsets.extend((word(1) > 64).then_some(4));
    deviation_offsets.extend((count + 1..16).find(|index| word(*index) != 0).map(|index| 4 * index as u64));
    let mut is_packed = false;
    if info.is_bit_packed() {
        match decoded_bytes(&frame[word(1)..]) {
            decoded if decoded >= info.pixels() => needed = info.pixels(),
            decoded if decoded > needed => return error(ErrorKind::Truncated, frame.len()),
            _ => is_packed = true,
        }
        deviation_offsets.extend(is_packed.then_some(word(1) as u64));
    }
    let mut bytes = vec![0; needed * count];
    for index in 1..=count {
        let Some((plane, used, run_offset)) = plane_of(&frame[word(index)..end(index)], needed) else {
            return error(ErrorKind::Truncated, end(index));
        };
        if info.is_bit_packed() && !is_packed && plane[..needed].iter().any(|pixel| *pixel > 1) {
            return error(ErrorKind::Malformed, word(1));
        }
        let rest = &frame[word(index) + used..end(index)];
        if plane.len() - needed + decoded_bytes(rest) > 128 && rest.iter().any(|byte| *byte != 0) {
            return error(ErrorKind::Mismatch, word(index) + used);
        }
        let is_even = (end(index) - word(index)) % 2 == 0 || end(index) % 2 == 0;
        if plane.len() > needed {
            deviation_offsets.push((word(index) + run_offset) as u64);
        } else if !(rest.is_empty() || rest == [0] && is_even) {
            deviation_offsets.push((word(index) + used) as u64);
        }
        let (sample, byte) = ((index - 1) / sample_bytes, (index - 1) % sample_bytes);
        let plane_index = sample * sample_bytes + if is_big { sample_bytes - 1 - byte } else { byte };
        plane.iter().zip(bytes[plane_index..].iter_mut().step_by(count)).for_each(|(src, out)| *out = *src);
    }
    if is_packed {
        bytes = (0..info.pixels()).map(|i| bytes[i / 8] >> (i % 8) & 1).collect();
    }
    Outcome::Samples { bytes, deviation_offsets }
}

/// Decodes whole runs until there are `needed` bytes. Returns the bytes, the length of the runs, and the offset of the
/// last run, or `None` if the segment ends first.
fn plane_of(segment: &[u8], needed: usize) -> Option<(Vec<u8>, usize, usize)> {
    let (mut plane, mut offset, mut run_offset) = (Vec::new(), 0, 0);
    while plane.len() < needed {
        run_offset = offset;
        let header = usize::from(*segment.get(offset)?);
        offset += 1;
        if header < 128 {
            plane.extend_from_slice(segment.get(offset..offset + header + 1)?);
            offset += header + 1;
        } else if header > 128 {
            plane.extend(std::iter::repeat_n(*segment.get(offset)?, 257 - header));
            offset += 1;
        }
    }
    Some((plane, offset, run_offset))
}

/// Returns the number of bytes that the complete runs of `segment` decode to.
fn decoded_bytes(segment: &[u8]) -> usize {
    let (mut decoded, mut offset) = (0, 0);
    while let Some(header) = segment.get(offset).map(|header| usize::from(*header)) {
        let (run_bytes, run_decoded) = match header {
            0..128 => (header + 2, header + 1),
            128 => (1, 0),
            _ => (2, 257 - header),
        };
        offset += run_bytes;
        if offset > segment.len() {
            break;
        }
        decoded += run_decoded;
    }
    decoded
}
