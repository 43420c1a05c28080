"""Hypothesis strategies: images of every depth and layout, small enough to try many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from support.encoders import native, rle
from support.encoders.dataset import ENCAPSULATED_UNCOMPRESSED, dataset, random_values

SYNTAXES = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ENCAPSULATED_UNCOMPRESSED,
    RLELossless,
)


@dataclass(frozen=True)
class Case:
    """Stored values (frames, rows, columns, samples), and the options of their encoding."""

    values: npt.NDArray[Any]
    options: dict[str, Any]

    @property
    def dataset(self) -> Dataset:
        values = self.values if self.options["samples_per_pixel"] > 1 else self.values[..., 0]
        return dataset(values, **self.options)


@st.composite
def images(
    draw: st.DrawFn,
    syntaxes: tuple[str, ...] = SYNTAXES,
    kinds: str = "uifb",
    max_side: int = 9,
    pydicom: bool = False,
) -> Case:
    """Generate an image.

    ``kinds`` are dtype kinds: unsigned (u), signed (i), float (f), bit (b); ``pydicom`` restricts the image to what
    pydicom decodes correctly.
    """
    syntax = draw(st.sampled_from(syntaxes))
    encapsulated = syntax in (RLELossless, ENCAPSULATED_UNCOMPRESSED)
    # Float Pixel Data is never encapsulated (PS3.5 A.4).
    kind = draw(st.sampled_from(kinds.replace("f", "") if encapsulated else kinds))
    allocated = 1 if kind == "b" else draw(st.sampled_from([32, 64] if kind == "f" else [8, 16, 16, 32, 64]))
    most = 1 if kind == "b" else min(4, 15 * 8 // allocated) if syntax == RLELossless else 4
    samples = draw(st.sampled_from([count for count in (1, 3, 1, 3, 4, 2)[: 2 if pydicom else 6] if count <= most]))
    stored = allocated
    if kind in "ui" and draw(st.booleans()):
        stored = draw(st.integers(1, allocated))
    shift = 0 if pydicom else draw(st.integers(0, allocated - stored))
    rows, columns, frames = draw(st.integers(1, max_side)), draw(st.integers(1, max_side)), draw(st.integers(1, 4))
    options: dict[str, Any] = {
        "transfer_syntax": syntax,
        "samples_per_pixel": samples,
        "bits_allocated": allocated,
        "bits_stored": stored,
        "high_bit": stored - 1 + shift,
        "planar_configuration": draw(st.integers(0, 1)) if samples > 1 else 0,
        "number_of_frames": frames,
    }
    if syntax == ExplicitVRBigEndian and allocated <= 8:
        options["ow"] = draw(st.booleans())
    if encapsulated:
        options["table"] = draw(st.sampled_from(["none", "basic", "wrong", "extended"]))
    if syntax == RLELossless:
        options["style"] = draw(st.sampled_from(sorted(rle.STYLES)))
    if options.get("table") == "basic":
        options["fragments"] = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = np.dtype(f"{'u' if kind == 'b' else kind}{max(1, allocated // 8)}")
    values = random_values(rng, (frames, rows, columns, samples), stored, dtype)
    if samples == 3 and rows * columns % 2 == 0 and kind == "u" and syntax != RLELossless and draw(st.booleans()):
        options["photometric_interpretation"] = "YBR_FULL_422"
        if pydicom:
            options["planar_configuration"] = 0
        values = native.share_colour(values)
    elif kind != "f" and draw(st.booleans()):
        options["garbage"] = rng.integers(0, 2**64, values.shape, np.uint64)
    return Case(values, options)
