//! Every CPU level against the figures of T.81, bit by bit.

#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "the tests make their own input")]

use super::*;
use crate::testing::Random;
use crate::testing::miri_or;

/// Counts of a random prefix code, and a category for each code.
fn any_table(random: &mut Random) -> ([u8; 16], Vec<u8>) {
    let mut counts = [0_u8; 16];
    let mut free_codes = 1_usize;
    for (index, count) in counts.iter_mut().enumerate() {
        free_codes *= 2;
        let max = if index == 15 { free_codes } else { free_codes.saturating_sub(1) };
        let wanted = random.below(4).min(max);
        *count = wanted as u8;
        free_codes = (free_codes - wanted).min(64);
    }
    let total: usize = counts.iter().map(|count| usize::from(*count)).sum();
    (counts, (0..total).map(|_| random.below(17) as u8).collect())
}

fn table(counts: [u8; 16], categories: &[u8], probes_per_refill: usize, has_pairs: bool) -> Table {
    let mut table = Table::new(counts, categories, probes_per_refill);
    if has_pairs {
        table.build_pair_table();
    }
    table
}

/// Length in bits and difference of the symbol at `bit_offset`, straight from T.81 Figures C.1, C.2 and F.12.
fn reference_symbol(
    counts: &[u8; 16],
    categories: &[u8],
    bit: &dyn Fn(usize) -> u32,
    bit_offset: usize,
) -> Option<(usize, u16)> {
    let (mut code, mut first_code, mut value_index) = (0_u32, 0_u32, 0_usize);
    for length in 1..=16 {
        code = code << 1 | bit(bit_offset + length - 1);
        first_code <<= 1;
        let count = u32::from(counts[length - 1]);
        if code < first_code + count {
            let category = usize::from(categories[value_index + (code - first_code) as usize]);
            if category == 16 {
                return Some((length, 32768));
            }
            let extra =
                (0..category).fold(0_i64, |value, index| value << 1 | i64::from(bit(bit_offset + length + index)));
            let half = if category == 0 { 0 } else { 1_i64 << (category - 1) };
            let difference = if extra < half { extra + 1 - (1_i64 << category) } else { extra };
            return Some((length + category, difference.rem_euclid(65536) as u16));
        }
        first_code += count;
        value_index += count as usize;
    }
    None
}

#[test]
fn decode_any_tables_and_bits_equals_reference() {
    let mut random = Random(0x1234_5678_9abc_def1);
    for round in 0..miri_or(400, 8) {
        let probes_per_refill = [2, 3, 4, 8][round % 4];
        let cycle = [1, if probes_per_refill == 3 { 3 } else { 2 }][random.below(2)];
        let specs: Vec<_> = (0..cycle).map(|_| any_table(&mut random)).collect();
        let has_pairs = random.below(2) == 0;
        let tables: Vec<Table> =
            specs.iter().map(|(counts, categories)| table(*counts, categories, probes_per_refill, has_pairs)).collect();
        let tables: Vec<&Table> = tables.iter().collect();
        let streams: Vec<Vec<u8>> = (0..1 + random.below(8))
            .map(|_| {
                let mask = [0xFF, 0x77, 0x11, 0][random.below(4)];
                (0..PAD_BYTES + random.below(miri_or(3000, 200))).map(|_| random.next() as u8 & mask).collect()
            })
            .collect();
        // Start bit, end bit and output length of each task.
        let bounds: Vec<(usize, usize, usize)> = streams
            .iter()
            .map(|stream| (random.below(40), random.below(stream.len() * 8), random.below(9000)))
            .collect();
        for level in CpuLevel::available() {
            let mut outs: Vec<Vec<u16>> = bounds.iter().map(|(.., max_symbols)| vec![0; *max_symbols]).collect();
            let mut tasks: Vec<Task<'_>> = streams
                .iter()
                .zip(&bounds)
                .zip(&mut outs)
                .map(|((stream, (start, end, _)), out)| Task::new(&tables, stream, *start, *end, out).unwrap())
                .collect();
            decode(&mut tasks, &mut Prefetch::default(), level);
            for (task, (stream, (start, end, max_symbols))) in tasks.iter().zip(streams.iter().zip(&bounds)) {
                let bit =
                    |offset: usize| stream.get(offset / 8).map_or(0, |byte| u32::from(byte >> (7 - offset % 8) & 1));
                let end = *end.min(&((stream.len() - PAD_BYTES) * 8));
                let (mut bit_offset, mut decoded, mut unassigned) = (*start, 0, 0);
                while bit_offset < end && decoded < *max_symbols {
                    let (counts, categories) = &specs[decoded % cycle];
                    let (bits, difference) =
                        reference_symbol(counts, categories, &bit, bit_offset).unwrap_or_else(|| {
                            unassigned = decoded + 1;
                            (1, 0)
                        });
                    assert_eq!(task.out[decoded], difference, "{round} {decoded}");
                    bit_offset += bits;
                    decoded += 1;
                }
                assert_eq!((task.bit_offset(), task.decoded(), task.unassigned()), (bit_offset, decoded, unassigned));
            }
        }
    }
}

#[test]
fn task_new_tables_that_do_not_fit_a_refill_returns_none() {
    let counts = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let (two, three) = (Table::new(counts, &[0, 1], 2), Table::new(counts, &[0, 1], 3));
    assert!(Task::new(&[], &[0; 99], 0, 8, &mut []).is_none());
    assert!(Task::new(&[&two, &three], &[0; 99], 0, 8, &mut []).is_none());
    assert!(Task::new(&[&two, &two, &two], &[0; 99], 0, 8, &mut []).is_none());
    assert!(Task::new(&[&three, &three, &three], &[0; 99], 0, 8, &mut []).is_some());
}

/// Encodes symbols whose codes are drawn uniformly, so that long ones are as frequent as short ones.
fn encode_uniform(random: &mut Random, specs: &[([u8; 16], Vec<u8>)], symbols: usize) -> Vec<u8> {
    let mut bits = Vec::new();
    for symbol in 0..symbols {
        let (counts, categories) = &specs[symbol % specs.len()];
        let value_index = random.below(categories.len());
        let (mut code, mut shorter_codes) = (0_usize, 0_usize);
        for (length, count) in (1..).zip(counts.map(usize::from)) {
            if value_index < shorter_codes + count {
                code += value_index - shorter_codes;
                bits.extend((0..length).rev().map(|bit| code >> bit & 1 == 1));
                break;
            }
            code = (code + count) << 1;
            shorter_codes += count;
        }
        let extra_bits = usize::from(categories[value_index]) % 16;
        bits.extend((0..extra_bits).map(|_| random.below(2) == 1));
    }
    let byte =
        |bits: &[bool]| bits.iter().enumerate().fold(0, |byte, (index, bit)| byte | u8::from(*bit) << (7 - index));
    bits.chunks(8).map(byte).collect()
}

#[test]
fn decode_long_codes_near_the_end_stops_at_the_same_symbol_on_every_level() {
    let mut random = Random(0x0F1E_2D3C_4B5A_6978);
    for round in 0..miri_or(2000, 20) {
        let probes_per_refill = 2 + round % 3;
        let mut counts = [0; 16];
        counts[random.below(3)] = 1;
        counts[8 + random.below(8)] = 1 + random.below(4) as u8;
        let total: u8 = counts.iter().sum();
        let spec = (counts, (0..total).map(|_| [15, 14, 12, 3][random.below(4)]).collect::<Vec<u8>>());
        let table = table(spec.0, &spec.1, probes_per_refill, random.below(2) == 0);
        let stream = encode_uniform(&mut random, std::slice::from_ref(&spec), 60);
        let end_bit = random.below((stream.len() - PAD_BYTES) * 8);
        let ends: Vec<(usize, usize, Vec<u16>)> = CpuLevel::available()
            .into_iter()
            .map(|level| {
                let mut out = vec![0; 99];
                let mut tasks = [Task::new(&[&table], &stream, 0, end_bit, &mut out).unwrap()];
                decode(&mut tasks, &mut Prefetch::default(), level);
                (tasks[0].bit_offset(), tasks[0].decoded(), tasks[0].differences().to_vec())
            })
            .collect();
        assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{round}: {ends:?}");
    }
}

/// Uses every index of tables with short codes: pairs of every kind, and symbols just too long for a pair.
#[test]
fn build_pair_table_every_entry_equals_two_probes() {
    let mut random = Random(0x7A31_5C2E_9B04_D18F);
    for probes_per_refill in PROBES_PER_REFILL {
        let mut pair_count = 0;
        for _ in 0..miri_or(30, 3) {
            let (counts, categories) = any_table(&mut random);
            let categories: Vec<u8> = categories.iter().map(|category| category % 11).collect();
            let table = table(counts, &categories, probes_per_refill, true);
            for (index, entry) in table.pairs.as_deref().unwrap().iter().enumerate().step_by(miri_or(1, 13)) {
                let window = (index as u64) << (64 - INDEX_BITS) | random.next() >> INDEX_BITS;
                let Some((length, first)) = table.probe(window) else { continue };
                if entry & PAIR == 0 {
                    assert_eq!(*entry, table.singles[index]);
                    continue;
                }
                pair_count += 1;
                let (second_length, second) = table.probe(window << length).unwrap();
                assert_eq!(entry & 63, length + second_length);
                assert!((entry & 63) as usize <= MIN_WINDOW_BITS / probes_per_refill);
                assert_eq!(((*entry as u16).cast_signed() >> FIRST_SHIFT).cast_unsigned(), first);
                let symbols = (window >> (64 - (entry & 63))) as u16;
                assert_eq!(symbols.wrapping_add((entry >> BIAS_SHIFT) as u16), second);
            }
        }
        assert!(cfg!(miri) || pair_count > 1000, "{probes_per_refill}: {pair_count}");
    }
}

/// The examples of the module documentation.
#[test]
fn probe_documented_example_gives_its_bits_and_differences() {
    // Codes `0` and `10` for the categories 0 and 3.
    let mut counts = [0; 16];
    counts[..2].copy_from_slice(&[1, 1]);
    let table = table(counts, &[0, 3], 4, true);
    assert_eq!(table.probe(0b1_0101 << 59), Some((5, 5)));
    assert_eq!(table.probe(0b1_0010 << 59), Some((5, 5_u16.wrapping_neg())));
    let entry = table.pairs.as_deref().unwrap()[0b10_1010 << 6];
    assert_eq!((entry & 63, entry & PAIR, entry >> FIRST_SHIFT & 511), (6, PAIR, 5));
    assert_eq!(entry >> BIAS_SHIFT, u32::from(42_u16.wrapping_neg()));
}
