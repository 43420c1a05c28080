//! Canonical Huffman codes, and the symbols that they start (T.81 Annex C, F.1.2, G.1.2).

#![allow(clippy::cast_possible_truncation, reason = "codes have at most 16 bits; values are modulo 2^16")]

use super::table::INDEX_BITS;

/// Advance of EOB: more than any position in a block plus the longest run.
pub(super) const EOB_ADVANCE: u8 = 80;
/// Zeros of ZRL before the last one, which counts as the coefficient.
const ZRL_RUN: u8 = 15;
/// Most entries of a table of long codes. Only artificial tables need more; their codes are searched by length.
const MAX_LONG_ENTRIES: u32 = 8192;

/// Huffman codes as DHT specifies them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HuffmanCode<'a> {
    /// `counts[n - 1]` is the number of codes of n bits. The codes are prefix-free.
    pub(crate) counts: &'a [u8; 16],
    /// Values of the codes, shortest code first.
    pub(crate) values: &'a [u8],
}

/// Rules for the values of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// DC coefficients.
    Dc,
    /// AC coefficients of a sequential scan.
    Ac,
    /// AC coefficients of the first scan of a band, or of a refinement scan. They have runs of EOB.
    ProgressiveAc { is_refinement: bool },
}

/// Extra bits after a code, and their meaning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) advance: u8,
    /// Number of extra bits.
    pub(super) size: u32,
    /// True if they are the length of a run of EOB, less 2^size (T.81 Table G.1); otherwise they are a coefficient.
    is_eob_run: bool,
}

impl Form {
    /// Extra bits that a look-up table needs in its index: the sign of a coefficient.
    pub(super) fn sign_bits(self) -> u32 {
        u32::from(self.size > 0 && !self.is_eob_run)
    }

    /// True unless the symbol is EOB or ZRL.
    pub(super) const fn is_coefficient(self) -> bool {
        self.size > 0 && !self.is_eob_run
    }

    /// Returns the number that is added to extra bits with this sign, modulo 2^16 (T.81 Figure F.12 for coefficients).
    pub(super) const fn base(self, is_negative: bool) -> u32 {
        match (self.is_eob_run, is_negative) {
            (true, _) => 1 << self.size,
            (false, true) => 1_u32.wrapping_sub(1 << self.size),
            (false, false) => 0,
        }
    }

    /// Returns the value of the extra bits modulo 2^16.
    fn value(self, extra_bits: u32) -> u16 {
        let is_negative = self.sign_bits() > 0 && extra_bits >> (self.size - 1) == 0;
        extra_bits.wrapping_add(self.base(is_negative)) as u16
    }
}

/// A symbol: its length in bits, the distance from the next coefficient to its own, and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Symbol {
    pub(super) bits: u32,
    pub(super) advance: u8,
    pub(super) value: u16,
    /// False for EOB and ZRL.
    pub(super) is_coefficient: bool,
}

/// One code: its length in bits, its bits, and its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Code {
    pub(super) bits: u32,
    pub(super) code: u32,
    pub(super) value: u8,
}

/// Canonical Huffman codes (T.81 Annex C) of one class.
#[derive(Debug)]
pub(super) struct Codes {
    class: Class,
    counts: [u8; 16],
    values: Vec<u8>,
    /// Per code length: end of the codes up to that length, left-aligned in 16 bits (libjpeg: `maxcode`).
    code_ends: [u32; 17],
    /// Per code length: added to a code, gives the index of its value (libjpeg: `valoffset`).
    value_offsets: [i32; 17],
    /// The first 16 bits of a window with a code of at least `INDEX_BITS` bits are `long_start` or more.
    long_start: u32,
    /// Code length and value << 8 for each 16 bits from `long_start` on, up to the last code.
    long: Vec<u16>,
}

impl Codes {
    pub(super) fn new(class: Class, spec: HuffmanCode<'_>) -> Self {
        let mut codes = Self {
            class,
            counts: *spec.counts,
            values: spec.values.to_vec(),
            code_ends: [0; 17],
            value_offsets: [0; 17],
            long_start: 0,
            long: Vec::new(),
        };
        let (mut code, mut value_index) = (0_u32, 0_i32);
        let ends = codes.code_ends.iter_mut().zip(&mut codes.value_offsets).skip(1);
        for ((length, count), (code_end, value_offset)) in (1_u32..).zip(spec.counts).zip(ends) {
            code <<= 1;
            *value_offset = value_index - code.cast_signed();
            code += u32::from(*count);
            value_index += i32::from(*count);
            *code_end = code << (16 - length);
        }
        let code_end = |bits: u32| codes.code_ends.get(bits as usize).copied().unwrap_or(0);
        let codes_end = code_end(16);
        codes.long_start = code_end(INDEX_BITS - 1);
        if codes_end.saturating_sub(codes.long_start) <= MAX_LONG_ENTRIES {
            let mut long = Vec::new();
            for code in codes.iter().filter(|code| code.bits >= INDEX_BITS) {
                let entry = u16::from(code.value) << 8 | code.bits as u16;
                long.extend(std::iter::repeat_n(entry, 1 << (16 - code.bits)));
            }
            codes.long = long;
        }
        codes
    }

    /// True if these are the codes of `spec`.
    pub(super) fn is_of(&self, spec: HuffmanCode<'_>) -> bool {
        self.counts == *spec.counts && self.values == spec.values
    }

    /// Returns all codes, shortest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Code> {
        let lengths = (1_u32..).zip(self.counts).flat_map(|(bits, count)| std::iter::repeat_n(bits, count.into()));
        let mut last = Code { bits: 0, code: u32::MAX, value: 0 };
        lengths.zip(&self.values).map(move |(bits, value)| {
            let code = last.code.wrapping_add(1) << (bits - last.bits);
            last = Code { bits, code, value: *value };
            last
        })
    }

    /// Returns the meaning of a code's value.
    pub(super) const fn form(&self, value: u8) -> Form {
        let (run, size) = (value >> 4, (value & 15) as u32);
        let is_eob = size == 0 && run < ZRL_RUN;
        match self.class {
            Class::Dc => Form { advance: 0, size, is_eob_run: false },
            Class::Ac if is_eob => Form { advance: EOB_ADVANCE, size: 0, is_eob_run: false },
            Class::ProgressiveAc { .. } if is_eob => Form { advance: EOB_ADVANCE, size: run as u32, is_eob_run: true },
            // libjpeg-turbo: a coefficient that was zero has one bit, its sign, whatever the size is.
            Class::ProgressiveAc { is_refinement: true } if size > 0 => {
                Form { advance: run, size: 1, is_eob_run: false }
            }
            _ => Form { advance: run, size, is_eob_run: false },
        }
    }

    /// Returns length in bits and value of the code at the start of `window`, or `None` if it is unassigned.
    #[inline]
    pub(super) fn code(&self, window: u64) -> Option<(u32, u8)> {
        let top = (window >> 48) as u32;
        if let Some(entry) = top.checked_sub(self.long_start).and_then(|index| self.long.get(index as usize)) {
            return Some((u32::from(entry & 0xFF), (entry >> 8) as u8));
        }
        let bits = (1_u32..).zip(self.code_ends.iter().skip(1)).find(|(_, end)| top < **end)?.0;
        let offset = self.value_offsets.get(bits as usize)?;
        let value_index = (top >> (16 - bits)).checked_add_signed(*offset)?;
        Some((bits, *self.values.get(value_index as usize)?))
    }

    /// Returns the symbol at the start of `window`, or `None` if its code is unassigned.
    #[cold]
    #[inline(never)]
    pub(super) fn symbol(&self, window: u64) -> Option<Symbol> {
        let (code_bits, value) = self.code(window)?;
        let form = self.form(value);
        // `>> 1` first, because the size may be 0.
        let extra_bits = (window << code_bits >> 1 >> (63 - form.size)) as u32;
        Some(Symbol {
            bits: code_bits + form.size,
            advance: form.advance,
            value: form.value(extra_bits),
            is_coefficient: form.is_coefficient(),
        })
    }
}
