//! Look-up tables of Huffman codes. The module documentation of `kernel::coefficients` has the layout of an
//! entry.

#![allow(clippy::cast_possible_truncation, reason = "indices have 11 or 16 bits; values are modulo 2^16")]

use super::codes::{Class, Code, Codes, EOB_ADVANCE, HuffmanCode};
use std::sync::Arc;

/// Bits of a window that index a table of pairs.
///
/// With 12 bits the tables of a colour image, 128 KiB, no longer fit the first-level cache.
pub(super) const INDEX_BITS: u32 = 11;
/// Longest symbol of an entry in bits, so that three probes need at most 54.
const MAX_ENTRY_BITS: u32 = 18;

/// Lowest bits of the fields of an entry.
pub(super) const ADVANCE_FIRST: u32 = 8;
pub(super) const ADVANCE_LAST: u32 = 16;
pub(super) const BITS_FIRST: u32 = 24;
pub(super) const BIAS_LAST: u32 = 32;
pub(super) const VALUE_FIRST: u32 = 48;
/// Set in entries that do not determine a symbol.
pub(super) const ESCAPE: u64 = 1 << 7;

/// Set in entries of [`SymbolTable`] that do not determine a symbol.
pub(super) const SINGLE_ESCAPE: u32 = 1 << 7;
/// Set in entries of [`SymbolTable`] for EOB and ZRL.
pub(super) const NO_COEFFICIENT: u32 = 1 << 6;

pub(super) type Entries = [u64; 1 << INDEX_BITS];

/// Returns the index of a window in [`Entries`].
#[inline(always)]
pub(super) const fn index(window: u64) -> usize {
    (window >> (64 - INDEX_BITS)) as usize
}

/// Codes of one block of an MCU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockCodes<'a> {
    pub(crate) dc: HuffmanCode<'a>,
    pub(crate) ac: HuffmanCode<'a>,
    /// Index of the predictor, 0 to 3.
    pub(crate) component: usize,
}

/// Look-up table of one or two symbols per entry.
#[derive(Debug)]
pub(super) struct PairTable {
    pub(super) entries: Box<Entries>,
    /// Codes of first symbols.
    pub(super) codes: Arc<Codes>,
}

impl PairTable {
    /// Builds the table of first symbols with `codes`.
    ///
    /// ```text
    /// for each code and sign:
    ///     fill the indices that start with them with the entry of one symbol
    ///     for each symbol with that code and sign of which an index has all bits, and bits after it:
    ///         for each second symbol that is determined by those bits: fill the indices that start with both
    /// ```
    fn new(codes: Arc<Codes>, seconds: &[Second]) -> Self {
        let mut entries = Box::new([ESCAPE; 1 << INDEX_BITS]);
        for Code { bits, code, value } in codes.iter() {
            let form = codes.form(value);
            let (sign_bits, symbol_bits) = (form.sign_bits(), bits + form.size);
            if bits + sign_bits > INDEX_BITS || symbol_bits > MAX_ENTRY_BITS {
                continue;
            }
            let first = u64::from(symbol_bits)
                | u64::from(form.advance) << ADVANCE_FIRST
                | u64::from(form.advance) << ADVANCE_LAST
                | u64::from(symbol_bits) << BITS_FIRST;
            for sign in 0..=sign_bits {
                let bias = form.base(sign < sign_bits).wrapping_sub(code << form.size) & 0xFFFF;
                let single = first | u64::from(bias) << BIAS_LAST;
                let shift = INDEX_BITS - bits - sign_bits;
                let start = ((code << sign_bits | sign) << shift) as usize;
                let Some(entries) = entries.get_mut(start..start + (1 << shift)) else {
                    debug_assert!(false, "codes have at most as many bits as an index");
                    continue;
                };
                entries.fill(single);
                if symbol_bits >= INDEX_BITS || form.advance == EOB_ADVANCE {
                    continue;
                }
                let rest_bits = INDEX_BITS - symbol_bits;
                let symbols = (code << sign_bits | sign) << (form.size - sign_bits)..;
                for (symbol, entries) in symbols.zip(entries.chunks_mut(1 << rest_bits)) {
                    let value = symbol.wrapping_add(bias) as u16;
                    let first = first | u64::from(value) << VALUE_FIRST;
                    for second in seconds.iter().take_while(|second| second.code_bits <= rest_bits) {
                        if second.shared_bits <= rest_bits && symbol_bits + second.bits <= MAX_ENTRY_BITS {
                            let shift = rest_bits - second.shared_bits;
                            let start = (second.shared << shift) as usize;
                            let entries = entries.get_mut(start..start + (1 << shift)).unwrap_or_default();
                            entries.fill(second.after(first, symbol));
                        }
                    }
                }
            }
        }
        Self { entries, codes }
    }
}

/// Second symbol of a pair: a code and a sign.
#[derive(Debug, Clone, Copy)]
struct Second {
    /// Length in bits of code and extra bits.
    bits: u32,
    code_bits: u32,
    /// Code and sign, and their length in bits.
    shared: u32,
    shared_bits: u32,
    advance: u8,
    bias: u16,
}

impl Second {
    /// Returns the entry of a pair from that of its first symbol, whose bits are `symbol`.
    const fn after(self, first: u64, symbol: u32) -> u64 {
        // `window >> (64 - bits used)` contains the first symbol above the second: the bias subtracts it.
        let bias = self.bias.wrapping_sub((symbol << self.bits) as u16);
        first + (self.bits as u64 | (self.advance as u64 + 1) << ADVANCE_LAST | (bias as u64) << BIAS_LAST)
    }
}

/// Look-up table of one symbol per entry.
///
/// ```text
/// entry   31   16 15     8   7     6    5    0
///        │ bias  │ advance │escape│EOB or│ bits │   value = (window >> (64 - bits)) + bias   (modulo 2^16)
///        │       │         │      │ ZRL  │      │
/// ```
#[derive(Debug)]
pub(super) struct SymbolTable {
    pub(super) entries: Box<[u32; 1 << INDEX_BITS]>,
    pub(super) codes: Codes,
}

impl SymbolTable {
    pub(super) fn new(class: Class, spec: HuffmanCode<'_>) -> Self {
        let codes = Codes::new(class, spec);
        let mut entries = Box::new([SINGLE_ESCAPE; 1 << INDEX_BITS]);
        for Code { bits, code, value } in codes.iter() {
            let form = codes.form(value);
            let sign_bits = form.sign_bits();
            if bits + sign_bits > INDEX_BITS {
                continue;
            }
            let shift = INDEX_BITS - bits - sign_bits;
            for sign in 0..=sign_bits {
                let bias = form.base(sign < sign_bits).wrapping_sub(code << form.size) & 0xFFFF;
                let is_end = if form.is_coefficient() { 0 } else { NO_COEFFICIENT };
                let entry = (bits + form.size) | is_end | u32::from(form.advance) << ADVANCE_FIRST | bias << 16;
                let start = ((code << sign_bits | sign) << shift) as usize;
                if let Some(entries) = entries.get_mut(start..start + (1 << shift)) {
                    entries.fill(entry);
                }
            }
        }
        Self { entries, codes }
    }
}

/// Codes of AC coefficients, also as second symbols of pairs.
#[derive(Debug)]
struct AcCodes {
    codes: Arc<Codes>,
    /// Shortest code first.
    seconds: Vec<Second>,
}

impl AcCodes {
    fn new(spec: HuffmanCode<'_>) -> Self {
        let codes = Arc::new(Codes::new(Class::Ac, spec));
        let mut seconds = Vec::new();
        for Code { bits, code, value } in codes.iter().take_while(|code| code.bits < INDEX_BITS) {
            let form = codes.form(value);
            let sign_bits = form.sign_bits();
            seconds.extend((0..=sign_bits).map(|sign| Second {
                bits: bits + form.size,
                code_bits: bits,
                shared: code << sign_bits | sign,
                shared_bits: bits + sign_bits,
                advance: form.advance,
                bias: form.base(sign < sign_bits).wrapping_sub(code << form.size) as u16,
            }));
        }
        Self { codes, seconds }
    }
}

/// Look-up tables of one block of an MCU.
#[derive(Debug, Clone)]
pub(super) struct BlockTables {
    /// Table of the probe for the DC coefficient; second symbols are AC coefficients.
    pub(super) first: Arc<PairTable>,
    /// Table of the other probes.
    pub(super) rest: Arc<PairTable>,
    pub(super) component: usize,
}

impl BlockTables {
    fn is_of(&self, codes: &BlockCodes<'_>) -> bool {
        self.component == codes.component && self.first.codes.is_of(codes.dc) && self.rest.codes.is_of(codes.ac)
    }
}

/// Look-up tables of the blocks of an MCU. Blocks with equal codes share them.
#[derive(Debug)]
pub(crate) struct McuTables {
    blocks: Vec<BlockTables>,
}

impl McuTables {
    /// Builds the tables for the blocks of an MCU in their order. Values of DC codes are categories, at most 15; larger
    /// ones count modulo 16.
    pub(crate) fn new(blocks: &[BlockCodes<'_>]) -> Self {
        let mut tables: Vec<BlockTables> = Vec::with_capacity(blocks.len());
        let mut ac_codes: Vec<AcCodes> = Vec::new();
        for codes in blocks {
            let component = codes.component;
            let built = tables.iter().find(|built| built.is_of(&BlockCodes { component: built.component, ..*codes }));
            if let Some(built) = built.cloned() {
                tables.push(BlockTables { component, ..built });
                continue;
            }
            let ac = match ac_codes.iter().position(|built| built.codes.is_of(codes.ac)) {
                Some(index) => index,
                None => {
                    ac_codes.push(AcCodes::new(codes.ac));
                    ac_codes.len() - 1
                }
            };
            let Some(AcCodes { codes: ac, seconds }) = ac_codes.get(ac) else { continue };
            let rest = tables.iter().find(|built| Arc::ptr_eq(&built.rest.codes, ac)).map(|built| built.rest.clone());
            let rest = rest.unwrap_or_else(|| Arc::new(PairTable::new(ac.clone(), seconds)));
            let dc = Arc::new(Codes::new(Class::Dc, codes.dc));
            tables.push(BlockTables { first: Arc::new(PairTable::new(dc, seconds)), rest, component });
        }
        Self { blocks: tables }
    }

    /// True if [`Self::new`] of `blocks` would give the same tables.
    pub(crate) fn is_of(&self, blocks: &[BlockCodes<'_>]) -> bool {
        self.blocks.len() == blocks.len() && self.blocks.iter().zip(blocks).all(|(built, codes)| built.is_of(codes))
    }

    /// Returns the number of blocks of an MCU.
    #[inline(always)]
    pub(super) const fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// Returns the tables of the blocks of an MCU from `position` on.
    #[inline(always)]
    pub(super) fn from(&self, position: usize) -> std::slice::Iter<'_, BlockTables> {
        self.blocks.get(position..).unwrap_or_default().iter()
    }
}
