//! Deflated Image Frame Compression (PS3.5 8.2.16, A.4.13): the native samples of each frame, compressed by deflate
//! (RFC 1951).
//!
//! ```text
//! one by one:                     deflate stream ─► block of the output
//! packed bits, planes, 4:2:2:     deflate stream ─► scratch buffer of the frame ─► native_samples ─► output
//! ```

use super::native_samples::{frame_bits, is_plain, subsampled_error, write_samples};
use super::{CodecState, FrameContext, FrameDecoder, FrameFormat, too_short};
use crate::codestream::{CodestreamFormat, CodestreamInfo};
use crate::error::{DecodeError, Result, malformed, truncated};
use crate::frame::{Decoded, Deviation, FrameBytes, FrameInfo};
use crate::output::{CANCEL_INTERVAL_BYTES, Output};
use crate::syntax::TransferSyntax;
use flate2::{Decompress, FlushDecompress, Status};

const CLAUSE: &str = "PS3.5 A.4.13";
/// Bytes that one byte of a deflate stream can encode: a code of 1 bit for a run of 258 bytes, and one of 1 bit for its
/// distance (RFC 1951 3.2.5).
const MAX_RATIO: u64 = 4 * 258;

pub(super) struct Deflated;

impl FrameFormat for Deflated {
    fn name(&self) -> &'static str {
        "deflated"
    }

    fn syntaxes(&self) -> &'static [TransferSyntax] {
        &[TransferSyntax::DEFLATED_IMAGE_FRAME_COMPRESSION]
    }

    /// Each frame is one fragment (PS3.5 A.4.13).
    fn starts_frame(&self, _: &[u8], _: usize, _: &FrameInfo) -> bool {
        true
    }

    fn min_frame_bytes(&self, info: &FrameInfo) -> u64 {
        frame_bits(info).div_ceil(8).div_ceil(MAX_RATIO)
    }

    fn truncated_error(&self, frame: &[u8], info: &FrameInfo) -> Option<DecodeError> {
        Some(too_short(frame, self.min_frame_bytes(info)))
    }
}

impl FrameDecoder for Deflated {
    type Header = ();

    const CODESTREAM: Option<CodestreamFormat> = None;

    fn read_header(&self, _: FrameBytes<'_>, _: &FrameContext<'_>) -> Result<(Option<CodestreamInfo>, ())> {
        Ok((None, ()))
    }

    fn decode(
        &self,
        frame: FrameBytes<'_>,
        (): (),
        context: &FrameContext<'_>,
        state: &mut CodecState,
        output: &mut Output<'_>,
    ) -> Result<Decoded> {
        state.with(|State { decompress, samples }| {
            let decompress = decompress.get_or_insert_with(|| Decompress::new(false));
            let mut stream = DeflateStream::new(decompress, frame.bytes, context.info);
            if is_plain(context.info) {
                inflate_into_blocks(&mut stream, context.info, output)?;
            } else {
                let frame_bytes = stream.frame_bytes;
                context.limits.grow_zeroed(samples, frame_bytes)?;
                let samples = samples.get_mut(..frame_bytes).unwrap_or_default();
                for block in samples.chunks_mut(CANCEL_INTERVAL_BYTES) {
                    output.check_cancelled()?;
                    stream.fill(block)?;
                }
                write_samples(samples, 0, false, context.info, output)?;
            }
            Ok(Decoded { code_path: output.cpu_level().name(), deviations: stream.finish()? })
        })
    }
}

/// State of a thread, reused from frame to frame.
#[derive(Default)]
struct State {
    decompress: Option<Decompress>,
    /// Native samples of one frame.
    samples: Vec<u8>,
}

/// Inflates samples that are stored one by one.
fn inflate_into_blocks(stream: &mut DeflateStream<'_>, info: &FrameInfo, output: &mut Output<'_>) -> Result<()> {
    let pixel_bytes = info.sample_bytes() * info.samples_per_pixel();
    while output.pixels_left() > 0 {
        // Each call of `fill` copies the last 32 KiB, so blocks are large where they are the output itself.
        let block = output.block(CANCEL_INTERVAL_BYTES / pixel_bytes)?;
        let pixels = block.len() / pixel_bytes;
        stream.fill(block)?;
        output.commit(pixels)?;
    }
    Ok(())
}

/// The compressed bytes of one frame.
struct DeflateStream<'a> {
    decompress: &'a mut Decompress,
    src: &'a [u8],
    info: &'a FrameInfo,
    /// Bytes of the native samples.
    frame_bytes: usize,
    has_zlib_header: bool,
    has_ended: bool,
}

impl<'a> DeflateStream<'a> {
    fn new(decompress: &'a mut Decompress, src: &'a [u8], info: &'a FrameInfo) -> Self {
        let has_zlib_header = has_zlib_header(src);
        decompress.reset(has_zlib_header);
        let frame_bytes = usize::try_from(frame_bits(info).div_ceil(8)).unwrap_or(usize::MAX);
        Self { decompress, src, info, frame_bytes, has_zlib_header, has_ended: false }
    }

    /// Inflates exactly the next `out.len()` bytes.
    ///
    /// # Errors
    /// `Truncated` if the stream has fewer bytes, `Malformed` if it is invalid.
    fn fill(&mut self, out: &mut [u8]) -> Result<()> {
        if self.inflate(out)? == out.len() {
            return Ok(());
        }
        let (found, expected) = (self.decompress.total_out(), self.frame_bytes);
        let text = format!("the deflate stream has {found} bytes of samples, {expected} expected");
        let error = || truncated(text, CLAUSE).at(self.position());
        Err(subsampled_error(self.info, found.into(), expected as u128).unwrap_or_else(error))
    }

    /// Inflates up to `out.len()` bytes; fewer only if the stream ends. Returns their number.
    fn inflate(&mut self, out: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < out.len() && !self.has_ended {
            let src = self.src.get(self.position()..).unwrap_or_default();
            let rest = out.get_mut(filled..).unwrap_or_default();
            let (read_before, written_before) = (self.decompress.total_in(), self.decompress.total_out());
            let status = self.decompress.decompress(src, rest, FlushDecompress::None);
            let status = status.map_err(|error| {
                let text = format!("the deflate stream is invalid: {}", error.message().unwrap_or("unknown error"));
                malformed(text, CLAUSE).at(self.position())
            })?;
            let written = self.decompress.total_out() - written_before;
            filled += usize::try_from(written).unwrap_or(0);
            self.has_ended = status == Status::StreamEnd;
            if written == 0 && self.decompress.total_in() == read_before {
                break;
            }
        }
        Ok(filled)
    }

    /// Checks the rest of the stream after all samples, and returns the deviations.
    ///
    /// # Errors
    /// `Malformed` if it is invalid.
    fn finish(mut self) -> Result<Vec<Deviation>> {
        let mut deviations = Vec::new();
        if self.has_zlib_header {
            let text = "the frame has a zlib header, a deflate stream without header expected";
            deviations.push(Deviation::new(text, CLAUSE).at(0));
        }
        if self.inflate(&mut [0])? > 0 {
            let text =
                format!("the deflate stream has more than {} bytes of samples, the rest is ignored", self.frame_bytes);
            deviations.push(Deviation::new(text, CLAUSE).at(self.position()));
        } else if !self.has_ended {
            deviations.push(Deviation::new("the deflate stream has no end", CLAUSE).at(self.src.len()));
        } else {
            let rest = self.src.get(self.position()..).unwrap_or_default();
            if rest.len() > 1 && rest.iter().any(|byte| *byte != 0) {
                let text = format!("{} bytes follow the end of the deflate stream, ignored", rest.len());
                deviations.push(Deviation::new(text, CLAUSE).at(self.position()));
            }
        }
        Ok(deviations)
    }

    /// Offset of the next compressed byte.
    fn position(&self) -> usize {
        usize::try_from(self.decompress.total_in()).unwrap_or(usize::MAX)
    }
}

/// True if the stream begins with a zlib header (RFC 1950 2.2), which some encoders write although the standard has none.
///
/// The low bits 000 of such a first byte start a stored block, whose length is stored twice, the second time inverted
/// (RFC 1951 3.2.4). If that is right, there is no header.
fn has_zlib_header(src: &[u8]) -> bool {
    let &[method, flags, ref after @ ..] = src else { return false };
    let is_stored_block = matches!(after, [high, inverse_low, inverse_high, ..]
        if [!flags, !high] == [*inverse_low, *inverse_high]);
    let has_preset_dictionary = flags & 0x20 != 0;
    let is_header = method & 0x8F == 8 && u16::from_be_bytes([method, flags]).is_multiple_of(31);
    is_header && !has_preset_dictionary && !is_stored_block
}

#[cfg(test)]
mod tests;
