//! All CPU levels against the plain coder, on blocks that it encodes and on any bytes.

#![allow(clippy::cast_possible_truncation, reason = "test data are any values")]

mod model;
mod mq;

use super::*;
use crate::kernel::code_block::{CodewordSegment, MAX_BIT_PLANES};
use crate::testing::{Random, miri_or};
use model::Model;
use proptest::prelude::*;

const STYLES: usize = 32;

/// Returns the style whose flags are the bits of a number.
fn style(flags: usize) -> BlockStyle {
    BlockStyle {
        bypass: flags & 1 != 0,
        reset_contexts: flags & 2 != 0,
        terminate_each_pass: flags & 4 != 0,
        vertically_causal: flags & 8 != 0,
        segmentation_symbols: flags & 16 != 0,
    }
}

const BANDS: [BandKind; 4] = [BandKind::Ll, BandKind::Hl, BandKind::Lh, BandKind::Hh];

/// Encoded block.
#[derive(Debug, Clone)]
struct Encoded {
    width: usize,
    height: usize,
    band: BandKind,
    style: BlockStyle,
    bit_planes: u32,
    data: Vec<u8>,
    segments: Vec<CodewordSegment>,
}

impl Encoded {
    fn block(&self, offset: usize) -> CodeBlock<'_> {
        CodeBlock {
            width: self.width,
            height: self.height,
            offset,
            bit_planes: self.bit_planes,
            roi_shift: 0,
            data: &self.data,
            segments: &self.segments,
        }
    }

    fn job<'a>(&self, blocks: &'a [CodeBlock<'a>], stride: usize, dequantization: Dequantization) -> Job<'a> {
        Job { band: self.band, style: self.style, dequantization, blocks, stride }
    }
}

/// Returns coefficients below 2^`bit_planes`: `density` of 256 are large, the others become smaller with the distance.
fn coefficients(random: &mut Random, count: usize, bit_planes: u32, density: usize) -> Vec<i32> {
    (0..count)
        .map(|_| {
            let value = random.next();
            let planes = if random.below(256) < density { bit_planes } else { random.below(3) as u32 };
            let magnitude = (value & ((1 << planes.min(bit_planes)) - 1)) as i32;
            if value >> 63 == 0 { magnitude } else { -magnitude }
        })
        .collect()
}

fn max_passes(bit_planes: u32) -> u32 {
    3 * bit_planes - 2
}

/// Encodes `source`.
fn encode(
    source: &[i32],
    (width, height): (usize, usize),
    band: BandKind,
    style: BlockStyle,
    bit_planes: u32,
    passes: u32,
) -> Encoded {
    let (data, segments) = Model::new(width, height, band, style, bit_planes).encode(source, passes);
    Encoded { width, height, band, style, bit_planes, data, segments }
}

/// Returns the coefficients that the plain decoder gives; `None` for a wrong segmentation symbol.
fn expected(encoded: &Encoded, dequantization: Dequantization) -> Option<Vec<i32>> {
    let Encoded { width, height, band, style, bit_planes, .. } = *encoded;
    let mut model = Model::new(width, height, band, style, bit_planes);
    let is_valid = model.decode(&encoded.data, &encoded.segments);
    let coefficient = |(doubled, is_negative): (u32, bool)| {
        let signed = |value: i32| if is_negative { -value } else { value };
        match dequantization {
            Dequantization::Reversible => signed((doubled >> 1) as i32),
            Dequantization::Irreversible { step } => {
                ((signed(doubled as i32) as f32) * (0.5 * step)).to_bits().cast_signed()
            }
        }
    };
    is_valid.then(|| model.doubled().into_iter().map(coefficient).collect())
}

/// Decodes one block at every level, and compares with the plain decoder.
fn check(encoded: &Encoded, scratch: &mut Scratch) {
    for dequantization in [Dequantization::Reversible, Dequantization::Irreversible { step: 0.37 }] {
        let expected = expected(encoded, dequantization);
        let (stride, offset) = (encoded.width + 3, 2);
        let blocks = [encoded.block(offset)];
        let job = encoded.job(&blocks, stride, dequantization);
        for level in CpuLevel::available() {
            let mut out = vec![-77; offset + (encoded.height - 1) * stride + encoded.width];
            let result = decode_job(&job, &mut out, scratch, level);
            let name = || format!("{}, {:?}", level.name(), Encoded { data: Vec::new(), ..encoded.clone() });
            match &expected {
                None => {
                    let error = BlockError { block: 0, reason: BlockErrorReason::SegmentationSymbol };
                    assert_eq!(result, Err(error), "{}", name());
                }
                Some(expected) => {
                    assert_eq!(result, Ok(()), "{}", name());
                    for (index, out) in out.iter().enumerate() {
                        let (row, column) = (index.wrapping_sub(offset) / stride, index.wrapping_sub(offset) % stride);
                        let is_inside = index >= offset && column < encoded.width;
                        let value = if is_inside { expected[row * encoded.width + column] } else { -77 };
                        assert_eq!(*out, value, "row {row}, column {column}, {}", name());
                    }
                }
            }
        }
    }
}

#[test]
fn decode_job_every_style_and_band_equals_plain_decoder() {
    let (mut random, mut scratch) = (Random(1), Scratch::default());
    for flags in (0..STYLES).step_by(miri_or(1, 9)) {
        for band in BANDS.into_iter().step_by(miri_or(1, 3)) {
            for density in [4, 120] {
                let (size, bit_planes) = ((37, 22), 8);
                let source = coefficients(&mut random, size.0 * size.1, bit_planes, density);
                let encoded = encode(&source, size, band, style(flags), bit_planes, max_passes(bit_planes));
                check(&encoded, &mut scratch);
                let doubled = expected(&encoded, Dequantization::Reversible);
                assert_eq!(doubled.as_deref(), Some(&source[..]), "all passes give the source");
            }
        }
    }
}

#[test]
fn decode_job_every_number_of_passes_equals_plain_decoder() {
    let (mut random, mut scratch) = (Random(2), Scratch::default());
    let (size, bit_planes) = ((13, 11), 7);
    let source = coefficients(&mut random, size.0 * size.1, bit_planes, 60);
    for flags in (0..STYLES).step_by(miri_or(1, 9)) {
        for passes in (0..=max_passes(bit_planes)).step_by(miri_or(1, 6)) {
            check(&encode(&source, size, BandKind::Lh, style(flags), bit_planes, passes), &mut scratch);
        }
    }
}

#[test]
fn decode_job_every_shape_equals_plain_decoder() {
    let (mut random, mut scratch) = (Random(3), Scratch::default());
    let shapes = [(4, 1024), (1024, 4), (64, 64), (8, 512), (512, 8), (3, 1024), (1024, 3), (1, 1024), (1024, 1)];
    let small = (1..=9).flat_map(|height| (1..=17).map(move |width| (width, height)));
    for size in shapes.into_iter().chain(small).step_by(miri_or(1, 41)) {
        for density in [1, 200] {
            let source = coefficients(&mut random, size.0 * size.1, 5, density);
            let style = style(random.below(STYLES));
            check(&encode(&source, size, BANDS[random.below(4)], style, 5, max_passes(5)), &mut scratch);
        }
    }
}

#[test]
fn decode_job_every_number_of_bit_planes_equals_plain_decoder() {
    let (mut random, mut scratch) = (Random(4), Scratch::default());
    for bit_planes in (1..=MAX_BIT_PLANES).step_by(miri_or(1, 10)) {
        for flags in [0, 1, 31] {
            let source = coefficients(&mut random, 20 * 9, bit_planes, 100);
            let encoded = encode(&source, (20, 9), BandKind::Hl, style(flags), bit_planes, max_passes(bit_planes));
            check(&encoded, &mut scratch);
        }
    }
}

/// Places blocks one below the other, in rows of `stride` coefficients. Returns the offset of each, and the end.
fn place(blocks: &[Encoded], stride: usize) -> (Vec<usize>, usize) {
    let mut end = 0;
    let offsets = blocks.iter().map(|block| {
        end += block.height * stride;
        end - block.height * stride
    });
    (offsets.collect(), end)
}

/// Decodes blocks as one job; they have the same band and style.
fn decode_together(blocks: &[Encoded], level: CpuLevel) -> Result<Vec<i32>, BlockError> {
    let stride = 64;
    let (offsets, end) = place(blocks, stride);
    let code_blocks: Vec<_> = blocks.iter().zip(offsets).map(|(block, offset)| block.block(offset)).collect();
    let job = blocks[0].job(&code_blocks, stride, Dequantization::Reversible);
    let mut out = vec![0; end];
    decode_job(&job, &mut out, &mut Scratch::default(), level).map(|()| out)
}

#[test]
fn decode_job_several_blocks_write_their_own_coefficients() {
    let (mut random, stride, bit_planes) = (Random(5), 64, 9);
    for flags in (0..STYLES).step_by(miri_or(1, 9)) {
        let blocks: Vec<_> = (0..miri_or(23, 9))
            .map(|_| {
                let size = (1 + random.below(64), 1 + random.below(16));
                let passes = max_passes(bit_planes) - random.below(10) as u32;
                let source = coefficients(&mut random, size.0 * size.1, bit_planes, 200);
                encode(&source, size, BandKind::Hh, style(flags), bit_planes, passes)
            })
            .collect();
        let (offsets, end) = place(&blocks, stride);
        assert!(is_dense(&blocks.iter().map(|block| block.block(0)).collect::<Vec<_>>()));
        let mut all = vec![0; end];
        for (block, offset) in blocks.iter().zip(offsets) {
            let values = expected(block, Dequantization::Reversible).unwrap();
            for (row, values) in values.chunks(block.width).enumerate() {
                let start = offset + row * stride;
                all[start..start + values.len()].copy_from_slice(values);
            }
        }
        for level in CpuLevel::available() {
            assert!(decode_together(&blocks, level).as_ref() == Ok(&all), "style {flags}, {}", level.name());
        }
    }
}

#[test]
fn decode_job_region_of_interest_is_scaled_down() {
    // Background below 2^3, region of interest shifted by 3 bits.
    let source = [5, -7, 0, 3 << 3, -(6 << 3), 1 << 3];
    let encoded = encode(&source, (6, 1), BandKind::Ll, style(0), 6, max_passes(6));
    let blocks = [CodeBlock { roi_shift: 3, ..encoded.block(0) }];
    for level in CpuLevel::available() {
        let mut out = [0; 6];
        let job = encoded.job(&blocks, 6, Dequantization::Reversible);
        assert_eq!(decode_job(&job, &mut out, &mut Scratch::default(), level), Ok(()));
        assert_eq!(out, [5, -7, 0, 3, -6, 1], "{}", level.name());
    }
}

/// Returns the reason why a block is refused, which is the same at every level.
fn reason(block: CodeBlock<'_>, style: BlockStyle, out_len: usize) -> BlockErrorReason {
    let blocks = [block];
    let job = Job { band: BandKind::Ll, style, dequantization: Dequantization::Reversible, blocks: &blocks, stride: 8 };
    let decode = |level| decode_job(&job, &mut vec![0; out_len], &mut Scratch::default(), level).unwrap_err().reason;
    let reasons: Vec<_> = CpuLevel::available().into_iter().map(decode).collect();
    assert!(reasons.iter().all(|reason| *reason == reasons[0]), "{reasons:?}");
    reasons[0]
}

#[test]
fn decode_job_impossible_block_is_an_error() {
    const BLOCK: CodeBlock<'_> = CodeBlock {
        width: 8,
        height: 2,
        offset: 0,
        bit_planes: 5,
        roi_shift: 0,
        data: &[0x55; 20],
        segments: &[CodewordSegment { passes: 1, bytes: 20 }],
    };
    for block in [
        CodeBlock { width: 0, ..BLOCK },
        CodeBlock { width: 9, ..BLOCK },
        CodeBlock { height: 0, ..BLOCK },
        CodeBlock { height: 1025, ..BLOCK },
        CodeBlock { offset: 1, ..BLOCK },
        CodeBlock { offset: usize::MAX, ..BLOCK },
    ] {
        assert_eq!(reason(block, style(0), 16), BlockErrorReason::Size, "{block:?}");
    }
    for bit_planes in [0, MAX_BIT_PLANES + 1, u32::MAX] {
        assert_eq!(reason(CodeBlock { bit_planes, ..BLOCK }, style(0), 16), BlockErrorReason::BitPlanes);
    }
    // Passes and bytes of each segment.
    for (flags, segments, expected) in [
        (0, vec![(14, 20)], BlockErrorReason::Passes),
        (0, vec![(u32::MAX, 20)], BlockErrorReason::Passes),
        (0, vec![(13, 9), (1, 9)], BlockErrorReason::Passes),
        (0, vec![(1, 21)], BlockErrorReason::Segments),
        (0, vec![(1, 10), (1, 11)], BlockErrorReason::Segments),
        (0, vec![(1, 10), (1, usize::MAX)], BlockErrorReason::Segments),
        (4, vec![(2, 20)], BlockErrorReason::Segments),
        (1, vec![(11, 20)], BlockErrorReason::Segments),
        (1, vec![(10, 10), (3, 10)], BlockErrorReason::Segments),
    ] {
        let segments: Vec<_> = segments.into_iter().map(|(passes, bytes)| CodewordSegment { passes, bytes }).collect();
        let block = CodeBlock { segments: &segments, ..BLOCK };
        assert_eq!(reason(block, style(flags), 16), expected, "{segments:?}");
    }
}

#[test]
fn decode_job_wrong_segmentation_symbol_is_an_error() {
    let source: Vec<i32> = (0..64).collect();
    let mut encoded = encode(&source, (8, 8), BandKind::Ll, style(16), 6, max_passes(6));
    let middle = encoded.data.len() / 2;
    encoded.data[middle] ^= 0x3C;
    assert_eq!(reason(encoded.block(0), encoded.style, 64), BlockErrorReason::SegmentationSymbol);
}

#[test]
fn block_error_names_the_first_invalid_block() {
    let source = vec![9; 64];
    let valid = encode(&source, (8, 8), BandKind::Ll, style(0), 4, max_passes(4));
    let mut blocks = vec![valid.block(0); 12];
    for index in [5, 7] {
        blocks[index].bit_planes = 0;
    }
    let job = valid.job(&blocks, 8, Dequantization::Reversible);
    for level in CpuLevel::available() {
        let result = decode_job(&job, &mut [0; 64], &mut Scratch::default(), level);
        assert_eq!(result, Err(BlockError { block: 5, reason: BlockErrorReason::BitPlanes }), "{}", level.name());
    }
}

/// Returns the lengths of the segments that a style requires, for data that are divided evenly.
fn divide(passes: u32, style: BlockStyle, bytes: usize) -> Vec<CodewordSegment> {
    let (_, mut segments) = Model::new(1, 1, BandKind::Ll, style, MAX_BIT_PLANES).encode(&[0], passes);
    let count = segments.len();
    for (index, segment) in segments.iter_mut().enumerate() {
        segment.bytes = bytes * (index + 1) / count - bytes * index / count;
    }
    segments
}

/// Returns a block of any bytes, with segments as its style requires.
fn any_block(flags: usize, band: BandKind) -> impl Strategy<Value = Encoded> {
    let bytes = prop::collection::vec(prop_oneof![6 => any::<u8>(), 1 => Just(0xFF), 1 => 0x7D_u8..0x93], 0..300);
    (bytes, (1_usize..25, 1_usize..25), 1..=MAX_BIT_PLANES, 0_u32..90).prop_map(
        move |(data, (width, height), bit_planes, passes)| {
            let style = style(flags);
            let segments = divide(passes.min(max_passes(bit_planes)), style, data.len());
            Encoded { width, height, band, style, bit_planes, data, segments }
        },
    )
}

/// Returns blocks of any bytes that have the same style and band.
fn any_blocks(count: usize) -> impl Strategy<Value = Vec<Encoded>> {
    (0..STYLES, 0_usize..4)
        .prop_flat_map(move |(flags, band)| prop::collection::vec(any_block(flags, BANDS[band]), 1..=count))
}

proptest! {
    /// Without carries, because those of an encoder never leave the interval.
    #[test]
    fn decode_job_any_bytes_equal_plain_decoder(mut blocks in any_blocks(1)) {
        let encoded = &mut blocks[0];
        for index in 1..encoded.data.len() {
            if encoded.data[index - 1] == 0xFF && encoded.data[index] <= 0x8F {
                encoded.data[index] &= 0x7F;
            }
        }
        check(encoded, &mut Scratch::default());
    }

    #[test]
    fn decode_job_any_blocks_are_equal_at_every_level(blocks in any_blocks(miri_or(20, 4))) {
        let portable = decode_together(&blocks, CpuLevel::PORTABLE);
        for level in CpuLevel::available() {
            prop_assert_eq!(&decode_together(&blocks, level), &portable, "{}", level.name());
        }
    }

    /// A codeword that is cut off is continued by ones.
    #[test]
    fn decode_job_cut_data_equal_plain_decoder(seed in 1_u64.., flags in 0..STYLES, cut in 0_usize..400) {
        let mut random = Random(seed);
        let source = coefficients(&mut random, 15 * 12, 8, 90);
        let mut encoded = encode(&source, (15, 12), BandKind::Hh, style(flags), 8, max_passes(8));
        let mut left = cut.min(encoded.data.len());
        encoded.data.truncate(left);
        for segment in &mut encoded.segments {
            segment.bytes = segment.bytes.min(left);
            left -= segment.bytes;
        }
        check(&encoded, &mut Scratch::default());
    }
}
