//! Property of any bytes that are opened as a DICOM file.

use dicoxide_core::frames::check_frames;
use dicoxide_core::value::ReadAt;
use dicoxide_core::{ErrorKind, Limits};
use dicoxide_part10::{BatchDecoder, DataSet, Element, Image, Object, Outcome, Request, Source};
use std::sync::Arc;

/// Budget of one input in bytes.
const BUDGET_BYTES: u64 = 1 << 22;

/// How far an input got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// The elements cannot be read.
    Unreadable,
    /// A data set without an image that the core decodes.
    DataSet,
    /// An image whose first frame was located.
    Image,
}

/// A source in memory, which offers its bytes as a slice unless `is_file`.
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

/// Property: reading from memory and by position gives the same elements, image, frames, and samples or errors; every value,
/// also in sequences, is within the input.
pub fn open_memory_and_file_equal(bytes: &[u8]) -> Opened {
    let source = |is_file| -> Arc<dyn ReadAt> { Arc::new(Bytes { bytes: bytes.to_vec(), is_file }) };
    let limits = Limits::new(Some(BUDGET_BYTES));
    let (memory, file) =
        (Object::open(source(false), &limits), Object::open(source(true), &Limits::new(Some(BUDGET_BYTES))));
    let (memory, file) = match (memory, file) {
        (Ok(memory), Ok(file)) => (memory, file),
        (Err(memory), Err(file)) => {
            assert_eq!(memory, file);
            assert_ne!(memory.kind(), ErrorKind::Io);
            return Opened::Unreadable;
        }
        (memory, file) => panic!("{:?} {:?}", memory.err(), file.err()),
    };
    assert_eq!(memory.data_set().elements(), file.data_set().elements());
    check_values_within(&memory, memory.data_set(), 4);
    let _ = (memory.rescales(&[0, 1, 70_000]), memory.has_modality_lut());
    let luts = [&memory, &file].map(|object| object.modality_lut(bytes.len() % 2 == 1).map(|lut| format!("{lut:?}")));
    assert_eq!(luts[0], luts[1]);
    let is_image = match (Image::read(&memory), Image::read(&file)) {
        (Ok(image), Ok(file_image)) => {
            assert_eq!(format!("{image:?}"), format!("{file_image:?}"));
            // Includes frames of formats that only fallback decoders decode.
            let tables = [image.find_frames(&memory), file_image.find_frames(&file)];
            let [from_memory, from_file] =
                tables.map(|table| table.map(|(_, _, _, table)| (table.frame_count(), table.deviations().to_vec())));
            assert_eq!(from_memory, from_file);
            image.frames(&memory).is_ok_and(|(_, codec, info, table)| {
                check_frames(&table, image.pixel_data(&memory), &[0], &info, codec, &Limits::unbounded()).is_ok()
            })
        }
        (memory, file) => {
            assert_eq!(memory.err(), file.err());
            false
        }
    };
    // Batches take most of the time, and a file without an image fails before it is rescaled: once is enough.
    for rescale in [false, true].into_iter().take(1 + usize::from(is_image)) {
        let sources = [Source::Bytes(source(false)), Source::Bytes(source(true)), Source::Bytes(source(true))];
        let outcomes = decode_all(sources, rescale);
        assert!(outcomes.iter().all(|outcome| Some(outcome) == outcomes.first()), "{outcomes:?}");
    }
    if is_image { Opened::Image } else { Opened::DataSet }
}

/// Decodes all sources in one batch; returns a description of each outcome, in their order.
fn decode_all(sources: [Source; 3], rescale: bool) -> Vec<String> {
    let request = Request { rescale, max_bytes: Some(BUDGET_BYTES), ..Request::default() };
    let take = |words| Limits::unbounded().zeroed(words);
    let (decoder, count) = (BatchDecoder::new(request, Box::new(take), 4 * BUDGET_BYTES, 2), sources.len());
    assert!(decoder.push((0..).zip(sources)).is_ok());
    let mut outcomes = Vec::new();
    while outcomes.len() < count {
        outcomes.extend(decoder.take_results(0, 0, &|| false).outcomes);
    }
    outcomes.sort_unstable_by_key(|(position, _)| *position);
    outcomes.iter().map(|(_, outcome)| describe(outcome)).collect()
}

/// Checks that every value is within the source, in nested sequences down to `depth`.
fn check_values_within(object: &Object, data_set: &DataSet, depth: usize) {
    for element in data_set.elements() {
        let Element { offset, length, .. } = *element;
        let end = offset.checked_add(length);
        assert!(end.is_some_and(|end| end <= object.bytes().size()), "{element:?}");
        if depth > 0
            && let Ok(items) = object.items(element)
        {
            items.iter().for_each(|item| check_values_within(object, item, depth - 1));
        }
    }
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Decoded(image) => format!("{image:?}"),
        // The remaining budget depends on how many bytes were read into buffers before.
        Outcome::Failed(error, ..) if error.kind() == ErrorKind::LimitExceeded => "limit".to_owned(),
        Outcome::Failed(error, uid, index) => format!("{error:?} {uid:?} {index:?}"),
        Outcome::Unreadable(error, _) => panic!("{error}"),
        Outcome::NeedsFallback => "needs fallback".to_owned(),
        Outcome::Bug(message) => panic!("{message}"),
        Outcome::Cancelled => "cancelled".to_owned(),
    }
}
