//! What holds of any bytes that are opened as a DICOM file.

use dicoxide_core::frames::check_frames;
use dicoxide_core::value::{ReadAt, zeros};
use dicoxide_core::{ErrorKind, Limits};
use dicoxide_part10::{BatchDecoder, DataSet, Element, Object, Outcome, Request, Source};
use std::sync::Arc;

/// Bytes of output that a try may take.
const ROOM_BYTES: u64 = 1 << 22;

/// How far a try got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// The elements cannot be told apart.
    Refused,
    /// There is a data set, of no image that can be decoded.
    DataSet,
    /// There is an image whose frames were found.
    Image,
}

/// Bytes that are in memory, but say so only when they should.
struct Bytes {
    bytes: Vec<u8>,
    is_file: bool,
}

impl ReadAt for Bytes {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> std::io::Result<usize> {
        self.bytes.as_slice().read_at(offset, out)
    }

    fn memory(&self) -> Option<&[u8]> {
        (!self.is_file).then_some(&self.bytes)
    }
}

/// Any bytes open to the same elements, image and frames, whether they are read by position or lie in memory; every
/// value lies within them, sequences and all; and decoding gives the same samples or errors.
pub fn opening_agrees(bytes: &[u8]) -> Opened {
    let source = |is_file| -> Arc<dyn ReadAt> { Arc::new(Bytes { bytes: bytes.to_vec(), is_file }) };
    let limits = Limits::new(Some(ROOM_BYTES));
    let (memory, file) =
        (Object::open(source(false), &limits), Object::open(source(true), &Limits::new(Some(ROOM_BYTES))));
    let (memory, file) = match (memory, file) {
        (Ok(memory), Ok(file)) => (memory, file),
        (Err(one), Err(other)) => {
            assert_eq!(one, other);
            assert_ne!(one.kind(), ErrorKind::Io);
            return Opened::Refused;
        }
        (one, other) => panic!("{:?} {:?}", one.err(), other.err()),
    };
    assert_eq!(memory.data_set().elements(), file.data_set().elements());
    within(&memory, memory.data_set(), 4);
    let _ = (memory.rescales(&[0, 1, 70_000]), memory.has_modality_lut());
    let is_image = match (memory.image(), file.image()) {
        (Ok(image), Ok(other)) => {
            assert_eq!(format!("{image:?}"), format!("{other:?}"));
            // Those that are decoded elsewhere are found here.
            let found = [image.any_frames(&memory), other.any_frames(&file)];
            let [one, other] =
                found.map(|found| found.map(|(_, _, _, table)| (table.frame_count(), table.deviations().to_vec())));
            assert_eq!(one, other);
            image.frames(&memory).is_ok_and(|(_, codec, info, table)| {
                check_frames(&table, image.pixel_data(&memory), &[0], &info, codec, &Limits::unbounded()).is_ok()
            })
        }
        (one, other) => {
            assert_eq!(one.err(), other.err());
            false
        }
    };
    let sources = [Source::Bytes(source(false)), Source::Bytes(source(true)), Source::Bytes(source(true))];
    let outcomes = decoded(sources);
    assert!(outcomes.iter().all(|outcome| Some(outcome) == outcomes.first()), "{outcomes:?}");
    if is_image { Opened::Image } else { Opened::DataSet }
}

/// What becomes of each, all of them at once.
fn decoded(sources: [Source; 3]) -> Vec<String> {
    let request = Request { max_bytes: Some(ROOM_BYTES), ..Request::default() };
    let take = |words| {
        let mut memory = Vec::new();
        zeros(&mut memory, words).map(|()| memory)
    };
    let (many, wanted) = (BatchDecoder::new(request, Box::new(take), 4 * ROOM_BYTES, 2), sources.len());
    assert!(many.push((0..).zip(sources)).is_ok());
    let mut outcomes = Vec::new();
    while outcomes.len() < wanted {
        outcomes.extend(many.take(0, 0, &|| false).done);
    }
    outcomes.sort_unstable_by_key(|(place, _)| *place);
    outcomes.iter().map(|(_, outcome)| shown(outcome)).collect()
}

/// Every value lies within what is read, however deep.
fn within(object: &Object, data_set: &DataSet, depth: usize) {
    for element in data_set.elements() {
        let Element { offset, length, .. } = *element;
        let end = offset.checked_add(length);
        assert!(end.is_some_and(|end| end <= object.bytes().size()), "{element:?}");
        if depth > 0
            && let Ok(items) = object.items(element)
        {
            items.iter().for_each(|item| within(object, item, depth - 1));
        }
    }
}

fn shown(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Decoded(picture) => format!("{picture:?}"),
        // How much was left of a budget depends on what was read into memory before.
        Outcome::Failed(error, ..) if error.kind() == ErrorKind::LimitExceeded => "limit".to_owned(),
        Outcome::Failed(error, uid, index) => format!("{error:?} {uid:?} {index:?}"),
        Outcome::Unreadable(error, _) => panic!("{error}"),
        Outcome::NeedsFallback => "elsewhere".to_owned(),
        Outcome::Bug(what) => panic!("{what}"),
        Outcome::Stopped => "stopped".to_owned(),
    }
}
