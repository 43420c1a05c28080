"""Timing of single frames with the decoders of `dicoxide.bench`."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from corpus import Frame
from dicoxide.bench import DECODERS, DICOXIDE
from dicoxide.bench._decoders import Decoder
from timing import MedianTimes, time_alternately

__all__ = ["DecoderVariant", "missing_reason", "time_frames"]


@dataclass(frozen=True, eq=False)
class DecoderVariant:
    """A decoder at one level, in one of its variants."""

    name: str
    decoder: Decoder
    level: str = "codec"
    variant: str = ""
    module: str = ""
    """The module that is used, if the decoder has several."""

    @property
    def is_dicoxide(self) -> bool:
        """True if this is dicoxide itself."""
        return self.decoder is DECODERS[DICOXIDE]

    def missing_reason(self) -> str | None:
        """Return why the decoder cannot be imported, or None."""
        try:
            self.decoder.load()
            if self.module:
                importlib.import_module(self.module)
        except ImportError as error:
            return f"{self.name} is not installed: {error}"
        return None

    def is_correct(self, frame: Frame, result: Any) -> bool:
        """True if all values of a result equal those of the reference."""
        return np.array_equal(self.decoder.normalised(self.level, frame.loaded, result), frame.reference)

    def failure(self, frame: Frame) -> str | None:
        """Decode a frame once; return ``error``, ``unsupported`` or ``wrong``, or None if the result is correct."""
        # Removes the result of another decoder.
        frame.loaded.out(self.level).fill(0)
        try:
            call = self.decoder.bind(self.level, frame.loaded, self.variant, 1)
            result = call() if call else None
        except Exception:
            return "error"
        if result is None:
            return "unsupported"
        return None if self.is_correct(frame, result) else "wrong"


def missing_reason(*variants: DecoderVariant) -> str | None:
    """Return why one of the decoders cannot be imported, or None."""
    return next((reason for variant in variants if (reason := variant.missing_reason())), None)


def time_frames(
    frames: Sequence[Frame], variants: Sequence[DecoderVariant], rounds: int, *, use_cpu_time: bool
) -> MedianTimes[tuple[int, DecoderVariant]]:
    """Return times by frame index and decoder, into mapped memory if the decoder takes it.

    Other decoders are left out for frames that they do not decode correctly. Each decoder decodes all frames before the
    next one starts, so that it never decodes the same frame twice in a row: branch predictor and caches would be warm.
    """
    calls, outs = {}, {}
    for variant in variants:
        for index, frame in enumerate(frames):
            # A failure of dicoxide ends the run.
            if variant.is_dicoxide or variant.failure(frame) is None:
                call = variant.decoder.bind(variant.level, frame.loaded, variant.variant, 1)
                assert call is not None
                calls[index, variant] = call
                outs[index, variant] = frame.loaded.out(variant.level).reshape(-1).view(np.uint8)

    def before(key: tuple[int, DecoderVariant]) -> None:
        # Loads output and source into the cache, as if the application had just used them.
        outs[key].fill(0xAA)
        zlib.crc32(frames[key[0]].loaded.frame)

    def check(key: tuple[int, DecoderVariant], result: object) -> None:
        index, variant = key
        if not variant.is_correct(frames[index], result):
            raise AssertionError(f"wrong result of {variant.name} for {frames[index].name}")

    return MedianTimes(time_alternately(calls, rounds, before=before, check=check, use_cpu_time=use_cpu_time))
