"""The transfer syntaxes for images and their keywords (PS3.6 Annex A), and the codecs of this backend."""

from __future__ import annotations

from dicoxide._transfer_syntaxes import ENCAPSULATED_UNCOMPRESSED, RLE_LOSSLESS

NATIVE = {
    "1.2.840.10008.1.2": "ImplicitVRLittleEndian",
    "1.2.840.10008.1.2.1": "ExplicitVRLittleEndian",
    "1.2.840.10008.1.2.1.99": "DeflatedExplicitVRLittleEndian",
    "1.2.840.10008.1.2.2": "ExplicitVRBigEndian",
}

ENCAPSULATED = {
    "1.2.840.10008.1.2.1.98": "EncapsulatedUncompressedExplicitVRLittleEndian",
    "1.2.840.10008.1.2.4.50": "JPEGBaseline8Bit",
    "1.2.840.10008.1.2.4.51": "JPEGExtended12Bit",
    "1.2.840.10008.1.2.4.52": "JPEGExtended35",
    "1.2.840.10008.1.2.4.53": "JPEGSpectralSelectionNonHierarchical68",
    "1.2.840.10008.1.2.4.54": "JPEGSpectralSelectionNonHierarchical79",
    "1.2.840.10008.1.2.4.55": "JPEGFullProgressionNonHierarchical1012",
    "1.2.840.10008.1.2.4.56": "JPEGFullProgressionNonHierarchical1113",
    "1.2.840.10008.1.2.4.57": "JPEGLossless",
    "1.2.840.10008.1.2.4.58": "JPEGLosslessNonHierarchical15",
    "1.2.840.10008.1.2.4.59": "JPEGExtendedHierarchical1618",
    "1.2.840.10008.1.2.4.60": "JPEGExtendedHierarchical1719",
    "1.2.840.10008.1.2.4.61": "JPEGSpectralSelectionHierarchical2022",
    "1.2.840.10008.1.2.4.62": "JPEGSpectralSelectionHierarchical2123",
    "1.2.840.10008.1.2.4.63": "JPEGFullProgressionHierarchical2426",
    "1.2.840.10008.1.2.4.64": "JPEGFullProgressionHierarchical2527",
    "1.2.840.10008.1.2.4.65": "JPEGLosslessHierarchical28",
    "1.2.840.10008.1.2.4.66": "JPEGLosslessHierarchical29",
    "1.2.840.10008.1.2.4.70": "JPEGLosslessSV1",
    "1.2.840.10008.1.2.4.80": "JPEGLSLossless",
    "1.2.840.10008.1.2.4.81": "JPEGLSNearLossless",
    "1.2.840.10008.1.2.4.90": "JPEG2000Lossless",
    "1.2.840.10008.1.2.4.91": "JPEG2000",
    "1.2.840.10008.1.2.4.92": "JPEG2000MCLossless",
    "1.2.840.10008.1.2.4.93": "JPEG2000MC",
    "1.2.840.10008.1.2.4.94": "JPIPReferenced",
    "1.2.840.10008.1.2.4.95": "JPIPReferencedDeflate",
    "1.2.840.10008.1.2.4.100": "MPEG2MPML",
    "1.2.840.10008.1.2.4.100.1": "MPEG2MPMLF",
    "1.2.840.10008.1.2.4.101": "MPEG2MPHL",
    "1.2.840.10008.1.2.4.101.1": "MPEG2MPHLF",
    "1.2.840.10008.1.2.4.102": "MPEG4HP41",
    "1.2.840.10008.1.2.4.102.1": "MPEG4HP41F",
    "1.2.840.10008.1.2.4.103": "MPEG4HP41BD",
    "1.2.840.10008.1.2.4.103.1": "MPEG4HP41BDF",
    "1.2.840.10008.1.2.4.104": "MPEG4HP422D",
    "1.2.840.10008.1.2.4.104.1": "MPEG4HP422DF",
    "1.2.840.10008.1.2.4.105": "MPEG4HP423D",
    "1.2.840.10008.1.2.4.105.1": "MPEG4HP423DF",
    "1.2.840.10008.1.2.4.106": "MPEG4HP42STEREO",
    "1.2.840.10008.1.2.4.106.1": "MPEG4HP42STEREOF",
    "1.2.840.10008.1.2.4.107": "HEVCMP51",
    "1.2.840.10008.1.2.4.108": "HEVCM10P51",
    "1.2.840.10008.1.2.4.110": "JPEGXLLossless",
    "1.2.840.10008.1.2.4.111": "JPEGXLJPEGRecompression",
    "1.2.840.10008.1.2.4.112": "JPEGXL",
    "1.2.840.10008.1.2.4.201": "HTJ2KLossless",
    "1.2.840.10008.1.2.4.202": "HTJ2KLosslessRPCL",
    "1.2.840.10008.1.2.4.203": "HTJ2K",
    "1.2.840.10008.1.2.4.204": "JPIPHTJ2KReferenced",
    "1.2.840.10008.1.2.4.205": "JPIPHTJ2KReferencedDeflate",
    "1.2.840.10008.1.2.5": "RLELossless",
    "1.2.840.10008.1.2.7.1": "SMPTEST211020UncompressedProgressiveActiveVideo",
    "1.2.840.10008.1.2.7.2": "SMPTEST211020UncompressedInterlacedActiveVideo",
    "1.2.840.10008.1.2.7.3": "SMPTEST211030PCMDigitalAudio",
    "1.2.840.10008.1.2.8.1": "DeflatedImageFrameCompression",
}

KEYWORDS = NATIVE | ENCAPSULATED

_JPEG_PREFIX = "1.2.840.10008.1.2.4."
# Features that no codec of the package decodes, by the last numbers of the UIDs of their transfer syntaxes.
_UNSUPPORTED_FEATURES = {
    **dict.fromkeys(("50", "51", "52", "53", "54", "55", "56", "58"), "arithmetic coding"),
    **dict.fromkeys(("59", "60", "61", "62", "63", "64", "65", "66"), "hierarchical JPEG"),
    **dict.fromkeys(("57", "70"), "arithmetic coding and subsampled components"),
    **dict.fromkeys(("80", "81"), "mapping tables and subsampled components"),
    **dict.fromkeys(("90", "91", "92", "93"), "extensions of Part 2 (ITU-T T.801)"),
    **dict.fromkeys(("94", "95", "204", "205"), "pixel data on a JPIP server"),
}


def unsupported_feature(uid: str) -> str | None:
    """Return the features of a transfer syntax that no codec of the package decodes, or None."""
    if uid.startswith("1.2.840.10008.1.2.7."):
        return "real-time stream of SMPTE ST 2110"
    return _UNSUPPORTED_FEATURES.get(uid.removeprefix(_JPEG_PREFIX))


def codec_name(uid: str) -> str | None:
    """Return the name of the codec of a transfer syntax, or None if this backend has none."""
    if uid == RLE_LOSSLESS:
        return "rle"
    return "native" if uid in NATIVE or uid == ENCAPSULATED_UNCOMPRESSED else None
