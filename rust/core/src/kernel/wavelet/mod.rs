//! Inverse wavelet transform of one level (T.800 Annex F): four bands to the rows of the next resolution.
//!
//! A level interleaves its bands and then undoes the lifting steps, first in each row, then in each column. A sample is
//! low-pass if its coordinate is even. Each step changes the samples of one kind by their two neighbours, which are of the
//! other kind; beyond an edge, the sample before the edge is mirrored.
//!
//! | wavelet | words | steps |
//! |---|---|---|
//! | reversible 5/3 (F.3.8.1) | `i32`, wrapping | even −= (left + right + 2) >> 2; odd += (left + right) >> 1 |
//! | irreversible 9/7 (F.3.8.2) | bits of `f32` | even ×= K, odd ×= 1/K; even −= δ (left + right); odd −= γ (…); even −= β (…); odd −= α (…) |
//!
//! A row or column of a single sample is not filtered; if its coordinate is odd, it is halved (F.3.6). The reversible wavelet
//! rounds the half toward zero, as OpenJPEG does. Multiplications and additions of `f32` are separate (no FMA) and have one
//! order, so all CPU levels give the same bits. The vertical factors K and 1/K are merged into the horizontal ones:
//!
//! | band | LL | HL, LH | HH |
//! |---|---|---|---|
//! | factor | K² | 1 | 1/K² |
//!
//! # Rows in order
//!
//! A [`Synthesizer`] filters one row at a time horizontally into a ring of eight rows. After each odd row, it applies each
//! vertical step to one row, so that a row is read again while it is in the cache:
//!
//! ```text
//! after odd row k (9/7):   even row k-1 −= δ (rows k-2, k)       row     k-5   k-4   k-3   k-2   k-1    k
//!                          odd row  k-2 −= γ (rows k-3, k-1)     steps   β     α     β     γ     δ      -    done last
//!                          even row k-3 −= β (rows k-4, k-2)             └ finished ┘
//!                          odd row  k-4 −= α (rows k-5, k-3)
//! ```
//!
//! At the top, steps of rows that do not exist are left out. At the bottom, the same schedule continues for odd rows after
//! the last one until all rows are finished.
//!
//! A row depends on at most four rows (5/3: two rows) on each side of it. So a part of the rows can be computed alone, for
//! threads: it starts and ends that many rows outside of the part, as if these were edges; the values that are wrong
//! because of that are in the rows that are not returned.

mod ring;
mod scalar;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_v4;

use super::CpuLevel;
use super::cpu::dispatch;
use ring::Ring;
pub(crate) use ring::scratch_words;
use scalar::Scales;
use std::ops::Range;

/// Wavelet of a tile-component (T.800 Table A.20).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wavelet {
    /// 5/3. Coefficients are integers.
    Reversible53,
    /// 9/7. Coefficients are the bits of `f32`.
    Irreversible97,
}

impl Wavelet {
    /// Number of lifting steps, which is also the number of rows on each side that a row depends on.
    const fn steps(self) -> usize {
        match self {
            Self::Reversible53 => 2,
            Self::Irreversible97 => 4,
        }
    }
}

/// Columns and rows of a resolution in its own coordinates (T.800 B.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LevelGeometry {
    pub(crate) columns: Range<u32>,
    pub(crate) rows: Range<u32>,
}

impl LevelGeometry {
    /// Number of columns.
    pub(crate) fn width(&self) -> usize {
        self.columns.len()
    }

    /// Number of rows.
    pub(crate) fn height(&self) -> usize {
        self.rows.len()
    }
}

/// Returns the number of even and of odd coordinates in `range`: the low-pass and high-pass samples.
pub(crate) fn band_extents(range: &Range<u32>) -> [usize; 2] {
    let even = range.end.div_ceil(2).saturating_sub(range.start.div_ceil(2));
    let odd = (range.end / 2).saturating_sub(range.start / 2);
    [even as usize, odd as usize]
}

/// Coefficients of the bands of a level, each row by row. The first letter is the horizontal filter: HL is high-pass
/// horizontally and low-pass vertically.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bands<'a> {
    pub(crate) ll: &'a [i32],
    pub(crate) hl: &'a [i32],
    pub(crate) lh: &'a [i32],
    pub(crate) hh: &'a [i32],
}

/// Computes rows of a level, one after the other.
pub(crate) struct Synthesizer<'a> {
    wavelet: Wavelet,
    level: CpuLevel,
    bands: Bands<'a>,
    /// Coordinates of the columns.
    columns: Range<u32>,
    /// Low-pass and high-pass columns.
    band_columns: [usize; 2],
    /// Coordinates of the rows of the level.
    level_rows: Range<u32>,
    /// Coordinate of row 0 of the ring; the other indices count from it.
    first_row: u32,
    /// Number of rows that are filtered.
    row_count: usize,
    /// Index of the next row to filter horizontally. Beyond `row_count` only vertical steps are left.
    filtered: usize,
    /// Rows before this one are finished.
    finished: usize,
    /// Rows to return.
    rows: Range<usize>,
    ring: Ring<'a>,
}

impl<'a> Synthesizer<'a> {
    /// Starts the rows `rows` of a level; the first row of the level has index 0. `scratch` has at least
    /// [`scratch_words`] words, of any content.
    ///
    /// Returns `None` if the bands have other numbers of coefficients than the geometry, `rows` ends after the level, or
    /// `scratch` is too short. A correct caller never gets it.
    pub(crate) fn new(
        wavelet: Wavelet,
        geometry: &LevelGeometry,
        bands: Bands<'a>,
        rows: Range<usize>,
        scratch: &'a mut [i32],
        level: CpuLevel,
    ) -> Option<Self> {
        let band_columns @ [low_columns, high_columns] = band_extents(&geometry.columns);
        let [low_rows, high_rows] = band_extents(&geometry.rows);
        let is_valid = bands.ll.len() == low_columns.checked_mul(low_rows)?
            && bands.hl.len() == high_columns.checked_mul(low_rows)?
            && bands.lh.len() == low_columns.checked_mul(high_rows)?
            && bands.hh.len() == high_columns.checked_mul(high_rows)?
            && rows.end <= geometry.height();
        if !is_valid {
            return None;
        }
        let first = rows.start.saturating_sub(wavelet.steps());
        let end = rows.end.saturating_add(wavelet.steps()).min(geometry.height());
        Some(Self {
            wavelet,
            level,
            bands,
            columns: geometry.columns.clone(),
            band_columns,
            level_rows: geometry.rows.clone(),
            first_row: geometry.rows.start.checked_add(u32::try_from(first).ok()?)?,
            row_count: end.saturating_sub(first),
            filtered: 0,
            finished: 0,
            rows: rows.start.checked_sub(first)?..rows.end.saturating_sub(first),
            ring: Ring::new(scratch, geometry.width())?,
        })
    }

    /// Returns the next row, or `None` after the last one.
    pub(crate) fn next_row(&mut self) -> Option<&[i32]> {
        let row = self.rows.next()?;
        while self.finished <= row {
            self.advance();
        }
        Some(self.ring.row(row))
    }

    /// Filters the next row horizontally, and applies the vertical steps that it allows.
    fn advance(&mut self) {
        let row = self.filtered;
        if row < self.row_count {
            self.filter_row(row);
        }
        self.filtered += 1;
        if self.level_rows.len() == 1 {
            self.finished = 1;
        } else if self.is_high(row) {
            self.lift_columns(row);
            self.finished = (row + 1).saturating_sub(self.wavelet.steps());
        }
    }

    /// True if the coordinate of row `row` is odd.
    const fn is_high(&self, row: usize) -> bool {
        (self.first_row % 2 == 1) != (row % 2 == 1)
    }

    /// Filters row `row` horizontally.
    fn filter_row(&mut self, row: usize) {
        let (is_high, is_single, level) = (self.is_high(row), self.level_rows.len() == 1, self.level);
        let starts_high = self.columns.start % 2 == 1;
        let (low, high) = self.band_rows(row);
        let (out, scratch) = self.ring.row_and_scratch(row);
        match self.wavelet {
            Wavelet::Reversible53 => {
                filter_row_53(low, high, starts_high, scratch, out, level);
                if is_single && is_high {
                    out.iter_mut().for_each(|word| *word /= 2);
                }
            }
            Wavelet::Irreversible97 => {
                let scales = Scales::new(is_high, is_single);
                let (low, high) = (bytemuck::cast_slice(low), bytemuck::cast_slice(high));
                let (scratch, out) = (bytemuck::cast_slice_mut(scratch), bytemuck::cast_slice_mut(out));
                filter_row_97(low, high, starts_high, scales, scratch, out, level);
            }
        }
    }

    /// Returns the low-pass and high-pass coefficients of row `row`.
    fn band_rows(&self, row: usize) -> (&'a [i32], &'a [i32]) {
        let (coordinate, level_start) = (self.first_row as usize + row, self.level_rows.start as usize);
        let (low, high, first) = if self.is_high(row) {
            (self.bands.lh, self.bands.hh, level_start / 2)
        } else {
            (self.bands.ll, self.bands.hl, level_start.div_ceil(2))
        };
        let index = coordinate / 2 - first;
        let row_of = |band: &'a [i32], columns: usize| {
            let row = band.get(index * columns..(index + 1) * columns);
            debug_assert!(row.is_some(), "`new` has compared the bands with the geometry");
            row.unwrap_or_default()
        };
        let [low_columns, high_columns] = self.band_columns;
        (row_of(low, low_columns), row_of(high, high_columns))
    }

    /// Applies the vertical steps that odd row `row`, the last one that is filtered, allows. `row` may be after the end.
    fn lift_columns(&mut self, row: usize) {
        let steps = self.wavelet.steps();
        if row > steps && row < self.row_count {
            return self.lift_all(row);
        }
        for step in 0..steps {
            if let Some(lifted) = row.checked_sub(step + 1).filter(|lifted| *lifted < self.row_count) {
                self.lift(lifted, step);
            }
        }
    }

    /// Applies all vertical steps at once, each to one row before `row`.
    fn lift_all(&mut self, row: usize) {
        let level = self.level;
        match self.wavelet {
            Wavelet::Reversible53 => {
                if let Some([odd, even, lifted_odd, lifted_even]) = self.ring.rows([row, row - 1, row - 2, row - 3]) {
                    lift_rows_53(odd, even, lifted_odd, lifted_even, level);
                }
            }
            Wavelet::Irreversible97 => {
                let indices = [row, row - 1, row - 2, row - 3, row - 4, row - 5];
                if let Some(rows) = self.ring.rows(indices) {
                    let [a, b, c, d, e, f] = rows.map(bytemuck::cast_slice_mut);
                    lift_rows_97(a, b, c, d, e, f, level);
                }
            }
        }
    }

    /// Applies vertical step `step` to row `row`, with its neighbours mirrored at the edges.
    fn lift(&mut self, row: usize, step: usize) {
        let above = row.checked_sub(1).unwrap_or(row + 1);
        let below = if row + 1 < self.row_count { row + 1 } else { above };
        let (wavelet, level) = (self.wavelet, self.level);
        if above == below {
            if let Some([row, neighbour]) = self.ring.rows([row, above]) {
                lift_row(wavelet, step, row, neighbour, neighbour, level);
            }
        } else if let Some([row, above, below]) = self.ring.rows([row, above, below]) {
            lift_row(wavelet, step, row, above, below, level);
        }
    }
}

/// Computes the rows `rows` of a level into `out`, which has exactly these rows. Returns `None` as [`Synthesizer::new`] does,
/// or if `out` has another length.
pub(crate) fn synthesize(
    wavelet: Wavelet,
    geometry: &LevelGeometry,
    bands: Bands<'_>,
    rows: Range<usize>,
    out: &mut [i32],
    scratch: &mut [i32],
    level: CpuLevel,
) -> Option<()> {
    let width = geometry.width();
    if out.len() != rows.len().checked_mul(width)? {
        return None;
    }
    let mut synthesizer = Synthesizer::new(wavelet, geometry, bands, rows, scratch, level)?;
    for out in out.chunks_exact_mut(width.max(1)) {
        out.copy_from_slice(synthesizer.next_row()?);
    }
    Some(())
}

/// Filters one row horizontally.
fn filter_row_53(low: &[i32], high: &[i32], starts_high: bool, scratch: &mut [i32], out: &mut [i32], level: CpuLevel) {
    dispatch!(level, v4 filter_row_53(low, high, starts_high, scratch, out))
}

/// Filters one row horizontally.
fn filter_row_97(
    low: &[f32],
    high: &[f32],
    starts_high: bool,
    scales: Scales,
    scratch: &mut [f32],
    out: &mut [f32],
    level: CpuLevel,
) {
    dispatch!(level, v4 filter_row_97(low, high, starts_high, scales, scratch, out))
}

/// Applies one vertical step to one row.
fn lift_row(wavelet: Wavelet, step: usize, row: &mut [i32], above: &[i32], below: &[i32], level: CpuLevel) {
    match wavelet {
        Wavelet::Reversible53 => dispatch!(level, v4 lift_row_53(step, row, above, below)),
        Wavelet::Irreversible97 => {
            let (row, above, below) =
                (bytemuck::cast_slice_mut(row), bytemuck::cast_slice(above), bytemuck::cast_slice(below));
            dispatch!(level, v4 lift_row_97(step, row, above, below))
        }
    }
}

/// Applies both vertical steps: to `even`, which is between the odd rows, and to `lifted_odd`, between the even rows.
fn lift_rows_53(odd: &[i32], even: &mut [i32], lifted_odd: &mut [i32], lifted_even: &[i32], level: CpuLevel) {
    dispatch!(level, v4 lift_rows_53(odd, even, lifted_odd, lifted_even))
}

/// Applies each vertical step to one of six consecutive rows, the last of which is `a`: δ to `b`, γ to `c`, β to `d`, α to
/// `e`.
fn lift_rows_97(a: &[f32], b: &mut [f32], c: &mut [f32], d: &mut [f32], e: &mut [f32], f: &[f32], level: CpuLevel) {
    dispatch!(level, v4 lift_rows_97(a, b, c, d, e, f))
}
