"""Fuzz targets, by name: functions that take any bytes and yield a description of each failure.

The first bytes select a check and its options, the rest is decoded.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
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
from support.file_mutations import agreement
from support.file_mutations.agreement import equal, undocumented
from support.file_mutations.interfaces import Outcome, outcome
from support.fuzzing import image_choice
from support.fuzzing.decode_checks import CHECKS, Failures, folder, through_pydicom
from support.series_completeness import incomplete

Target = Callable[[bytes], Failures]

# Choice bytes before the file, in targets that decode files.
FILE_CHOICE_BYTES = 4

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
    check = CHECKS[head[0] % len(CHECKS)]
    for failure in check(data, direct, head[1], head[2]):
        yield f"{check.__name__[1:]}: {failure}"


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
    """Read two files that differ in one byte as a series; each frame is in one volume, or reported."""
    head, data = data[:FILE_CHOICE_BYTES], data[FILE_CHOICE_BYTES:]
    if len(head) < FILE_CHOICE_BYTES:
        return
    series_folder = folder() / "series"
    series_folder.mkdir(exist_ok=True)
    (series_folder / "a.dcm").write_bytes(data)
    changed = bytearray(data)
    offset = int.from_bytes(head[:2], "little")
    if offset < len(changed):
        changed[offset] ^= head[2]
    (series_folder / "b.dcm").write_bytes(changed)
    options: dict[str, Any] = {"rescale": head[3] % 2 == 1, "threads": 1, "fallback": False, "max_bytes": 1 << 24}
    result = outcome(lambda: dicoxide.read_series(series_folder, on_error="return", **options))
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
    yield from incomplete(series_folder)


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
    yield from through_pydicom(dataset, None, (interface,))
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
    # Callers refuse transforms of several samples per pixel.
    is_grayscale = choice.samples_per_pixel == 1
    if is_grayscale and choice.options & 12 == 12:
        options["rescales"] = [(0.5, 3.0)]
    elif is_grayscale and choice.options & 12 == 8 and choice.value:
        options["table"] = choice.columns % 256 - 128, choice.value[: image_choice.MAX_ENTRIES]
    dtype = "f4" if {"rescales", "table"} & options.keys() else choice.dtype
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
    from dicoxide._sources.dataset_elements import DatasetElements

    return DatasetElements(ds)


def _text(result: Outcome) -> str:
    return str(result) if result.error is not None else repr(result.array)[:200]
