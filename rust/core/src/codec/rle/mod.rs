//! RLE Lossless (PS3.5 Annex G).

use super::{Codec, Context};
use crate::error::{Result, unsupported};
use crate::frame::{Decoded, FrameBytes, FrameInfo};
use crate::sink::Sink;
use crate::syntax::TransferSyntax;

pub(super) struct Rle;

impl Codec for Rle {
    fn name(&self) -> &'static str {
        "rle"
    }

    fn syntaxes(&self) -> &'static [TransferSyntax] {
        &[TransferSyntax::RLE_LOSSLESS]
    }

    fn starts_frame(&self, _fragment: &[u8], _info: &FrameInfo) -> bool {
        true
    }

    fn least_bytes(&self, _info: &FrameInfo) -> u64 {
        0
    }

    fn decode(
        &self,
        _frame: FrameBytes<'_>,
        _context: &Context<'_>,
        _scratch: &mut Vec<u8>,
        _sink: &mut Sink<'_>,
    ) -> Result<Decoded> {
        Err(unsupported("RLE is on its way", "PS3.5 Annex G"))
    }
}
