//! Codestream syntax that the processes of ITU-T T.81 share, and mostly JPEG-LS (T.87): markers, marker segments, frame and scan
//! headers, Huffman tables, entropy-coded segments, colour. It is used by codecs, and is none itself.
//!
//! | file | content | clauses of T.81 |
//! |---|---|---|
//! | `marker` | markers, processes, iterator over segments, parameters | B.1.1, Table B.1 |
//! | `headers` | frame header, scan header, DRI, DNL | B.2.2, B.2.3, B.2.4.4, B.2.5 |
//! | `huffman` | DHT | B.2.4.2, Annex C |
//! | `typical_tables` | Huffman tables for codestreams without DHT | K.3 |
//! | `quantization` | DQT, zigzag order | B.2.4.1, Figure A.6 |
//! | `entropy` | entropy-coded segments between restart markers | B.1.1.5, E.1.4 |
//! | `codestream` | all segments up to EOI | B.2 |
//! | `colour` | JFIF, Adobe, component identifiers | (T.871) |
//!
//! Every value is range-checked, and errors have its byte offset in the frame. Rules of one process are checked by its codec.

pub(super) mod codestream;
pub(super) mod colour;
pub(super) mod entropy;
pub(super) mod headers;
pub(super) mod huffman;
pub(super) mod marker;
pub(super) mod quantization;
pub(super) mod typical_tables;

#[cfg(test)]
mod tests;
