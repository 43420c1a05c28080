//! Huffman tables for the categories of one image (T.81 K.2).
//!
//! ```text
//! count the categories of all differences                                       `scan::count`
//! code_sizes:       build a Huffman tree (Figure K.1) of the categories that occur and one reserved symbol
//! limited_lengths:  move codes of more than 16 bits up the tree (Figure K.3); drop the reserved symbol's code
//! Table::new:       number the codes of each length (Figures C.1 to C.3)
//! ```
//!
//! The reserved symbol has the lowest frequency, and so the last code: all ones, which T.81 C.2 does not allow.
//!
//! Example: categories 3, 4, 5, 6 occur 10, 100, 20 and 5 times; the reserved symbol R counts once.
//!
//! ```text
//! merge R 1 + 6 5 → 6; + 3 10 → 16; + 5 20 → 36; + 4 100 → 136
//! sizes      R 4, 6 4, 3 3, 5 2, 4 1          lengths of 1, 2, 3, 4 bits: 1, 1, 1, 2 codes; without R: 1, 1, 1, 1
//! codes      4: 0, 5: 10, 3: 110, 6: 1110     1111 is free
//! ```

/// Categories of differences modulo 2^16: the symbols of a table (T.81 Table H.2).
pub(super) const CATEGORIES: usize = 17;
/// Length in bits of the longest code (T.81 B.2.4.2).
const MAX_CODE_BITS: usize = 16;

/// Number of differences of each category in one component.
pub(super) type Counts = [u64; CATEGORIES];

/// Returns the number of extra bits after the code of a category: none for 16, which has one difference (T.81 H.1.2.2).
pub(super) fn extra_bits(category: usize) -> u32 {
    u32::try_from(category).unwrap_or(0) % 16
}

/// A Huffman table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// `lengths[n - 1]` is the number of codes of n bits.
    lengths: [u8; MAX_CODE_BITS],
    /// Categories, shortest code first.
    values: Vec<u8>,
    codes: [Code; CATEGORIES],
}

/// Code of a category; its length is 0 if the category does not occur.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) bits: u16,
    pub(super) length: u32,
}

impl Table {
    /// Builds the table that codes `counts` in the fewest bits, with codes of at most 16 bits and without the code of all ones.
    #[allow(clippy::indexing_slicing, reason = "lengths are 1 to 16 once they are limited, categories 0 to 16")]
    pub(super) fn new(counts: &Counts) -> Self {
        let sizes = code_sizes(counts);
        let limited = limited_lengths(&sizes);
        // Figure K.4: limiting changes the lengths of codes, not the order of the categories.
        let mut values: Vec<u8> = (0..17).filter(|category| sizes[usize::from(*category)] > 0).collect();
        values.sort_by_key(|category| sizes[usize::from(*category)]);
        // Figures C.1 to C.3: codes of one length are consecutive; the first code of the next length appends a 0.
        let mut codes = [Code::default(); CATEGORIES];
        let mut remaining = values.iter();
        let mut bits = 0;
        for (length, count) in (1..).zip(limited) {
            bits <<= 1;
            for category in remaining.by_ref().take(usize::from(count)) {
                codes[usize::from(*category)] = Code { bits, length };
                bits += 1;
            }
        }
        Self { lengths: limited, values, codes }
    }

    /// Returns BITS of T.81 B.2.4.2.
    pub(super) const fn lengths(&self) -> [u8; MAX_CODE_BITS] {
        self.lengths
    }

    /// Returns HUFFVAL of T.81 B.2.4.2.
    pub(super) fn values(&self) -> &[u8] {
        &self.values
    }

    /// Returns the code of each category.
    pub(super) const fn codes(&self) -> &[Code; CATEGORIES] {
        &self.codes
    }

    /// Returns the bits of all differences of a component, codes and extra bits.
    fn coded_bits(&self, counts: &Counts) -> u64 {
        let categories = counts.iter().zip(&self.codes).enumerate();
        categories.map(|(category, (count, code))| count * u64::from(code.length + extra_bits(category))).sum()
    }

    /// Returns the bits of the table in a DHT segment.
    fn specification_bits(&self) -> u64 {
        8 * (1 + MAX_CODE_BITS as u64 + self.values.len() as u64)
    }
}

/// The tables of all components: one for each, or one for all if that makes the frame shorter.
#[derive(Debug)]
pub(super) struct Tables {
    distinct: Vec<Table>,
    components: usize,
}

impl Tables {
    /// Builds the tables of the components whose categories are counted.
    pub(super) fn new(counts: &[Counts]) -> Self {
        let mut sums = [0; CATEGORIES];
        for counts in counts {
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        let shared = Self { distinct: vec![Table::new(&sums)], components: counts.len() };
        let separate = Self { distinct: counts.iter().map(Table::new).collect(), components: counts.len() };
        if separate.total_bits(counts) < shared.total_bits(counts) { separate } else { shared }
    }

    /// Returns the tables of the DHT segment in the order of their destinations.
    pub(super) fn distinct(&self) -> &[Table] {
        &self.distinct
    }

    /// Returns the destination of each component's table.
    pub(super) fn destinations(&self) -> impl Iterator<Item = u8> {
        let last = self.distinct.len() - 1;
        (0..self.components).map(move |component| component.min(last).to_le_bytes()[0])
    }

    /// Returns the table of component `index`, counted from 0.
    pub(super) fn of_component(&self, index: usize) -> Option<&Table> {
        self.distinct.get(index).or(self.distinct.first())
    }

    /// Returns the bits of all differences, without padding and stuffed bytes.
    pub(super) fn coded_bits(&self, counts: &[Counts]) -> u64 {
        let components = (0..).zip(counts);
        components.filter_map(|(index, counts)| self.of_component(index).map(|table| table.coded_bits(counts))).sum()
    }

    fn total_bits(&self, counts: &[Counts]) -> u64 {
        self.coded_bits(counts) + self.distinct.iter().map(Table::specification_bits).sum::<u64>()
    }
}

/// Returns the code size of each category, 0 if it does not occur, and of the reserved symbol, which is the last (Figure K.1).
#[allow(clippy::indexing_slicing, reason = "symbols are 0 to 17")]
fn code_sizes(counts: &Counts) -> [u8; CATEGORIES + 1] {
    let mut frequencies = [1; CATEGORIES + 1];
    frequencies[..CATEGORIES].copy_from_slice(counts);
    let mut sizes = [0; CATEGORIES + 1];
    // The root of each symbol's subtree; only roots have a frequency.
    let mut roots_of: [usize; CATEGORIES + 1] = std::array::from_fn(|symbol| symbol);
    loop {
        // Among equal frequencies the last symbol is merged first, so that the reserved one gets the longest code.
        let mut roots: Vec<usize> = (0..=CATEGORIES).filter(|root| frequencies[*root] > 0).collect();
        roots.sort_by_key(|root| (frequencies[*root], std::cmp::Reverse(*root)));
        let [rarest, next, ..] = roots[..] else { return sizes };
        frequencies[next] += std::mem::take(&mut frequencies[rarest]);
        for (root, size) in roots_of.iter_mut().zip(&mut sizes) {
            if *root == rarest || *root == next {
                *root = next;
                *size += 1;
            }
        }
    }
}

/// Returns the number of codes of each length, at most 16 bits, without the reserved symbol (Figures K.2 and K.3).
#[allow(clippy::indexing_slicing, reason = "sizes are 1 to 17: eighteen symbols make no deeper tree")]
fn limited_lengths(sizes: &[u8; CATEGORIES + 1]) -> [u8; MAX_CODE_BITS] {
    let mut lengths = [0_u8; CATEGORIES + 1];
    for size in sizes.iter().filter(|size| **size > 0) {
        lengths[usize::from(*size)] += 1;
    }
    for length in (MAX_CODE_BITS + 1..lengths.len()).rev() {
        while lengths[length] > 0 {
            // Of a pair of leaves that is too deep, one replaces its parent. The other becomes the sibling of a leaf
            // with a shorter code, which gets one bit longer.
            let Some(shorter) = (1..length - 1).rev().find(|shorter| lengths[*shorter] > 0) else {
                debug_assert!(false, "18 codes do not all have 16 bits or more");
                break;
            };
            lengths[length] -= 2;
            lengths[length - 1] += 1;
            lengths[shorter + 1] += 2;
            lengths[shorter] -= 1;
        }
    }
    if let Some(longest) = lengths.iter_mut().rev().find(|count| **count > 0) {
        *longest -= 1;
    }
    std::array::from_fn(|index| lengths[index + 1])
}
