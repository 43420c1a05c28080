//! Contexts of the coding passes (T.800 D.3), looked up by the significance of the eight neighbours.
//!
//! A *window* is a word of significance bits (see [`super::bitmaps`]), shifted so that the top left neighbour is bit 0:
//!
//! ```text
//! bit    0  6 12      NW  N NE                     index    6  3  0
//!        1  7 13       W  ·  E      ── gather ──►           7  4  1
//!        2  8 14      SW  S SE                              8  5  2
//! ```
//!
//! One multiplication gathers the three columns: it adds copies of the window, shifted by 43, 52 and 61 bits, whose columns
//! do not overlap in 64 bits, and the columns wanted become the top nine bits.

#![allow(clippy::indexing_slicing, reason = "tables are filled by counting up to their lengths")]
#![allow(clippy::cast_possible_truncation, reason = "single bits of an index")]

use super::mq::FIRST_SIGN_CONTEXT;
use crate::kernel::code_block::BandKind;

const NEIGHBOURHOOD: u64 = 0x71C7;
const GATHER: u64 = 1 << 43 | 1 << 52 | 1 << 61;
/// Bits of a window: the neighbours N, W, E and S.
const CROSS: u64 = 0x2142;
/// Bits of the index: the neighbours N, W, E and S.
const CROSS_INDEX: usize = 0xAA;

/// Returns the index of a window in a [`ZeroCodingTable`].
#[inline(always)]
pub(super) fn zero_coding_index(window: u64) -> usize {
    ((window & NEIGHBOURHOOD).wrapping_mul(GATHER) >> 55) as usize
}

/// Returns the index in [`SIGN_CODING`] of a window of significance bits and one of signs.
#[inline(always)]
pub(super) fn sign_coding_index(significant: u64, negative: u64) -> usize {
    let signs = ((negative & CROSS).wrapping_mul(GATHER) >> 56) as usize;
    zero_coding_index(significant) & CROSS_INDEX | signs
}

/// Significance contexts (T.800 Table D.1) by [`zero_coding_index`].
pub(super) type ZeroCodingTable = [u8; 512];

static LL_LH: ZeroCodingTable = zero_coding_table(BandKind::Ll);
static HL: ZeroCodingTable = zero_coding_table(BandKind::Hl);
static HH: ZeroCodingTable = zero_coding_table(BandKind::Hh);

/// Returns the significance contexts of a band.
pub(super) const fn zero_coding(band: BandKind) -> &'static ZeroCodingTable {
    match band {
        BandKind::Ll | BandKind::Lh => &LL_LH,
        BandKind::Hl => &HL,
        BandKind::Hh => &HH,
    }
}

const fn zero_coding_table(band: BandKind) -> ZeroCodingTable {
    let mut table = [0; 512];
    let mut index = 0;
    while index < table.len() {
        let horizontal = bit(index, 7) + bit(index, 1);
        let vertical = bit(index, 3) + bit(index, 5);
        let diagonal = bit(index, 6) + bit(index, 0) + bit(index, 8) + bit(index, 2);
        table[index] = match band {
            BandKind::Ll | BandKind::Lh => low_pass_context(horizontal, vertical, diagonal),
            BandKind::Hl => low_pass_context(vertical, horizontal, diagonal),
            BandKind::Hh => high_pass_context(horizontal + vertical, diagonal),
        };
        index += 1;
    }
    table
}

const fn bit(index: usize, position: u32) -> u8 {
    (index >> position & 1) as u8
}

/// Context in LL and LH bands.
const fn low_pass_context(horizontal: u8, vertical: u8, diagonal: u8) -> u8 {
    match (horizontal, vertical, diagonal) {
        (2, _, _) => 8,
        (1, 1.., _) => 7,
        (1, 0, 1..) => 6,
        (1, 0, 0) => 5,
        (_, 2, _) => 4,
        (_, 1, _) => 3,
        (_, _, 2..) => 2,
        (_, _, diagonal) => diagonal,
    }
}

/// Context in HH bands; `cross` is the number of horizontal and vertical neighbours.
const fn high_pass_context(cross: u8, diagonal: u8) -> u8 {
    match (diagonal, cross) {
        (3.., _) => 8,
        (2, 1..) => 7,
        (2, 0) => 6,
        (1, 2..) => 5,
        (1, cross) => 3 + cross,
        (_, 2..) => 2,
        (_, cross) => cross,
    }
}

/// Sign contexts (T.800 Table D.3): the low byte is the context, bit 8 the bit to exclusive-or with. The index has the
/// significance of the neighbours E, N, S, W at bits 1, 3, 5, 7, and their signs at bits 0, 2, 4, 6.
pub(super) static SIGN_CODING: [u16; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let horizontal = clamped_sum(contribution(index, 0), contribution(index, 6));
        let vertical = clamped_sum(contribution(index, 2), contribution(index, 4));
        let is_flipped = horizontal < 0 || (horizontal == 0 && vertical < 0);
        let vertical = if is_flipped { -vertical } else { vertical };
        let offset = if horizontal == 0 { vertical } else { 3 + vertical };
        table[index] = (FIRST_SIGN_CONTEXT as i16 + offset).cast_unsigned() | (is_flipped as u16) << 8;
        index += 1;
    }
    table
};

/// Contribution of a neighbour (T.800 Table D.2): 1 if positive, -1 if negative, 0 if insignificant.
const fn contribution(index: usize, position: u32) -> i16 {
    match index >> position & 3 {
        2 => 1,
        3 => -1,
        _ => 0,
    }
}

const fn clamped_sum(first: i16, second: i16) -> i16 {
    match first + second {
        2 => 1,
        -2 => -1,
        sum => sum,
    }
}
