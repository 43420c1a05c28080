//! Every CPU level against the figures of T.81, bit by bit.

#![allow(clippy::cast_possible_truncation, reason = "the tests make their own input")]

use super::*;
use crate::testing::{Random, miri_or};

/// A Huffman table of DHT, with its codes.
#[derive(Debug, Clone)]
struct Spec {
    counts: [u8; 16],
    values: Vec<u8>,
}

impl Spec {
    fn code(&self) -> HuffmanCode<'_> {
        HuffmanCode { counts: &self.counts, values: &self.values }
    }

    /// Length and code of each value (T.81 Figures C.1 and C.2).
    fn codes(&self) -> Vec<(usize, u32)> {
        let (mut codes, mut code) = (Vec::new(), 0);
        for (length, count) in (1..).zip(self.counts) {
            code <<= 1;
            codes.extend((code..code + u32::from(count)).map(|code| (length, code)));
            code += u32::from(count);
        }
        codes
    }

    /// Reads one code at `bit_offset` (Figure F.16): its length and value.
    fn read(&self, bit: &dyn Fn(usize) -> u32, bit_offset: usize) -> Option<(usize, u8)> {
        let mut value_of_bits = vec![0];
        for length in 1..=16 {
            value_of_bits.push(value_of_bits[length - 1] << 1 | bit(bit_offset + length - 1));
        }
        let found = self.codes().iter().position(|(length, code)| value_of_bits[*length] == *code)?;
        Some((self.codes()[found].0, self.values[found]))
    }
}

/// Random prefix code with at most 256 codes whose values are of `values`. Short codes are as likely as long ones.
fn any_spec(random: &mut Random, mut value: impl FnMut(&mut Random) -> u8) -> Spec {
    let mut counts = [0_u8; 16];
    let mut free_codes = 1_usize;
    let first = random.below(14);
    for (index, count) in counts.iter_mut().enumerate() {
        free_codes *= 2;
        let wanted = if index < first { 0 } else { random.below(5).min(free_codes - 1) };
        *count = wanted as u8;
        free_codes = (free_codes - wanted).min(1 << 16);
    }
    if counts == [0; 16] {
        counts[15] = 1;
    }
    let total: usize = counts.iter().map(|count| usize::from(*count)).sum();
    Spec { counts, values: (0..total).map(|_| value(random)).collect() }
}

/// Code with a value for each of `values`, with lengths as those of optimised tables: the first are short, the others
/// long.
fn spec_of(values: Vec<u8>) -> Spec {
    let mut counts = [0_u8; 16];
    let mut left = values.len();
    for (index, count) in counts.iter_mut().enumerate() {
        let wanted = [0, 1, 1, 1, 1, 2, 2, 3, 4, 4, 6, 8, 16, 30, 60, 200][index].min(left);
        (*count, left) = (wanted as u8, left - wanted);
    }
    assert_eq!(left, 0);
    Spec { counts, values }
}

/// Writes bits, the first one into the highest bit of a byte.
#[derive(Default)]
struct BitWriter(Vec<bool>);

impl BitWriter {
    fn write(&mut self, bits: usize, value: u32) {
        self.0.extend((0..bits).rev().map(|bit| value >> bit & 1 == 1));
    }

    /// Writes the code of `value`, and the extra bits of `coefficient` (T.81 F.1.2.1).
    fn symbol(&mut self, spec: &Spec, value: u8, coefficient: i32) {
        let index = spec.values.iter().position(|found| *found == value).unwrap();
        let (bits, code) = spec.codes()[index];
        self.write(bits, code);
        let size = usize::from(value & 15);
        let extra = if coefficient < 0 { coefficient + (1 << size) - 1 } else { coefficient };
        self.write(size, extra.cast_unsigned());
    }

    /// Bytes, with 1 bits in the last one after the data, and `padding` zero bytes.
    fn bytes(mut self, padding: usize) -> Vec<u8> {
        self.0.resize(self.0.len().next_multiple_of(8), true);
        let byte = |bits: &[bool]| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
        self.0.chunks(8).map(byte).chain(std::iter::repeat_n(0, padding)).collect()
    }
}

fn size_of(coefficient: i32) -> u8 {
    (32 - coefficient.unsigned_abs().leading_zeros()) as u8
}

/// Writes one block in zigzag order, `difference` in place of its DC coefficient (T.81 Figure F.2).
fn write_block(writer: &mut BitWriter, dc: &Spec, ac: &Spec, difference: i32, block: &[i32; 64]) {
    writer.symbol(dc, size_of(difference), difference);
    let mut run = 0_u8;
    for coefficient in &block[1..] {
        if *coefficient == 0 {
            run += 1;
            continue;
        }
        while run > 15 {
            writer.symbol(ac, 0xF0, 0);
            run -= 16;
        }
        writer.symbol(ac, run << 4 | size_of(*coefficient), *coefficient);
        run = 0;
    }
    if run > 0 {
        writer.symbol(ac, 0, 0);
    }
}

/// Zigzag order as T.81 Figure A.6 prints it.
const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// Decoding of blocks bit by bit (T.81 F.2.2), with libjpeg's rule for runs beyond the block.
fn reference(
    data: &[u8],
    state: &mut SegmentState,
    mcu: &[(Spec, Spec, usize)],
    blocks: usize,
) -> Result<Vec<i16>, CoefficientError> {
    let bit = |offset: usize| data.get(offset / 8).map_or(0, |byte| u32::from(byte >> (7 - offset % 8) & 1));
    let mut out = Vec::new();
    let mut at = state.bit_offset;
    let unassigned = |bit_offset: usize| match bit_offset + 16 <= state.end_bit {
        true => CoefficientError::Unassigned { bit_offset },
        false => CoefficientError::Truncated,
    };
    let receive = |at: &mut usize, size: usize| {
        let extra = (0..size).fold(0_i64, |value, index| value << 1 | i64::from(bit(*at + index)));
        *at += size;
        (if size > 0 && extra < 1 << (size - 1) { extra + 1 - (1 << size) } else { extra }) as i16
    };
    let mut predictors = state.predictors;
    for _ in 0..blocks {
        let (dc, ac, component) = &mcu[state.position];
        let mut block = [0_i16; 64];
        let (bits, category) = dc.read(&bit, at).ok_or_else(|| unassigned(at))?;
        at += bits;
        let difference = receive(&mut at, category.into());
        predictors[*component] = predictors[*component].wrapping_add(difference);
        block[0] = predictors[*component];
        let mut k = 1;
        while k < 64 {
            let (bits, value) = ac.read(&bit, at).ok_or_else(|| unassigned(at))?;
            at += bits;
            let (run, size) = (usize::from(value >> 4), usize::from(value & 15));
            k += run;
            if size > 0 {
                block[ZIGZAG[k.min(63)]] = receive(&mut at, size);
            } else if run < 15 {
                break;
            }
            k += 1;
        }
        out.extend(block);
        state.position = (state.position + 1) % mcu.len();
    }
    (state.bit_offset, state.predictors) = (at, predictors);
    if at > state.end_bit { Err(CoefficientError::Truncated) } else { Ok(out) }
}

fn codes_of(mcu: &[(Spec, Spec, usize)]) -> Vec<BlockCodes<'_>> {
    mcu.iter().map(|(dc, ac, component)| BlockCodes { dc: dc.code(), ac: ac.code(), component: *component }).collect()
}

fn tables_of(mcu: &[(Spec, Spec, usize)]) -> McuTables {
    let blocks = codes_of(mcu);
    let tables = McuTables::new(&blocks);
    assert!(tables.is_of(&blocks));
    tables
}

/// Decodes `blocks` blocks in calls of at most `step`.
fn decode_all(
    data: &[u8],
    state: &mut SegmentState,
    tables: &McuTables,
    blocks: usize,
    step: usize,
    level: CpuLevel,
) -> Result<Vec<i16>, CoefficientError> {
    let mut out = Vec::new();
    while out.len() < blocks * 64 {
        let count = step.min(blocks - out.len() / 64);
        let mut coefficients = vec![0; count * 64 + SPARE_COEFFICIENTS];
        decode_blocks(data, state, tables, &mut coefficients, level)?;
        assert_eq!(coefficients[count * 64..], [0; SPARE_COEFFICIENTS]);
        out.extend(&coefficients[..count * 64]);
    }
    Ok(out)
}

/// Returns the tables of a random MCU of 1 to 10 blocks, which share some of them.
fn any_mcu(random: &mut Random, mut spec: impl FnMut(&mut Random, bool) -> Spec) -> Vec<(Spec, Spec, usize)> {
    let mut mcu: Vec<(Spec, Spec, usize)> = Vec::new();
    for _ in 0..1 + random.below(10) {
        let (mut dc, mut ac) = (spec(random, true), spec(random, false));
        if let Some(earlier) = mcu.get(random.below(12)) {
            ac = earlier.1.clone();
            dc = if random.below(2) == 0 { earlier.0.clone() } else { dc };
        }
        mcu.push((dc, ac, random.below(4)));
    }
    mcu
}

#[test]
fn natural_order_follows_figure_a6() {
    assert_eq!(NATURAL_ORDER[..64].iter().map(|index| usize::from(*index)).collect::<Vec<_>>(), ZIGZAG);
    assert_eq!((&NATURAL_ORDER[64..80], &NATURAL_ORDER[80..]), (&[63; 16][..], &[64; 176][..]));
}

#[test]
fn decode_blocks_of_encoder_equal_its_coefficients() {
    let mut random = Random(0x5EED_0001_2345_6789);
    for round in 0..miri_or(300, 3) {
        // All values: DC categories up to 15, AC sizes up to 15 with all runs.
        let mcu = any_mcu(&mut random, |random, is_dc| {
            let mut values: Vec<u8> =
                if is_dc { (0..16).collect() } else { (0..=255).filter(|v| v % 16 > 0).collect() };
            values.extend(if is_dc { &[][..] } else { &[0, 0xF0] });
            for index in (1..values.len()).rev() {
                values.swap(index, random.below(index + 1));
            }
            spec_of(values)
        });
        let max_size = [2, 4, 8, 15][round % 4];
        let density = [1, 5, 20, 64][random.below(4)];
        let blocks = random.below(40);
        let any_coefficient = |random: &mut Random| {
            let size = random.below(max_size + 1);
            let magnitude = if size == 0 { 0 } else { (1 << (size - 1)) + random.below(1 << (size - 1)) } as i32;
            if random.below(2) == 0 { magnitude } else { -magnitude }
        };
        let mut writer = BitWriter::default();
        let mut expected: Vec<i16> = Vec::new();
        let mut predictors = [0_i16; 4];
        for index in 0..blocks {
            let (dc, ac, component) = &mcu[index % mcu.len()];
            let mut block = [0; 64];
            for coefficient in &mut block[1..] {
                *coefficient = if random.below(64) < density { any_coefficient(&mut random) } else { 0 };
            }
            let difference = any_coefficient(&mut random);
            write_block(&mut writer, dc, ac, difference, &block);
            predictors[*component] = predictors[*component].wrapping_add(difference as i16);
            block[0] = i32::from(predictors[*component]);
            let mut natural = [0; 64];
            (0..64).for_each(|k| natural[ZIGZAG[k]] = block[k] as i16);
            expected.extend(natural);
        }
        let end_bit = writer.0.len();
        let data = writer.bytes(8);
        let tables = tables_of(&mcu);
        for level in CpuLevel::available() {
            for step in [1, 7, 256] {
                let mut state = SegmentState::new(0, end_bit);
                let decoded = decode_all(&data, &mut state, &tables, blocks, step, level).unwrap();
                assert!(decoded == expected, "round {round} {}", level.name());
                let expected_state =
                    SegmentState { position: blocks % mcu.len(), predictors, ..SegmentState::new(end_bit, end_bit) };
                assert_eq!(state, expected_state);
            }
        }
        // Without its last bit, the segment is too short.
        for level in CpuLevel::available().into_iter().filter(|_| blocks > 0) {
            let mut state = SegmentState::new(0, end_bit - 1);
            let result = decode_all(&data, &mut state, &tables, blocks, 256, level);
            assert_eq!(result, Err(CoefficientError::Truncated));
        }
    }
}

#[test]
fn decode_blocks_of_any_tables_and_bits_equal_reference() {
    let mut random = Random(0x1234_5678_9abc_def1);
    for round in 0..miri_or(3000, 20) {
        let mask = [0xFF, 0x0F, 0x13][random.below(3)];
        let mcu = any_mcu(&mut random, |random, is_dc| {
            any_spec(random, |random| if is_dc { random.below(16) as u8 } else { random.next() as u8 & mask })
        });
        let tables = tables_of(&mcu);
        let mask = [0xFF, 0x77, 0x11, 0][random.below(4)];
        let mut data: Vec<u8> = (0..random.below(miri_or(600, 60))).map(|_| random.next() as u8 & mask).collect();
        data.extend([0; 8]);
        let start = random.below(30);
        let state = SegmentState {
            position: random.below(mcu.len()),
            predictors: [1, -5, i16::MAX, i16::MIN],
            ..SegmentState::new(start, start + random.below(data.len() * 8 + 20))
        };
        let blocks = random.below(20);
        let mut expected_state = state.clone();
        let expected = reference(&data, &mut expected_state, &mcu, blocks);
        for level in CpuLevel::available() {
            let mut state = state.clone();
            let decoded = decode_all(&data, &mut state, &tables, blocks, 256, level);
            assert_eq!(decoded, expected, "round {round} {}", level.name());
            assert!(expected.is_err() || state == expected_state);
        }
    }
}

/// The example of the module documentation.
#[test]
fn pair_table_documented_example_has_its_entries() {
    let dc = spec_of(vec![0]);
    let mut ac = Spec { counts: [0; 16], values: vec![1, 2, 0x11, 0x21, 0] };
    (ac.counts[1], ac.counts[3]) = (2, 3);
    let mcu = [(dc, ac, 0)];
    let tables = tables_of(&mcu);
    let entry = |bits: u64| tables.from(0).next().unwrap().rest.entries[bits as usize];
    let field = |entry: u64, shift: u32| (entry >> shift) as u8;
    let (end, pair) = (entry(0b011_0101_0000), entry(0b010_1011_0000));
    assert_eq!((end & 255, field(end, 8), field(end, 16), field(end, 24)), (8, 0, 81, 4));
    assert_eq!(((end >> 32) as i16, (end >> 48) as i16), (-106, 2));
    assert_eq!((pair & 255, field(pair, 8), field(pair, 16), field(pair, 24)), (8, 0, 1, 4));
    assert_eq!(((pair >> 32) as i16, (pair >> 48) as i16), (-84, -2));
}

#[test]
fn mcu_tables_is_of_other_codes_is_false() {
    let mut random = Random(0x77);
    let mcu = any_mcu(&mut random, |random, _| any_spec(random, |random| random.below(12) as u8));
    let tables = tables_of(&mcu);
    let is_of = |mcu: &[(Spec, Spec, usize)]| tables.is_of(&codes_of(mcu));
    assert!(is_of(&mcu) && !is_of(&mcu[1..]));
    let mut other = mcu.clone();
    other[0].2 += 1;
    assert!(!is_of(&other));
    for change in [|spec: &mut Spec| spec.values[0] ^= 1, |spec: &mut Spec| spec.counts.rotate_left(1)] {
        let (mut dc, mut ac) = (mcu.clone(), mcu.clone());
        change(&mut dc[0].0);
        change(&mut ac[0].1);
        assert!(!is_of(&dc) && !is_of(&ac));
    }
}
