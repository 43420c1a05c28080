//! What all processes of ITU-T T.81 share: markers, marker segments, Huffman tables, colour. A room, not a codec.
//!
//! Everything read here is range-checked, and keeps the offset in the frame that it was read at.

pub(super) mod colour;
pub(super) mod headers;
pub(super) mod huffman;
pub(super) mod marker;

#[cfg(test)]
mod tests;
