//! The rendering of one thread: tables composed of a [`Rendering`], and reused while it stays the same.
//!
//! ```text
//! stored values          method
//! integers ≤ 16 bits     table of the outputs of all keys (`kernel::render`), by the steps of the pipeline in `f64`;
//!                        a line instead, if the kernel computes every entry of the table by it
//! others                 arithmetic, or the entries of a palette
//! ```

#[cfg(test)]
mod tests;

use super::{StoreHint, bytes_of};
use crate::kernel::render::{self, BLOCK, IndexMap, KeyMap, Line};
use crate::kernel::{CpuLevel, nontemporal};
use crate::rendering::{Grayscale, OutputRange, PaletteEntries, Rendering};
use crate::sample::{SampleType, SamplesMut};

/// Keys between two evaluations of a monotone function: between equal outputs, all outputs are equal.
const STRIDE: usize = 16;

/// Tables of a rendering. The next frame or call with an equal one uses them again.
#[derive(Debug, Default)]
pub(crate) struct RenderTables {
    prepared: Option<Prepared>,
}

#[derive(Debug)]
struct Prepared {
    rendering: Rendering,
    stored: SampleType,
    /// Significant bits of the stored values.
    bits: u32,
    method: Method,
}

#[derive(Debug)]
enum Method {
    Line(Line),
    Table(IndexMap, PaletteEntries),
    Palette(IndexMap),
    /// Arithmetic, or a palette of stored values of more than 16 bits.
    Wide,
}

impl RenderTables {
    /// Prepares for stored values of type `stored` with `bits` significant bits, which the rendering applies to.
    pub(crate) fn prepare(&mut self, rendering: &Rendering, stored: SampleType, bits: u32, level: CpuLevel) {
        let is_prepared = |prepared: &Prepared| {
            (prepared.stored, prepared.bits) == (stored, bits) && prepared.rendering == *rendering
        };
        if self.prepared.as_ref().is_some_and(is_prepared) {
            return;
        }
        // Frees the old tables first.
        self.prepared = None;
        let method = if stored.is_float() || stored.bytes() > 2 {
            Method::Wide
        } else {
            let keys = KeyMap::new(bits, stored.is_signed());
            match rendering {
                Rendering::Grayscale(grayscale) => compose(grayscale, keys, level),
                Rendering::Palette(palette) => {
                    Method::Palette(IndexMap::new(keys, palette.first_mapped(), palette.count()))
                }
            }
        };
        self.prepared = Some(Prepared { rendering: rendering.clone(), stored, bits, method });
    }

    /// True if bits above the stored value are ignored, so that samples need not be masked or sign-extended.
    pub(crate) fn masks_samples(&self) -> bool {
        self.prepared.as_ref().is_some_and(|prepared| !matches!(prepared.method, Method::Wide))
    }

    /// Renders the samples of `src` to `out`, which has the type of the rendering and its samples per value.
    pub(crate) fn apply(&self, src: &[u8], mut out: SamplesMut<'_>, level: CpuLevel) {
        let Some(Prepared { rendering, stored, method, .. }) = &self.prepared else {
            debug_assert!(false, "prepared before");
            return;
        };
        match (method, rendering) {
            (Method::Line(line), _) => {
                if let SamplesMut::U8(out) = &mut out {
                    render::map_line(src, stored.bytes(), line, out, level);
                }
            }
            (Method::Table(indices, entries), _) => {
                render::look_up(src, stored.bytes(), *indices, entries, out, level);
            }
            (Method::Palette(indices), Rendering::Palette(palette)) => {
                render::look_up(src, stored.bytes(), *indices, palette.entries(), out, level);
            }
            (_, Rendering::Palette(palette)) => {
                render::look_up_wide(src, *stored, palette.first_mapped(), palette.count(), palette.entries(), out);
            }
            (_, Rendering::Grayscale(grayscale)) => render::map_values(src, *stored, grayscale, out, level),
        }
    }

    /// As [`Self::apply`]. With [`StoreHint::Streamed`] the output passes through `scratch`, so that `out` is only streamed to.
    pub(crate) fn apply_stored(
        &self,
        src: &[u8],
        mut out: SamplesMut<'_>,
        store: StoreHint,
        scratch: &mut Vec<u64>,
        level: CpuLevel,
    ) {
        if store == StoreHint::Cached {
            return self.apply(src, out, level);
        }
        let (sample_type, samples) = (out.sample_type(), out.len());
        bytes_of(scratch, samples * sample_type.bytes());
        let Some(mut rendered) = SamplesMut::in_words(sample_type, scratch, samples) else {
            debug_assert!(false, "bytes_of has made space for the samples");
            return self.apply(src, out, level);
        };
        self.apply(src, rendered.reborrow(), level);
        nontemporal::copy(rendered.bytes_mut(), out.bytes_mut(), level);
    }
}

/// Evaluates the pipeline for every key.
fn compose(grayscale: &Grayscale, keys: KeyMap, level: CpuLevel) -> Method {
    let count = usize::from(keys.mask) + 1;
    let entries = match grayscale.output() {
        OutputRange::U8 => {
            let mut outputs = vec![0; count];
            if grayscale.is_monotone() && count > STRIDE * STRIDE * STRIDE {
                evaluate_monotone(grayscale, keys, &mut outputs, level);
            } else {
                evaluate_keys(grayscale, keys, SamplesMut::U8(&mut outputs), level);
            }
            clear_padding(grayscale, keys, &mut outputs);
            if let Some(line) = line_of(grayscale, keys, &outputs, level) {
                return Method::Line(line);
            }
            PaletteEntries::U8(outputs)
        }
        OutputRange::U16 => {
            let mut outputs = vec![0; count];
            evaluate_keys(grayscale, keys, SamplesMut::U16(&mut outputs), level);
            clear_padding(grayscale, keys, &mut outputs);
            PaletteEntries::U16(outputs)
        }
        OutputRange::F32 => {
            let mut outputs = vec![0.0; count];
            evaluate_keys(grayscale, keys, SamplesMut::F32(&mut outputs), level);
            clear_padding(grayscale, keys, &mut outputs);
            PaletteEntries::F32(outputs)
        }
    };
    Method::Table(IndexMap::of_keys(keys), entries)
}

/// Stored value of `key`.
#[allow(clippy::cast_precision_loss, reason = "below 2^17")]
fn stored_value(keys: KeyMap, key: usize) -> f64 {
    key as f64 + keys.first() as f64
}

/// Writes the output of every key, padding included.
fn evaluate_keys(grayscale: &Grayscale, keys: KeyMap, mut out: SamplesMut<'_>, level: CpuLevel) {
    let mut values = [0.0; BLOCK];
    for start in (0..out.len()).step_by(BLOCK) {
        let end = (start + BLOCK).min(out.len());
        let (Some(values), Some(out)) = (values.get_mut(..end - start), out.window(start, end)) else { return };
        values.iter_mut().zip(start..).for_each(|(value, key)| *value = stored_value(keys, key));
        render::evaluate(values, grayscale, level);
        render::store(values, out, level);
    }
}

/// Writes the output of every key of a monotone function: evaluates every [`STRIDE`]th key, and those between two of them
/// whose outputs differ. `out.len()` is a multiple of the stride.
fn evaluate_monotone(grayscale: &Grayscale, keys: KeyMap, out: &mut [u8], level: CpuLevel) {
    let mut values: Vec<f64> = (0..out.len()).step_by(STRIDE).map(|key| stored_value(keys, key)).collect();
    // The key after the last one may not be a stored value; its output is still that of the function.
    values.push(stored_value(keys, out.len()));
    let mut outputs = vec![0; values.len()];
    render::evaluate(&mut values, grayscale, level);
    render::store(&values, SamplesMut::U8(&mut outputs), level);
    // First keys of the strides whose outputs differ.
    let mut mixed = Vec::with_capacity(STRIDE * STRIDE);
    values.clear();
    for ((stride, pair), start) in out.chunks_mut(STRIDE).zip(outputs.windows(2)).zip((0..).step_by(STRIDE)) {
        if let &[first, next] = pair {
            stride.fill(first);
            if first != next {
                mixed.push(start);
                values.extend((start..start + STRIDE).map(|key| stored_value(keys, key)));
            }
        }
    }
    render::evaluate(&mut values, grayscale, level);
    for (start, values) in mixed.into_iter().zip(values.chunks(STRIDE)) {
        if let Some(stride) = out.get_mut(start..start + STRIDE) {
            render::store(values, SamplesMut::U8(stride), level);
        }
    }
}

/// Sets the outputs of padding to the smallest one.
fn clear_padding<T: Default + Copy>(grayscale: &Grayscale, keys: KeyMap, out: &mut [T]) {
    let Some((first, last)) = grayscale.padding() else { return };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates at the ends of the table")]
    #[allow(clippy::cast_precision_loss, reason = "below 2^17")]
    let key = |stored: f64| (stored - keys.first() as f64).clamp(-1.0, out.len() as f64);
    let (first, last) = (key(first.ceil()), key(last.floor()));
    if first <= last && last >= 0.0 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the table")]
        let (first, end) = (first.max(0.0) as usize, (last as usize + 1).min(out.len()));
        if let Some(padding) = out.get_mut(first..end) {
            padding.fill(T::default());
        }
    }
}

/// The line that gives the outputs `table` of all keys, if there is one: the kernel itself is compared with the table.
fn line_of(grayscale: &Grayscale, keys: KeyMap, table: &[u8], level: CpuLevel) -> Option<Line> {
    let slope = grayscale.line_slope()?;
    let slope = if grayscale.is_inverted() { -slope } else { slope };
    let (first, last) = (*table.first()?, *table.last()?);
    // The last of the equal outputs at the start, and the first of those at the end.
    let base = table.iter().position(|y| *y != first).unwrap_or(1).checked_sub(1)?;
    let end = table.iter().rposition(|y| *y != last).map_or(0, |index| index + 1);
    let range = u16::try_from(end.saturating_sub(base)).ok()?;
    // The line goes through the output of a key within the window, where it is not clamped.
    let middle = usize::midpoint(base, end);
    let mut value = [stored_value(keys, middle)];
    render::evaluate(&mut value, grayscale, level);
    let [y] = value;
    #[allow(clippy::cast_precision_loss, reason = "below 2^17")]
    let offset = y - slope * (middle - base) as f64;
    #[allow(clippy::cast_possible_truncation, reason = "compared with the table below")]
    let line = Line { keys, base: u16::try_from(base).ok()?, range, slope: slope as f32, offset: offset as f32 };
    let is_finite = line.slope.is_finite() && line.offset.is_finite();
    (is_finite && gives_table(&line, table, level)).then_some(line)
}

/// True if the kernel computes `table` by the line.
fn gives_table(line: &Line, table: &[u8], level: CpuLevel) -> bool {
    let mut samples = [0_u8; 2 * BLOCK];
    let mut outputs = [0; BLOCK];
    table.chunks(BLOCK).zip((0_u16..=u16::MAX).step_by(BLOCK)).all(|(expected, start)| {
        for (sample, key) in samples.as_chunks_mut().0.iter_mut().zip(start..=u16::MAX) {
            *sample = (key ^ line.keys.flip).to_le_bytes();
        }
        let (Some(samples), Some(outputs)) = (samples.get(..2 * expected.len()), outputs.get_mut(..expected.len()))
        else {
            return false;
        };
        render::map_line(samples, 2, line, outputs, level);
        outputs == expected
    })
}
