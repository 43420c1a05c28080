//! The rendering of one thread: tables composed of a [`Rendering`], and reused while it stays the same.
//!
//! ```text
//! stored values          method
//! integers ≤ 16 bits     table of the outputs of all keys (`kernel::render`), by the steps of the pipeline in `f64`;
//!                        a line instead, if the kernel computes every entry of the table by it
//! others                 arithmetic, or the entries of a palette
//! ```

mod compose;
#[cfg(test)]
mod tests;

use self::compose::Composer;
use super::{StoreHint, bytes_of};
use crate::kernel::render::{self, IndexMap, KeyMap, Line};
use crate::kernel::{CpuLevel, nontemporal};
use crate::rendering::{PaletteEntries, Rendering};
use crate::sample::{SampleType, SamplesMut};
use std::sync::{Arc, Mutex};

/// Tables of a rendering. The next frame with an equal one uses them again.
#[derive(Debug, Default)]
pub(crate) struct RenderTables {
    prepared: Option<Arc<Prepared>>,
}

/// The tables that were composed last, for other threads and calls.
static LAST: Mutex<Option<Arc<Prepared>>> = Mutex::new(None);

#[derive(Debug)]
struct Prepared {
    rendering: Rendering,
    stored: SampleType,
    /// Significant bits of the stored values.
    bits: u32,
    level: CpuLevel,
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
        let is_prepared = |prepared: &Arc<Prepared>| {
            (prepared.stored, prepared.bits, prepared.level) == (stored, bits, level)
                && prepared.rendering == *rendering
        };
        if self.prepared.as_ref().is_some_and(is_prepared) {
            return;
        }
        // In a forked process, the thread that locked it may not exist.
        self.prepared = LAST.try_lock().ok().and_then(|last| last.clone().filter(is_prepared));
        if self.prepared.is_some() {
            return;
        }
        let mut method = if stored.is_float() || stored.bytes() > 2 {
            Method::Wide
        } else {
            let keys = KeyMap::new(bits, stored.is_signed());
            match rendering {
                Rendering::Grayscale(grayscale) => {
                    let prefers_table = stored.bytes() == 1 && render::has_byte_tables(level);
                    Composer { grayscale, keys, prefers_table, level }.compose()
                }
                Rendering::Palette(palette) => {
                    Method::Palette(IndexMap::new(keys, palette.first_mapped(), palette.count()))
                }
            }
        };
        if stored.bytes() == 1 {
            method = by_byte(method, rendering);
        }
        let prepared = Arc::new(Prepared { rendering: rendering.clone(), stored, bits, level, method });
        if let Ok(mut last) = LAST.try_lock() {
            *last = Some(Arc::clone(&prepared));
        }
        self.prepared = Some(prepared);
    }

    /// True if bits above the stored value are ignored, so that samples need not be masked or sign-extended.
    pub(crate) fn masks_samples(&self) -> bool {
        self.prepared.as_ref().is_some_and(|prepared| !matches!(prepared.method, Method::Wide))
    }

    /// Renders the samples of `src` to `out`, which has the type of the rendering and its samples per value.
    pub(crate) fn apply(&self, src: &[u8], mut out: SamplesMut<'_>, level: CpuLevel) {
        let Some(Prepared { rendering, stored, method, .. }) = self.prepared.as_deref() else {
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

/// A method with one entry per byte, for samples of 8 bits.
fn by_byte(method: Method, rendering: &Rendering) -> Method {
    fn all<T: Copy + Default>(indices: IndexMap, entries: &[T]) -> Vec<T> {
        let entry = |sample| entries.get(usize::from(indices.index(sample))).copied().unwrap_or_default();
        (0..=0xFF).map(entry).collect()
    }
    let (indices, entries) = match (&method, rendering) {
        (Method::Table(indices, entries), _) => (*indices, entries),
        (Method::Palette(indices), Rendering::Palette(palette)) => (*indices, palette.entries()),
        _ => return method,
    };
    let entries = match entries {
        PaletteEntries::U8(entries) => PaletteEntries::U8(all(indices, entries)),
        PaletteEntries::U16(entries) => PaletteEntries::U16(all(indices, entries)),
        PaletteEntries::F32(entries) => PaletteEntries::F32(all(indices, entries)),
        PaletteEntries::Rgb8(entries) => PaletteEntries::Rgb8(all(indices, entries)),
        PaletteEntries::Rgb16(entries) => PaletteEntries::Rgb16(all(indices, entries)),
        PaletteEntries::RgbF32(entries) => PaletteEntries::RgbF32(all(indices, entries)),
    };
    Method::Table(IndexMap::of_bytes(), entries)
}
