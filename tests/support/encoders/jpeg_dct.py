"""JPEG DCT encoder (ITU-T T.81 Annexes F and G with Huffman coding) with the options of different encoders.

`encode` writes given coefficients, `encode_image` those of samples. Other functions return single segments, from which
tests build invalid frames.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from support.encoders.huffman import Table
from support.encoders.jpeg_dct_scans import MAX_EOB_RUN, CodedComponent, Destination, Scan, entropy_coded, scan_tokens
from support.encoders.jpeg_dct_tables import (
    CHROMINANCE_QUANTIZATION,
    LUMINANCE_QUANTIZATION,
    ZIGZAG,
    huffman_table,
    quantization,
)
from support.encoders.jpeg_lossless import EOI, SOI, dht, dnl, dri, restarts, segment

Array = npt.NDArray[Any]
BASELINE, EXTENDED, PROGRESSIVE = 0xC0, 0xC1, 0xC2
# Sampling factors by their usual names; the factors of further components are 1.
SAMPLINGS = {
    "444": ((1, 1), (1, 1), (1, 1)),
    "422": ((2, 1), (1, 1), (1, 1)),
    "420": ((2, 2), (1, 1), (1, 1)),
    "440": ((1, 2), (1, 1), (1, 1)),
    "411": ((4, 1), (1, 1), (1, 1)),
    "410": ((4, 2), (1, 1), (1, 1)),
}
JFIF = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"


def adobe(transform: int) -> bytes:
    """Return an APP14 segment that declares a colour transform: 0 none, 1 YCbCr, 2 YCCK."""
    return segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))


@dataclass(frozen=True)
class Plane:
    """A component: quantised coefficients in natural order (block rows, block columns, 64), and its parameters.

    The blocks cover all MCUs. ``tables`` are the destinations of its DC and AC tables.
    """

    blocks: Array
    sampling: tuple[int, int] = (1, 1)
    quantization: int = 0
    tables: tuple[int, int] = (0, 0)
    identifier: int = 1


def sof(
    marker: int, precision: int, lines: int, columns: int, components: Sequence[tuple[int, tuple[int, int], int]]
) -> bytes:
    """Return the frame header (B.2.2) of (identifier, sampling factors, quantization destination)."""
    parts = [bytes([number, h << 4 | v, table]) for number, (h, v), table in components]
    return segment(marker, struct.pack(">BHHB", precision, lines, columns, len(components)) + b"".join(parts))


def sos(components: Sequence[tuple[int, tuple[int, int]]], parameters: tuple[int, int, int, int]) -> bytes:
    """Return the scan header (B.2.3) of (identifier, table destinations) with Ss, Se, Ah and Al."""
    parts = b"".join(bytes([number, dc << 4 | ac]) for number, (dc, ac) in components)
    start, end, high, low = parameters
    return segment(0xDA, bytes([len(components)]) + parts + bytes([start, end, high << 4 | low]))


def dqt(tables: Iterable[tuple[int, Array]], *, wide: bool | None = None) -> bytes:
    """Return one segment of quantization tables (B.2.4.1). ``wide``: 16 bits (Pq 1), by default where needed."""
    payload = b""
    for number, table in tables:
        is_wide = bool((table > 255).any()) if wide is None else wide
        payload += bytes([is_wide << 4 | number]) + table[ZIGZAG].astype(">u2" if is_wide else "u1").tobytes()
    return segment(0xDB, payload)


def mcu_size(samplings: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the largest horizontal and vertical sampling factor."""
    return max(h for h, _ in samplings), max(v for _, v in samplings)


def component_size(rows: int, columns: int, samplings: Sequence[tuple[int, int]], index: int) -> tuple[int, int]:
    """Return the rows and columns of samples of a component (A.1.1)."""
    (largest_h, largest_v), (h, v) = mcu_size(samplings), samplings[index]
    return -(-rows * v // largest_v), -(-columns * h // largest_h)


def block_counts(rows: int, columns: int, samplings: Sequence[tuple[int, int]], index: int) -> tuple[int, int]:
    """Return the block rows and block columns of a component in interleaved scans (A.2.4)."""
    (largest_h, largest_v), (h, v) = mcu_size(samplings), samplings[index]
    return -(-rows // (8 * largest_v)) * v, -(-columns // (8 * largest_h)) * h


def progressive_scans(count: int, *, dc_interleaved: bool = True, refinements: int = 1, bands: int = 2) -> list[Scan]:
    """Return scans with spectral selection and successive approximation for ``count`` components."""
    low = refinements
    groups = [tuple(range(count))] if dc_interleaved else [(index,) for index in range(count)]
    edges = np.linspace(1, 64, bands + 1).astype(int).tolist()
    scans = [Scan(group, 0, 0, 0, low) for group in groups]
    for start, end in itertools.pairwise(edges):
        scans += [Scan((index,), start, end - 1, 0, low) for index in range(count)]
    while low:
        scans += [Scan(group, 0, 0, low, low - 1) for group in groups]
        scans += [Scan((index,), 1, 63, low, low - 1) for index in reversed(range(count))]
        low -= 1
    return scans


def encode(
    planes: Sequence[Plane],
    rows: int,
    columns: int,
    quantizers: Mapping[int, Array],
    *,
    precision: int = 8,
    marker: int = BASELINE,
    scans: Sequence[Scan] | None = None,
    interleaved: bool = True,
    restart_interval: int = 0,
    tables: str = "optimal",
    define_tables: bool = True,
    redefine: bool = False,
    one_dht: bool = True,
    max_eob_run: int = MAX_EOB_RUN,
    wide_quantizers: bool | None = None,
    quantizers_after_frame: bool = False,
    fill_bytes: int = 0,
    segments: bytes = b"",
    use_dnl: bool = False,
    eoi: bool = True,
    trailing: bytes = b"",
    pad_bit: int = 1,
) -> bytes:
    """Encode one frame of quantised coefficients.

    Parameters
    ----------
    quantizers :
        Quantization tables in natural order by destination.
    marker :
        The frame header's; 0xC2 selects progressive scans.
    scans, interleaved :
        The scans; by default one of all components, or one per component.
    restart_interval : int
        In MCUs; 0 disables restarts.
    tables, define_tables, redefine, one_dht :
        ``"optimal"``, ``"typical"`` or ``"long"``; without ``define_tables`` there is no DHT segment. With
        ``redefine``, tables are defined before each scan, for its symbols; without ``one_dht``, each table has its own
        segment.
    fill_bytes : int
        Number of 0xFF bytes before each marker except SOI (B.1.1.2).
    segments : bytes
        Inserted after SOI.
    use_dnl : bool
        The frame header declares 0 lines, and a DNL segment follows the first scan (B.2.5).
    """
    samplings = [plane.sampling for plane in planes]
    coded = [
        CodedComponent(
            np.asarray(plane.blocks, np.int64)[..., ZIGZAG],
            plane.sampling,
            _own_size(rows, columns, samplings, index),
            plane.tables,
        )
        for index, plane in enumerate(planes)
    ]
    order = list(scans or ([Scan(tuple(range(len(planes))))] if interleaved else _separate(len(planes))))
    intervals = _intervals(order, restart_interval)
    tokens = [
        scan_tokens(
            scan, coded, is_progressive=marker == PROGRESSIVE, restart_interval=interval, max_eob_run=max_eob_run
        )
        for scan, interval in zip(order, intervals, strict=True)
    ]
    huffman_tables = _tables(tokens, tables, redefine)
    mark = b"\xff" * fill_bytes

    def definitions(number: int) -> bytes:
        found = [(kind << 4 | index, table) for (kind, index), table in sorted(huffman_tables[number].items())]
        groups = [found] if one_dht else [[frame] for frame in found]
        return b"".join(mark + dht(group) for group in groups if group) if define_tables else b""

    quantization_segment = mark + dqt(sorted(quantizers.items()), wide=wide_quantizers)
    header = mark + sof(
        marker,
        precision,
        0 if use_dnl else rows,
        columns,
        [(plane.identifier, plane.sampling, plane.quantization) for plane in planes],
    )
    out = bytearray(SOI + segments)
    out += header + quantization_segment if quantizers_after_frame else quantization_segment + header
    out += b"" if redefine else definitions(0)
    current = 0
    for number, (scan, interval) in enumerate(zip(order, intervals, strict=True)):
        out += scan.segments + (definitions(number) if redefine else b"")
        if interval != current:
            out += mark + dri(interval)
            current = interval
        parameters = scan.written or (scan.start, scan.end, scan.high, scan.low)
        out += mark + sos([(planes[index].identifier, planes[index].tables) for index in scan.components], parameters)
        gaps = [*restarts(len(tokens[number]), fill_bytes), b""]
        for part, gap in zip(tokens[number], gaps, strict=True):
            out += entropy_coded(part, huffman_tables[number], pad_bit) + gap
        if use_dnl and number == 0:
            out += mark + dnl(rows)
    return bytes(out) + (mark + EOI if eoi else b"") + trailing


def _separate(count: int) -> list[Scan]:
    return [Scan((index,)) for index in range(count)]


def _own_size(rows: int, columns: int, samplings: Sequence[tuple[int, int]], index: int) -> tuple[int, int]:
    height, width = component_size(rows, columns, samplings, index)
    return -(-height // 8), -(-width // 8)


def _intervals(scans: Sequence[Scan], interval: int) -> list[int]:
    """Return the restart interval of each scan: it stays until it is redefined."""
    intervals = []
    for scan in scans:
        interval = interval if scan.interval is None else scan.interval
        intervals.append(interval)
    return intervals


def _tables(tokens: list[list[list[Any]]], name: str, redefine: bool) -> list[dict[Destination, Table]]:
    """Return the tables of each scan by class and destination."""
    found: list[dict[Destination, Table]] = []
    groups = tokens if redefine else [[part for scan in tokens for part in scan]]
    for parts in groups:
        symbols: dict[Destination, list[int]] = {}
        for token in (token for part in parts for token in part if token.table is not None):
            symbols.setdefault(token.table, []).append(token.symbol)
        found.append({key: huffman_table(name, key, values) for key, values in symbols.items()})
    return found if redefine else found * len(tokens)


def _dct_matrix() -> Array:
    """Return the matrix of the one-dimensional forward DCT (A.3.3)."""
    frequency, position = np.mgrid[0:8, 0:8]
    matrix = np.cos((2 * position + 1) * frequency * np.pi / 16) / 2
    matrix[0] /= np.sqrt(2)
    return matrix


DCT = _dct_matrix()


def coefficients(samples: Array, precision: int, quantizer: Array) -> Array:
    """Return the quantised coefficients of samples whose size is a multiple of 8: block rows, block columns, 64."""
    height, width = samples.shape
    blocks = samples.reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2) - float(1 << precision - 1)
    transformed = DCT @ blocks @ DCT.T
    return np.rint(transformed.reshape(height // 8, width // 8, 64) / quantizer).astype(np.int64)


def downsample(samples: Array, vertical: int, horizontal: int) -> Array:
    """Return the mean of each rectangle of samples; edges are replicated."""
    height, width = samples.shape
    padded = np.pad(samples, ((0, -height % vertical), (0, -width % horizontal)), mode="edge").astype(float)
    shape = padded.shape[0] // vertical, vertical, padded.shape[1] // horizontal, horizontal
    return padded.reshape(shape).mean((1, 3))


def planes_of(
    arr: Array,
    quantizers: Mapping[int, Array],
    *,
    precision: int = 8,
    samplings: Sequence[tuple[int, int]] | None = None,
    quantization_ids: Sequence[int] | None = None,
    table_ids: Sequence[tuple[int, int]] | None = None,
    identifiers: Sequence[int] | None = None,
) -> list[Plane]:
    """Return the components of samples (rows, columns[, components]), whose colour is not converted."""
    samples = arr if arr.ndim == 3 else arr[..., None]
    rows, columns, count = samples.shape
    factors = list(samplings or [(1, 1)] * count)
    largest_h, largest_v = mcu_size(factors)
    planes = []
    for index, (h, v) in enumerate(factors):
        # Factors that do not divide the largest one are written as they are; the samples are not resampled exactly.
        reduced = downsample(samples[..., index], max(largest_v // v, 1), max(largest_h // h, 1))
        block_rows, block_columns = block_counts(rows, columns, factors, index)
        reduced = reduced[: block_rows * 8, : block_columns * 8]
        padding = (0, block_rows * 8 - reduced.shape[0]), (0, block_columns * 8 - reduced.shape[1])
        destination = quantization_ids[index] if quantization_ids else min(index, max(quantizers))
        planes.append(
            Plane(
                coefficients(np.pad(reduced, padding, mode="edge"), precision, quantizers[destination]),
                (h, v),
                destination,
                table_ids[index] if table_ids else (min(index, 1), min(index, 1)),
                identifiers[index] if identifiers else index + 1,
            )
        )
    return planes


def encode_image(
    arr: Array,
    *,
    precision: int = 8,
    quality: int = 75,
    sampling: str | Sequence[tuple[int, int]] = "444",
    identifiers: Sequence[int] | None = None,
    quantizers: Mapping[int, Array] | None = None,
    marker: int | None = None,
    **options: Any,
) -> bytes:
    """Encode samples (rows, columns[, components]) without colour conversion; ``options`` are those of `encode`."""
    count = 1 if arr.ndim == 2 else arr.shape[2]
    factors = list(SAMPLINGS[sampling]) if isinstance(sampling, str) else list(sampling)
    if quantizers is None:
        largest = 255 if precision == 8 else 65535
        bases = (LUMINANCE_QUANTIZATION, CHROMINANCE_QUANTIZATION)[: min(count, 2)]
        quantizers = {number: quantization(base, quality, largest) for number, base in enumerate(bases)}
    factors = (factors + [(1, 1)] * count)[:count]
    planes = planes_of(arr, quantizers, precision=precision, samplings=factors, identifiers=identifiers)
    if marker is None:
        marker = BASELINE if precision == 8 else EXTENDED
    return encode(planes, *arr.shape[:2], quantizers, precision=precision, marker=marker, **options)
