//! JPEG with a DCT: ITU-T T.81 processes 1, 2, 4 (sequential) and 10, 12 (progressive) with Huffman coding.

mod geometry;
mod header;
mod rows;
