//! Blocks and tiles of the same samples give the same output, whatever its type and options.

#![allow(clippy::cast_possible_truncation, reason = "test images are small")]

use super::*;
use crate::testing::miri_or;
use crate::{Attributes, PhotometricInterpretation, SampleKind};

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

/// Tiles of `side` × `side` pixels, last to first, of coefficients without transform.
fn by_tiles(output: &mut Output<'_>, info: &FrameInfo, bits: u32, side: usize) -> Result<()> {
    let tiles = (0..ROWS).step_by(side).flat_map(|row| (0..COLUMNS).step_by(side).map(move |column| (row, column)));
    for (row, column) in tiles.collect::<Vec<_>>().into_iter().rev() {
        let rect = Rect { row, column, rows: side.min(ROWS - row), columns: side.min(COLUMNS - column) };
        let planes: Vec<Vec<i32>> = (0..info.samples_per_pixel())
            .map(|component| {
                let pixels = (0..rect.rows).flat_map(|y| (0..rect.columns).map(move |x| (y, x)));
                let pixel = |(y, x)| (rect.row + y) * COLUMNS + rect.column + x;
                pixels.map(|at| coefficient(value(pixel(at), component, bits), bits, info.is_signed())).collect()
            })
            .collect();
        let planes: Vec<&[i32]> = planes.iter().map(Vec::as_slice).collect();
        let format = TileFormat { precision: bits, is_signed: info.is_signed(), transform: ComponentTransform::None };
        output.tile(rect, TilePlanes::Integer(&planes), format)?;
    }
    Ok(())
}

fn coefficient(value: u64, bits: u32, is_signed: bool) -> i32 {
    let half = 1_i64 << (bits - 1);
    let value = value.cast_signed();
    let value = if is_signed && value >= half { value - 2 * half } else { value - if is_signed { 0 } else { half } };
    i32::try_from(value).unwrap()
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
                for size in [1, miri_or(7, 16), 64] {
                    assert!(
                        run(&|output| by_tiles(output, &info, bits, size)) == expected,
                        "tiles of {size}, {info:?}"
                    );
                }
            }
        }
    }
}

/// One pixel of three components through a tile.
fn one_pixel(planes: TilePlanes<'_>, transform: ComponentTransform, precision: u32) -> [u8; 3] {
    let attributes = Attributes { rows: 1, columns: 1, ..*info(3, 8, 8, SampleKind::Unsigned).attributes() };
    let info = FrameInfo::new(attributes).unwrap();
    let bytes = run(&info, OutputOptions::default(), SampleType::U8, false, CpuLevel::PORTABLE, |output| {
        let format = TileFormat { precision, is_signed: false, transform };
        output.tile(Rect { row: 0, column: 0, rows: 1, columns: 1 }, planes, format)
    });
    bytes.unwrap().try_into().unwrap()
}

#[test]
fn tile_transforms_are_those_of_t800() {
    // G.2.2 with Y0 = 10, Y1 = -7, Y2 = 2: I1 = 10 - floor(-5 / 4) = 12, I0 = 14, I2 = 5; plus 128.
    let planes: [&[i32]; 3] = [&[10], &[-7], &[2]];
    assert_eq!(one_pixel(TilePlanes::Integer(&planes), ComponentTransform::Reversible, 8), [142, 140, 133]);
    assert_eq!(one_pixel(TilePlanes::Integer(&planes), ComponentTransform::None, 8), [138, 121, 130]);
    // G.3.2 with Y = 10, Cb = 20, Cr = -30: -32.06, 24.5416, 45.44.
    let planes: [&[f32]; 3] = [&[10.0], &[20.0], &[-30.0]];
    assert_eq!(one_pixel(TilePlanes::Float(&planes), ComponentTransform::Irreversible, 8), [96, 153, 173]);
    // Ties go to the even number, and what is out of range is clamped.
    let planes: [&[f32]; 3] = [&[0.5], &[1.5], &[-1e30]];
    assert_eq!(one_pixel(TilePlanes::Float(&planes), ComponentTransform::None, 8), [128, 130, 0]);
    let planes: [&[i32]; 3] = [&[i32::MAX], &[i32::MIN], &[7]];
    assert_eq!(one_pixel(TilePlanes::Integer(&planes), ComponentTransform::None, 4), [15, 0, 15]);
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
