"""Windows and VOI LUTs of the frames of an object, and the choice of one (PS3.3 C.11.2, C.7.6.16.2.10)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from dicoxide._deviations import Deviation
from dicoxide._rendering._options import FUNCTIONS, Percentiles, RenderOptions, Window
from dicoxide._rendering._voi_lut import read_voi_lut
from dicoxide._sources import Attributes
from dicoxide.errors import CorruptFrameError

if TYPE_CHECKING:
    from dicoxide._core import LookupTable

__all__ = ["VOI_KEYWORDS", "FullRange", "ValueRange", "Voi", "VoiAttributes", "read_voi", "select_voi", "unusable"]

_WINDOW_KEYWORDS = ("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction")
VOI_KEYWORDS = (*_WINDOW_KEYWORDS, "VOILUTSequence")
_CLAUSE = "PS3.3 C.11.2.1.2"
_WIDTH_CLAUSES = {
    "LINEAR": "PS3.3 C.11.2.1.2.1",
    "LINEAR_EXACT": "PS3.3 C.11.2.1.3.2",
    "SIGMOID": "PS3.3 C.11.2.1.3.1",
}

# Argument `voi` of `core.Rendering.grayscale`: a function or "RANGE" with two numbers, or a table with its bits.
Voi: TypeAlias = "tuple[str, float, float] | tuple[LookupTable, int]"


class ValueRange(NamedTuple):
    """Request for the range of the values of the frames of a call."""

    percentiles: Percentiles | None = None


class FullRange(NamedTuple):
    """Request for the range of all values of the stored type."""


class VoiAttributes(NamedTuple):
    """VOI attributes of one frame.

    Attributes
    ----------
    windows : tuple of Window or None
        None for a window whose center or width is not a number.
    explanations : tuple of str
        One per window, ``""`` if missing.
    function : str
        VOI LUT Function.
    tables : tuple of Attributes
        Items of the VOI LUT Sequence.
    deviations : tuple of Deviation
    """

    windows: tuple[Window | None, ...]
    explanations: tuple[str, ...]
    function: str
    tables: tuple[Attributes, ...]
    deviations: tuple[Deviation, ...]


_NONE = VoiAttributes((), (), "LINEAR", (), ())


def read_voi(values: Mapping[str, Any]) -> VoiAttributes | None:
    """Return the VOI attributes among `values`, by keyword; None if there are none."""
    tables = values.get("VOILUTSequence")
    attributes = _read_windows(*[_hashable(values.get(keyword)) for keyword in _WINDOW_KEYWORDS])
    if not tables:
        return attributes if attributes.windows or attributes.deviations or values.get("VOILUTFunction") else None
    return attributes._replace(tables=tuple(tables))


# Cached, because the frames of a series have a few different windows.
@lru_cache(maxsize=256)
def _read_windows(center: Any, width: Any, texts: Any, function_value: Any) -> VoiAttributes:
    """Return the VOI attributes of values of elements; several values are a tuple."""
    centers, widths = _numbers(center), _numbers(width)
    deviations = []
    if len(centers) != len(widths):
        text = f"Window Center has {len(centers)} values, Window Width {len(widths)}: equal numbers expected"
        deviations.append(Deviation(None, text, _CLAUSE, None))
    windows = tuple(
        None if center is None or width is None else Window(center, width)
        for center, width in zip(centers, widths, strict=False)
    )
    explanations = [str(text or "").strip() for text in (texts if isinstance(texts, tuple) else [texts])]
    explanations = (explanations + [""] * len(windows))[: len(windows)]
    function = str(function_value or "LINEAR").strip(" \0")
    if function not in FUNCTIONS:
        text = f"VOI LUT Function {function[:32]!r} found, {', '.join(FUNCTIONS)} expected: taken as LINEAR"
        deviations.append(Deviation(None, text, "PS3.3 C.11.2.1.3", None))
        function = "LINEAR"
    return VoiAttributes(windows, tuple(explanations), function, (), tuple(deviations))


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def select_voi(
    attributes: VoiAttributes | None,
    options: RenderOptions,
    *,
    has_negative_values: bool,
    is_big_endian: bool,
    deviations: list[Deviation],
) -> Voi | ValueRange | FullRange:
    """Return the VOI transform that `options` select for a frame.

    Parameters
    ----------
    attributes : VoiAttributes, optional
        Those of the frame.
    options : RenderOptions
        The call's options.
    has_negative_values : bool
        True if modality values, which a VOI LUT maps, can be negative.
    is_big_endian : bool
        Byte order of VOI LUTs.
    deviations : list of Deviation
        Receives the deviations of what has been used or skipped.

    Raises
    ------
    CorruptFrameError
        If the requested window or table of the data set is invalid.
    ValueError
        If there is no such window.
    """
    request = options.window
    if isinstance(request, Percentiles):
        return ValueRange(request)
    found = attributes or _NONE
    function = options.function or found.function
    if isinstance(request, Window):
        deviations += _function_deviations(found, options)
        if problem := unusable(function, request):
            raise ValueError(problem)
        return function, *request
    if request in ("range", "full"):
        return ValueRange() if request == "range" else FullRange()
    deviations += found.deviations
    if request == "first":
        return _default_voi(found, options, function, has_negative_values, is_big_endian, deviations)
    index = _index_of(found, request)
    if index >= len(found.windows):
        return read_voi_lut(
            found.tables[index - len(found.windows)],
            has_negative_values=has_negative_values,
            is_big_endian=is_big_endian,
        )
    window = found.windows[index]
    problem, clause = _problem_of(function, window)
    if window is None or problem:
        raise CorruptFrameError(f"{problem} ({clause})", kind="Malformed", clause=clause)
    return function, *window


def _default_voi(
    found: VoiAttributes,
    options: RenderOptions,
    function: str,
    has_negative_values: bool,
    is_big_endian: bool,
    deviations: list[Deviation],
) -> Voi | ValueRange:
    """Return the first VOI LUT, else the first window, else the request for the values' range."""
    if options.voi_lut and found.tables:
        try:
            return read_voi_lut(found.tables[0], has_negative_values=has_negative_values, is_big_endian=is_big_endian)
        except CorruptFrameError as error:
            if not options.skip_invalid:
                raise
            text = str(error).removesuffix(f" ({error.clause})")
            deviations.append(Deviation(None, f"{text}: not applied", error.clause or _CLAUSE, None))
    for window in found.windows:
        problem, clause = _problem_of(function, window)
        if window is not None and not problem:
            return function, *window
        if not options.skip_invalid:
            raise CorruptFrameError(f"{problem} ({clause})", kind="Malformed", clause=clause)
        deviations.append(Deviation(None, f"{problem}: not applied", clause, None))
    return ValueRange()


def unusable(function: str, window: Window) -> str:
    """Return why `window` cannot be used with a VOI LUT Function, with the clause; empty if it can."""
    problem, clause = _problem_of(function, window)
    return f"{problem} ({clause})" if problem else ""


def _problem_of(function: str, window: Window | None) -> tuple[str, str]:
    """Return why a window cannot be used, and the clause; an empty text if it can."""
    if window is None or not (math.isfinite(window.center) and math.isfinite(window.width)):
        return "window center and width are not numbers", _CLAUSE
    clause = _WIDTH_CLAUSES[function]
    if function == "LINEAR" and window.width < 1:
        return f"window width {window.width:g} found, at least 1 expected of {function}", clause
    if window.width <= 0:
        return f"window width {window.width:g} found, more than 0 expected of {function}", clause
    return "", clause


def _index_of(found: VoiAttributes, request: str | int | Window) -> int:
    """Return the index of the requested window; VOI LUTs follow the windows."""
    if isinstance(request, str):
        text = request.casefold()
        explanations = [*found.explanations, *map(_explanation, found.tables)]
        for index, explanation in enumerate(explanations):
            if explanation.casefold() == text:
                return index
        raise ValueError(f"no window {request!r}, {_listed(found)}")
    assert isinstance(request, int)
    count = len(found.windows)
    if not -count <= request < count:
        raise ValueError(f"window index {request} is out of range, {_listed(found)}")
    return request % count


def _listed(found: VoiAttributes) -> str:
    """Return a text that lists the windows of a frame."""
    texts = [
        f"{index}: {'not numbers' if window is None else f'center {window.center:g}, width {window.width:g}'}"
        + (f", {explanation!r}" if explanation else "")
        for index, (window, explanation) in enumerate(zip(found.windows, found.explanations, strict=True))
    ]
    texts += [f"VOI LUT {_explanation(table)!r}" for table in found.tables]
    return f"windows of the image: {'; '.join(texts[:16])}" if texts else "the image has no windows"


def _explanation(table: Attributes) -> str:
    """Return LUT Explanation (0028,3003) of an item of the VOI LUT Sequence."""
    return str(table.get_many(("LUTExplanation",)).get("LUTExplanation") or "").strip()


def _function_deviations(found: VoiAttributes, options: RenderOptions) -> Sequence[Deviation]:
    """Return the deviations of the VOI LUT Function, if it is used."""
    return [] if options.function else [item for item in found.deviations if item.clause == "PS3.3 C.11.2.1.3"]


def _numbers(value: Any) -> list[float | None]:
    """Return the values of an attribute with numbers; None for each that is not one."""
    if value is None or value == "":
        return []
    values = value if isinstance(value, tuple) else [value]
    return [float(number) if isinstance(number, (int, float)) else None for number in values]
