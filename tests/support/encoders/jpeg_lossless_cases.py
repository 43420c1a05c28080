"""Hypothesis strategies: JPEG Lossless frames of every precision, scan layout, predictor and table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLossless

from support.encoders import encapsulate, jpeg_lossless
from support.encoders.dataset import dataset

Array = npt.NDArray[Any]

KINDS = ("noise", "smooth", "constant", "extremes")


def picture(rng: np.random.Generator, shape: tuple[int, ...], precision: int, kind: str = "smooth") -> Array:
    """Return samples below 2^precision as uint8 or uint16: noise, a noisy random walk, one value, or both extremes."""
    maximum = (1 << precision) - 1
    if kind == "constant":
        values = np.full(shape, rng.integers(0, maximum, endpoint=True))
    elif kind == "extremes":
        values = rng.integers(0, 2, shape) * maximum
    elif kind == "noise":
        values = rng.integers(0, maximum, shape, endpoint=True)
    else:
        rows = np.cumsum(rng.normal(0, max(0.5, maximum / 200), shape[:1]))
        columns = np.cumsum(rng.normal(0, max(0.5, maximum / 200), shape[1:2]))
        ground = rows[:, None] + columns + maximum / 2
        ground = ground.reshape(ground.shape + (1,) * (len(shape) - 2))
        values = np.clip(np.rint(ground + rng.normal(0, max(0.7, maximum / 400), shape)), 0, maximum)
    return values.astype(np.uint8 if precision <= 8 else np.uint16)


@dataclass(frozen=True)
class Frame:
    """Samples and options of an encoded frame."""

    samples: Array
    precision: int
    options: dict[str, Any]

    @property
    def src(self) -> bytes:
        return jpeg_lossless.encode(self.samples, precision=self.precision, **self.options)

    @property
    def values(self) -> Array:
        """Decoded samples: the bits removed by the point transform are zero (A.4)."""
        shift = self.options.get("point_transform", 0)
        return self.samples >> shift << shift

    @property
    def dataset(self) -> Dataset:
        return dataset(
            self.values,
            JPEGLossless,
            samples_per_pixel=1 if self.values.ndim == 2 else self.values.shape[2],
            bits_stored=self.precision,
            coded=[self.src],
        )


def wrapped(src: bytes) -> bytes:
    """Return the Pixel Data value of a single frame."""
    return encapsulate.encapsulate([src]).value


def scan_layouts(components: int) -> list[list[list[int]]]:
    """Return assignments of components to scans; components of a scan keep their order (B.2.3)."""
    layouts = {
        1: [[[0]]],
        2: [[[0, 1]], [[0], [1]], [[1], [0]]],
        3: [[[0, 1, 2]], [[0], [1], [2]], [[2], [0], [1]], [[0], [1, 2]], [[0, 2], [1]]],
        4: [[[0, 1, 2, 3]], [[0], [1], [2], [3]], [[3], [0, 1, 2]], [[0, 1], [2, 3]], [[1, 3], [0], [2]]],
    }
    return layouts[components]


@st.composite
def frames(draw: st.DrawFn, max_side: int = 12, min_precision: int = 2) -> Frame:
    """Generate a frame that conforms to the standard."""
    precision = draw(st.integers(min_precision, 16))
    components = draw(st.sampled_from([1, 1, 3, 2, 4]))
    rows, columns = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    scans = draw(st.sampled_from(scan_layouts(components)))
    names = ["optimal", "fixed", "flat", "skewed"]
    options: dict[str, Any] = {
        "selection_value": draw(st.one_of(st.integers(1, 7), st.tuples(*[st.integers(1, 7) for _ in scans]))),
        "point_transform": draw(st.sampled_from([0, 0, 1, precision - 1])),
        "restart_interval": draw(st.sampled_from([0, 0, 1, 2, rows, rows + 1])) * columns,
        "scans": scans,
        "fill_bytes": draw(st.sampled_from([0, 0, 1, 3])),
        "use_dnl": draw(st.sampled_from([False, False, True])),
        "pad_bit": draw(st.sampled_from([1, 1, 0])),
        "one_dht": draw(st.booleans()),
        # JFIF declares three components to be YCbCr.
        "segments": draw(
            st.sampled_from(
                [
                    b"",
                    jpeg_lossless.APP14,
                    (jpeg_lossless.APP1 if components == 3 else jpeg_lossless.APP0) + jpeg_lossless.COMMENT,
                ]
            )
        ),
    }
    if draw(st.booleans()):
        options["tables"] = draw(st.sampled_from(names))
        options["redefine"] = draw(st.booleans())
    else:
        options["tables"] = [draw(st.sampled_from(names)) for _ in range(components)]
        options["table_ids"] = draw(st.permutations(range(4)))[:components]
    if not options.get("redefine"):
        options["dht_first"] = draw(st.booleans())
    if draw(st.booleans()):
        options["component_ids"] = draw(
            st.lists(st.integers(0, 255), min_size=components, max_size=components, unique=True)
        )
    if options["point_transform"] == 0 and draw(st.booleans()):
        options["wrap_bits"] = precision
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (rows, columns) if components == 1 else (rows, columns, components)
    return Frame(picture(rng, shape, precision, draw(st.sampled_from(KINDS))), precision, options)
