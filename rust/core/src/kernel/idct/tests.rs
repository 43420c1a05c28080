//! Every CPU level against the portable bodies, and these against the definition of the inverse DCT in floating point.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts whose range the test itself chooses"
)]

use super::*;
use crate::testing::{Random, miri_or};
use proptest::prelude::*;
use std::f64::consts::PI;

const SIZES: [BlockSize; 4] = [BlockSize::Full, BlockSize::Half, BlockSize::Quarter, BlockSize::Eighth];
const PRECISIONS: [Precision; 2] = [Precision::Eight, Precision::Twelve];

/// Transforms blocks of one component, which are stored from left to right with `gap` bytes after each row of a block.
/// Returns the samples row by row.
fn decode(
    blocks: &[Block],
    quantizers: &[u16; 64],
    (size, precision): (BlockSize, Precision),
    gap: usize,
    level: CpuLevel,
) -> Vec<u16> {
    let row_bytes = size.side() * precision.sample_bytes();
    let step = row_bytes + gap;
    let position = BlockPosition { table: 0, offset: 0, step, stride: blocks.len() * step, size };
    let mut coefficients = blocks.as_flattened().to_vec();
    let mut samples = vec![0xA5; blocks.len() * step * size.side()];
    let table = QuantizationTable::new(quantizers);
    inverse_dct(&mut coefficients, 0, &[position], &[table], precision, &mut samples, level);
    assert!(coefficients.iter().all(|coefficient| *coefficient == 0));
    assert!(samples.chunks(step).all(|row| row[row_bytes..].iter().all(|byte| *byte == 0xA5)));
    let samples: Vec<u8> = samples.chunks(step).flat_map(|row| &row[..row_bytes]).copied().collect();
    numbers(&samples, precision)
}

/// Returns samples as numbers.
fn numbers(samples: &[u8], precision: Precision) -> Vec<u16> {
    match precision {
        Precision::Eight => samples.iter().map(|sample| u16::from(*sample)).collect(),
        Precision::Twelve => samples.as_chunks().0.iter().map(|bytes| u16::from_ne_bytes(*bytes)).collect(),
    }
}

fn decode_one(block: &Block, quantizers: &[u16; 64], size: BlockSize, precision: Precision) -> Vec<u16> {
    decode(&[*block], quantizers, (size, precision), 0, CpuLevel::PORTABLE)
}

/// T.81 A.3.3 with the level shift, and without limits. A reduced block has the means of the samples that each of its
/// samples replaces.
fn definition(block: &Block, quantizers: &[u16; 64], size: BlockSize, precision: Precision) -> Vec<f64> {
    let scale = |k: usize| if k == 0 { 0.5_f64.sqrt() } else { 1.0 };
    let cosine = |x: usize, u: usize| ((2 * x + 1) as f64 * u as f64 * PI / 16.0).cos();
    let sample = |y: usize, x: usize| -> f64 {
        let term = |i: usize| {
            let (v, u) = (i / 8, i % 8);
            let value = f64::from(block[i]) * f64::from(quantizers[i]);
            scale(u) * scale(v) / 4.0 * value * cosine(x, u) * cosine(y, v)
        };
        (0..64).map(term).sum()
    };
    let shift = if precision == Precision::Eight { 128.0 } else { 2048.0 };
    let (side, factor) = (size.side(), 8 / size.side());
    let mean = |y: usize, x: usize| -> f64 {
        let sum: f64 = (0..factor * factor).map(|i| sample(factor * y + i / factor, factor * x + i % factor)).sum();
        sum / (factor * factor) as f64 + shift
    };
    (0..side * side).map(|i| mean(i / side, i % side)).collect()
}

/// Returns coefficients of a block with amplitudes like those of an image: decreasing with frequency.
fn ordinary_block(random: &mut Random, precision: Precision, quantizer: i16) -> Block {
    let peak = if precision == Precision::Eight { 800 } else { 12_000 };
    let mut block = [0; 64];
    for (i, coefficient) in block.iter_mut().enumerate() {
        let amplitude = peak / (1 + (i / 8 + i % 8).pow(2)) / quantizer as usize;
        *coefficient = random.below(2 * amplitude + 1) as i16 - amplitude as i16;
    }
    block
}

#[test]
fn inverse_dct_ordinary_coefficients_agree_with_definition() {
    let mut random = Random(1);
    for (precision, size) in PRECISIONS.into_iter().flat_map(|precision| SIZES.map(|size| (precision, size))) {
        let max = if precision == Precision::Eight { 255.0 } else { 4095.0 };
        for quantizer in [1, 3, 16] {
            for _ in 0..miri_or(100, 1) {
                let block = ordinary_block(&mut random, precision, quantizer);
                let quantizers = [quantizer as u16; 64];
                let samples = decode_one(&block, &quantizers, size, precision);
                for (sample, exact) in samples.iter().zip(definition(&block, &quantizers, size, precision)) {
                    let error = f64::from(*sample) - exact.clamp(0.0, max);
                    assert!(error.abs() <= 1.0, "{precision:?} {size:?}: {sample} instead of {exact}");
                }
            }
        }
    }
}

#[test]
fn inverse_dct_dc_only_rounds_half_up_and_saturates() {
    for (precision, quantizer, dc, sample) in [
        (Precision::Eight, 1, 0, 128),
        (Precision::Eight, 1, 3, 128),
        (Precision::Eight, 1, 4, 129),
        (Precision::Eight, 1, -4, 128),
        (Precision::Eight, 1, -5, 127),
        (Precision::Eight, 16, 62, 252),
        (Precision::Eight, 16, 64, 255),
        (Precision::Eight, 16, -66, 0),
        (Precision::Twelve, 1, 4, 2049),
        (Precision::Twelve, 2, 8190, 4095),
        (Precision::Twelve, 2, -8192, 0),
    ] {
        let mut block = [0; 64];
        block[0] = dc;
        for size in SIZES {
            let samples = decode_one(&block, &[quantizer; 64], size, precision);
            assert_eq!(samples, vec![sample; size.side() * size.side()], "{precision:?} {size:?} {quantizer} × {dc}");
        }
    }
}

/// Samples of libjpeg-turbo 3.1.3 for coefficients at its limits.
#[test]
fn inverse_dct_extreme_coefficients_wrap_or_saturate() {
    for (precision, size, quantizer, dc, last, sample) in [
        // A lone row 0 is shifted and wraps; with another row it saturates.
        (Precision::Eight, BlockSize::Full, 1, 8191, 0, 255),
        (Precision::Eight, BlockSize::Full, 1, 8192, 0, 0),
        (Precision::Eight, BlockSize::Full, 1, 8192, 1, 255),
        (Precision::Eight, BlockSize::Half, 1, 8192, 0, 0),
        (Precision::Eight, BlockSize::Half, 1, 8192, 1, 255),
        // The product wraps to 16 bits.
        (Precision::Eight, BlockSize::Full, 255, 257, 0, 128),
        (Precision::Eight, BlockSize::Full, 65_535, 100, 0, 116),
        // One sample wraps to 10 bits.
        (Precision::Eight, BlockSize::Eighth, 1, 4091, 0, 255),
        (Precision::Eight, BlockSize::Eighth, 1, 4092, 0, 0),
        // 12-bit samples wrap to 14 bits; the quantiser is unsigned.
        (Precision::Twelve, BlockSize::Full, 2, 32_765, 0, 4095),
        (Precision::Twelve, BlockSize::Full, 2, 32_766, 0, 0),
        (Precision::Twelve, BlockSize::Full, 65_535, 2, 0, 2048),
    ] {
        let mut block = [0; 64];
        (block[0], block[63]) = (dc, last);
        for level in CpuLevel::available() {
            let samples = decode(&[block], &[quantizer; 64], (size, precision), 0, level);
            assert_eq!(samples[0], sample, "{precision:?} {size:?}: {quantizer} × {dc}, {last}");
        }
    }
}

#[test]
fn inverse_dct_mcus_are_placed_as_positions_describe() {
    // Two blocks side by side, one block with another table in a second component.
    let luma = |offset| BlockPosition { table: 1, offset, step: 16, stride: 64, size: BlockSize::Full };
    let chroma = BlockPosition { table: 0, offset: 512, step: 2, stride: 8, size: BlockSize::Quarter };
    let positions = [luma(0), luma(8), chroma];
    let tables = [16, 8].map(|quantizer| QuantizationTable::new(&[quantizer; 64]));
    for level in CpuLevel::available() {
        for (first_block, block_count) in [(0, 12), (3, 9), (0, 1), (1, 11), (4, 5), (5, 1), (11, 1), (3, 0)] {
            let mut coefficients = vec![0; 64 * block_count];
            let value = |block: usize| block as i16 + 1;
            for (i, block) in coefficients.as_chunks_mut::<64>().0.iter_mut().enumerate() {
                block[0] = value(first_block + i);
            }
            let mut samples = vec![0; 528];
            inverse_dct(&mut coefficients, first_block, &positions, &tables, Precision::Eight, &mut samples, level);
            let mut expected = vec![0; 528];
            for block in first_block..first_block + block_count {
                let (mcu, position) = (block / 3, &positions[block % 3]);
                for (y, x) in (0..8).flat_map(|y| (0..8).map(move |x| (y, x))) {
                    if x < position.size.side() && y < position.size.side() {
                        let sample = 128 + value(block) as u8 * if position.table == 0 { 2 } else { 1 };
                        expected[position.offset + mcu * position.step + y * position.stride + x] = sample;
                    }
                }
            }
            assert_eq!(samples, expected, "{} {first_block} {block_count}", level.name());
        }
    }
}

/// Samples of the portable bodies, which are the reference for all levels.
fn reference(blocks: &[Block], quantizers: &[u16; 64], size: BlockSize, precision: Precision) -> Vec<u16> {
    let step = size.side() * precision.sample_bytes();
    let position = BlockPosition { table: 0, offset: 0, step, stride: blocks.len() * step, size };
    let mut samples = vec![0xA5; blocks.len() * step * size.side()];
    let (mut blocks, tables) = (blocks.to_vec(), [QuantizationTable::new(quantizers)]);
    let run = Run::new(&[position], 0, (0, blocks.len()), &tables, precision, false).unwrap();
    match precision {
        Precision::Eight => scalar::transform_8_bit(&mut blocks, &run, &mut samples),
        Precision::Twelve => scalar::transform_12_bit(&mut blocks, &run, &mut samples),
    }
    numbers(&samples, precision)
}

/// Blocks with a mean and two other coefficients at the bounds up to which 12-bit samples are transformed in 16 bits.
#[test]
fn inverse_dct_12_bit_bounds_equal_reference() {
    let columns = |columns: [usize; 4]| (1..64).filter(move |i| columns.contains(&(i % 8)));
    for (i, magnitude) in columns([0, 1, 4, 5]).step_by(miri_or(1, 15)).flat_map(|i| [(i, 11_780), (i, 11_800)]) {
        let blocks: Vec<Block> = columns([2, 3, 6, 7])
            .flat_map(|j| (0..8).map(move |signs| (j, [1, 2, 4].map(|bit| if signs & bit == 0 { 1 } else { -1 }))))
            .map(|(j, [a, b, c])| {
                let mut block = [0; 64];
                (block[0], block[i], block[j]) = (a * 19_996, b * magnitude, c * magnitude);
                block
            })
            .collect();
        for size in [BlockSize::Full, BlockSize::Half, BlockSize::Quarter] {
            let expected = reference(&blocks, &[1; 64], size, Precision::Twelve);
            for level in CpuLevel::available() {
                let samples = decode(&blocks, &[1; 64], (size, Precision::Twelve), 0, level);
                assert!(samples == expected, "{} {size:?} {i}", level.name());
            }
        }
    }
}

/// Blocks with products of 188,900 in each column, the bound up to which 12-bit samples are transformed in 32 bits.
#[test]
fn inverse_dct_12_bit_column_bounds_equal_reference() {
    let mut random = Random(7);
    let blocks: Vec<Block> = (0..miri_or(2000, 8))
        .map(|index| {
            let mut block = [0; 64];
            let magnitude = 1889 + (index % 2) as i16;
            for column in 0..8 {
                block[8 * random.below(8) + column] = if random.below(2) == 0 { magnitude } else { -magnitude };
            }
            block
        })
        .collect();
    let expected = reference(&blocks, &[100; 64], BlockSize::Full, Precision::Twelve);
    for level in CpuLevel::available() {
        let samples = decode(&blocks, &[100; 64], (BlockSize::Full, Precision::Twelve), 0, level);
        assert!(samples == expected, "{}", level.name());
    }
}

/// Coefficients of any size, but mostly of sizes around the limits of the vector kernels.
fn coefficient() -> impl Strategy<Value = i16> {
    prop_oneof![
        4 => (0_u32..16, any::<i16>()).prop_map(|(bits, value)| value >> bits),
        1 => prop::sample::select(vec![i16::MIN, -8193, -8192, -1, 0, 1, 8191, 8192, i16::MAX]),
    ]
}

/// Blocks whose coefficients are zero except in the first rows, the first columns, or at a few places.
fn block() -> impl Strategy<Value = Block> {
    let masks = prop_oneof![
        Just([true; 64]),
        (1_usize..9, 1_usize..9).prop_map(|(rows, columns)| std::array::from_fn(|i| i / 8 < rows && i % 8 < columns)),
        prop::collection::vec(0_usize..64, 0..4).prop_map(|places| std::array::from_fn(|i| places.contains(&i))),
        Just(std::array::from_fn(|i| i == 0)),
    ];
    let values = (prop::array::uniform32(coefficient()), prop::array::uniform32(coefficient()), 0_u32..12);
    (masks, values).prop_map(|(mask, (upper, lower, bits))| {
        let values = upper.into_iter().chain(lower);
        let mut block = [0; 64];
        for ((coefficient, value), is_set) in block.iter_mut().zip(values).zip(mask) {
            *coefficient = if is_set { value >> bits } else { 0 };
        }
        block
    })
}

fn quantizers() -> impl Strategy<Value = [u16; 64]> {
    let table = |value: BoxedStrategy<u16>| {
        (prop::array::uniform32(value.clone()), prop::array::uniform32(value))
            .prop_map(|(upper, lower)| [upper, lower].as_flattened().try_into().unwrap())
    };
    prop_oneof![
        Just([1; 64]),
        table((1_u16..30).boxed()),
        table((0_u16..256).boxed()),
        table((0_u16..4096).boxed()),
        table(any::<u16>().boxed()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(miri_or(4000, 3)))]

    #[test]
    fn inverse_dct_all_levels_equal_reference(
        blocks in prop::collection::vec(block(), 1..7),
        quantizers in quantizers(),
        size in prop::sample::select(vec![BlockSize::Full, BlockSize::Full, BlockSize::Half, BlockSize::Quarter]),
        precision in prop::sample::select(PRECISIONS.to_vec()),
        gap in prop::sample::select(vec![0, 4, 8]),
    ) {
        let expected = reference(&blocks, &quantizers, size, precision);
        for level in CpuLevel::available() {
            prop_assert_eq!(&decode(&blocks, &quantizers, (size, precision), gap, level), &expected, "{}", level.name());
        }
    }
}
