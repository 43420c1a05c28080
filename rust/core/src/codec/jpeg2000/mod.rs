//! JPEG 2000 (T.800) and HTJ2K (T.814): codestreams, bare or in boxes.
//!
//! | module | content |
//! |---|---|
//! | `boxes` | JP2 and JPH boxes |
//! | `codestream` | marker segments → header |
//! | `tile` | geometry of a tile, and the coded data of its code-blocks |
//! | `tag_tree`, `packet` | packets → coded data |

mod boxes;
#[allow(dead_code, reason = "the driver is the next commit")]
mod codestream;
#[allow(dead_code, reason = "the driver is the next commit")]
mod packet;
mod tag_tree;
#[cfg(test)]
mod test_streams;
#[allow(dead_code, reason = "the driver is the next commit")]
mod tile;

use crate::codestream::Codestream;
use crate::error::Result;

/// First bytes of a bare codestream.
pub(super) const SIGNATURE: &[u8] = codestream::SIGNATURE;
/// First bytes of a codestream in boxes.
pub(super) const SIGNATURE_BOX: &[u8] = boxes::SIGNATURE_BOX;

/// Reads the main header of a codestream, bare or in boxes.
///
/// # Errors
/// `Truncated` and `Malformed`; `Unsupported` for segments of T.801.
pub(super) fn identify(frame: &[u8]) -> Result<Codestream> {
    codestream::identify(frame, boxes::codestream_range(frame)?)
}

/// Returns rows and columns that a bare codestream declares, if its SIZ segment has them. Reads nothing else.
pub(super) fn image_size(codestream: &[u8]) -> Option<(u32, u32)> {
    codestream::image_size(codestream)
}
