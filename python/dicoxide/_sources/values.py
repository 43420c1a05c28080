"""Converts the bytes of data elements to Python values, by value representation (PS3.5 6.2).

The values equal pydicom's. The extension converts the most frequent attributes itself; this module has the rules for
all value representations.
"""

from __future__ import annotations

import struct
from typing import Any

from dicoxide.errors import CorruptFrameError

__all__ = ["is_number", "is_text", "value_of"]

_FORMATS = {"FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
_NUMBERS = frozenset({*_FORMATS, "AT", "DS", "IS"})
# Value representations whose values stay bytes.
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
# Text in the character set of the data set. In long text, a backslash does not separate values.
_TEXT = frozenset({"LO", "SH", "UC"})
_LONG_TEXT = frozenset({"LT", "ST", "UT"})
# Python codecs of character sets without code extensions (PS3.3 C.12.1.1.2). As in pydicom, the default one is Latin-1.
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
    """Return True if values of `vr` are numbers; `vr` may be two, as in ``"US or SS"``."""
    return vr[:2] in _NUMBERS


def is_text(vr: str) -> bool:
    """Return True if values of `vr` are text in the character set of the data set."""
    return vr == "PN" or vr in _TEXT or vr in _LONG_TEXT


def value_of(vr: str, data: bytes, is_big_endian: bool, character_set: str | list[str]) -> Any:
    """Convert the bytes of an element.

    Parameters
    ----------
    vr : str
        Value representation.
    data : bytes
        Value field of the element.
    is_big_endian : bool
        Byte order of binary numbers.
    character_set : str or list of str
        Value of Specific Character Set (0008,0005).

    Returns
    -------
    Any
        One value, or a list of several. An empty element is None if `vr` is numeric or binary, else ``""``.

    Raises
    ------
    CorruptFrameError
        If the bytes are not a value of `vr`.
    """
    if not data:
        return None if is_number(vr) or vr in _BINARY else ""
    try:
        if (code := _FORMATS.get(vr)) is not None:
            byte_order = ">" if is_big_endian else "<"
            count = len(data) // struct.calcsize(f"={code}")
            return _single_or_list(list(struct.unpack(f"{byte_order}{count}{code}", data)))
        if vr in _BINARY:
            return data
        return _text_value(vr, data, is_big_endian, character_set)
    except (struct.error, ValueError, LookupError, OverflowError) as error:
        if isinstance(error, CorruptFrameError):
            raise
        clause = "PS3.5 6.2"
        raise CorruptFrameError(
            f"{data[:64]!r} is not a value of VR {vr}: {error} ({clause})", clause=clause
        ) from error


def _text_value(vr: str, data: bytes, is_big_endian: bool, character_set: str | list[str]) -> Any:
    if vr == "AT":
        words = struct.unpack(f"{'>' if is_big_endian else '<'}{len(data) // 4 * 2}H", data[: len(data) // 4 * 4])
        values: list[Any] = [group << 16 | element for group, element in zip(words[::2], words[1::2], strict=True)]
        if len(data) != 4:
            # pydicom returns a list if the length is not exactly that of one tag.
            return values
    elif vr == "DS":
        values = [_number(text, float) for text in _split(data.decode("latin_1").strip())]
    elif vr == "IS":
        values = [_number(text, _integer) for text in _split(data.decode("latin_1"))]
    elif vr in _LONG_TEXT:
        values = [_decode_text(data, character_set).rstrip("\0 ")]
    elif vr == "PN":
        # Trailing delimiters of empty component groups are removed (PS3.5 6.2.1.2). Padding is removed before decoding,
        # because after an escape sequence it would be decoded in the character set that the sequence selects.
        values = [text.rstrip("=") for text in _decode_text(data.rstrip(b"\0 "), character_set).split("\\")]
    elif vr in _TEXT:
        values = [text.rstrip("\0 ") for text in _decode_text(data, character_set).split("\\")]
    elif vr == "UR":
        values = [data.decode("latin_1").rstrip()]
    elif vr == "UI":
        values = [text.strip() for text in _split(data.decode("latin_1"))]
    elif vr == "AE":
        values = [text.strip() for text in data.decode("latin_1").split("\\")]
    else:
        values = [*_split(data.decode("latin_1"))]
    return _single_or_list(values)


def _split(text: str) -> list[str]:
    return text.rstrip(" \0").split("\\")


def _single_or_list(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _number(text: str, convert: Any) -> Any:
    return convert(text) if text.strip(" \0") else None


def _integer(text: str) -> int:
    """Convert an integer string; a decimal number without a fraction, such as "2.0", is accepted."""
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if number != int(number):
            raise ValueError("not an integer") from None
        return int(number)


def _decode_text(data: bytes, character_set: str | list[str]) -> str:
    codec = _CODECS.get(character_set) if isinstance(character_set, str) else None
    if data.isascii() and b"\x1b" not in data and (codec or isinstance(character_set, list)):
        return data.decode("ascii")
    if codec is not None and b"\x1b" not in data:
        return data.decode(codec, "replace")
    # Escape sequences switch character sets within a value. pydicom interprets them even if Specific Character Set
    # declares no set with code extensions.
    from pydicom.charset import convert_encodings, decode_bytes, default_encoding
    from pydicom.valuerep import TEXT_VR_DELIMS

    try:
        encodings = convert_encodings(character_set)
    except ValueError:
        # The name contains a NUL character. pydicom uses the default for names that it does not know.
        encodings = [default_encoding]
    return decode_bytes(data, encodings, TEXT_VR_DELIMS)
