"""Headers of JPEG, JPEG-LS, JPEG 2000 and HTJ2K codestreams, as far as they are compared with the data set.

``rust/core/src/codec/identify.rs`` reads the same headers; this module also works without the extension.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Literal, NamedTuple

__all__ = [
    "DCT_PROCESSES",
    "HP_TRANSFORM",
    "HTJ2K",
    "JPEG_2000",
    "JPEG_LS",
    "CodestreamHeader",
    "ColourClaim",
    "read_header",
    "with_untransformed_components",
]

_JP2_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
# First bytes of APP0 of JFIF (T.871 10.1), of Adobe's APP14 with the transform in byte 11, and of HP's APP8 with a
# transform in byte 4, which CharLS writes and inverts.
_JFIF, _ADOBE, _HP = b"JFIF\0", b"Adobe", b"mrfx"
_IDENTIFIERS = {0xE0: _JFIF, 0xE8: _HP, 0xEE: _ADOBE}
_RGB_IDS = (b"RGB", b"rgb")
JPEG_LS, JPEG_2000, HTJ2K = "JPEG-LS", "JPEG 2000", "HTJ2K"
DCT_PROCESSES = frozenset({"JPEG Baseline", "JPEG Extended", "JPEG Progressive"})
HP_TRANSFORM = "a colour transform of HP"
# Start-of-frame markers (T.81 Table B.1, T.87 Table C.1).
_PROCESSES = {
    0xC0: "JPEG Baseline",
    0xC1: "JPEG Extended",
    0xC2: "JPEG Progressive",
    0xC3: "JPEG Lossless",
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "JPEG (hierarchical)"),
    0xC9: "JPEG Extended (arithmetic coding)",
    0xCA: "JPEG Progressive (arithmetic coding)",
    0xCB: "JPEG Lossless (arithmetic coding)",
    0xF7: JPEG_LS,
}


class ColourClaim(NamedTuple):
    """A colour that a part of the header declares, which takes precedence over Photometric Interpretation."""

    colour: Literal["RGB", "YBR"]
    evidence: str
    """The part of the header, for messages."""


# By the transform in Adobe's segment. Libjpeg, with which most of these files are written, converts by it.
_ADOBE_COLOURS = {
    0: ColourClaim("RGB", "Adobe transform 0 (RGB)"),
    1: ColourClaim("YBR", "Adobe transform 1 (colour differences)"),
}


class CodestreamHeader(NamedTuple):
    """The declarations of a codestream that are compared with the data set."""

    process: str
    """Name of the coding process."""
    components: int
    """Components per pixel."""
    precision: int
    """Bits per sample."""
    is_signed: bool | None
    """True if samples are two's complement; None for formats that do not distinguish."""
    has_component_transform: bool
    """True if the decoder transforms the components to red, green and blue (T.800 Annex G)."""
    is_lossy: bool
    """True if the coding process loses information."""
    colours: tuple[ColourClaim, ...] = ()
    """Colours of three components in the JPEG family, the decisive one first."""
    has_rgb_ids: bool = False
    """True if the component identifiers are R, G and B."""
    colour_segments: tuple[int, ...] = ()
    """Byte offsets of the parameters of JFIF's and Adobe's segments."""


def read_header(codestream: bytes) -> CodestreamHeader | None:
    """Read the header of a JPEG, JPEG-LS, JPEG 2000 or HTJ2K codestream; None if it is another format or corrupt."""
    try:
        if codestream.startswith(b"\xff\xd8"):
            return _read_jpeg(codestream)
        if codestream.startswith(b"\xff\x4f\xff\x51"):
            return _read_jpeg_2000(codestream, 0)
        if codestream.startswith(_JP2_SIGNATURE) and (start := _contiguous_codestream(codestream)) is not None:
            header = _read_jpeg_2000(codestream, start)
            # PS3.5 A.4.4 requires the codestream without the boxes of a file.
            return header and header._replace(process=f"{header.process} (in JP2 boxes)")
    except (struct.error, IndexError):
        pass
    return None


def _read_jpeg(src: bytes) -> CodestreamHeader | None:
    """Read the segments up to the first scan header (T.81 B.2.2, B.2.3; T.87 C.2.3), or as many as there are."""
    header = None
    ids = b""
    application: list[tuple[int, bytes]] = []
    for marker, start, end in _segments(src):
        if (identifier := _IDENTIFIERS.get(marker)) and src.startswith(identifier, start, end):
            application.append((start, src[start:end]))
        elif header is None and (process := _PROCESSES.get(marker)):
            # Precision, lines (2 bytes), samples per line (2 bytes), components; 3 bytes per component, first its id.
            precision, components = src[start], src[start + 5]
            ids = src[start + 6 : min(end, start + 6 + 3 * components) : 3]
            is_lossy = process not in ("JPEG Lossless", "JPEG Lossless (arithmetic coding)", JPEG_LS)
            header = CodestreamHeader(process, components, precision, None, False, is_lossy)
        elif marker == 0xDA:
            if header and header.process == JPEG_LS:
                # Ns, 2 bytes per component, NEAR.
                header = header._replace(is_lossy=src[start + 1 + 2 * src[start]] > 0)
            break
    if header is None or header.components != 3:
        return header
    return header._replace(
        colours=_colours(header.process, ids, [content for _, content in application]),
        has_rgb_ids=ids in _RGB_IDS,
        colour_segments=tuple(start for start, content in application if not content.startswith(_HP)),
    )


def _segments(src: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end of the parameters) of the marker segments after SOI, up to the first invalid one."""
    position = 2
    while src[position : position + 1] == b"\xff":
        # A marker may be preceded by any number of fill bytes 0xFF (T.81 B.1.1.2).
        while src[position : position + 1] == b"\xff":
            position += 1
        if len(src) < position + 3 or src[position] == 0:
            return
        length = int.from_bytes(src[position + 1 : position + 3], "big")
        if length < 2:
            return
        yield src[position], position + 3, position + 1 + length
        position += 1 + length


def _colours(process: str, ids: bytes, application: list[bytes]) -> tuple[ColourClaim, ...]:
    """Return the colours that application data and component identifiers declare, the decisive one first."""
    colours = []
    adobe = [content[11] for content in application if content.startswith(_ADOBE) and len(content) > 11]
    if process == JPEG_LS and any(content.startswith(_HP) and content[4:5] > b"\0" for content in application):
        colours.append(ColourClaim("RGB", HP_TRANSFORM))
    if any(content.startswith(_JFIF) for content in application):
        colours.append(ColourClaim("YBR", "JFIF (colour differences)"))
    elif process in DCT_PROCESSES and adobe and adobe[-1] in _ADOBE_COLOURS:
        colours.append(_ADOBE_COLOURS[adobe[-1]])
    if ids in _RGB_IDS:
        colours.append(ColourClaim("RGB", "component identifiers R, G and B"))
    return tuple(colours)


def with_untransformed_components(codestream: bytes, header: CodestreamHeader) -> bytes:
    """Return a codestream that every decoder decodes to the components as they are stored.

    Libjpeg, and so Pillow, converts components to RGB if there is Adobe's segment, and fails to decode those with the
    identifiers R, G and B without it. Transform 0 in that segment makes it leave them as they are.
    """
    has_adobe = any(codestream.startswith(_ADOBE, start) for start in header.colour_segments)
    if header.process not in DCT_PROCESSES or not (has_adobe or header.has_rgb_ids):
        return codestream
    changed = bytearray(codestream)
    for start in header.colour_segments:
        changed[start] = 0
    changed[2:2] = b"\xff\xee" + struct.pack(">H5sHHHB", 14, _ADOBE, 100, 0, 0, 0)
    return bytes(changed)


def _read_jpeg_2000(src: bytes, start: int) -> CodestreamHeader:
    """Read the main header of a codestream at `start`: SIZ, CAP and COD (T.800 A.5, A.6; T.814 A.3)."""
    # SIZ: marker, length and capabilities (2 bytes each), 8 numbers of 4 bytes, components (2 bytes), depths.
    (components,) = struct.unpack_from(">H", src, start + 40)
    depth = src[start + 42]
    process, has_transform, is_lossy = JPEG_2000, False, False
    position = start + 2
    while position + 4 <= len(src) and src[position] == 0xFF and src[position + 1] != 0x90:
        marker, (length,) = src[position + 1], struct.unpack_from(">H", src, position + 2)
        if marker == 0x50 and struct.unpack_from(">L", src, position + 4)[0] & 1 << 32 - 15:
            process = HTJ2K
        elif marker == 0x52:
            # Scod, progression order, layers (2 bytes), transform, levels, block size (2 bytes), style, wavelet.
            has_transform, is_lossy = src[position + 8] == 1, src[position + 13] == 0
        position += 2 + max(length, 2)
    return CodestreamHeader(process, components, (depth & 0x7F) + 1, depth & 0x80 != 0, has_transform, is_lossy)


def _contiguous_codestream(src: bytes) -> int | None:
    """Return the offset of the codestream in JP2 boxes: the content of the first box ``jp2c`` (T.800 I.4)."""
    position = 0
    while position + 8 <= len(src):
        length, kind = struct.unpack_from(">L4s", src, position)
        header_bytes = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", src, position + 8)
            header_bytes = 16
        if kind == b"jp2c":
            return position + header_bytes
        if length == 0:
            return None
        position += max(length, header_bytes)
    return None
