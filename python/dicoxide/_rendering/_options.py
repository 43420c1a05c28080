"""The options of a rendering call, validated once."""

from __future__ import annotations

import math
import operator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypedDict

import numpy as np

from dicoxide._arguments import check_reduce

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "DTYPES",
    "FUNCTIONS",
    "Percentiles",
    "RenderKeywords",
    "RenderOptions",
    "Window",
    "WindowSelection",
    "check_options",
]

# VOI LUT Function (0028,1056): defined terms of PS3.3 C.11.2.1.3.
FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
# Output types and their highest output value.
DTYPES: dict[str, float] = {"uint8": 255, "uint16": 65535, "float32": 1.0}

# Argument `window` of the public functions.
WindowSelection: TypeAlias = "str | int | tuple[float, float] | tuple[Literal['percentile'], float, float]"


class Window(NamedTuple):
    """A window in modality units."""

    center: float
    width: float


class Percentiles(NamedTuple):
    """A range of values between two percentiles, 0 to 100."""

    low: float
    high: float
    # Makes it differ from a window, because tuples with equal fields are equal.
    unit: str = "percent"


class RenderOptions(NamedTuple):
    """Options of one rendering call. Public functions take them as flat keywords."""

    window: str | int | Window | Percentiles = "first"
    """``"first"``, ``"full"``, ``"range"``, an explanation, the index of a window, a window, or percentiles."""
    function: str | None = None
    """VOI LUT Function; None for that of the data set."""
    voi_lut: bool = True
    """Use the VOI LUT Sequence with the default window."""
    palette: bool = True
    """Apply palettes, and the colours of segments."""
    overlays: bool = False
    """Burn overlay planes into the output."""
    invert: bool | None = None
    """Invert the output; None for what the data set declares."""
    icc: bool = False
    """Convert colours to sRGB by the ICC profile."""
    dtype: str = "uint8"
    """NumPy name of the output type."""
    max_size: int | None = None
    """Maximum rows and columns of the output, in pixels."""
    reduce: int = 0
    """Number of resolutions to discard."""
    skip_invalid: bool = False
    """Report invalid windows and VOI LUTs of the data set and continue with the next one. No public option."""

    @property
    def is_absolute(self) -> bool:
        """True if the window does not depend on VOI attributes."""
        window = self.window
        if isinstance(window, Window):
            return self.function is not None
        return isinstance(window, Percentiles) or window in ("range", "full")

    @property
    def highest(self) -> float:
        """Highest output value."""
        return DTYPES[self.dtype]


class RenderKeywords(TypedDict, total=False):
    """Keywords of the public functions that are the same for all frames of an image."""

    window: WindowSelection
    function: str | None
    voi_lut: bool
    palette: bool
    overlays: bool
    invert: bool | None
    icc: bool
    dtype: npt.DTypeLike
    max_size: int | None
    reduce: int


def check_options(
    *,
    window: WindowSelection = "first",
    function: str | None = None,
    voi_lut: bool = True,
    palette: bool = True,
    overlays: bool = False,
    invert: bool | None = None,
    icc: bool = False,
    dtype: npt.DTypeLike = "uint8",
    max_size: int | None = None,
    reduce: int = 0,
) -> RenderOptions:
    """Return the options of :func:`dicoxide.render` as one object.

    Raises
    ------
    TypeError, ValueError
        If one has an unsuitable type or value.
    """
    values: tuple[Any, ...] = (window, function, voi_lut, palette, overlays, invert, icc, dtype, max_size, reduce)
    try:
        return _cached_options(*values)
    except TypeError:
        # One is not hashable, such as a list, or has an unsuitable type.
        return _checked_options(*values)


def _checked_options(
    window: Any,
    function: str | None,
    voi_lut: bool,
    palette: bool,
    overlays: bool,
    invert: bool | None,
    icc: bool,
    dtype: Any,
    max_size: int | None,
    reduce: int,
) -> RenderOptions:
    """Return checked options."""
    if function is not None and function not in FUNCTIONS:
        raise ValueError(f"function must be one of {', '.join(map(repr, FUNCTIONS))}, not {function!r}")
    output_type: np.dtype[Any] = np.dtype(dtype)
    name = output_type.name
    if name not in DTYPES or not output_type.isnative:
        raise ValueError(f"dtype must be uint8, uint16 or float32, not {output_type}")
    if icc and name != "uint8":
        raise ValueError(f"icc=True needs dtype uint8, not {name}")
    if max_size is not None and operator.index(max_size) < 1:
        raise ValueError(f"max_size must be at least 1, not {max_size}")
    if overlays and reduce:
        raise ValueError("overlays=True needs the full resolution, reduce=0")
    checked = _checked_window(window)
    reduce = check_reduce(reduce)
    return RenderOptions(checked, function, voi_lut, palette, overlays, invert, icc, name, max_size, reduce)


# Cached, because the checks take 5 % of decoding a small file.
_cached_options = lru_cache(maxsize=64, typed=True)(_checked_options)


def _checked_window(window: Any) -> str | int | Window | Percentiles:
    """Return the argument `window` in the form of :class:`RenderOptions`."""
    if isinstance(window, str):
        return window.strip()
    if isinstance(window, (tuple, list)):
        is_percentile = len(window) == 3 and isinstance(window[0], str) and window[0] == "percentile"
        if is_percentile and all(map(_is_number, window[1:])):
            percentiles = Percentiles(float(window[1]), float(window[2]))
            if not 0 <= percentiles.low <= percentiles.high <= 100:
                raise ValueError(f"percentiles must be 0 to 100 in ascending order, not {window[1]} and {window[2]}")
            return percentiles
        if len(window) == 2 and all(map(_is_number, window)):
            explicit = Window(float(window[0]), float(window[1]))
            if not (math.isfinite(explicit.center) and math.isfinite(explicit.width)):
                raise ValueError(f"window center {window[0]} and width {window[1]} must be finite")
            return explicit
    elif not isinstance(window, bool):
        try:
            return operator.index(window)
        except TypeError:
            pass
    raise TypeError(
        "window must be (center, width), an explanation, an index, 'first', 'full', 'range' or "
        f"('percentile', low, high), not {window!r}"
    )


def _is_number(value: Any) -> bool:
    return not isinstance(value, str) and hasattr(value, "__float__")
