//! State of the coefficients of a block, as bitmaps in coding order.
//!
//! A block is coded in stripes of four rows, column by column. A word has eight columns of a stripe, six bits each:
//!
//! ```text
//! core word         bit 6 c + r             column c 0 to 7, row r 0 to 3; bits 4 and 5 of each column are 0
//! word with halo    bit 6 (c + 1) + r + 1   c -1 to 8, r -1 to 4: the core word << 7, and all its neighbours
//! ```
//!
//! ```text
//! halo   stripe above      0 │  6  12  18  24  30  36  42  48 │ 54       bits of the word with halo
//!        row 0             1 │  7  13  19  25  31  37  43  49 │ 55
//!        row 1             2 │  8  14  20  26  32  38  44  50 │ 56
//!        row 2             3 │  9  15  21  27  33  39  45  51 │ 57
//!        row 3             4 │ 10  16  22  28  34  40  46  52 │ 58
//! halo   stripe below      5 │ 11  17  23  29  35  41  47  53 │ 59
//! ```
//!
//! Bit order is coding order, so the next coefficient of a set is its lowest bit. The window of the neighbours of core bit
//! `p` is the word with halo shifted right by `p` (see [`super::contexts`]). Sets of a whole word, for example all
//! insignificant coefficients with significant neighbours, take a few operations:
//!
//! ```text
//! v = w | w << 1 | w >> 1                   significant here, above or below     (w: word with halo)
//! neighbours = w << 1 | w >> 1 | v << 6 | v >> 6
//! ```
//!
//! Shifts by 1 carry bits between columns only in the rows of the halo. Words of one bitmap are `stride` apart from stripe
//! to stripe; one stripe and one word of zeros surround the block.

use super::mq::Contexts;

/// Columns of a word.
pub(super) const WORD_COLUMNS: usize = 8;
/// Rows of a stripe.
pub(super) const STRIPE_ROWS: usize = 4;
/// Bits of a column in a word.
pub(super) const COLUMN_BITS: usize = 6;
/// Row 0 of each column of a core word.
pub(super) const ROW_0: u64 = 0x0000_0410_4104_1041 & CORE;
const ROW_3: u64 = ROW_0 << 3;
/// All coefficients of a core word.
const CORE: u64 = 0x0000_3CF3_CF3C_F3CF;
/// Shift from a core word to the word with halo.
pub(super) const CORE_SHIFT: u32 = 7;
/// Column 7 of a core word with the halo above and below, shifted to the halo on the left.
const LEFT_SHIFT: u32 = 48;
const LEFT_HALO: u64 = 0x3F;

/// Bitmaps of 8 × 4 coefficients, as core words.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Word {
    pub(super) significant: u64,
    pub(super) negative: u64,
    /// Coefficients coded in the significance propagation pass of this bit-plane.
    pub(super) visited: u64,
    /// Coefficients that were refined at least once.
    pub(super) refined: u64,
}

/// Arrangement of the words of a block.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Grid {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Words of a stripe.
    pub(super) columns: usize,
    pub(super) stripes: usize,
    /// Words between vertical neighbours.
    pub(super) stride: usize,
    /// Coefficients of the last word of a stripe.
    last_columns: u64,
    /// Coefficients of the last stripe.
    last_rows: u64,
}

impl Grid {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let (columns, stripes) = (width.div_ceil(WORD_COLUMNS), height.div_ceil(STRIPE_ROWS));
        let unused_columns = columns * WORD_COLUMNS - width;
        let unused_rows = stripes * STRIPE_ROWS - height;
        Self {
            width,
            height,
            columns,
            stripes,
            stride: columns + 2,
            last_columns: CORE >> (unused_columns * COLUMN_BITS),
            last_rows: (0xF >> unused_rows) * ROW_0,
        }
    }

    /// Returns the number of words with the border.
    pub(super) const fn word_count(&self) -> usize {
        self.stride * (self.stripes + 2)
    }

    /// Returns the index of the first word of a stripe.
    #[inline(always)]
    pub(super) const fn first_word(&self, stripe: usize) -> usize {
        (stripe + 1) * self.stride + 1
    }

    /// Returns the coefficients of the words of a stripe, before the last one.
    #[inline(always)]
    pub(super) const fn rows(&self, stripe: usize) -> u64 {
        if stripe + 1 == self.stripes { self.last_rows } else { CORE }
    }

    /// Returns the coefficients of a word of a stripe with the coefficients `rows`; the first word has index 1.
    #[inline(always)]
    pub(super) const fn valid(&self, rows: u64, index: usize) -> u64 {
        if index == self.columns { rows & self.last_columns } else { rows }
    }
}

/// True if the columns of a stripe have four rows.
#[inline(always)]
pub(super) const fn is_full_stripe(rows: u64) -> bool {
    rows == CORE
}

/// State of a block that the coding passes change.
pub(super) struct Bitmaps<'a> {
    pub(super) grid: Grid,
    pub(super) words: &'a mut [Word],
    /// Per stripe, with one zero before and after all: 0 if it has no significant coefficient.
    pub(super) occupied: &'a mut [u64],
    /// Magnitude bits of the bit-plane being decoded.
    pub(super) plane: &'a mut [u64],
    pub(super) contexts: &'a mut Contexts,
    /// [`ROW_0`]; 0 if the stripe below does not count as a neighbour (vertically causal contexts, T.800 D.7).
    pub(super) row_below: u64,
}

/// Words of a stripe and its neighbours, as slices of one length: the words of the stripe with one border word on each side.
pub(super) struct Stripe<'a> {
    above: &'a [Word],
    pub(super) words: &'a mut [Word],
    below: &'a [Word],
    pub(super) occupied: &'a mut u64,
    /// Magnitude bits of the bit-plane being decoded.
    pub(super) plane: &'a mut [u64],
    row_below: u64,
}

#[allow(clippy::indexing_slicing, reason = "indices are those of stripes inside the border")]
impl Bitmaps<'_> {
    /// Returns the words of a stripe, and the contexts.
    #[inline(always)]
    pub(super) fn stripe(&mut self, stripe: usize) -> (Stripe<'_>, &mut Contexts) {
        let stride = self.grid.stride;
        let (above, rest) = self.words.split_at_mut((stripe + 1) * stride);
        let (words, below) = rest.split_at_mut(stride);
        let (_, above) = above.split_at(stripe * stride);
        let (below, _) = below.split_at(stride);
        let (_, plane) = self.plane.split_at_mut((stripe + 1) * stride);
        let (plane, _) = plane.split_at_mut(stride);
        let occupied = &mut self.occupied[stripe + 1];
        (Stripe { above, words, below, occupied, plane, row_below: self.row_below }, self.contexts)
    }

    /// True if neither a stripe nor its neighbours have significant coefficients.
    #[inline(always)]
    pub(super) fn is_empty(&self, stripe: usize) -> bool {
        self.occupied[stripe] | self.occupied[stripe + 1] | self.occupied[stripe + 2] == 0
    }
}

#[allow(clippy::indexing_slicing, reason = "indices are those of words inside the border")]
impl Stripe<'_> {
    /// Returns the indices of the words inside the border. All slices have the same length, which the compiler sees here.
    #[inline(always)]
    pub(super) fn indices(&mut self) -> std::ops::Range<usize> {
        let length = self.words.len();
        self.above = &self.above[..length];
        self.below = &self.below[..length];
        let plane = std::mem::take(&mut self.plane);
        self.plane = &mut plane[..length];
        1..length - 1
    }

    /// Returns the significance of a word's columns with the halo above and below, but not left and right.
    #[inline(always)]
    pub(super) fn columns(&self, index: usize) -> u64 {
        let (above, below) = (self.above[index].significant, self.below[index].significant);
        self.words[index].significant << CORE_SHIFT | (above & ROW_3) << 3 | (below & self.row_below) << 11
    }

    /// Returns the signs of a word and of its horizontal and vertical neighbours.
    #[inline(always)]
    pub(super) fn signs(&self, index: usize) -> u64 {
        let (above, below) = (self.above[index].negative, self.below[index].negative);
        let (left, right) = (self.words[index - 1].negative, self.words[index + 1].negative);
        self.words[index].negative << CORE_SHIFT
            | (above & ROW_3) << 3
            | (below & self.row_below) << 11
            | left >> (LEFT_SHIFT - CORE_SHIFT)
            | right << (CORE_SHIFT + LEFT_SHIFT)
    }
}

/// Returns a word with its halo from the columns of three words; `left` may have a halo itself.
#[inline(always)]
pub(super) const fn with_halo(left: u64, columns: u64, right: u64) -> u64 {
    left >> LEFT_SHIFT & LEFT_HALO | columns | right << LEFT_SHIFT
}

/// Returns the coefficients with significant neighbours, as a core word.
#[inline(always)]
pub(super) const fn neighbours(word: u64) -> u64 {
    let vertical = word << 1 | word >> 1;
    let all = vertical | word;
    (vertical | all << COLUMN_BITS | all >> COLUMN_BITS) >> CORE_SHIFT & CORE
}
