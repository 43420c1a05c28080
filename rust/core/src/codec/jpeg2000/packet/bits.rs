//! Bits of packet headers (T.800 B.10.1): after a byte FF, the next byte has seven bits.

/// Reads bits from the first byte of a packet header on. Bits after the end of the bytes are 0; [`Self::is_cut`] reports them.
#[derive(Debug, Clone)]
pub(in crate::codec) struct BitReader<'a> {
    bytes: &'a [u8],
    /// Index of the next byte.
    next: usize,
    /// Byte that is being read.
    byte: u8,
    /// Number of its bits that are not read.
    bits: u32,
    is_cut: bool,
}

impl<'a> BitReader<'a> {
    pub(in crate::codec) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, next: 0, byte: 0, bits: 0, is_cut: false }
    }

    /// Returns the next bit.
    pub(in crate::codec) fn bit(&mut self) -> bool {
        if self.bits == 0 {
            self.bits = if self.byte == 0xFF { 7 } else { 8 };
            match self.bytes.get(self.next) {
                Some(byte) => {
                    self.byte = *byte;
                    self.next += 1;
                }
                None => {
                    self.byte = 0;
                    self.is_cut = true;
                }
            }
        }
        self.bits -= 1;
        self.byte >> self.bits & 1 != 0
    }

    /// Returns the next `count` bits, at most 32, the first one in the highest place.
    pub(in crate::codec) fn bits(&mut self, count: u32) -> u32 {
        (0..count).fold(0, |value, _| value << 1 | u32::from(self.bit()))
    }

    /// True if bits after the end were read.
    pub(in crate::codec) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Ends the header. Returns the number of its bytes: a byte FF at its end is followed by a stuffed one.
    pub(in crate::codec) fn finish(mut self) -> Option<usize> {
        if self.byte == 0xFF {
            self.next += 1;
        }
        (!self.is_cut && self.next <= self.bytes.len()).then_some(self.next)
    }
}
