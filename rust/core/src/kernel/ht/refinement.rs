//! The passes SigProp and MagRef (T.814 7.4, 7.5), which refine magnitudes by one bit-plane.
//!
//! They are rare: lossless encoders write cleanup passes only. So one portable body decodes them.
//!
//! Both scan the block in stripes of four rows, column by column. The significance of a stripe's column is a nibble, its
//! first row in bit 0. Nibbles are stored with a border of zeros: one column on each side, one stripe above and below.
//!
//! ```text
//! MagRef     a bit for each sample that the cleanup pass made significant
//! SigProp    a bit for each other sample that has a significant neighbour; the signs of the new significant samples
//!            follow after four columns
//! ```

use super::coefficients::SIGN;

/// Rows of a stripe.
const STRIPE: usize = 4;
/// Columns of a stripe after which signs follow.
const GROUP: usize = 4;
/// Nibbles of the largest block with the border, of 819 columns and 5 rows, rounded up.
pub(super) const MAX_NIBBLES: usize = 4096;

/// A code-block whose samples are signed magnitudes, and its refinement segment.
pub(super) struct Refinement<'a> {
    pub width: usize,
    pub height: usize,
    pub stride: usize,
    /// Last bit-plane of the cleanup pass, at least 1.
    pub bit_plane: u32,
    pub is_vertically_causal: bool,
    /// True if there is a MagRef pass.
    pub has_magnitudes: bool,
    pub segment: &'a [u8],
}

/// Reader of the bits of one of the strings; the lowest bit of a byte is the first. Zeros follow the last byte.
struct BitReader<Bytes> {
    /// Bytes, and their numbers of bits.
    bytes: Bytes,
    window: u32,
    valid: u32,
}

impl<Bytes: Iterator<Item = (u8, u32)>> BitReader<Bytes> {
    const fn new(bytes: Bytes) -> Self {
        Self { bytes, window: 0, valid: 0 }
    }

    fn read(&mut self) -> u32 {
        if self.valid == 0 {
            let (byte, bits) = self.bytes.next().unwrap_or((0, 8));
            (self.window, self.valid) = (u32::from(byte), bits);
        }
        let bit = self.window & 1;
        self.window >>= 1;
        self.valid -= 1;
        bit
    }
}

/// Returns the bytes of the SigProp string: from the first one on, 7 bits after an FF.
fn forward(segment: &[u8]) -> impl Iterator<Item = (u8, u32)> {
    segment.iter().scan(0, |before, byte| {
        let bits = if *before == 0xFF { 7 } else { 8 };
        *before = *byte;
        Some((*byte, bits))
    })
}

/// Returns the bytes of the MagRef string: from the last one on, 7 bits if all of them are ones and the byte before is above 8F.
fn backward(segment: &[u8]) -> impl Iterator<Item = (u8, u32)> {
    segment.iter().rev().scan(0xFF, |before, byte| {
        let bits = if *before > 0x8F && byte & 0x7F == 0x7F { 7 } else { 8 };
        *before = *byte;
        Some((*byte, bits))
    })
}

impl Refinement<'_> {
    /// Refines the block, whose first sample is the first one of `block`.
    pub(super) fn decode(&self, block: &mut [i32], nibbles: &mut [u8; MAX_NIBBLES]) {
        let line = self.width + 2;
        self.find_significant(block, nibbles);
        if self.has_magnitudes {
            self.refine_magnitudes(block, nibbles);
        }
        let mut reader = BitReader::new(forward(self.segment));
        for stripe in 0..self.height.div_ceil(STRIPE) {
            let rows = (self.height - STRIPE * stripe).min(STRIPE);
            for group in (0..self.width).step_by(GROUP) {
                let columns = group..(group + GROUP).min(self.width);
                let mut added = [0; GROUP];
                for (column, added) in columns.clone().zip(&mut added) {
                    *added = self.propagate(&mut reader, nibbles, line * (stripe + 1) + column + 1, rows);
                }
                for (column, added) in columns.zip(added) {
                    for row in (0..rows).filter(|row| added >> row & 1 == 1) {
                        let sign = if reader.read() == 1 { SIGN } else { 0 };
                        if let Some(sample) = block.get_mut((STRIPE * stripe + row) * self.stride + column) {
                            // One and a half times the bit-plane after the last one of the cleanup pass.
                            *sample = (3 << (self.bit_plane - 1) | sign).cast_signed();
                        }
                    }
                }
            }
        }
    }

    /// Reads the significance of a column of a stripe, whose nibble has the index `center`; returns the new significant rows.
    fn propagate<Bytes: Iterator<Item = (u8, u32)>>(
        &self,
        reader: &mut BitReader<Bytes>,
        nibbles: &mut [u8; MAX_NIBBLES],
        center: usize,
        rows: usize,
    ) -> u8 {
        let line = self.width + 2;
        let neighbours =
            |index: usize| nibbles.get(index - 1..index + 2).unwrap_or_default().iter().fold(0, |any, n| any | n);
        let below = if self.is_vertically_causal { 0 } else { neighbours(center + line) & 1 };
        // Bit i: row i - 1 of the column or of one of those next to it.
        let mut around = neighbours(center - line) >> (STRIPE - 1) | neighbours(center) << 1 | below << (STRIPE + 1);
        let Some(nibble) = nibbles.get_mut(center) else { return 0 };
        let mut added = 0;
        for row in (0..rows).filter(|row| *nibble >> row & 1 == 0) {
            if around >> row & 7 != 0 && reader.read() == 1 {
                added |= 1 << row;
                around |= 2 << row;
            }
        }
        *nibble |= added;
        added
    }

    fn find_significant(&self, block: &[i32], nibbles: &mut [u8; MAX_NIBBLES]) {
        let line = self.width + 2;
        let end = line * (self.height.div_ceil(STRIPE) + 2);
        nibbles.iter_mut().take(end).for_each(|nibble| *nibble = 0);
        for (row, samples) in block.chunks(self.stride).enumerate().take(self.height) {
            let start = line * (row / STRIPE + 1) + 1;
            let nibbles = nibbles.get_mut(start..start + self.width).unwrap_or_default();
            for (nibble, sample) in nibbles.iter_mut().zip(samples) {
                *nibble |= u8::from(*sample != 0) << (row % STRIPE);
            }
        }
    }

    /// Replaces the half of the last bit-plane by the refined bit and the half of its plane.
    fn refine_magnitudes(&self, block: &mut [i32], nibbles: &[u8; MAX_NIBBLES]) {
        let line = self.width + 2;
        let mut reader = BitReader::new(backward(self.segment));
        for stripe in 0..self.height.div_ceil(STRIPE) {
            for column in 0..self.width {
                let nibble = nibbles.get(line * (stripe + 1) + column + 1).copied().unwrap_or_default();
                for row in (0..STRIPE).filter(|row| nibble >> row & 1 == 1) {
                    let bit = reader.read();
                    if let Some(sample) = block.get_mut((STRIPE * stripe + row) * self.stride + column) {
                        let half = 1 << (self.bit_plane - 1);
                        *sample = sample.wrapping_sub(if bit == 1 { -half } else { half });
                    }
                }
            }
        }
    }
}
