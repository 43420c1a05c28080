"""Small files of JPEG DCT frames: processes, samplings, scan layouts and transfer syntaxes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

from support.arithmetic_jpeg import COLOUR, GRAY, GRAY_PROGRESSIVE, YBR_COMPONENTS
from support.encoders import jpeg_dct
from support.encoders.dataset import dataset, to_bytes

_ROWS, _COLUMNS = 19, 26
_PROGRESSIVE = "1.2.840.10008.1.2.4.55"


def _picture(components: int, precision: int, seed: int) -> np.ndarray[Any, Any]:
    """Return a gradient with a pattern, equal on every machine."""
    y, x, component = np.mgrid[0:_ROWS, 0:_COLUMNS, 0:components]
    pattern = (x * 7 + y * 11 + component * 40 + seed * 13 + x * y % 5 * 9) % 256
    values = (pattern << precision - 8).astype(np.uint8 if precision == 8 else np.uint16)
    return values[..., 0] if components == 1 else values


def _file(name: str, components: int = 1, precision: int = 8, **options: Any) -> tuple[str, bytes]:
    """Return a file of two frames."""
    uid = options.pop("uid", JPEGBaseline8Bit if precision == 8 else JPEGExtended12Bit)
    colour = options.pop("colour", "YBR_FULL_422")
    attributes = options.pop("attributes", None)
    frames = np.stack([_picture(components, precision, seed) for seed in range(2)])
    coded = [jpeg_dct.encode_image(frame, precision=precision, quality=70, **options) for frame in frames]
    ds = dataset(
        frames,
        uid,
        samples_per_pixel=components,
        bits_stored=precision,
        photometric_interpretation=colour if components == 3 else None,
        coded=coded,
        table="basic",
        attributes=attributes,
    )
    return f"jpeg_{name}", to_bytes(ds)


def files() -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file."""
    scans = jpeg_dct.progressive_scans
    # Fallback decoders decode these two.
    yield "jpeg_arithmetic", to_bytes(dataset(GRAY, JPEGExtended12Bit, coded=[GRAY_PROGRESSIVE]))
    colour = dataset(
        COLOUR, JPEGExtended12Bit, photometric_interpretation="YBR_FULL", coded=[YBR_COMPONENTS], samples_per_pixel=3
    )
    yield "jpeg_arithmetic_colour", to_bytes(colour)
    yield _file("gray")
    yield _file("gray_restarts", restart_interval=1, tables="typical", define_tables=False)
    yield _file("12_bits", precision=12, tables="long", attributes={"RescaleSlope": "0.5", "RescaleIntercept": "-9"})
    yield _file("420", 3, sampling="420")
    yield _file("422_restarts", 3, sampling="422", restart_interval=2, segments=jpeg_dct.JFIF)
    yield _file("440_dnl", 3, sampling="440", use_dnl=True)
    yield _file("411_scans", 3, sampling="411", interleaved=False, redefine=True)
    yield _file("444_rgb", 3, colour="RGB", segments=jpeg_dct.adobe(0), identifiers=(82, 71, 66))
    yield _file("12_bits_420", 3, 12, sampling="420", colour="RGB")
    yield _file("progressive", uid=_PROGRESSIVE, marker=jpeg_dct.PROGRESSIVE, scans=scans(1))
    yield _file(
        "progressive_420",
        3,
        uid=_PROGRESSIVE,
        sampling="420",
        marker=jpeg_dct.PROGRESSIVE,
        scans=scans(3, refinements=2),
        restart_interval=3,
    )
