//! Frames of transfer syntaxes without a codec here: found, not decoded.

use super::FrameFormat;
use super::identify::SIGNATURES;
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

    fn min_frame_bytes(&self, _: &FrameInfo) -> u64 {
        1
    }
}
