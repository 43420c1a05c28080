//! Random small DICOM files: implicit and explicit VR, both byte orders, defined and undefined lengths.

use crate::Random;
use crate::write::{Style, file_meta};

/// Returns a valid file with one to three small frames, native or RLE.
pub(crate) fn file(random: &mut Random) -> Vec<u8> {
    let (uid, is_implicit, is_big_endian, is_rle) = [
        ("1.2.840.10008.1.2", true, false, false),
        ("1.2.840.10008.1.2.1", false, false, false),
        ("1.2.840.10008.1.2.2", false, true, false),
        ("1.2.840.10008.1.2.5", false, false, true),
    ][random.below(4)];
    let style = Style { is_implicit, is_big_endian, is_undefined: random.byte() < 128 };
    let mut out = Vec::new();
    if is_rle || random.byte() < 200 {
        out = file_meta(uid);
    }
    let frame_count = 1 + random.below(3);
    let (rows, columns) = (1 + random.below(12), 1 + random.below(12));
    style.element(&mut out, 0x0008_0060, b"CS", b"CT");
    for _ in 0..random.below(3) {
        let items = random.below(3);
        style.sequence(&mut out, 0x0008_1140, items, &mut |item| {
            style.element(item, 0x0008_1150, b"UI", b"1.2\0");
            style.sequence(item, 0x0040_A170, 1, &mut |inner| style.element(inner, 0x0008_0100, b"SH", b"AB"));
        });
    }
    let us = |value: usize| style.u16(value as u16);
    style.element(&mut out, 0x0028_0002, b"US", &us(1));
    style.element(&mut out, 0x0028_0004, b"CS", b"MONOCHROME2 ");
    style.element(&mut out, 0x0028_0008, b"IS", format!("{frame_count} ").as_bytes());
    style.element(&mut out, 0x0028_0010, b"US", &us(rows));
    style.element(&mut out, 0x0028_0011, b"US", &us(columns));
    for (tag, value) in [(0x0028_0100, 16), (0x0028_0101, 12), (0x0028_0102, 11), (0x0028_0103, random.below(2))] {
        style.element(&mut out, tag, b"US", &us(value));
    }
    style.element(&mut out, 0x0028_1052, b"DS", b"-1024 ");
    style.element(&mut out, 0x0028_1053, b"DS", b"1.5 ");
    style.sequence(&mut out, 0x5200_9230, frame_count, &mut |item| {
        style.sequence(item, 0x0028_9145, 1, &mut |inner| {
            style.element(inner, 0x0028_1052, b"DS", b"-3");
            style.element(inner, 0x0028_1053, b"DS", b"2 ");
        });
    });
    if is_rle {
        let frames: Vec<Vec<u8>> = (0..frame_count).map(|_| crate::rle(random, 2, rows * columns)).collect();
        style.fragments(&mut out, std::iter::once(&Vec::new()).chain(&frames));
    } else {
        let value: Vec<u8> = (0..frame_count * rows * columns * 2).map(|_| random.byte()).collect();
        style.element(&mut out, 0x7FE0_0010, b"OW", &value);
    }
    out
}

/// Damages a file at one to four random offsets.
pub(crate) fn damage(random: &mut Random, file: &mut Vec<u8>) {
    for _ in 0..=random.below(3) {
        let offset = random.below(file.len());
        match random.below(8) {
            0..3 => file[offset] = random.byte(),
            3 => file[offset] ^= 1 << random.below(8),
            4 => file.truncate(offset.max(1)),
            5 => drop(file.drain(offset..(offset + 1 + random.below(8)).min(file.len()).max(offset))),
            6 => {
                let tags = [[0xFF; 4], [0xFE, 0xFF, 0x00, 0xE0], [0xFE, 0xFF, 0xDD, 0xE0], [0xFE, 0xFF, 0x0D, 0xE0]];
                file.splice(offset..(offset + 4).min(file.len()), tags[random.below(4)]);
            }
            _ => {
                let inserted: Vec<u8> = (0..1 + random.below(4)).map(|_| random.byte()).collect();
                file.splice(offset..offset, inserted);
            }
        }
        if file.is_empty() {
            file.push(0);
        }
    }
}
