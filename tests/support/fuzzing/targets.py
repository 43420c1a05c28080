"""Fuzz targets, by name: functions that take any bytes and yield a description of each failure.

The first bytes select a check and its options, the rest is decoded.
"""

from __future__ import annotations

import io
import math
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
from support.file_mutations.worker import memory_folder
from support.fuzzing import image_choice

Failures = Iterator[str]
Target = Callable[[bytes], Failures]

# Choice bytes before the file, in targets that decode files.
FILE_CHOICE_BYTES = 4
# pydicom allocates memory for all declared frames before it reads them.
_MAX_PYDICOM_BYTES = 1 << 24

TARGETS: dict[str, Target] = {}


def run(name: str, data: bytes) -> list[str]:
    """Return the failures of a target for `data`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(TARGETS[name](data))


def _target(function: Target) -> Target:
    TARGETS[function.__name__.strip("_")] = function
    return function


@_target
def decode(data: bytes) -> Failures:
    """Decode a whole file, and again by another interface or with an option: same array or error."""
    head, data = data[:FILE_CHOICE_BYTES], data[FILE_CHOICE_BYTES:]
    if len(head) < FILE_CHOICE_BYTES:
        return
    direct = outcome(lambda: dicoxide.decode(data, fallback=False, threads=1))
    yield from undocumented("decode", direct)
    check = _CHECKS[head[0] % len(_CHECKS)]
    for failure in check(data, direct, head[1], head[2]):
        yield f"{check.__name__[1:]}: {failure}"


def _threads(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    yield from _differs(outcome(lambda: dicoxide.decode(data, fallback=False, threads=2)), direct)


def _sources(data: bytes, direct: Outcome, first: int, second: int) -> Failures:
    path = _folder() / "case.dcm"
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
        yield from _through_pydicom(dataset, direct, ("plugin", "handler"))


_CHECKS = (
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
    """Read the image attributes by the core and by pydicom: equal values; and all other attributes."""
    data = data[FILE_CHOICE_BYTES:]
    yield from agreement.header_reads(data)
    result, expected = outcome(lambda: open_source(data)), outcome(lambda: dataset_source(read(data)))
    yield from undocumented("reading by pydicom", expected)
    if result.error is None:
        source: Any = result.array
        yield from _check_attributes(source.attributes, 0)
        for name, work in {
            "rescales": lambda: source.rescales(range(min(source.number_of_frames or 1, 99))),
            "has_modality_lut": lambda: source.has_modality_lut,
            "value": lambda: len(source.value) - source.value_bytes,
        }.items():
            yield from undocumented(name, outcome(work))
    if result.error is None and expected.error is None:
        # Undecodable text is replaced differently.
        texts = {"transfer_syntax": "", "photometric_interpretation": ""}
        core_spec, pydicom_spec = (item.array.spec._replace(**texts) for item in (result, expected))
        if core_spec != pydicom_spec:
            yield f"{core_spec} read, pydicom reads {pydicom_spec}"
        yield from _check_attributes(expected.array.attributes, 0)


def _check_attributes(attributes: Attributes, depth: int) -> Failures:
    """Read all attributes, including those of items."""
    yield from undocumented("the keywords", outcome(lambda: (len(attributes), "Rows" in attributes)))
    for keyword in outcome(lambda: list(attributes)).array or ():
        result = outcome(lambda keyword=keyword: attributes[keyword])
        yield from undocumented(keyword, result)
        if isinstance(result.array, list) and depth < 3:
            for item in result.array[:3]:
                if isinstance(item, Attributes):
                    yield from _check_attributes(item, depth + 1)


@_target
def series(data: bytes) -> Failures:
    """Read two files that differ in one byte as a series."""
    head, data = data[:FILE_CHOICE_BYTES], data[FILE_CHOICE_BYTES:]
    if len(head) < FILE_CHOICE_BYTES:
        return
    folder = _folder() / "series"
    folder.mkdir(exist_ok=True)
    (folder / "a.dcm").write_bytes(data)
    changed = bytearray(data)
    offset = int.from_bytes(head[:2], "little")
    if offset < len(changed):
        changed[offset] ^= head[2]
    (folder / "b.dcm").write_bytes(changed)
    options: dict[str, Any] = {"rescale": head[3] % 2 == 1, "threads": 1, "fallback": False, "max_bytes": 1 << 24}
    result = outcome(lambda: dicoxide.read_series(folder, on_error="return", **options))
    yield from undocumented("read_series", result)
    if result.error is not None:
        return
    result: Any = result.array
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
    """Decode a Dataset of the selected attributes by dicoxide's plugin of pydicom 3."""
    yield from _decode_choice(data, "plugin")


@_target
def handler(data: bytes) -> Failures:
    """Decode a Dataset by dicoxide's handler of pydicom 2, which also decodes native data."""
    yield from _decode_choice(data, "handler")


def _decode_choice(data: bytes, interface: str) -> Failures:
    choice = image_choice.choose(data)
    if choice is None or (interface == "plugin" and choice.is_native):
        return
    dataset = choice.dataset()
    # Raw elements are converted on access, so only the others can be compared.
    before = {tag: element.value for tag, element in dataset._dict.items() if not element.is_raw}
    yield from _through_pydicom(dataset, None, (interface,))
    if any(dataset[tag].value != value for tag, value in before.items()):
        yield "decoding changes the Dataset"


@_target
def backends_(data: bytes) -> Failures:
    """Decode by the compiled core and the NumPy backend: equal samples, deviations and errors."""
    choice = image_choice.choose(data)
    if choice is None or backend != "rust":
        return
    if not any(uid == choice.transfer_syntax and codec for uid, _, codec in _numpy_backend.transfer_syntaxes()):
        return
    options: dict[str, Any] = {"strict": bool(choice.options & 32), "to_rgb": bool(choice.options & 2)}
    if choice.options & 12 == 12:
        options["rescales"] = [(0.5, 3.0)]
    dtype = "f4" if "rescales" in options else choice.dtype
    by_core, by_numpy = (
        outcome(lambda item=item: backend_comparison.outcome(item, choice.arguments(), dtype, **options))
        for item in (core, _numpy_backend)
    )
    if by_core.error is not None or by_numpy.error is not None or by_core.array != by_numpy.array:
        yield f"the core gives {_text(by_core)}, NumPy {_text(by_numpy)}"


@_target
def values(data: bytes) -> Failures:
    """Convert the bytes of an element; the value must equal that of pydicom."""
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
    result = outcome(lambda: value_of(vr, value, is_big, character_set))
    yield from undocumented(f"{vr} of {character_set!r}", result)
    ds = Dataset()
    ds.SpecificCharacterSet = character_set
    ds._dict[Tag(tag)] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, not is_big)
    expected = outcome(lambda: Attributes(_elements(ds))._elements.value(tag, vr))
    yield from undocumented("pydicom's conversion", expected)
    items = expected.array if isinstance(expected.array, list) else [expected.array]
    if is_number(vr) and any(isinstance(item, str) for item in items):
        # pydicom returns text if the value is not a number.
        return
    if vr == "IS" and any(isinstance(item, float) for item in items):
        # pydicom returns a rounded float for many digits; dicoxide returns the exact integer.
        return
    if result.error is None and expected.error is None and not equal(result.array, expected.array):
        yield f"{vr} of {character_set!r} is {result.array!r}, pydicom gives {expected.array!r}"


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


def _through_pydicom(dataset: Any, direct: Outcome | None, interface_names: tuple[str, ...]) -> Failures:
    """Decode through pydicom, unless it would allocate too much memory."""
    keywords = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "NumberOfFrames")
    sizes = [outcome(lambda keyword=keyword: abs(int(dataset.get(keyword) or 1))).array or 1 for keyword in keywords]
    if math.prod(sizes) > 8 * _MAX_PYDICOM_BYTES:
        interface_names = ()
    yield from agreement.pydicom_agrees(dataset, direct, through=interface_names, fallback=False)


def _differs(result: Outcome, direct: Outcome) -> Failures:
    if not same(result, direct):
        yield f"gives {result}, {direct} expected, or the values differ"


def _text(result: Outcome) -> str:
    return str(result) if result.error is not None else repr(result.array)[:200]


@cache
def _folder() -> Path:
    """Return a folder of this process, in memory if possible; it is removed when the process ends."""
    folder = tempfile.TemporaryDirectory(dir=memory_folder())
    _folders.append(folder)
    return Path(folder.name)


_folders: list[tempfile.TemporaryDirectory[str]] = []
