//! A naive decoder, byte by byte as PS3.5 Annex G has it. `rust/fuzz` compares with it, too.

use crate::{ErrorKind, FrameInfo};

#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    Samples { bytes: Vec<u8>, noted: Vec<u64> },
    Error { kind: ErrorKind, at: u64 },
}

pub(super) fn oracle(frame: &[u8], info: &FrameInfo, big: bool) -> Outcome {
    let error = |kind, at: usize| Outcome::Error { kind, at: at as u64 };
    if frame.len() < 64 {
        return error(ErrorKind::Truncated, frame.len());
    }
    let word = |index: usize| u32::from_le_bytes(frame[4 * index..4 * index + 4].try_into().unwrap()) as usize;
    let (n, count) = (info.sample_bytes(), info.samples_per_pixel() * info.sample_bytes());
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
    let needed = if info.is_bit_packed() { info.pixels().div_ceil(8) } else { info.pixels() };
    if let Some(index) = (1..=count).find(|index| 64 * (end(*index) - word(*index)) < needed) {
        return error(ErrorKind::Truncated, end(index));
    }
    let mut noted = Vec::new();
    noted.extend((word(1) > 64).then_some(4));
    noted.extend((count + 1..16).find(|index| word(*index) != 0).map(|index| 4 * index as u64));
    let mut bytes = vec![0; needed * count];
    for index in 1..=count {
        let Some((plane, used, run)) = plane_of(&frame[word(index)..end(index)], needed) else {
            return error(ErrorKind::Truncated, end(index));
        };
        let rest = &frame[word(index) + used..end(index)];
        let even = (end(index) - word(index)) % 2 == 0 || end(index) % 2 == 0;
        if plane.len() > needed {
            noted.push((word(index) + run) as u64);
        } else if !(rest.is_empty() || rest == [0] && even) {
            noted.push((word(index) + used) as u64);
        }
        let (sample, byte) = ((index - 1) / n, (index - 1) % n);
        let at = sample * n + if big { n - 1 - byte } else { byte };
        plane.iter().zip(bytes[at..].iter_mut().step_by(count)).for_each(|(from, to)| *to = *from);
    }
    if info.is_bit_packed() {
        bytes = (0..info.pixels()).map(|i| bytes[i / 8] >> (i % 8) & 1).collect();
    }
    Outcome::Samples { bytes, noted }
}

/// The bytes of whole runs, how many bytes they took, and where the last began.
fn plane_of(segment: &[u8], needed: usize) -> Option<(Vec<u8>, usize, usize)> {
    let (mut plane, mut at, mut run) = (Vec::new(), 0, 0);
    while plane.len() < needed {
        run = at;
        let header = usize::from(*segment.get(at)?);
        at += 1;
        if header < 128 {
            plane.extend_from_slice(segment.get(at..at + header + 1)?);
            at += header + 1;
        } else if header > 128 {
            plane.extend(std::iter::repeat_n(*segment.get(at)?, 257 - header));
            at += 1;
        }
    }
    Some((plane, at, run))
}
