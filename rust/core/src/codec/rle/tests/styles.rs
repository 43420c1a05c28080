//! A test encoder with many styles of choosing runs, because each real encoder produces only a few kinds.

use proptest::prelude::*;

/// Random numbers by xorshift64*.
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

/// Rules by which an encoder chooses runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Maximum length of a literal run.
    literal: usize,
    /// Minimum and maximum length of a replicate run.
    replicate: (usize, usize),
    /// True if no-ops (0x80) are inserted at random.
    no_ops: bool,
    /// True if runs have random lengths.
    has_random_lengths: bool,
    /// True if segments of odd length have a pad byte.
    is_padded: bool,
    /// Number of segments in four, on average, that have literal runs only, whatever the other rules are.
    all_literal: usize,
}

impl Style {
    pub(super) const PYDICOM: Self = Self {
        literal: 128,
        replicate: (2, 128),
        no_ops: false,
        has_random_lengths: false,
        is_padded: true,
        all_literal: 0,
    };
    pub(super) const LITERALS: Self = Self {
        literal: 9,
        replicate: (30, 128),
        no_ops: false,
        has_random_lengths: true,
        is_padded: true,
        all_literal: 0,
    };

    /// Successive short literal runs in every segment.
    pub(super) const LITERAL_PAIRS: Self =
        Self { literal: 8, replicate: (5, 128), has_random_lengths: true, all_literal: 4, ..Self::PYDICOM };
    /// Successive short literal runs in half of the segments, and short runs of both kinds in the others.
    pub(super) const MIXED: Self =
        Self { literal: 4, replicate: (2, 9), has_random_lengths: true, all_literal: 2, ..Self::PYDICOM };
    /// Short runs of both kinds.
    pub(super) const SHORT: Self = Self { all_literal: 0, ..Self::MIXED };

    pub(super) fn any() -> impl Strategy<Value = Self> {
        let literal = prop_oneof![Just(128usize), Just(1), Just(32), Just(33), 1usize..9, 1usize..129];
        let replicate =
            prop_oneof![Just((2usize, 128usize)), Just((3, 128)), Just((2, 2)), Just((2, 65)), Just((128, 128))];
        let all_literal = prop_oneof![3 => Just(0usize), 1 => Just(4), 1 => 1usize..4];
        (literal, replicate, any::<bool>(), any::<bool>(), any::<bool>(), all_literal).prop_map(
            |(literal, replicate, no_ops, has_random_lengths, is_padded, all_literal)| Self {
                literal,
                replicate,
                no_ops,
                has_random_lengths,
                is_padded,
                all_literal,
            },
        )
    }
}

/// Returns bytes with runs of many lengths.
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

/// Encodes a frame; `planes` are in the order of the header.
pub(super) fn encode(planes: &[Vec<u8>], style: Style, rng: &mut Rng) -> Vec<u8> {
    frame(&planes.iter().map(|plane| segment(plane, style, rng)).collect::<Vec<_>>())
}

/// Returns a frame of encoded segments.
pub(super) fn frame(segments: &[Vec<u8>]) -> Vec<u8> {
    let mut frame = (segments.len() as u32).to_le_bytes().to_vec();
    let mut offset = 64;
    for segment in segments {
        frame.extend((offset as u32).to_le_bytes());
        offset += segment.len();
    }
    frame.resize(64, 0);
    segments.iter().for_each(|segment| frame.extend(segment));
    frame
}

fn segment(plane: &[u8], style: Style, rng: &mut Rng) -> Vec<u8> {
    let mut out = Vec::new();
    let all_literal = rng.below(4) < style.all_literal;
    let equal_bytes = |start: usize| plane[start..].iter().take(128).take_while(|byte| **byte == plane[start]).count();
    let mut start = 0;
    while start < plane.len() {
        if style.no_ops && rng.below(3) == 0 {
            out.push(0x80);
        }
        let mut length = equal_bytes(start).min(style.replicate.1);
        if length >= style.replicate.0 && !all_literal {
            if style.has_random_lengths {
                length = style.replicate.0 + rng.below(length - style.replicate.0 + 1);
            }
            out.extend([(257 - length) as u8, plane[start]]);
        } else {
            let max_length = if style.has_random_lengths { 1 + rng.below(style.literal) } else { style.literal };
            length = (start..plane.len())
                .take(max_length)
                .take_while(|index| all_literal || equal_bytes(*index) < style.replicate.0)
                .count();
            out.push((length - 1) as u8);
            out.extend(&plane[start..start + length]);
        }
        start += length;
    }
    if style.is_padded && out.len() % 2 == 1 {
        out.push(0);
    }
    out
}
