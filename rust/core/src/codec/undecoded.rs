//! Frames of transfer syntaxes without a codec here: found, not decoded.

use super::identify::SIGNATURES;
use super::{CODECS, FrameFormat, too_short};
use crate::error::DecodeError;
use crate::frame::FrameInfo;
use crate::syntax::TransferSyntax;

/// Format of every encapsulated transfer syntax without a codec.
pub(super) struct UndecodedFormat;

impl FrameFormat for UndecodedFormat {
    fn name(&self) -> &'static str {
        "undecoded"
    }

    fn syntaxes(&self) -> &'static [TransferSyntax] {
        &[]
    }

    fn starts_frame(&self, head: &[u8], _: usize, _: &FrameInfo) -> bool {
        SIGNATURES.iter().any(|signature| head.starts_with(signature))
    }

    /// The largest minimum of the codestreams that a codec decodes whatever the transfer syntax. Others may be shorter.
    fn min_frame_bytes(&self, info: &FrameInfo) -> u64 {
        let codecs = CODECS.iter().filter(|codec| codec.codestream_format().is_some());
        codecs.map(|codec| codec.min_frame_bytes(info)).fold(1, u64::max)
    }

    fn truncated_error(&self, frame: &[u8], _: &FrameInfo) -> Option<DecodeError> {
        frame.is_empty().then(|| too_short(frame, 1))
    }
}
