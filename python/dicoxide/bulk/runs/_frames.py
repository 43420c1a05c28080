"""Which frames of each object are wanted, as the command line says it: ``0,3:10``."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["FrameSelection"]

_PART = re.compile(r"(-?\d+)|(-?\d*):(-?\d*)(?::([1-9]\d*))?")


@dataclass(frozen=True, slots=True)
class FrameSelection:
    """Indices and Python slices; all frames without any. Indices below zero count from the last frame."""

    parts: tuple[int | tuple[int | None, int | None, int | None], ...] = ()

    @classmethod
    def parse(cls, text: str) -> FrameSelection:
        """The selection that `text` describes; a ValueError if it describes none."""
        parts: list[int | tuple[int | None, int | None, int | None]] = []
        for part in text.split(","):
            match = _PART.fullmatch(part.strip())
            if match is None:
                raise ValueError(f"frames are indices and ranges such as 0,3:10, not {text!r}")
            index, *bounds = match.groups()
            if index is not None:
                parts.append(int(index))
            else:
                start, stop, step = (int(bound) if bound else None for bound in bounds)
                parts.append((start, stop, step))
        return cls(tuple(parts))

    def of(self, count: int) -> tuple[list[int], int | None]:
        """The indices among `count` frames, each once, and the first index that is asked for and not there."""
        if not self.parts:
            return list(range(count)), None
        chosen: dict[int, None] = {}
        for part in self.parts:
            if isinstance(part, int):
                if not -count <= part < count:
                    return [], part
                chosen[part % count] = None
            else:
                chosen.update(dict.fromkeys(range(*slice(*part).indices(count))))
        return list(chosen), None
