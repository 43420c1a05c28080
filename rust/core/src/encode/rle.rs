//! RLE Lossless: one segment a byte plane, each row of it in PackBits runs.

use super::{Image, PeriodicCancel};
use crate::Cancel;
use crate::error::{Result, output};
use crate::frame::Samples;

/// Bytes of the RLE Header, and how many segments it can name (PS3.5 G.5).
const HEADER_BYTES: usize = 64;
const MOST_SEGMENTS: usize = 15;
/// Longest run of either kind (PS3.5 G.3.1).
const LONGEST_RUN: usize = 128;
/// What may be read after a row, or written after its runs.
const SLACK: usize = 2 * LONGEST_RUN;

/// Encodes one frame of integers as RLE Lossless: RLE Header and segments, without items around them.
///
/// There is one segment for each byte of a pixel, the most significant byte of the first sample first. No run crosses
/// the end of a row, and each segment is of even length.
///
/// # Errors
/// `Output` where a pixel has more than 15 bytes, where samples are no integers, or where the frame would be 4 GiB or
/// more; `Interrupted`.
///
/// # Standard
/// PS3.5 Annex G.
pub fn rle(image: &Image<'_>, watch: Cancel<'_>) -> Result<Vec<u8>> {
    image.size()?;
    if matches!(image.samples, Samples::F32(_) | Samples::F64(_)) {
        let text = format!("samples of {} found, integers expected", image.samples.type_name());
        return Err(output(text, "PS3.5 Annex G.2"));
    }
    let sample_bytes = image.samples.sample_bytes();
    let samples_per_pixel = image.samples_per_pixel as usize;
    let segments = samples_per_pixel.saturating_mul(sample_bytes);
    if segments > MOST_SEGMENTS {
        let text = format!("{segments} segments found, at most {MOST_SEGMENTS} expected: one a byte of a pixel");
        return Err(output(text, "PS3.5 Annex G.5"));
    }
    let pixels = Pixels { bytes: image.samples.bytes(), sample_bytes, samples_per_pixel };
    let mut beats = PeriodicCancel::new(watch);
    let mut out = vec![0; HEADER_BYTES];
    let mut header = vec![u32::try_from(segments).unwrap_or(u32::MAX)];
    for sample in 0..samples_per_pixel {
        for byte in (0..sample_bytes).rev() {
            header.push(u32::try_from(out.len()).map_err(|_| too_long())?);
            encode_plane(
                &pixels,
                sample * sample_bytes + byte,
                image.row_samples() * sample_bytes,
                &mut beats,
                &mut out,
            )?;
            if out.len() % 2 == 1 {
                out.push(0);
            }
        }
    }
    u32::try_from(out.len()).map_err(|_| too_long())?;
    for (place, number) in out.chunks_exact_mut(4).zip(header) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    Ok(out)
}

fn too_long() -> crate::DecodeError {
    output("the encoded frame would be 4 GiB or more", "PS3.5 Annex G.5")
}

/// The image as bytes, little-endian.
struct Pixels<'a> {
    bytes: &'a [u8],
    sample_bytes: usize,
    samples_per_pixel: usize,
}

/// Appends the segment of byte `place` of each pixel.
fn encode_plane(
    pixels: &Pixels<'_>,
    place: usize,
    row_bytes: usize,
    beats: &mut PeriodicCancel<'_>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let pixel_bytes = pixels.sample_bytes * pixels.samples_per_pixel;
    let columns = row_bytes / pixel_bytes;
    let mut row = vec![0; columns + SLACK];
    // A header for every 128 bytes, and copies that go past their end.
    let mut runs = vec![0; columns + columns / LONGEST_RUN + 2 + SLACK];
    for src in pixels.bytes.chunks_exact(row_bytes) {
        beats.advance(row_bytes)?;
        gather(src, place, pixel_bytes, &mut row);
        let filled = pack(&row, columns, &mut runs);
        out.extend_from_slice(runs.get(..filled).unwrap_or_default());
    }
    Ok(())
}

/// Collects byte `place` of each pixel.
fn gather(src: &[u8], place: usize, pixel_bytes: usize, row: &mut [u8]) {
    match pixel_bytes {
        1 => row.iter_mut().zip(src).for_each(|(to, from)| *to = *from),
        2 => gather_of::<2>(src, place, row),
        3 => gather_of::<3>(src, place, row),
        4 => gather_of::<4>(src, place, row),
        6 => gather_of::<6>(src, place, row),
        _ => row.iter_mut().zip(src.iter().skip(place).step_by(pixel_bytes)).for_each(|(to, from)| *to = *from),
    }
}

#[inline]
#[allow(clippy::indexing_slicing, reason = "the place is one of a pixel")]
fn gather_of<const PIXEL_BYTES: usize>(src: &[u8], place: usize, row: &mut [u8]) {
    if place < PIXEL_BYTES {
        for (to, from) in row.iter_mut().zip(src.as_chunks::<PIXEL_BYTES>().0) {
            *to = from[place];
        }
    }
}

/// Writes the runs of the first `columns` bytes of `row` to `runs`; returns how many bytes they take.
///
/// Two equal bytes end no literal run, because a new one after them would cost what they save; three do.
fn pack(row: &[u8], columns: usize, runs: &mut [u8]) -> usize {
    let (mut at, mut filled) = (0, 0);
    while at < columns {
        let most = LONGEST_RUN.min(columns - at);
        let (Some(src), Some(to)) = (row.get(at..), runs.get_mut(filled..)) else { break };
        let same = equal_bytes(src, most);
        if same > 1 {
            if let (Some(byte), Some(to)) = (src.first(), to.first_chunk_mut()) {
                *to = [header_of(1_usize.wrapping_sub(same)), *byte];
            }
            filled += 2;
            at += same;
        } else {
            let length = literal_bytes(src, most, columns - at);
            // Half of a pair would begin another literal run: the pair is a run of its own then.
            let is_cut = length < columns - at && length > 1 && src.get(length - 1) == src.get(length);
            let length = length - usize::from(is_cut);
            if let Some((header, to)) = to.split_first_mut() {
                *header = header_of(length - 1);
                copy(src, to, length);
            }
            filled += 1 + length;
            at += length;
        }
    }
    filled
}

/// The low byte, a number of -127 to 127 as the header has it.
fn header_of(number: usize) -> u8 {
    number.to_le_bytes()[0]
}

/// Copies `length` bytes, and some that do not matter.
#[inline]
fn copy(src: &[u8], to: &mut [u8], length: usize) {
    const STEP: usize = 32;
    let mut done = 0;
    while done < length {
        let piece = src.get(done..).and_then(|src| src.first_chunk::<STEP>());
        if let (Some(piece), Some(to)) = (piece, to.get_mut(done..).and_then(|to| to.first_chunk_mut())) {
            *to = *piece;
        }
        done += STEP;
    }
}

/// How many bytes from the first on are equal to it, at most `most`.
#[inline]
fn equal_bytes(src: &[u8], most: usize) -> usize {
    let Some(first) = src.first() else { return 0 };
    let splat = u64::from(*first) * LOW;
    let mut at = 0;
    while at < most {
        let Some(word) = word_at(src, at) else { break };
        let unequal = word ^ splat;
        if unequal != 0 {
            return most.min(at + (unequal.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    most
}

/// Bytes before the first three that are equal, at least one and at most `most`; of `there` bytes in the row.
#[inline]
fn literal_bytes(src: &[u8], most: usize, there: usize) -> usize {
    let mut at = 1;
    while at < most {
        let (Some(one), Some(two), Some(three)) = (word_at(src, at), word_at(src, at + 1), word_at(src, at + 2)) else {
            break;
        };
        // Zero bytes are where three are equal; the lowest one is found exactly.
        let unequal = (one ^ two) | (two ^ three);
        let zeros = unequal.wrapping_sub(LOW) & !unequal & (LOW << 7);
        if zeros != 0 {
            let end = at + (zeros.trailing_zeros() / 8) as usize;
            // What follows the row is not part of it.
            return if end + 3 <= there { end.min(most) } else { most };
        }
        at += 8;
    }
    most
}

/// A byte of 1 at each place.
const LOW: u64 = u64::MAX / 255;

#[inline]
fn word_at(src: &[u8], at: usize) -> Option<u64> {
    src.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests;
