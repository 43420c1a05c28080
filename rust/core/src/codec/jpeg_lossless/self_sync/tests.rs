//! Verified symbols equal those of a serial decoder; streams that do not synchronise give no wrong symbols.

use super::*;
use crate::kernel::huffman::PAD_BYTES;
use crate::testing::Random;

const SYMBOLS: usize = 60_000;

/// Counts of codes per length, and their categories.
type Spec<'a> = ([u8; 16], &'a [u8]);

/// Encodes random symbols with the tables `specs`, used cyclically, then padding. A code of n bits has the probability 2^-n.
/// Returns the bytes, and the number of bits before the padding.
fn encode(random: &mut Random, specs: &[Spec<'_>]) -> (Vec<u8>, usize) {
    let mut bits: Vec<bool> = Vec::new();
    for symbol in 0..SYMBOLS {
        let (counts, categories) = specs[symbol % specs.len()];
        loop {
            let drawn = random.below(1 << 16);
            let (mut end, mut value_index) = (0, 0);
            let code = (1..=16).zip(counts.map(usize::from)).find_map(|(length, count)| {
                let start = end;
                end += count << (16 - length);
                value_index += count;
                (drawn < end).then(|| (length, value_index - count + ((drawn - start) >> (16 - length))))
            });
            if let Some((length, value_index)) = code {
                bits.extend((0..length).map(|bit| drawn >> (15 - bit) & 1 == 1));
                bits.extend((0..categories[value_index] % 16).map(|_| random.below(2) == 1));
                break;
            }
        }
    }
    let byte =
        |bits: &[bool]| bits.iter().enumerate().fold(0, |byte, (index, bit)| byte | u8::from(*bit) << (7 - index));
    let mut bytes: Vec<u8> = bits.chunks(8).map(byte).collect();
    bytes.resize(bytes.len() + PAD_BYTES, 0);
    (bytes, bits.len())
}

fn tables(specs: &[Spec<'_>], probes_per_refill: usize, has_pairs: bool) -> Vec<Table> {
    let mut tables: Vec<Table> =
        specs.iter().map(|(counts, categories)| Table::new(*counts, categories, probes_per_refill)).collect();
    if has_pairs {
        tables.iter_mut().for_each(Table::build_pair_table);
    }
    tables
}

/// Checks that the verified symbols of `range` are right on every CPU level; returns their number.
fn verified_count(tables: &[Table], bytes: &[u8], range: Range<usize>, max_symbols: usize) -> usize {
    let tables: Vec<&Table> = tables.iter().collect();
    let mut serial = vec![0; max_symbols];
    let mut task = Task::new(&tables, bytes, range.start, range.end, &mut serial).unwrap();
    let mut bit_offsets = vec![task.bit_offset()];
    while task.unassigned() == 0 && task.step() {
        bit_offsets.push(task.bit_offset());
    }
    let expected = task.differences().to_vec();
    let runs: Vec<(usize, usize)> = CpuLevel::available()
        .into_iter()
        .map(|level| {
            let mut buffers = ChunkBuffers::default();
            buffers.grow(range.len(), &Limits::unbounded()).unwrap();
            let mut out = vec![0; max_symbols];
            let run = decode_chunks(&tables, bytes, range.clone(), false, &mut out, &mut buffers, level);
            assert_eq!(out[..run.decoded], expected[..run.decoded]);
            assert_eq!(run.bit_offset, bit_offsets[run.decoded]);
            (run.decoded, run.bit_offset)
        })
        .collect();
    assert!(runs.windows(2).all(|pair| pair[0] == pair[1]), "{runs:?}");
    runs[0].0
}

const TYPICAL: Spec<'_> = ([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
const SKEWED: Spec<'_> = ([1, 1, 1, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], &[2, 0, 3, 16, 5, 8, 15, 1]);
const THIRD: Spec<'_> = ([0, 3, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[1, 4, 0, 7, 2]);

#[test]
fn decode_chunks_synchronising_stream_verifies_all_symbols() {
    let mut random = Random(0x5DEE_CE66_D1CE_4E5B);
    for (specs, probes_per_refill) in
        [(vec![TYPICAL], 4), (vec![TYPICAL], 2), (vec![TYPICAL, SKEWED], 4), (vec![TYPICAL, SKEWED, THIRD], 3)]
    {
        let (bytes, end) = encode(&mut random, &specs);
        let tables = tables(&specs, probes_per_refill, random.below(2) == 0);
        // The last chunk ends with a symbol that starts in it.
        let verified = verified_count(&tables, &bytes, 0..end - 64, SYMBOLS);
        assert!(verified > SYMBOLS - 200, "{verified}");
        // A shorter output than there are symbols, and a range that ends anywhere.
        verified_count(&tables, &bytes, 0..end - 64, SYMBOLS / 2);
        verified_count(&tables, &bytes, 0..end / 3, SYMBOLS);
    }
}

#[test]
fn decode_chunks_equal_code_lengths_verifies_only_chunk_0() {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let mut counts = [0; 16];
    counts[4] = 32;
    // All codes have 5 bits and are assigned: only chunks that start at a multiple of 5 bits synchronise.
    let specs = [(counts, &[0; 32][..])];
    let (bytes, end) = encode(&mut random, &specs);
    let tables = tables(&specs, 4, true);
    for dropped_bits in 0..40 {
        let range = 0..end - 64 - dropped_bits;
        let chunk = range.len() / chunk_count(range.len());
        let verified = verified_count(&tables, &bytes, range, SYMBOLS);
        if !chunk.is_multiple_of(5) {
            assert_eq!(verified, chunk.div_ceil(5), "{dropped_bits}");
        }
    }
}

#[test]
fn decode_chunks_other_component_verifies_only_chunk_0() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut counts = [0; 16];
    counts[6] = 128;
    // Cursors at the same bit need the same table too.
    let specs = [(counts, &[0; 128][..]), (counts, &[16; 128][..])];
    let (bytes, end) = encode(&mut random, &specs);
    let tables = tables(&specs, 2, true);
    for dropped_bits in 0..80 {
        let range = 0..end - 64 - dropped_bits;
        let chunk = range.len() / chunk_count(range.len());
        let verified = verified_count(&tables, &bytes, range, SYMBOLS);
        if !chunk.is_multiple_of(14) {
            assert_eq!(verified, chunk.div_ceil(7), "{dropped_bits}");
        }
    }
}

#[test]
fn decode_chunks_unassigned_code_ends_verified_symbols() {
    let mut random = Random(0x1405_7B7E_F767_814F);
    let (good, end) = encode(&mut random, &[TYPICAL]);
    let tables = tables(&[TYPICAL], 4, false);
    for _ in 0..60 {
        let mut bytes = good.clone();
        // No code starts with 48 ones.
        let offset = random.below(end / 8 - 8);
        bytes[offset..offset + 6].fill(0xFF);
        let verified = verified_count(&tables, &bytes, 0..end - 64, SYMBOLS);
        assert!(verified < SYMBOLS);
    }
}

#[test]
fn chunk_count_short_data_gives_no_chunks() {
    assert_eq!((chunk_count(0), chunk_count(2 * MIN_CHUNK_BITS - 1), chunk_count(2 * MIN_CHUNK_BITS)), (0, 1, 2));
    assert_eq!(chunk_count(LANES * MIN_CHUNK_BITS), LANES);
    assert!(ChunkBuffers::default().grow(1 << 16, &Limits::new(Some(1000))).is_err());
    let table = Table::new(TYPICAL.0, TYPICAL.1, 4);
    let mut buffers = ChunkBuffers::default();
    let run = decode_chunks(&[&table], &[0; 99], 3..600, false, &mut [0; 999], &mut buffers, CpuLevel::best());
    assert_eq!((run.decoded, run.bit_offset), (0, 3));
}
