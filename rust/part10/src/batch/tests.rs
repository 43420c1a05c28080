//! Threads that fail, panic and wait for room.

use super::*;
use dicoxide_core::{ErrorKind, ReadAt};
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use write::{Style, begin};

#[allow(dead_code, reason = "nothing here nests")]
#[path = "../../benches/files/write.rs"]
mod write;

const SIDE: u16 = 256;
const PIXEL_BYTES: usize = 2 * SIDE as usize * SIDE as usize;

/// A file of `SIDE` × `SIDE` native samples of 16 bits.
fn file() -> Vec<u8> {
    let style = Style { is_implicit: false, is_big_endian: false, is_undefined: false };
    let mut out = begin("1.2.840.10008.1.2.1");
    style.element(&mut out, 0x0028_0002, b"US", &[1, 0]);
    style.element(&mut out, 0x0028_0004, b"CS", b"MONOCHROME2 ");
    for (tag, value) in [(0x10, SIDE), (0x11, SIDE), (0x100, 16), (0x101, 16), (0x102, 15), (0x103, 0)] {
        style.element(&mut out, 0x0028_0000 + tag, b"US", &u16::to_le_bytes(value));
    }
    style.element(&mut out, 0x7FE0_0010, b"OW", &[7; PIXEL_BYTES]);
    out
}

/// Bytes whose last pixels cannot be read: after `is_let`, if there is one; otherwise they can.
struct Broken {
    bytes: Vec<u8>,
    is_let: Option<Arc<AtomicBool>>,
}

fn source(is_let: Option<Arc<AtomicBool>>) -> Source {
    Source::Bytes(Arc::new(Broken { bytes: file(), is_let }))
}

impl ReadAt for Broken {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        let at = usize::try_from(offset).unwrap();
        let mut end = self.bytes.len();
        if let Some(is_let) = &self.is_let {
            // The header may be read some way beyond its end.
            end -= 1024;
            if at >= end {
                let began = Instant::now();
                while !is_let.load(Ordering::Relaxed) && began.elapsed() < Duration::from_secs(20) {
                    std::thread::yield_now();
                }
                return Err(io::Error::other("broken"));
            }
        }
        let there = out.len().min(end - at);
        out[..there].copy_from_slice(&self.bytes[at..at + there]);
        Ok(there)
    }
}

fn memory(words: usize) -> Vec<u64> {
    vec![0; words]
}

fn all(many: &BatchDecoder, count: usize) -> Vec<(u64, Outcome)> {
    let mut done = Vec::new();
    while done.len() < count {
        done.extend(many.take(0, 0, &|| false).done);
    }
    done.sort_unstable_by_key(|(place, _)| *place);
    done
}

#[test]
fn a_panic_is_of_the_source_that_it_is_about() {
    let taken = AtomicUsize::new(0);
    let take = move |words| match taken.fetch_add(1, Ordering::Relaxed) {
        2 => panic!("a bug"),
        _ => Ok(memory(words)),
    };
    let many = BatchDecoder::new(Request::default(), Box::new(take), u64::MAX, 1);
    many.push((0..6).map(|place| (place, source(None)))).unwrap();
    for (place, outcome) in all(&many, 6) {
        match outcome {
            Outcome::Bug(what) => assert_eq!((place, what.as_str()), (2, "a bug")),
            Outcome::Decoded(picture) => assert_eq!(picture.shape, [usize::from(SIDE); 2]),
            _ => panic!("neither"),
        }
    }
}

#[test]
fn what_fails_gives_its_room_to_who_waits_for_it() {
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let take = move |words| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(memory(words))
    };
    let is_let = Arc::new(AtomicBool::new(false));
    let broken = source(Some(Arc::clone(&is_let)));
    let many = BatchDecoder::new(Request::default(), Box::new(take), 2 * PIXEL_BYTES as u64, 3);
    many.push([(0, source(None)), (1, broken)]).unwrap();
    let wait_for = |count| {
        let began = Instant::now();
        while taken.load(Ordering::Relaxed) < count && began.elapsed() < Duration::from_secs(10) {
            std::thread::yield_now();
        }
        taken.load(Ordering::Relaxed)
    };
    assert_eq!(wait_for(2), 2);
    many.push([(2, source(None)), (3, Source::Path(PathBuf::from("/none")))]).unwrap();
    // So that a thread waits for room by then.
    std::thread::sleep(Duration::from_millis(100));
    is_let.store(true, Ordering::Relaxed);
    // Nobody has taken anything meanwhile.
    assert_eq!(wait_for(3), 3);
    let outcomes = all(&many, 4);
    assert!(matches!(&outcomes[1].1, Outcome::Failed(error, ..) if error.kind() == ErrorKind::Io));
    assert!(matches!(&outcomes[2].1, Outcome::Decoded(_)));
    assert!(matches!(&outcomes[3].1, Outcome::Unreadable(_, path) if path == &PathBuf::from("/none")));
}
