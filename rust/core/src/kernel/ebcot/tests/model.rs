//! Plain coder of a block, written from T.800 Annex D: one coefficient at a time, contexts by the rules of the tables. It
//! encodes or decodes, depending on the coder of the bits.

use super::mq::{BitCoder, Context, MqDecoder, MqEncoder, RawDecoder, RawEncoder};
use crate::kernel::code_block::{BandKind, CodewordSegment};
use crate::kernel::ebcot::BlockStyle;

/// A coefficient, as far as it is known to the decoder, and the bits that an encoder writes.
#[derive(Clone, Copy, Default)]
pub(super) struct Coefficient {
    /// Value that is encoded.
    source: i32,
    is_significant: bool,
    is_negative: bool,
    is_refined: bool,
    is_visited: bool,
    /// Decoded magnitude bits, and the lowest bit-plane that they include.
    pub(super) magnitude: u32,
    pub(super) lowest_plane: u32,
}

pub(super) struct Model {
    width: usize,
    height: usize,
    band: BandKind,
    style: BlockStyle,
    bit_planes: u32,
    pub(super) coefficients: Vec<Coefficient>,
    /// Significance, sign and refinement contexts by their numbers, run-length context, uniform context.
    contexts: [Context; 19],
}

const RUN_LENGTH: usize = 17;
const UNIFORM: usize = 18;

fn initial_contexts() -> [Context; 19] {
    let mut contexts = [Context::new(0); 19];
    contexts[0] = Context::new(4);
    contexts[RUN_LENGTH] = Context::new(3);
    contexts[UNIFORM] = Context::new(46);
    contexts
}

/// True if a pass consists of raw bits.
fn is_raw(style: BlockStyle, pass: u32) -> bool {
    style.bypass && pass >= 10 && !pass.is_multiple_of(3)
}

/// True if a codeword segment ends with the pass (D.4.2, Table D.9).
fn ends_segment(style: BlockStyle, pass: u32) -> bool {
    style.terminate_each_pass || (style.bypass && pass >= 9 && pass % 3 != 1)
}

impl Model {
    pub(super) fn new(width: usize, height: usize, band: BandKind, style: BlockStyle, bit_planes: u32) -> Self {
        let coefficients = vec![Coefficient::default(); width * height];
        Self { width, height, band, style, bit_planes, coefficients, contexts: initial_contexts() }
    }

    /// Encodes `passes` passes of a block of the coefficients `source`. Returns the data and their segments.
    pub(super) fn encode(&mut self, source: &[i32], passes: u32) -> (Vec<u8>, Vec<CodewordSegment>) {
        for (coefficient, source) in self.coefficients.iter_mut().zip(source) {
            coefficient.source = *source;
        }
        let (mut data, mut segments) = (Vec::new(), Vec::new());
        let mut pass = 0;
        while pass < passes {
            let first = pass;
            let (mut mq, mut raw) = (MqEncoder::new(), RawEncoder::default());
            loop {
                let coder: &mut dyn BitCoder = if is_raw(self.style, pass) { &mut raw } else { &mut mq };
                assert!(self.code_pass(pass, coder));
                pass += 1;
                if pass == passes || ends_segment(self.style, pass - 1) {
                    break;
                }
            }
            let bytes = if is_raw(self.style, first) { raw.finish() } else { mq.finish() };
            segments.push(CodewordSegment { passes: pass - first, bytes: bytes.len() });
            data.extend_from_slice(&bytes);
        }
        (data, segments)
    }

    /// Decodes a block; false if a segmentation symbol is wrong.
    pub(super) fn decode(&mut self, mut data: &[u8], segments: &[CodewordSegment]) -> bool {
        let mut pass = 0;
        for segment in segments {
            let (bytes, rest) = data.split_at(segment.bytes);
            data = rest;
            let (mut mq, mut raw) = (MqDecoder::new(bytes), RawDecoder::new(bytes));
            for _ in 0..segment.passes {
                let coder: &mut dyn BitCoder = if is_raw(self.style, pass) { &mut raw } else { &mut mq };
                if !self.code_pass(pass, coder) {
                    return false;
                }
                pass += 1;
            }
        }
        true
    }

    /// Codes one pass; false if its segmentation symbol is wrong.
    fn code_pass(&mut self, pass: u32, coder: &mut dyn BitCoder) -> bool {
        let plane = self.bit_planes - 1 - pass.div_ceil(3);
        let mut is_valid = true;
        for stripe in (0..self.height).step_by(4) {
            for x in 0..self.width {
                let rows = stripe..self.height.min(stripe + 4);
                if pass.is_multiple_of(3) {
                    self.clean_up_column(x, rows, plane, coder);
                } else {
                    for y in rows {
                        self.code_coefficient(x, y, pass, plane, coder);
                    }
                }
            }
        }
        if pass.is_multiple_of(3) {
            if self.style.segmentation_symbols {
                let context = &mut self.contexts[UNIFORM];
                is_valid = [1, 0, 1, 0].map(|bit| coder.code(context, bit)) == [1, 0, 1, 0];
            }
            for coefficient in &mut self.coefficients {
                coefficient.is_visited = false;
            }
        }
        if self.style.reset_contexts {
            self.contexts = initial_contexts();
        }
        is_valid
    }

    fn at(&mut self, x: usize, y: usize) -> &mut Coefficient {
        &mut self.coefficients[y * self.width + x]
    }

    /// Returns the neighbour `dx` columns and `dy` rows away; insignificant outside the block, and with vertically causal
    /// contexts in the stripe below.
    fn neighbour(&self, x: usize, y: usize, dx: isize, dy: isize) -> Coefficient {
        let position = x.checked_add_signed(dx).zip(y.checked_add_signed(dy));
        match position {
            Some((_, row)) if self.style.vertically_causal && row / 4 > y / 4 => Coefficient::default(),
            Some((column, row)) if column < self.width && row < self.height => {
                self.coefficients[row * self.width + column]
            }
            _ => Coefficient::default(),
        }
    }

    /// Returns the number of significant neighbours: horizontal, vertical, diagonal.
    fn counts(&self, x: usize, y: usize) -> (u32, u32, u32) {
        let count = |offsets: &[(isize, isize)]| {
            offsets.iter().map(|(dx, dy)| u32::from(self.neighbour(x, y, *dx, *dy).is_significant)).sum()
        };
        (count(&[(-1, 0), (1, 0)]), count(&[(0, -1), (0, 1)]), count(&[(-1, -1), (1, -1), (-1, 1), (1, 1)]))
    }

    /// Table D.1.
    fn significance_context(&self, x: usize, y: usize) -> usize {
        let (mut h, mut v, d) = self.counts(x, y);
        if self.band == BandKind::Hh {
            return match (h + v, d) {
                (_, 3..) => 8,
                (1.., 2) => 7,
                (0, 2) => 6,
                (2.., 1) => 5,
                (1, 1) => 4,
                (0, 1) => 3,
                (2.., 0) => 2,
                (1, 0) => 1,
                (0, 0) => 0,
            };
        }
        if self.band == BandKind::Hl {
            (h, v) = (v, h);
        }
        match (h, v, d) {
            (2.., _, _) => 8,
            (1, 1.., _) => 7,
            (1, 0, 1..) => 6,
            (1, 0, 0) => 5,
            (0, 2.., _) => 4,
            (0, 1, _) => 3,
            (0, 0, 2..) => 2,
            (0, 0, 1) => 1,
            (0, 0, 0) => 0,
        }
    }

    /// Tables D.2 and D.3: the context, and the bit to exclusive-or with.
    fn sign_context(&self, x: usize, y: usize) -> (usize, u32) {
        let sign = |dx, dy| match self.neighbour(x, y, dx, dy) {
            Coefficient { is_significant: false, .. } => 0,
            Coefficient { is_negative: true, .. } => -1,
            _ => 1,
        };
        let horizontal: i32 = sign(-1, 0) + sign(1, 0);
        let vertical: i32 = sign(0, -1) + sign(0, 1);
        match (horizontal.signum(), vertical.signum()) {
            (1, 1) => (13, 0),
            (1, 0) => (12, 0),
            (1, -1) => (11, 0),
            (0, 1) => (10, 0),
            (0, 0) => (9, 0),
            (0, -1) => (10, 1),
            (-1, 1) => (11, 1),
            (-1, 0) => (12, 1),
            _ => (13, 1),
        }
    }

    /// Codes a coefficient in a significance propagation or magnitude refinement pass, if it is a member.
    fn code_coefficient(&mut self, x: usize, y: usize, pass: u32, plane: u32, coder: &mut dyn BitCoder) {
        let coefficient = *self.at(x, y);
        let bit = coefficient.source.unsigned_abs() >> plane & 1;
        let has_neighbours = self.counts(x, y) != (0, 0, 0);
        if pass % 3 == 1 {
            if !coefficient.is_significant && has_neighbours {
                let context = self.significance_context(x, y);
                let bit = coder.code(&mut self.contexts[context], bit);
                self.at(x, y).is_visited = true;
                if bit != 0 {
                    self.code_sign(x, y, plane, is_raw(self.style, pass), coder);
                }
            }
        } else if coefficient.is_significant && !coefficient.is_visited {
            let context = if coefficient.is_refined { 16 } else { 14 + usize::from(has_neighbours) };
            let bit = coder.code(&mut self.contexts[context], bit);
            let coefficient = self.at(x, y);
            coefficient.magnitude |= bit << plane;
            coefficient.lowest_plane = plane;
            coefficient.is_refined = true;
        }
    }

    /// Codes the sign of a coefficient that becomes significant (D.3.2).
    fn code_sign(&mut self, x: usize, y: usize, plane: u32, is_raw: bool, coder: &mut dyn BitCoder) {
        let (context, flip) = if is_raw { (0, 0) } else { self.sign_context(x, y) };
        let bit = u32::from(self.at(x, y).source < 0) ^ flip;
        let is_negative = coder.code(&mut self.contexts[context], bit) ^ flip == 1;
        let coefficient = self.at(x, y);
        (coefficient.is_significant, coefficient.is_negative) = (true, is_negative);
        (coefficient.magnitude, coefficient.lowest_plane) = (1 << plane, plane);
    }

    /// Codes a column of a stripe in a cleanup pass (D.3.4).
    fn clean_up_column(&mut self, x: usize, rows: std::ops::Range<usize>, plane: u32, coder: &mut dyn BitCoder) {
        let is_bit_set = |coefficient: &Coefficient| coefficient.source.unsigned_abs() >> plane & 1 != 0;
        let mut next = rows.start;
        let is_empty = |y| {
            let coefficient = self.neighbour(x, y, 0, 0);
            !coefficient.is_significant && !coefficient.is_visited && self.counts(x, y) == (0, 0, 0)
        };
        if rows.len() == 4 && rows.clone().all(is_empty) {
            let length = rows.clone().take_while(|y| !is_bit_set(self.at(x, *y))).count();
            if coder.code(&mut self.contexts[RUN_LENGTH], u32::from(length < 4)) == 0 {
                return;
            }
            let length = u32::try_from(length).unwrap();
            let bits = [length >> 1 & 1, length & 1].map(|bit| coder.code(&mut self.contexts[UNIFORM], bit));
            next += (2 * bits[0] + bits[1]) as usize;
            self.code_sign(x, next, plane, false, coder);
            next += 1;
        }
        for y in next..rows.end {
            let coefficient = *self.at(x, y);
            if coefficient.is_significant || coefficient.is_visited {
                continue;
            }
            let context = self.significance_context(x, y);
            if coder.code(&mut self.contexts[context], u32::from(is_bit_set(&coefficient))) != 0 {
                self.code_sign(x, y, plane, false, coder);
            }
        }
    }

    /// Returns the decoded magnitudes in units of half a step, with the midpoint of the undecoded bits, and the signs.
    pub(super) fn doubled(&self) -> Vec<(u32, bool)> {
        self.coefficients
            .iter()
            .map(|coefficient| {
                let midpoint = if coefficient.is_significant { 1 << coefficient.lowest_plane } else { 0 };
                (2 * coefficient.magnitude + midpoint, coefficient.is_negative)
            })
            .collect()
    }
}
