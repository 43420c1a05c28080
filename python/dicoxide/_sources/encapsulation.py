"""Pixel data of a Dataset whose form contradicts the transfer syntax: encapsulated or native (PS3.5 A.4)."""

from __future__ import annotations

from typing import Any

from dicoxide._backend import core
from dicoxide._deviations import Deviation
from dicoxide._frame import FrameSpec
from dicoxide._transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicoxide.errors import CorruptFrameError

_KEYWORDS = {uid: keyword for uid, keyword, _ in core.transfer_syntaxes()}
_CLAUSE = "PS3.5 A.4"


def check_encapsulation(
    element: Any, spec: FrameSpec, number_of_frames: int | None
) -> tuple[FrameSpec, list[Deviation]]:
    """Accept encapsulated pixel data of defined length, and native samples of the length of the frames.

    Returns
    -------
    spec : FrameSpec
        The description of the frames, which are native in the second case.
    deviations : list of Deviation
        The contradiction, if there is one.

    Raises
    ------
    CorruptFrameError
        If the value of an encapsulated transfer syntax has no items and another length.
    """
    value = element.value
    syntax = _KEYWORDS.get(spec.transfer_syntax)
    if syntax is None or not isinstance(value, (bytes, bytearray)) or len(value) < 8 or has_undefined_length(element):
        return spec, []
    if begins_with_item(value):
        if not element.is_raw:
            # Programs that set the value rarely set the undefined length.
            return spec, []
        text = "encapsulated pixel data of defined length found, undefined length expected"
        return spec, [Deviation(None, text, _CLAUSE, None)]
    frame_bits = spec.rows * spec.columns * (2 if spec.is_422 else spec.samples_per_pixel) * spec.bits_allocated
    expected_bytes = -(-frame_bits * (number_of_frames or 1) // 8)
    if len(value) not in (expected_bytes, expected_bytes + expected_bytes % 2):
        raise CorruptFrameError(
            f"pixel data of {len(value)} bytes without items found: not encapsulated, as transfer syntax {syntax} "
            f"requires, and not the length of native samples ({_CLAUSE})",
            kind="Mismatch",
            clause=_CLAUSE,
            transfer_syntax=spec.transfer_syntax,
        )
    text = f"native samples found, encapsulated pixel data expected of transfer syntax {syntax}"
    return spec._replace(transfer_syntax=EXPLICIT_VR_LITTLE_ENDIAN), [Deviation(None, text, _CLAUSE, None)]


def has_undefined_length(element: Any) -> bool:
    """Return True if the element was read, or will be written, with undefined length."""
    return bool(getattr(element, "is_undefined_length", False)) or getattr(element, "length", 0) == 0xFFFFFFFF


def begins_with_item(value: Any) -> bool:
    """Return True if `value` starts with an item tag.

    A program that has replaced encapsulated pixel data by native samples often leaves the undefined length.
    """
    return isinstance(value, (bytes, bytearray)) and value[:4] in (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
