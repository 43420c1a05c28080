//! What is refused, as what, and where.

use super::headers::{FrameHeader, ScanHeader, number};
use super::huffman::HuffmanTables;
use super::marker::{Marker, Parameters, is_restart, is_skipped, is_start_of_frame, read_marker};
use crate::error::ErrorKind::{self, Malformed, Truncated};
use crate::error::Result;

/// Offset of the first parameter in the frames of these tests: two bytes, and the length.
const AT: u64 = 4;

/// A frame with `parameters` behind their length.
fn framed(parameters: &[u8]) -> Vec<u8> {
    let length = u16::try_from(parameters.len() + 2).unwrap().to_be_bytes();
    [&[0xFF, 0xC3], &length[..], parameters].concat()
}

fn refusal<T: std::fmt::Debug>(result: Result<T>) -> (ErrorKind, u64) {
    let error = result.unwrap_err();
    (error.kind(), error.offset().unwrap())
}

/// How `parse` refuses `parameters`: the kind, and the offset from the first of them.
fn refused<T: std::fmt::Debug>(parameters: &[u8], parse: impl Fn(Parameters<'_>) -> Result<T>) -> (ErrorKind, u64) {
    let frame = framed(parameters);
    let (parameters, end) = Parameters::read("it", &frame, 2).unwrap();
    assert_eq!(end, frame.len());
    let (kind, offset) = refusal(parse(parameters));
    (kind, offset - AT)
}

/// Every beginning of good parameters is refused at its end, and so is one byte more.
fn ends_where_it_has_to<T: std::fmt::Debug>(good: &[u8], parse: impl Fn(Parameters<'_>) -> Result<T>) {
    for length in 0..good.len() {
        assert_eq!(refused(&good[..length], &parse), (Malformed, length as u64));
    }
    let frame = framed(good);
    parse(Parameters::read("it", &frame, 2).unwrap().0).unwrap();
    assert_eq!(refused(&[good, &[0]].concat(), &parse), (Malformed, good.len() as u64));
}

#[test]
fn markers() {
    let found = |code, offset, next| (Marker { code, offset }, next);
    assert_eq!(read_marker(&[7, 0xFF, 0xDA], 1).unwrap(), found(0xDA, 1, 3));
    assert_eq!(read_marker(&[7, 0xFF, 0xFF, 0xFF, 0xDA, 0], 1).unwrap(), found(0xDA, 3, 5));
    assert_eq!(refusal(read_marker(&[], 0)), (Truncated, 0));
    assert_eq!(refusal(read_marker(&[1, 2], 9)), (Truncated, 2));
    assert_eq!(refusal(read_marker(&[1, 0xFF, 0xFF], 1)), (Truncated, 3));
    assert_eq!(refusal(read_marker(&[1, 2, 3], 1)), (Malformed, 1));
    assert_eq!(refusal(read_marker(&[1, 0xFF, 0xFF, 0], 1)), (Malformed, 3));
}

#[test]
fn every_code_is_of_one_kind_at_most() {
    for code in 0..=u8::MAX {
        let kinds = [is_restart(code), is_skipped(code), is_start_of_frame(code)];
        assert!(kinds.iter().filter(|kind| **kind).count() < 2, "{code:02X}");
        let has_length = matches!(code, 0xC4 | 0xCC | 0xD8..=0xDA | 0xDC..=0xDF | 0xC8);
        assert!(!has_length || kinds == [false; 3], "{code:02X}");
    }
    let frames: Vec<u8> = (0..=u8::MAX).filter(|code| is_start_of_frame(*code)).collect();
    assert_eq!(frames, [0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7]);
}

#[test]
fn lengths_of_parameters() {
    let read = |frame: &[u8]| refusal(Parameters::read("it", frame, 2));
    assert_eq!(read(&[0xFF, 0xC4]), (Truncated, 2));
    assert_eq!(read(&[0xFF, 0xC4, 0]), (Truncated, 3));
    assert_eq!(read(&[0xFF, 0xC4, 0, 0]), (Malformed, 2));
    assert_eq!(read(&[0xFF, 0xC4, 0, 1]), (Malformed, 2));
    assert_eq!(read(&[0xFF, 0xC4, 0, 4, 9]), (Truncated, 5));
    assert_eq!(read(&[0xFF]), (Truncated, 1));
    let (parameters, end) = Parameters::read("it", &[0xFF, 0xC4, 0, 2], 2).unwrap();
    assert_eq!((parameters.is_empty(), parameters.at(), end), (true, 4, 4));
}

#[test]
fn frame_headers() {
    let good = [12, 1, 2, 3, 4, 2, 7, 0x11, 0, 9, 0x42, 3];
    ends_where_it_has_to(&good, FrameHeader::parse);
    let frame = framed(&good);
    let header = FrameHeader::parse(Parameters::read("it", &frame, 2).unwrap().0).unwrap();
    assert_eq!((header.precision, header.lines, header.columns, header.offset), (12, 0x102, 0x304, 4));
    let components: Vec<_> = header.components.iter().map(|c| (c.id, c.sampling, c.offset)).collect();
    assert_eq!(components, [(7, (1, 1), 10), (9, (4, 2), 13)]);
    let with = |at: usize, byte: u8| {
        let mut bytes = good;
        bytes[at] = byte;
        refused(&bytes, FrameHeader::parse)
    };
    assert_eq!(refused(&[12, 1, 2, 0, 0, 1, 7, 0x11, 0], FrameHeader::parse), (Malformed, 3));
    assert_eq!(with(5, 0), (Malformed, 5));
    assert_eq!(with(5, 1), (Malformed, 9));
    assert_eq!(with(5, 3), (Malformed, 12));
    for sampling in [0x10, 0x01, 0x51, 0x15, 0xFF] {
        assert_eq!(with(7, sampling), (Malformed, 7));
        assert_eq!(with(10, sampling), (Malformed, 10));
    }
    assert_eq!(with(9, 7), (Malformed, 9));
}

#[test]
fn scan_headers() {
    let good = [2, 7, 0x00, 9, 0x31, 6, 1, 0x23];
    ends_where_it_has_to(&good, ScanHeader::parse);
    let frame = framed(&good);
    let header = ScanHeader::parse(Parameters::read("it", &frame, 2).unwrap().0).unwrap();
    let components: Vec<_> = header.components.iter().map(|c| (c.id, c.dc_table, c.offset)).collect();
    assert_eq!(components, [(7, 0, 5), (9, 3, 7)]);
    let spectral = (header.spectral_start, header.spectral_end, header.offset);
    assert_eq!((spectral, header.approximation_high, header.approximation_low), ((6, 1, 9), 2, 3));
    let with = |at: usize, byte: u8| {
        let mut bytes = good;
        bytes[at] = byte;
        refused(&bytes, ScanHeader::parse)
    };
    assert_eq!(with(0, 0), (Malformed, 0));
    assert_eq!(with(0, 5), (Malformed, 0));
    assert_eq!(with(2, 0x40), (Malformed, 2));
    assert_eq!(with(4, 0x04), (Malformed, 4));
    assert_eq!(with(3, 7), (Malformed, 3));
}

#[test]
fn numbers() {
    ends_where_it_has_to(&[1, 2], number);
    let frame = framed(&[1, 2]);
    assert_eq!(number(Parameters::read("it", &frame, 2).unwrap().0).unwrap(), 0x102);
}

/// A table in a DHT segment: class and destination, counts, values.
fn table(at: u8, counts: &[u8], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![at];
    bytes.extend(counts);
    bytes.resize(17, 0);
    bytes.extend(values);
    bytes
}

#[test]
fn huffman_tables() {
    let define = |bytes: &[u8]| {
        let mut tables = HuffmanTables::default();
        let frame = framed(bytes);
        let result = tables.define(Parameters::read("it", &frame, 2).unwrap().0);
        result.map(|()| tables).map_err(|error| (error.kind(), error.offset().unwrap() - AT))
    };
    assert!(define(&[]).unwrap().dc(0).is_none());
    // Several in one segment; the later one counts, and those for AC coefficients don't.
    let both = [table(1, &[1], &[3]), table(0x11, &[1], &[9]), table(1, &[0, 2], &[4, 5])].concat();
    let tables = define(&both).unwrap();
    let (found, values_at) = tables.dc(1).unwrap();
    assert_eq!((found.counts[..2].to_vec(), found.values.clone(), values_at), (vec![0, 2], vec![4, 5], 4 + 36 + 17));
    assert!((tables.dc(0).is_none(), tables.dc(2).is_none(), tables.dc(9).is_none()) == (true, true, true));
    // Complete, and cut anywhere.
    let good = table(0, &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2], &[0; 17]);
    define(&good).unwrap();
    for length in 1..good.len() {
        let end = if length < 17 { length.max(1) } else { length };
        assert_eq!(define(&good[..length]).unwrap_err(), (Malformed, end as u64), "{length}");
    }
    for at in [0x20, 0x04, 0xF0, 0x1F] {
        assert_eq!(define(&table(at, &[1], &[0])).unwrap_err(), (Malformed, 0));
        assert_eq!(define(&[table(0, &[1], &[0]), table(at, &[1], &[0])].concat()).unwrap_err(), (Malformed, 18));
    }
    // None, too many, and more of a length than there can be.
    assert_eq!(define(&table(0, &[], &[])).unwrap_err(), (Malformed, 1));
    assert_eq!(define(&table(0, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 2], &[0; 257])).unwrap_err(), (Malformed, 1));
    define(&table(0, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 1], &[0; 256])).unwrap();
    assert_eq!(define(&table(0, &[3], &[0; 3])).unwrap_err(), (Malformed, 1));
    assert_eq!(define(&table(0, &[1, 3], &[0; 4])).unwrap_err(), (Malformed, 2));
    assert_eq!(define(&table(0, &[2, 0, 0, 1], &[0; 3])).unwrap_err(), (Malformed, 4));
    define(&table(0, &[2], &[0; 2])).unwrap();
}
