//! Decodes a codestream by the `jxl` crate.
//!
//! ```text
//! ranges of the codestream ─► Input ─► JxlDecoder ─► output itself, or a scratch buffer of the image ─► output stage
//! ```

use super::contain::contain;
use super::header::Header;
use super::runner::Runner;
use crate::codec::FrameContext;
use crate::error::{DecodeError, ErrorKind, Result, limit_exceeded, malformed, truncated, unsupported};
use crate::limits::Limits;
use crate::output::Output;
use jxl::api::{
    Endianness, Event, JxlBitstreamInput, JxlColorType, JxlDataFormat, JxlDecoder, JxlDecoderOptions, JxlOutputBuffer,
    JxlPixelFormat, ProfileLevel,
};
use jxl::error::Error;
use std::io::{self, IoSliceMut};
use std::ops::Range;

const CLAUSE: &str = "ISO/IEC 18181-1";

/// Boxes before a codestream that ends with the input, of level 10 (ISO/IEC 18181-2): the decoder refuses more complex codestreams
/// in files of level 5, but a bare codestream declares no level, and DICOM requires none.
const BOXES: &[u8] = b"\0\0\0\x0CJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl \0\0\0\x09jxll\x0A\0\0\0\0jxlc";

/// Samples of an image up to which a decoder keeps its memory for the next frame.
const MAX_KEPT_SAMPLES: usize = 1 << 20;

/// Samples of a frame that the decoder always accepts.
const MIN_FRAME_SAMPLES: usize = 1 << 20;

/// Estimate of the bytes that the decoder needs besides a copy of the codestream and the output. Measured at 3000 × 3000 pixels: 0.2
/// to 1.2 bytes per sample with one thread, 1.6 MB more with two. Images that are transformed as a whole (squeeze) or refer to
/// other frames need 4 bytes per sample and more; that is not known before they are decoded.
const SCRATCH_BYTES_PER_SAMPLE: usize = 4;
const MAX_SCRATCH_BYTES_PER_THREAD: usize = 4 << 20;
/// Bytes per sample of an image that is smaller than a group, for each thread.
const SMALL_IMAGE_BYTES_PER_SAMPLE: usize = 64;

/// State of one thread, reused from frame to frame.
#[derive(Default)]
pub(super) struct DecoderState {
    /// The decoder of the last frame and its bound of samples.
    decoder: Option<(usize, JxlDecoder)>,
    /// Samples of 16 bits, or pairs of 8 bits.
    image: Vec<u16>,
    /// Bytes of the decoder that are counted against the memory budget.
    reserved_bytes: usize,
}

/// The codestream as the decoder reads it: boxes of level 10 and the parts of the codestream.
struct Input<'a> {
    frame: &'a [u8],
    parts: &'a [Range<usize>],
    next: &'a [u8],
}

impl Input<'_> {
    /// Continues with the next boxes or part, if there are bytes left.
    fn fill(&mut self) {
        while self.next.is_empty()
            && let Some((part, parts)) = self.parts.split_first()
        {
            self.next = self.frame.get(part.clone()).unwrap_or_default();
            self.parts = parts;
        }
    }
}

impl JxlBitstreamInput for Input<'_> {
    fn available_bytes(&mut self) -> Result<usize, io::Error> {
        Ok(self.next.len() + self.parts.iter().map(Range::len).sum::<usize>())
    }

    fn read(&mut self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize, io::Error> {
        let mut total = 0;
        for buffer in buffers {
            let mut rest = &mut **buffer;
            while !rest.is_empty() {
                self.fill();
                let count = rest.len().min(self.next.len());
                if count == 0 {
                    return Ok(total);
                }
                let (bytes, next) = self.next.split_at(count);
                let (filled, after) = rest.split_at_mut(count);
                filled.copy_from_slice(bytes);
                (rest, self.next) = (after, next);
                total += count;
            }
        }
        Ok(total)
    }
}

/// Decodes a frame whose header agrees with the data set.
///
/// # Errors
/// Every kind but `Mismatch`.
pub(super) fn decode(
    frame: &[u8],
    header: &Header,
    context: &FrameContext<'_>,
    state: &mut DecoderState,
    output: &mut Output<'_>,
) -> Result<()> {
    let plan = Plan::new(header, output.sample_bytes())?;
    let threads = context.options.threads.max(1);
    let bytes = plan.scratch_bytes(frame.len(), threads);
    context.limits.reserve(bytes.saturating_sub(state.reserved_bytes))?;
    state.reserved_bytes = state.reserved_bytes.max(bytes);
    let mut runner = Runner::new(threads, output.cancel());
    let pixels = output.pixels_left();
    let block = output.block(pixels)?;
    if block.len() == plan.bytes() && block.as_ptr().addr().is_multiple_of(plan.sample_bytes) {
        run(&plan, frame, header, &mut state.decoder, &mut runner, block)?;
        return output.commit(pixels);
    }
    let DecoderState { decoder, image, .. } = state;
    let result = plan.grow(image, context.limits).and_then(|()| {
        let bytes = bytemuck::cast_slice_mut(image).get_mut(..plan.bytes()).unwrap_or_default();
        run(&plan, frame, header, decoder, &mut runner, bytes)?;
        output.write(bytes, false)
    });
    if plan.samples > MAX_KEPT_SAMPLES {
        *image = Vec::new();
    }
    result
}

/// Decodes into `image`, which has exactly the bytes of the image.
fn run(
    plan: &Plan,
    frame: &[u8],
    header: &Header,
    kept: &mut Option<(usize, JxlDecoder)>,
    runner: &mut Runner<'_>,
    image: &mut [u8],
) -> Result<()> {
    let mut input = Input { frame, parts: &header.codestream, next: BOXES };
    // After an error or a panic the decoder is dropped.
    let decoder = kept.take().filter(|(max_samples, _)| *max_samples == plan.max_samples);
    let decoder = contain(|| {
        let mut decoder = decoder.map_or_else(|| plan.decoder(), |(_, decoder)| decoder);
        decoder.reset();
        let decoded = plan.decode_image(&mut decoder, &mut input, runner, image);
        let decoded = decoded.unwrap_or_else(|error| Err(error_of(error)));
        decoded.map(|()| decoder).map_err(|error| runner.take_error().unwrap_or(error))
    })?;
    let decoder =
        decoder.map_err(|error| if error.kind() == ErrorKind::Truncated { error.at(frame.len()) } else { error })?;
    if plan.samples <= MAX_KEPT_SAMPLES {
        *kept = Some((plan.max_samples, decoder));
    }
    Ok(())
}

/// Sizes of an image, checked.
#[derive(Debug)]
struct Plan {
    rows: usize,
    columns: usize,
    samples_per_pixel: usize,
    /// Bytes of a sample of the output: 1 or 2.
    sample_bytes: usize,
    precision: u8,
    /// Samples of the image.
    samples: usize,
    /// Bound of the samples of an image or frame that the decoder accepts.
    max_samples: usize,
}

impl Plan {
    /// Plans the decoding of an image into samples of `sample_bytes` bytes.
    ///
    /// # Errors
    /// `Unsupported` for samples of other than 8 or 16 bits.
    fn new(header: &Header, sample_bytes: usize) -> Result<Self> {
        let info = &header.info;
        let unsupported = |text: String| unsupported(text, "PS3.5 8.2.15").at(info.offsets.precision);
        if !matches!(sample_bytes, 1 | 2) {
            return Err(unsupported(format!("bits allocated {} with JPEG XL, 8 or 16 expected", 8 * sample_bytes)));
        }
        let precision =
            u8::try_from(info.precision).ok().filter(|precision| usize::from(*precision) <= 8 * sample_bytes);
        let Some(precision) = precision else {
            return Err(unsupported(format!("samples of {} bits found, at most 16 expected", info.precision)));
        };
        let too_large = || limit_exceeded("the image is larger than the address space", "");
        let (rows, columns, samples_per_pixel) = (info.rows as usize, info.columns as usize, info.components as usize);
        let pixels = rows.checked_mul(columns).ok_or_else(too_large)?;
        let samples = pixels.checked_mul(samples_per_pixel).ok_or_else(too_large)?;
        // The decoder counts three channels of at least 16 columns. Frames that an image refers to may be larger than it.
        let counted = columns.max(16).checked_mul(rows).and_then(|pixels| pixels.checked_mul(6));
        let max_samples = counted.and_then(|samples| samples.max(MIN_FRAME_SAMPLES).checked_next_power_of_two());
        let max_samples = max_samples.filter(|_| samples <= usize::MAX / 32).ok_or_else(too_large)?;
        Ok(Self { rows, columns, samples_per_pixel, sample_bytes, precision, samples, max_samples })
    }

    /// Bytes of a row of the image.
    const fn row_bytes(&self) -> usize {
        self.columns * self.samples_per_pixel * self.sample_bytes
    }

    /// Bytes of the image.
    const fn bytes(&self) -> usize {
        self.samples * self.sample_bytes
    }

    /// Returns an estimate of the bytes that the decoder allocates.
    fn scratch_bytes(&self, frame_bytes: usize, threads: usize) -> usize {
        let samples = self.samples.saturating_mul(SCRATCH_BYTES_PER_SAMPLE);
        let per_thread = self.samples.saturating_mul(SMALL_IMAGE_BYTES_PER_SAMPLE).min(MAX_SCRATCH_BYTES_PER_THREAD);
        frame_bytes.saturating_add(samples).saturating_add(threads.saturating_mul(per_thread))
    }

    /// Makes `image` hold the image.
    ///
    /// # Errors
    /// `LimitExceeded`.
    fn grow(&self, image: &mut Vec<u16>, limits: &Limits) -> Result<()> {
        limits.grow_zeroed(image, self.bytes().div_ceil(size_of::<u16>()))
    }

    fn decoder(&self) -> JxlDecoder {
        let mut options = JxlDecoderOptions::default();
        // As in other transfer syntaxes, rows and columns are those of the codestream.
        options.adjust_orientation = false;
        options.render_spot_colors = false;
        options.sample_limit = Some(self.max_samples);
        options.max_profile_level = ProfileLevel::Main10;
        JxlDecoder::new(options)
    }

    fn pixel_format(&self) -> JxlPixelFormat {
        let bit_depth = self.precision;
        let format = match self.sample_bytes {
            1 => JxlDataFormat::U8 { bit_depth },
            _ => JxlDataFormat::U16 { endianness: Endianness::native(), bit_depth },
        };
        let color_type = if self.samples_per_pixel == 1 { JxlColorType::Grayscale } else { JxlColorType::Rgb };
        JxlPixelFormat { color_type, color_data_format: Some(format), extra_channel_format: Vec::new() }
    }

    /// Decodes the only visible frame into `image`. The errors of the decoder are the outer ones.
    fn decode_image(
        &self,
        decoder: &mut JxlDecoder,
        input: &mut Input<'_>,
        runner: &mut Runner<'_>,
        image: &mut [u8],
    ) -> Result<Result<()>, Error> {
        let mut buffers = [JxlOutputBuffer::new(image, self.rows, self.row_bytes())];
        let mut has_format = false;
        loop {
            let buffers = has_format.then_some(&mut buffers[..]);
            match decoder.process(input, buffers, Some(&mut *runner))? {
                Event::BasicInfo => {
                    let is_planned = decoder
                        .basic_info()
                        .is_some_and(|info| info.size == (self.columns, self.rows) && info.extra_channels.is_empty());
                    if !is_planned {
                        return Ok(Err(malformed("the image header is ambiguous", CLAUSE)));
                    }
                    decoder.set_pixel_format(self.pixel_format())?;
                    has_format = true;
                }
                Event::FrameHeader => {}
                Event::FrameComplete { has_more_frames: false } => return Ok(Ok(())),
                Event::FrameComplete { has_more_frames: true } => {
                    let text = "more than one frame found in the codestream, one expected";
                    return Ok(Err(unsupported(text, "PS3.5 A.4")));
                }
                Event::NeedMoreInput { .. } | Event::Complete => {
                    return Ok(Err(truncated("the codestream ends before the image is complete", CLAUSE)));
                }
            }
        }
    }
}

/// Returns the error of a frame for an error of the decoder.
fn error_of(error: Error) -> DecodeError {
    match error {
        Error::OutOfMemory(_) | Error::ImageOutOfMemory(..) => limit_exceeded("no memory for the decoder", ""),
        Error::UnexpectedCodestreamBoxEnd => truncated("the codestream ends before the image is complete", CLAUSE),
        Error::InvalidColorEncoding => unsupported("unknown colour space or transfer function found", CLAUSE),
        error => malformed(format!("the codestream is invalid: {}", lower_case(&error.to_string())), CLAUSE),
    }
}

/// Returns one line, whose first word is in lower case unless it is an abbreviation.
fn lower_case(message: &str) -> String {
    let line: String = message.lines().next().unwrap_or_default().chars().take(200).collect();
    match line.split_at_checked(1) {
        Some((first, rest)) if rest.starts_with(char::is_lowercase) => first.to_ascii_lowercase() + rest,
        _ => line,
    }
}
