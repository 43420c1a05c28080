"""A small multi-frame Dataset for tests of `decode`."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, RLELossless

from support.encoders.dataset import dataset

RNG = np.random.default_rng(7)


FRAMES = RNG.integers(-2048, 2048, (6, 5, 7), dtype=np.int16)


SYNTAXES = [ExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless]


def series(syntax: str = ExplicitVRLittleEndian, **options: Any) -> Dataset:
    return dataset(FRAMES, syntax, bits_stored=12, **options)
