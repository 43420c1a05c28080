//! Memory of a synthesizer: a ring of rows, and a row of scratch for the horizontal filter.

/// Rows of the ring: the six rows that vertical steps use, rounded up to a power of two.
const RING_ROWS: usize = 8;
/// Words of a page. Loads and stores whose addresses differ by a multiple of it are taken for dependent by the CPU.
const PAGE_WORDS: usize = 1024;
/// Words of a cache line.
const LINE_WORDS: usize = 16;

/// Returns the words of scratch that a level of `width` columns needs.
pub(crate) fn scratch_words(width: usize) -> usize {
    row_stride(width).saturating_mul(RING_ROWS + 2).saturating_add(LINE_WORDS)
}

/// Returns the distance of two rows: the rows of a ring start at different eighths of a page.
fn row_stride(width: usize) -> usize {
    const PART: usize = PAGE_WORDS / RING_ROWS;
    width.saturating_add(PAGE_WORDS - PART - 1) / PAGE_WORDS * PAGE_WORDS + PART
}

/// The last eight rows.
pub(super) struct Ring<'a> {
    rows: [&'a mut [i32]; RING_ROWS],
    /// At least two rows.
    scratch: &'a mut [i32],
}

impl<'a> Ring<'a> {
    /// Divides `memory` into rows of `width` words. `None` if it has less than [`scratch_words`].
    pub(super) fn new(memory: &'a mut [i32], width: usize) -> Option<Self> {
        let stride = row_stride(width);
        let unaligned = memory.as_ptr().align_offset(LINE_WORDS * size_of::<i32>()).min(LINE_WORDS);
        let mut memory = memory.get_mut(unaligned..)?;
        let mut rows: [&mut [i32]; RING_ROWS] = Default::default();
        for row in &mut rows {
            let (head, rest) = memory.split_at_mut_checked(stride)?;
            *row = head.get_mut(..width)?;
            memory = rest;
        }
        let scratch = memory.get_mut(..2 * stride)?;
        Some(Self { rows, scratch })
    }

    /// Returns row `index`.
    #[expect(clippy::indexing_slicing, reason = "less than the number of rows")]
    pub(super) fn row(&self, index: usize) -> &[i32] {
        self.rows[index % RING_ROWS]
    }

    /// Returns row `index`, and the scratch.
    #[expect(clippy::indexing_slicing, reason = "less than the number of rows")]
    pub(super) fn row_and_scratch(&mut self, index: usize) -> (&mut [i32], &mut [i32]) {
        (self.rows[index % RING_ROWS], self.scratch)
    }

    /// Returns several rows. They are different rows of eight consecutive ones, so the result is never `None`.
    pub(super) fn rows<const N: usize>(&mut self, indices: [usize; N]) -> Option<[&mut [i32]; N]> {
        let rows = self.rows.get_disjoint_mut(indices.map(|index| index % RING_ROWS));
        debug_assert!(rows.is_ok(), "different rows of eight consecutive ones");
        Some(rows.ok()?.map(|row| &mut **row))
    }
}
