"""UIDs of the transfer syntaxes that the package names (PS3.6 Annex A).

``core.transfer_syntaxes()`` lists all transfer syntaxes for images, with their keywords and codecs.
"""

from __future__ import annotations

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
# Native pixel data: the samples are the value, without items.
NATIVE = frozenset(
    {
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_LITTLE_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
    }
)

ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.57"
JPEG_LOSSLESS_SV1 = "1.2.840.10008.1.2.4.70"
JPEG_LS_LOSSLESS = "1.2.840.10008.1.2.4.80"
JPEG_LS_NEAR_LOSSLESS = "1.2.840.10008.1.2.4.81"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
JPEG_2000 = "1.2.840.10008.1.2.4.91"
HTJ2K_LOSSLESS = "1.2.840.10008.1.2.4.201"
HTJ2K_LOSSLESS_RPCL = "1.2.840.10008.1.2.4.202"
HTJ2K = "1.2.840.10008.1.2.4.203"
JPEG_XL_LOSSLESS = "1.2.840.10008.1.2.4.110"
JPEG_XL_JPEG_RECOMPRESSION = "1.2.840.10008.1.2.4.111"
JPEG_XL = "1.2.840.10008.1.2.4.112"
RLE_LOSSLESS = "1.2.840.10008.1.2.5"
DEFLATED_IMAGE_FRAME = "1.2.840.10008.1.2.8.1"
# Encapsulated frames in the layouts of native samples: Planar Configuration and YBR_FULL_422 as in native pixel data.
NATIVE_FRAMES = frozenset({ENCAPSULATED_UNCOMPRESSED, DEFLATED_IMAGE_FRAME})

# Video: MPEG-2, H.264 and HEVC; ".1" is the fragmentable variant of PS3.5 A.4.5 to A.4.11.
VIDEO_CODECS = {
    f"1.2.840.10008.1.2.4.{number}{suffix}": codec
    for codec, numbers, suffixes in (
        ("mpeg2video", range(100, 102), ("", ".1")),
        ("h264", range(102, 107), ("", ".1")),
        ("hevc", range(107, 109), ("",)),
    )
    for number in numbers
    for suffix in suffixes
}
MPEG4_STEREO = frozenset({"1.2.840.10008.1.2.4.106", "1.2.840.10008.1.2.4.106.1"})
