//! What a codestream says of its colour. T.81 gives component identifiers no meaning and leaves colour to others; where a
//! codestream does tell it, that controls the decompression, not the data set (PS3.5 8.2.1).

use super::headers::FrameHeader;
use crate::error::Result;
use crate::frame::{Deviation, FrameInfo};
use crate::output::{Colour, Output};

/// How the parameters of the APP0 segment of a JFIF file begin, whose colour is luminance and two colour differences
/// (ITU-T T.871 10.1).
const JFIF: &[u8] = b"JFIF\0";

/// Whether the parameters of an APP0 segment are those of JFIF.
pub(in crate::codec) fn is_jfif(parameters: &[u8]) -> bool {
    parameters.starts_with(JFIF)
}

/// Tells `sink` of the colour that the codestream has, where it is another one than the data set says, and notes it. Who
/// takes the samples as they are need not know.
///
/// # Errors
/// `Unsupported` if colour is to be converted that is not of 8 bits.
pub(in crate::codec) fn settle(
    frame: &FrameHeader,
    is_jfif: bool,
    info: &FrameInfo,
    sink: &mut Output<'_>,
) -> Result<Option<Deviation>> {
    let [first, second, third] = frame.components.as_slice() else { return Ok(None) };
    if !sink.converts_colour() {
        return Ok(None);
    }
    // No standard gives the letters this meaning, encoders do.
    let are_letters = matches!(&[first.id, second.id, third.id], b"RGB" | b"rgb");
    let (colour, what) = if are_letters && info.is_ybr() {
        (Colour::Rgb, "components R, G and B found in the codestream, colour differences in the data set")
    } else if is_jfif && info.is_rgb() {
        (Colour::Ybr, "JFIF found in the codestream, so colour differences, RGB in the data set")
    } else {
        return Ok(None);
    };
    sink.set_colour(colour)?;
    Ok(Some(Deviation::new(what, "PS3.5 8.2.1").at(first.offset)))
}
