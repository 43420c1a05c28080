"""Checks of decoding arbitrary bytes: each function yields a description of each failure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

import dicoxide
from dicoxide._sources.attributes import KEYWORDS
from support.file_mutations import interfaces
from support.file_mutations.interfaces import Outcome, outcome


def undocumented(name: str, result: Outcome) -> Iterator[str]:
    """Yield a failure if the exception is not one that decoding is documented to raise."""
    if result.error is not None and not interfaces.is_documented(result.error):
        yield f"{name} raises {result}"


def undocumented_in_package(name: str, result: Outcome) -> Iterator[str]:
    """Yield a failure for each undocumented exception of the package; pydicom may raise any exception."""
    for error in [result.error, *result.logged]:
        if error is None:
            continue
        is_panic = not isinstance(error, Exception)
        if is_panic or (interfaces.is_raised_in_package(error) and not interfaces.is_documented(error)):
            yield f"{name} raises {Outcome(error=error)}"


def same(first: Outcome, second: Outcome) -> bool:
    """True if both are the same array, or exceptions of the same class and message."""
    if first.array is None or second.array is None:
        return type(first.error) is type(second.error) and str(first.error) == str(second.error)
    return (
        first.array.shape == second.array.shape
        and first.array.dtype == second.array.dtype
        and np.array_equal(first.array, second.array, equal_nan=first.array.dtype.kind == "f")
    )


def header_reads(data: bytes) -> Iterator[str]:
    """Every attribute has a value or a documented error; `get_many` returns the same values as single access."""
    opened = outcome(lambda: dicoxide.open(data))
    yield from undocumented("open", opened)
    if opened.error is not None:
        return
    attributes = opened.array.attributes
    many = outcome(lambda: attributes.get_many(KEYWORDS))
    if many.error is not None:
        yield f"attributes.get_many raises {many}"
    for keyword in outcome(lambda: list(attributes)).array or ():
        result = outcome(lambda keyword=keyword: attributes[keyword])
        yield from undocumented(keyword, result)
        if many.error is None:
            yield from _differs_from_many(keyword, result, many.array)


def _differs_from_many(keyword: str, result: Outcome, many: dict[str, Any]) -> Iterator[str]:
    """Yield a failure if an attribute has another value in the result of `get_many`."""
    if (keyword in many) != (result.error is None):
        yield f"{keyword} is {result}, {'present' if keyword in many else 'missing'} in get_many"
    elif result.error is None and not equal(result.array, many[keyword]):
        yield f"{keyword} is {result.array!r}, {many[keyword]!r} in get_many"


def equal(first: Any, second: Any) -> bool:
    """True for equal values of the same type; two items of sequences always count as equal."""
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(equal, first, second))
    if isinstance(first, float) and isinstance(second, float):
        return first == second or (math.isnan(first) and math.isnan(second))
    return type(first) is type(second) and (isinstance(first, dicoxide.Attributes) or first == second)


def pydicom_agrees(
    dataset: Any,
    direct: Outcome | None = None,
    *,
    through: Collection[str] = ("plugin", "handler"),
    kinds: dict[str, str] | None = None,
    **options: Any,
) -> Iterator[str]:
    """Decode a Dataset with `decode` and through pydicom: equal values or documented errors.

    Parameters
    ----------
    dataset : Dataset
        Data set, as pydicom reads it.
    direct : Outcome, optional
        Outcome of `decode` for the bytes of the file.
    through : collection of str
        pydicom's interfaces to check: ``plugin``, ``handler``.
    kinds : dict, optional
        Receives the kind of outcome of each interface.
    **options
        Options of `decode`.
    """
    kinds = {} if kinds is None else kinds
    of_dataset = outcome(lambda: dicoxide.decode(dataset, **options))
    kinds["dataset"] = of_dataset.kind
    yield from undocumented("decode of a Dataset", of_dataset)
    if of_dataset.array is not None:
        yield from _differs_from_header(of_dataset.array, dataset)
        if direct is not None and direct.array is not None and not same(of_dataset, direct):
            yield f"a Dataset gives {of_dataset}, decode {direct}"
    raw = outcome(lambda: dicoxide.decode(dataset, raw=True, **options))
    if "plugin" in through:
        # pydicom derives the colour of a JPEG from its component identifiers and markers, dicoxide from the data set.
        # It also converts images of one sample per pixel that are declared as YBR, as if three columns were a pixel.
        is_raw = bool(outcome(lambda: dataset.get("SamplesPerPixel") == 3).array)
        is_raw |= bool(outcome(lambda: "YBR" in str(dataset.get("PhotometricInterpretation"))).array)
        plugin = interfaces.by_plugin(dataset, raw=is_raw)
        kinds["plugin"] = plugin.kind
        yield from undocumented_in_package("plugin", plugin)
        expected = raw.array if is_raw else of_dataset.array
        if expected is not None and plugin.array is not None and _is_comparable(dataset, expected):
            yield from _differs_from_pydicom("plugin", plugin.array, expected, dataset)
    if "handler" in through:
        handler = interfaces.by_handler(dataset)
        kinds["handler"] = handler.kind
        yield from undocumented_in_package("handler", handler)
        if raw.array is not None and handler.array is not None:
            yield from _differs_from_pydicom("handler", handler.array, raw.array, dataset)


def _differs_from_header(array: np.ndarray[Any, Any], dataset: Any) -> Iterator[str]:
    """Yield a failure if shape or dtype differ from the attributes, as pydicom reads them."""
    frame = (dataset.Rows, dataset.Columns)
    if dataset.SamplesPerPixel != 1:
        frame = (*frame, dataset.SamplesPerPixel)
    count = int(dataset.get("NumberOfFrames") or 1)
    if array.shape[-len(frame) :] != frame or (array.shape[0] if array.ndim > len(frame) else 1) < count:
        yield f"shape {array.shape}, {count} frames of {frame} declared"
    if "PixelData" in dataset:
        kind = "i" if dataset.PixelRepresentation == 1 and dataset.BitsAllocated > 1 else "u"
        expected = np.dtype(f"{kind}{max(1, dataset.BitsAllocated // 8)}")
        if array.dtype != expected:
            yield f"dtype {array.dtype}, {expected} declared"


def _is_comparable(dataset: Any, decoded: np.ndarray[Any, Any]) -> bool:
    """True if pydicom decodes as the standard requires.

    It ignores High Bit, and an offset table that omits items gives fewer frames, where dicoxide returns all of them.
    """
    stored = dataset.get("BitsStored")
    count = int(dataset.get("NumberOfFrames") or 1)
    has_frame_axis = decoded.ndim > 2 + (dataset.SamplesPerPixel > 1)
    is_more = has_frame_axis and len(decoded) > count and dataset.file_meta.TransferSyntaxUID.is_encapsulated
    return (stored is None or dataset.get("HighBit") == stored - 1) and not is_more


def _differs_from_pydicom(name: str, by_pydicom: Any, decoded: Any, dataset: Any) -> Iterator[str]:
    # pydicom may return only Number of Frames frames, where dicoxide returns all.
    count = int(dataset.get("NumberOfFrames") or 1)
    if by_pydicom.shape != decoded.shape and decoded.ndim > 2 + (dataset.SamplesPerPixel > 1) and len(decoded) > count:
        decoded = decoded[0] if count == 1 else decoded[:count]
    if not (
        by_pydicom.shape == decoded.shape
        and by_pydicom.dtype.newbyteorder("=") == decoded.dtype
        and np.array_equal(by_pydicom, decoded, equal_nan=decoded.dtype.kind == "f")
    ):
        yield f"{name} gives {Outcome(by_pydicom)}, decode {Outcome(decoded)}, or other values"
