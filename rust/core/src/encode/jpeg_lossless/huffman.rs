//! Huffman tables made for the categories that are there.

/// Categories of differences modulo 2^16, and so symbols of a table (T.81 Table H.2).
pub(super) const CATEGORIES: usize = 17;
/// Longest code (T.81 B.2.4.2).
const LONGEST: usize = 16;

/// How often each category occurs in one component.
pub(super) type Counts = [u64; CATEGORIES];

/// Extra bits after the code of a category: the one difference of category 16 needs none (T.81 H.1.2.2).
pub(super) fn extra_bits(category: usize) -> u32 {
    u32::try_from(category).unwrap_or(0) % 16
}

/// One table: how many codes of each length, and the categories from the shortest code on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    lengths: [u8; LONGEST],
    values: Vec<u8>,
    codes: [Code; CATEGORIES],
}

/// The code of a category; of length 0 where the table has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) bits: u16,
    pub(super) length: u32,
}

impl Table {
    /// The table that codes `counts` in the fewest bits, with codes of at most 16 bits and that of all ones left free.
    #[allow(clippy::indexing_slicing, reason = "lengths are 1 to 16 once they are limited, categories 0 to 16")]
    pub(super) fn new(counts: &Counts) -> Self {
        let sizes = code_sizes(counts);
        let limited = limited_lengths(&sizes);
        // Figure K.4: from the longest code down the order of the categories stays, only lengths change.
        let mut values: Vec<u8> = (0..17).filter(|category| sizes[usize::from(*category)] > 0).collect();
        values.sort_by_key(|category| sizes[usize::from(*category)]);
        // Figures C.1 to C.3: codes of a length count up, and get a bit longer for the next length.
        let mut codes = [Code::default(); CATEGORIES];
        let mut next = values.iter();
        let mut bits = 0;
        for (length, count) in (1..).zip(limited) {
            bits <<= 1;
            for category in next.by_ref().take(usize::from(count)) {
                codes[usize::from(*category)] = Code { bits, length };
                bits += 1;
            }
        }
        Self { lengths: limited, values, codes }
    }

    /// BITS of T.81 B.2.4.2.
    pub(super) const fn lengths(&self) -> [u8; LONGEST] {
        self.lengths
    }

    /// HUFFVAL of T.81 B.2.4.2.
    pub(super) fn values(&self) -> &[u8] {
        &self.values
    }

    /// The code of each category.
    pub(super) const fn codes(&self) -> &[Code; CATEGORIES] {
        &self.codes
    }

    /// Bits of all differences of a component, code and extra bits.
    fn coded_bits(&self, counts: &Counts) -> u64 {
        let each = counts.iter().zip(&self.codes).enumerate();
        each.map(|(category, (count, code))| count * u64::from(code.length + extra_bits(category))).sum()
    }

    /// Bits that the table itself takes in its segment.
    fn specification_bits(&self) -> u64 {
        8 * (1 + LONGEST as u64 + self.values.len() as u64)
    }
}

/// The tables of all components: one for each, or one for all where that makes the frame shorter.
#[derive(Debug)]
pub(super) struct Tables {
    distinct: Vec<Table>,
    components: usize,
}

impl Tables {
    pub(super) fn new(counts: &[Counts]) -> Self {
        let mut all = [0; CATEGORIES];
        for counts in counts {
            for (sum, count) in all.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        let shared = Self { distinct: vec![Table::new(&all)], components: counts.len() };
        let separate = Self { distinct: counts.iter().map(Table::new).collect(), components: counts.len() };
        if separate.total_bits(counts) < shared.total_bits(counts) { separate } else { shared }
    }

    /// The tables to be written, in the order of their destinations.
    pub(super) fn distinct(&self) -> &[Table] {
        &self.distinct
    }

    /// The destination of each component's table.
    pub(super) fn destinations(&self) -> impl Iterator<Item = u8> {
        let last = self.distinct.len() - 1;
        (0..self.components).map(move |component| component.min(last).to_le_bytes()[0])
    }

    /// The table of component `index`, counted from 0.
    pub(super) fn of_component(&self, index: usize) -> Option<&Table> {
        self.distinct.get(index).or(self.distinct.first())
    }

    /// Bits of all differences, without padding and stuffing.
    pub(super) fn coded_bits(&self, counts: &[Counts]) -> u64 {
        let each = (0..).zip(counts);
        each.filter_map(|(index, counts)| self.of_component(index).map(|table| table.coded_bits(counts))).sum()
    }

    fn total_bits(&self, counts: &[Counts]) -> u64 {
        self.coded_bits(counts) + self.distinct.iter().map(Table::specification_bits).sum::<u64>()
    }
}

/// Figure K.1: sizes of the codes of all categories, 0 where one does not occur, and of a symbol more that is rarest.
/// That one takes the code of all ones.
#[allow(clippy::indexing_slicing, reason = "symbols are 0 to 17")]
fn code_sizes(counts: &Counts) -> [u8; CATEGORIES + 1] {
    let mut frequencies = [1; CATEGORIES + 1];
    frequencies[..CATEGORIES].copy_from_slice(counts);
    let mut sizes = [0; CATEGORIES + 1];
    // Symbols of one subtree have the same number here.
    let mut subtrees: [usize; CATEGORIES + 1] = std::array::from_fn(|symbol| symbol);
    loop {
        // Of the same frequency, the last symbol goes down first.
        let mut roots: Vec<usize> = (0..=CATEGORIES).filter(|root| frequencies[*root] > 0).collect();
        roots.sort_by_key(|root| (frequencies[*root], std::cmp::Reverse(*root)));
        let [rarest, next, ..] = roots[..] else { return sizes };
        frequencies[next] += std::mem::take(&mut frequencies[rarest]);
        for (subtree, size) in subtrees.iter_mut().zip(&mut sizes) {
            if *subtree == rarest || *subtree == next {
                *subtree = next;
                *size += 1;
            }
        }
    }
}

/// Figures K.2 and K.3: how many codes of each length, none longer than 16 bits and none for the symbol more.
#[allow(clippy::indexing_slicing, reason = "sizes are 1 to 17: eighteen symbols make no deeper tree")]
fn limited_lengths(sizes: &[u8; CATEGORIES + 1]) -> [u8; LONGEST] {
    let mut lengths = [0_u8; CATEGORIES + 1];
    for size in sizes.iter().filter(|size| **size > 0) {
        lengths[usize::from(*size)] += 1;
    }
    for length in (LONGEST + 1..lengths.len()).rev() {
        while lengths[length] > 0 {
            // A pair that is too deep: one takes its parent's place, the other goes beside a shorter code, which
            // becomes a bit longer for it.
            let Some(shorter) = (1..length - 1).rev().find(|shorter| lengths[*shorter] > 0) else { break };
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
