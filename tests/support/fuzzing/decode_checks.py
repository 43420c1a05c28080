"""Checks of the target ``decode``: a second call, of another interface or with an option, against the first one."""

from __future__ import annotations

import atexit
import io
import math
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import dicoxide
from dicoxide._sources import open_source
from support.file_mutations import agreement, backends, interfaces, modality
from support.file_mutations.agreement import same, undocumented
from support.file_mutations.file_layout import layout_of
from support.file_mutations.interfaces import Outcome, outcome
from support.file_mutations.worker import memory_folder

Failures = Iterator[str]

# pydicom allocates memory for all declared frames before it reads them.
_MAX_PYDICOM_BYTES = 1 << 24


def _threads(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    yield from _differs(outcome(lambda: dicoxide.decode(data, fallback=False, threads=2)), direct)


def _sources(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    path = folder() / "case.dcm"
    path.write_bytes(data)
    for source in (bytearray(data), io.BytesIO(data), path):
        yield from _differs(outcome(lambda source=source: dicoxide.decode(source, fallback=False)), direct)


def _many(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    sources = [data] * (1 + first % 3)
    result = outcome(
        lambda: list(dicoxide.decode_many(sources, threads=1 + second % 2, on_error="return", fallback=False))
    )
    if result.array is None or len(result.array) != len(sources):
        yield f"{result}"
        return
    for _, value in result.array:
        each = Outcome(error=value) if isinstance(value, BaseException) else Outcome(value)
        yield from undocumented("a result", each)
        # `decode_many` may raise another of several errors.
        if not (each.array is None and direct.array is None):
            yield from _differs(each, direct)


def _max_bytes(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    limit = first << (second % 16)
    result = outcome(lambda: dicoxide.decode(data, fallback=False, max_bytes=limit, threads=1 + first % 2))
    if result.array is not None and result.array.nbytes > limit:
        yield f"{result} within {limit} bytes"
    if isinstance(result.error, dicoxide.LimitError):
        return
    yield from _differs(result, direct)


def _frames(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    index = (first % 16) - 8
    frames: Any = (
        index,
        slice(index, None),
        slice(None, None, -1),
        slice(first % 4, second // 16, 1 + first // 64),
        [0, index, 0],
        [],
    )[second % 6]
    result = outcome(lambda: dicoxide.decode(data, fallback=False, frames=frames, threads=1 + first % 2))
    if not isinstance(result.error, IndexError):
        yield from undocumented(f"frames={frames}", result)
    if direct.array is None:
        return
    with dicoxide.open(data) as image:
        every = direct.array if image.number_of_frames > 1 else direct.array[None]
    expected = outcome(lambda: every[frames] if frames != [] else every[:0])
    if expected.error is not None and isinstance(result.error, IndexError):
        return
    yield from _differs(result, expected)


def _iter(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    """Frames of `iter_frames` and `Image` equal those of `decode`."""
    options: dict[str, Any] = {"fallback": False, "threads": 1 + first % 2}
    result = outcome(lambda: list(dicoxide.iter_frames(data, **options)))
    yield from undocumented("iter_frames", result)
    if direct.array is None:
        if result.error is None:
            yield f"{len(result.array or ())} frames, decode {direct}"
        return
    with dicoxide.open(data, fallback=False) as image:
        if (image.shape, image.dtype) != (direct.array.shape, direct.array.dtype):
            yield f"open gives {image.dtype} {image.shape}, decode gives {direct}"
        if not repr(image).startswith("<dicoxide.Image: "):
            yield repr(image)
        every = direct.array if len(image) > 1 else direct.array[None]
        lists = [result.array or [], list(image), [image[index - len(image)] for index in range(len(image))]]
        yield from _differs(Outcome(np.asarray(image) if first % 2 else image.decode()), direct)
    for each in lists:
        if len(each) != len(every):
            yield f"{len(each)} frames, decode {direct}"
        for item, expected in zip(each, every, strict=False):
            yield from _differs(Outcome(item), Outcome(expected))


def _out(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    if direct.array is None:
        return
    stored = direct.array.dtype
    other_dtype = np.dtype(("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", ">u2", "O")[first % 12])
    dtype = stored if second % 4 == 0 else other_dtype
    buffer = np.empty((*direct.array.shape[: second >> 2 & 3 or None],), dtype)
    result = outcome(lambda: dicoxide.decode(data, fallback=False, out=buffer))
    is_wider = dtype.kind in "iu" and stored.kind in "iu" and dtype.isnative and np.can_cast(stored, dtype)
    if buffer.shape == direct.array.shape and (dtype == stored or is_wider):
        if result.array is not buffer or not np.array_equal(buffer, direct.array, equal_nan=stored.kind == "f"):
            yield f"out= of {dtype} gives {result}, decode {direct}"
    elif type(result.error) is not ValueError:
        yield f"out= of {dtype} {buffer.shape} gives {result}, decode {direct}"


def _strict(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    strict = outcome(lambda: dicoxide.decode(data, fallback=False, strict=True))
    yield from undocumented("strict", strict)
    if strict.array is not None:
        yield from _differs(strict, direct)


def _raw(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    raw = outcome(lambda: dicoxide.decode(data, fallback=False, raw=True))
    yield from undocumented("raw", raw)
    if direct.array is not None:
        is_similar = raw.array is not None and (raw.array.shape, raw.array.dtype) == (
            direct.array.shape,
            direct.array.dtype,
        )
        if not is_similar:
            yield f"raw gives {raw}, decode {direct}"
        elif not open_source(data).spec.photometric_interpretation.startswith("YBR"):
            yield from _differs(raw, direct)


def _rescale(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    options: dict[str, Any] = {"fallback": False, "rescale": True}
    result = outcome(lambda: dicoxide.decode(data, **options))
    exact = outcome(lambda: dicoxide.decode(data, dtype="f8", **options))
    whole = outcome(lambda: dicoxide.decode(data, dtype=("u1", "i2", "i4", "i8")[first % 4], **options))
    for item in (result, exact, whole):
        # ValueError: colour has no modality values, and an integer dtype may not hold them.
        if type(item.error) is not ValueError:
            yield from undocumented("rescale", item)
    if result.array is None or exact.array is None:
        if (result.array is None) != (exact.array is None):
            yield f"float64 gives {exact}, float32 {result}"
        return
    with np.errstate(over="ignore"):
        rounded = exact.array.astype(np.float32)
    yield from _differs(result, Outcome(rounded))
    if whole.array is not None:
        yield from _differs(Outcome(whole.array.astype(np.float64)), exact)


def _modality(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    path = folder() / "modality.dcm"
    path.write_bytes(data)
    is_comparable = layout_of(data).is_complete
    dataset = interfaces.read(data) if is_comparable else None
    yield from modality.modality_values_agree(data, path, dataset, "real_world" if second % 2 else True)


def _backends(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    dataset = interfaces.read(data)
    if dataset is not None:
        yield from backends.backends_agree(dataset)


def _view(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    view = outcome(lambda: dicoxide.decode(data, copy=False))
    if view.array is not None:
        yield from _differs(view, direct)
        if view.array.flags.writeable:
            yield "the view is writable"
    elif not isinstance(view.error, ValueError) or isinstance(view.error, dicoxide.InternalError):
        yield f"raises {view}"


def _pydicom(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    dataset = interfaces.read(data)
    if dataset is not None:
        yield from through_pydicom(dataset, direct, ("plugin", "handler"))


CHECKS = (
    _threads,
    _sources,
    _many,
    _max_bytes,
    _frames,
    _iter,
    _out,
    _strict,
    _raw,
    _rescale,
    _view,
    _pydicom,
    _pydicom,
    _modality,
    _modality,
    _backends,
)


def through_pydicom(dataset: Any, direct: Outcome | None, interface_names: tuple[str, ...]) -> Failures:
    """Decode through pydicom, unless it would allocate too much memory."""
    keywords = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "NumberOfFrames")
    sizes = [outcome(lambda keyword=keyword: abs(int(dataset.get(keyword) or 1))).array or 1 for keyword in keywords]
    if math.prod(sizes) > 8 * _MAX_PYDICOM_BYTES:
        interface_names = ()
    yield from agreement.pydicom_agrees(dataset, direct, through=interface_names, fallback=False)


def _differs(result: Outcome, direct: Outcome) -> Failures:
    if not same(result, direct):
        yield f"gives {result}, {direct} expected, or the values differ"


@cache
def folder() -> Path:
    """Return a folder of this process, in memory if possible; it is removed when the process ends."""
    created = tempfile.TemporaryDirectory(dir=memory_folder())
    atexit.register(created.cleanup)
    return Path(created.name)
