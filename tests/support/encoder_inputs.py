"""Images for tests of encoders."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from support.encoders.dataset import dataset

Array = np.ndarray[Any, Any]

# Arrays of a type or shape that the encoders of JPEG Lossless and JPEG-LS refuse.
UNSUPPORTED_BY_JPEG = [
    np.zeros((2, 2), np.uint32),
    np.zeros((2, 2), np.float32),
    np.zeros((2, 2), bool),
    np.zeros(4, np.uint8),
    np.zeros((2, 2, 2, 2), np.uint8),
    np.zeros((2, 2, 5), np.uint8),
    np.zeros((0, 2), np.uint8),
    np.zeros((2, 0), np.uint8),
    np.zeros((2, 2, 0), np.uint8),
    np.zeros((65536, 1), np.uint8),
    np.zeros((1, 65536), np.uint8),
]


def noise(shape: tuple[int, ...], precision: int, seed: int = 0, dtype: Any = None) -> Array:
    """Return random values of `precision` bits in the smallest dtype that holds them."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 1 << precision, shape).astype(dtype or (np.uint8 if precision <= 8 else np.uint16))


def native_dataset(image: Array, **options: Any) -> Dataset:
    """Return a native data set of one frame; `options` are those of `dataset`."""
    samples_per_pixel = image.shape[2] if image.ndim == 3 and "number_of_frames" not in options else 1
    return dataset(image, ExplicitVRLittleEndian, samples_per_pixel=samples_per_pixel, **options)
