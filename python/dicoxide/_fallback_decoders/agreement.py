"""Comparison of a codestream that a fallback decoder gets with the data set.

Fallback decoders do not report contradictions, and some return samples of another depth without an error. The rules are
those of ``rust/core/src/codec/agreement.rs``.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from dicoxide._deviations import Deviation
from dicoxide._frame import FrameSpec
from dicoxide.errors import CorruptFrameError

_CLAUSE = "PS3.5 8.2.1"
_JPEG_2000_CLAUSE = "PS3.5 8.2.4"
_JP2_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
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
    0xF7: "JPEG-LS",
}
_JPEG_2000, _HTJ2K = "JPEG 2000", "HTJ2K"
# Processes of each transfer syntax (PS3.5 A.4), by the UID after 1.2.840.10008.1.2.4. A decoder of JPEG
# Extended decodes JPEG Baseline. Others are not compared.
_PROCESSES_OF_SYNTAX = {
    "50": {"JPEG Baseline"},
    "51": {"JPEG Baseline", "JPEG Extended"},
    "53": {"JPEG Progressive"},
    "55": {"JPEG Progressive"},
    "57": {"JPEG Lossless"},
    "70": {"JPEG Lossless"},
    "80": {"JPEG-LS"},
    "81": {"JPEG-LS"},
    **{number: {_JPEG_2000} for number in ("90", "91", "92", "93")},
    **{number: {_HTJ2K} for number in ("201", "202", "203")},
}
_LOSSLESS_SYNTAXES = frozenset({"57", "70", "80", "90", "92", "201", "202"})


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


class Agreement(NamedTuple):
    """Result of comparing a codestream with the data set."""

    photometric_interpretation: str
    """Colour of the samples that a decoder of the codestream returns."""
    deviations: list[Deviation]
    """Contradictions that do not prevent decoding."""


def compare(codestream: bytes, spec: FrameSpec, frame_index: int) -> Agreement:
    """Compare a codestream with the data set.

    A header that is corrupt or of an unknown format is not compared: the decoder reports its error.

    Raises
    ------
    CorruptFrameError
        With kind ``"Mismatch"``, if the number of components differs or the precision exceeds Bits Allocated.
    """
    declared_colour = spec.photometric_interpretation
    header = read_header(codestream)
    if header is None:
        return Agreement(declared_colour, [])
    for name, found, attribute, declared, is_mismatch in (
        ("components", header.components, "samples per pixel", spec.samples_per_pixel, int.__ne__),
        ("precision", header.precision, "bits allocated", spec.bits_allocated, int.__gt__),
    ):
        if is_mismatch(found, declared):
            raise CorruptFrameError(
                f"{name} {found} found in the codestream, {attribute} {declared} in the data set ({_CLAUSE})",
                kind="Mismatch",
                clause=_CLAUSE,
                transfer_syntax=spec.transfer_syntax,
                frame_index=frame_index,
            )
    colour = declared_colour
    problems: list[tuple[str, str]] = []
    syntax = spec.transfer_syntax.removeprefix("1.2.840.10008.1.2.4.")
    if header.process not in _PROCESSES_OF_SYNTAX.get(syntax, {header.process}):
        text = f"{header.process} codestream found, another process than that of transfer syntax {spec.transfer_syntax}"
        problems.append((text, "PS3.5 A.4"))
    elif header.is_lossy and syntax in _LOSSLESS_SYNTAXES:
        text = f"lossy {header.process} codestream found, lossless transfer syntax {spec.transfer_syntax}"
        problems.append((text, "PS3.5 A.4"))
    if header.has_component_transform and declared_colour in ("YBR_FULL", "YBR_FULL_422"):
        # The transform's inverse gives RGB: converting once more would be wrong.
        colour = "RGB"
        text = "a multiple component transform found in the codestream, photometric interpretation"
        problems.append((f"{text} {declared_colour} in the data set", _JPEG_2000_CLAUSE))
    elif not header.has_component_transform and declared_colour in ("YBR_RCT", "YBR_ICT"):
        text = "no multiple component transform found in the codestream, photometric interpretation"
        problems.append((f"{text} {declared_colour} in the data set", _JPEG_2000_CLAUSE))
    bits_stored = spec.bits_allocated if spec.bits_stored is None else spec.bits_stored
    if header.precision > bits_stored:
        text = f"precision {header.precision} found in the codestream, bits stored {bits_stored} in the data set"
        problems.append((text, _CLAUSE))
    if header.is_signed is not None and header.is_signed != (spec.pixel_representation == 1):
        signedness = "signed" if header.is_signed else "unsigned"
        text = f"{signedness} samples found in the codestream, pixel representation {spec.pixel_representation}"
        problems.append((f"{text} in the data set", _CLAUSE))
    return Agreement(colour, [Deviation(frame_index, text, clause, None) for text, clause in problems])


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
    """Read the segments up to the frame header (T.81 B.2.2), of JPEG-LS up to the first scan header (T.87 C.2.3)."""
    header = None
    position = 2
    while src[position] == 0xFF:
        # A marker may be preceded by any number of fill bytes 0xFF (T.81 B.1.1.2).
        while src[position] == 0xFF:
            position += 1
        marker, (length,) = src[position], struct.unpack_from(">H", src, position + 1)
        if marker == 0 or length < 2:
            return header
        if header is None and (process := _PROCESSES.get(marker)):
            # After the marker: length (2 bytes), precision, lines (2 bytes), samples per line (2 bytes), components.
            precision, components = src[position + 3], src[position + 8]
            is_lossy = process not in ("JPEG Lossless", "JPEG Lossless (arithmetic coding)", "JPEG-LS")
            header = CodestreamHeader(process, components, precision, None, False, is_lossy)
            if process != "JPEG-LS":
                return header
        if header is not None and marker == 0xDA:
            # After the marker: length (2 bytes), Ns, 2 bytes per component, NEAR.
            return header._replace(is_lossy=src[position + 4 + 2 * src[position + 3]] > 0)
        position += 1 + length
    return header


def _read_jpeg_2000(src: bytes, start: int) -> CodestreamHeader:
    """Read the main header of a codestream at `start`: SIZ, CAP and COD (T.800 A.5, A.6; T.814 A.3)."""
    # SIZ: marker, length and capabilities (2 bytes each), 8 numbers of 4 bytes, components (2 bytes), depths.
    (components,) = struct.unpack_from(">H", src, start + 40)
    depth = src[start + 42]
    process, has_transform, is_lossy = _JPEG_2000, False, False
    position = start + 2
    while position + 4 <= len(src) and src[position] == 0xFF and src[position + 1] != 0x90:
        marker, (length,) = src[position + 1], struct.unpack_from(">H", src, position + 2)
        if marker == 0x50 and struct.unpack_from(">L", src, position + 4)[0] & 1 << 32 - 15:
            process = _HTJ2K
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
