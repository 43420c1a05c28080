//! Rules that hold for every codestream with a header of its own: what it declares against what the data set declares.
//!
//! | codestream against data set | result |
//! |---|---|
//! | rows, columns or components differ | `Mismatch` |
//! | precision > Bits Allocated | `Mismatch` |
//! | float samples in the data set | `Unsupported` |
//! | precision > Bits Stored | deviation; samples are masked to Bits Stored |
//! | precision ≠ Bits Stored, JPEG-LS | the samples' values have as many bits as the precision, as in pydicom |
//! | signedness differs from Pixel Representation | deviation; Pixel Representation applies |
//! | the decoder returns RGB | RGB, whatever Photometric Interpretation declares |
//! | colour that takes precedence contradicts Photometric Interpretation | deviation if colour is converted; the codestream's colour applies |

use crate::codestream::{CodestreamInfo, Colour, ColourClaim};
use crate::error::{Result, mismatch, unsupported};
use crate::frame::{Deviation, FrameInfo, PhotometricInterpretation};

const CLAUSE: &str = "PS3.5 8.2.1";

/// Result of comparing a codestream with the data set.
#[derive(Debug, Default)]
pub(super) struct Agreement {
    /// True if the samples are luminance and colour differences.
    pub(super) is_ybr: bool,
    /// Bits of a stored sample, if it is the codestream that gives them.
    pub(super) stored_bits: Option<u32>,
    pub(super) deviations: Vec<Deviation>,
}

/// Checks that size and depth of a codestream agree with the data set.
///
/// # Errors
/// `Mismatch`; `Unsupported` for float samples.
pub(super) fn check_size(codestream: &CodestreamInfo, info: &FrameInfo) -> Result<()> {
    let attributes = info.attributes();
    let offsets = &codestream.offsets;
    let fields = [
        ("rows", codestream.rows, attributes.rows, offsets.rows),
        ("columns", codestream.columns, attributes.columns, offsets.columns),
        ("components", codestream.components, attributes.samples_per_pixel, offsets.components),
    ];
    for (name, found, expected, offset) in fields {
        if found != expected {
            let text = format!("{name} {found} found in the codestream, {expected} in the data set");
            return Err(mismatch(text, CLAUSE).at(offset));
        }
    }
    if codestream.precision > attributes.bits_allocated {
        let text = format!(
            "precision {} found in the codestream, bits allocated {} in the data set",
            codestream.precision, attributes.bits_allocated
        );
        return Err(mismatch(text, CLAUSE).at(offsets.precision));
    }
    if info.is_float() {
        let text = format!("float samples of {} bits found, integers expected", attributes.bits_allocated);
        return Err(unsupported(text, CLAUSE));
    }
    Ok(())
}

/// Compares a codestream with the data set. Colour matters only if it is converted (`to_rgb`).
///
/// # Errors
/// As [`check_size`].
pub(super) fn check(codestream: &CodestreamInfo, info: &FrameInfo, to_rgb: bool) -> Result<Agreement> {
    check_size(codestream, info)?;
    let attributes = info.attributes();
    let mut deviations = Vec::new();
    let mut is_ybr = info.is_ybr();
    if codestream.decodes_to_rgb {
        is_ybr = false;
    } else if attributes.photometric_interpretation == PhotometricInterpretation::Undeclared {
        is_ybr = codestream.colour().or(codestream.assumed_colour) == Some(Colour::Ybr);
    } else if to_rgb && let Some(claim) = contradicting_claim(codestream, info) {
        is_ybr = claim.colour == Colour::Ybr;
        let (evidence, expected) = (claim.evidence, if is_ybr { "RGB" } else { "YBR_FULL" });
        let text = format!("{evidence} found in the codestream, photometric interpretation {expected} in the data set");
        deviations.push(Deviation::new(text, CLAUSE).at(codestream.offsets.colour));
    }
    if codestream.precision > attributes.bits_stored {
        let text = format!(
            "precision {} found in the codestream, bits stored {} in the data set",
            codestream.precision, attributes.bits_stored
        );
        deviations.push(Deviation::new(text, CLAUSE).at(codestream.offsets.precision));
    }
    if let Some(is_signed) = codestream.is_signed.filter(|is_signed| *is_signed != info.is_signed()) {
        let (found, expected) = if is_signed { ("signed", 0) } else { ("unsigned", 1) };
        let text = format!("{found} samples found in the codestream, pixel representation {expected} in the data set");
        deviations.push(Deviation::new(text, CLAUSE).at(codestream.offsets.precision));
    }
    let stored_bits = codestream.precision_gives_stored_bits.then_some(codestream.precision);
    Ok(Agreement { is_ybr, stored_bits, deviations })
}

/// Returns the first colour claim that takes precedence over Photometric Interpretation and differs from it.
fn contradicting_claim<'c>(codestream: &'c CodestreamInfo, info: &FrameInfo) -> Option<&'c ColourClaim> {
    codestream.colour_claims.iter().flatten().filter(|claim| claim.overrides_data_set).find(|claim| {
        match claim.colour {
            Colour::Rgb => info.is_ybr(),
            Colour::Ybr => info.is_rgb(),
            Colour::Gray => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codestream::FieldOffsets;
    use crate::error::ErrorKind;
    use crate::frame::{Attributes, SampleKind};

    fn info(samples_per_pixel: u32, bits_stored: u32, sample_kind: SampleKind, term: &str) -> FrameInfo {
        FrameInfo::new(Attributes {
            rows: 5,
            columns: 7,
            samples_per_pixel,
            bits_allocated: 16,
            bits_stored,
            high_bit: bits_stored - 1,
            sample_kind,
            planar_configuration: 0,
            photometric_interpretation: PhotometricInterpretation::from_term(term),
        })
        .unwrap()
    }

    fn codestream(components: u32, precision: u32) -> CodestreamInfo {
        CodestreamInfo {
            rows: 5,
            columns: 7,
            components,
            precision,
            is_signed: None,
            colour_claims: [None; 3],
            assumed_colour: None,
            decodes_to_rgb: false,
            precision_gives_stored_bits: false,
            is_lossy: Some(false),
            resolution_levels: 1,
            tile: None,
            offsets: FieldOffsets { rows: 1, columns: 2, components: 3, precision: 4, colour: 5 },
        }
    }

    #[test]
    fn check_size_another_size_or_depth_is_a_mismatch_at_its_field() {
        let info = info(1, 12, SampleKind::Unsigned, "MONOCHROME2");
        let good = codestream(1, 12);
        check_size(&good, &info).unwrap();
        let cases = [
            (CodestreamInfo { rows: 6, ..good }, 1, "rows 6 found in the codestream, 5 in the data set"),
            (CodestreamInfo { columns: 6, ..good }, 2, "columns 6 found in the codestream, 7 in the data set"),
            (CodestreamInfo { components: 3, ..good }, 3, "components 3 found in the codestream, 1 in the data set"),
            (CodestreamInfo { precision: 17, ..good }, 4, "precision 17 found in the codestream, bits allocated 16"),
        ];
        for (codestream, offset, text) in cases {
            let error = check_size(&codestream, &info).unwrap_err();
            assert_eq!((error.kind(), error.offset()), (ErrorKind::Mismatch, Some(offset)));
            assert!(error.message().starts_with(text), "{error}");
        }
    }

    #[test]
    fn check_precision_above_bits_stored_and_other_sign_are_deviations() {
        let info = info(1, 12, SampleKind::Signed, "MONOCHROME2");
        assert!(check(&codestream(1, 12), &info, true).unwrap().deviations.is_empty());
        let found = check(&codestream(1, 16), &info, true).unwrap().deviations;
        assert_eq!((found.len(), found[0].offset), (1, Some(4)));
        let unsigned = CodestreamInfo { is_signed: Some(false), ..codestream(1, 12) };
        let found = check(&unsigned, &info, true).unwrap().deviations;
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("pixel representation 1"));
        let signed = CodestreamInfo { is_signed: Some(true), ..unsigned };
        assert!(check(&signed, &info, true).unwrap().deviations.is_empty());
    }

    #[test]
    fn check_precision_gives_stored_bits_of_some_codestreams() {
        let info = info(1, 12, SampleKind::Signed, "MONOCHROME2");
        assert_eq!(check(&codestream(1, 10), &info, true).unwrap().stored_bits, None);
        for precision in [10, 12, 16] {
            let codestream = CodestreamInfo { precision_gives_stored_bits: true, ..codestream(1, precision) };
            let agreement = check(&codestream, &info, true).unwrap();
            assert_eq!(agreement.stored_bits, Some(precision));
            assert_eq!(agreement.deviations.len(), usize::from(precision > 12));
        }
    }

    #[test]
    fn check_contradicting_colour_claim_with_precedence_replaces_data_set_colour() {
        let claim = |colour, overrides_data_set| ColourClaim { colour, evidence: "a marker", overrides_data_set };
        let with = |claims| CodestreamInfo { colour_claims: claims, ..codestream(3, 8) };
        let (rgb, ybr) = (info(3, 8, SampleKind::Unsigned, "RGB"), info(3, 8, SampleKind::Unsigned, "YBR_FULL"));
        let cases = [
            (None, None, &rgb, false, 0),
            (None, None, &ybr, true, 0),
            (Some(claim(Colour::Ybr, true)), None, &rgb, true, 1),
            (Some(claim(Colour::Rgb, true)), None, &ybr, false, 1),
            (Some(claim(Colour::Rgb, true)), Some(claim(Colour::Ybr, true)), &rgb, true, 1),
            (Some(claim(Colour::Ybr, false)), None, &rgb, false, 0),
        ];
        for (first, second, info, is_ybr, count) in cases {
            let found = check(&with([first, second, None]), info, true).unwrap();
            assert_eq!((found.is_ybr, found.deviations.len()), (is_ybr, count), "{first:?}");
            let decoder_of_rgb = CodestreamInfo { decodes_to_rgb: true, ..with([first, second, None]) };
            let found = check(&decoder_of_rgb, info, true).unwrap();
            assert!(!found.is_ybr && found.deviations.is_empty());
            // Colour does not matter to a caller that requests unconverted samples.
            assert!(check(&with([first, second, None]), info, false).unwrap().deviations.is_empty());
        }
    }
}
