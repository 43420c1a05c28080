//! The adaptive run-length code MEL (T.814 7.3.3).
//!
//! A codeword stands for a run of symbols 0, with or without a symbol 1 after it. The state k selects the length:
//!
//! ```text
//! 1                    2^e symbols 0                  k + 1
//! 0 and e bits n       n symbols 0 and a symbol 1     k - 1        e = EXPONENTS[k]
//! ```

/// Binary logarithm of the run length of each state, padded to a power of two.
const EXPONENTS: [u8; 16] = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 5, 5, 5];
const MAX_STATE: u32 = 12;
/// Symbols of the longest codeword.
const MAX_SYMBOLS: u32 = 32;

/// Decoded symbols, the next one in bit 0; a bit 1 follows the last one. One word, so that the decoding loop has it in a
/// register.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbols(u64);

impl Symbols {
    pub(super) const NONE: Self = Self(1);

    /// True if there are no symbols.
    #[inline(always)]
    pub(super) const fn is_empty(self) -> bool {
        self.0 <= 1
    }

    /// Removes the next symbol.
    #[inline(always)]
    pub(super) const fn next(&mut self) -> bool {
        let symbol = self.0 & 1 == 1;
        self.0 >>= 1;
        symbol
    }
}

/// Reader of the codewords.
pub(super) struct MelReader<'a> {
    /// The bytes after those in `window`.
    bytes: &'a [u8],
    /// The next bits, `valid` of them, the last one in bit 0.
    window: u32,
    valid: u32,
    is_after_ff: bool,
    state: u32,
}

impl<'a> MelReader<'a> {
    /// Returns a reader of the MEL string of a cleanup segment, of which `bytes` are the last `Scup` ones.
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, window: 0, valid: 0, is_after_ff: false, state: 0 }
    }

    /// Returns the next byte. The upper half of the last byte but one belongs to VLC strings as well; the lower half and the
    /// last byte are the length `Scup`, and read as ones, as do the bytes after the segment.
    fn byte(&mut self) -> u32 {
        match self.bytes {
            [byte, rest @ ..] if !rest.is_empty() => {
                self.bytes = rest;
                u32::from(*byte) | if rest.len() == 1 { 0xF } else { 0 }
            }
            _ => 0xFF,
        }
    }

    fn read(&mut self, count: u32) -> u32 {
        while self.valid < count {
            let byte = self.byte();
            let bits = 8 - u32::from(self.is_after_ff);
            self.window = self.window << bits | byte & ((1 << bits) - 1);
            self.valid += bits;
            self.is_after_ff = byte == 0xFF;
        }
        self.valid -= count;
        self.window >> self.valid & ((1 << count) - 1)
    }

    /// Returns the next symbols, at least 32.
    #[inline(never)]
    pub(super) fn refill(&mut self) -> Symbols {
        let (mut count, mut bits) = (0, 0);
        while count < u64::BITS - MAX_SYMBOLS {
            let exponent = EXPONENTS.get(self.state as usize).map_or(0, |exponent| u32::from(*exponent));
            if self.read(1) == 1 {
                count += 1 << exponent;
                self.state = (self.state + 1).min(MAX_STATE);
            } else {
                count += self.read(exponent);
                bits |= 1 << count;
                count += 1;
                self.state = self.state.saturating_sub(1);
            }
        }
        Symbols(bits | 1 << count)
    }
}
