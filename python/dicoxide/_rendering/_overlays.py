"""Overlay planes: one bit per pixel in elements of groups 60xx, or in unused bits of pixel data (PS3.3 C.9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dicoxide._arguments import Array
from dicoxide._backend import core
from dicoxide._deviations import Deviation
from dicoxide._frame import FrameSpec
from dicoxide._sources import Attributes
from dicoxide._transfer_syntaxes import EXPLICIT_VR_BIG_ENDIAN, NATIVE

if TYPE_CHECKING:
    from dicoxide._core import Frames

__all__ = ["Overlay", "burn_overlays", "read_overlays"]

_CLAUSE = "PS3.3 C.9.2"
# Groups 6000 to 601E, even ones (PS3.5 7.6), and the elements of each.
_GROUPS = range(0x6000, 0x6020, 2)
_ELEMENTS = {
    "rows": (0x0010, "US"),
    "columns": (0x0011, "US"),
    "frame_count": (0x0015, "IS"),
    "origin": (0x0050, "SS"),
    "first_frame": (0x0051, "US"),
    "bits_allocated": (0x0100, "US"),
    "bit_position": (0x0102, "US"),
    "data": (0x3000, "OW"),
}


class Overlay(NamedTuple):
    """The planes of one group.

    Attributes
    ----------
    rows, columns : int
        Size of a plane in pixels.
    row, column : int
        Zero-based position of its first pixel in the image; may be negative.
    first_frame : int
        Zero-based index of the first frame with a plane.
    frame_count : int or None
        Number of planes, for consecutive frames; None for one plane that applies to all frames.
    data : bytes
        Packed bits, least significant bit first, one plane after the other. Empty if they are in the pixel data.
    bit_position : int
        Bit of each pixel cell that is the plane, if `data` is empty.
    """

    rows: int
    columns: int
    row: int
    column: int
    first_frame: int
    frame_count: int | None
    data: bytes
    bit_position: int


def read_overlays(attributes: Attributes, spec: FrameSpec) -> tuple[list[Overlay], list[Deviation]]:
    """Return the overlays of a data set that can be read, and deviations that name the others."""
    groups = {tag >> 16 for tag in attributes.tags()}
    overlays: list[Overlay] = []
    deviations: list[Deviation] = []
    for group in _GROUPS:
        if group in groups:
            overlay = _read_overlay(attributes, group, spec, deviations)
            if overlay is not None:
                overlays.append(overlay)
    return overlays, deviations


def burn_overlays(
    overlays: list[Overlay], frame: Array, index: int, value: float, spec: FrameSpec, frames: Frames | None
) -> None:
    """Set the pixels of a rendered frame to `value` where a plane of the frame `index` is 1.

    Parameters
    ----------
    overlays : list of Overlay
        The overlays of the object.
    frame : ndarray
        Rendered frame, (rows, columns[, 3]).
    index : int
        Zero-based index of the frame.
    value : float
        Value of the output type.
    spec : FrameSpec
        Layout of native pixel data.
    frames : Frames, optional
        Native frames, for overlays in pixel data.
    """
    for overlay in overlays:
        count = overlay.frame_count
        plane = 0 if count is None else index - overlay.first_frame
        if count is not None and not 0 <= plane < count:
            continue
        if overlay.data:
            data, bit_offset = overlay.data, plane * overlay.rows * overlay.columns
        elif frames is not None:
            data, bit_offset = _embedded_plane(frames, index, overlay, spec), 0
        else:
            continue
        core.burn_overlay(
            frame, data, overlay.rows, overlay.columns, overlay.row, overlay.column, value, bit_offset=bit_offset
        )


def _read_overlay(attributes: Attributes, group: int, spec: FrameSpec, deviations: list[Deviation]) -> Overlay | None:
    """Return the overlay of a group, or None if it cannot be used; the deviation says why."""
    values = {name: attributes.element(group << 16 | element, vr) for name, (element, vr) in _ELEMENTS.items()}

    def report(text: str) -> None:
        deviations.append(Deviation(None, f"overlay group {group:04X} {text}", _CLAUSE, None))

    rows, columns = values["rows"], values["columns"]
    if not (isinstance(rows, int) and isinstance(columns, int) and rows > 0 and columns > 0):
        if any(value is not None for value in values.values()):
            report(f"has {rows} rows and {columns} columns: not applied")
        return None
    origin = values["origin"]
    if not (isinstance(origin, list) and len(origin) == 2 and all(isinstance(number, int) for number in origin)):
        if origin is not None:
            report(f"has origin {str(origin)[:32]}, two numbers expected: taken as 1\\1")
        origin = [1, 1]
    count, first_frame = _frames_of(values["frame_count"], values["first_frame"])
    overlay = Overlay(rows, columns, origin[0] - 1, origin[1] - 1, first_frame, count, b"", 0)
    data = values["data"]
    if data is not None:
        packed = bytes(data) if isinstance(data, (bytes, bytearray)) else b""
        # Bytes of VR OB have no byte order (PS3.5 7.3).
        if spec.transfer_syntax == EXPLICIT_VR_BIG_ENDIAN and attributes.vr(group << 16 | _ELEMENTS["data"][0]) != "OB":
            packed = np.frombuffer(packed[: len(packed) // 2 * 2], np.uint16).byteswap().tobytes()
        needed = -(-rows * columns * (count or 1) // 8)
        if len(packed) < needed:
            report(f"has {len(packed)} bytes, {needed} expected for {rows} × {columns} bits: not applied")
            return None
        return overlay._replace(data=packed)
    return _embedded_overlay(overlay, values, spec, report)


def _embedded_overlay(overlay: Overlay, values: dict[str, Any], spec: FrameSpec, report: Any) -> Overlay | None:
    """Return an overlay whose planes are a bit of each pixel cell (retired), or None if it cannot be used."""
    position, bits_stored = values["bit_position"], spec.bits_stored or 0
    used = range((spec.high_bit or 0) - bits_stored + 1, (spec.high_bit or 0) + 1)
    if spec.transfer_syntax not in NATIVE or spec.samples_per_pixel != 1 or spec.bits_allocated not in (8, 16):
        report("has no data, and the pixel data are not native cells of 8 or 16 bits: not applied")
        return None
    if not isinstance(position, int) or not 0 <= position < spec.bits_allocated or position in used:
        report(f"has no data, and bit position {position} is not an unused bit of pixel cells: not applied")
        return None
    if (overlay.rows, overlay.columns) != (spec.rows, spec.columns):
        report(
            f"has {overlay.rows} × {overlay.columns} pixels in the pixel data of {spec.rows} × {spec.columns}: "
            "not applied"
        )
        return None
    return overlay._replace(row=0, column=0, frame_count=None, bit_position=position)


def _embedded_plane(frames: Frames, index: int, overlay: Overlay, spec: FrameSpec) -> bytes:
    """Return the packed plane of a frame from a bit of its pixel cells."""
    data, _ = frames.frame_bytes(index)
    byte_order = ">" if spec.transfer_syntax == EXPLICIT_VR_BIG_ENDIAN else "<"
    count = overlay.rows * overlay.columns
    item_bytes = spec.bits_allocated // 8
    cells = np.frombuffer(data[: len(data) // item_bytes * item_bytes], f"{byte_order}u{item_bytes}")[:count]
    return np.packbits((cells >> overlay.bit_position & 1).astype(np.uint8), bitorder="little").tobytes()


def _frames_of(frame_count: Any, first_frame: Any) -> tuple[int | None, int]:
    """Return the number of planes, None if one applies to all frames, and the zero-based index of the first frame."""
    count = frame_count if isinstance(frame_count, int) and frame_count > 0 else None
    first = first_frame if isinstance(first_frame, int) and first_frame > 0 else None
    if count is None and first is None:
        return None, 0
    return count or 1, (first or 1) - 1
