"""What is allowed of any bytes, whoever made them: each function gives what is wrong, nothing where all is right."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

import dicoxide
from dicoxide._sources.attributes import KEYWORDS
from support.file_mutations import interfaces
from support.file_mutations.interfaces import Outcome, outcome


def undocumented(name: str, found: Outcome) -> Iterator[str]:
    """An exception that decoding bytes may not raise."""
    if found.error is not None and not interfaces.is_documented(found.error):
        yield f"{name} raises {found}"


def refused(name: str, found: Outcome) -> Iterator[str]:
    """pydicom may raise what it likes; what came through our code has to be documented."""
    for error in [found.error, *found.also]:
        if error is None:
            continue
        is_panic = not isinstance(error, Exception)
        if is_panic or (interfaces.is_ours(error) and not interfaces.is_documented(error)):
            yield f"{name} raises {Outcome(error=error)}"


def same(one: Outcome, other: Outcome) -> bool:
    """Same array, or the same exception with the same words."""
    if one.array is None or other.array is None:
        return type(one.error) is type(other.error) and str(one.error) == str(other.error)
    return (
        one.array.shape == other.array.shape
        and one.array.dtype == other.array.dtype
        and np.array_equal(one.array, other.array, equal_nan=one.array.dtype.kind == "f")
    )


def header_reads(data: bytes) -> Iterator[str]:
    """What is read besides pixels has a value or a documented error, one by one and all at once."""
    opened = outcome(lambda: dicoxide.open(data))
    yield from undocumented("open", opened)
    if opened.error is not None:
        return
    attributes = opened.array.attributes
    some = outcome(lambda: attributes.get_many(KEYWORDS))
    if some.error is not None:
        yield f"attributes.some raises {some}"
    for keyword in outcome(lambda: list(attributes)).array or ():
        found = outcome(lambda keyword=keyword: attributes[keyword])
        yield from undocumented(keyword, found)
        if some.error is None:
            yield from _another(keyword, found, some.array)


def _another(keyword: str, found: Outcome, some: Any) -> Iterator[str]:
    """A value that is another one among all."""
    if (keyword in some) != (found.error is None):
        yield f"{keyword} is {found} alone, {'there' if keyword in some else 'left out'} among all"
    elif found.error is None and not equal(found.array, some[keyword]):
        yield f"{keyword} is {found.array!r} alone, {some[keyword]!r} among all"


def equal(one: Any, other: Any) -> bool:
    """Same value of the same type; items of sequences are only counted."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return type(one) is type(other) and (isinstance(one, dicoxide.Attributes) or one == other)


def pydicom_agrees(
    dataset: Any,
    direct: Outcome | None = None,
    *,
    ways: Collection[str] = ("plugin", "handler"),
    kinds: dict[str, str] | None = None,
    **options: Any,
) -> Iterator[str]:
    """A Dataset by `decode` and through pydicom, each a documented error or the same values.

    Parameters
    ----------
    dataset : Dataset
        What pydicom reads of the bytes.
    direct : Outcome, optional
        What `decode` makes of the bytes themselves.
    ways : collection of str
        Which of pydicom's interfaces.
    kinds : dict, optional
        Gets what came of each way.
    **options
        Those of `decode`.
    """
    kinds = {} if kinds is None else kinds
    of_dataset = outcome(lambda: dicoxide.decode(dataset, **options))
    kinds["dataset"] = of_dataset.kind
    yield from undocumented("decode of a Dataset", of_dataset)
    if of_dataset.array is not None:
        yield from _misfits(of_dataset.array, dataset)
        if direct is not None and direct.array is not None and not same(of_dataset, direct):
            yield f"a Dataset gives {of_dataset}, decode {direct}"
    raw = outcome(lambda: dicoxide.decode(dataset, raw=True, **options))
    if "plugin" in ways:
        # pydicom takes the colour of a JPEG from its component identifiers and markers, we from the header alone.
        # It also converts one sample of a pixel that is called YBR: three columns are its colour.
        is_raw = bool(outcome(lambda: dataset.get("SamplesPerPixel") == 3).array)
        is_raw |= bool(outcome(lambda: "YBR" in str(dataset.get("PhotometricInterpretation"))).array)
        plugin = interfaces.by_plugin(dataset, raw=is_raw)
        kinds["plugin"] = plugin.kind
        yield from refused("plugin", plugin)
        ours = raw.array if is_raw else of_dataset.array
        if ours is not None and plugin.array is not None and _comparable(dataset, ours):
            yield from _as_pydicom("plugin", plugin.array, ours, dataset)
    if "handler" in ways:
        handler = interfaces.by_handler(dataset)
        kinds["handler"] = handler.kind
        yield from refused("handler", handler)
        if raw.array is not None and handler.array is not None:
            yield from _as_pydicom("handler", handler.array, raw.array, dataset)


def _misfits(array: np.ndarray[Any, Any], dataset: Any) -> Iterator[str]:
    """Shape and type are those that the header says, as pydicom reads it."""
    frame = (dataset.Rows, dataset.Columns)
    if dataset.SamplesPerPixel != 1:
        frame = (*frame, dataset.SamplesPerPixel)
    count = int(dataset.get("NumberOfFrames") or 1)
    if array.shape[-len(frame) :] != frame or (array.shape[0] if array.ndim > len(frame) else 1) < count:
        yield f"shape {array.shape}, the header says {count} frames of {frame}"
    if "PixelData" in dataset:
        kind = "i" if dataset.PixelRepresentation == 1 and dataset.BitsAllocated > 1 else "u"
        wanted = np.dtype(f"{kind}{max(1, dataset.BitsAllocated // 8)}")
        if array.dtype != wanted:
            yield f"type {array.dtype}, the header says {wanted}"


def _comparable(dataset: Any, ours: np.ndarray[Any, Any]) -> bool:
    """Whether pydicom's values are those of the standard, where it gives some.

    It takes no notice of High Bit; and it believes an offset table that leaves out items, which are frames to us.
    """
    stored = dataset.get("BitsStored")
    count = int(dataset.get("NumberOfFrames") or 1)
    several = ours.ndim > 2 + (dataset.SamplesPerPixel > 1)
    is_more = several and len(ours) > count and dataset.file_meta.TransferSyntaxUID.is_encapsulated
    return (stored is None or dataset.get("HighBit") == stored - 1) and not is_more


def _as_pydicom(name: str, found: Any, ours: Any, dataset: Any) -> Iterator[str]:
    # More frames than Number of Frames are not given by all.
    count = int(dataset.get("NumberOfFrames") or 1)
    if found.shape != ours.shape and ours.ndim > 2 + (dataset.SamplesPerPixel > 1) and len(ours) > count:
        ours = ours[0] if count == 1 else ours[:count]
    if not (
        found.shape == ours.shape
        and found.dtype.newbyteorder("=") == ours.dtype
        and np.array_equal(found, ours, equal_nan=ours.dtype.kind == "f")
    ):
        yield f"{name} gives {Outcome(found)}, decode {Outcome(ours)}, or other values"
