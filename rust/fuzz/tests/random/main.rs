//! The properties on random and mutated inputs, for `DICOXIDE_FUZZ_SECONDS` seconds (default 1).
//!
//! An input starts as a valid object of a random codec, and most are then mutated. A failure prints the seed that repeats
//! it: `DICOXIDE_FUZZ_SEED=… cargo test -p dicoxide-fuzz`.

#![allow(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "inputs are generated here; a test fails by panicking"
)]

mod jpeg2000;
mod jpeg_lossless;
mod part10;
#[path = "../../../part10/benches/files/write.rs"]
mod write;

use dicoxide_core::codec::CODECS;
use dicoxide_fuzz::{
    CHOICE_BYTES, Coverage, MAX_SAMPLES_MULTI_PATH, Opened, decode_all_paths_equal, decode_codestream_all_paths_equal,
    decode_equals, open_memory_and_file_equal,
};
use jpeg_lossless::Shape;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Xorshift generator: the same inputs on every machine.
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

/// Returns an RLE segment of literal and replicate runs that decodes to `plane_bytes` bytes.
fn segment(random: &mut Random, plane_bytes: usize) -> Vec<u8> {
    let (mut decoded_bytes, mut segment) = (0, Vec::new());
    while decoded_bytes < plane_bytes {
        let max_length = if random.byte() < 32 { 128 } else { 9 };
        let length = (1 + random.below(max_length)).min(plane_bytes - decoded_bytes);
        if random.byte() < 128 || length == 1 {
            segment.push(u8::try_from(length - 1).unwrap());
            segment.extend((0..length).map(|_| random.byte()));
        } else {
            segment.extend([u8::try_from(257 - length).unwrap(), random.byte()]);
        }
        decoded_bytes += length;
    }
    segment
}

/// Returns a valid RLE frame of `segments` segments, which decode to `plane_bytes` bytes each.
fn rle(random: &mut Random, segments: usize, plane_bytes: usize) -> Vec<u8> {
    let segments: Vec<Vec<u8>> = (0..segments).map(|_| segment(random, plane_bytes)).collect();
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

/// Returns a deflate stream of `count` random bytes in stored blocks (RFC 1951 3.2.4).
fn stored_blocks(random: &mut Random, mut count: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    while count > 0 {
        let length = u16::try_from(count.min(1 + random.below(2000))).unwrap();
        count -= usize::from(length);
        stream.push(u8::from(count == 0));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend((0..length).map(|_| random.byte()));
    }
    stream
}

/// Returns the name of the codec that an input chooses.
fn codec_of(head: &[u8]) -> &'static str {
    CODECS[usize::from(head[0]) % CODECS.len()].name()
}

/// Returns a valid input: the choice and a value that fits it. With the bit patterns of its samples, if they are known
/// (JPEG Lossless) and the chosen options leave them unchanged.
fn valid_input(random: &mut Random) -> (Vec<u8>, Option<Vec<u64>>) {
    let mut head = [0; CHOICE_BYTES];
    head.fill_with(|| random.byte());
    let codec = codec_of(&head);
    if let Some(index) = CORPUS_CODECS.iter().position(|name| *name == codec) {
        return (corpus_input(random, index, head), None);
    }
    if codec == "jpeg_lossless" && random.byte() < 220 {
        // Mostly Bits Allocated 8, 16 and more: this codec does not decode packed bits.
        head[5] = [1, 3, 3, 6, 7][random.below(5)];
    }
    let is_packed = head[5] % 8 == 0;
    let samples = if is_packed { 1 } else { [1, 3, 1, 2, 4][random.below(5)] };
    head[4] = samples;
    let mut frames = 1 + random.below(3);
    let (rows, columns) = if codec == "jpeg_lossless" && random.byte() < 6 {
        let (rows, columns) = large_size(random, usize::from(samples));
        frames = frames.min(MAX_SAMPLES_MULTI_PATH / (rows * columns * usize::from(samples))).max(1);
        (rows, columns)
    } else {
        (1 + random.below(40), 1 + random.below(60))
    };
    (head[2], head[3]) = (rows.to_le_bytes()[0], columns.to_le_bytes()[0]);
    head[9] = u8::try_from(frames | (rows >> 8) << 3 | (columns >> 8) << 5).unwrap();
    let sample_bytes = match head[5] % 8 {
        0..3 => 1,
        3..6 => 2,
        6 => 4,
        _ => 8,
    };
    let unused_bits = if is_packed { 0 } else { 3 * random.below(2) };
    head[6] = if is_packed { 1 } else { u8::try_from(8 * sample_bytes - unused_bits).unwrap() };
    let is_decodable = make_decodable(random, &mut head, samples, sample_bytes, unused_bits);
    let pixels = rows * columns;
    let mut value = Vec::new();
    if codec == "native" {
        value.extend((0..frames * pixels * usize::from(samples) * sample_bytes).map(|_| random.byte()));
        return (head.into_iter().chain(value).collect(), None);
    }
    value.extend([0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0]);
    let mut expected = Vec::new();
    let mut is_damaged = false;
    let damage_rate = [0, 0, 80, 255][random.below(4)];
    for _ in 0..frames {
        let mut frame = if codec == "rle" {
            let plane_bytes = if is_packed { pixels.div_ceil(8) } else { pixels };
            rle(random, usize::from(samples) * sample_bytes, plane_bytes)
        } else if codec == "deflated" {
            let bits = pixels * usize::from(samples) * if is_packed { 1 } else { 8 * sample_bytes };
            stored_blocks(random, bits.div_ceil(8))
        } else {
            let shape = Shape { rows, columns, components: usize::from(samples), bits: 8 * sample_bytes };
            let frame = jpeg_lossless::frame(random, shape);
            expected.extend(frame.samples);
            frame.bytes
        };
        if random.byte() < damage_rate {
            damage(random, &mut frame);
            is_damaged = true;
        }
        frame.resize(frame.len().next_multiple_of(2), 0);
        let has_fragments = codec == "jpeg_lossless" && random.byte() < 30;
        let max_bytes = if has_fragments { 4 + 2 * random.below(frame.len() / 2 + 1) } else { frame.len().max(2) };
        for fragment in frame.chunks(max_bytes) {
            value.extend([0xFE, 0xFF, 0, 0xE0]);
            value.extend(u32::try_from(fragment.len()).unwrap().to_le_bytes());
            value.extend(fragment);
        }
    }
    let (is_converted, is_strict, is_float) = (head[10] & 14 != 0, head[10] & (32 | 128) != 0, head[8] % 8 == 0);
    let is_known = codec == "jpeg_lossless" && is_decodable && !is_damaged && unused_bits == 0;
    let is_known = is_known && !is_packed && !is_converted && !is_strict && !is_float;
    (head.into_iter().chain(value).collect(), is_known.then_some(expected))
}

/// Codecs whose random inputs are frames of the corpora of their targets.
const CORPUS_CODECS: [&str; 5] = ["jpeg", "jpegls", "jpeg2000", "htj2k", "jpegxl"];

/// Returns an input with a frame of the corpus of a codec, most of them undamaged, and the options of `head`. `index` is that
/// of the codec in `CORPUS_CODECS`.
fn corpus_input(random: &mut Random, index: usize, head: [u8; CHOICE_BYTES]) -> Vec<u8> {
    static CORPORA: LazyLock<[Vec<Vec<u8>>; CORPUS_CODECS.len()]> = LazyLock::new(|| CORPUS_CODECS.map(valid_corpus));
    let corpus = &CORPORA[index];
    let (choice, frame) = corpus[random.below(corpus.len())].split_first_chunk::<CHOICE_BYTES>().unwrap();
    let mut frame = frame.to_vec();
    if random.byte() < 80 {
        damage(random, &mut frame);
    }
    frame.resize(frame.len().next_multiple_of(2), 0);
    // The frame's size; syntax and options of this input.
    let mut value = choice.to_vec();
    value[0] = head[0];
    value[1] = head[1];
    if random.byte() < 128 {
        value[10] = head[10] & !32;
    }
    value.extend([0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0, 0xFE, 0xFF, 0, 0xE0]);
    value.extend(u32::try_from(frame.len()).unwrap().to_le_bytes());
    value.extend(frame);
    value
}

/// Returns the inputs of the corpus of a codec's target that decode: fuzzers add damaged frames to it.
fn valid_corpus(codec: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(codec);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let inputs = paths.iter().map(|path| fs::read(path).unwrap());
    inputs.filter(|bytes| decode_codestream_all_paths_equal(codec, bytes) == Coverage::Decoded).collect()
}

/// Returns rows and columns of an image that is decoded in several windows.
fn large_size(random: &mut Random, samples: usize) -> (usize, usize) {
    let columns = [1 + random.below(1023), 300, 1023][random.below(3)];
    let max_rows = (MAX_SAMPLES_MULTI_PATH / samples / columns).min([400, 1023][random.below(2)]);
    (1 + random.below(max_rows), columns)
}

/// Changes the drawn options so that the input can be decoded. Returns false for the few inputs that it leaves as they are.
fn make_decodable(
    random: &mut Random,
    head: &mut [u8; CHOICE_BYTES],
    samples: u8,
    sample_bytes: usize,
    unused_bits: usize,
) -> bool {
    if random.byte() < 40 {
        return false;
    }
    head[7] = u8::try_from(random.below(unused_bits + 1)).unwrap();
    head[8] = if sample_bytes >= 4 { random.byte() } else { [1, 4][random.below(2)] };
    let (to_rgb, rescale, strict, tight) = (2, 12, 32, 128);
    head[10] &= !(to_rgb | rescale | strict);
    if random.byte() < 200 {
        head[10] &= !tight;
    }
    if samples == 3 && sample_bytes == 1 {
        head[10] |= random.byte() & to_rgb;
    } else if samples == 1 && random.byte() < 100 {
        head[10] |= rescale;
    }
    // Photometric interpretation RGB or MONOCHROME2, no YBR_FULL_422; no Extended Offset Table.
    let is_native = codec_of(head) == "native";
    head[11] = if is_native { (random.byte() & 4) | 2 } else { (random.byte() & !7) | 2 };
    if is_native && head[1] % 5 == 4 {
        // Not Encapsulated Uncompressed: the value has no items.
        head[1] = 0;
    }
    true
}

/// Damages a frame, mostly its headers, before it is put into an item.
fn damage(random: &mut Random, frame: &mut Vec<u8>) {
    for _ in 0..1 + random.below(2) {
        let range = [40, 200, 1 << 20][random.below(3)].min(frame.len());
        let offset = random.below(range.max(1));
        // Short ranges are sometimes at the end of the frame.
        let offset = if range < frame.len() && random.byte() < 40 { frame.len() - 1 - offset } else { offset };
        match random.below(8) {
            0 if random.byte() < 64 => frame.truncate(offset),
            1 => frame.insert(offset.min(frame.len()), random.byte()),
            2 => {
                let marker =
                    [0xC0, 0xC3, 0xC4, 0xD0, 0xD1, 0xD7, 0xD8, 0xD9, 0xDA, 0xDC, 0xDD, 0xFE, 0xFF][random.below(13)];
                let end = (offset + 2 * random.below(2)).min(frame.len());
                drop(frame.splice(offset.min(end)..end, [0xFF, marker]));
            }
            3 if offset < frame.len() => frame[offset] = [0, 1, 2, 0x10, 0x7F, 0x80, 0xFF][random.below(7)],
            4 if offset < frame.len() => drop(frame.remove(offset)),
            _ if offset < frame.len() => frame[offset] ^= 1 << random.below(8),
            _ => {}
        }
    }
}

/// Mutates an input, mostly its first bytes.
fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..random.below(4) {
        let start = if random.byte() < 128 { 0 } else { CHOICE_BYTES };
        let end = if random.byte() < 128 { bytes.len() } else { (start + 100).min(bytes.len()) };
        let offset = start + random.below((end - start).max(1));
        match random.below(5) {
            0 => bytes.truncate(offset),
            1 => bytes.insert(offset.min(bytes.len()), random.byte()),
            2 if offset < bytes.len() => bytes[offset] ^= 1 << random.below(8),
            3 if offset < bytes.len() => bytes[offset] = [0, 1, 0x7F, 0x80, 0x81, 0xFF][random.below(6)],
            _ if offset < bytes.len() => drop(bytes.remove(offset)),
            _ => {}
        }
        bytes.resize(bytes.len().max(CHOICE_BYTES + 1), 0);
    }
}

/// Number of inputs of a codec, and how far they got.
#[derive(Debug, Clone, Default)]
struct Counts {
    inputs: u64,
    errors: u64,
    decoded: u64,
    /// Decoded, and compared with known samples.
    known: u64,
}

#[test]
fn decode_random_inputs_all_paths_equal() {
    let seconds = std::env::var("DICOXIDE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let seed =
        std::env::var("DICOXIDE_FUZZ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x0DC0_071D_E000_0001);
    let mut random = Random(seed);
    let end = Instant::now() + Duration::from_secs(seconds);
    // One entry per codec.
    let mut counts = vec![Counts::default(); CODECS.len()];
    while Instant::now() < end || counts.iter().any(|counts| counts.inputs < 50) {
        let state = random.0;
        let (valid, expected) = valid_input(&mut random);
        let mut bytes = valid.clone();
        if codec_of(&valid) == "native" || random.byte() < 100 {
            mutate(&mut random, &mut bytes);
        }
        let expected = expected.filter(|_| bytes == valid);
        let counts = &mut counts[usize::from(bytes[0]) % CODECS.len()];
        counts.inputs += 1;
        let coverage = catch_unwind(AssertUnwindSafe(|| match &expected {
            None => decode_all_paths_equal(&bytes),
            Some(expected) => {
                decode_equals(&bytes, expected);
                counts.known += 1;
                Coverage::Decoded
            }
        }));
        match coverage {
            Ok(Coverage::Skipped) => {}
            Ok(Coverage::Error) => counts.errors += 1,
            Ok(Coverage::Decoded) => counts.decoded += 1,
            Err(_) if bytes.len() < 4096 => panic!("a property failed, DICOXIDE_FUZZ_SEED={state}, bytes {bytes:?}"),
            Err(_) => panic!("a property failed, DICOXIDE_FUZZ_SEED={state}, {} bytes", bytes.len()),
        }
    }
    for (codec, counts) in CODECS.iter().zip(counts) {
        println!("{}: {counts:?}", codec.name());
        let Counts { inputs, errors, decoded, .. } = counts;
        assert!(decoded * 5 > inputs && errors * 5 > inputs, "{}: {counts:?}", codec.name());
    }
}

#[test]
fn open_random_files_memory_and_file_equal() {
    let duration =
        Duration::from_secs(std::env::var("DICOXIDE_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(1));
    let mut random = Random(0x5EED_1E55_0FDA_7A01);
    let start = Instant::now();
    let (mut file_count, mut image_count, mut unreadable_count) = (0, 0, 0);
    while start.elapsed() < duration {
        let mut file = part10::file(&mut random);
        let is_valid = file_count % 8 == 0;
        if !is_valid {
            part10::damage(&mut random, &mut file);
        }
        let opened = catch_unwind(AssertUnwindSafe(|| open_memory_and_file_equal(&file)));
        let opened = opened.unwrap_or_else(|_| panic!("file {file_count}: {file:02x?}"));
        assert!(!is_valid || opened == Opened::Image, "valid file {file_count} is {opened:?}: {file:02x?}");
        file_count += 1;
        image_count += usize::from(opened == Opened::Image);
        unreadable_count += usize::from(opened == Opened::Unreadable);
    }
    println!("{file_count} files: {image_count} images, {unreadable_count} unreadable");
    assert!(image_count > file_count / 8 && unreadable_count > 0);
}
