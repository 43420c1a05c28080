//! A naive decoder, and an encoder of many styles.

use crate::{ErrorKind, FrameInfo};
use proptest::prelude::*;

#[derive(Debug)]
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

/// xorshift64*: enough for tests.
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.max(1);
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

/// How an encoder chooses its runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Longest literal run.
    literal: usize,
    /// Shortest and longest replicate run.
    replicate: (usize, usize),
    /// Whether 0x80 is strewn in.
    no_ops: bool,
    /// Whether runs are cut at random lengths.
    ragged: bool,
    /// Whether odd segments get their pad byte.
    pad: bool,
    /// Of four segments, how many are nothing but literal runs, whatever the other rules say.
    all_literal: usize,
}

impl Style {
    pub(super) const PYDICOM: Self =
        Self { literal: 128, replicate: (2, 128), no_ops: false, ragged: false, pad: true, all_literal: 0 };
    pub(super) const LITERALS: Self =
        Self { literal: 9, replicate: (30, 128), no_ops: false, ragged: true, pad: true, all_literal: 0 };

    /// Short literal runs back to back, in every segment.
    pub(super) const ODD: Self =
        Self { literal: 8, replicate: (5, 128), ragged: true, all_literal: 4, ..Self::PYDICOM };
    /// The same in half of the segments, and short runs of both kinds in the others.
    pub(super) const MIXED: Self =
        Self { literal: 4, replicate: (2, 9), ragged: true, all_literal: 2, ..Self::PYDICOM };
    /// Short runs of both kinds.
    pub(super) const SHORT: Self = Self { all_literal: 0, ..Self::MIXED };

    pub(super) fn any() -> impl Strategy<Value = Self> {
        let literal = prop_oneof![Just(128usize), Just(1), Just(32), Just(33), 1usize..9, 1usize..129];
        let replicate =
            prop_oneof![Just((2usize, 128usize)), Just((3, 128)), Just((2, 2)), Just((2, 65)), Just((128, 128))];
        let all_literal = prop_oneof![3 => Just(0usize), 1 => Just(4), 1 => 1usize..4];
        (literal, replicate, any::<bool>(), any::<bool>(), any::<bool>(), all_literal).prop_map(
            |(literal, replicate, no_ops, ragged, pad, all_literal)| Self {
                literal,
                replicate,
                no_ops,
                ragged,
                pad,
                all_literal,
            },
        )
    }
}

/// Bytes with runs of many lengths.
pub(super) fn plane(bytes: usize, rng: &mut Rng) -> Vec<u8> {
    let mut plane = Vec::new();
    let flatness = 1 + rng.below(4);
    while plane.len() < bytes {
        let length = match rng.below(4 * flatness) {
            0 => 1 + rng.below(300),
            1 => 1 + rng.below(70),
            2 => 2 + rng.below(4),
            _ => 1,
        };
        plane.extend(std::iter::repeat_n(rng.below(256) as u8, length));
    }
    plane.truncate(bytes);
    plane
}

/// A whole frame; `planes` in the order of the header.
pub(super) fn encode(planes: &[Vec<u8>], style: Style, rng: &mut Rng) -> Vec<u8> {
    frame(&planes.iter().map(|plane| segment(plane, style, rng)).collect::<Vec<_>>())
}

pub(super) fn frame(segments: &[Vec<u8>]) -> Vec<u8> {
    let mut frame = (segments.len() as u32).to_le_bytes().to_vec();
    let mut at = 64;
    for segment in segments {
        frame.extend((at as u32).to_le_bytes());
        at += segment.len();
    }
    frame.resize(64, 0);
    segments.iter().for_each(|segment| frame.extend(segment));
    frame
}

fn segment(plane: &[u8], style: Style, rng: &mut Rng) -> Vec<u8> {
    let mut out = Vec::new();
    let all_literal = rng.below(4) < style.all_literal;
    let same = |at: usize| plane[at..].iter().take(128).take_while(|byte| **byte == plane[at]).count();
    let mut at = 0;
    while at < plane.len() {
        if style.no_ops && rng.below(3) == 0 {
            out.push(0x80);
        }
        let mut length = same(at).min(style.replicate.1);
        if length >= style.replicate.0 && !all_literal {
            if style.ragged {
                length = style.replicate.0 + rng.below(length - style.replicate.0 + 1);
            }
            out.extend([(257 - length) as u8, plane[at]]);
        } else {
            let most = if style.ragged { 1 + rng.below(style.literal) } else { style.literal };
            length = (at..plane.len()).take(most).take_while(|at| all_literal || same(*at) < style.replicate.0).count();
            out.push((length - 1) as u8);
            out.extend(&plane[at..at + length]);
        }
        at += length;
    }
    if style.pad && out.len() % 2 == 1 {
        out.push(0);
    }
    out
}
