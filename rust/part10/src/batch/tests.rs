//! Threads of a batch that panic, fail, and wait for buffer bytes.

use super::*;
use dicoxide_core::{ErrorKind, ReadAt, TransferSyntax};
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use write::{Style, file_meta};

#[allow(dead_code, reason = "sequences are not used here")]
#[path = "../../benches/files/write.rs"]
mod write;

const SIDE: u16 = 256;
const PIXEL_BYTES: usize = 2 * SIDE as usize * SIDE as usize;

/// Returns a file of `SIDE` × `SIDE` native 16-bit samples.
fn file() -> Vec<u8> {
    let style = Style { is_implicit: false, is_big_endian: false, is_undefined: false };
    let mut out = file_meta(TransferSyntax::EXPLICIT_VR_LITTLE_ENDIAN.uid());
    style.element(&mut out, 0x0028_0002, b"US", &[1, 0]);
    style.element(&mut out, 0x0028_0004, b"CS", b"MONOCHROME2 ");
    for (tag, value) in [(0x10, SIDE), (0x11, SIDE), (0x100, 16), (0x101, 16), (0x102, 15), (0x103, 0)] {
        style.element(&mut out, 0x0028_0000 + tag, b"US", &u16::to_le_bytes(value));
    }
    style.element(&mut out, 0x7FE0_0010, b"OW", &[7; PIXEL_BYTES]);
    out
}

/// A file whose last 1024 bytes cannot be read, if it has a gate: such a read blocks until the gate opens, then fails.
struct GatedFile {
    bytes: Vec<u8>,
    gate: Option<Arc<AtomicBool>>,
}

fn source(gate: Option<Arc<AtomicBool>>) -> Source {
    Source::Bytes(Arc::new(GatedFile { bytes: file(), gate }))
}

impl ReadAt for GatedFile {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        let offset = usize::try_from(offset).unwrap();
        let mut end = self.bytes.len();
        if let Some(gate) = &self.gate {
            // Far from the header: more than the header may be read when the file is opened.
            end -= 1024;
            if offset >= end {
                let start = Instant::now();
                while !gate.load(Ordering::Relaxed) && start.elapsed() < Duration::from_secs(20) {
                    std::thread::yield_now();
                }
                return Err(io::Error::other("broken"));
            }
        }
        let count = out.len().min(end - offset);
        out[..count].copy_from_slice(&self.bytes[offset..offset + count]);
        Ok(count)
    }
}

fn words(count: usize) -> Vec<u64> {
    vec![0; count]
}

/// Collects the outcomes of `count` sources, in the order of their indices.
fn collect(decoder: &BatchDecoder, count: usize) -> Vec<(u64, Outcome)> {
    let mut outcomes = Vec::new();
    while outcomes.len() < count {
        outcomes.extend(decoder.take_results(0, 0, &|| false).outcomes);
    }
    outcomes.sort_unstable_by_key(|(index, _)| *index);
    outcomes
}

#[test]
fn batch_decoder_reports_a_panic_for_its_source_only() {
    let allocations = AtomicUsize::new(0);
    let allocate = move |count| match allocations.fetch_add(1, Ordering::Relaxed) {
        2 => panic!("a bug"),
        _ => Ok(words(count)),
    };
    let decoder = BatchDecoder::new(Request::default(), Box::new(allocate), u64::MAX, 1);
    decoder.push((0..6).map(|index| (index, source(None)))).unwrap();
    for (index, outcome) in collect(&decoder, 6) {
        match outcome {
            Outcome::Bug(message) => assert_eq!((index, message.as_str()), (2, "a bug")),
            Outcome::Decoded(image) => assert_eq!(image.shape, [usize::from(SIDE); 2]),
            _ => panic!("source {index} is neither decoded nor a bug"),
        }
    }
}

#[test]
fn batch_decoder_frees_the_bytes_of_a_failed_source_for_a_waiting_thread() {
    let allocations = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&allocations);
    let allocate = move |count| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(words(count))
    };
    let gate = Arc::new(AtomicBool::new(false));
    let broken = source(Some(Arc::clone(&gate)));
    let decoder = BatchDecoder::new(Request::default(), Box::new(allocate), 2 * PIXEL_BYTES as u64, 3);
    decoder.push([(0, source(None)), (1, broken)]).unwrap();
    let wait_for_allocations = |count| {
        let start = Instant::now();
        while allocations.load(Ordering::Relaxed) < count && start.elapsed() < Duration::from_secs(10) {
            std::thread::yield_now();
        }
        allocations.load(Ordering::Relaxed)
    };
    assert_eq!(wait_for_allocations(2), 2);
    decoder.push([(2, source(None)), (3, Source::Path(PathBuf::from("/none")))]).unwrap();
    // Long enough for a thread to wait for bytes.
    std::thread::sleep(Duration::from_millis(100));
    gate.store(true, Ordering::Relaxed);
    // No results have been taken: only the failure of source 1 frees bytes.
    assert_eq!(wait_for_allocations(3), 3);
    let outcomes = collect(&decoder, 4);
    assert!(matches!(&outcomes[1].1, Outcome::Failed(error, ..) if error.kind() == ErrorKind::Io));
    assert!(matches!(&outcomes[2].1, Outcome::Decoded(_)));
    assert!(matches!(&outcomes[3].1, Outcome::Unreadable(_, path) if path == &PathBuf::from("/none")));
}
