//! Encoder of cleanup and refinement segments, written from T.814 clause 7 as the inverse of the decoding procedures.

use super::super::codes::{INITIAL_CODES, OTHER_CODES};
use crate::testing::Random;

/// Bits of a byte string with bit stuffing, lowest bit of a byte first.
struct Writer {
    bytes: Vec<u8>,
    byte: u8,
    count: u32,
    /// True for strings that are read from the last byte on.
    is_backward: bool,
    last: u8,
}

impl Writer {
    fn new(is_backward: bool, last: u8) -> Self {
        Self { bytes: Vec::new(), byte: 0, count: 0, is_backward, last }
    }

    fn write(&mut self, bits: u64, count: u32) {
        for bit in 0..count {
            self.byte |= (bits >> bit as u64 & 1) as u8 * (1 << self.count);
            self.count += 1;
            let capacity = match (self.is_backward, self.last, self.byte) {
                (false, 0xFF, _) | (true, 0x90.., 0x7F) => 7,
                _ => 8,
            };
            if self.count >= capacity {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        self.bytes.push(self.byte);
        (self.last, self.byte, self.count) = (self.byte, 0, 0);
    }
}

#[derive(Default)]
struct Mel {
    bytes: Vec<u8>,
    byte: u8,
    count: u32,
    state: usize,
    run: u32,
}

impl Mel {
    const EXPONENTS: [u32; 13] = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5];

    fn bit(&mut self, bit: u32) {
        self.byte = self.byte << 1 | bit as u8;
        self.count += 1;
        if self.count == if self.bytes.last() == Some(&0xFF) { 7 } else { 8 } {
            self.bytes.push(self.byte);
            (self.byte, self.count) = (0, 0);
        }
    }

    fn symbol(&mut self, symbol: u32) {
        let exponent = Self::EXPONENTS[self.state];
        if symbol == 0 {
            self.run += 1;
            if self.run == 1 << exponent {
                self.bit(1);
                self.run = 0;
                self.state = (self.state + 1).min(12);
            }
        } else {
            self.bit(0);
            (0..exponent).rev().for_each(|bit| self.bit(self.run >> bit & 1));
            self.run = 0;
            self.state = self.state.saturating_sub(1);
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.run > 0 {
            self.bit(1);
        }
        while self.count > 0 {
            self.bit(0);
        }
        self.bytes
    }
}

/// A block of magnitudes, in units of the last bit-plane of the cleanup pass, and signs.
pub(super) struct Samples {
    pub width: usize,
    pub height: usize,
    pub magnitudes: Vec<u32>,
    pub signs: Vec<bool>,
}

impl Samples {
    /// Returns the magnitude of a sample; 0 outside the block.
    fn get(&self, x: isize, y: isize) -> u32 {
        let is_inside = (0..self.width as isize).contains(&x) && (0..self.height as isize).contains(&y);
        if is_inside { self.magnitudes[y as usize * self.width + x as usize] } else { 0 }
    }

    fn exponent(&self, x: isize, y: isize) -> u32 {
        let magnitude = u64::from(self.get(x, y));
        u64::BITS - (2 * magnitude).saturating_sub(1).leading_zeros()
    }
}

/// Parts of a residual: value and bits of prefix, suffix and extension.
fn parts(residual: u32) -> [(u64, u32); 3] {
    match residual {
        0 => [(0, 0); 3],
        1 => [(1, 1), (0, 0), (0, 0)],
        2 => [(2, 2), (0, 0), (0, 0)],
        3 | 4 => [(4, 3), (u64::from(residual - 3), 1), (0, 0)],
        5..33 => [(0, 3), (u64::from(residual - 5), 5), (0, 0)],
        _ => {
            let suffix = 28 + (residual - 33) % 4;
            [(0, 3), (u64::from(suffix), 5), (u64::from((residual - 5 - suffix) / 4), 4)]
        }
    }
}

/// Encodes the cleanup pass. `random` selects among the permitted codewords.
pub(super) fn cleanup(samples: &Samples, random: &mut Random) -> Vec<u8> {
    let (mut magnitude_bits, mut mel) = (Writer::new(false, 0), Mel::default());
    // The first four bits of the VLC string share a byte with Scup, whose lower half counts as ones.
    let mut vlc = Writer::new(true, 0xFF);
    (vlc.byte, vlc.count) = (0xF, 4);
    for y in (0..samples.height as isize).step_by(2) {
        let mut left = 0;
        for first in (0..samples.width as isize).step_by(4) {
            let mut pair = Vec::new();
            for x in [first, first + 2].into_iter().filter(|x| *x < samples.width as isize) {
                let quad = [(x, y), (x, y + 1), (x + 1, y), (x + 1, y + 1)];
                let pattern = (0..4).fold(0, |p, n| p | u32::from(samples.get(quad[n].0, quad[n].1) > 0) << n);
                let at = |dx: isize| samples.get(x + dx, y - 1) > 0;
                let context = if y == 0 {
                    u32::from(left & 3 != 0) + 2 * (left >> 2 & 1) + 4 * (left >> 3)
                } else {
                    u32::from(at(-1) || at(0)) + 2 * u32::from(left >> 2 != 0) + 4 * u32::from(at(1) || at(2))
                };
                left = pattern;
                let above = (-1..3).map(|dx| samples.exponent(x + dx, y - 1)).max().unwrap();
                let kappa = if pattern.count_ones() > 1 { above.max(2) - 1 } else { 1 };
                let bound = quad.iter().map(|(x, y)| samples.exponent(*x, *y)).max().unwrap().max(kappa);
                let largest =
                    (0..4).fold(0, |p, n| p | u32::from(samples.exponent(quad[n].0, quad[n].1) == bound) << n);
                let flag = u32::from(bound > kappa);
                if context == 0 {
                    mel.symbol(u32::from(pattern > 0));
                }
                let mut known = 0;
                if context > 0 || pattern > 0 {
                    let codes = if y == 0 { INITIAL_CODES } else { OTHER_CODES }[context as usize];
                    let permitted: Vec<u32> = codes
                        .iter()
                        .copied()
                        .filter(|code| code >> 8 & 0xFF == pattern << 4 | flag && code & 15 == largest & code >> 4 & 15)
                        .collect();
                    let code = permitted[random.below(permitted.len())];
                    vlc.write(u64::from(code >> 20), code >> 16 & 15);
                    known = code >> 4 & 15;
                }
                for (n, (x, y)) in quad.into_iter().enumerate().filter(|(n, _)| pattern >> n & 1 == 1) {
                    let sign = samples.signs[y as usize * samples.width + x as usize];
                    let value = 2 * u64::from(samples.get(x, y) - 1) + u64::from(sign);
                    magnitude_bits.write(value, bound - (known >> n & 1));
                }
                pair.push(bound - kappa);
            }
            let mut residuals = [pair[0], pair.get(1).copied().unwrap_or(0)];
            let mut is_short = false;
            if y == 0 && residuals[0] > 0 && residuals[1] > 0 {
                let is_large = residuals[0] > 2 && residuals[1] > 2;
                mel.symbol(u32::from(is_large));
                residuals = if is_large { residuals.map(|residual| residual - 2) } else { residuals };
                is_short = !is_large && residuals[0] > 2;
            }
            let [first, mut second] = residuals.map(parts);
            if is_short {
                second = [(u64::from(residuals[1] - 1), 1), (0, 0), (0, 0)];
            }
            for (first, second) in first.into_iter().zip(second) {
                vlc.write(first.0, first.1);
                vlc.write(second.0, second.1);
            }
        }
    }
    if magnitude_bits.count > 0 {
        let used = magnitude_bits.count;
        magnitude_bits.byte |= !0 << used;
        if magnitude_bits.last == 0xFF {
            magnitude_bits.byte &= 0x7F;
        }
        magnitude_bits.flush();
    }
    let mut bytes = magnitude_bits.bytes;
    while bytes.last() == Some(&0xFF) {
        bytes.pop();
    }
    if vlc.count > 0 {
        vlc.flush();
    }
    let mel = mel.finish();
    let length = mel.len() + vlc.bytes.len() + 1;
    bytes.extend(mel);
    bytes.extend(vlc.bytes.iter().rev());
    *bytes.last_mut().unwrap() = vlc.bytes[0] & 0xF0 | (length & 0xF) as u8;
    bytes.push((length >> 4) as u8);
    bytes
}

/// Encodes the refinement passes of `samples`, whose magnitudes have one bit-plane more than those of the cleanup pass. Those
/// samples of magnitude 1 that no pass can encode are set to 0. Without a MagRef pass, lowest bits above 1 are not encoded.
pub(super) fn refinement(samples: &mut Samples, has_magnitudes: bool, is_causal: bool) -> Vec<u8> {
    let mut significant = Samples {
        width: samples.width,
        height: samples.height,
        magnitudes: samples.magnitudes.iter().map(|magnitude| magnitude >> 1).collect(),
        signs: Vec::new(),
    };
    let (mut propagation, mut refinement) = (Writer::new(false, 0), Writer::new(true, 0xFF));
    for stripe in (0..samples.height).step_by(4) {
        for group in (0..samples.width).step_by(4) {
            let mut signs = Vec::new();
            for x in group..(group + 4).min(samples.width) {
                for y in stripe..(stripe + 4).min(samples.height) {
                    let index = y * samples.width + x;
                    if samples.magnitudes[index] > 1 {
                        if has_magnitudes {
                            refinement.write(u64::from(samples.magnitudes[index] & 1), 1);
                        }
                        continue;
                    }
                    let end = if is_causal { (stripe + 4) as isize } else { isize::MAX };
                    let rows = (y as isize - 1..y as isize + 2).filter(|y| *y < end);
                    let is_member = rows
                        .flat_map(|y| (x as isize - 1..x as isize + 2).map(move |x| (x, y)))
                        .any(|(x, y)| significant.get(x, y) > 0);
                    if is_member {
                        propagation.write(u64::from(samples.magnitudes[index]), 1);
                        significant.magnitudes[index] = samples.magnitudes[index];
                        signs.extend((samples.magnitudes[index] == 1).then_some(samples.signs[index]));
                    } else {
                        samples.magnitudes[index] = 0;
                    }
                }
            }
            signs.iter().for_each(|sign| propagation.write(u64::from(*sign), 1));
        }
    }
    for writer in [&mut propagation, &mut refinement].into_iter().filter(|writer| writer.count > 0) {
        writer.flush();
    }
    let mut bytes = propagation.bytes;
    bytes.extend(refinement.bytes.iter().rev());
    bytes
}
