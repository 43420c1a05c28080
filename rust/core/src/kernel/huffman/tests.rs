#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "what it makes is its own")]

use super::*;
use crate::testing::Random;
use crate::testing::miri_or;

/// Counts that make codes of which none is the beginning of another, and a category for each.
fn any_table(random: &mut Random) -> ([u8; 16], Vec<u8>) {
    let mut counts = [0_u8; 16];
    let mut room = 1_usize;
    for (index, count) in counts.iter_mut().enumerate() {
        room *= 2;
        let most = if index == 15 { room } else { room.saturating_sub(1) };
        let wanted = random.below(4).min(most);
        *count = wanted as u8;
        room = (room - wanted).min(64);
    }
    let total: usize = counts.iter().map(|count| usize::from(*count)).sum();
    (counts, (0..total).map(|_| random.below(17) as u8).collect())
}

fn table(counts: [u8; 16], categories: &[u8], group: usize, has_pairs: bool) -> Table {
    let mut table = Table::new(counts, categories, group);
    if has_pairs {
        table.pair();
    }
    table
}

/// Straight from Figures C.1, C.2 and F.12: the difference and its bits.
fn slowly(counts: &[u8; 16], categories: &[u8], bit: &dyn Fn(usize) -> u32, at: usize) -> Option<(usize, u16)> {
    let (mut code, mut first, mut place) = (0_u32, 0_u32, 0_usize);
    for length in 1..=16 {
        code = code << 1 | bit(at + length - 1);
        first <<= 1;
        let count = u32::from(counts[length - 1]);
        if code < first + count {
            let category = usize::from(categories[place + (code - first) as usize]);
            if category == 16 {
                return Some((length, 32768));
            }
            let further = (0..category).fold(0_i64, |sum, index| sum << 1 | i64::from(bit(at + length + index)));
            let half = if category == 0 { 0 } else { 1_i64 << (category - 1) };
            let difference = if further < half { further + 1 - (1_i64 << category) } else { further };
            return Some((length + category, difference.rem_euclid(65536) as u16));
        }
        first += count;
        place += count as usize;
    }
    None
}

#[test]
fn every_tier_decodes_what_the_figures_say() {
    let mut random = Random(0x1234_5678_9abc_def1);
    for round in 0..miri_or(400, 8) {
        let group = [2, 3, 4, 8][round % 4];
        let cycle = [1, if group == 3 { 3 } else { 2 }][random.below(2)];
        let specs: Vec<_> = (0..cycle).map(|_| any_table(&mut random)).collect();
        let has_pairs = random.below(2) == 0;
        let tables: Vec<Table> =
            specs.iter().map(|(counts, categories)| table(*counts, categories, group, has_pairs)).collect();
        let tables: Vec<&Table> = tables.iter().collect();
        let streams: Vec<Vec<u8>> = (0..1 + random.below(6))
            .map(|_| {
                let mask = [0xFF, 0x77, 0x11, 0][random.below(4)];
                (0..PAD_BYTES + random.below(miri_or(3000, 200))).map(|_| random.next() as u8 & mask).collect()
            })
            .collect();
        let limits: Vec<(usize, usize, usize)> = streams
            .iter()
            .map(|stream| (random.below(40), random.below(stream.len() * 8), random.below(9000)))
            .collect();
        for tier in CpuLevel::available() {
            let mut outs: Vec<Vec<u16>> = limits.iter().map(|(.., room)| vec![0; *room]).collect();
            let mut tasks: Vec<Task<'_>> = streams
                .iter()
                .zip(&limits)
                .zip(&mut outs)
                .map(|((stream, (at, end, _)), out)| Task::new(&tables, stream, *at, *end, out).unwrap())
                .collect();
            run(&mut tasks, tier);
            for (task, (stream, (at, end, room))) in tasks.iter().zip(streams.iter().zip(&limits)) {
                let bit = |at: usize| stream.get(at / 8).map_or(0, |byte| u32::from(byte >> (7 - at % 8) & 1));
                let end = *end.min(&((stream.len() - PAD_BYTES) * 8));
                let (mut at, mut made, mut unassigned) = (*at, 0, 0);
                while at < end && made < *room {
                    let (counts, categories) = &specs[made % cycle];
                    let (bits, difference) = slowly(counts, categories, &bit, at).unwrap_or_else(|| {
                        unassigned = made + 1;
                        (1, 0)
                    });
                    assert_eq!(task.out[made], difference, "{round} {made}");
                    at += bits;
                    made += 1;
                }
                assert_eq!((task.at(), task.made(), task.unassigned()), (at, made, unassigned));
            }
        }
    }
}

#[test]
fn tables_of_other_groups_are_refused() {
    let counts = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let (two, three) = (Table::new(counts, &[0, 1], 2), Table::new(counts, &[0, 1], 3));
    assert!(Task::new(&[], &[0; 99], 0, 8, &mut []).is_none());
    assert!(Task::new(&[&two, &three], &[0; 99], 0, 8, &mut []).is_none());
    assert!(Task::new(&[&two, &two, &two], &[0; 99], 0, 8, &mut []).is_none());
    assert!(Task::new(&[&three, &three, &three], &[0; 99], 0, 8, &mut []).is_some());
}

/// Symbols whose codes are chosen, not their bits: long ones are as frequent as short ones.
fn dense(random: &mut Random, specs: &[([u8; 16], Vec<u8>)], symbols: usize) -> Vec<u8> {
    let mut bits = Vec::new();
    for symbol in 0..symbols {
        let (counts, categories) = &specs[symbol % specs.len()];
        let place = random.below(categories.len());
        let (mut code, mut before) = (0_usize, 0_usize);
        for (length, count) in (1..).zip(counts.map(usize::from)) {
            if place < before + count {
                code += place - before;
                bits.extend((0..length).rev().map(|bit| code >> bit & 1 == 1));
                break;
            }
            code = (code + count) << 1;
            before += count;
        }
        let further = usize::from(categories[place]) % 16;
        bits.extend((0..further).map(|_| random.below(2) == 1));
    }
    let byte = |bits: &[bool]| bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at));
    bits.chunks(8).map(byte).collect()
}

#[test]
fn long_codes_near_the_end_begin_before_it_on_every_tier() {
    let mut random = Random(0x0F1E_2D3C_4B5A_6978);
    for round in 0..miri_or(2000, 20) {
        let group = 2 + round % 3;
        let mut counts = [0; 16];
        counts[random.below(3)] = 1;
        counts[8 + random.below(8)] = 1 + random.below(4) as u8;
        let total: u8 = counts.iter().sum();
        let spec = (counts, (0..total).map(|_| [15, 14, 12, 3][random.below(4)]).collect::<Vec<u8>>());
        let table = table(spec.0, &spec.1, group, random.below(2) == 0);
        let stream = dense(&mut random, std::slice::from_ref(&spec), 60);
        let end = random.below((stream.len() - PAD_BYTES) * 8);
        let ends: Vec<(usize, usize, Vec<u16>)> = CpuLevel::available()
            .into_iter()
            .map(|tier| {
                let mut out = vec![0; 99];
                let mut tasks = [Task::new(&[&table], &stream, 0, end, &mut out).unwrap()];
                run(&mut tasks, tier);
                (tasks[0].at(), tasks[0].made(), tasks[0].differences().to_vec())
            })
            .collect();
        assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{round}: {ends:?}");
    }
}

/// Short codes of short differences, and all that an index can begin with: pairs of every kind, on both sides of what fits.
#[test]
fn a_pair_is_what_its_two_symbols_are() {
    let mut random = Random(0x7A31_5C2E_9B04_D18F);
    for group in GROUPS {
        let mut found = 0;
        for _ in 0..miri_or(30, 3) {
            let (counts, categories) = any_table(&mut random);
            let categories: Vec<u8> = categories.iter().map(|category| category % 11).collect();
            let table = table(counts, &categories, group, true);
            for (index, entry) in table.pairs.as_deref().unwrap().iter().enumerate().step_by(miri_or(1, 13)) {
                let window = (index as u64) << (64 - INDEX_BITS) | random.next() >> INDEX_BITS;
                let Some((length, first)) = table.probe(window) else { continue };
                if entry & PAIR == 0 {
                    assert_eq!(*entry, table.singles[index]);
                    continue;
                }
                found += 1;
                let (rest, second) = table.probe(window << length).unwrap();
                assert_eq!(entry & 63, length + rest);
                assert!((entry & 63) as usize <= SHARED_BITS / group);
                assert_eq!(((*entry as u16).cast_signed() >> FIRST_AT).cast_unsigned(), first);
                let difference = (window >> (64 - (entry & 63))) as u16;
                assert_eq!(difference.wrapping_add((entry >> LAST_AT) as u16), second);
            }
        }
        assert!(cfg!(miri) || found > 1000, "{group}: {found}");
    }
}
