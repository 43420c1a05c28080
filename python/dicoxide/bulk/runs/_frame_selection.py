"""Selection of frames by indices and ranges, such as ``0,3:10``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["FrameSelection"]

# (start, stop, step) of a Python slice.
_Range: TypeAlias = tuple[int | None, int | None, int | None]

_PART = re.compile(r"(-?\d+)|(-?\d*):(-?\d*)(?::([1-9]\d*))?")


@dataclass(frozen=True, slots=True)
class FrameSelection:
    """Zero-based indices and Python slices; empty for all frames. Negative indices count from the last frame."""

    parts: tuple[int | _Range, ...] = ()

    @classmethod
    def parse(cls, text: str) -> FrameSelection:
        """Parse a selection such as ``0,3:10``.

        Raises
        ------
        ValueError
            If `text` is not a list of indices and ranges.
        """
        parts: list[int | _Range] = []
        for part in text.split(","):
            match = _PART.fullmatch(part.strip())
            if match is None:
                raise ValueError(f"frames must be indices and ranges such as 0,3:10, not {text!r}")
            index, *bounds = match.groups()
            if index is not None:
                parts.append(int(index))
            else:
                start, stop, step = (int(bound) if bound else None for bound in bounds)
                parts.append((start, stop, step))
        return cls(tuple(parts))

    def indices(self, frame_count: int) -> tuple[list[int], int | None]:
        """Return (selected indices among `frame_count` frames, each once; None).

        If an index is out of range, return (empty list; that index). Ranges select the frames that exist.
        """
        if not self.parts:
            return list(range(frame_count)), None
        selected: dict[int, None] = {}
        for part in self.parts:
            if isinstance(part, int):
                if not -frame_count <= part < frame_count:
                    return [], part
                selected[part % frame_count] = None
            else:
                selected.update(dict.fromkeys(range(*slice(*part).indices(frame_count))))
        return list(selected), None
