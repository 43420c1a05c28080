"""The peers of `dicoxide.bench` as tables name them, and how single frames are timed with them."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clock import Times, in_turns
from corpus import Frame
from dicoxide.bench._decoders import DECODERS, DICOXIDE
from dicoxide.bench._decoders import Decoder as BenchDecoder

__all__ = ["Decoder", "from_frame_to_frame", "missing"]


@dataclass(frozen=True, eq=False)
class Decoder:
    """A peer at a level, in one of its variants."""

    name: str
    peer: BenchDecoder
    level: str = "codec"
    variant: str = ""
    module: str = ""
    """Of a peer of several packages, the one that is meant."""

    @property
    def is_ours(self) -> bool:
        """Whether it is no peer."""
        return self.peer is DECODERS[DICOXIDE]

    def missing(self) -> str | None:
        """Why it cannot be measured, if so."""
        try:
            self.peer.load()
            if self.module:
                importlib.import_module(self.module)
        except ImportError as error:
            return f"{self.name} is not installed: {error}"
        return None

    def is_right(self, frame: Frame, result: Any) -> bool:
        """Whether every value of a result is that of the reference."""
        return np.array_equal(self.peer.normalised(self.level, frame.opened, result), frame.reference)

    def verdict(self, frame: Frame) -> str | None:
        """What keeps a frame from being timed: a wrong answer has no speed."""
        # No other's answer is left in it.
        frame.opened.out(self.level).fill(0)
        try:
            call = self.peer.bind(self.level, frame.opened, self.variant, 1)
            result = call() if call else None
        except Exception:
            return "error"
        if result is None:
            return "unsupported"
        return None if self.is_right(frame, result) else "wrong"


def missing(*decoders: Decoder) -> str | None:
    """Why a table cannot be made."""
    return next((reason for decoder in decoders if (reason := decoder.missing())), None)


def from_frame_to_frame(
    frames: Sequence[Frame], decoders: Sequence[Decoder], rounds: int, *, cpu: bool
) -> Times[tuple[int, Decoder]]:
    """Seconds by frame and decoder, into warm memory where a decoder takes it; a peer that errs is left out.

    Every decoder goes through all frames before the next has its turn, so that none decodes what it has just decoded,
    none finds a frame as another has left it, and no branch predictor learns one frame by heart.
    """
    calls, outs = {}, {}
    for decoder in decoders:
        for index, frame in enumerate(frames):
            # A failure of ours ends the run.
            if decoder.is_ours or decoder.verdict(frame) is None:
                call = decoder.peer.bind(decoder.level, frame.opened, decoder.variant, 1)
                assert call is not None
                calls[index, decoder] = call
                outs[index, decoder] = frame.opened.out(decoder.level).reshape(-1).view(np.uint8)

    def before(key: tuple[int, Decoder]) -> None:
        # Source and output are in the cache, as after reading the one and using the other.
        outs[key].fill(0xAA)
        zlib.crc32(frames[key[0]].src)

    def check(key: tuple[int, Decoder], result: object) -> None:
        index, decoder = key
        if not decoder.is_right(frames[index], result):
            raise AssertionError(f"{decoder.name} gave wrong values for {frames[index].name}")

    return Times(in_turns(calls, rounds, before=before, check=check, cpu=cpu))
