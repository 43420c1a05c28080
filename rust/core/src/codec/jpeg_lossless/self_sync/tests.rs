//! Whatever is proven is what a decoder from the start makes, and where nothing can be proven nothing is made up.

use super::*;
use crate::kernel::huffman::PAD_BYTES;
use crate::testing::Random;

const SYMBOLS: usize = 60_000;

/// Counts of codes, and their categories.
type Spec<'a> = ([u8; 16], &'a [u8]);

/// Codes as frequent as they are short, of each of `specs` in turn, then padding.
fn encoded(random: &mut Random, specs: &[Spec<'_>]) -> (Vec<u8>, usize) {
    let mut bits: Vec<bool> = Vec::new();
    for symbol in 0..SYMBOLS {
        let (counts, categories) = specs[symbol % specs.len()];
        loop {
            let drawn = random.below(1 << 16);
            let (mut end, mut place) = (0, 0);
            let found = (1..=16).zip(counts.map(usize::from)).find_map(|(length, count)| {
                let start = end;
                end += count << (16 - length);
                place += count;
                (drawn < end).then(|| (length, place - count + ((drawn - start) >> (16 - length))))
            });
            if let Some((length, place)) = found {
                bits.extend((0..length).map(|bit| drawn >> (15 - bit) & 1 == 1));
                bits.extend((0..categories[place] % 16).map(|_| random.below(2) == 1));
                break;
            }
        }
    }
    let byte = |bits: &[bool]| bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at));
    let mut bytes: Vec<u8> = bits.chunks(8).map(byte).collect();
    bytes.resize(bytes.len() + PAD_BYTES, 0);
    (bytes, bits.len())
}

fn tables(specs: &[Spec<'_>], group: usize, has_pairs: bool) -> Vec<Table> {
    let mut tables: Vec<Table> =
        specs.iter().map(|(counts, categories)| Table::new(*counts, categories, group)).collect();
    if has_pairs {
        tables.iter_mut().for_each(Table::pair);
    }
    tables
}

/// Checks that what is proven of `range` is right, on every tier; returns how many differences that are.
fn proven(tables: &[Table], bytes: &[u8], range: Range<usize>, room: usize) -> usize {
    let tables: Vec<&Table> = tables.iter().collect();
    let mut serial = vec![0; room];
    let mut task = Task::new(&tables, bytes, range.start, range.end, &mut serial).unwrap();
    let mut ends = vec![task.at()];
    while task.unassigned() == 0 && task.step() {
        ends.push(task.at());
    }
    let right = task.differences().to_vec();
    let found: Vec<(usize, usize)> = CpuLevel::available()
        .into_iter()
        .map(|tier| {
            let mut regions = ChunkBuffers::default();
            assert!(regions.grow(range.len(), &Limits::unbounded()));
            let mut out = vec![0; room];
            let found = speculate(&tables, bytes, range.clone(), false, &mut out, &mut regions, tier);
            assert_eq!(out[..found.made], right[..found.made]);
            assert_eq!(found.at, ends[found.made]);
            (found.made, found.at)
        })
        .collect();
    assert!(found.windows(2).all(|pair| pair[0] == pair[1]), "{found:?}");
    found[0].0
}

const ORDINARY: Spec<'_> = ([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
const OTHER: Spec<'_> = ([1, 1, 1, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], &[2, 0, 3, 16, 5, 8, 15, 1]);
const THIRD: Spec<'_> = ([0, 3, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[1, 4, 0, 7, 2]);

#[test]
fn lanes_meet_and_all_is_proven() {
    let mut random = Random(0x5DEE_CE66_D1CE_4E5B);
    for (specs, group) in
        [(vec![ORDINARY], 4), (vec![ORDINARY], 2), (vec![ORDINARY, OTHER], 4), (vec![ORDINARY, OTHER, THIRD], 3)]
    {
        let (bytes, end) = encoded(&mut random, &specs);
        let tables = tables(&specs, group, random.below(2) == 0);
        // The last chunk ends with a code that begins in it.
        let made = proven(&tables, &bytes, 0..end - 64, SYMBOLS);
        assert!(made > SYMBOLS - 200, "{made}");
        // From anywhere, and with less room than there are codes.
        proven(&tables, &bytes, 0..end - 64, SYMBOLS / 2);
        proven(&tables, &bytes, 0..end / 3, SYMBOLS);
    }
}

#[test]
fn lanes_that_never_meet_are_given_up() {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let mut of_five = [0; 16];
    of_five[4] = 32;
    // All codes of one length, and all assigned: what is out of step stays so, unless chunks begin in step by chance.
    let specs = [(of_five, &[0; 32][..])];
    let (bytes, end) = encoded(&mut random, &specs);
    let tables = tables(&specs, 4, true);
    for cut in 0..40 {
        let range = 0..end - 64 - cut;
        let chunk = range.len() / chunks(range.len());
        let made = proven(&tables, &bytes, range, SYMBOLS);
        if !chunk.is_multiple_of(5) {
            assert_eq!(made, chunk.div_ceil(5), "{cut}");
        }
    }
}

#[test]
fn components_out_of_turn_are_given_up() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut of_seven = [0; 16];
    of_seven[6] = 128;
    // Where a code begins is not enough: it has to be that of the same component.
    let specs = [(of_seven, &[0; 128][..]), (of_seven, &[16; 128][..])];
    let (bytes, end) = encoded(&mut random, &specs);
    let tables = tables(&specs, 2, true);
    for cut in 0..80 {
        let range = 0..end - 64 - cut;
        let chunk = range.len() / chunks(range.len());
        let made = proven(&tables, &bytes, range, SYMBOLS);
        if !chunk.is_multiple_of(14) {
            assert_eq!(made, chunk.div_ceil(7), "{cut}");
        }
    }
}

#[test]
fn an_unassigned_code_ends_what_is_proven() {
    let mut random = Random(0x1405_7B7E_F767_814F);
    let (good, end) = encoded(&mut random, &[ORDINARY]);
    let tables = tables(&[ORDINARY], 4, false);
    for _ in 0..60 {
        let mut bytes = good.clone();
        // No code begins with so many ones.
        let at = random.below(end / 8 - 8);
        bytes[at..at + 6].fill(0xFF);
        let made = proven(&tables, &bytes, 0..end - 64, SYMBOLS);
        assert!(made < SYMBOLS);
    }
}

#[test]
fn short_data_are_not_cut_up() {
    assert_eq!((chunks(0), chunks(2 * LEAST_CHUNK_BITS - 1), chunks(2 * LEAST_CHUNK_BITS)), (0, 1, 2));
    assert_eq!(chunks(LANES * LEAST_CHUNK_BITS), LANES);
    assert!(!ChunkBuffers::default().grow(1 << 16, &Limits::new(Some(1000))));
    let table = Table::new(ORDINARY.0, ORDINARY.1, 4);
    let mut regions = ChunkBuffers::default();
    let found = speculate(&[&table], &[0; 99], 3..600, false, &mut [0; 999], &mut regions, CpuLevel::best());
    assert_eq!((found.made, found.at), (0, 3));
}
