"""Outcomes of the compiled core and of the NumPy backend in a comparable form."""

from __future__ import annotations

from typing import Any

import numpy as np

from dicoxide._frame import FrameSpec
from dicoxide._options import DecodeOptions
from dicoxide.errors import DecodeError


def open_frames(core: Any, transfer_syntax: str, value: bytes, **arguments: Any) -> Any:
    """Open ``core.Frames``; `arguments` are the fields of a `FrameSpec` and the other arguments of ``Frames``."""
    fields = {name: arguments.pop(name) for name in FrameSpec._fields if name in arguments}
    return core.Frames(FrameSpec(transfer_syntax, **fields), value, **arguments)


def outcome(
    core: Any,
    arguments: dict[str, Any],
    dtype: Any,
    *,
    rescales: list[tuple[float, float]] | None = None,
    table: tuple[int, bytes] | None = None,
    **options: Any,
) -> Any:
    """Return the bytes of the samples and the deviations, or the class and the attributes of the error.

    `table` is the first mapped value and the entries of a look-up table.
    """
    try:
        frames = open_frames(core, **arguments)
        indices = list(range(len(frames)))
        samples = arguments["rows"] * arguments["columns"] * arguments["samples_per_pixel"]
        if len(indices) * samples > 1 << 20:
            return "large"
        frames.check(indices)
        transforms = None if rescales is None else [*rescales]
        if table is not None:
            transforms = [core.LookupTable(table[0], np.frombuffer(table[1], "u1").astype(np.uint16))]
        out = np.zeros(len(indices) * samples, dtype)
        _, deviations = frames.decode_into(out, indices, DecodeOptions(**options), transforms=transforms)
        deviations = [*frames.deviations(), *deviations]
    except DecodeError as error:
        return type(error), error.kind, error.clause, error.offset, error.frame_index
    except ValueError as error:
        return type(error)
    return out.tobytes(), [(index, clause, offset) for index, _, clause, offset in deviations]
