//! Wavelet transform of a tile: all levels but the last into memory, the last one row by row.
//!
//! ```text
//! LL, bands of level 1 ─► low-pass of level 2, bands ─► … ─► low-pass of the last level, bands ─► rows ─► sink
//!                         stored                             stored                             in cache
//! ```

use super::layout::ComponentLayout;
use crate::error::{DecodeError, ErrorKind, Result};
use crate::kernel::CpuLevel;
use crate::kernel::component_rows::MAX_COMPONENTS;
use crate::kernel::wavelet::{Bands, LevelGeometry, Synthesizer, Wavelet, scratch_words, synthesize};
use crate::limits::Limits;
use crate::parallel::for_each_task;
use std::ops::Range;

/// Samples of a part of a level below which a thread costs more than it gains.
const MIN_PART_SAMPLES: usize = 1 << 17;

/// Scratch buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct LevelScratch {
    words: Vec<i32>,
}

impl LevelScratch {
    /// Returns a buffer for each of `layouts`.
    ///
    /// # Errors
    /// `LimitExceeded`.
    fn buffers(&mut self, layouts: &[ComponentLayout], limits: &Limits) -> Result<Vec<&mut [i32]>> {
        let sizes: Vec<usize> = layouts.iter().map(|layout| scratch_words(layout.geometry.width())).collect();
        limits.grow_zeroed(&mut self.words, sizes.iter().sum())?;
        let mut rest = self.words.as_mut_slice();
        let mut buffers = Vec::with_capacity(sizes.len());
        for size in sizes {
            let (buffer, others) = rest.split_at_mut_checked(size).ok_or_else(inconsistent)?;
            buffers.push(buffer);
            rest = others;
        }
        Ok(buffers)
    }
}

/// The error of matrices that do not fit their level, which correct code never makes.
fn inconsistent() -> DecodeError {
    debug_assert!(false, "bands and layout have equal sizes");
    DecodeError::new(ErrorKind::Output, "internal error: bands of another size than their level", "")
}

/// Returns words `range` of `memory`.
fn part<'m>(memory: &'m [i32], range: &Range<usize>) -> Result<&'m [i32]> {
    memory.get(range.clone()).ok_or_else(inconsistent)
}

/// Computes the levels of a tile-component but the last.
///
/// # Errors
/// `LimitExceeded`.
pub(super) fn store_levels(
    layout: &ComponentLayout,
    coefficients: &[i32],
    lowpass: &mut [i32],
    scratch: &mut [LevelScratch],
    limits: &Limits,
    cpu_level: CpuLevel,
) -> Result<()> {
    let Some((_, stored)) = layout.levels.split_last() else { return Ok(()) };
    let mut previous = None;
    for level in stored {
        let (before, rest) = lowpass.split_at_mut_checked(level.result.start).ok_or_else(inconsistent)?;
        let ll = match previous {
            None => part(coefficients, &layout.lowest)?,
            Some(range) => part(before, &range)?,
        };
        let [hl, lh, hh] = &level.bands;
        let bands = Bands { ll, hl: part(coefficients, hl)?, lh: part(coefficients, lh)?, hh: part(coefficients, hh)? };
        let out = rest.get_mut(..level.result.len()).ok_or_else(inconsistent)?;
        store_level(layout.wavelet, &level.geometry, bands, out, scratch, limits, cpu_level)?;
        previous = Some(level.result.clone());
    }
    Ok(())
}

/// Computes a level on as many threads as there are scratch buffers and it is worth.
fn store_level(
    wavelet: Wavelet,
    geometry: &LevelGeometry,
    bands: Bands<'_>,
    out: &mut [i32],
    scratch: &mut [LevelScratch],
    limits: &Limits,
    cpu_level: CpuLevel,
) -> Result<()> {
    let (width, height) = (geometry.width(), geometry.height());
    if width == 0 || height == 0 {
        return Ok(());
    }
    let threads = scratch.len().min(out.len() / MIN_PART_SAMPLES).max(1);
    let part_rows = height.div_ceil(threads);
    for buffer in scratch.iter_mut().take(threads) {
        limits.grow_zeroed(&mut buffer.words, scratch_words(width))?;
    }
    let parts = (0..height).step_by(part_rows).zip(out.chunks_mut(part_rows * width));
    let compute = |(start, out): (usize, &mut [i32]), scratch: &mut LevelScratch| {
        let rows = start..start + out.len() / width;
        synthesize(wavelet, geometry, bands, rows, out, &mut scratch.words, cpu_level).ok_or_else(inconsistent)
    };
    let threads = scratch.get_mut(..threads).unwrap_or_default();
    for_each_task(parts, threads, compute, || Ok(()))
}

/// Source of the rows of a tile-component.
#[allow(clippy::large_enum_variant, reason = "one for each component, on the stack or in one vector")]
enum RowSource<'a> {
    /// The last level of the wavelet transform.
    Filtered(Synthesizer<'a>),
    /// The LL band, if there are no levels, and the number of words of a row.
    Stored(&'a [i32], usize),
    /// All rows of an empty component: zeros.
    Empty(&'a [i32]),
}

impl RowSource<'_> {
    fn next_row(&mut self) -> Option<&[i32]> {
        match self {
            Self::Filtered(synthesizer) => synthesizer.next_row(),
            Self::Stored(words, width) => {
                let row;
                (row, *words) = words.split_at_checked(*width)?;
                Some(row)
            }
            Self::Empty(row) => Some(row),
        }
    }
}

/// Coefficients of a tile: those of the bands, and the results of all levels but the last.
#[derive(Clone, Copy)]
pub(super) struct TileWords<'a> {
    pub(super) coefficients: &'a [i32],
    pub(super) lowpass: &'a [i32],
}

/// Calls `store` with the rows `rows` of the components, which all have the same size: with the index of each row, and its
/// words in each component.
///
/// # Errors
/// Those of `store`; `LimitExceeded`.
pub(super) fn for_each_row(
    layouts: &[ComponentLayout],
    words: TileWords<'_>,
    rows: Range<usize>,
    scratch: &mut LevelScratch,
    limits: &Limits,
    cpu_level: CpuLevel,
    mut store: impl FnMut(usize, &[&[i32]]) -> Result<()>,
) -> Result<()> {
    let mut sources = Vec::with_capacity(layouts.len());
    for (layout, buffer) in layouts.iter().zip(scratch.buffers(layouts, limits)?) {
        sources.push(row_source(layout, words, rows.clone(), buffer, cpu_level)?);
    }
    for index in rows {
        let mut row: [&[i32]; MAX_COMPONENTS] = [&[]; MAX_COMPONENTS];
        for (row, source) in row.iter_mut().zip(&mut sources) {
            *row = source.next_row().ok_or_else(inconsistent)?;
        }
        store(index, row.get(..layouts.len()).unwrap_or_default())?;
    }
    Ok(())
}

fn row_source<'a>(
    layout: &ComponentLayout,
    words: TileWords<'a>,
    rows: Range<usize>,
    scratch: &'a mut [i32],
    cpu_level: CpuLevel,
) -> Result<RowSource<'a>> {
    let width = layout.geometry.width();
    if layout.is_empty {
        let row = scratch.get_mut(..width).ok_or_else(inconsistent)?;
        row.fill(0);
        return Ok(RowSource::Empty(row));
    }
    let Some((last, stored)) = layout.levels.split_last() else {
        let words = part(words.coefficients, &layout.lowest)?;
        return Ok(RowSource::Stored(part(words, &(rows.start * width..rows.end * width))?, width));
    };
    let ll = match stored.last() {
        None => part(words.coefficients, &layout.lowest)?,
        Some(level) => part(words.lowpass, &level.result)?,
    };
    let [hl, lh, hh] = &last.bands;
    let of = |range| part(words.coefficients, range);
    let bands = Bands { ll, hl: of(hl)?, lh: of(lh)?, hh: of(hh)? };
    let synthesizer = Synthesizer::new(layout.wavelet, &last.geometry, bands, rows, scratch, cpu_level);
    synthesizer.map(RowSource::Filtered).ok_or_else(inconsistent)
}
