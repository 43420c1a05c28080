//! MQ coder and raw bits as in the flow charts of T.800 Annex C and in D.6: one bit and one byte at a time.
#![allow(clippy::cast_possible_truncation, reason = "bytes of a register")]

use crate::kernel::ebcot::mq::STATES;

/// Probability, next states and MPS of a context.
#[derive(Clone, Copy)]
pub(super) struct Context {
    pub(super) state: u8,
    pub(super) mps: u32,
}

impl Context {
    pub(super) const fn new(state: u8) -> Self {
        Self { state, mps: 0 }
    }

    /// Returns Qe, and the contexts after an MPS and an LPS.
    fn transitions(self) -> (u32, Self, Self) {
        let entry = STATES[2 * usize::from(self.state) + self.mps as usize];
        let context = |number: u64| Self { state: (number as u8) / 2, mps: (number & 1) as u32 };
        ((entry >> 48) as u32, context(entry), context(entry >> 8 & 0xFF))
    }
}

/// Coder of the bits of a pass: an encoder returns `bit`, a decoder the bit that it decodes.
pub(super) trait BitCoder {
    fn code(&mut self, context: &mut Context, bit: u32) -> u32;
}

/// Decoder of C.3.
pub(super) struct MqDecoder<'a> {
    data: &'a [u8],
    position: usize,
    a: u32,
    c: u32,
    count: u32,
}

impl<'a> MqDecoder<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        let mut decoder = Self { data, position: 0, a: 0x8000, c: 0, count: 0 };
        decoder.c = decoder.byte(0) << 16;
        decoder.byte_in();
        decoder.c <<= 7;
        decoder.count -= 7;
        decoder
    }

    /// Returns the byte `offset` bytes after the current one; a marker after the end.
    fn byte(&self, offset: usize) -> u32 {
        self.data.get(self.position + offset).map_or(0xFF, |byte| u32::from(*byte))
    }

    fn byte_in(&mut self) {
        if self.byte(0) == 0xFF {
            if self.byte(1) > 0x8F {
                self.c = self.c.wrapping_add(0xFF00);
                self.count = 8;
            } else {
                self.position += 1;
                self.c = self.c.wrapping_add(self.byte(0) << 9);
                self.count = 7;
            }
        } else {
            self.position += 1;
            self.c = self.c.wrapping_add(self.byte(0) << 8);
            self.count = 8;
        }
    }

    fn renormalise(&mut self) {
        loop {
            if self.count == 0 {
                self.byte_in();
            }
            self.a <<= 1;
            self.c <<= 1;
            self.count -= 1;
            if self.a & 0x8000 != 0 {
                break;
            }
        }
    }
}

impl BitCoder for MqDecoder<'_> {
    fn code(&mut self, context: &mut Context, _: u32) -> u32 {
        let (qe, after_mps, after_lps) = context.transitions();
        let mps = context.mps;
        self.a -= qe;
        let bit;
        if self.c >> 16 < qe {
            (bit, *context) = if self.a < qe { (mps, after_mps) } else { (1 - mps, after_lps) };
            self.a = qe;
            self.renormalise();
        } else {
            self.c -= qe << 16;
            if self.a & 0x8000 != 0 {
                return mps;
            }
            (bit, *context) = if self.a < qe { (1 - mps, after_lps) } else { (mps, after_mps) };
            self.renormalise();
        }
        bit
    }
}

/// Encoder of C.2.
pub(super) struct MqEncoder {
    /// The byte before the first one, then the bytes.
    bytes: Vec<u8>,
    a: u32,
    c: u32,
    count: u32,
}

impl MqEncoder {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0], a: 0x8000, c: 0, count: 12 }
    }

    fn last(&mut self) -> &mut u8 {
        self.bytes.last_mut().unwrap()
    }

    fn byte_out(&mut self) {
        if *self.last() != 0xFF && self.c >= 0x800_0000 {
            *self.last() += 1;
            self.c &= 0x7FF_FFFF;
        }
        let is_stuffed = *self.last() == 0xFF;
        let shift = if is_stuffed { 20 } else { 19 };
        self.bytes.push((self.c >> shift) as u8);
        self.c &= (1 << shift) - 1;
        self.count = if is_stuffed { 7 } else { 8 };
    }

    fn renormalise(&mut self) {
        loop {
            self.a <<= 1;
            self.c <<= 1;
            self.count -= 1;
            if self.count == 0 {
                self.byte_out();
            }
            if self.a & 0x8000 != 0 {
                break;
            }
        }
    }

    /// Terminates the segment (FLUSH) and returns its bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let end = self.c + self.a;
        self.c |= 0xFFFF;
        if self.c >= end {
            self.c -= 0x8000;
        }
        for _ in 0..2 {
            self.c <<= self.count;
            self.byte_out();
        }
        if *self.last() == 0xFF {
            self.bytes.pop();
        }
        self.bytes.split_off(1.min(self.bytes.len()))
    }
}

impl BitCoder for MqEncoder {
    fn code(&mut self, context: &mut Context, bit: u32) -> u32 {
        let (qe, after_mps, after_lps) = context.transitions();
        self.a -= qe;
        if bit == context.mps {
            if self.a & 0x8000 != 0 {
                self.c += qe;
                return bit;
            }
            if self.a < qe {
                self.a = qe;
            } else {
                self.c += qe;
            }
            *context = after_mps;
        } else {
            if self.a < qe {
                self.c += qe;
            } else {
                self.a = qe;
            }
            *context = after_lps;
        }
        self.renormalise();
        bit
    }
}

/// Decoder of raw bits (D.6).
pub(super) struct RawDecoder<'a> {
    pub(super) data: &'a [u8],
    pub(super) position: usize,
    pub(super) byte: u8,
    pub(super) count: u32,
}

impl<'a> RawDecoder<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0, byte: 0, count: 0 }
    }
}

impl BitCoder for RawDecoder<'_> {
    fn code(&mut self, _: &mut Context, _: u32) -> u32 {
        if self.count == 0 {
            let is_after_ff = self.byte == 0xFF;
            self.count = 8;
            self.byte = self.data.get(self.position).copied().unwrap_or(0xFF);
            if is_after_ff && self.byte > 0x8F {
                // A marker: ones from here on.
                self.byte = 0xFF;
            } else {
                self.count -= u32::from(is_after_ff);
                self.position += 1;
            }
        }
        self.count -= 1;
        u32::from(self.byte >> self.count & 1)
    }
}

/// Encoder of raw bits (D.6).
#[derive(Default)]
pub(super) struct RawEncoder {
    bytes: Vec<u8>,
    byte: u8,
    count: u32,
}

impl RawEncoder {
    fn push(&mut self, bit: u32) {
        self.byte = self.byte << 1 | bit as u8;
        self.count += 1;
        let capacity = 8 - u32::from(self.bytes.last() == Some(&0xFF));
        if self.count == capacity {
            self.bytes.push(self.byte);
            (self.byte, self.count) = (0, 0);
        }
    }

    /// Fills the last byte with alternating bits, and returns the bytes; a last byte FF is omitted.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let mut fill = 0;
        while self.count > 0 {
            self.push(fill);
            fill = 1 - fill;
        }
        if self.bytes.last() == Some(&0xFF) {
            self.bytes.pop();
        }
        self.bytes
    }
}

impl BitCoder for RawEncoder {
    fn code(&mut self, _: &mut Context, bit: u32) -> u32 {
        self.push(bit);
        bit
    }
}
