//! Plain decoder, written from the procedures of T.814 clause 7: one bit at a time, samples in arrays.

use super::super::codes::{INITIAL_CODES, OTHER_CODES};
use crate::kernel::code_block::BlockErrorReason;

/// Samples of a block with a border of zeros: one row above, one column on the left, two and more on the right and below.
struct Plane<T> {
    width: usize,
    samples: Vec<T>,
}

impl<T: Copy + Default> Plane<T> {
    fn new(width: usize, height: usize) -> Self {
        Self { width: width + 6, samples: vec![T::default(); (width + 6) * (height + 4)] }
    }

    fn get(&self, x: isize, y: isize) -> T {
        self.samples[(y + 1) as usize * self.width + (x + 1) as usize]
    }

    fn set(&mut self, x: usize, y: usize, sample: T) {
        self.samples[(y + 1) * self.width + x + 1] = sample;
    }
}

/// Bits of a string: of the bytes in order, with the number of bits of each byte; then `fill`.
struct Bits {
    bits: Vec<u64>,
    next: usize,
    fill: u64,
}

impl Bits {
    fn read(&mut self, count: u32) -> u64 {
        let first = self.next;
        self.next += count as usize;
        (0..count as usize)
            .fold(0, |value, index| value | self.bits.get(first + index).copied().unwrap_or(self.fill) << index)
    }

    fn lowest_first(bytes: impl Iterator<Item = (u8, u32)>, fill: u64) -> Self {
        let bits = bytes.flat_map(|(byte, count)| (0..count).map(move |bit| u64::from(byte >> bit & 1))).collect();
        Self { bits, next: 0, fill }
    }

    /// `importMagSgnBit`, `importSigPropBit`
    fn forward(bytes: &[u8], fill: u64) -> Self {
        let mut last = 0;
        Self::lowest_first(
            bytes.iter().map(|byte| {
                let count = if last == 0xFF { 7 } else { 8 };
                last = *byte;
                (*byte, count)
            }),
            fill,
        )
    }

    /// `importMagRefBit`, and `importVLCBit` after the first byte.
    fn backward(bytes: &[u8], first: u8) -> Self {
        let mut last = first;
        Self::lowest_first(
            bytes.iter().rev().map(|byte| {
                let count = if last > 0x8F && byte & 0x7F == 0x7F { 7 } else { 8 };
                last = *byte;
                (*byte, count)
            }),
            0,
        )
    }

    fn vlc(bytes: &[u8]) -> Self {
        let low = bytes[bytes.len() - 2];
        let mut bits = Self::backward(&bytes[..bytes.len() - 2], low | 0xF);
        let first: Vec<u64> = (4..if low >> 4 & 7 == 7 { 7 } else { 8 }).map(|bit| u64::from(low >> bit & 1)).collect();
        bits.bits.splice(0..0, first);
        bits
    }
}

/// `decodeMELSym`
struct Mel {
    bits: Vec<u64>,
    next: usize,
    state: usize,
    run: u32,
    one: bool,
}

impl Mel {
    fn new(bytes: &[u8]) -> Self {
        let mut bytes = bytes.to_vec();
        let last = bytes.len() - 1;
        bytes[last] = 0xFF;
        bytes[last - 1] |= 0xF;
        let mut before = 0;
        let mut bits = Vec::new();
        for byte in bytes {
            bits.extend((0..if before == 0xFF { 7 } else { 8 }).rev().map(|bit| u64::from(byte >> bit & 1)));
            before = byte;
        }
        Self { bits, next: 0, state: 0, run: 0, one: false }
    }

    fn bit(&mut self) -> u64 {
        self.next += 1;
        self.bits.get(self.next - 1).copied().unwrap_or(1)
    }

    fn symbol(&mut self) -> u64 {
        if self.run == 0 && !self.one {
            let exponent = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5][self.state];
            if self.bit() == 1 {
                self.run = 1 << exponent;
                self.state = (self.state + 1).min(12);
            } else {
                for _ in 0..exponent {
                    self.run = 2 * self.run + self.bit() as u32;
                }
                self.state = self.state.saturating_sub(1);
                self.one = true;
            }
        }
        if self.run > 0 {
            self.run -= 1;
            0
        } else {
            self.one = false;
            1
        }
    }
}

fn prefix(bits: &mut Bits) -> u64 {
    (1..=3).find(|_| bits.read(1) == 1).unwrap_or(5)
}

fn suffix(bits: &mut Bits, prefix: u64) -> u64 {
    bits.read(match prefix {
        3 => 1,
        5 => 5,
        _ => 0,
    })
}

fn extension(bits: &mut Bits, suffix: u64) -> u64 {
    if suffix >= 28 { bits.read(4) } else { 0 }
}

/// Returns `u_q` of the quads with `u_off`.
fn residuals(bits: &mut Bits, mel: &mut Mel, flags: [bool; 2], is_initial: bool) -> [u64; 2] {
    let is_large = is_initial && flags == [true; 2] && mel.symbol() == 1;
    let mut prefixes = [0; 2];
    let mut single = None;
    for index in 0..2 {
        if flags[index] {
            if index == 1 && is_initial && flags[0] && !is_large && prefixes[0] > 2 {
                single = Some(bits.read(1) + 1);
            } else {
                prefixes[index] = prefix(bits);
            }
        }
    }
    let suffixes = prefixes.map(|prefix| suffix(bits, prefix));
    let extensions = suffixes.map(|suffix| extension(bits, suffix));
    let base = if is_large { 2 } else { 0 };
    let value = |index: usize| prefixes[index] + suffixes[index] + 4 * extensions[index] + base;
    [value(0), single.unwrap_or(value(1))]
}

/// A block to decode.
pub(super) struct Block<'a> {
    pub width: usize,
    pub height: usize,
    pub bit_plane: u32,
    pub is_causal: bool,
    pub cleanup: &'a [u8],
    /// Passes and bytes.
    pub refinement: Option<(u32, &'a [u8])>,
}

/// Returns twice the value of each sample, and its sign.
pub(super) fn decode(block: &Block<'_>) -> Result<Vec<(u64, bool)>, BlockErrorReason> {
    let (width, height, plane) = (block.width, block.height, block.bit_plane);
    let bytes = block.cleanup;
    let length = bytes.len();
    if length < 2 {
        return Err(BlockErrorReason::StringLengths);
    }
    let code_bytes = 16 * usize::from(bytes[length - 1]) + usize::from(bytes[length - 2] & 0xF);
    if code_bytes < 2 || code_bytes > length || code_bytes > 4079 {
        return Err(BlockErrorReason::StringLengths);
    }
    let (magnitudes, codes) = bytes.split_at(length - code_bytes);
    let (mut magnitude_bits, mut vlc, mut mel) = (Bits::forward(magnitudes, 1), Bits::vlc(codes), Mel::new(codes));
    let mut magnitude = Plane::<u64>::new(width, height);
    let mut sign = Plane::<bool>::new(width, height);
    let mut exponent = Plane::<u64>::new(width, height);
    for y in (0..height).step_by(2) {
        let mut max_bound = 0;
        let mut quads = Vec::new();
        let significant = |magnitude: &Plane<u64>, x: isize, y: isize| magnitude.get(x, y) != 0;
        let columns: Vec<usize> = (0..width).step_by(2).collect();
        for pair in columns.chunks(2) {
            let mut flags = [false; 2];
            for (index, x) in pair.iter().enumerate() {
                let (column, row) = (*x as isize, y as isize);
                let at = |dx: isize, dy: isize| significant(&magnitude, column + dx, row + dy);
                // The magnitudes of the quad on the left are not decoded yet: its pattern.
                let left: u32 = quads.last().map_or(0, |(significant, ..): &(u32, u32, u32, u64)| *significant);
                let context = if y == 0 {
                    u32::from(left & 3 != 0) + 2 * (left >> 2 & 1) + 4 * (left >> 3)
                } else {
                    u32::from(at(-1, -1) || at(0, -1))
                        + 2 * u32::from(left >> 2 != 0)
                        + 4 * u32::from(at(1, -1) || at(2, -1))
                };
                let mut code = 0;
                if context > 0 || mel.symbol() == 1 {
                    let mut codeword = 0;
                    let codes = if y == 0 { INITIAL_CODES } else { OTHER_CODES }[context as usize];
                    code = (1..=7)
                        .find_map(|length| {
                            codeword |= (vlc.read(1) as u32) << (length - 1);
                            codes.iter().find(|code| **code >> 16 == codeword << 4 | length)
                        })
                        .copied()
                        .expect("the codes are complete");
                }
                quads.push((code >> 12 & 15, code >> 4 & 15, code & 15, 0));
                flags[index] = code >> 8 & 1 == 1;
            }
            let values = residuals(&mut vlc, &mut mel, flags, y == 0);
            let first = quads.len() - pair.len();
            for (quad, value) in quads[first..].iter_mut().zip(values) {
                quad.3 = value;
            }
        }
        for ((pattern, known, known_one, residual), x) in quads.into_iter().zip(columns) {
            let above = (-1..3).map(|dx| exponent.get(x as isize + dx, y as isize - 1)).max().unwrap();
            let kappa = if pattern.count_ones() > 1 && y > 0 { above.saturating_sub(1).max(1) } else { 1 };
            let bound = kappa + residual;
            max_bound = max_bound.max(bound);
            for sample in (0..4).filter(|sample| pattern >> sample & 1 == 1) {
                let count = bound.min(31) as u32 - (known >> sample & 1);
                let value = magnitude_bits.read(count) | u64::from(known_one >> sample & 1) << count;
                let (x, y) = (x + sample / 2, y + sample % 2);
                magnitude.set(x, y, (value >> 1) + 1);
                sign.set(x, y, value & 1 == 1);
                exponent.set(x, y, u64::from(u64::BITS - (value | 1).leading_zeros()));
            }
        }
        if vlc.next > vlc.bits.len() {
            return Err(BlockErrorReason::Codes);
        }
        if max_bound + u64::from(plane) > 31 {
            return Err(BlockErrorReason::Magnitude);
        }
    }
    Ok(refine(block, &magnitude, sign))
}

fn refine(block: &Block<'_>, magnitude: &Plane<u64>, mut sign: Plane<bool>) -> Vec<(u64, bool)> {
    let (width, height, plane) = (block.width, block.height, block.bit_plane);
    let mut doubled = Plane::<u64>::new(width, height);
    let mut refined = Plane::<bool>::new(width, height);
    let samples = || {
        (0..height).step_by(4).flat_map(move |stripe| {
            (0..width).flat_map(move |x| (stripe..(stripe + 4).min(height)).map(move |y| (x, y)))
        })
    };
    for (x, y) in samples() {
        let value = magnitude.get(x as isize, y as isize);
        doubled.set(x, y, if value == 0 { 0 } else { (2 * value + 1) << plane & 0x7FFF_FFFF });
        refined.set(x, y, value != 0);
    }
    if let Some((passes, bytes)) = block.refinement {
        if passes == 2 {
            let mut bits = Bits::backward(bytes, 0xFF);
            for (x, y) in samples().filter(|(x, y)| magnitude.get(*x as isize, *y as isize) != 0) {
                let value = 2 * magnitude.get(x as isize, y as isize) + bits.read(1);
                doubled.set(x, y, (2 * value + 1) << (plane - 1) & 0x7FFF_FFFF);
            }
        }
        let mut bits = Bits::forward(bytes, 0);
        for stripe in (0..height).step_by(4) {
            for group in (0..width).step_by(4) {
                let mut added = Vec::new();
                for x in group..(group + 4).min(width) {
                    for y in stripe..(stripe + 4).min(height) {
                        let neighbours = (-1..2).flat_map(|dy| (-1..2).map(move |dx| (dx, dy)));
                        let is_member = !refined.get(x as isize, y as isize)
                            && neighbours
                                .filter(|(_, dy)| !(block.is_causal && y as isize + dy == stripe as isize + 4))
                                .any(|(dx, dy)| refined.get(x as isize + dx, y as isize + dy));
                        if is_member && bits.read(1) == 1 {
                            refined.set(x, y, true);
                            added.push((x, y));
                        }
                    }
                }
                for (x, y) in added {
                    doubled.set(x, y, 3 << (plane - 1));
                    sign.set(x, y, bits.read(1) == 1);
                }
            }
        }
    }
    let all = (0..height).flat_map(|y| (0..width).map(move |x| (x as isize, y as isize)));
    all.map(|(x, y)| (doubled.get(x, y), doubled.get(x, y) != 0 && sign.get(x, y))).collect()
}
