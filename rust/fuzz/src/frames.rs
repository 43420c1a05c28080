//! Properties of bare codestreams: only the codestream is mutated, so that a fuzzer gets further into the decoder.

use crate::{CHOICE_BYTES, Coverage, decode_all_paths_equal, split};
use dicoxide_core::codec::{CODECS, codestream_size, compare_codestream, identify};
use dicoxide_core::codestream::{Codestream, CodestreamFormat};
use dicoxide_core::{
    Attributes, BareCodestream, Cancel, CodestreamOptions, DecodeError, ErrorKind, FrameInfo, Limits,
    PhotometricInterpretation, SampleKind, SamplesBuf, TransferSyntax, Workspace,
};
use std::sync::atomic::AtomicBool;

/// Property: as [`decode_all_paths_equal`], for frames of the codec named `codec`. The bytes after the choice are frames of
/// one fragment each, separated by item tags.
pub fn decode_codestream_all_paths_equal(codec: &str, bytes: &[u8]) -> Coverage {
    let Some(index) = CODECS.iter().position(|registered| registered.name() == codec) else { return Coverage::Skipped };
    let Some((head, rest)) = bytes.split_first_chunk::<CHOICE_BYTES>() else { return Coverage::Skipped };
    let mut head = *head;
    if let (Some(first), Ok(index)) = (head.first_mut(), u8::try_from(index)) {
        *first = index;
    }
    // An empty Basic Offset Table, then one item per frame. The separator is no part of any codec's frames.
    let mut object = head.to_vec();
    object.extend([0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0]);
    for fragment in split(rest, b"\xFE\xFF\x00\xE0") {
        let mut fragment = fragment.to_vec();
        fragment.resize(fragment.len().next_multiple_of(2), 0);
        object.extend([0xFE, 0xFF, 0, 0xE0]);
        object.extend(u32::try_from(fragment.len()).unwrap_or(0).to_le_bytes());
        object.extend(fragment);
    }
    decode_all_paths_equal(&object)
}

/// Property: the header of a codestream describes it, so that a bare codestream never gives a `Mismatch`; and
/// `codestream_size` returns the same size. Compared with a data set for a fallback decoder, a codestream of another size is
/// a `Mismatch`.
pub fn codestream_header_matches_decoder(bytes: &[u8]) -> Coverage {
    // Must not panic for any bytes: it is called before fallback decoders are.
    let size = codestream_size(bytes);
    if let Ok(Codestream { info: Some(info), .. }) = identify(bytes) {
        assert!(size.is_none_or(|size| size == (info.rows, info.columns)), "{size:?}, {info:?}");
    }
    if let Ok(data_set) = data_set() {
        let compared = compare_codestream(TransferSyntax::JPEG_BASELINE_8BIT, bytes, &data_set, true);
        let is_other = size.is_some_and(|size| size != (DATA_SET_SIDE, DATA_SET_SIDE));
        assert!(!is_other || compared.is_err_and(|error| error.kind() == ErrorKind::Mismatch), "{size:?}");
    }
    match decode_bare(bytes, bytes.len().is_multiple_of(2)) {
        Bare::Skipped => Coverage::Skipped,
        Bare::Error(error) => {
            assert_ne!(error.kind(), ErrorKind::Mismatch, "{error}");
            Coverage::Error
        }
        Bare::Unopened => Coverage::Error,
        Bare::Decoded(_) => Coverage::Decoded,
    }
}

const DATA_SET_SIDE: u32 = 16;

/// A data set of 16 × 16 pixels in colour.
fn data_set() -> Result<FrameInfo, DecodeError> {
    FrameInfo::new(Attributes {
        rows: DATA_SET_SIDE,
        columns: DATA_SET_SIDE,
        samples_per_pixel: 3,
        bits_allocated: 8,
        bits_stored: 8,
        high_bit: 7,
        sample_kind: SampleKind::Unsigned,
        planar_configuration: 0,
        photometric_interpretation: PhotometricInterpretation::from_term("YBR_FULL"),
    })
}

/// Property: the beginning of a JPEG-LS codestream is an error or gives the samples of the whole codestream, so that
/// missing data never become samples. The first two bytes choose the length of the beginning.
pub fn cut_codestream_fails_or_decodes_alike(bytes: &[u8]) -> Coverage {
    let Some((&[high, low], src)) = bytes.split_first_chunk::<2>() else { return Coverage::Skipped };
    // JPEG DCT is lossy: progressive frames decode without their last scans.
    if !matches!(identify(src), Ok(Codestream { format: CodestreamFormat::JpegLs, .. })) {
        return Coverage::Skipped;
    }
    let whole = match decode_bare(src, false) {
        Bare::Skipped => return Coverage::Skipped,
        Bare::Unopened | Bare::Error(_) => return Coverage::Error,
        Bare::Decoded(samples) => samples,
    };
    let length = usize::from(u16::from_be_bytes([high, low])) % src.len();
    if let Bare::Decoded(samples) = decode_bare(src.get(..length).unwrap_or(src), false) {
        assert!(samples == whole, "the first {length} of {} bytes give other samples", src.len());
    }
    Coverage::Decoded
}

/// Result of decoding a bare codestream.
enum Bare {
    /// Too many samples.
    Skipped,
    /// Not a codestream that the package decodes.
    Unopened,
    Error(DecodeError),
    /// Memory of the samples.
    Decoded(Vec<u64>),
}

fn decode_bare(bytes: &[u8], to_rgb: bool) -> Bare {
    let Ok(codestream) = BareCodestream::open(bytes) else { return Bare::Unopened };
    let info = codestream.info();
    if info.samples() > crate::MAX_SAMPLES_MULTI_PATH {
        return Bare::Skipped;
    }
    let stop = AtomicBool::new(false);
    let cancel = Cancel { stop: &stop, poll: None };
    let (limits, mut workspace) = (Limits::default(), Workspace::default());
    let allocate = |words| limits.zeroed(words);
    let Ok(mut out) = SamplesBuf::new(info.sample_type(), info.samples(), allocate) else { return Bare::Skipped };
    let options = CodestreamOptions { to_rgb, ..CodestreamOptions::default() };
    match codestream.decode(bytes, &options, &limits, out.as_mut(), &mut workspace, cancel) {
        Ok(_) => Bare::Decoded(out.into_memory()),
        Err(error) => Bare::Error(error),
    }
}
