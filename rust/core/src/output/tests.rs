//! Blocks in order and blocks of tiles of the same samples give the same output, whatever its type and options.

#![allow(clippy::cast_possible_truncation, reason = "test images are small")]

use super::*;
use crate::sample::Rescale;
use crate::testing::miri_or;
use crate::{Attributes, ErrorKind, PhotometricInterpretation, SampleKind};
use std::sync::atomic::AtomicBool;

const ROWS: usize = 37;
const COLUMNS: usize = 53;

fn info(samples_per_pixel: u32, bits_allocated: u32, bits_stored: u32, sample_kind: SampleKind) -> FrameInfo {
    FrameInfo::new(Attributes {
        rows: ROWS as u32,
        columns: COLUMNS as u32,
        samples_per_pixel,
        bits_allocated,
        bits_stored,
        high_bit: bits_stored - 1,
        sample_kind,
        planar_configuration: 0,
        photometric_interpretation: PhotometricInterpretation::Other,
    })
    .unwrap()
}

/// Value of a sample in `bits` bits, unsigned.
fn value(pixel: usize, component: usize, bits: u32) -> u64 {
    let hash = ((pixel * 4 + component) as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    hash >> (64 - bits)
}

/// Runs `decoder` on an output stage; the output as bytes.
fn run(
    info: &FrameInfo,
    options: OutputOptions,
    target: SampleType,
    is_ybr: bool,
    cpu_level: CpuLevel,
    decoder: impl Fn(&mut Output<'_>) -> Result<()>,
) -> Result<Vec<u8>> {
    let mut memory = vec![0xA5A5_A5A5_A5A5_A5A5_u64; info.samples()];
    let out = SamplesMut::in_words(target, &mut memory, info.samples()).unwrap();
    let mut scratch = ScratchBlock::default();
    let stop = AtomicBool::new(false);
    let cancel = Cancel { stop: &stop, poll: None };
    let mut output = Output::new(info, is_ybr, options, out, &mut scratch, cancel, cpu_level)?;
    decoder(&mut output)?;
    assert_eq!(output.pixels_left(), 0);
    let mut out = SamplesMut::in_words(target, &mut memory, info.samples()).unwrap();
    Ok(out.bytes_mut().to_vec())
}

/// One sample of `bytes` bytes, sign-extended from `bits` if `is_signed`.
fn store(to: &mut [u8], value: u64, bits: u32, is_signed: bool) {
    let shift = 64 - bits;
    let value = if is_signed { ((value << shift).cast_signed() >> shift).cast_unsigned() } else { value };
    to.iter_mut().zip(value.to_le_bytes()).for_each(|(to, byte)| *to = byte);
}

fn by_blocks(output: &mut Output<'_>, info: &FrameInfo, bits: u32, max_pixels: usize) -> Result<()> {
    let (components, sample_bytes) = (info.samples_per_pixel(), info.sample_bytes());
    let mut first = 0;
    while output.pixels_left() > 0 {
        let block = output.block(max_pixels)?;
        let pixels = block.len() / (components * sample_bytes);
        for (index, sample) in block.chunks_exact_mut(sample_bytes).enumerate() {
            let value = value(first + index / components, index % components, bits);
            store(sample, value, bits, info.is_signed());
        }
        output.commit(pixels)?;
        first += pixels;
    }
    Ok(())
}

/// Tiles of `side` × `side` pixels, last to first, in blocks of at most `max_pixels` pixels.
fn by_tiles(output: &mut Output<'_>, info: &FrameInfo, bits: u32, side: usize, max_pixels: usize) -> Result<()> {
    let (components, sample_bytes) = (info.samples_per_pixel(), info.sample_bytes());
    let tiles = (0..ROWS).step_by(side).flat_map(|row| (0..COLUMNS).step_by(side).map(move |column| (row, column)));
    for (first_row, first_column) in tiles.collect::<Vec<_>>().into_iter().rev() {
        for row in first_row..ROWS.min(first_row + side) {
            let (mut column, end) = (first_column, COLUMNS.min(first_column + side));
            while column < end {
                let block = output.row_block(row, column, max_pixels.min(end - column))?;
                let pixels = block.len() / (components * sample_bytes);
                for (index, sample) in block.chunks_exact_mut(sample_bytes).enumerate() {
                    let pixel = row * COLUMNS + column + index / components;
                    store(sample, value(pixel, index % components, bits), bits, info.is_signed());
                }
                output.commit(pixels)?;
                column += pixels;
            }
        }
    }
    Ok(())
}

#[test]
fn output_forms_of_the_same_samples_give_the_same_output() {
    use SampleKind::{Signed, Unsigned};
    let rescale = Some(Rescale { slope: 0.5, intercept: -3.0 });
    let cases = [
        (1, 8, 8, Unsigned, SampleType::U8, None),
        (1, 16, 12, Signed, SampleType::I16, None),
        (1, 16, 12, Unsigned, SampleType::I32, None),
        (1, 16, 16, Signed, SampleType::F32, rescale),
        (2, 16, 10, Unsigned, SampleType::U16, None),
        (3, 8, 8, Unsigned, SampleType::U8, None),
        (3, 16, 9, Unsigned, SampleType::U64, None),
        (4, 32, 20, Signed, SampleType::I32, None),
    ];
    for (samples_per_pixel, allocated, bits, kind, target, rescale) in cases {
        let info = info(samples_per_pixel, allocated, bits, kind);
        for cpu_level in CpuLevel::available() {
            for (to_rgb, store) in [(false, StoreHint::Cached), (true, StoreHint::Cached), (false, StoreHint::Streamed)]
            {
                let is_ybr = to_rgb && samples_per_pixel == 3 && allocated == 8;
                let to_rgb = to_rgb.then_some(RgbConversion::Dicom);
                let options = OutputOptions { to_rgb, rescale, store };
                let run = |decoder: &dyn Fn(&mut Output<'_>) -> Result<()>| {
                    run(&info, options, target, is_ybr, cpu_level, decoder).unwrap()
                };
                let expected = run(&|output| by_blocks(output, &info, bits, usize::MAX));
                assert!(run(&|output| by_blocks(output, &info, bits, 19)) == expected);
                for (side, max_pixels) in [(1, 1), (miri_or(7, 16), 5), (16, usize::MAX), (64, usize::MAX)] {
                    let tiles = run(&|output| by_tiles(output, &info, bits, side, max_pixels));
                    assert!(tiles == expected, "tiles of {side}, {info:?}");
                }
            }
        }
    }
}

/// Tiles of a band of rows, as a thread writes them.
#[test]
fn row_blocks_of_bands_give_the_same_output() {
    let info = info(3, 16, 12, SampleKind::Unsigned);
    let run = |decoder: &dyn Fn(&mut Output<'_>) -> Result<()>| {
        run(&info, OutputOptions::default(), SampleType::U16, false, CpuLevel::best(), decoder).unwrap()
    };
    let by_bands = run(&|output| {
        let counts = [20, ROWS - 20];
        let mut first_row = 0;
        for (band, rows) in output.bands(&counts).unwrap().into_iter().zip(counts) {
            let mut scratch = ScratchBlock::default();
            let mut output = band.into_output(&mut scratch, None);
            for (row, columns) in (0..rows).flat_map(|row| [(row, 30..COLUMNS), (row, 0..30)]) {
                let block = output.row_block(row, columns.start, columns.len())?;
                assert_eq!(block.len(), columns.len() * 6);
                for (index, sample) in block.chunks_exact_mut(2).enumerate() {
                    let pixel = (first_row + row) * COLUMNS + columns.start + index / 3;
                    store(sample, value(pixel, index % 3, 12), 12, false);
                }
                output.commit(columns.len())?;
            }
            assert_eq!(output.pixels_left(), 0);
            first_row += rows;
        }
        output.finish_bands();
        Ok(())
    });
    assert!(by_bands == run(&|output| by_blocks(output, &info, 12, usize::MAX)));
}

#[test]
fn row_block_ends_with_its_row() {
    let info = info(2, 8, 8, SampleKind::Unsigned);
    let attempt = run(&info, OutputOptions::default(), SampleType::U8, false, CpuLevel::PORTABLE, |output| {
        assert_eq!(output.row_block(ROWS - 1, COLUMNS - 3, usize::MAX)?.len(), 6);
        assert_eq!(output.row_block(0, 0, 4)?.len(), 8);
        by_blocks(output, &info, 8, usize::MAX)
    });
    assert!(attempt.is_ok());
}

/// In builds without debug assertions, the request is an error.
#[test]
#[cfg_attr(debug_assertions, should_panic(expected = "a decoder wrote outside of its output"))]
fn row_block_outside_of_the_frame_is_an_internal_error() {
    let info = info(1, 8, 8, SampleKind::Unsigned);
    for (row, column) in [(ROWS, 0), (0, COLUMNS), (usize::MAX, usize::MAX)] {
        let attempt = run(&info, OutputOptions::default(), SampleType::U8, false, CpuLevel::PORTABLE, |output| {
            output.row_block(row, column, 1).map(|_| ())
        });
        assert_eq!(attempt.unwrap_err().kind(), ErrorKind::Output, "row {row}, column {column}");
    }
}

#[test]
fn rgb_conversion_of_t871_is_left_to_the_decoder() {
    for (bits, target) in [(8, SampleType::U8), (16, SampleType::U16)] {
        let info = info(3, bits, bits, SampleKind::Unsigned);
        let options = OutputOptions { to_rgb: Some(RgbConversion::T871), ..OutputOptions::default() };
        let run = |decoder: &dyn Fn(&mut Output<'_>) -> Result<()>| {
            run(&info, options, target, true, CpuLevel::PORTABLE, decoder)
        };
        let expected = run(&|output| {
            assert_eq!(output.take_rgb_conversion(), Some(RgbConversion::T871));
            assert_eq!(output.take_rgb_conversion(), None);
            by_blocks(output, &info, bits, usize::MAX)
        });
        assert_eq!(expected.unwrap().len(), info.samples() * info.sample_bytes());
        let left = run(&|output| by_blocks(output, &info, bits, usize::MAX));
        assert_eq!(left.unwrap_err().kind(), ErrorKind::Unsupported);
    }
}

#[test]
fn rgb_conversion_of_other_samples_is_unsupported() {
    use RgbConversion::{Dicom, T871};
    for (conversion, samples_per_pixel, bits) in [(Dicom, 3, 16), (Dicom, 4, 8), (T871, 1, 8), (T871, 3, 32)] {
        let info = info(samples_per_pixel, bits, bits, SampleKind::Unsigned);
        let options = OutputOptions { to_rgb: Some(conversion), ..OutputOptions::default() };
        let refused = run(&info, options, info.sample_type(), true, CpuLevel::PORTABLE, |_| Ok(()));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unsupported, "{conversion:?}, {bits} bits");
    }
}

#[test]
fn declare_signed_bits_does_not_change_the_output() {
    // Bits of the decoder's values, Bits Stored and sign of the data set: equal, fewer, more, and another sign.
    let cases = [(12, 12, SampleKind::Signed), (9, 12, SampleKind::Signed), (16, 12, SampleKind::Signed)];
    for (bits, bits_stored, kind) in cases.into_iter().chain([(12, 12, SampleKind::Unsigned)]) {
        let info = info(1, 16, bits_stored, kind);
        let decode = |declared: Option<u32>| {
            run(&info, OutputOptions::default(), info.sample_type(), false, CpuLevel::best(), |output| {
                if let Some(bits) = declared {
                    output.declare_signed_bits(bits);
                }
                while output.pixels_left() > 0 {
                    let block = output.block(100)?;
                    for (index, sample) in block.chunks_exact_mut(2).enumerate() {
                        store(sample, value(index, 0, bits), bits, true);
                    }
                    let pixels = block.len() / 2;
                    output.commit(pixels)?;
                }
                Ok(())
            })
        };
        assert_eq!(decode(Some(bits)), decode(None), "{bits} in {bits_stored} {kind:?}");
    }
}

#[test]
fn next_addresses_are_those_of_the_next_block_unless_it_is_converted() {
    for (target, is_direct) in [(SampleType::U16, true), (SampleType::U32, false)] {
        run(
            &info(1, 16, 16, SampleKind::Unsigned),
            OutputOptions::default(),
            target,
            false,
            CpuLevel::best(),
            |output| {
                output.block(COLUMNS)?.fill(0);
                output.commit(COLUMNS)?;
                let addresses = output.next_addresses();
                let bytes = output.pixels_left() * 2;
                assert_eq!(addresses.len(), if is_direct { bytes } else { 0 });
                let block = output.block(usize::MAX)?;
                block.fill(0);
                let (start, pixels) = (block.as_ptr().addr(), block.len() / 2);
                assert!(!is_direct || addresses.start == start);
                output.commit(pixels)?;
                while output.pixels_left() > 0 {
                    let pixels = output.block(usize::MAX)?.len() / 2;
                    output.commit(pixels)?;
                }
                Ok(())
            },
        )
        .unwrap();
    }
}
