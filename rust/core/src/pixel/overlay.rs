//! Overlay planes (PS3.3 C.9.2): packed bits that are drawn on a frame.

use crate::error::{Result, output, truncated};
use crate::sample::SamplesMut;

/// A packed overlay plane, one bit per pixel, least significant first.
#[derive(Debug, Clone, Copy)]
pub struct OverlayPlane<'a> {
    /// Overlay Data.
    pub bytes: &'a [u8],
    /// Bits before the first pixel.
    pub bit_offset: usize,
    /// Overlay Rows.
    pub rows: usize,
    /// Overlay Columns.
    pub columns: usize,
}

/// Size of a frame in memory.
#[derive(Debug, Clone, Copy)]
pub struct FrameSize {
    /// Rows of pixels.
    pub rows: usize,
    /// Pixels per row.
    pub columns: usize,
    /// Samples per pixel.
    pub samples_per_pixel: usize,
}

/// Sets the samples of `frame` to `value` where a bit of `plane` is 1. The first pixel of the plane is at `origin`, row and
/// column of the frame, both zero-based; parts outside of the frame are left out. `value` is rounded to the nearest one of the type.
///
/// # Errors
/// `Truncated` if the plane has too few bytes; `Output` if `frame` does not have the size.
///
/// # Standard
/// PS3.3 C.9.2.
pub fn burn_overlay(
    frame: SamplesMut<'_>,
    size: FrameSize,
    plane: OverlayPlane<'_>,
    origin: (i64, i64),
    value: f64,
) -> Result<()> {
    let FrameSize { rows, columns, samples_per_pixel } = size;
    let samples = rows.checked_mul(columns).and_then(|pixels| pixels.checked_mul(samples_per_pixel));
    if samples != Some(frame.len()) {
        let text = format!(
            "frame has {} samples, {rows} × {columns} pixels of {samples_per_pixel} samples expected",
            frame.len()
        );
        return Err(output(text, "PS3.3 C.9.2"));
    }
    let bits = plane.rows.checked_mul(plane.columns).and_then(|bits| bits.checked_add(plane.bit_offset));
    let expected = bits.map_or(usize::MAX, |bits| bits.div_ceil(8));
    if plane.bytes.len() < expected {
        let found = plane.bytes.len();
        let text = format!("overlay plane has {found} bytes, at least {expected} expected");
        return Err(truncated(text, "PS3.3 C.9.2").at(found));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturation is wanted")]
    match frame {
        SamplesMut::U8(frame) => burn(frame, size, plane, origin, value.round() as u8),
        SamplesMut::I8(frame) => burn(frame, size, plane, origin, value.round() as i8),
        SamplesMut::U16(frame) => burn(frame, size, plane, origin, value.round() as u16),
        SamplesMut::I16(frame) => burn(frame, size, plane, origin, value.round() as i16),
        SamplesMut::U32(frame) => burn(frame, size, plane, origin, value.round() as u32),
        SamplesMut::I32(frame) => burn(frame, size, plane, origin, value.round() as i32),
        SamplesMut::U64(frame) => burn(frame, size, plane, origin, value.round() as u64),
        SamplesMut::I64(frame) => burn(frame, size, plane, origin, value.round() as i64),
        SamplesMut::F32(frame) => burn(frame, size, plane, origin, value as f32),
        SamplesMut::F64(frame) => burn(frame, size, plane, origin, value),
    }
    Ok(())
}

fn burn<T: Copy>(frame: &mut [T], size: FrameSize, plane: OverlayPlane<'_>, (row, column): (i64, i64), value: T) {
    let Some((plane_row, frame_row, rows)) = intersection(plane.rows, row, size.rows) else { return };
    let Some((plane_column, frame_column, columns)) = intersection(plane.columns, column, size.columns) else { return };
    let row_samples = size.columns * size.samples_per_pixel;
    let frame_rows = frame.chunks_exact_mut(row_samples.max(1)).skip(frame_row).take(rows);
    for (frame_row, plane_row) in frame_rows.zip(plane_row..) {
        let first_bit = plane.bit_offset + plane_row * plane.columns + plane_column;
        let Some(pixels) = frame_row.get_mut(frame_column * size.samples_per_pixel..) else { return };
        for_each_set_bit(plane.bytes, first_bit, first_bit + columns, |pixel| {
            let start = pixel * size.samples_per_pixel;
            if let Some(pixel) = pixels.get_mut(start..start + size.samples_per_pixel) {
                pixel.fill(value);
            }
        });
    }
}

/// Calls `set` with the distance from `start` of each bit from `start` to `end` (exclusive) that is 1. Zero bytes, the usual
/// content of an overlay, are skipped.
fn for_each_set_bit(bytes: &[u8], start: usize, end: usize, mut set: impl FnMut(usize)) {
    let mut bit = start;
    while bit < end {
        let rest = bytes.get(bit / 8).map_or(0, |byte| byte >> (bit % 8));
        if rest == 0 {
            bit = (bit / 8 + 1) * 8;
            while bit < end && bytes.get(bit / 8..bit / 8 + 8) == Some(&[0; 8]) {
                bit += 64;
            }
            continue;
        }
        bit += rest.trailing_zeros() as usize;
        if bit < end {
            set(bit - start);
        }
        bit += 1;
    }
}

/// The common part of `0..count` moved by `offset` and `0..frame_count`: its first index in each, and its length. `None` if it
/// is empty.
fn intersection(count: usize, offset: i64, frame_count: usize) -> Option<(usize, usize, usize)> {
    let skipped = usize::try_from(offset.saturating_neg().max(0)).ok()?;
    let start = usize::try_from(offset.max(0)).ok()?;
    let length = count.checked_sub(skipped)?.min(frame_count.checked_sub(start)?);
    (length > 0).then_some((skipped, start, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    const SIZE: FrameSize = FrameSize { rows: 3, columns: 4, samples_per_pixel: 1 };

    fn burned(bytes: &[u8], rows: usize, columns: usize, bit_offset: usize, origin: (i64, i64)) -> Result<Vec<u8>> {
        let mut frame = vec![0; 12];
        let plane = OverlayPlane { bytes, bit_offset, rows, columns };
        burn_overlay(SamplesMut::U8(&mut frame), SIZE, plane, origin, 9.0).map(|()| frame)
    }

    #[test]
    fn burn_overlay_sets_pixels_whose_bit_is_1() {
        assert_eq!(burned(&[0b0000_0110], 2, 2, 0, (1, 1)).unwrap(), [0, 0, 0, 0, 0, 0, 9, 0, 0, 9, 0, 0]);
        // Bits 5 to 8 are 0, 1, 1 and 1.
        assert_eq!(burned(&[0b1100_0000, 1], 2, 2, 5, (0, 0)).unwrap(), [0, 9, 0, 0, 9, 9, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn for_each_set_bit_any_range_finds_every_bit() {
        let mut bytes = vec![0_u8; 40];
        bytes[0] = 0b1000_0001;
        bytes[17] = 0b0001_0000;
        bytes[39] = 0xFF;
        for start in 0..320 {
            for end in [start, start + 1, start + 9, 200, 313, 320] {
                let mut found = Vec::new();
                for_each_set_bit(&bytes, start, end, |bit| found.push(start + bit));
                let expected = (start..end.min(320)).filter(|bit| bytes[bit / 8] >> (bit % 8) & 1 == 1);
                assert!(found.iter().copied().eq(expected), "{start} to {end}");
            }
        }
    }

    #[test]
    fn burn_overlay_beyond_the_frame_is_clipped() {
        let all = [0xFF; 8];
        assert_eq!(burned(&all, 2, 2, 0, (-1, -1)).unwrap(), [9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(burned(&all, 2, 2, 0, (2, 3)).unwrap(), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
        for origin in [(3, 0), (0, 4), (-2, 0), (0, i64::MIN), (i64::MAX, 0)] {
            assert_eq!(burned(&all, 2, 2, 0, origin).unwrap(), [0; 12]);
        }
        assert_eq!(burned(&all, 8, 8, 0, (-2, -2)).unwrap(), [9; 12]);
    }

    #[test]
    fn burn_overlay_plane_too_short_is_truncated() {
        for (rows, columns, bit_offset) in [(3, 3, 0), (2, 4, 1), (usize::MAX, 2, 0)] {
            let error = burned(&[0xFF], rows, columns, bit_offset, (0, 0)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Truncated);
        }
    }

    #[test]
    fn burn_overlay_on_colour_sets_every_sample_of_a_pixel() {
        let mut frame = [0.0_f32; 6];
        let plane = OverlayPlane { bytes: &[0b10], bit_offset: 0, rows: 1, columns: 2 };
        let size = FrameSize { rows: 1, columns: 2, samples_per_pixel: 3 };
        burn_overlay(SamplesMut::F32(&mut frame), size, plane, (0, 0), 1.0).unwrap();
        assert_eq!(frame, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        let error = burn_overlay(SamplesMut::F32(&mut frame), SIZE, plane, (0, 0), 1.0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output);
    }
}
