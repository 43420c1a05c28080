"""`reduce` of images whose frames have one resolution, and its range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, JPEGLossless, RLELossless

import dicoxide
from support.encoders import jpeg_lossless
from support.encoders.dataset import dataset, to_bytes

JPIP_REFERENCED = "1.2.840.10008.1.2.4.94"
FRAMES = np.random.default_rng(8).integers(0, 4096, (3, 9, 14), dtype=np.uint16)
NEEDS_EXTENSION = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG Lossless")


def image(syntax: str) -> Dataset:
    coded = [jpeg_lossless.encode(frame, precision=12) for frame in FRAMES] if syntax == JPEGLossless else None
    return dataset(FRAMES, syntax, bits_stored=12, **({} if coded is None else {"coded": coded}))


CALLS: dict[str, Callable[[Dataset, int], Any]] = {
    "decode": lambda ds, reduce: dicoxide.decode(ds, reduce=reduce),
    "decode of a file": lambda ds, reduce: dicoxide.decode(to_bytes(ds), frames=1, reduce=reduce),
    "iter_frames": lambda ds, reduce: np.array(list(dicoxide.iter_frames(ds, reduce=reduce))),
    "Image.decode": lambda ds, reduce: dicoxide.open(ds).decode(reduce=reduce),
    "decode_many": lambda ds, reduce: next(dicoxide.decode_many([to_bytes(ds)], reduce=reduce))[1],
}


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, RLELossless, pytest.param(JPEGLossless, marks=NEEDS_EXTENSION)]
)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_reduce_without_resolutions_raises_value_error(syntax: str, call: Callable[..., Any]) -> None:
    ds = image(syntax)
    expected = FRAMES[1] if call is CALLS["decode of a file"] else FRAMES
    assert np.array_equal(call(ds, 0), expected)
    for reduce in (1, 3, 32):
        with pytest.raises(ValueError, match=f"reduce is {reduce}, the frame has 1 resolution level"):
            call(ds, reduce)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("reduce", [-1, 33, 1 << 70])
def test_reduce_out_of_range_raises_value_error(call: Callable[..., Any], reduce: int) -> None:
    with pytest.raises(ValueError, match=f"reduce must be 0 to 32, not {reduce}"):
        call(image(ExplicitVRLittleEndian), reduce)


def test_reduce_with_a_view_raises_value_error() -> None:
    with pytest.raises(ValueError, match="cannot be combined"):
        dicoxide.decode(to_bytes(image(ExplicitVRLittleEndian)), copy=False, reduce=1)


def test_reduce_is_not_passed_to_fallback_decoders() -> None:
    ds = dataset(FRAMES[:1], JPIP_REFERENCED, bits_stored=12, coded=[b"\0\0\1\xb3"])
    with pytest.raises(dicoxide.UnsupportedError, match="no codec"):
        dicoxide.decode(ds, reduce=1)
