"""The compiled core and the NumPy backend, asked the same, so that their answers can be compared."""

from __future__ import annotations

from typing import Any

import numpy as np

from dicoxide.errors import DecodeError


def outcome(core: Any, arguments: dict[str, Any], dtype: Any, **options: Any) -> Any:
    """The samples and what was noted, or all that an error tells."""
    arguments = dict(arguments)
    try:
        frames = core.Frames(arguments.pop("transfer_syntax"), arguments.pop("value"), **arguments)
        indices = list(range(len(frames)))
        samples = arguments["rows"] * arguments["columns"] * arguments["samples_per_pixel"]
        if len(indices) * samples > 1 << 20:
            return "large"
        frames.check(indices)
        out = np.zeros(len(indices) * samples, dtype)
        notes = [*frames.notes(), *frames.decode_into(out, indices, **options)[1]]
    except DecodeError as error:
        return type(error), error.kind, error.clause, error.offset, error.frame_index
    except ValueError as error:
        return type(error)
    return out.tobytes(), [(index, clause, offset) for index, _, clause, offset in notes]
