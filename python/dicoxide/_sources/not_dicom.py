"""Recognises DICOM files by their first bytes, and names the format of files that are something else.

The reader accepts files without preamble and file meta information, as pydicom does, so almost any bytes parse as a few
elements. The error of such a parse names an element that does not exist. :func:`not_dicom_error` replaces it.
"""

from __future__ import annotations

import os
import re
from typing import Any

from dicoxide.errors import CorruptFrameError

__all__ = ["HEAD_BYTES", "has_preamble", "looks_like_dicom", "not_dicom_error"]

# Bytes read to recognise a file: preamble, and the file meta information with the SOP Class UID.
HEAD_BYTES = 1024

_PREAMBLE_BYTES = 128
_CLAUSE = "PS3.10 7.1"
_VALUE_REPRESENTATIONS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
# Groups of the first element of a file without preamble, in either byte order.
_FIRST_GROUPS = frozenset((0x02, 0x08, 0x10, 0x18, 0x20, 0x28))
# (0000,0000) with implicit VR and a length of 4: the start of a command set (PS3.7 6.3), which some files have.
_COMMAND_SET = b"\0\0\0\0\x04\0\0\0"

# (offset, bytes at this offset, name).
_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"PK\x03\x04", "ZIP"),
    (0, b"PK\x05\x06", "ZIP"),
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard"),
    (0, b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (257, b"ustar", "tar"),
    (344, b"n+1\0", "NIfTI"),
    (344, b"ni1\0", "NIfTI"),
    (4, b"n+2\0", "NIfTI"),
    (4, b"ni2\0", "NIfTI"),
    (0, b"NRRD000", "NRRD"),
    (0, b"\x89HDF\r\n\x1a\n", "HDF5"),
    (0, b"\x93NUMPY", "NumPy"),
    (0, b"%PDF-", "PDF"),
)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A JSON object or array, up to its first key or value.
_JSON = re.compile(rb'\{\s*["}]|\[\s*["\]{\[\-0-9tfn]')


def has_preamble(head: bytes) -> bool:
    """Return True if a file that starts with `head` has the DICOM prefix after its preamble (PS3.10 7.1)."""
    return head[_PREAMBLE_BYTES : _PREAMBLE_BYTES + 4] == b"DICM"


def looks_like_dicom(head: bytes, size: int) -> bool:
    """Return True if a file of `size` bytes that starts with `head` is a DICOM file, with or without a preamble."""
    if has_preamble(head):
        return True
    if len(head) < 8:
        return False
    if head.startswith(_COMMAND_SET):
        return True
    # Without a preamble, the first element is usually of group 0002 or 0008.
    if head[4:6] in _VALUE_REPRESENTATIONS and 0 in head[:2] and sum(head[:2]) in _FIRST_GROUPS:
        return True
    length = int.from_bytes(head[4:8], "little")
    element = int.from_bytes(head[2:4], "little")
    is_implicit = head[:2] in (b"\x02\0", b"\x08\0") and element <= 0x1200
    return is_implicit and length % 2 == 0 and length <= min(size - 8, 1 << 16)


def not_dicom_error(error: BaseException, src: Any) -> CorruptFrameError | None:
    """Return the error of kind ``"NotDicom"`` to raise in place of `error`, or None if `src` is a DICOM file.

    Parameters
    ----------
    error : BaseException
        The exception that reading the header of `src` raised.
    src : path, bytes or an object with ``head(count)`` and ``size``
        The file.
    """
    # A file with pixel data is DICOM, whatever its first bytes; an attribute that is missing is a mismatch.
    if not isinstance(error, CorruptFrameError) or error.kind == "Mismatch":
        return None
    try:
        head, size = _head_and_size(src)
    except (OSError, TypeError, ValueError):
        return None
    if looks_like_dicom(head, size):
        return None
    return CorruptFrameError(f"not a DICOM file ({_describe(head)}) ({_CLAUSE})", kind="NotDicom", clause=_CLAUSE)


def _head_and_size(src: Any) -> tuple[bytes, int]:
    if isinstance(src, bytes):
        return src[:HEAD_BYTES], len(src)
    if isinstance(src, (str, os.PathLike)):
        with open(src, "rb") as file:
            return file.read(HEAD_BYTES), os.fstat(file.fileno()).st_size
    return src.head(HEAD_BYTES), src.size


def _describe(head: bytes) -> str:
    """Return ``"looks like …"``, or the first bytes of an unknown format."""
    if not head:
        return "empty"
    names = (name for offset, signature, name in _SIGNATURES if head.startswith(signature, offset))
    name = next(names, None) or _text_format(head.removeprefix(_BYTE_ORDER_MARK).lstrip())
    return f"looks like {name}" if name else f"starts with {head[:8].hex(' ')}"


def _text_format(text: bytes) -> str | None:
    start = text[:256].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "HTML"
    if start.startswith(b"<?xml"):
        # XHTML has an XML declaration.
        return "HTML" if b"<html" in text.lower() else "XML"
    if start.startswith(b"<!--") and b"<html" in text.lower():
        return "HTML"
    return "JSON" if _JSON.match(text) else None
