//! The transfer syntaxes that carry images (PS3.6 Annex A), with the standard's keywords.

use std::fmt;

/// One transfer syntax of PS3.6 Annex A: its row in the table below.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransferSyntax(Row);

macro_rules! syntaxes {
    ($($name:ident => $uid:literal, $keyword:literal, $form:ident;)*) => {
        /// Rows of the table.
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "named as the constants")]
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        enum Row {
            $($name),*
        }

        #[allow(missing_docs, reason = "each constant is its keyword in PS3.6 Annex A")]
        impl TransferSyntax {
            $(pub const $name: Self = Self(Row::$name);)*

            /// All rows of the table, in the order of the UIDs.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns the UID.
            #[must_use]
            pub const fn uid(self) -> &'static str {
                match self.0 { $(Row::$name => $uid),* }
            }

            fn from_unpadded_uid(uid: &str) -> Option<Self> {
                match uid {
                    $($uid => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Returns the keyword of PS3.6 Annex A.
            #[must_use]
            pub const fn keyword(self) -> &'static str {
                match self.0 { $(Row::$name => $keyword),* }
            }

            /// True if Pixel Data is a sequence of fragments (PS3.5 A.4) rather than samples.
            #[must_use]
            pub const fn is_encapsulated(self) -> bool {
                match self.0 { $(Row::$name => syntaxes!(@ $form)),* }
            }
        }
    };
    (@ encapsulated) => { true };
    (@ native) => { false };
}

syntaxes! {
    IMPLICIT_VR_LITTLE_ENDIAN => "1.2.840.10008.1.2", "ImplicitVRLittleEndian", native;
    EXPLICIT_VR_LITTLE_ENDIAN => "1.2.840.10008.1.2.1", "ExplicitVRLittleEndian", native;
    ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN => "1.2.840.10008.1.2.1.98", "EncapsulatedUncompressedExplicitVRLittleEndian", encapsulated;
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN => "1.2.840.10008.1.2.1.99", "DeflatedExplicitVRLittleEndian", native;
    EXPLICIT_VR_BIG_ENDIAN => "1.2.840.10008.1.2.2", "ExplicitVRBigEndian", native;
    JPEG_BASELINE_8BIT => "1.2.840.10008.1.2.4.50", "JPEGBaseline8Bit", encapsulated;
    JPEG_EXTENDED_12BIT => "1.2.840.10008.1.2.4.51", "JPEGExtended12Bit", encapsulated;
    JPEG_EXTENDED35 => "1.2.840.10008.1.2.4.52", "JPEGExtended35", encapsulated;
    JPEG_SPECTRAL_SELECTION_NON_HIERARCHICAL68 => "1.2.840.10008.1.2.4.53", "JPEGSpectralSelectionNonHierarchical68", encapsulated;
    JPEG_SPECTRAL_SELECTION_NON_HIERARCHICAL79 => "1.2.840.10008.1.2.4.54", "JPEGSpectralSelectionNonHierarchical79", encapsulated;
    JPEG_FULL_PROGRESSION_NON_HIERARCHICAL1012 => "1.2.840.10008.1.2.4.55", "JPEGFullProgressionNonHierarchical1012", encapsulated;
    JPEG_FULL_PROGRESSION_NON_HIERARCHICAL1113 => "1.2.840.10008.1.2.4.56", "JPEGFullProgressionNonHierarchical1113", encapsulated;
    JPEG_LOSSLESS => "1.2.840.10008.1.2.4.57", "JPEGLossless", encapsulated;
    JPEG_LOSSLESS_NON_HIERARCHICAL15 => "1.2.840.10008.1.2.4.58", "JPEGLosslessNonHierarchical15", encapsulated;
    JPEG_EXTENDED_HIERARCHICAL1618 => "1.2.840.10008.1.2.4.59", "JPEGExtendedHierarchical1618", encapsulated;
    JPEG_EXTENDED_HIERARCHICAL1719 => "1.2.840.10008.1.2.4.60", "JPEGExtendedHierarchical1719", encapsulated;
    JPEG_SPECTRAL_SELECTION_HIERARCHICAL2022 => "1.2.840.10008.1.2.4.61", "JPEGSpectralSelectionHierarchical2022", encapsulated;
    JPEG_SPECTRAL_SELECTION_HIERARCHICAL2123 => "1.2.840.10008.1.2.4.62", "JPEGSpectralSelectionHierarchical2123", encapsulated;
    JPEG_FULL_PROGRESSION_HIERARCHICAL2426 => "1.2.840.10008.1.2.4.63", "JPEGFullProgressionHierarchical2426", encapsulated;
    JPEG_FULL_PROGRESSION_HIERARCHICAL2527 => "1.2.840.10008.1.2.4.64", "JPEGFullProgressionHierarchical2527", encapsulated;
    JPEG_LOSSLESS_HIERARCHICAL28 => "1.2.840.10008.1.2.4.65", "JPEGLosslessHierarchical28", encapsulated;
    JPEG_LOSSLESS_HIERARCHICAL29 => "1.2.840.10008.1.2.4.66", "JPEGLosslessHierarchical29", encapsulated;
    JPEG_LOSSLESS_SV1 => "1.2.840.10008.1.2.4.70", "JPEGLosslessSV1", encapsulated;
    JPEG_LS_LOSSLESS => "1.2.840.10008.1.2.4.80", "JPEGLSLossless", encapsulated;
    JPEG_LS_NEAR_LOSSLESS => "1.2.840.10008.1.2.4.81", "JPEGLSNearLossless", encapsulated;
    JPEG2000_LOSSLESS => "1.2.840.10008.1.2.4.90", "JPEG2000Lossless", encapsulated;
    JPEG2000 => "1.2.840.10008.1.2.4.91", "JPEG2000", encapsulated;
    JPEG2000_MC_LOSSLESS => "1.2.840.10008.1.2.4.92", "JPEG2000MCLossless", encapsulated;
    JPEG2000_MC => "1.2.840.10008.1.2.4.93", "JPEG2000MC", encapsulated;
    JPIP_REFERENCED => "1.2.840.10008.1.2.4.94", "JPIPReferenced", encapsulated;
    JPIP_REFERENCED_DEFLATE => "1.2.840.10008.1.2.4.95", "JPIPReferencedDeflate", encapsulated;
    MPEG2_MPML => "1.2.840.10008.1.2.4.100", "MPEG2MPML", encapsulated;
    MPEG2_MPMLF => "1.2.840.10008.1.2.4.100.1", "MPEG2MPMLF", encapsulated;
    MPEG2_MPHL => "1.2.840.10008.1.2.4.101", "MPEG2MPHL", encapsulated;
    MPEG2_MPHLF => "1.2.840.10008.1.2.4.101.1", "MPEG2MPHLF", encapsulated;
    MPEG4_HP41 => "1.2.840.10008.1.2.4.102", "MPEG4HP41", encapsulated;
    MPEG4_HP41_F => "1.2.840.10008.1.2.4.102.1", "MPEG4HP41F", encapsulated;
    MPEG4_HP41_BD => "1.2.840.10008.1.2.4.103", "MPEG4HP41BD", encapsulated;
    MPEG4_HP41_BDF => "1.2.840.10008.1.2.4.103.1", "MPEG4HP41BDF", encapsulated;
    MPEG4_HP422_D => "1.2.840.10008.1.2.4.104", "MPEG4HP422D", encapsulated;
    MPEG4_HP422_DF => "1.2.840.10008.1.2.4.104.1", "MPEG4HP422DF", encapsulated;
    MPEG4_HP423_D => "1.2.840.10008.1.2.4.105", "MPEG4HP423D", encapsulated;
    MPEG4_HP423_DF => "1.2.840.10008.1.2.4.105.1", "MPEG4HP423DF", encapsulated;
    MPEG4_HP42_STEREO => "1.2.840.10008.1.2.4.106", "MPEG4HP42STEREO", encapsulated;
    MPEG4_HP42_STEREOF => "1.2.840.10008.1.2.4.106.1", "MPEG4HP42STEREOF", encapsulated;
    HEVC_MP51 => "1.2.840.10008.1.2.4.107", "HEVCMP51", encapsulated;
    HEVC_M10P51 => "1.2.840.10008.1.2.4.108", "HEVCM10P51", encapsulated;
    JPEGXL_LOSSLESS => "1.2.840.10008.1.2.4.110", "JPEGXLLossless", encapsulated;
    JPEGXL_JPEG_RECOMPRESSION => "1.2.840.10008.1.2.4.111", "JPEGXLJPEGRecompression", encapsulated;
    JPEGXL => "1.2.840.10008.1.2.4.112", "JPEGXL", encapsulated;
    HTJ2K_LOSSLESS => "1.2.840.10008.1.2.4.201", "HTJ2KLossless", encapsulated;
    HTJ2K_LOSSLESS_RPCL => "1.2.840.10008.1.2.4.202", "HTJ2KLosslessRPCL", encapsulated;
    HTJ2K => "1.2.840.10008.1.2.4.203", "HTJ2K", encapsulated;
    JPIP_HTJ2K_REFERENCED => "1.2.840.10008.1.2.4.204", "JPIPHTJ2KReferenced", encapsulated;
    JPIP_HTJ2K_REFERENCED_DEFLATE => "1.2.840.10008.1.2.4.205", "JPIPHTJ2KReferencedDeflate", encapsulated;
    RLE_LOSSLESS => "1.2.840.10008.1.2.5", "RLELossless", encapsulated;
    SMPTE_ST211020_PROGRESSIVE_VIDEO => "1.2.840.10008.1.2.7.1", "SMPTEST211020UncompressedProgressiveActiveVideo", encapsulated;
    SMPTE_ST211020_INTERLACED_VIDEO => "1.2.840.10008.1.2.7.2", "SMPTEST211020UncompressedInterlacedActiveVideo", encapsulated;
    SMPTE_ST211030_AUDIO => "1.2.840.10008.1.2.7.3", "SMPTEST211030PCMDigitalAudio", encapsulated;
    DEFLATED_IMAGE_FRAME_COMPRESSION => "1.2.840.10008.1.2.8.1", "DeflatedImageFrameCompression", encapsulated;
}

impl TransferSyntax {
    /// Returns the transfer syntax of `uid`; trailing NUL or space padding (PS3.5 Section 9.1) is ignored.
    #[must_use]
    pub fn from_uid(uid: &str) -> Option<Self> {
        Self::from_unpadded_uid(uid.trim_end_matches(['\0', ' ']))
    }

    /// True if the standard assigns it a process of ITU-T T.81 or T.87 (PS3.5 A.4.1, A.4.3). Its frames begin with an SOI
    /// marker, and their start-of-frame marker names the process.
    #[must_use]
    pub const fn is_jpeg_family(self) -> bool {
        // The table is in the order of the UIDs: 1.2.840.10008.1.2.4.50 to .81.
        self.0 as u8 >= Row::JPEG_BASELINE_8BIT as u8 && self.0 as u8 <= Row::JPEG_LS_NEAR_LOSSLESS as u8
    }

    /// True if the data set is deflated (PS3.5 A.5, A.7).
    #[must_use]
    pub const fn is_deflated(self) -> bool {
        matches!(
            self.0,
            Row::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN | Row::JPIP_REFERENCED_DEFLATE | Row::JPIP_HTJ2K_REFERENCED_DEFLATE
        )
    }

    /// Features of the transfer syntax that no codec decodes, in a few words. If a codec is registered for it, codestreams
    /// that use them raise `Unsupported`; else all do.
    #[must_use]
    pub const fn unsupported_feature(self) -> Option<&'static str> {
        Some(match self.0 {
            Row::JPEG_BASELINE_8BIT
            | Row::JPEG_EXTENDED_12BIT
            | Row::JPEG_EXTENDED35
            | Row::JPEG_SPECTRAL_SELECTION_NON_HIERARCHICAL68
            | Row::JPEG_SPECTRAL_SELECTION_NON_HIERARCHICAL79
            | Row::JPEG_FULL_PROGRESSION_NON_HIERARCHICAL1012
            | Row::JPEG_FULL_PROGRESSION_NON_HIERARCHICAL1113
            | Row::JPEG_LOSSLESS_NON_HIERARCHICAL15 => "arithmetic coding",
            Row::JPEG_EXTENDED_HIERARCHICAL1618
            | Row::JPEG_EXTENDED_HIERARCHICAL1719
            | Row::JPEG_SPECTRAL_SELECTION_HIERARCHICAL2022
            | Row::JPEG_SPECTRAL_SELECTION_HIERARCHICAL2123
            | Row::JPEG_FULL_PROGRESSION_HIERARCHICAL2426
            | Row::JPEG_FULL_PROGRESSION_HIERARCHICAL2527
            | Row::JPEG_LOSSLESS_HIERARCHICAL28
            | Row::JPEG_LOSSLESS_HIERARCHICAL29 => "hierarchical JPEG",
            Row::JPEG_LOSSLESS | Row::JPEG_LOSSLESS_SV1 => "arithmetic coding and subsampled components",
            Row::JPEG_LS_LOSSLESS | Row::JPEG_LS_NEAR_LOSSLESS => "mapping tables and subsampled components",
            Row::JPEG2000_LOSSLESS | Row::JPEG2000 | Row::JPEG2000_MC_LOSSLESS | Row::JPEG2000_MC => {
                "extensions of Part 2 (ITU-T T.801)"
            }
            Row::JPIP_REFERENCED
            | Row::JPIP_REFERENCED_DEFLATE
            | Row::JPIP_HTJ2K_REFERENCED
            | Row::JPIP_HTJ2K_REFERENCED_DEFLATE => "pixel data on a JPIP server",
            Row::SMPTE_ST211020_PROGRESSIVE_VIDEO
            | Row::SMPTE_ST211020_INTERLACED_VIDEO
            | Row::SMPTE_ST211030_AUDIO => "real-time stream of SMPTE ST 2110",
            _ => return None,
        })
    }

    /// True if frames have the layouts of native samples (PS3.5 8.2), after inflating those of Deflated Image Frame
    /// Compression.
    #[must_use]
    pub const fn has_native_samples(self) -> bool {
        let is_deflated = matches!(self.0, Row::DEFLATED_IMAGE_FRAME_COMPRESSION);
        let is_uncompressed = matches!(self.0, Row::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN);
        is_deflated || is_uncompressed || !self.is_encapsulated()
    }

    /// True if samples of more than one byte have their most significant byte first.
    #[must_use]
    pub fn is_big_endian(self) -> bool {
        self == Self::EXPLICIT_VR_BIG_ENDIAN
    }
}

impl fmt::Debug for TransferSyntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.keyword(), self.uid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jpeg_family_is_that_of_t81_and_t87() {
        let family: Vec<_> =
            TransferSyntax::ALL.iter().filter(|row| row.is_jpeg_family()).map(|row| row.uid()).collect();
        assert_eq!((family.first(), family.last()), (Some(&"1.2.840.10008.1.2.4.50"), Some(&"1.2.840.10008.1.2.4.81")));
        assert!(family.contains(&"1.2.840.10008.1.2.4.70") && family.contains(&"1.2.840.10008.1.2.4.57"));
        assert!(!TransferSyntax::JPEG2000.is_jpeg_family() && !TransferSyntax::RLE_LOSSLESS.is_jpeg_family());
    }

    #[test]
    fn from_uid_with_or_without_padding_returns_the_syntax() {
        assert_eq!(TransferSyntax::from_uid("1.2.840.10008.1.2.5\0"), Some(TransferSyntax::RLE_LOSSLESS));
        assert_eq!(TransferSyntax::from_uid("1.2.840.10008.1.2.55"), None);
        for row in TransferSyntax::ALL {
            assert_eq!(TransferSyntax::from_uid(row.uid()), Some(*row));
        }
    }
}
