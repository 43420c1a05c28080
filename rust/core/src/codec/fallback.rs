//! Codestreams that a decoder of another package is to decode, compared with the data set.
//!
//! Such decoders do not report contradictions, and some return samples of another size or depth without an error. The rules
//! are those of `agreement`, and those of the codecs for the format and the loss of a codestream (PS3.5 A.4).

use super::agreement;
use super::identify::{codestream_size, identify};
use super::t81::colour::HP_TRANSFORM;
use super::{codec_for, jpeg2000};
use crate::codestream::{Codestream, CodestreamFormat, CodestreamInfo};
use crate::error::{Result, mismatch};
use crate::frame::{Deviation, FrameInfo};
use crate::syntax::TransferSyntax;

const FORMAT_CLAUSE: &str = "PS3.5 A.4";

/// Compares a codestream with the data set. Returns true if its samples are luminance and colour differences, and the
/// deviations. Colour matters only if it is converted (`to_rgb`).
///
/// Of a header that is broken or of an unknown format only the size is compared, if it can be read: the decoder reports
/// the error.
///
/// # Errors
/// `Mismatch` if size or depth differ; `Unsupported` for float samples.
pub fn compare_codestream(
    syntax: TransferSyntax,
    frame: &[u8],
    info: &FrameInfo,
    to_rgb: bool,
) -> Result<(bool, Vec<Deviation>)> {
    let Ok(Codestream { format, info: Some(declared) }) = identify(frame) else {
        let attributes = info.attributes();
        let expected = (attributes.rows, attributes.columns);
        return match codestream_size(frame) {
            Some((rows, columns)) if (rows, columns) != expected => {
                let text = format!(
                    "{rows} rows and {columns} columns found in the codestream, {} and {} in the data set",
                    expected.0, expected.1
                );
                Err(mismatch(text, "PS3.5 8.2.1"))
            }
            _ => Ok((info.is_ybr(), Vec::new())),
        };
    };
    let agreement = agreement::check(&declared, info, to_rgb)?;
    let mut deviations: Vec<_> = format_deviation(syntax, format, &declared).into_iter().collect();
    deviations.extend(jpeg2000::boxes_deviation(frame, info));
    if declared.colour_claims.iter().flatten().any(|claim| claim.evidence == HP_TRANSFORM) {
        let text = format!("{HP_TRANSFORM} found in the codestream, which T.87 does not define");
        deviations.push(Deviation::new(text, "PS3.5 8.2.3").at(declared.offsets.colour));
    }
    deviations.extend(agreement.deviations);
    Ok((agreement.is_ybr, deviations))
}

/// Returns the deviation of a codestream of another format than that of its transfer syntax, or of a lossy one under a
/// lossless transfer syntax.
fn format_deviation(syntax: TransferSyntax, found: CodestreamFormat, declared: &CodestreamInfo) -> Option<Deviation> {
    let expected = codec_for(syntax)?.codestream_format()?;
    let is_arithmetic_syntax =
        matches!(syntax, TransferSyntax::JPEG_EXTENDED35 | TransferSyntax::JPEG_SPECTRAL_SELECTION_NON_HIERARCHICAL79);
    let is_expected = found == expected || found == CodestreamFormat::JpegArithmetic && is_arithmetic_syntax;
    let is_lossless_syntax = matches!(
        syntax,
        TransferSyntax::JPEG_LOSSLESS
            | TransferSyntax::JPEG_LOSSLESS_SV1
            | TransferSyntax::JPEG_LS_LOSSLESS
            | TransferSyntax::JPEG2000_LOSSLESS
            | TransferSyntax::JPEG2000_MC_LOSSLESS
            | TransferSyntax::HTJ2K_LOSSLESS
            | TransferSyntax::HTJ2K_LOSSLESS_RPCL
    );
    let lossy = match (is_expected, declared.is_lossy) {
        (false, _) => "",
        (true, Some(true)) if is_lossless_syntax => "lossy ",
        _ => return None,
    };
    let text = format!("{lossy}{} codestream found, transfer syntax is {}", found.title(), syntax.keyword());
    Some(Deviation::new(text, FORMAT_CLAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::frame::{Attributes, PhotometricInterpretation, SampleKind};

    fn info(rows: u32, term: &str, samples_per_pixel: u32) -> FrameInfo {
        FrameInfo::new(Attributes {
            rows,
            columns: 7,
            samples_per_pixel,
            bits_allocated: 8,
            bits_stored: 8,
            high_bit: 7,
            sample_kind: SampleKind::Unsigned,
            planar_configuration: 0,
            photometric_interpretation: PhotometricInterpretation::from_term(term),
        })
        .unwrap()
    }

    /// Frame header of 5 rows and 7 columns, after `application`.
    fn jpeg(application: &[u8], marker: u8, precision: u8, ids: &[u8]) -> Vec<u8> {
        let count = u8::try_from(ids.len()).unwrap();
        let head = [0xFF, marker, 0, 8 + 3 * count, precision, 0, 5, 0, 7, count];
        let components: Vec<u8> = ids.iter().flat_map(|id| [*id, 0x11, 0]).collect();
        [&[0xFF, 0xD8], application, &head, &components].concat()
    }

    const SYNTAX: TransferSyntax = TransferSyntax::JPEG_BASELINE_8BIT;

    #[test]
    fn compare_other_size_or_depth_is_a_mismatch() {
        let (good, other) = (info(5, "MONOCHROME2", 1), info(6, "MONOCHROME2", 1));
        let gray = jpeg(&[], 0xC9, 8, &[1]);
        assert!(compare_codestream(SYNTAX, &gray, &good, true).is_ok());
        // A header that is broken after the size.
        let cut = &jpeg(&[], 0xF7, 8, &[1]);
        for (frame, info) in [
            (&gray, &other),
            (cut, &other),
            (&jpeg(&[], 0xC9, 12, &[1]), &good),
            (&jpeg(&[], 0xC9, 8, &[1, 2, 3]), &good),
        ] {
            assert_eq!(compare_codestream(SYNTAX, frame, info, true).unwrap_err().kind(), ErrorKind::Mismatch);
        }
        assert!(compare_codestream(SYNTAX, cut, &good, true).is_ok());
        assert_eq!(compare_codestream(SYNTAX, b"", &good, true).unwrap(), (false, vec![]));
    }

    #[test]
    fn compare_other_format_is_a_deviation() {
        let info = info(5, "MONOCHROME2", 1);
        let arithmetic = jpeg(&[], 0xC9, 8, &[1]);
        let counts = [
            (SYNTAX, 1),
            (TransferSyntax::JPEG_EXTENDED35, 0),
            (TransferSyntax::JPEG_FULL_PROGRESSION_NON_HIERARCHICAL1113, 0),
        ];
        for (syntax, count) in counts {
            assert_eq!(compare_codestream(syntax, &arithmetic, &info, true).unwrap().1.len(), count, "{syntax:?}");
        }
    }

    #[test]
    fn compare_colour_of_arithmetic_coding_is_that_of_the_codestream() {
        let adobe = |transform| [&b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0"[..], &[transform]].concat();
        let syntax = TransferSyntax::JPEG_EXTENDED35;
        for (transform, term, is_ybr, count) in
            [(0, "RGB", false, 0), (0, "YBR_FULL", false, 1), (1, "YBR_FULL", true, 0), (1, "RGB", true, 1)]
        {
            let frame = jpeg(&adobe(transform), 0xCA, 8, &[1, 2, 3]);
            let (found, deviations) = compare_codestream(syntax, &frame, &info(5, term, 3), true).unwrap();
            assert_eq!((found, deviations.len()), (is_ybr, count), "{transform} {term}");
        }
    }
}
