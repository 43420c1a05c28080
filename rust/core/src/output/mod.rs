//! Output stage: takes the stored samples of a decoder, finishes them block by block while they are in cache, and
//! stores each once.
//!
//! ```text
//! stored samples ─► right-align (stored bits) ─► YBR to RGB ─► rescale, render or convert type ─► out
//! ```
//!
//! A decoder hands over its samples in one of three forms:
//!
//! | form | length of the slice in bytes | then |
//! |---|---|---|
//! | [`Output::block`]: next pixels, interleaved | pixels × samples per pixel × sample bytes | [`Output::commit`] |
//! | [`Output::row_block`]: pixels of a row at any position, for tiles | as `block` | [`Output::commit`] |
//! | [`Output::write`]: samples that are in memory | any number of whole pixels | |
//!
//! If the output has the type of the stored samples, a block *is* the output; else it is scratch that stays in cache.

mod bands;
mod options;
mod render;
#[cfg(test)]
mod tests;

pub use crate::kernel::ybr::RgbConversion;
pub use bands::Band;
pub use options::{Cancel, FrameOutputOptions, OutputOptions, OutputTransform, StoreHint};
pub(crate) use render::RenderTables;

use crate::error::{DecodeError, Result, output, unsupported};
use crate::frame::FrameInfo;
use crate::kernel::convert::convert;
use crate::kernel::{CpuLevel, nontemporal, stored_bits, ybr};
use crate::lookup_table::ValueTransform;
use crate::sample::{SampleType, SamplesMut, StoredBits};
use std::ops::Range;

/// Samples of a block that is finished in cache: 64 KiB if they have 16 bits.
const BLOCK_SAMPLES: usize = 32 * 1024;
/// Samples of a block that is converted and then streamed: it is read again at once, so it stays in the L1 cache.
pub(crate) const STREAMED_SAMPLES: usize = 4 * 1024;
/// Samples of a block that is rendered: it is read again at once, from the L1 cache.
const RENDERED_SAMPLES: usize = 8 * 1024;
/// Output bytes between two cancellation checks.
pub(crate) const CANCEL_INTERVAL_BYTES: usize = 4 << 20;

/// Scratch memory of an output stage, reused from frame to frame.
#[derive(Debug, Default)]
pub struct ScratchBlock {
    /// Stored samples of a block whose output has another type.
    stored: Vec<u64>,
    /// Converted samples of a block before they are streamed.
    converted: Vec<u64>,
    /// Tables of the last rendering.
    tables: RenderTables,
}

/// Output stage of one frame.
pub struct Output<'a> {
    out: SamplesMut<'a>,
    scratch: &'a mut ScratchBlock,
    cancel: Cancel<'a>,
    /// Destination of the first store.
    store: StoreHint,
    transform: Option<ValueTransform<'a>>,
    /// True if blocks are rendered, by the tables of `scratch`.
    is_rendered: bool,
    cpu_level: CpuLevel,
    /// Position of the value in a stored sample, unless it fills the sample.
    stored_bits: Option<StoredBits>,
    sample_type: SampleType,
    columns: usize,
    samples_per_pixel: usize,
    /// Stored samples of the frame.
    samples: usize,
    /// Output samples per stored sample.
    samples_per_value: usize,
    /// Conversion to RGB that is to be applied to committed pixels.
    rgb_conversion: Option<RgbConversion>,
    /// True if blocks are scratch because the output has another type.
    is_staged: bool,
    /// Index of the next stored sample.
    position: usize,
    /// Samples that are finished.
    finished_samples: usize,
    /// Bytes finished since the last cancellation check.
    unchecked_bytes: usize,
}

impl<'a> Output<'a> {
    /// An output stage that writes to `out`, which holds exactly the samples of one frame. `is_ybr` is true if the
    /// samples are luminance and colour differences, by the data set or, with precedence, by the codestream.
    ///
    /// # Errors
    /// `Output` if `out` cannot hold the result; `Unsupported` for a colour conversion of samples that have more bits than it
    /// is defined for.
    pub fn new(
        info: &FrameInfo,
        is_ybr: bool,
        options: impl Into<FrameOutputOptions<'a>>,
        out: SamplesMut<'a>,
        scratch: &'a mut ScratchBlock,
        cancel: Cancel<'a>,
        cpu_level: CpuLevel,
    ) -> Result<Self> {
        let FrameOutputOptions { call: OutputOptions { to_rgb, rescale, store }, transform } = options.into();
        let samples_per_value = transform.as_ref().map_or(1, OutputTransform::samples_per_value);
        if Some(out.len()) != info.samples().checked_mul(samples_per_value) {
            let expected = info.samples().saturating_mul(samples_per_value);
            return Err(output(format!("output holds {} samples, the frame has {expected}", out.len()), ""));
        }
        let (transform, rendering) = match transform {
            Some(OutputTransform::Values(transform)) => (Some(transform), None),
            Some(OutputTransform::Rendering(rendering)) => (None, Some(rendering)),
            None => (rescale.map(ValueTransform::Linear), None),
        };
        if transform.is_some() && info.samples_per_pixel() != 1 {
            return Err(output("rescale of an image with more than one sample per pixel", "PS3.3 C.11.1"));
        }
        let (stored, target) = (info.sample_type(), out.sample_type());
        if stored.is_float() && transform.is_some_and(|transform| transform.needs_integers()) {
            return Err(output("look-up table for float samples", "PS3.3 C.11.1.1.1"));
        }
        if let Some(rendering) = rendering {
            rendering.check(stored, info.samples_per_pixel(), target)?;
            scratch.tables.prepare(rendering, stored, info.value_bits(), cpu_level);
        }
        let is_wider = !stored.is_float()
            && !target.is_float()
            && target.bytes() > stored.bytes()
            && (target.is_signed() || !stored.is_signed());
        if transform.is_none() && rendering.is_none() && stored != target && !is_wider {
            let text = format!("output of {} cannot hold samples of {}", target.name(), stored.name());
            return Err(output(text, ""));
        }
        let rgb_conversion = to_rgb.filter(|_| is_ybr);
        let is_convertible = match rgb_conversion {
            None => true,
            Some(RgbConversion::Dicom) => info.samples_per_pixel() == 3 && stored == SampleType::U8,
            Some(RgbConversion::T871) => {
                info.samples_per_pixel() == 3 && matches!(stored, SampleType::U8 | SampleType::U16)
            }
        };
        if !is_convertible {
            return Err(unsupported("YBR_FULL to RGB needs three unsigned samples of 8 bits", "PS3.3 C.7.6.3.1.2"));
        }
        Ok(Self {
            is_staged: transform.is_some() || rendering.is_some() || stored != target,
            is_rendered: rendering.is_some(),
            out,
            scratch,
            cancel,
            store,
            transform,
            cpu_level,
            stored_bits: info.stored_bits(),
            sample_type: stored,
            columns: info.attributes().columns as usize,
            samples_per_pixel: info.samples_per_pixel(),
            samples: info.samples(),
            samples_per_value,
            rgb_conversion,
            position: 0,
            finished_samples: 0,
            unchecked_bytes: 0,
        })
    }

    /// Pixels that are not finished.
    #[must_use]
    pub fn pixels_left(&self) -> usize {
        (self.samples - self.finished_samples) / self.samples_per_pixel
    }

    /// Instructions that kernels may use.
    #[must_use]
    pub const fn cpu_level(&self) -> CpuLevel {
        self.cpu_level
    }

    /// Bytes of a stored sample.
    #[must_use]
    pub const fn sample_bytes(&self) -> usize {
        self.sample_type.bytes()
    }

    /// Checks for cancellation. Committing samples does so, too.
    ///
    /// # Errors
    /// `Interrupted` if the call is cancelled.
    pub fn check_cancelled(&self) -> Result<()> {
        self.cancel.check()
    }

    /// Declares that the decoder writes no value of more than `bits` bits. If Bits Stored is at least that, the samples need
    /// not be masked.
    pub fn declare_bits(&mut self, bits: u32) {
        self.stored_bits = self.stored_bits.filter(|stored| stored.signed || stored.shift > 0 || stored.bits < bits);
    }

    /// Declares that the decoder writes two's complement of at most `bits` bits, extended to the stored sample. If Bits Stored
    /// is at least that, and the values are signed, they are final.
    pub fn declare_signed_bits(&mut self, bits: u32) {
        self.stored_bits = self.stored_bits.filter(|stored| !stored.signed || stored.shift > 0 || stored.bits < bits);
    }

    /// Returns the conversion to RGB, if there is one, and leaves it to the decoder: pixels that are committed from now on
    /// are RGB.
    pub fn take_rgb_conversion(&mut self) -> Option<RgbConversion> {
        self.rgb_conversion.take()
    }

    /// Memory for the next pixels: interleaved stored samples in native byte order, of undefined content. Its length is
    /// pixels × samples per pixel × sample bytes, where pixels is `max_pixels` or less, and not 0 while pixels are left.
    ///
    /// # Errors
    /// An internal error if the pixels are not part of the output, which correct code never requests.
    pub fn block(&mut self, max_pixels: usize) -> Result<&mut [u8]> {
        let mut pixels = max_pixels.min(self.pixels_left());
        if self.is_staged || self.stored_bits.is_some() || self.rgb_conversion.is_some() {
            pixels = pixels.min(self.block_pixels());
        }
        self.window(pixels * self.samples_per_pixel)
    }

    /// Returns the addresses of the memory that the next blocks are parts of, for prefetching: nothing if blocks are converted
    /// to the output.
    pub(crate) fn next_addresses(&mut self) -> Range<usize> {
        if self.is_staged {
            return 0..0;
        }
        let start = self.position * self.sample_type.bytes();
        let addresses = self.out.bytes_mut().get(start..).unwrap_or_default().as_ptr_range();
        addresses.start.addr()..addresses.end.addr()
    }

    /// Memory for the pixels of row `row` from column `column`, as [`Self::block`] returns it; the block ends with the row or
    /// before. Blocks may be requested in any order, and together they cover each pixel once.
    ///
    /// # Errors
    /// An internal error if the position is not in the frame or no pixels are left, which correct code never requests.
    pub fn row_block(&mut self, row: usize, column: usize, max_pixels: usize) -> Result<&mut [u8]> {
        let rows = self.samples / self.samples_per_pixel / self.columns;
        if row >= rows || column >= self.columns || self.pixels_left() == 0 {
            return Err(outside_output());
        }
        self.position = (row * self.columns + column) * self.samples_per_pixel;
        self.block(max_pixels.min(self.columns - column))
    }

    /// Finishes the first `pixels` pixels of the last block.
    ///
    /// # Errors
    /// `Output` if the output type cannot hold a value exactly; `Interrupted`.
    pub fn commit(&mut self, pixels: usize) -> Result<()> {
        let samples = pixels * self.samples_per_pixel;
        if let Some(stored) = self.stored_bits.filter(|stored| !self.ignores_high_bits(*stored)) {
            let (sample_bytes, cpu_level) = (self.sample_type.bytes(), self.cpu_level);
            stored_bits::extract_in_place(self.window(samples)?, sample_bytes, stored, cpu_level);
        }
        self.finish_block(samples)
    }

    /// Writes the next samples from `src`, whole pixels, in one pass. Reverses the bytes of each sample if `swap`.
    /// Samples beyond the end of the frame are ignored.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn write(&mut self, src: &[u8], swap: bool) -> Result<()> {
        let (sample_bytes, stored, cpu_level) = (self.sample_type.bytes(), self.stored_bits, self.cpu_level);
        let is_final = !swap && stored.is_none_or(|stored| self.ignores_high_bits(stored));
        let is_direct = !self.is_staged && self.rgb_conversion.is_none();
        let is_streamed = self.is_streamed();
        // Streamed output is not read again, so its blocks need not fit a cache.
        let pixels = if is_streamed {
            CANCEL_INTERVAL_BYTES / sample_bytes / self.samples_per_pixel
        } else {
            self.block_pixels()
        };
        for src in src.chunks(pixels * self.samples_per_pixel * sample_bytes) {
            let samples = (src.len() / sample_bytes).min(self.samples - self.finished_samples);
            let src = src.get(..samples * sample_bytes).unwrap_or(src);
            if self.is_staged && is_final && self.rgb_conversion.is_none() {
                self.convert(src, samples)?;
                self.mark_finished(samples)?;
            } else if is_streamed && is_final {
                nontemporal::copy(src, self.out_window(samples)?, cpu_level);
                self.mark_finished(samples)?;
            } else if let Some(stored) = stored.filter(|_| is_direct && sample_bytes == 2 && !swap) {
                nontemporal::extract16(src, self.out_window(samples)?, stored, is_streamed, cpu_level);
                self.mark_finished(samples)?;
            } else {
                stored_bits::extract(src, self.window(samples)?, sample_bytes, swap, stored, cpu_level);
                self.finish_block(samples)?;
            }
        }
        Ok(())
    }

    /// True if only the bits of the stored value select its output, so that samples need not be masked or sign-extended.
    fn ignores_high_bits(&self, stored: StoredBits) -> bool {
        self.is_rendered && stored.shift == 0 && self.rgb_conversion.is_none() && self.scratch.tables.masks_samples()
    }

    /// Pixels of one block.
    fn block_pixels(&self) -> usize {
        let samples = match self.store {
            StoreHint::Streamed if self.is_staged => STREAMED_SAMPLES,
            StoreHint::Cached if self.is_rendered => RENDERED_SAMPLES,
            _ => BLOCK_SAMPLES,
        };
        samples / self.samples_per_pixel
    }

    /// True if finished samples are stored past the caches directly.
    fn is_streamed(&self) -> bool {
        self.store == StoreHint::Streamed && !self.is_staged && self.rgb_conversion.is_none()
    }

    /// Bytes of the next `samples` stored samples: the output itself, or scratch.
    fn window(&mut self, samples: usize) -> Result<&mut [u8]> {
        if self.is_staged {
            Ok(bytes_of(&mut self.scratch.stored, samples * self.sample_type.bytes()))
        } else {
            self.out_window(samples)
        }
    }

    /// Bytes of the next `samples` samples of the output, which has the type of the stored samples.
    fn out_window(&mut self, samples: usize) -> Result<&mut [u8]> {
        let sample_bytes = self.sample_type.bytes();
        let start = self.position * sample_bytes;
        self.out.bytes_mut().get_mut(start..start + samples * sample_bytes).ok_or_else(outside_output)
    }

    /// Converts colour and type of the next `samples` samples, whose stored bits are extracted.
    fn finish_block(&mut self, samples: usize) -> Result<()> {
        match self.rgb_conversion {
            None => {}
            Some(RgbConversion::Dicom) => {
                let cpu_level = self.cpu_level;
                ybr::full_to_rgb(self.window(samples)?, cpu_level);
            }
            Some(RgbConversion::T871) => return Err(unsupported("the codec has no T.871 conversion", "ITU-T T.871 7")),
        }
        if self.is_staged {
            let mut stored = std::mem::take(&mut self.scratch.stored);
            let converted = self.convert(bytes_of(&mut stored, samples * self.sample_type.bytes()), samples);
            self.scratch.stored = stored;
            converted?;
        }
        self.mark_finished(samples)
    }

    fn convert(&mut self, src: &[u8], samples: usize) -> Result<()> {
        let (from, transform, cpu_level, position) = (self.sample_type, self.transform, self.cpu_level, self.position);
        let (start, end) = (position * self.samples_per_value, (position + samples) * self.samples_per_value);
        let mut window = self.out.window(start, end).ok_or_else(outside_output)?;
        if self.is_rendered {
            let ScratchBlock { tables, converted, .. } = &mut *self.scratch;
            tables.apply_stored(src, window, self.store, converted, cpu_level);
            return Ok(());
        }
        let name = window.sample_type().name();
        let inexact = |index| ValueTransform::inexact(transform, position + index, name);
        if self.store == StoreHint::Cached {
            return convert(src, from, transform, window, cpu_level).map_err(inexact);
        }
        convert_streamed(src, from, transform, &mut window, &mut self.scratch.converted, cpu_level).map_err(inexact)
    }

    fn mark_finished(&mut self, samples: usize) -> Result<()> {
        self.position += samples;
        self.finished_samples += samples;
        self.unchecked_bytes += samples * self.sample_type.bytes();
        if self.unchecked_bytes >= CANCEL_INTERVAL_BYTES {
            self.unchecked_bytes = 0;
            self.cancel.check()?;
        }
        Ok(())
    }
}

/// The error of an impossible request: samples that are not part of the output.
fn outside_output() -> DecodeError {
    debug_assert!(false, "a decoder wrote outside of its output");
    output("internal error: samples outside of the output", "")
}

/// Converts through `scratch`, so that `out` is only streamed to.
///
/// # Errors
/// The index of the first sample that an integer output does not hold exactly.
pub(crate) fn convert_streamed(
    src: &[u8],
    from: SampleType,
    transform: Option<ValueTransform<'_>>,
    out: &mut SamplesMut<'_>,
    scratch: &mut Vec<u64>,
    cpu_level: CpuLevel,
) -> Result<(), usize> {
    let samples = out.len();
    bytes_of(scratch, samples * out.sample_bytes());
    let Some(mut converted) = SamplesMut::in_words(out.sample_type(), scratch, samples) else {
        debug_assert!(false, "bytes_of has made room for the samples");
        return convert(src, from, transform, out.reborrow(), cpu_level);
    };
    convert(src, from, transform, converted.reborrow(), cpu_level)?;
    nontemporal::copy(converted.bytes_mut(), out.bytes_mut(), cpu_level);
    Ok(())
}

/// The first `bytes` bytes of `memory`, which grows to hold them.
fn bytes_of(memory: &mut Vec<u64>, bytes: usize) -> &mut [u8] {
    let words = bytes.div_ceil(8);
    if memory.len() < words {
        memory.resize(words, 0);
    }
    bytemuck::cast_slice_mut(memory).split_at_mut(bytes).0
}
