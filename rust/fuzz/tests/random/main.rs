//! The properties on random and mutated bytes, for `DICOXIDE_FUZZ_SECONDS` seconds (1 by default).

#![allow(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "what it makes is its own"
)]

mod jpeg_lossless;
mod part10;
#[path = "../../../part10/benches/files/write.rs"]
mod write;

use dicoxide_core::codec::CODECS;
use dicoxide_fuzz::{
    CHOICE_BYTES, MOST_SAMPLES_OF_WAYS, Opened, Tried, decoding_agrees, decoding_gives, opening_agrees,
};
use jpeg_lossless::Shape;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Xorshift: the same tries on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// Runs of both kinds until `plane` bytes are made.
fn segment(random: &mut Random, plane: usize) -> Vec<u8> {
    let (mut made, mut segment) = (0, Vec::new());
    while made < plane {
        let longest = if random.byte() < 32 { 128 } else { 9 };
        let length = (1 + random.below(longest)).min(plane - made);
        if random.byte() < 128 || length == 1 {
            segment.push(u8::try_from(length - 1).unwrap());
            segment.extend((0..length).map(|_| random.byte()));
        } else {
            segment.extend([u8::try_from(257 - length).unwrap(), random.byte()]);
        }
        made += length;
    }
    segment
}

/// A good RLE frame of `segments` planes of `plane` bytes.
fn rle(random: &mut Random, segments: usize, plane: usize) -> Vec<u8> {
    let segments: Vec<Vec<u8>> = (0..segments).map(|_| segment(random, plane)).collect();
    let mut frame = u32::try_from(segments.len()).unwrap().to_le_bytes().to_vec();
    let mut offset = 64;
    for segment in &segments {
        frame.extend(u32::try_from(offset).unwrap().to_le_bytes());
        offset += segment.len();
    }
    frame.resize(64, 0);
    frame.extend(segments.concat());
    frame
}

/// The name of the codec that an object chooses.
fn codec_of(head: &[u8]) -> &'static str {
    CODECS[usize::from(head[0]) % CODECS.len()].name()
}

/// A good object: the choice, and a value that fits it; and its samples where they are known and nothing is made of them.
fn object(random: &mut Random) -> (Vec<u8>, Option<Vec<u64>>) {
    let mut head = [0; CHOICE_BYTES];
    head.fill_with(|| random.byte());
    let codec = codec_of(&head);
    if codec == "jpeg_lossless" && random.byte() < 220 {
        // Few images have samples of more than 16 bits, or of 1, and this codec knows nothing of the latter.
        head[5] = [1, 3, 3, 6, 7][random.below(5)];
    }
    let is_packed = head[5] % 8 == 0;
    let samples = if is_packed { 1 } else { [1, 3, 1, 2, 4][random.below(5)] };
    head[4] = samples;
    let mut frames = 1 + random.below(3);
    let (rows, columns) = if codec == "jpeg_lossless" && random.byte() < 6 {
        let (rows, columns) = large(random, usize::from(samples));
        frames = frames.min(MOST_SAMPLES_OF_WAYS / (rows * columns * usize::from(samples))).max(1);
        (rows, columns)
    } else {
        (1 + random.below(40), 1 + random.below(60))
    };
    (head[2], head[3]) = (rows.to_le_bytes()[0], columns.to_le_bytes()[0]);
    head[9] = u8::try_from(frames | (rows >> 8) << 3 | (columns >> 8) << 5).unwrap();
    let bytes = match head[5] % 8 {
        0..3 => 1,
        3..6 => 2,
        6 => 4,
        _ => 8,
    };
    let spare = if is_packed { 0 } else { 3 * random.below(2) };
    head[6] = if is_packed { 1 } else { u8::try_from(8 * bytes - spare).unwrap() };
    let is_sensible = make_sensible(random, &mut head, samples, bytes, spare);
    let pixels = rows * columns;
    let mut value = Vec::new();
    if codec == "native" {
        value.extend((0..frames * pixels * usize::from(samples) * bytes).map(|_| random.byte()));
        return (head.into_iter().chain(value).collect(), None);
    }
    value.extend([0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0]);
    let mut expected = Vec::new();
    let mut is_spoilt = false;
    let spoiling = [0, 0, 80, 255][random.below(4)];
    for _ in 0..frames {
        let mut frame = if codec == "rle" {
            let plane = if is_packed { pixels.div_ceil(8) } else { pixels };
            rle(random, usize::from(samples) * bytes, plane)
        } else {
            let shape = Shape { rows, columns, components: usize::from(samples), bits: 8 * bytes };
            let frame = jpeg_lossless::frame(random, shape);
            expected.extend(frame.samples);
            frame.bytes
        };
        if random.byte() < spoiling {
            spoil(random, &mut frame);
            is_spoilt = true;
        }
        frame.resize(frame.len().next_multiple_of(2), 0);
        let is_cut_up = codec == "jpeg_lossless" && random.byte() < 30;
        let most = if is_cut_up { 4 + 2 * random.below(frame.len() / 2 + 1) } else { frame.len().max(2) };
        for fragment in frame.chunks(most) {
            value.extend([0xFE, 0xFF, 0, 0xE0]);
            value.extend(u32::try_from(fragment.len()).unwrap().to_le_bytes());
            value.extend(fragment);
        }
    }
    let (has_finish, is_strict, is_float) = (head[10] & 14 != 0, head[10] & (32 | 128) != 0, head[8] % 8 == 0);
    let is_known = codec == "jpeg_lossless" && is_sensible && !is_spoilt && spare == 0;
    let is_known = is_known && !is_packed && !has_finish && !is_strict && !is_float;
    (head.into_iter().chain(value).collect(), is_known.then_some(expected))
}

/// Rows and columns of an image that fills several windows.
fn large(random: &mut Random, samples: usize) -> (usize, usize) {
    let columns = [1 + random.below(1023), 300, 1023][random.below(3)];
    let most = (MOST_SAMPLES_OF_WAYS / samples / columns).min([400, 1023][random.below(2)]);
    (1 + random.below(most), columns)
}

/// Most objects ask for what can be had; what is left as it was drawn asks for the rest.
fn make_sensible(random: &mut Random, head: &mut [u8; CHOICE_BYTES], samples: u8, bytes: usize, spare: usize) -> bool {
    if random.byte() < 40 {
        return false;
    }
    head[7] = u8::try_from(random.below(spare + 1)).unwrap();
    head[8] = if bytes >= 4 { random.byte() } else { [1, 4][random.below(2)] };
    let (to_rgb, rescale, strict, tight) = (2, 12, 32, 128);
    head[10] &= !(to_rgb | rescale | strict);
    if random.byte() < 200 {
        head[10] &= !tight;
    }
    if samples == 3 && bytes == 1 {
        head[10] |= random.byte() & to_rgb;
    } else if samples == 1 && random.byte() < 100 {
        head[10] |= rescale;
    }
    // Neither colour differences at half resolution nor an Extended Offset Table.
    let is_native = codec_of(head) == "native";
    head[11] = if is_native { (random.byte() & 4) | 2 } else { (random.byte() & !7) | 2 };
    if is_native && head[1] % 5 == 4 {
        // Encapsulated Uncompressed: the value has no items around it.
        head[1] = 0;
    }
    true
}

/// Changes a frame, mostly where its headers are, before it gets into its item.
fn spoil(random: &mut Random, frame: &mut Vec<u8>) {
    for _ in 0..1 + random.below(2) {
        let near = [40, 200, 1 << 20][random.below(3)].min(frame.len());
        // From the end as often as from the start, where it is everywhere.
        let at = random.below(near.max(1));
        let at = if near < frame.len() && random.byte() < 40 { frame.len() - 1 - at } else { at };
        match random.below(8) {
            0 if random.byte() < 64 => frame.truncate(at),
            1 => frame.insert(at.min(frame.len()), random.byte()),
            2 => {
                let marker =
                    [0xC0, 0xC3, 0xC4, 0xD0, 0xD1, 0xD7, 0xD8, 0xD9, 0xDA, 0xDC, 0xDD, 0xFE, 0xFF][random.below(13)];
                let end = (at + 2 * random.below(2)).min(frame.len());
                drop(frame.splice(at.min(end)..end, [0xFF, marker]));
            }
            3 if at < frame.len() => frame[at] = [0, 1, 2, 0x10, 0x7F, 0x80, 0xFF][random.below(7)],
            4 if at < frame.len() => drop(frame.remove(at)),
            _ if at < frame.len() => frame[at] ^= 1 << random.below(8),
            _ => {}
        }
    }
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..random.below(4) {
        let from = if random.byte() < 128 { 0 } else { CHOICE_BYTES };
        let near = if random.byte() < 128 { bytes.len() } else { (from + 100).min(bytes.len()) };
        let at = from + random.below((near - from).max(1));
        match random.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), random.byte()),
            2 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            3 if at < bytes.len() => bytes[at] = [0, 1, 0x7F, 0x80, 0x81, 0xFF][random.below(6)],
            _ if at < bytes.len() => drop(bytes.remove(at)),
            _ => {}
        }
        bytes.resize(bytes.len().max(CHOICE_BYTES + 1), 0);
    }
}

/// How often a codec was tried, and what came of it.
#[derive(Debug, Clone, Default)]
struct Counts {
    tries: u64,
    refused: u64,
    decoded: u64,
    /// Decoded to the samples that were known before.
    known: u64,
}

#[test]
fn decoding_agrees_on_anything() {
    let seconds = std::env::var("DICOXIDE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let seed =
        std::env::var("DICOXIDE_FUZZ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x0DC0_071D_E000_0001);
    let mut random = Random(seed);
    let end = Instant::now() + Duration::from_secs(seconds);
    // Of each codec.
    let mut counts = vec![Counts::default(); CODECS.len()];
    while Instant::now() < end || counts.iter().any(|counts| counts.tries < 50) {
        let state = random.0;
        let (good, expected) = object(&mut random);
        let mut bytes = good.clone();
        if codec_of(&good) == "native" || random.byte() < 100 {
            mutate(&mut random, &mut bytes);
        }
        let expected = expected.filter(|_| bytes == good);
        let counts = &mut counts[usize::from(bytes[0]) % CODECS.len()];
        counts.tries += 1;
        let tried = catch_unwind(AssertUnwindSafe(|| match &expected {
            None => decoding_agrees(&bytes),
            Some(expected) => {
                decoding_gives(&bytes, expected);
                counts.known += 1;
                Tried::Decoded
            }
        }));
        match tried {
            Ok(Tried::Nothing) => {}
            Ok(Tried::Refused) => counts.refused += 1,
            Ok(Tried::Decoded) => counts.decoded += 1,
            Err(_) if bytes.len() < 4096 => panic!("a property failed, DICOXIDE_FUZZ_SEED={state}, bytes {bytes:?}"),
            Err(_) => panic!("a property failed, DICOXIDE_FUZZ_SEED={state}, {} bytes", bytes.len()),
        }
    }
    for (codec, counts) in CODECS.iter().zip(counts) {
        println!("{}: {counts:?}", codec.name());
        let Counts { tries, refused, decoded, .. } = counts;
        assert!(decoded * 5 > tries && refused * 5 > tries, "{}: {counts:?}", codec.name());
    }
}

#[test]
fn any_bytes_open_alike_from_memory_and_by_position() {
    let budget =
        Duration::from_secs(std::env::var("DICOXIDE_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(1));
    let mut random = Random(0x5EED_1E55_0FDA_7A01);
    let start = Instant::now();
    let (mut tries, mut images, mut refused) = (0, 0, 0);
    while start.elapsed() < budget {
        let mut file = part10::file(&mut random);
        let is_good = tries % 8 == 0;
        if !is_good {
            part10::broken(&mut random, &mut file);
        }
        let opened = catch_unwind(AssertUnwindSafe(|| opening_agrees(&file)));
        let opened = opened.unwrap_or_else(|_| panic!("file {tries}: {file:02x?}"));
        assert!(!is_good || opened == Opened::Image, "file {tries} is good, and {opened:?}: {file:02x?}");
        tries += 1;
        images += usize::from(opened == Opened::Image);
        refused += usize::from(opened == Opened::Refused);
    }
    println!("{tries} files: {images} images, {refused} refused");
    assert!(images > tries / 8 && refused > 0);
}
