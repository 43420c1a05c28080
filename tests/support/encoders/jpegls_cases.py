"""Random JPEG-LS frames of every precision, interleave mode, NEAR and preset; each is reproduced by its seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from support.encoders import jpeg_lossless, jpegls
from support.encoders.jpeg_lossless_cases import picture
from support.encoders.jpegls_scans import Presets

Array = npt.NDArray[Any]

KINDS = ("noise", "smooth", "constant", "extremes", "gradient", "runs", "sparse", "step")
SEGMENTS = (b"", b"", jpeg_lossless.COMMENT, jpeg_lossless.APP0, jpeg_lossless.APP14)
MAPPING_TABLE = jpegls.lse_table(7, 1, bytes(range(200))) + jpegls.lse_table(
    7, 1, bytes(range(200, 256)), is_continuation=True
)


def samples_of(rng: np.random.Generator, shape: tuple[int, ...], maxval: int, kind: str) -> Array:
    """Return samples up to `maxval`: those of `picture`, ramps, runs of equal values, single dots, or two halves."""
    precision = maxval.bit_length()
    rows, columns = np.indices(shape)[:2]
    if kind == "gradient":
        values = (rows * rng.integers(-3, 4) + columns * rng.integers(-3, 4)) % (maxval + 1)
    elif kind == "runs":
        values = rng.integers(0, maxval, shape, endpoint=True)
        is_start = rng.random(shape[:2]) < 0.1
        values = np.where(is_start[(...,) + (None,) * (len(shape) - 2)], values, 0)
        values = np.cumsum(values, axis=1) % (maxval + 1)
    elif kind == "sparse":
        values = np.where(rng.random(shape) < 0.03, rng.integers(0, maxval, shape, endpoint=True), maxval // 3)
    elif kind == "step":
        low, high = rng.integers(0, maxval, 2, endpoint=True)
        values = np.where(columns < rng.integers(0, shape[1], endpoint=True), low, high)
    else:
        values = np.minimum(picture(rng, shape, precision, kind), maxval)
    return values.astype(np.uint8 if precision <= 8 else np.uint16)


def small_shape(rng: np.random.Generator, max_side: int) -> tuple[int, int]:
    """Return rows and columns: often 1, and often few rows of many columns."""
    rows, columns = rng.integers(1, max_side, 2, endpoint=True).tolist()
    layout = rng.integers(6)
    if layout == 0:
        return 1, columns
    if layout == 1:
        return rows, 1
    return (min(rows, 3), 8 * columns) if layout == 2 else (rows, columns)


@dataclass(frozen=True)
class Frame:
    """Samples and options of an encoded frame."""

    seed: int
    kind: str
    samples: Array
    options: dict[str, Any]

    @cached_property
    def encoded(self) -> jpegls.Encoded:
        return jpegls.encode_frame(self.samples, **self.options)

    @property
    def precision(self) -> int:
        return int(self.options["precision"])

    @property
    def near(self) -> int:
        return max(scan.near for scan in self.options["scans"])

    @property
    def src(self) -> bytes:
        return self.encoded.src

    @property
    def values(self) -> Array:
        return self.encoded.values

    @property
    def is_decoded_by_charls(self) -> bool:
        """True if CharLS 2.4 decodes the frame as T.87 demands.

        It ignores MAXVAL of presets, and RESET in sample-interleaved scans; it stores RESET in eight bits; it refuses
        DNL, mapping tables and two interleaved components; it returns scans of different modes in no usable order.
        """
        presets, scans = self.options["presets"] or Presets(), self.options["scans"]
        order = [index for scan in scans for index in scan.components]
        is_interleaved = any(len(scan.components) > 1 for scan in scans)
        return (
            presets.maxval in (0, (1 << self.precision) - 1)
            and not (presets.reset not in (0, 64) and any(scan.interleave == jpegls.SAMPLE for scan in scans))
            and presets.reset <= 255
            and not self.options["dnl_bytes"]
            and not self.options["segments"].endswith(MAPPING_TABLE)
            and not (is_interleaved and (len(scans) > 1 or len(scans[0].components) == 2))
            and order == sorted(order)
        )

    def __str__(self) -> str:
        return f"seed {self.seed}, {self.kind} {self.samples.shape} {self.samples.dtype}, {self.options}"


def random_presets(rng: np.random.Generator, precision: int) -> Presets:
    """Return valid preset coding parameters, some of them defaults; the thresholds fit every NEAR up to 1."""
    largest = (1 << precision) - 1
    maxval = int(rng.choice([0, largest, rng.integers(3, largest, endpoint=True)]))
    thresholds = np.sort(rng.integers(min(2, maxval or largest), maxval or largest, 3, endpoint=True)).tolist()
    if rng.random() < 0.3:
        thresholds = [0, 0, 0]
    return Presets(maxval, *thresholds, int(rng.choice([0, 3, 4, 31, 64, 255, max(255, maxval)])))


def random_scans(rng: np.random.Generator, count: int, nears: list[int]) -> list[jpegls.Scan]:
    """Return scans of `count` components, most often of a single interleave mode and NEAR."""
    name = str(rng.choice(list(jpegls.INTERLEAVE_MODES)))
    scans = jpegls.scans_of(count, name, int(rng.choice(nears)))
    if count > 1 and rng.random() < 0.15:
        # Different modes, orders of components, and NEAR.
        split = int(rng.integers(1, count, endpoint=True))
        order = rng.permutation(count)
        groups = [group for group in (sorted(order[:split].tolist()), sorted(order[split:].tolist())) if group]
        scans = [
            jpegls.Scan(tuple(group), int(rng.integers(1, 3)) if len(group) > 1 else 0, int(rng.choice(nears)))
            for group in groups
        ]
    return scans


def random_frame(seed: int, max_side: int = 20) -> Frame:
    """Return the frame of a seed; it conforms to the standard."""
    rng = np.random.default_rng(seed)
    precision, count = int(rng.integers(2, 17)), int(rng.choice([1, 1, 1, 3, 3, 2, 4]))
    presets = random_presets(rng, precision) if rng.random() < 0.35 else None
    maxval = (presets and presets.maxval) or (1 << precision) - 1
    # Thresholds of presets are greater than NEAR.
    limit = min(255, maxval // 2) if presets is None or presets.t1 == 0 else min(presets.t1 - 1, maxval // 2, 255)
    nears = [0] if rng.random() < 0.45 else [min(near, limit) for near in (0, 1, 2, 3, 7, 30, 255)]
    shape = (*small_shape(rng, max_side), *((count,) if count > 1 else ()))
    kind = str(rng.choice(KINDS))
    scans = random_scans(rng, count, nears)
    options: dict[str, Any] = {
        "precision": precision,
        "scans": scans,
        "presets": presets,
        "restart_interval": int(rng.choice([0, 0, 0, 1, 2, 5, shape[0], 70000])),
        "restart_bytes": int(rng.integers(3, 5)),
        "fill_bytes": int(rng.choice([0, 0, 1, 3])),
        "oversize_bytes": int(rng.choice([0, 0, 0, 0, 2, 3, 4])),
        "segments": SEGMENTS[rng.integers(len(SEGMENTS))],
        "component_ids": rng.permutation(256)[:count].tolist() if rng.random() < 0.2 else None,
        "dnl_bytes": int(rng.choice([0] * 7 + [2, 3, 4])),
        "transform": None,
    }
    can_transform = maxval + 1 in (1 << 8, 1 << 16) and len(scans) == 1 and count == 3 and not scans[0].near
    if can_transform and rng.random() < 0.4:
        options["transform"] = int(rng.integers(4))
    if rng.random() < 0.1:
        # A mapping table that no component selects.
        options["segments"] += MAPPING_TABLE
    return Frame(seed, kind, samples_of(rng, shape, maxval, kind), options)
