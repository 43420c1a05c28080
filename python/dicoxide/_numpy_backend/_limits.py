"""The memory limit of one call."""

from __future__ import annotations

from dicoxide._numpy_backend._errors import make_error


class Limits:
    """Counts the output and scratch bytes of one call, and raises before they exceed `max_bytes`.

    Scratch memory is reused from frame to frame, so its largest reservation counts, not the sum.
    """

    def __init__(self, max_bytes: int | None, output_bytes: int = 0) -> None:
        self._max_bytes = max_bytes
        self._output_bytes = output_bytes
        self._scratch_bytes = 0
        self.reserve(0)

    def reserve(self, scratch_bytes: int) -> None:
        """Reserve scratch memory for one frame; to be called before it is allocated."""
        self._scratch_bytes = max(self._scratch_bytes, scratch_bytes)
        needed = self._output_bytes + self._scratch_bytes
        if self._max_bytes is not None and needed > self._max_bytes:
            text = f"{needed} bytes of output and scratch needed, max_bytes is {self._max_bytes}"
            raise make_error("LimitExceeded", text)
