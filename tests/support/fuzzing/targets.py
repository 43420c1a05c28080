"""What is fuzzed, by name: functions from any bytes to what is wrong, nothing where all is right.

The first bytes choose what is asked for, the rest is what is decoded.
"""

from __future__ import annotations

import io
import math
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

import dicoxide
from dicoxide import _numpy_backend
from dicoxide._backend import backend, core
from dicoxide._sources import open_source
from dicoxide._sources.attributes import _DICTIONARY, Attributes
from dicoxide._sources.dataset import dataset_source
from dicoxide._sources.pydicom_reader import read
from dicoxide._sources.values import is_number, value_of
from support import backend_comparison
from support.file_mutations import agreement, interfaces
from support.file_mutations.agreement import equal, same, undocumented
from support.file_mutations.interfaces import Outcome, outcome
from support.fuzzing import image_choice

Failures = Iterator[str]
Target = Callable[[bytes], Failures]

# Bytes before the file in targets that take one.
FILE_CHOICE_BYTES = 4
# pydicom takes memory for all frames before it looks for them.
_MOST_PYDICOM_BYTES = 1 << 24

TARGETS: dict[str, Target] = {}


def run(name: str, data: bytes) -> list[str]:
    """What a target finds wrong with `data`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(TARGETS[name](data))


def _target(function: Target) -> Target:
    TARGETS[function.__name__.strip("_")] = function
    return function


@_target
def decode(data: bytes) -> Failures:
    """A whole file by `decode`, and again with an option, which only changes what it says."""
    head, data = data[:FILE_CHOICE_BYTES], data[FILE_CHOICE_BYTES:]
    if len(head) < FILE_CHOICE_BYTES:
        return
    direct = outcome(lambda: dicoxide.decode(data, fallback=False, threads=1))
    yield from undocumented("decode", direct)
    way = _WAYS[head[0] % len(_WAYS)]
    for failure in way(data, direct, head[1], head[2]):
        yield f"{way.__name__[1:]}: {failure}"


def _threads(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    yield from _differs(outcome(lambda: dicoxide.decode(data, fallback=False, threads=2)), direct)


def _sources(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    path = _folder() / "case.dcm"
    path.write_bytes(data)
    for source in (bytearray(data), io.BytesIO(data), path):
        yield from _differs(outcome(lambda source=source: dicoxide.decode(source, fallback=False)), direct)


def _many(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    sources = [data] * (1 + first % 3)
    found = outcome(
        lambda: list(dicoxide.decode_many(sources, threads=1 + second % 2, on_error="return", fallback=False))
    )
    if found.array is None or len(found.array) != len(sources):
        yield f"{found}"
        return
    for _, result in found.array:
        one = Outcome(error=result) if isinstance(result, BaseException) else Outcome(result)
        yield from undocumented("a result", one)
        # Of several faults it may find another first.
        if not (one.array is None and direct.array is None):
            yield from _differs(one, direct)


def _max_bytes(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    limit = first << (second % 16)
    found = outcome(lambda: dicoxide.decode(data, fallback=False, max_bytes=limit, threads=1 + first % 2))
    if found.array is not None and found.array.nbytes > limit:
        yield f"{found} within {limit} bytes"
    if isinstance(found.error, dicoxide.LimitError):
        return
    yield from _differs(found, direct)


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
    found = outcome(lambda: dicoxide.decode(data, fallback=False, frames=frames, threads=1 + first % 2))
    if not isinstance(found.error, IndexError):
        yield from undocumented(f"frames={frames}", found)
    if direct.array is None:
        return
    with dicoxide.open(data) as image:
        every = direct.array if image.number_of_frames > 1 else direct.array[None]
    expected = outcome(lambda: every[frames] if frames != [] else every[:0])
    if expected.error is not None and isinstance(found.error, IndexError):
        return
    yield from _differs(found, expected)


def _iter(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    """Frames one by one are those of all."""
    options: dict[str, Any] = {"fallback": False, "threads": 1 + first % 2}
    found = outcome(lambda: list(dicoxide.iter_frames(data, **options)))
    yield from undocumented("iter_frames", found)
    if direct.array is None:
        if found.error is None:
            yield f"{len(found.array or ())} frames, decode {direct}"
        return
    with dicoxide.open(data, fallback=False) as image:
        if (image.shape, image.dtype) != (direct.array.shape, direct.array.dtype):
            yield f"open says {image.dtype} {image.shape}, decode gives {direct}"
        if not repr(image).startswith("<dicoxide.Image: "):
            yield repr(image)
        every = direct.array if len(image) > 1 else direct.array[None]
        lists = [found.array or [], list(image), [image[index - len(image)] for index in range(len(image))]]
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
    wanted = np.dtype(("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", ">u2", "O")[first % 12])
    dtype = stored if second % 4 == 0 else wanted
    buffer = np.empty((*direct.array.shape[: second >> 2 & 3 or None],), dtype)
    found = outcome(lambda: dicoxide.decode(data, fallback=False, out=buffer))
    is_wider = dtype.kind in "iu" and stored.kind in "iu" and dtype.isnative and np.can_cast(stored, dtype)
    if buffer.shape == direct.array.shape and (dtype == stored or is_wider):
        if found.array is not buffer or not np.array_equal(buffer, direct.array, equal_nan=stored.kind == "f"):
            yield f"out= of {dtype} gives {found}, decode {direct}"
    elif type(found.error) is not ValueError:
        yield f"out= of {dtype} {buffer.shape} gives {found}, decode {direct}"


def _strict(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    strict = outcome(lambda: dicoxide.decode(data, fallback=False, strict=True))
    yield from undocumented("strict", strict)
    if strict.array is not None:
        yield from _differs(strict, direct)


def _raw(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    raw = outcome(lambda: dicoxide.decode(data, fallback=False, raw=True))
    yield from undocumented("raw", raw)
    if direct.array is not None:
        is_alike = raw.array is not None and (raw.array.shape, raw.array.dtype) == (
            direct.array.shape,
            direct.array.dtype,
        )
        if not is_alike:
            yield f"raw gives {raw}, decode {direct}"
        elif not open_source(data).spec.photometric_interpretation.startswith("YBR"):
            yield from _differs(raw, direct)


def _rescale(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    options: dict[str, Any] = {"fallback": False, "rescale": True}
    found = outcome(lambda: dicoxide.decode(data, **options))
    exact = outcome(lambda: dicoxide.decode(data, dtype="f8", **options))
    whole = outcome(lambda: dicoxide.decode(data, dtype=("u1", "i2", "i4", "i8")[first % 4], **options))
    for item in (found, exact, whole):
        # Colour has no modality values, and an integer type may not hold them.
        if type(item.error) is not ValueError:
            yield from undocumented("rescale", item)
    if found.array is None or exact.array is None:
        if (found.array is None) != (exact.array is None):
            yield f"float64 gives {exact}, float32 {found}"
        return
    with np.errstate(over="ignore"):
        rounded = exact.array.astype(np.float32)
    yield from _differs(found, Outcome(rounded))
    if whole.array is not None:
        yield from _differs(Outcome(whole.array.astype(np.float64)), exact)


def _view(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    view = outcome(lambda: dicoxide.decode(data, copy=False))
    if view.array is not None:
        yield from _differs(view, direct)
        if view.array.flags.writeable:
            yield "it can be written to"
    elif not isinstance(view.error, ValueError) or isinstance(view.error, dicoxide.InternalError):
        yield f"raises {view}"


def _pydicom(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    dataset = interfaces.read(data)
    if dataset is not None:
        yield from _through_pydicom(dataset, direct, ("plugin", "handler"))


_WAYS = (
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
)


@_target
def header(data: bytes) -> Failures:
    """What a file says of its image, read by the core and by pydicom; and all other attributes."""
    data = data[FILE_CHOICE_BYTES:]
    yield from agreement.header_reads(data)
    found, expected = outcome(lambda: open_source(data)), outcome(lambda: dataset_source(read(data)))
    yield from undocumented("pydicom's reading", expected)
    if found.error is None:
        source: Any = found.array
        yield from _walked(source.attributes, 0)
        for name, work in {
            "rescales": lambda: source.rescales(range(min(source.number_of_frames or 1, 99))),
            "has_modality_lut": lambda: source.has_modality_lut,
            "value": lambda: len(source.value) - source.value_bytes,
        }.items():
            yield from undocumented(name, outcome(work))
    if found.error is None and expected.error is None:
        # Text that makes no sense is shown in another way.
        texts = {"transfer_syntax": "", "photometric_interpretation": ""}
        ours, theirs = (item.array.spec._replace(**texts) for item in (found, expected))
        if ours != theirs:
            yield f"{ours} read, pydicom has {theirs}"
        yield from _walked(expected.array.attributes, 0)


def _walked(attributes: Attributes, depth: int) -> Failures:
    """All attributes, those of items among them."""
    yield from undocumented("the names", outcome(lambda: (len(attributes), "Rows" in attributes)))
    for keyword in outcome(lambda: list(attributes)).array or ():
        found = outcome(lambda keyword=keyword: attributes[keyword])
        yield from undocumented(keyword, found)
        if isinstance(found.array, list) and depth < 3:
            for item in found.array[:3]:
                if isinstance(item, Attributes):
                    yield from _walked(item, depth + 1)


@_target
def series(data: bytes) -> Failures:
    """Two files, of which the bytes choose how they differ, as a series."""
    head, data = data[:FILE_CHOICE_BYTES], data[FILE_CHOICE_BYTES:]
    if len(head) < FILE_CHOICE_BYTES:
        return
    folder = _folder() / "series"
    folder.mkdir(exist_ok=True)
    (folder / "a.dcm").write_bytes(data)
    other = bytearray(data)
    offset = int.from_bytes(head[:2], "little")
    if offset < len(other):
        other[offset] ^= head[2]
    (folder / "b.dcm").write_bytes(other)
    options: dict[str, Any] = {"rescale": head[3] % 2 == 1, "threads": 1, "fallback": False, "max_bytes": 1 << 24}
    found = outcome(lambda: dicoxide.read_series(folder, on_error="return", **options))
    yield from undocumented("read_series", found)
    if found.error is not None:
        return
    result: Any = found.array
    errors = [error for _, error in result.errors]
    for volume in result:
        errors += volume.errors.values()
        if volume.array.shape != volume.shape:
            yield f"an array of {volume.array.shape}, {volume.shape} expected"
        for name in ("affine", "spacing", "positions", "axis_values", "sources", "attributes", "findings"):
            yield from undocumented(name, outcome(lambda volume=volume, name=name: getattr(volume, name)))
        if volume.affine is not None and not np.isfinite(volume.affine).all():
            yield f"affine {volume.affine.tolist()}"
    for error in errors:
        yield from undocumented("an error of read_series", Outcome(error=error))


@_target
def plugin(data: bytes) -> Failures:
    """A Dataset of the chosen attributes through pydicom's ``pixel_array`` and our plugin."""
    yield from _chosen(data, "plugin")


@_target
def handler(data: bytes) -> Failures:
    """The same through pydicom's older interface, which asks for native data too."""
    yield from _chosen(data, "handler")


def _chosen(data: bytes, way: str) -> Failures:
    choice = image_choice.choose(data)
    if choice is None or (way == "plugin" and choice.is_native):
        return
    dataset = choice.dataset()
    # What has not been converted is, when it is asked for.
    before = {tag: one.value for tag, one in dataset._dict.items() if not one.is_raw}
    yield from _through_pydicom(dataset, None, (way,))
    if any(dataset[tag].value != value for tag, value in before.items()):
        yield "the Dataset is another afterwards"


@_target
def backends_(data: bytes) -> Failures:
    """The compiled core and NumPy: the same samples, notes and errors."""
    choice = image_choice.choose(data)
    if choice is None or backend != "rust":
        return
    if not any(uid == choice.transfer_syntax and codec for uid, _, codec in _numpy_backend.transfer_syntaxes()):
        return
    options: dict[str, Any] = {"strict": bool(choice.options & 32), "to_rgb": bool(choice.options & 2)}
    if choice.options & 12 == 12:
        options["rescales"] = [(0.5, 3.0)]
    dtype = "f4" if "rescales" in options else choice.dtype
    ours, theirs = (
        outcome(lambda item=item: backend_comparison.outcome(item, choice.arguments(), dtype, **options))
        for item in (core, _numpy_backend)
    )
    if ours.error is not None or theirs.error is not None or ours.array != theirs.array:
        yield f"{_told(ours)} of the core, {_told(theirs)} of NumPy"


@_target
def values(data: bytes) -> Failures:
    """The value of an element by its bytes, as pydicom has it."""
    if len(data) < 2:
        return
    keywords = list(_DICTIONARY)
    tag, vr = _DICTIONARY[keywords[data[0] % len(keywords)]]
    if vr == "SQ":
        return
    vr = vr[:2]
    character_set: Any = _CHARACTER_SETS[(data[1] >> 1) % len(_CHARACTER_SETS)]
    is_big = bool(data[1] & 1)
    value = data[2:]
    found = outcome(lambda: value_of(vr, value, is_big, character_set))
    yield from undocumented(f"{vr} of {character_set!r}", found)
    ds = Dataset()
    ds.SpecificCharacterSet = character_set
    ds._dict[Tag(tag)] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, not is_big)
    expected = outcome(lambda: Attributes(_elements(ds))._elements.value(tag, vr))
    yield from undocumented("pydicom's conversion", expected)
    several = expected.array if isinstance(expected.array, list) else [expected.array]
    if is_number(vr) and any(isinstance(item, str) for item in several):
        # pydicom takes what is no number for text.
        return
    if vr == "IS" and any(isinstance(item, float) for item in several):
        # Of more digits than a float has, pydicom makes one nevertheless: here they are exact.
        return
    if found.error is None and expected.error is None and not equal(found.array, expected.array):
        yield f"{vr} of {character_set!r} is {found.array!r}, pydicom has {expected.array!r}"


_CHARACTER_SETS = (
    "",
    "ISO_IR 6",
    "ISO_IR 100",
    "ISO_IR 144",
    "ISO_IR 192",
    "ISO_IR 13",
    "GB18030",
    "GBK",
    ["", "ISO 2022 IR 87"],
    ["", "ISO 2022 IR 149"],
    ["ISO 2022 IR 6", "ISO 2022 IR 127", "ISO 2022 IR 58"],
)


def _elements(ds: Dataset) -> Any:
    from dicoxide._sources.dataset import _DatasetElements

    return _DatasetElements(ds)


def _through_pydicom(dataset: Any, direct: Outcome | None, ways: tuple[str, ...]) -> Failures:
    """As far as pydicom takes no more memory than a test should."""
    numbers = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "NumberOfFrames")
    said = [outcome(lambda keyword=keyword: abs(int(dataset.get(keyword) or 1))).array or 1 for keyword in numbers]
    if math.prod(said) > 8 * _MOST_PYDICOM_BYTES:
        ways = ()
    yield from agreement.pydicom_agrees(dataset, direct, ways=ways, fallback=False)


def _differs(found: Outcome, direct: Outcome) -> Failures:
    if not same(found, direct):
        yield f"gives {found}, {direct} expected, or other values"


def _told(found: Outcome) -> str:
    return str(found) if found.error is not None else repr(found.array)[:200]


@cache
def _folder() -> Path:
    """A folder for this process, that no disk stands behind where there is one."""
    offset = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    # It is removed when the process ends.
    made = tempfile.TemporaryDirectory(dir=offset)
    _kept.append(made)
    return Path(made.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []
