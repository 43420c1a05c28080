//! RLE Lossless (PS3.5 Annex G): one segment per byte plane, each row of a plane in PackBits runs.
//!
//! ```text
//! frame    RLE Header, 64 bytes       number of segments, then the byte offset of each, 32-bit little-endian
//!          segment 1                  most significant bytes of the first sample of every pixel
//!          …                          … less significant bytes, then the next sample
//! run      replicate: 1 - n, byte     n = 2 to 128 equal bytes
//!          literal:   n - 1, n bytes  n = 1 to 128 bytes
//! ```
//!
//! For example, the row `1 1 1 2 2 3` has the runs `FE 01` (1 three times) and `02 02 02 03` (literal of three bytes).

use super::{Image, PeriodicCancel};
use crate::error::{Result, output};
use crate::output::Cancel;
use crate::sample::Samples;

/// Size of the RLE Header in bytes, and the number of segments that it has offsets for (PS3.5 G.5).
const HEADER_BYTES: usize = 64;
const MAX_SEGMENTS: usize = 15;
/// Longest run of either kind, in bytes of the row (PS3.5 G.3.1).
const MAX_RUN: usize = 128;
/// Bytes of slack after a row and after its runs: loads and copies of whole words and vectors may overrun by that much.
const SLACK: usize = 2 * MAX_RUN;

/// Encodes one frame of integers as RLE Lossless: RLE Header and segments, without items.
///
/// There is one segment per byte of a pixel, the most significant byte of the first sample first. Runs end at the end of
/// a row, and every segment has an even length.
///
/// # Errors
/// `Output` if a pixel has more than 15 bytes, if the samples are floats, or if the frame would be 4 GiB or longer;
/// `Interrupted` if the call is cancelled.
///
/// # Standard
/// PS3.5 Annex G.
pub fn rle(image: &Image<'_>, cancel: Cancel<'_>) -> Result<Vec<u8>> {
    image.checked_size()?;
    if matches!(image.samples, Samples::F32(_) | Samples::F64(_)) {
        let text = format!("samples of {} found, integers expected", image.samples.sample_type().name());
        return Err(output(text, "PS3.5 Annex G.2"));
    }
    let sample_bytes = image.samples.sample_bytes();
    let samples_per_pixel = image.samples_per_pixel as usize;
    let segment_count = samples_per_pixel.saturating_mul(sample_bytes);
    if segment_count > MAX_SEGMENTS {
        let text = format!("{segment_count} segments found, at most {MAX_SEGMENTS} expected: one per byte of a pixel");
        return Err(output(text, "PS3.5 Annex G.5"));
    }
    let pixels = Pixels {
        bytes: image.samples.bytes(),
        pixel_bytes: segment_count,
        row_bytes: image.row_samples() * sample_bytes,
    };
    let mut cancel = PeriodicCancel::new(cancel);
    let mut out = vec![0; HEADER_BYTES];
    let mut header = vec![u32::try_from(segment_count).unwrap_or(u32::MAX)];
    for sample in 0..samples_per_pixel {
        for byte in (0..sample_bytes).rev() {
            header.push(u32::try_from(out.len()).map_err(|_| too_long())?);
            encode_plane(&pixels, sample * sample_bytes + byte, &mut cancel, &mut out)?;
            if out.len() % 2 == 1 {
                out.push(0);
            }
        }
    }
    u32::try_from(out.len()).map_err(|_| too_long())?;
    for (bytes, field) in out.chunks_exact_mut(4).zip(header) {
        bytes.copy_from_slice(&field.to_le_bytes());
    }
    Ok(out)
}

fn too_long() -> crate::error::DecodeError {
    output("the encoded frame would be 4 GiB or more", "PS3.5 Annex G.5")
}

/// The image as little-endian bytes.
struct Pixels<'a> {
    bytes: &'a [u8],
    pixel_bytes: usize,
    row_bytes: usize,
}

/// Appends the segment of the byte plane that consists of byte `byte_index` of each pixel.
fn encode_plane(
    pixels: &Pixels<'_>,
    byte_index: usize,
    cancel: &mut PeriodicCancel<'_>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let columns = pixels.row_bytes / pixels.pixel_bytes;
    let mut row = vec![0; columns + SLACK];
    // Literal runs only: one header per 128 bytes.
    let mut runs = vec![0; columns + columns / MAX_RUN + 2 + SLACK];
    for src in pixels.bytes.chunks_exact(pixels.row_bytes) {
        cancel.advance(pixels.row_bytes)?;
        gather(src, byte_index, pixels.pixel_bytes, &mut row);
        let run_bytes = pack(&row, columns, &mut runs);
        let Some(runs) = run_bytes.and_then(|run_bytes| runs.get(..run_bytes)) else {
            debug_assert!(false, "the buffers hold the longest runs of a row");
            return Err(output(format!("runs of a row of {columns} bytes exceed their buffer"), ""));
        };
        out.extend_from_slice(runs);
    }
    Ok(())
}

/// Copies byte `byte_index` of each pixel of `src` to `row`.
fn gather(src: &[u8], byte_index: usize, pixel_bytes: usize, row: &mut [u8]) {
    match pixel_bytes {
        1 => row.iter_mut().zip(src).for_each(|(to, from)| *to = *from),
        2 => gather_from::<2>(src, byte_index, row),
        3 => gather_from::<3>(src, byte_index, row),
        4 => gather_from::<4>(src, byte_index, row),
        6 => gather_from::<6>(src, byte_index, row),
        _ => row.iter_mut().zip(src.iter().skip(byte_index).step_by(pixel_bytes)).for_each(|(to, from)| *to = *from),
    }
}

#[inline]
#[allow(clippy::indexing_slicing, reason = "the index is checked before the loop")]
fn gather_from<const PIXEL_BYTES: usize>(src: &[u8], byte_index: usize, row: &mut [u8]) {
    debug_assert!(byte_index < PIXEL_BYTES, "byte {byte_index} of a pixel of {PIXEL_BYTES} bytes");
    if byte_index < PIXEL_BYTES {
        for (to, from) in row.iter_mut().zip(src.as_chunks::<PIXEL_BYTES>().0) {
            *to = from[byte_index];
        }
    }
}

/// Writes the runs of the first `columns` bytes of `row` to `runs`. Returns their size in bytes; `None` if a buffer has
/// less than [`SLACK`] bytes of slack.
///
/// ```text
/// at each position:
///     n = equal bytes from here on
///     n ≥ 2: replicate run of n
///     otherwise: literal run up to the next three equal bytes
///                (two equal bytes stay in it: a run of their own and a new literal header save nothing)
/// ```
///
/// Both are limited to 128 bytes and to the row.
fn pack(row: &[u8], columns: usize, runs: &mut [u8]) -> Option<usize> {
    let (mut position, mut run_bytes) = (0, 0);
    while position < columns {
        let max_length = MAX_RUN.min(columns - position);
        let (src, out) = (row.get(position..)?, runs.get_mut(run_bytes..)?);
        let equal = equal_bytes(src, max_length);
        if equal > 1 {
            *out.first_chunk_mut()? = [header_byte(1_usize.wrapping_sub(equal)), *src.first()?];
            run_bytes += 2;
            position += equal;
        } else {
            let length = literal_bytes(src, max_length, columns - position);
            // A literal run that ends at 128 bytes may split a pair: leave both bytes to a replicate run.
            let splits_pair = length < columns - position && length > 1 && src.get(length - 1) == src.get(length);
            let length = length - usize::from(splits_pair);
            let (header, out) = out.split_first_mut()?;
            *header = header_byte(length - 1);
            copy(src, out, length)?;
            run_bytes += 1 + length;
            position += length;
        }
    }
    Some(run_bytes)
}

/// Returns the low byte of `value`, which is -127 to 127 in two's complement.
fn header_byte(value: usize) -> u8 {
    value.to_le_bytes()[0]
}

/// Copies `length` bytes in steps of 32; overruns by up to 31 bytes. `None` if a buffer has no slack for that.
#[inline]
fn copy(src: &[u8], out: &mut [u8], length: usize) -> Option<()> {
    const STEP: usize = 32;
    let mut done = 0;
    while done < length {
        *out.get_mut(done..)?.first_chunk_mut::<STEP>()? = *src.get(done..)?.first_chunk()?;
        done += STEP;
    }
    Some(())
}

/// Returns the number of bytes from the first on that are equal to it, at most `max_length`.
#[inline]
fn equal_bytes(src: &[u8], max_length: usize) -> usize {
    let Some(first) = src.first() else { return 0 };
    let first = u64::from(*first) * ONES;
    let mut position = 0;
    while position < max_length {
        let Some(word) = load_word(src, position) else { break };
        let unequal = word ^ first;
        if unequal != 0 {
            return max_length.min(position + (unequal.trailing_zeros() / 8) as usize);
        }
        position += 8;
    }
    max_length
}

/// Returns the number of bytes before the next three equal ones: at least 1, at most `max_length`. `row_left` is the
/// number of bytes in the row.
#[inline]
fn literal_bytes(src: &[u8], max_length: usize, row_left: usize) -> usize {
    let mut position = 1;
    while position < max_length {
        let words = (load_word(src, position), load_word(src, position + 1), load_word(src, position + 2));
        let (Some(first), Some(second), Some(third)) = words else { break };
        // Byte i is 0 if bytes i, i + 1 and i + 2 from `position` on are equal. The lowest zero byte is found exactly:
        // (x - 0x01…01) & !x & 0x80…80 can be wrong only above it, by a borrow.
        let unequal = (first ^ second) | (second ^ third);
        let zeros = unequal.wrapping_sub(ONES) & !unequal & (ONES << 7);
        if zeros != 0 {
            let end = position + (zeros.trailing_zeros() / 8) as usize;
            // Three equal bytes that reach into the slack do not count.
            return if end + 3 <= row_left { end.min(max_length) } else { max_length };
        }
        position += 8;
    }
    max_length
}

/// 0x01 in every byte.
const ONES: u64 = u64::MAX / 255;

#[inline]
fn load_word(src: &[u8], offset: usize) -> Option<u64> {
    src.get(offset..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests;
