//! Look-up tables of the variable-length codes, made from [`super::codes`] by the compiler.
//!
//! Word of a quad (entry of [`INITIAL`] and [`OTHER`], to which the residual is added):
//!
//! ```text
//!   31  30     24 23  20 19  16 15   12 11    10  9       7  6 5      0
//!  | γ | u_q     |  E_k |  E_1 |   ρ   | u_off  | context |   | length |
//! ```
//!
//! | field | content |
//! |---|---|
//! | length | bits of the codeword; the shift instructions of CPUs use these 6 bits of a count only |
//! | context | contribution to the context of the next quad, as bits 7 to 9 of its table index |
//! | u_off | 3 if the residual u_q follows, otherwise 0 |
//! | ρ, E_1, E_k | patterns of the quad's samples: significance, known bits, presence of known bits |
//! | u_q | unsigned residual of the exponent bound |
//! | γ | 1 if more than one sample is significant |
//!
//! Samples of a quad, and bits of ρ that contribute to contexts (T.814 7.3.5):
//!
//! ```text
//! 0 2     initial line   (ρ0 | ρ1) + 2 ρ2 + 4 ρ3 of the quad on the left
//! 1 3     other lines    2 (ρ2 | ρ3) of the quad on the left; 1 and 4 come from the line above
//! ```

use super::codes::{INITIAL_CODES, OTHER_CODES};

/// Bits of the codeword that index the tables.
const CODE_BITS: u32 = 7;
/// Field `length`.
pub(super) const LENGTH: u32 = 63;
/// Bits of the field `u_off`: that of the first and of the second quad of a pair, 2 bits above the flags in [`RESIDUALS`].
pub(super) const RESIDUAL_FLAGS: [u64; 2] = [1 << 10, 1 << 11];
/// Field `context`.
pub(super) const CONTEXT: u32 = 7 << CODE_BITS;
/// First bits of the fields ρ, `E_1`, `E_k` and `u_q`.
pub(super) const SIGNIFICANT_SHIFT: u32 = 12;
pub(super) const KNOWN_ONE_SHIFT: u32 = 16;
pub(super) const KNOWN_SHIFT: u32 = 20;
pub(super) const RESIDUAL_SHIFT: u32 = 24;
/// Field `u_q`, after a shift by [`RESIDUAL_SHIFT`].
pub(super) const RESIDUAL_MASK: u32 = 0x7F;
/// Bit γ.
pub(super) const MANY_FLAG: u32 = 1 << 31;

/// A table of quads, indexed by the context and 7 bits of the codeword.
pub(super) type CodeTable<Word> = [Word; 1024];

/// First and second quads of the initial line.
pub(super) static INITIAL: CodeTable<u32> = first_table(&INITIAL_CODES, true);
pub(super) static INITIAL_SECOND: CodeTable<u64> = second_table(&INITIAL_CODES, true);
/// First and second quads of the other lines.
pub(super) static OTHER: CodeTable<u32> = first_table(&OTHER_CODES, false);
pub(super) static OTHER_SECOND: CodeTable<u64> = second_table(&OTHER_CODES, false);

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn first_table(codes: &[&[u32]; 8], is_initial: bool) -> CodeTable<u32> {
    let (mut table, mut context) = ([0; 1024], 0);
    while context < codes.len() {
        let mut index = 0;
        while index < codes[context].len() {
            let code = codes[context][index];
            let (length, step) = (code >> 16 & 15, 1 << (code >> 16 & 15));
            let mut codeword = (code >> 20) as usize;
            while codeword < 1 << CODE_BITS {
                table[context << CODE_BITS | codeword] = quad_word(code, length, is_initial);
                codeword += step;
            }
            index += 1;
        }
        context += 1;
    }
    table
}

/// Returns the words of second quads: the fields length, context and `u_off` in the lower half, the others in the upper one.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn second_table(codes: &[&[u32]; 8], is_initial: bool) -> CodeTable<u64> {
    let words = first_table(codes, is_initial);
    let (mut table, mut index) = ([0; 1024], 0);
    while index < table.len() {
        let word = words[index] as u64;
        let low = word & ((1 << SIGNIFICANT_SHIFT) - 1);
        let flag = low & RESIDUAL_FLAGS[0];
        table[index] = (low ^ flag) | flag << 1 | (word ^ low) << 32;
        index += 1;
    }
    table
}

/// Returns the word of a quad, without residual.
const fn quad_word(code: u32, length: u32, is_initial: bool) -> u32 {
    let (significant, flag, known, known_one) = (code >> 12 & 15, code >> 8 & 1, code >> 4 & 15, code & 15);
    let right = significant >> 2;
    let context = if is_initial { right << 1 | (significant & 3 != 0) as u32 } else { ((right != 0) as u32) << 1 };
    length
        | flag << 10
        | context << CODE_BITS
        | significant << SIGNIFICANT_SHIFT
        | known_one << KNOWN_ONE_SHIFT
        | known << KNOWN_SHIFT
        | if significant.count_ones() > 1 { MANY_FLAG } else { 0 }
}

/// Residuals of two quads, indexed by 8 bits of the data and the flags `u_off` of both quads (bits 8 and 9).
///
/// ```text
///   63  62    56 55      31  30    24 23     7        6    5     0
///  |    | u_q   |           | u_q    |        | is longer  | length |
///  |    | second|           | first  |        | than 8 bits|        |
/// ```
///
/// The fields are those of two quads, of which the second one is in the upper half.
pub(super) static RESIDUALS: [u64; 1024] = residual_table();
/// Bit of [`RESIDUALS`]: a residual is longer than the table's index.
pub(super) const IS_LONG: u64 = 1 << 6;

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated by the compiler")]
const fn residual_table() -> [u64; 1024] {
    let (mut table, mut index) = ([0; 1024], 0);
    while index < table.len() {
        let bits = index as u32 & 0xFF;
        let flags = [index >> 8 & 1 == 1, index >> 9 & 1 == 1];
        let residuals = read_residuals(bits, flags, Pair::Normal);
        table[index] = if residuals.has_long_suffix { IS_LONG } else { residuals.entry() };
        index += 1;
    }
    table
}

/// Rule for the residuals of two quads that both have one (T.814 7.3.6).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    /// Independent residuals.
    Normal,
    /// Initial line, MEL symbol 0: one of the residuals is at most 2.
    InitialSmall,
    /// Initial line, MEL symbol 1: both residuals are above 2.
    InitialLarge,
}

/// Residuals of two quads, 0 for a quad without.
pub(super) struct Residuals {
    values: [u32; 2],
    /// Bits read.
    length: u32,
    has_long_suffix: bool,
}

impl Residuals {
    /// Returns an entry as those of [`RESIDUALS`].
    pub(super) const fn entry(&self) -> u64 {
        let [first, second] = self.values;
        (first as u64) << RESIDUAL_SHIFT | (second as u64) << (32 + RESIDUAL_SHIFT) | self.length as u64
    }
}

/// Reads the residuals of the quads that have one from the next bits of the data, at most 24 of them (T.814 7.3.6).
///
/// The parts of both residuals alternate: prefixes, suffixes, extensions.
///
/// | prefix | suffix | u_q |
/// |---|---|---|
/// | 1 | | 1 |
/// | 01 | | 2 |
/// | 001 | 1 bit | 3, 4 |
/// | 000 | 5 bits s | 5 + s; from s = 28 on, 4 more bits e, and 5 + s + 4 e |
pub(super) const fn read_residuals(mut bits: u32, flags: [bool; 2], pair: Pair) -> Residuals {
    let (mut length, mut values, mut suffixes, mut index) = (0, [0; 2], [0; 2], 0);
    while index < 2 {
        let [value, suffix, prefix_length] = match bits & 7 {
            _ if !flag(flags, index) => [0, 0, 0],
            _ if index == 1 && matches!(pair, Pair::InitialSmall) && values[0] > 2 => [1 + (bits & 1), 0, 1],
            1 | 3 | 5 | 7 => [1, 0, 1],
            2 | 6 => [2, 0, 2],
            4 => [3, 1, 3],
            _ => [5, 5, 3],
        };
        if index == 0 {
            (values[0], suffixes[0]) = (value, suffix);
        } else {
            (values[1], suffixes[1]) = (value, suffix);
        }
        bits >>= prefix_length;
        length += prefix_length;
        index += 1;
    }
    let [first_suffix, second_suffix] = suffixes;
    let first = bits & ((1 << first_suffix) - 1);
    bits >>= first_suffix;
    let second = bits & ((1 << second_suffix) - 1);
    bits >>= second_suffix;
    length += first_suffix + second_suffix;
    let (first_extension, second_extension) = (4 * (first >= 28) as u32, 4 * (second >= 28) as u32);
    let first = first + 4 * (bits & ((1 << first_extension) - 1));
    bits >>= first_extension;
    let second = second + 4 * (bits & ((1 << second_extension) - 1));
    length += first_extension + second_extension;
    let base = if matches!(pair, Pair::InitialLarge) { 2 } else { 0 };
    Residuals {
        values: [values[0] + first + base, values[1] + second + base],
        length,
        has_long_suffix: first_suffix > 1 || second_suffix > 1,
    }
}

const fn flag([first, second]: [bool; 2], index: usize) -> bool {
    if index == 0 { first } else { second }
}
