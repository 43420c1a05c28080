"""`DecodeOptions`: the options of a decoding call, passed to the core and to the NumPy backend as one object."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple


# The core reads the fields by position: keep their order equal to `OptionArgs` in rust/py/src/frame_args.rs.
class DecodeOptions(NamedTuple):
    """Options of one decoding call. Public functions take them as flat keywords."""

    threads: int = 1
    """Maximum number of threads, the calling one included."""
    strict: bool = False
    """Raise deviations as errors."""
    to_rgb: bool = False
    """Convert ``YBR_FULL`` and ``YBR_FULL_422`` to RGB."""
    max_bytes: int | None = None
    """Maximum number of output and scratch bytes; None if only the size of the data bounds them."""
    segment_byte_order: Literal["big", "little"] = "big"
    """Order of the byte segments of an RLE sample; ``"big"`` is that of PS3.5 G.2."""
    portable: bool = False
    """Use only the instructions that every CPU has; the NumPy backend ignores it."""
    entropy_mode: Literal["serial", "lanes", "speculative"] | None = None
    """Mode of decoding entropy-coded data; None for the fastest one. The NumPy backend ignores it."""
    reduce: int = 0
    """Number of resolutions to discard; each halves rows and columns, rounded up."""


@lru_cache(maxsize=16)
def output_options(threads: int, strict: bool, to_rgb: bool, max_bytes: int | None, reduce: int = 0) -> DecodeOptions:
    """Return the options with these fields; cached, because making a tuple takes 2 % of decoding a small file."""
    return DecodeOptions(threads, strict, to_rgb, max_bytes, reduce=reduce)
