"""Decides whether a file without a readable image is damaged, and which series it belongs to.

A file that ends too early looks like an object without pixel data. It is damaged if it ends within an element, or if
its attributes or its SOP Class declare an image.
"""

from __future__ import annotations

import re
from typing import Any

from dicoxide._sources import HEAD_BYTES, Attributes, has_preamble, read_incomplete
from dicoxide.bulk.series._attribute_values import parse_text
from dicoxide.bulk.series._discover import CandidateFile, SkippedFile, UnreadableFile, has_dicom_suffix, is_dicomdir
from dicoxide.errors import CorruptFrameError, TruncatedFrameError

__all__ = ["classify_failure"]

_KEYWORDS = ("SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "Rows", "Columns")
# Media Storage SOP Class UID, as the file meta information stores it: explicit VR little endian (PS3.10 7.1).
_STORAGE_CLASS = re.compile(rb"\x02\x00\x02\x00UI..([0-9.]+)", re.DOTALL)
# Bytes of preamble and prefix. A shorter file has no data set, whatever it was meant to be.
_PREFIX_BYTES = 132

_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
# SOP Classes of PS3.4 B.5, without their root: those whose objects always have pixel data, and those without. Of
# others, such as RT Dose, which may have dose-volume histograms only, the attributes decide.
_IMAGE_CLASSES = re.compile(
    r"[1-7]|1\.[123]|1\.1\.1|1\.2\.1|1\.3\.1|2\.[12]|3\.1|4\.[134]|6\.[123]|7\.[1234]|12\.[123]|12\.[12]\.1|13\.1\.[1-5]"
    r"|14\.[12]|20|30|66\.[478]|77\.[12]|77\.1\.[1234679]|77\.1\.8|77\.1\.[124]\.1|77\.1\.5\.[1245678]|128|128\.1|130"
    r"|481\.1|481\.2[34]|501\.[1456]|501\.2\.[12]|601\.[12]"
)
_CLASSES_WITHOUT_PIXELS = re.compile(
    r"4\.2|66|66\.[12356]|77\.1\.5\.3|129|481\.([3-9]|1\d|2[0125])|(8|9|10|11|67|68|78|79|80|88|90|91|104|131|20[01])(\..*)?"
)


def classify_failure(file: CandidateFile, error: Exception) -> SkippedFile | UnreadableFile:
    """Return whether a file that cannot be opened as an image is damaged, or holds no image by design."""
    path = file.path
    if isinstance(error, OSError):
        return UnreadableFile(path, error)
    try:
        with open(path, "rb") as opened:
            head = opened.read(HEAD_BYTES)
    except OSError as read_error:
        return UnreadableFile(path, read_error)
    attributes, is_complete = read_incomplete(path)
    if isinstance(error, CorruptFrameError):
        values = {} if attributes is None else attributes.get_many(_KEYWORDS)
        reason = _reason_to_skip(path, head, error.kind, values, is_complete=is_complete)
        if reason:
            return SkippedFile(path, reason, file.is_named, error)
        if error.kind == "NoImage" and not is_complete:
            clause = "PS3.10 7"
            error = TruncatedFrameError(
                f"the file ends within its header, before the pixel data ({clause})", clause=clause
            )
    return UnreadableFile(path, error, *_series(attributes, is_complete=is_complete))


def _reason_to_skip(path: str, head: bytes, kind: str, values: dict[str, Any], *, is_complete: bool) -> str:
    """Return why a file that starts with `head` is not an image, or ``""`` if it is a damaged one.

    `kind` is the kind of the error of opening it, and `values` are the attributes that could be read.
    """
    if kind == "NotDicom":
        return "" if has_dicom_suffix(path) and (len(head) < _PREFIX_BYTES or not any(head)) else "not DICOM"
    if is_dicomdir(path, head):
        return "DICOMDIR"
    if not has_preamble(head) and not values:
        # Almost any bytes parse as a few elements.
        return "no image" if kind == "NoImage" else "not DICOM"
    return "no image" if kind == "NoImage" and is_complete and not _declares_image(values, head) else ""


def _declares_image(values: dict[str, Any], head: bytes) -> bool:
    """Return True if a complete data set without pixel data should have some."""
    sop_class = parse_text(values.get("SOPClassUID"))
    if not sop_class and (match := _STORAGE_CLASS.search(head)):
        sop_class = match[1].decode("ascii")
    if not sop_class:
        # Each object has an SOP Class (PS3.3 C.12.1): the file has been cut before it.
        return True
    name = sop_class.removeprefix(_STORAGE_ROOT)
    if _IMAGE_CLASSES.fullmatch(name):
        return True
    return {"Rows", "Columns"} <= values.keys() and not _CLASSES_WITHOUT_PIXELS.fullmatch(name)


def _series(attributes: Attributes | None, *, is_complete: bool) -> tuple[str, str]:
    """Return Study and Series Instance UID, or empty strings."""
    keywords = ["", *(attributes or ())]
    if attributes is None or (not is_complete and keywords[-1] == "SeriesInstanceUID"):
        # The last value of a file that has been cut may be cut, too.
        return "", ""
    values = attributes.get_many(_KEYWORDS)
    return parse_text(values.get("StudyInstanceUID")), parse_text(values.get("SeriesInstanceUID"))
