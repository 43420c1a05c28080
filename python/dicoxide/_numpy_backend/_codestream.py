"""Codestreams that only other packages decode: where a frame starts, and whether its header agrees with the data set.

The rules are those of ``rust/core/src/codec/fallback.rs`` and ``agreement.rs``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from dicoxide._deviations import Deviation
from dicoxide._jpeg_segments import segments
from dicoxide._numpy_backend._errors import make_error
from dicoxide._numpy_backend._syntaxes import KEYWORDS

if TYPE_CHECKING:
    from dicoxide._frame import FrameSpec

__all__ = ["Codestream", "codestream_info", "compare_codestream", "starts_frame"]

_SOI, _SOC_SIZ = b"\xff\xd8", b"\xff\x4f\xff\x51"
_JP2_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
# First bytes of codestreams: JPEG and JPEG-LS, JPEG 2000, JPEG XL, and the signature boxes of the last two.
_SIGNATURES = (_SOI + b"\xff", _SOC_SIZ, b"\xff\x0a", _JP2_SIGNATURE, b"\0\0\0\x0cJXL \r\n\x87\n")

_DCT, _EXTENDED, _PROGRESSIVE, _LOSSLESS = "JPEG (DCT)", "JPEG Extended", "JPEG Progressive", "JPEG Lossless"
_ARITHMETIC, _HIERARCHICAL = "arithmetic-coded JPEG", "hierarchical JPEG"
_JPEG_LS, _JPEG_2000, _HTJ2K = "JPEG-LS", "JPEG 2000", "HTJ2K"
# Formats by start-of-frame marker (T.81 Table B.1, T.87 Table C.1).
_FORMATS = {0xC0: _DCT, 0xC1: _EXTENDED, 0xC2: _PROGRESSIVE, 0xC3: _LOSSLESS, 0xF7: _JPEG_LS}
_FORMATS |= dict.fromkeys((0xC9, 0xCA, 0xCB), _ARITHMETIC)
_FORMATS |= dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), _HIERARCHICAL)
_DCT_FRAMES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
# Formats of each transfer syntax (PS3.5 A.4), by the UID after 1.2.840.10008.1.2.4. Others are not compared.
_FORMATS_OF_SYNTAX: dict[str, set[str]] = {
    "50": {_DCT},
    "51": {_DCT, _EXTENDED},
    **{number: {_DCT, _EXTENDED, _PROGRESSIVE} for number in ("53", "55")},
    **{number: {_DCT, _EXTENDED, _PROGRESSIVE, _ARITHMETIC} for number in ("52", "54")},
    **{number: {_LOSSLESS} for number in ("57", "70")},
    **{number: {_JPEG_LS} for number in ("80", "81")},
    **{number: {_JPEG_2000} for number in ("90", "91", "92", "93")},
    **{number: {_HTJ2K} for number in ("201", "202", "203")},
}
_LOSSLESS_SYNTAXES = frozenset({"57", "70", "80", "90", "92", "201", "202"})
# First bytes of JFIF's APP0 (T.871 10.1), HP's APP8 (transform in byte 4) and Adobe's APP14 (transform in byte 11).
_JFIF, _HP, _ADOBE = b"JFIF\0", b"mrfx", b"Adobe"
_IDENTIFIERS = {0xE0: _JFIF, 0xE8: _HP, 0xEE: _ADOBE}
_HP_TRANSFORM = "a colour transform of HP"
_CLAUSE = "PS3.5 8.2.1"


class _Header(NamedTuple):
    """The declarations of a codestream that are compared with the data set."""

    format: str
    size: tuple[int, int]
    """Rows and columns; 0 if the header does not declare them."""
    components: int
    precision: int
    """Bits per sample."""
    is_signed: bool | None
    """True if samples are two's complement; None for formats that do not distinguish."""
    is_lossy: bool
    """True if the coding process loses information."""
    claims: tuple[tuple[bool, str], ...] = ()
    """Colours that take precedence over Photometric Interpretation, the decisive one first: true for luminance and
    colour differences, false for RGB; and the part of the header, for messages."""


def starts_frame(fragment: bytes) -> bool:
    """Return True if `fragment` starts with the signature of a codestream."""
    return fragment.startswith(_SIGNATURES)


def compare_codestream(spec: FrameSpec, src: bytes, *, to_rgb: bool) -> tuple[bool, list[Deviation]]:
    """Compare a codestream with the data set. Colour matters only if it is converted (`to_rgb`).

    Return True if its samples are luminance and colour differences, and the deviations. A header that is corrupt or of
    an unknown format is not compared: the decoder reports its error.
    """
    term = spec.photometric_interpretation
    is_ybr = spec.samples_per_pixel == 3 and term in ("YBR_FULL", "YBR_FULL_422")
    header = _read_header(src)
    if header is None:
        return is_ybr, []
    _check_size(header, spec)
    problems = [*_format_problems(header, src, spec.transfer_syntax)]
    if to_rgb:
        is_rgb = spec.samples_per_pixel == 3 and term == "RGB"
        for claims_ybr, evidence in header.claims:
            if is_rgb if claims_ybr else is_ybr:
                is_ybr, expected = claims_ybr, "RGB" if claims_ybr else "YBR_FULL"
                text = f"{evidence} found in the codestream, photometric interpretation {expected} in the data set"
                problems.append((text, _CLAUSE))
                break
    bits_stored = spec.bits_allocated if spec.bits_stored is None else spec.bits_stored
    if header.precision > bits_stored:
        text = f"precision {header.precision} found in the codestream, bits stored {bits_stored} in the data set"
        problems.append((text, _CLAUSE))
    if header.is_signed is not None and header.is_signed != (spec.pixel_representation == 1):
        signedness = "signed" if header.is_signed else "unsigned"
        text = f"{signedness} samples found in the codestream, pixel representation {spec.pixel_representation}"
        problems.append((f"{text} in the data set", _CLAUSE))
    return is_ybr, [Deviation(None, text, clause, None) for text, clause in problems]


def _check_size(header: _Header, spec: FrameSpec) -> None:
    rows, columns = header.size
    for name, found, expected in (
        ("rows", rows or spec.rows, spec.rows),
        ("columns", columns or spec.columns, spec.columns),
        ("components", header.components, spec.samples_per_pixel),
    ):
        if found != expected:
            text = f"{name} {found} found in the codestream, {expected} in the data set"
            raise _mismatch(text, spec)
    if header.precision > spec.bits_allocated:
        text = f"precision {header.precision} found in the codestream, bits allocated {spec.bits_allocated}"
        text += " in the data set"
        raise _mismatch(text, spec)


def _mismatch(text: str, spec: FrameSpec) -> ValueError:
    error = make_error("Mismatch", text, _CLAUSE)
    error.transfer_syntax = spec.transfer_syntax  # type: ignore[attr-defined]
    return error


def _format_problems(header: _Header, src: bytes, uid: str) -> Iterator[tuple[str, str]]:
    """Yield message and clause if the format is not that of the transfer syntax, or lossy under a lossless one."""
    syntax = uid.removeprefix("1.2.840.10008.1.2.4.")
    expected = _FORMATS_OF_SYNTAX.get(syntax)
    if expected is not None:
        is_lossy = header.is_lossy and syntax in _LOSSLESS_SYNTAXES
        found = header.format if header.format not in expected else f"lossy {header.format}" if is_lossy else ""
        if found:
            yield f"{found} codestream found, transfer syntax is {KEYWORDS[uid]}", "PS3.5 A.4"
    if src.startswith(_JP2_SIGNATURE):
        yield "codestream in JP2 boxes found, a bare codestream expected", "PS3.5 A.4.4"
    if (False, _HP_TRANSFORM) in header.claims:
        yield f"{_HP_TRANSFORM} found in the codestream, which T.87 does not define", "PS3.5 8.2.3"


def _read_header(src: bytes) -> _Header | None:
    """Read the header of a JPEG, JPEG-LS, JPEG 2000 or HTJ2K codestream; None if it is another format or corrupt."""
    try:
        if src.startswith(_SOI):
            return _read_jpeg(src)
        if src.startswith(_SOC_SIZ):
            return _read_jpeg_2000(src, 0)
        if src.startswith(_JP2_SIGNATURE) and (start := _contiguous_codestream(src)) is not None:
            return _read_jpeg_2000(src, start)
    except (struct.error, IndexError, ValueError):
        pass
    return None


def _read_jpeg(src: bytes) -> _Header | None:
    """Read the segments up to the first scan header (T.81 B.2.2, B.2.3; T.87 C.2.3), or as many as there are."""
    header, sof, ids = None, 0, b""
    application: list[bytes] = []
    scan_components = 0
    for marker, start, end in segments(src):
        if (identifier := _IDENTIFIERS.get(marker)) and src.startswith(identifier, start, end):
            application.append(src[start:end])
        elif header is None and marker in _FORMATS:
            # Then 3 bytes per component, first its identifier.
            precision, rows, columns, components = struct.unpack_from(">BHHB", src, start)
            sof, ids = marker, src[start + 6 : min(end, start + 6 + 3 * components) : 3]
            is_lossy = marker in (0xC0, 0xC1, 0xC2)
            size = (rows, columns) if rows and columns else (0, 0)
            header = _Header(_FORMATS[marker], size, components, precision, None, is_lossy)
        elif marker == 0xDA:
            # Ns, 2 bytes per component, NEAR.
            scan_components = src[start]
            if header and header.format == _JPEG_LS:
                header = header._replace(is_lossy=src[start + 1 + 2 * scan_components] > 0)
            break
    if header is None or header.components != 3:
        return header
    return header._replace(claims=tuple(_claims(sof, ids, application, scan_components)))


def _claims(sof: int, ids: bytes, application: list[bytes], scan_components: int) -> Iterator[tuple[bool, str]]:
    """Yield the colours of three components that take precedence over the data set, the decisive one first."""
    is_dct = sof in _DCT_FRAMES
    has_jfif = any(content.startswith(_JFIF) for content in application)
    adobe = [content[11] for content in application if content.startswith(_ADOBE) and len(content) > 11]
    has_hp = any(content.startswith(_HP) and content[4:5] > b"\0" for content in application)
    if _FORMATS[sof] == _JPEG_LS and has_hp and scan_components == len(ids):
        yield False, _HP_TRANSFORM
    if has_jfif:
        yield True, "JFIF (colour differences)"
    elif is_dct and adobe and adobe[-1] == 0:
        yield False, "Adobe transform 0 (RGB)"
    elif is_dct and adobe and adobe[-1] == 1:
        yield True, "Adobe transform 1 (colour differences)"
    # Encoders use these identifiers for RGB; no standard gives them this meaning.
    if ids in (b"RGB", b"rgb") and not (is_dct and (has_jfif or adobe)):
        yield False, "component identifiers R, G and B"


def _read_jpeg_2000(src: bytes, start: int) -> _Header:
    """Read the main header of a codestream at `start`: SIZ, CAP and COD (T.800 A.5, A.6; T.814 A.3)."""
    # After 8 bytes: sizes, number of components, 3 bytes per component.
    width, height, left, top, _, _, _, _, components = struct.unpack_from(">8LH", src, start + 8)
    depths = src[start + 42 : start + 42 + 3 * components : 3]
    signs = {depth >> 7 for depth in depths}
    format_name, has_transform, is_lossy = _JPEG_2000, False, False
    position = start + 2
    while position + 4 <= len(src) and src[position] == 0xFF and src[position + 1] != 0x90:
        marker, (length,) = src[position + 1], struct.unpack_from(">H", src, position + 2)
        if marker == 0x50 and struct.unpack_from(">L", src, position + 4)[0] & 1 << 32 - 15:
            format_name = _HTJ2K
        elif marker == 0x52:
            # Scod, progression order, layers (2 bytes), transform, levels, block size (2 bytes), style, wavelet.
            has_transform, is_lossy = src[position + 8] == 1, src[position + 13] == 0
        position += 2 + max(length, 2)
    size = (height - top, width - left) if height > top and width > left else (0, 0)
    precision = max((depth & 0x7F) + 1 for depth in depths)
    is_signed = bool(signs.pop()) if len(signs) == 1 else None
    # After the inverse of the transform, samples are RGB (T.800 Annex G, PS3.5 8.2.4).
    claims = ((False, "a multiple component transform"),) if has_transform and components >= 3 else ()
    return _Header(format_name, size, components, precision, is_signed, is_lossy, claims)


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


def codestream_info(src: bytes) -> NoReturn:
    """Raise `UnsupportedError`: only the extension reads headers of codestreams."""
    raise _needs_extension()


class Codestream:
    """A bare codestream; creating one raises `UnsupportedError`, because only the extension decodes codestreams."""

    def __init__(self, src: bytes, *, jpeg_lossless: bool = False) -> None:
        raise _needs_extension()


def _needs_extension() -> ValueError:
    return make_error("Unsupported", "codestreams need the compiled extension of dicoxide", "ITU-T T.81 Annex H")
