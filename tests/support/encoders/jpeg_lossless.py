"""JPEG Lossless encoder (ITU-T T.81 Annex H with Huffman coding) with the options of different encoders.

`encode` returns whole frames; the other functions return single segments, from which tests build invalid frames.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from support.encoders.huffman import Table, table_for

Array = npt.NDArray[Any]
# Symbols of one component: categories and extra bits of its samples, line by line.
Symbols = tuple[Array, Array]

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
# An Adobe segment that declares three components as RGB, and a JFIF segment that declares them as YCbCr.
APP14 = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"
APP1 = b"\xff\xe1\0\x08Exif\0\0"
APP0 = b"\xff\xe0\0\x10JFIF\0\1\2\0\0\1\0\1\0\0"
COMMENT = b"\xff\xfe\0\x0ba comment"


def segment(marker: int, payload: bytes) -> bytes:
    """Return a marker segment: marker, length including itself, parameters (B.1.1.4)."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload


def sof(
    precision: int,
    lines: int,
    columns: int,
    component_ids: Sequence[int],
    *,
    sampling: Sequence[tuple[int, int]] | None = None,
    marker: int = 0xC3,
) -> bytes:
    """Return the frame header (B.2.2)."""
    factors = sampling or [(1, 1)] * len(component_ids)
    parts = [bytes([number, h << 4 | v, 0]) for number, (h, v) in zip(component_ids, factors, strict=True)]
    return segment(marker, struct.pack(">BHHB", precision, lines, columns, len(component_ids)) + b"".join(parts))


def dht(tables: Iterable[tuple[int, Table]]) -> bytes:
    """Return one segment of Huffman tables with their destinations (B.2.4.2)."""
    return segment(
        0xC4, b"".join(bytes([number]) + bytes(table.bits) + bytes(table.values) for number, table in tables)
    )


def dri(interval: int) -> bytes:
    """Return the segment of the restart interval in MCUs (B.2.4.4)."""
    return segment(0xDD, struct.pack(">H", interval))


def dnl(lines: int) -> bytes:
    """Return the segment of the number of lines, which follows the first scan (B.2.5)."""
    return segment(0xDC, struct.pack(">H", lines))


def sos(
    components: Sequence[tuple[int, int]], selection_value: int, point_transform: int, *, se: int = 0, ah: int = 0
) -> bytes:
    """Return the scan header (B.2.3) of component identifiers with the destinations of their tables."""
    parts = b"".join(bytes([number, table << 4]) for number, table in components)
    tail = bytes([selection_value, se, ah << 4 | point_transform])
    return segment(0xDA, bytes([len(components)]) + parts + tail)


def predictions(samples: Array, origin: int, selection_value: int, lines_per_interval: int) -> Array:
    """Return the prediction of each sample of a component (H.1.2.1), neither clamped nor wrapped."""
    a = np.zeros_like(samples)
    a[:, 1:] = samples[:, :-1]
    b = np.zeros_like(samples)
    b[1:] = samples[:-1]
    c = np.zeros_like(samples)
    c[1:, 1:] = samples[:-1, :-1]
    out = predict(selection_value, a, b, c)
    # First sample of a line: the sample above; first line of an interval: the sample to the left, at first 2^(P-Pt-1).
    out[:, 0] = b[:, 0]
    first = slice(None, None, lines_per_interval or len(samples))
    out[first] = a[first]
    out[first, 0] = origin
    return out


def predict(selection_value: int, a: Any, b: Any, c: Any) -> Any:
    """Return the prediction of table H.1; division by two is an arithmetic shift (H.1.2.1)."""
    return (0 * a, a, b, c, a + b - c, a + ((b - c) >> 1), b + ((a - c) >> 1), (a + b) >> 1)[selection_value]


def _differences_wrapped(
    samples: Array, origin: int, selection_value: int, lines_per_interval: int, wrap_bits: int
) -> Array:
    """Return differences modulo 2^wrap_bits; reconstructed values, which predict others, exceed the sample range."""
    rebuilt = np.zeros(samples.shape, np.int64).tolist()
    out = np.zeros(samples.shape, np.int64)
    half, modulus = 1 << wrap_bits - 1, 1 << wrap_bits
    for row, line in enumerate(samples.tolist()):
        first = row % (lines_per_interval or len(samples)) == 0
        for column, value in enumerate(line):
            a = rebuilt[row][column - 1]
            if first:
                prediction = a if column else origin
            elif column == 0:
                prediction = rebuilt[row - 1][0]
            else:
                prediction = predict(selection_value, a, rebuilt[row - 1][column], rebuilt[row - 1][column - 1])
            out[row, column] = (value - prediction + half - 1) % modulus - half + 1
            rebuilt[row][column] = (prediction + int(out[row, column])) & 0xFFFF
    return out


def differences(
    samples: Array, origin: int, selection_value: int, lines_per_interval: int = 0, wrap_bits: int = 16
) -> Array:
    """Return the differences of one component (rows, columns), -32767 to 32768 (H.1.2.1, table H.2)."""
    if wrap_bits < 16:
        return _differences_wrapped(samples, origin, selection_value, lines_per_interval, wrap_bits)
    raw = samples - predictions(samples, origin, selection_value, lines_per_interval)
    return (raw + 32767) % 65536 - 32767


def symbols(difference: Array) -> Symbols:
    """Return category and extra bits of each difference (H.1.2.2)."""
    flat = difference.reshape(-1)
    # The exponent of a float is the bit length of the magnitude.
    category = np.frexp(np.abs(flat).astype(np.float64))[1].astype(np.int64)
    extra = np.where(flat < 0, flat + (1 << category) - 1, flat)
    return category, np.where(category == 16, 0, extra)


def pack(codes: Array, lengths: Array, pad_bit: int = 1) -> bytes:
    """Concatenate codes, pad the last byte with ``pad_bit`` (F.1.2.3), and stuff a zero byte after each 0xFF."""
    starts = np.cumsum(lengths) - lengths
    total = int(lengths.sum())
    window = codes.astype(np.uint64) << (64 - lengths - (starts & 31)).astype(np.uint64)
    words = (starts >> 5).astype(np.int64)
    count = total // 32 + 2
    # Codes do not overlap, so their sum is their union; sums below 2^53 are exact.
    high = np.bincount(words, (window >> np.uint64(32)).astype(np.float64), count)
    low = np.bincount(words + 1, (window & np.uint64(0xFFFFFFFF)).astype(np.float64), count + 1)[:count]
    data = bytearray((high + low).astype(">u4").tobytes()[: -(-total // 8)])
    if total % 8 and pad_bit:
        data[-1] |= 0xFF >> total % 8
    return bytes(data).replace(b"\xff", b"\xff\0")


@dataclass(frozen=True)
class Interval:
    """A restart interval: symbols and table of each component."""

    parts: list[tuple[Symbols, Table]]

    def entropy(self, pad_bit: int = 1) -> bytes:
        codes, lengths = [], []
        for (category, extra), table in self.parts:
            code, length = table.arrays()
            more = np.where(category == 16, 0, category)
            codes.append(code[category] << more | extra)
            lengths.append(length[category] + more)
        # An MCU is one sample of each component (A.2.3).
        return pack(np.stack(codes, 1).reshape(-1), np.stack(lengths, 1).reshape(-1), pad_bit)


def restarts(count: int, fill_bytes: int = 0) -> list[bytes]:
    """Return the markers between ``count`` intervals (B.1.1.3, E.1.4)."""
    return [b"\xff" * fill_bytes + bytes([0xFF, 0xD0 + number % 8]) for number in range(count - 1)]


def encode(
    arr: Array,
    *,
    precision: int | None = None,
    selection_value: int | Sequence[int] = 1,
    point_transform: int | Sequence[int] = 0,
    restart_interval: int = 0,
    interleaved: bool = True,
    scans: Sequence[Sequence[int]] | None = None,
    tables: str | Table | Sequence[str | Table] = "optimal",
    table_ids: Sequence[int] | None = None,
    redefine: bool = False,
    one_dht: bool = True,
    dht_first: bool = False,
    component_ids: Sequence[int] | None = None,
    fill_bytes: int = 0,
    segments: bytes = b"",
    use_dnl: bool = False,
    eoi: bool = True,
    trailing: bytes = b"",
    wrap_bits: int = 16,
    pad_bit: int = 1,
) -> bytes:
    """Encode one frame.

    Parameters
    ----------
    arr : ndarray
        (rows, columns) or (rows, columns, components) of integers; the lowest ``precision`` bits are encoded.
    selection_value, point_transform : int or sequence of int
        For all scans, or one per scan.
    restart_interval : int
        In MCUs, a multiple of the columns (H.1.1); 0 disables restarts.
    interleaved, scans :
        One scan of all components, one scan per component, or lists of component indices.
    tables, table_ids :
        ``"optimal"``, ``"fixed"``, ``"flat"``, ``"skewed"`` or a table, for all components or one per component, and
        their destinations. With ``redefine``, tables are defined before each scan; with ``dht_first``, before the frame
        header; without ``one_dht``, each table has its own segment.
    fill_bytes : int
        Number of 0xFF bytes before each marker except SOI (B.1.1.2).
    segments : bytes
        Inserted after SOI.
    use_dnl : bool
        The frame header declares 0 lines, and a DNL segment follows the first scan (B.2.5).
    wrap_bits : int
        Differences are modulo 2^wrap_bits, so that the sum of prediction and difference may exceed a sample.
    """
    planes = np.asarray(arr) if np.asarray(arr).ndim == 3 else np.asarray(arr)[..., None]
    precision = arr.dtype.itemsize * 8 if precision is None else precision
    rows, columns, count = planes.shape
    order = [list(scan) for scan in scans or ([range(count)] if interleaved else [[item] for item in range(count)])]
    ids = list(component_ids or range(1, count + 1))
    chosen = [tables] * count if isinstance(tables, str | Table) else list(tables)
    destinations = list(table_ids or ([0] * count if isinstance(tables, str | Table) else range(count)))
    values = _of_each(selection_value, len(order))
    shifts = _of_each(point_transform, len(order))
    lines = restart_interval // columns if restart_interval else rows
    whole = planes.astype(np.int64) & ((1 << precision) - 1)

    coded = [
        {
            component: symbols(
                differences(whole[..., component] >> shift, 1 << precision - shift - 1, value, lines, wrap_bits)
            )
            for component in scan
        }
        for scan, value, shift in zip(order, values, shifts, strict=True)
    ]
    huffman_tables = _tables(coded, chosen, destinations, redefine)
    mark = b"\xff" * fill_bytes

    def definitions(number: int) -> bytes:
        indices = sorted({destinations[component] for component in coded[number]} if redefine else set(destinations))
        found = [(index, huffman_tables[number, index]) for index in indices]
        return b"".join(mark + dht(group) for group in ([found] if one_dht else [[frame] for frame in found]))

    head = [mark + sof(precision, 0 if use_dnl else rows, columns, ids)]
    if not redefine:
        head.insert(0 if dht_first else 1, definitions(0))
    if restart_interval:
        head.append(mark + dri(restart_interval))
    out = bytearray(SOI + segments + b"".join(head))
    for number, (scan, value, shift) in enumerate(zip(order, values, shifts, strict=True)):
        out += definitions(number) if redefine else b""
        out += mark + sos([(ids[component], destinations[component]) for component in scan], value, shift)
        cuts = range(0, rows * columns, lines * columns)
        gaps = [*restarts(len(cuts), fill_bytes), b""]
        for cut, gap in zip(cuts, gaps, strict=True):
            end = cut + lines * columns
            parts = [
                ((category[cut:end], extra[cut:end]), huffman_tables[number, destinations[component]])
                for component, (category, extra) in coded[number].items()
            ]
            out += Interval(parts).entropy(pad_bit) + gap
        if use_dnl and number == 0:
            out += mark + dnl(rows)
    return bytes(out) + (mark + EOI if eoi else b"") + trailing


def _of_each(value: int | Sequence[int], count: int) -> list[int]:
    return [value] * count if isinstance(value, int) else list(value)


def _tables(
    coded: list[dict[int, Symbols]], chosen: list[str | Table], destinations: list[int], redefine: bool
) -> dict[tuple[int, int], Table]:
    """Return the table of each scan and destination for the symbols that it encodes."""
    tables: dict[tuple[int, int], Table] = {}
    for number in range(len(coded)):
        for component in coded[number] if redefine else range(len(destinations)):
            key = number, destinations[component]
            if key not in tables:
                used = [
                    category
                    for scan in ([coded[number]] if redefine else coded)
                    for other, (category, _) in scan.items()
                    if destinations[other] == destinations[component]
                ]
                spec = chosen[component]
                tables[key] = spec if isinstance(spec, Table) else table_for(spec, np.concatenate(used))
    return tables
