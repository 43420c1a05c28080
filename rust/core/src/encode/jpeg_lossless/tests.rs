//! Streams byte by byte, tables of extreme frequencies, and every error. Round trips are tested in Python, with the decoders
//! of other packages.

#![allow(clippy::cast_possible_truncation, reason = "test data are any bits")]

use super::huffman::{CATEGORIES, Counts, Table, Tables, extra_bits};
use super::*;
use crate::{ErrorKind, Samples};
use std::sync::atomic::AtomicBool;

fn encode(
    samples: Samples<'_>,
    (rows, columns, samples_per_pixel): (u32, u32, u32),
    parameters: Parameters,
) -> Result<Vec<u8>> {
    let stop = AtomicBool::new(false);
    let cancel = Cancel { stop: &stop, poll: None };
    jpeg_lossless(&Image { samples, rows, columns, samples_per_pixel }, parameters, cancel)
}

/// Frequencies of the deepest tree, times three, so that the reserved symbol is the rarest.
fn fibonacci() -> Counts {
    let mut counts = [3; CATEGORIES];
    for index in 2..CATEGORIES {
        counts[index] = counts[index - 1] + counts[index - 2];
    }
    counts
}

/// Checks that the codes are prefix-free, have at most 16 bits, and leave the code of all ones free.
fn check(counts: &Counts) -> Table {
    let table = Table::new(counts);
    let mut kraft = 0_u32;
    for (category, (code, count)) in table.codes().iter().zip(counts).enumerate() {
        assert_eq!(code.length > 0, *count > 0, "category {category}");
        assert!(code.length <= 16);
        if code.length > 0 {
            kraft += 1 << (16 - code.length);
            assert!(u32::from(code.bits) < (1 << code.length) - 1, "all ones, or too wide");
            for (other, second) in table.codes().iter().enumerate() {
                if other != category && second.length >= code.length {
                    assert_ne!(second.bits >> (second.length - code.length), code.bits, "a prefix of another");
                }
            }
        }
    }
    assert!(kraft < 1 << 16, "the code of all ones is taken");
    assert_eq!(table.lengths().iter().map(|count| usize::from(*count)).sum::<usize>(), table.values().len());
    table
}

#[test]
fn table_new_steep_frequencies_limits_codes_to_16_bits() {
    let longest = |table: &Table| table.codes().iter().map(|code| code.length).max();
    let counts = fibonacci();
    assert_eq!(longest(&check(&counts)), Some(16));
    let mut reversed = counts;
    reversed.reverse();
    assert_eq!(longest(&check(&reversed)), Some(16));
    // Steeper than the deepest tree needs.
    let powers: Counts = std::array::from_fn(|category| 1 << (2 * category));
    assert_eq!(longest(&check(&powers)), Some(16));
}

#[test]
fn table_new_gives_the_shortest_codes() {
    let only = |category: usize| std::array::from_fn(|index| u64::from(index == category) * 100);
    for category in 0..CATEGORIES {
        let table = check(&only(category));
        assert_eq!((table.codes()[category].length, table.codes()[category].bits), (1, 0));
    }
    let mut counts = [0; CATEGORIES];
    counts[3..7].copy_from_slice(&[10, 100, 20, 5]);
    let table = check(&counts);
    assert_eq!(table.values(), [4, 5, 3, 6]);
    assert_eq!(table.lengths()[..4], [1, 1, 1, 1]);
    check(&[1; CATEGORIES]);
    check(&std::array::from_fn(|category| u64::MAX >> (category + 8)));
}

#[test]
fn tables_new_shares_a_table_if_that_is_shorter() {
    let mut low = [0; CATEGORIES];
    let mut high = [0; CATEGORIES];
    (low[0], low[5], high[0], high[5]) = (1000, 10, 10, 1000);
    assert_eq!(Tables::new(&[low, low, low]).distinct().len(), 1);
    let separate = Tables::new(&[low, high]);
    assert_eq!(separate.distinct().len(), 2);
    assert_eq!(separate.destinations().collect::<Vec<_>>(), [0, 1]);
    assert_eq!(Tables::new(&[low, low]).destinations().collect::<Vec<_>>(), [0, 0]);
    assert_eq!(extra_bits(16), 0);
}

#[test]
fn encode_small_image_gives_documented_bytes() {
    // Three differences 0, then 5, which is of category 3: codes 0 and 10.
    let encoded = encode(Samples::U8(&[128, 128, 128, 133]), (2, 2, 1), Parameters::default()).unwrap();
    let expected = [
        &[0xFF, 0xD8][..],
        &[0xFF, 0xC3, 0, 11, 8, 0, 2, 0, 2, 1, 1, 0x11, 0],
        &[0xFF, 0xC4, 0, 21, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3],
        &[0xFF, 0xDA, 0, 8, 1, 1, 0, 1, 0, 0],
        // 0 0 0 10 101, no padding.
        &[0b0001_0101],
        &[0xFF, 0xD9],
    ];
    assert_eq!(encoded, expected.concat());
}

#[test]
fn encode_restart_interval_writes_markers_between_intervals() {
    let parameters = Parameters { restart_interval: 2, ..Parameters::default() };
    let encoded = encode(Samples::U8(&[128; 20]), (10, 2, 1), parameters).unwrap();
    // Each interval is two codes of one bit, padded with ones.
    let scan = &encoded[encoded.len() - 2 - 10 - 9 * 2..];
    for (index, interval) in scan[..27].chunks_exact(3).enumerate() {
        assert_eq!(interval, [0x3F, 0xFF, 0xD0 + u8::try_from(index % 8).unwrap()]);
    }
    assert_eq!(scan[27..], [0x3F, 0xFF, 0xD9]);
    let dri = [0xFF, 0xDD, 0, 4, 0, 2];
    assert!(encoded.windows(6).any(|window| window == dri));
}

#[test]
fn encode_noise_stuffs_every_ff() {
    let noise: Vec<u16> =
        (0..5000_u32).map(|index| (index.wrapping_mul(index).wrapping_mul(2_654_435_761) >> 13) as u16).collect();
    let encoded = encode(Samples::U16(&noise), (50, 100, 1), Parameters::default()).unwrap();
    let start = encoded.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap() + 10;
    let scan = &encoded[start..encoded.len() - 2];
    let stuffed = scan.windows(2).filter(|pair| pair[0] == 0xFF).inspect(|pair| assert_eq!(pair[1], 0)).count();
    assert!(stuffed > 5);
}

#[test]
fn encode_parameter_out_of_range_is_an_output_error() {
    let assert_refused = |samples, shape, parameters, words: &str| {
        let error = encode(samples, shape, parameters).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output);
        assert!(error.to_string().contains(words), "{error}");
    };
    let usual = Parameters::default();
    let one = Samples::U8(&[1]);
    for selection_value in [0, 8, 263] {
        assert_refused(
            one,
            (1, 1, 1),
            Parameters { selection_value, ..usual },
            "1 to 7 expected (ITU-T T.81 Table B.3)",
        );
    }
    assert_refused(one, (1, 1, 1), Parameters { point_transform: 8, ..usual }, "0 to 7 expected");
    let narrow = Parameters { point_transform: 2, precision: Some(2), ..usual };
    assert_refused(one, (1, 1, 1), narrow, "0 to 1 expected");
    for precision in [0, 1, 17, 256 + 8] {
        assert_refused(one, (1, 1, 1), Parameters { precision: Some(precision), ..usual }, "2 to 16 expected");
    }
    assert_refused(one, (1, 1, 1), Parameters { restart_interval: 65536, ..usual }, "0 to 65535 expected");
    let two = Samples::U8(&[1, 2]);
    assert_refused(two, (1, 2, 1), Parameters { restart_interval: 3, ..usual }, "multiple of the 2 columns expected");
    assert_refused(Samples::U8(&[0; 5]), (1, 1, 5), usual, "1 to 4 expected");
    let many = vec![0; 65536];
    assert_refused(Samples::U8(&many), (65536, 1, 1), usual, "rows 65536 found");
    assert_refused(Samples::U8(&many), (1, 65536, 1), usual, "columns 65536 found");
    assert_refused(Samples::U32(&[1]), (1, 1, 1), usual, "samples of uint32 found");
    assert_refused(one, (2, 1, 1), usual, "1 samples found");
    assert_refused(Samples::U8(&[]), (0, 1, 1), usual, "rows 0 found");
}

#[test]
fn encode_value_beyond_precision_is_an_output_error() {
    let of = |precision| Parameters { precision: Some(precision), ..Parameters::default() };
    let assert_refused = |samples, precision, words: &str| {
        let error = encode(samples, (2, 2, 1), of(precision)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output);
        assert!(error.message().contains(words), "{error}");
    };
    assert_refused(Samples::U8(&[0, 3, 7, 8]), 3, "value 8 of sample 3 needs");
    assert_refused(Samples::U16(&[0, 4095, 4096, 8]), 12, "value 4096 of sample 2 needs");
    assert_refused(Samples::I8(&[-4, 3, -5, 0]), 3, "value -5 of sample 2 needs");
    assert_refused(Samples::I16(&[-2048, 2048, 0, 0]), 12, "value 2048 of sample 1 needs");
    encode(Samples::I16(&[-2048, 2047, 0, 0]), (2, 2, 1), of(12)).unwrap();
    encode(Samples::I8(&[-128, 127, 0, 0]), (2, 2, 1), of(16)).unwrap();
    encode(Samples::U16(&[0, 65535, 0, 0]), (2, 2, 1), of(16)).unwrap();
    encode(Samples::U16(&[0, 3, 0, 0]), (2, 2, 1), of(2)).unwrap();
}

#[test]
fn encode_cancelled_is_interrupted() {
    let stop = AtomicBool::new(true);
    let image = Image { samples: Samples::U8(&[1]), rows: 1, columns: 1, samples_per_pixel: 1 };
    let cancel = Cancel { stop: &stop, poll: None };
    assert_eq!(jpeg_lossless(&image, Parameters::default(), cancel).unwrap_err().kind(), ErrorKind::Interrupted);
}

#[test]
fn reserve_encoded_more_than_there_is_is_an_error() {
    let mut encoded = vec![1];
    reserve_encoded(&mut encoded, 100).unwrap();
    assert!(encoded.capacity() > 100);
    for bytes in [usize::MAX, isize::MAX as usize] {
        assert_eq!(reserve_encoded(&mut encoded, bytes).unwrap_err().kind(), ErrorKind::LimitExceeded);
    }
    assert_eq!(encoded, [1]);
}
