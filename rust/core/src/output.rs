//! Where a codec's samples go: a typed window that finishes them block by block while they are in cache.
//!
//! ```text
//! codec ── block(n) ──► bytes of the next n pixels ──► commit(n): stored bits → colour → (convert) ──► out
//!      └── write(src) ─► the same for samples that already lie somewhere, in one pass
//! ```
//!
//! Where nothing has to be converted the block *is* the output; else it is scratch that stays in cache.

use crate::error::{DecodeError, ErrorKind, Result, output, unsupported};
use crate::frame::{FrameInfo, SamplesMut, StoredBits};
use crate::kernel::convert::{Rescale, SampleType, convert};
use crate::kernel::{CpuLevel, nontemporal, stored_bits, ybr};
use std::sync::atomic::{AtomicBool, Ordering};

/// Samples of a block that is finished in cache: at most 64 KiB of 16-bit samples.
const BLOCK_SAMPLES: usize = 32 * 1024;
/// Warm output of at least this many bytes is streamed past the caches, which hold none of it by the time it is read.
const STREAM_BYTES: usize = 32 << 20;
/// Samples of a block that is converted and then streamed: it is read again at once, so it stays in the first cache.
pub(crate) const STREAMED_SAMPLES: usize = 4 * 1024;
/// Output bytes between two looks at the interrupt.
const BEAT_BYTES: usize = 4 << 20;

/// Where the output's bytes end up first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Store {
    /// In the caches, as far as they go.
    #[default]
    Cached,
    /// In memory: for output larger than the caches that has been written to before.
    Streamed,
}

impl Store {
    /// What suits an output of `bytes` bytes, which has been written to before if it `is_warm`.
    #[must_use]
    pub const fn of(bytes: usize, is_warm: bool) -> Self {
        if is_warm && bytes >= STREAM_BYTES { Self::Streamed } else { Self::Cached }
    }
}

/// What happens to stored samples on their way out.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OutputOptions {
    /// Convert colour to RGB where it is 8-bit `YBR_FULL`.
    pub to_rgb: bool,
    /// Rescale to modality values.
    pub rescale: Option<Rescale>,
    /// Where the output's bytes end up first.
    pub store: Store,
}

/// Of three samples a pixel, what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Rgb,
    /// Luminance and two colour differences, at full resolution.
    Ybr,
}

/// Scratch of a sink, reused from frame to frame.
#[derive(Debug, Default)]
pub struct ScratchBlock {
    stored: Vec<u64>,
    converted: Vec<u64>,
}

/// Lets a caller stop a decode from outside.
#[derive(Clone, Copy)]
pub struct Cancel<'a> {
    /// Set by whoever wants all threads of the call to stop.
    pub stop: &'a AtomicBool,
    /// Asked by the calling thread now and then; `true` stops the call.
    pub poll: Option<&'a dyn Fn() -> bool>,
}

impl Cancel<'_> {
    /// Looks whether to stop.
    ///
    /// # Errors
    /// `Interrupted`.
    pub fn beat(&self) -> Result<()> {
        if self.poll.is_some_and(|poll| poll()) {
            self.stop.store(true, Ordering::Relaxed);
        }
        if self.stop.load(Ordering::Relaxed) {
            return Err(DecodeError::new(ErrorKind::Interrupted, "interrupted", ""));
        }
        Ok(())
    }
}

/// The way from a codec to the output of one frame.
pub struct Output<'a> {
    out: SamplesMut<'a>,
    staging: &'a mut ScratchBlock,
    watch: Cancel<'a>,
    stored: Option<StoredBits>,
    finish: OutputOptions,
    /// Whether what comes in is converted to RGB.
    ybr_to_rgb: bool,
    from: SampleType,
    /// Whether samples go through staging because the output has another type.
    staged: bool,
    sample_bytes: usize,
    samples_per_pixel: usize,
    /// Samples committed so far.
    done: usize,
    beat_bytes: usize,
    tier: CpuLevel,
}

impl<'a> Output<'a> {
    /// A way to `out`, which holds exactly the samples of one frame.
    ///
    /// # Errors
    /// `Output` if `out` cannot hold the result; `Unsupported` if colour is to be converted that is not of 8 bits.
    pub fn new(
        info: &FrameInfo,
        finish: OutputOptions,
        out: SamplesMut<'a>,
        staging: &'a mut ScratchBlock,
        watch: Cancel<'a>,
        tier: CpuLevel,
    ) -> Result<Self> {
        if out.len() != info.samples() {
            return Err(output(format!("output holds {} samples, the frame has {}", out.len(), info.samples()), ""));
        }
        let from = sample_type(info);
        if finish.rescale.is_some() && info.samples_per_pixel() != 1 {
            return Err(output("rescale of an image with more than one sample per pixel", "PS3.3 C.11.1"));
        }
        let same = out.sample_bytes() == info.sample_bytes() && out.is_float() == info.is_float();
        let wider = !info.is_float()
            && !out.is_float()
            && out.sample_bytes() > info.sample_bytes()
            && (out.is_signed() || !info.is_signed());
        let fits = same && (info.is_float() || out.is_signed() == info.is_signed());
        if finish.rescale.is_none() && !fits && !wider {
            return Err(output(format!("output of {} cannot hold samples of {from:?}", out.type_name()), ""));
        }
        let mut sink = Self {
            staged: finish.rescale.is_some() || !fits,
            out,
            staging,
            watch,
            stored: info.stored_bits(),
            finish,
            ybr_to_rgb: false,
            from,
            sample_bytes: info.sample_bytes(),
            samples_per_pixel: info.samples_per_pixel(),
            done: 0,
            beat_bytes: 0,
            tier,
        };
        if info.is_ybr() {
            sink.set_colour(Colour::Ybr)?;
        }
        Ok(sink)
    }

    /// Whether it matters which colour the samples are.
    pub(crate) const fn converts_colour(&self) -> bool {
        self.finish.to_rgb
    }

    /// What the samples are, where it is not what the attributes say: before any is written.
    ///
    /// # Errors
    /// `Unsupported` if colour is to be converted that is not of 8 bits.
    pub(crate) fn set_colour(&mut self, colour: Colour) -> Result<()> {
        self.ybr_to_rgb = self.finish.to_rgb && colour == Colour::Ybr;
        if self.ybr_to_rgb && (self.samples_per_pixel != 3 || self.from != SampleType::U8) {
            return Err(unsupported("YBR_FULL to RGB needs three unsigned samples of 8 bits", "PS3.3 C.7.6.3.1.2"));
        }
        Ok(())
    }

    /// Pixels that have not been committed.
    #[must_use]
    pub fn pixels_left(&self) -> usize {
        (self.out.len() - self.done) / self.samples_per_pixel
    }

    /// Which instructions kernels may use.
    #[must_use]
    pub const fn tier(&self) -> CpuLevel {
        self.tier
    }

    /// Bytes for the next pixels, `at_most` or fewer (never 0 while pixels are left): stored samples,
    /// planar configuration 0, native byte order. What they hold before is of no meaning.
    pub fn block(&mut self, at_most: usize) -> &mut [u8] {
        let mut pixels = at_most.min(self.pixels_left());
        if self.staged || self.stored.is_some() || self.ybr_to_rgb {
            pixels = pixels.min(self.block_pixels());
        }
        let samples = pixels * self.samples_per_pixel;
        self.window(samples)
    }

    /// Takes the first `pixels` pixels of the last block as written.
    ///
    /// # Errors
    /// `Output` if a value cannot be held exactly, `Interrupted`.
    pub fn commit(&mut self, pixels: usize) -> Result<()> {
        let samples = pixels * self.samples_per_pixel;
        if let Some(stored) = self.stored {
            let (sample_bytes, tier) = (self.sample_bytes, self.tier);
            stored_bits::extract_in_place(self.window(samples), sample_bytes, stored, tier);
        }
        self.pass_on(samples)
    }

    /// Writes samples that already lie in `src`, whole pixels; the bytes of each are reversed when `swap`.
    /// More than what is left is not taken.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn write(&mut self, src: &[u8], swap: bool) -> Result<()> {
        let (sample_bytes, stored, tier) = (self.sample_bytes, self.stored, self.tier);
        let is_finished = !swap && stored.is_none();
        let is_direct = !self.staged && !self.ybr_to_rgb;
        let is_streamed = self.is_streamed();
        // What is not read again may be large: it only has to look at the watch now and then.
        let pixels = if is_streamed { BEAT_BYTES / sample_bytes / self.samples_per_pixel } else { self.block_pixels() };
        for part in src.chunks(pixels * self.samples_per_pixel * sample_bytes) {
            let samples = (part.len() / sample_bytes).min(self.out.len() - self.done);
            let part = part.get(..samples * sample_bytes).unwrap_or(part);
            if self.staged && is_finished {
                self.convert(part, samples)?;
                self.advance(samples)?;
            } else if is_streamed && is_finished {
                nontemporal::copy(part, self.out_window(samples), tier);
                self.advance(samples)?;
            } else if let Some(stored) = stored.filter(|_| is_direct && sample_bytes == 2 && !swap) {
                nontemporal::extract16(part, self.out_window(samples), stored, is_streamed, tier);
                self.advance(samples)?;
            } else {
                stored_bits::extract(part, self.window(samples), sample_bytes, swap, stored, tier);
                self.pass_on(samples)?;
            }
        }
        Ok(())
    }

    /// Pixels that are finished at once.
    fn block_pixels(&self) -> usize {
        let samples = match self.finish.store {
            Store::Streamed if self.staged => STREAMED_SAMPLES,
            _ => BLOCK_SAMPLES,
        };
        samples / self.samples_per_pixel
    }

    /// Whether finished samples go straight to an output that is streamed to.
    fn is_streamed(&self) -> bool {
        self.finish.store == Store::Streamed && !self.staged && !self.ybr_to_rgb
    }

    /// The bytes of the next `samples` samples: the output itself, or staging.
    fn window(&mut self, samples: usize) -> &mut [u8] {
        if self.staged {
            bytes_of(&mut self.staging.stored, samples * self.sample_bytes)
        } else {
            self.out_window(samples)
        }
    }

    /// The bytes of the output's next `samples` samples, where they are of the stored type.
    fn out_window(&mut self, samples: usize) -> &mut [u8] {
        let start = self.done * self.sample_bytes;
        self.out.bytes_mut().get_mut(start..start + samples * self.sample_bytes).unwrap_or_default()
    }

    /// What comes after the stored bits are right.
    fn pass_on(&mut self, samples: usize) -> Result<()> {
        if self.ybr_to_rgb {
            let tier = self.tier;
            ybr::full_to_rgb(self.window(samples), tier);
        }
        if self.staged {
            let mut stored = std::mem::take(&mut self.staging.stored);
            let converted = self.convert(bytes_of(&mut stored, samples * self.sample_bytes), samples);
            self.staging.stored = stored;
            converted?;
        }
        self.advance(samples)
    }

    fn convert(&mut self, src: &[u8], samples: usize) -> Result<()> {
        let (from, rescale, tier, done) = (self.from, self.finish.rescale, self.tier, self.done);
        let Some(mut window) = self.out.window(done, done + samples) else { return Ok(()) };
        let name = window.type_name();
        let inexact =
            |index| output(format!("the value of sample {} is not exact in {name}", done + index), "PS3.3 C.11.1");
        if self.finish.store == Store::Cached {
            return convert(src, from, rescale, window, tier).map_err(inexact);
        }
        convert_streamed(src, from, rescale, &mut window, &mut self.staging.converted, tier).map_err(inexact)
    }

    fn advance(&mut self, samples: usize) -> Result<()> {
        self.done += samples;
        self.beat_bytes += samples * self.sample_bytes;
        if self.beat_bytes >= BEAT_BYTES {
            self.beat_bytes = 0;
            self.watch.beat()?;
        }
        Ok(())
    }
}

/// Converts through `scratch`, so that `out` is only ever streamed to.
///
/// # Errors
/// The index of the first sample that an integer output does not hold exactly.
pub(crate) fn convert_streamed(
    src: &[u8],
    from: SampleType,
    rescale: Option<Rescale>,
    out: &mut SamplesMut<'_>,
    scratch: &mut Vec<u64>,
    tier: CpuLevel,
) -> Result<(), usize> {
    let samples = out.len();
    bytes_of(scratch, samples * out.sample_bytes());
    let Some(mut converted) = out.like(scratch, samples) else { return Ok(()) };
    convert(src, from, rescale, converted.reborrow(), tier)?;
    nontemporal::copy(converted.bytes_mut(), out.bytes_mut(), tier);
    Ok(())
}

/// The first `bytes` bytes of `memory`, which grows to hold them.
fn bytes_of(memory: &mut Vec<u64>, bytes: usize) -> &mut [u8] {
    let words = bytes.div_ceil(8);
    if memory.len() < words {
        memory.resize(words, 0);
    }
    bytemuck::cast_slice_mut(memory).get_mut(..bytes).unwrap_or_default()
}

/// How the stored samples of a frame are read.
fn sample_type(info: &FrameInfo) -> SampleType {
    match (info.sample_bytes(), info.is_signed(), info.is_float()) {
        (4, _, true) => SampleType::F32,
        (_, _, true) => SampleType::F64,
        (1, false, _) => SampleType::U8,
        (1, true, _) => SampleType::I8,
        (2, false, _) => SampleType::U16,
        (2, true, _) => SampleType::I16,
        (4, false, _) => SampleType::U32,
        (4, true, _) => SampleType::I32,
        (_, false, _) => SampleType::U64,
        (_, true, _) => SampleType::I64,
    }
}
