"""Checks of modality values: every interface returns the same, equal to those of a second reading of the standard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import dicoxide
from support.file_mutations.agreement import same, undocumented
from support.file_mutations.interfaces import Outcome, only, outcome

Array = np.ndarray[Any, Any]


def modality_values_agree(data: bytes, path: Path, dataset: Any, rescale: Any = True) -> Iterator[str]:
    """Decode with ``rescale`` through every interface.

    Parameters
    ----------
    data : bytes
        Bytes of the file.
    path : Path
        File with these bytes.
    dataset : Dataset or None
        Data set that pydicom reads equally from the bytes, if any.
    rescale : True or "real_world"
        Values to decode. Only modality values are compared with a second reading.
    """
    direct = outcome(lambda: dicoxide.decode(data, rescale=rescale))
    yield from _undocumented("rescale", direct)
    exact = outcome(lambda: dicoxide.decode(data, rescale=rescale, dtype="f8"))
    calls = {
        "rescale of a path": lambda: dicoxide.decode(path, rescale=rescale, threads=2),
        "rescale of the frames": lambda: _joined(dicoxide.iter_frames(path, rescale=rescale, threads=1), direct),
        "rescale of float64": lambda: _rounded(exact),
    }
    if rescale == "real_world":
        # Frames of different units are an error of `decode` only.
        del calls["rescale of the frames"]
    if direct.array is not None:
        calls["rescale by decode_many"] = lambda: only(
            dicoxide.decode_many([path], rescale=rescale, threads=2, on_error="return")
        )
    for name, work in calls.items():
        again = outcome(work)
        if (again.array is None) != (direct.array is None) or (again.array is not None and not same(again, direct)):
            yield f"{name} gives {again}, decode {direct}"
    strict = outcome(lambda: dicoxide.decode(data, rescale=rescale, strict=True))
    yield from _undocumented("strict rescale", strict)
    if strict.array is not None and not same(strict, direct):
        yield f"strict rescale gives {strict}, decode {direct}"
    if dataset is None:
        return
    of_dataset = outcome(lambda: dicoxide.decode(dataset, rescale=rescale))
    yield from _undocumented("rescale of a Dataset", of_dataset)
    if of_dataset.array is not None and direct.array is not None and not same(of_dataset, direct):
        yield f"rescale of a Dataset gives {of_dataset}, decode {direct}"
    if rescale is True and of_dataset.array is not None and strict.array is not None and exact.array is not None:
        stored = outcome(lambda: dicoxide.decode(data)).array
        expected = outcome(lambda: reference_values(dataset, stored))
        if not same(expected, exact):
            yield f"rescale gives {exact}, the standard {expected}, or other values"


def _undocumented(name: str, result: Outcome) -> Iterator[str]:
    # ValueError: an image of several samples per pixel has no modality values.
    if type(result.error) is not ValueError:
        yield from undocumented(name, result)


def _joined(frames: Iterator[Array], direct: Outcome) -> Array:
    stacked = np.stack(list(frames))
    return stacked if direct.array is None else stacked.reshape(direct.array.shape)


def _rounded(exact: Outcome) -> Array:
    if exact.array is None:
        raise exact.error or ValueError("nothing")
    with np.errstate(over="ignore"):
        return exact.array.astype(np.float32)


def reference_values(dataset: Any, stored: Array) -> Array:
    """Return the modality values of stored values, as PS3.3 C.11.1 and C.8.8.3 define them."""
    tables = dataset.get("ModalityLUTSequence")
    if tables:
        return _looked_up(tables[0], stored, dataset)
    values = stored.astype(np.float64)
    count = len(stored) if stored.ndim == 3 else 1
    frames = values.reshape(count, *values.shape[-2:])
    for index, frame in enumerate(frames):
        slope, intercept = _coefficients(dataset, index)
        frame[:] = frame * slope + intercept
    return values


def _coefficients(dataset: Any, index: int) -> tuple[float, float]:
    if "DoseGridScaling" in dataset:
        return float(dataset.DoseGridScaling), 0.0
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    shared = dataset.get("SharedFunctionalGroupsSequence") or ()
    for group in [*per_frame[index : index + 1], *shared[:1]]:
        for item in (group.get("PixelValueTransformationSequence") or ())[:1]:
            if found := _pair(item):
                return found
    return _pair(dataset) or (1.0, 0.0)


def _pair(item: Any) -> tuple[float, float] | None:
    slope, intercept = item.get("RescaleSlope"), item.get("RescaleIntercept")
    return None if slope in (None, "") or intercept in (None, "") else (float(slope), float(intercept))


def _looked_up(item: Any, stored: Array, dataset: Any) -> Array:
    is_big = not dataset.original_encoding[1]
    count, first, bits = _words(item["LUTDescriptor"].value, is_big)
    count = count or 1 << 16
    if dataset.PixelRepresentation == 1:
        first -= (first & 0x8000) << 1
    data = item["LUTData"].value
    if isinstance(data, bytes) and bits == 8 and len(data) < 2 * count:
        is_swapped = is_big and item["LUTData"].VR != "OB"
        entries = [data[index ^ 1 if is_swapped and index ^ 1 < len(data) else index] for index in range(count)]
    else:
        is_swapped = is_big and item["LUTData"].VR != "OB"
        words = _words(data, is_swapped)
        as_bytes = b"".join(word.to_bytes(2, "little") for word in words)
        entries = words[:count] if bits > 8 or len(words) >= count else list(as_bytes[:count])
    table = {value: float(entries[min(max(value - first, 0), count - 1)]) for value in set(stored.ravel().tolist())}
    return np.array([table[value] for value in stored.ravel().tolist()]).reshape(stored.shape)


def _words(value: Any, is_big: bool) -> list[int]:
    if isinstance(value, bytes):
        order = "big" if is_big else "little"
        return [int.from_bytes(value[start : start + 2], order) for start in range(0, len(value) - 1, 2)]
    return [number & 0xFFFF for number in (value if hasattr(value, "__iter__") else [value])]
