"""Values of data elements from their bytes, by value representation (PS3.5 6.2), as pydicom has them."""

from __future__ import annotations

import struct
from typing import Any

from dicoxide.errors import CorruptFrameError

__all__ = ["is_number", "is_text", "value_of"]

_FORMATS = {"FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
_NUMBERS = frozenset({*_FORMATS, "AT", "DS", "IS"})
# Bytes of an element that is no text and no number here.
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
# Text in the character set of the data set; of the second, a backslash separates no values.
_TEXT = frozenset({"LO", "SH", "UC"})
_LONG_TEXT = frozenset({"LT", "ST", "UT"})
# Character sets without code extensions (PS3.3 C.12.1.1.2); the default one is read as Latin-1, as pydicom does.
_CODECS = {
    "": "iso8859",
    "ISO_IR 6": "iso8859",
    "ISO_IR 100": "latin_1",
    "ISO_IR 101": "iso8859_2",
    "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4",
    "ISO_IR 126": "iso_ir_126",
    "ISO_IR 127": "iso_ir_127",
    "ISO_IR 138": "iso_ir_138",
    "ISO_IR 144": "iso_ir_144",
    "ISO_IR 148": "iso_ir_148",
    "ISO_IR 192": "UTF8",
    "GB18030": "GB18030",
    "GBK": "GBK",
}


def is_number(vr: str) -> bool:
    """Whether values of a VR, or of either of two, are numbers."""
    return vr[:2] in _NUMBERS


def is_text(vr: str) -> bool:
    """Whether values of a VR are text in the character set of the data set."""
    return vr == "PN" or vr in _TEXT or vr in _LONG_TEXT


def value_of(vr: str, data: bytes, is_big_endian: bool, character_set: str | list[str]) -> Any:
    """The value of an element: None or ``""`` where it has none, a list where it has several.

    Raises
    ------
    CorruptFrameError
        If the bytes are no such value.
    """
    if not data:
        return None if is_number(vr) or vr in _BINARY else ""
    try:
        if (code := _FORMATS.get(vr)) is not None:
            return _one_or_all(list(struct.unpack(f"{'>' if is_big_endian else '<'}{_count(data, code)}{code}", data)))
        if vr in _BINARY:
            return data
        return _text_value(vr, data, is_big_endian, character_set)
    except (struct.error, ValueError, LookupError, OverflowError) as error:
        if isinstance(error, CorruptFrameError):
            raise
        clause = "PS3.5 6.2"
        raise CorruptFrameError(f"{data[:64]!r} is no value of VR {vr}: {error} ({clause})", clause=clause) from error


def _text_value(vr: str, data: bytes, is_big_endian: bool, character_set: str | list[str]) -> Any:
    if vr == "AT":
        words = struct.unpack(f"{'>' if is_big_endian else '<'}{len(data) // 4 * 2}H", data[: len(data) // 4 * 4])
        values: list[Any] = [group << 16 | element for group, element in zip(words[::2], words[1::2], strict=True)]
        if len(data) != 4:
            # A tag with more bytes behind it is no longer a single one to pydicom.
            return values
    elif vr == "DS":
        values = [_number(one, float) for one in _split(data.decode("latin_1").strip())]
    elif vr == "IS":
        values = [_number(one, _integer) for one in _split(data.decode("latin_1"))]
    elif vr in _LONG_TEXT:
        values = [_decoded(data, character_set).rstrip("\0 ")]
    elif vr == "PN":
        # Component groups that are left out at the end leave their delimiters out too (PS3.5 6.2.1.2).
        # Padding goes first: behind an escape, it is no text of the set that is switched to.
        values = [one.rstrip("=") for one in _decoded(data.rstrip(b"\0 "), character_set).split("\\")]
    elif vr in _TEXT:
        values = [one.rstrip("\0 ") for one in _decoded(data, character_set).split("\\")]
    elif vr == "UR":
        values = [data.decode("latin_1").rstrip()]
    elif vr == "UI":
        values = [one.strip() for one in _split(data.decode("latin_1"))]
    elif vr == "AE":
        values = [one.strip() for one in data.decode("latin_1").split("\\")]
    else:
        values = [*_split(data.decode("latin_1"))]
    return _one_or_all(values)


def _split(text: str) -> list[str]:
    return text.rstrip(" \0").split("\\")


def _one_or_all(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _count(data: bytes, code: str) -> int:
    return len(data) // struct.calcsize(f"={code}")


def _number(text: str, kind: Any) -> Any:
    return kind(text) if text.strip(" \0") else None


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        real = float(text)
        if real != int(real):
            raise ValueError("no integer") from None
        return int(real)


def _decoded(data: bytes, character_set: str | list[str]) -> str:
    codec = _CODECS.get(character_set) if isinstance(character_set, str) else None
    if data.isascii() and b"\x1b" not in data and (codec or isinstance(character_set, list)):
        return data.decode("ascii")
    if codec is not None and b"\x1b" not in data:
        return data.decode(codec, "replace")
    # Code extensions switch sets within a value; pydicom heeds them also where no set is said that has them.
    from pydicom.charset import convert_encodings, decode_bytes, default_encoding
    from pydicom.valuerep import TEXT_VR_DELIMS

    try:
        encodings = convert_encodings(character_set)
    except ValueError:
        # With a NUL within it is no name: taken as pydicom takes names that it does not know.
        encodings = [default_encoding]
    return decode_bytes(data, encodings, TEXT_VR_DELIMS)
