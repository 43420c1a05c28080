//! JPEG Lossless: ITU-T T.81 process 14 (SOF3, Huffman coding), transfer syntaxes 1.2.840.10008.1.2.4.57 and .70.
//!
//! The codestream decides, not the transfer syntax: .70 promises selection value 1, but any is decoded.

mod ahead;
mod header;
mod recipe;
mod scan;
mod speculate;
mod stream;
mod verdict;

use super::{Codec, Context, Scratch};
use crate::error::Result;
use crate::frame::{Decoded, FrameBytes, FrameInfo};
use crate::sink::Sink;
use crate::syntax::TransferSyntax;
use header::Header;
pub use header::{Dimensions, dimensions};
use recipe::{Recipe, Tables};
use scan::Room;

pub(super) struct JpegLossless;

/// What is kept from frame to frame.
#[derive(Debug, Default)]
struct Kept {
    tables: Tables,
    room: Room,
}

impl Codec for JpegLossless {
    fn name(&self) -> &'static str {
        "jpeg_lossless"
    }

    fn syntaxes(&self) -> &'static [TransferSyntax] {
        &[TransferSyntax::JPEG_LOSSLESS, TransferSyntax::JPEG_LOSSLESS_SV1]
    }

    fn starts_frame(&self, fragment: &[u8], _: &FrameInfo) -> bool {
        // SOI, and the FF of the next marker.
        fragment.starts_with(&[0xFF, 0xD8, 0xFF])
    }

    fn least_bytes(&self, info: &FrameInfo) -> u64 {
        recipe::least_bytes(info)
    }

    fn decode(
        &self,
        frame: FrameBytes<'_>,
        context: &Context<'_>,
        scratch: &mut Scratch,
        sink: &mut Sink<'_>,
    ) -> Result<Decoded> {
        let header = Header::parse(frame.bytes, sink.tier())?;
        let precision = header.frame.precision.into();
        scratch.with(|Kept { tables, room }| {
            tables.shrink();
            let mut recipe = Recipe::new(frame.bytes, header, context, tables)?;
            let mut tolerated = std::mem::take(&mut recipe.tolerated);
            let (way, rest) = scan::scan(&recipe, tables, room, context, sink)?;
            if tolerated.is_empty() {
                // Without an end, what lies before it has been told of.
                tolerated.extend(rest);
            }
            Ok(Decoded { precision: Some(precision), path: way.path(sink.tier()), tolerated })
        })
    }
}

#[cfg(test)]
mod tests;
