"""JPEG codestreams for decoders that convert colour by the application data in them, which pydicom does as well."""

from __future__ import annotations

import struct

from dicoxide._jpeg_segments import segments

__all__ = ["with_untransformed_components"]

_SOI = b"\xff\xd8"
_SOS = 0xDA
# First bytes of the parameters of JFIF's APP0 (T.871 10.1) and Adobe's APP14 segment.
_JFIF, _ADOBE = (0xE0, b"JFIF\0"), (0xEE, b"Adobe")
_RGB_IDS = (b"RGB", b"rgb")
# Start-of-frame markers of processes with a DCT (T.81 Table B.1): SOF0 to SOF2, SOF9 and SOF10.
_DCT_FRAMES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
# Adobe's segment with transform 0, which declares components that are not transformed.
_NO_TRANSFORM = b"\xff\xee" + struct.pack(">H5sHHHB", 14, b"Adobe", 100, 0, 0, 0)


def with_untransformed_components(codestream: bytes) -> bytes:
    """Return a codestream that every decoder decodes to the components as they are stored.

    Libjpeg, and so Pillow, converts components to RGB if there is Adobe's segment, and fails to decode those with the
    identifiers R, G and B without it. Transform 0 in that segment makes it leave them as they are. Other codestreams
    than JPEG of three components with a DCT are returned unchanged.
    """
    if not codestream.startswith(_SOI):
        return codestream
    ids, has_adobe = b"", False
    colour_segments: list[int] = []
    for marker, start, end in segments(codestream):
        if marker == _SOS:
            break
        for code, identifier in (_JFIF, _ADOBE):
            if marker == code and codestream.startswith(identifier, start, end):
                colour_segments.append(start)
                has_adobe |= code == _ADOBE[0]
        if marker in _DCT_FRAMES:
            # After 6 bytes: 3 bytes per component, first its identifier.
            ids = codestream[start + 6 : end : 3]
    if len(ids) != 3 or not (has_adobe or ids in _RGB_IDS):
        return codestream
    changed = bytearray(codestream)
    for start in colour_segments:
        changed[start] = 0
    changed[2:2] = _NO_TRANSFORM
    return bytes(changed)
