"""Small files of JPEG-LS frames: interleave modes, NEAR, presets, restart intervals and transfer syntaxes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from pydicom.uid import JPEGLSLossless, JPEGLSNearLossless

from support.encoders import jpegls
from support.encoders.dataset import dataset, to_bytes
from support.encoders.jpegls_scans import Presets

_ROWS, _COLUMNS = 13, 22


def _picture(components: int, precision: int, seed: int) -> np.ndarray[Any, Any]:
    """Return a gradient with a pattern and runs of equal samples, equal on every machine."""
    y, x, component = np.mgrid[0:_ROWS, 0:_COLUMNS, 0:components]
    pattern = x * 7 + y * 11 + component * 40 + seed * 13 + x * y % 5 * 9
    pattern[y > 8] = 77
    values = (pattern << max(precision - 8, 0)) % (1 << precision)
    samples = values.astype(np.uint8 if precision <= 8 else np.uint16)
    return samples[..., 0] if components == 1 else samples


def _file(name: str, components: int = 1, precision: int = 8, **options: Any) -> tuple[str, bytes]:
    """Return a file of two frames."""
    frames = [_picture(components, precision, seed) for seed in range(2)]
    encoded = [jpegls.encode_frame(frame, precision=precision, **options) for frame in frames]
    ds = dataset(
        np.stack([frame.values for frame in encoded]),
        JPEGLSNearLossless if options.get("near") else JPEGLSLossless,
        samples_per_pixel=components,
        bits_stored=precision,
        photometric_interpretation="RGB" if components == 3 else None,
        coded=[frame.src for frame in encoded],
        table="basic",
    )
    return f"jpegls_{name}", to_bytes(ds)


def files() -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file."""
    yield _file("gray")
    yield _file("gray_near", near=2)
    yield _file("12_bits", precision=12, presets=Presets(4095, 20, 70, 280, 31))
    yield _file("16_bits_near", precision=16, near=30, restart_interval=3)
    yield _file("line", 3)
    yield _file("sample", 3, interleave="sample", restart_interval=4, fill_bytes=1)
    yield _file("sample_near", 3, interleave="sample", near=3)
    yield _file("scans", 3, interleave="none")
    yield _file("transform", 3, transform=2)
    yield _file("oversize_dnl", oversize_bytes=3, dnl_bytes=2)
    yield _file("table", segments=jpegls.lse_table(5, 1, bytes(range(256))))
