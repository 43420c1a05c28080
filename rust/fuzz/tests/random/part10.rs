//! Small DICOM files of every encoding, nested and not.

use crate::Random;

/// How a file is written.
#[derive(Clone, Copy)]
struct Style {
    is_implicit: bool,
    is_big_endian: bool,
    is_undefined: bool,
}

impl Style {
    fn short(self, value: u16) -> [u8; 2] {
        if self.is_big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn long(self, value: u32) -> [u8; 4] {
        if self.is_big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn tag(self, out: &mut Vec<u8>, tag: u32) {
        out.extend(self.short((tag >> 16) as u16));
        out.extend(self.short(tag as u16));
    }

    fn element(self, out: &mut Vec<u8>, tag: u32, vr: &[u8; 2], value: &[u8]) {
        self.header(out, tag, vr, value.len() as u32);
        out.extend(value);
    }

    fn header(self, out: &mut Vec<u8>, tag: u32, vr: &[u8; 2], length: u32) {
        self.tag(out, tag);
        if self.is_implicit {
            out.extend(self.long(length));
        } else if matches!(vr, b"OB" | b"OW" | b"SQ" | b"UN") {
            out.extend(vr);
            out.extend([0, 0]);
            out.extend(self.long(length));
        } else {
            out.extend(vr);
            out.extend(self.short(length as u16));
        }
    }

    /// A sequence of items, each of what `content` writes.
    fn sequence(self, out: &mut Vec<u8>, tag: u32, items: usize, content: &mut dyn FnMut(&mut Vec<u8>)) {
        let mut value = Vec::new();
        for _ in 0..items {
            let mut item = Vec::new();
            content(&mut item);
            self.tag(&mut value, 0xFFFE_E000);
            value.extend(self.long(if self.is_undefined { u32::MAX } else { item.len() as u32 }));
            value.extend(item);
            if self.is_undefined {
                self.tag(&mut value, 0xFFFE_E00D);
                value.extend([0; 4]);
            }
        }
        if self.is_undefined {
            self.tag(&mut value, 0xFFFE_E0DD);
            value.extend([0; 4]);
        }
        self.header(out, tag, b"SQ", if self.is_undefined { u32::MAX } else { value.len() as u32 });
        out.extend(value);
    }
}

/// A good file: native or RLE, of a few small frames.
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
        out.resize(128, 0);
        out.extend(b"DICM");
        let meta = Style { is_implicit: false, is_big_endian: false, is_undefined: false };
        let mut padded = uid.as_bytes().to_vec();
        padded.resize(uid.len() + uid.len() % 2, 0);
        meta.element(&mut out, 0x0002_0010, b"UI", &padded);
    }
    let frames = 1 + random.below(3);
    let (rows, columns) = (1 + random.below(12), 1 + random.below(12));
    style.element(&mut out, 0x0008_0060, b"CS", b"CT");
    for _ in 0..random.below(3) {
        let items = random.below(3);
        style.sequence(&mut out, 0x0008_1140, items, &mut |item| {
            style.element(item, 0x0008_1150, b"UI", b"1.2\0");
            style.sequence(item, 0x0040_A170, 1, &mut |inner| style.element(inner, 0x0008_0100, b"SH", b"AB"));
        });
    }
    let us = |value: usize| style.short(value as u16);
    style.element(&mut out, 0x0028_0002, b"US", &us(1));
    style.element(&mut out, 0x0028_0004, b"CS", b"MONOCHROME2 ");
    style.element(&mut out, 0x0028_0008, b"IS", format!("{frames} ").as_bytes());
    style.element(&mut out, 0x0028_0010, b"US", &us(rows));
    style.element(&mut out, 0x0028_0011, b"US", &us(columns));
    for (tag, value) in [(0x0028_0100, 16), (0x0028_0101, 12), (0x0028_0102, 11), (0x0028_0103, random.below(2))] {
        style.element(&mut out, tag, b"US", &us(value));
    }
    style.element(&mut out, 0x0028_1052, b"DS", b"-1024 ");
    style.element(&mut out, 0x0028_1053, b"DS", b"1.5 ");
    style.sequence(&mut out, 0x5200_9230, frames, &mut |item| {
        style.sequence(item, 0x0028_9145, 1, &mut |inner| {
            style.element(inner, 0x0028_1052, b"DS", b"-3");
            style.element(inner, 0x0028_1053, b"DS", b"2 ");
        });
    });
    if is_rle {
        style.header(&mut out, 0x7FE0_0010, b"OB", u32::MAX);
        let frames: Vec<Vec<u8>> = (0..frames).map(|_| crate::rle(random, 2, rows * columns)).collect();
        for item in std::iter::once(&Vec::new()).chain(&frames) {
            style.tag(&mut out, 0xFFFE_E000);
            out.extend(style.long((item.len() + item.len() % 2) as u32));
            out.extend(item);
            out.resize(out.len() + item.len() % 2, 0);
        }
        style.tag(&mut out, 0xFFFE_E0DD);
        out.extend([0; 4]);
    } else {
        let value: Vec<u8> = (0..frames * rows * columns * 2).map(|_| random.byte()).collect();
        style.element(&mut out, 0x7FE0_0010, b"OW", &value);
    }
    out
}

/// Breaks a file here and there, mostly in its header.
pub(crate) fn broken(random: &mut Random, file: &mut Vec<u8>) {
    for _ in 0..=random.below(3) {
        let at = random.below(file.len());
        match random.below(8) {
            0..3 => file[at] = random.byte(),
            3 => file[at] ^= 1 << random.below(8),
            4 => file.truncate(at.max(1)),
            5 => drop(file.drain(at..(at + 1 + random.below(8)).min(file.len()).max(at))),
            6 => {
                let four = [[0xFF; 4], [0xFE, 0xFF, 0x00, 0xE0], [0xFE, 0xFF, 0xDD, 0xE0], [0xFE, 0xFF, 0x0D, 0xE0]];
                let four = four[random.below(4)];
                file.splice(at..(at + 4).min(file.len()), four);
            }
            _ => {
                let some: Vec<u8> = (0..1 + random.below(4)).map(|_| random.byte()).collect();
                file.splice(at..at, some);
            }
        }
        if file.is_empty() {
            file.push(0);
        }
    }
}
