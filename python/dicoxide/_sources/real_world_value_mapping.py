"""Real World Value Mapping of any source (PS3.3 C.7.6.16.2.11): which maps a frame has, and the transforms they are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dicoxide._backend import core
from dicoxide._deviations import Deviation
from dicoxide._frame import FrameSpec
from dicoxide._transfer_syntaxes import EXPLICIT_VR_BIG_ENDIAN
from dicoxide.errors import CorruptFrameError

if TYPE_CHECKING:
    import numpy.typing as npt

    from dicoxide._core import ValueRanges
    from dicoxide._sources.attributes import Attributes

__all__ = ["RealWorldMapping", "RealWorldValueMap"]

_CLAUSE = "PS3.3 C.7.6.16.2.11"
_NAME = "Real World Value Mapping"
_SEQUENCE = "RealWorldValueMappingSequence"
# Maximum number of maps that a message lists.
_MAX_LISTED = 8


class RealWorldValueMap(NamedTuple):
    """One item of Real World Value Mapping Sequence (0040,9096): the real-world values of a range of stored values.

    Parameters
    ----------
    label, explanation : str
        LUT Label (0040,9210) and LUT Explanation (0028,3003).
    units, units_meaning : str
        Code Value, for example the UCUM code ``"um2/s"``, and Code Meaning of the measurement units.
    quantities : tuple of (str, str)
        Code Value and Code Meaning of the codes in Quantity Definition Sequence (0040,9220), for example
        ``(("113041", "Apparent Diffusion Coefficient"),)``.
    first, last : float
        First and last stored value that has a real-world value.
    slope, intercept : float or None
        ``stored * slope + intercept`` is the real-world value; None if there are entries.
    entries : ndarray of float64, or None
        One real-world value per stored value from `first` to `last`; None if there are slope and intercept.
    """

    label: str
    explanation: str
    units: str
    units_meaning: str
    quantities: tuple[tuple[str, str], ...]
    first: float
    last: float
    slope: float | None
    intercept: float | None
    entries: npt.NDArray[np.float64] | None

    @property
    def key(self) -> tuple[Any, ...]:
        """Value that is equal for equal maps, and can be hashed."""
        return (*self[:-1], None if self.entries is None else self.entries.tobytes())


class _Names(NamedTuple):
    """Texts that identify a map."""

    label: str
    explanation: str
    units: str
    units_meaning: str
    quantities: tuple[tuple[str, str], ...]

    def include(self, quantity: str) -> bool:
        codes = itertools.chain.from_iterable(self.quantities)
        return quantity in (self.label, self.units, self.units_meaning, *codes)

    def __str__(self) -> str:
        meanings = [meaning or value for value, meaning in self.quantities]
        text = ", ".join([repr(self.label or self.explanation), *map(repr, meanings)])
        return f"{text} in {self.units or self.units_meaning or 'unknown units'}"


class _Selection(NamedTuple):
    """The transform of a frame, and the units of its values."""

    transform: ValueRanges
    units: str


class RealWorldMapping:
    """The maps of all frames of one object. Sequences are read once, the items of a frame on request.

    Parameters
    ----------
    attributes : Attributes
        Attributes of the data set.
    spec : FrameSpec
        Type of the stored values.
    """

    def __init__(self, attributes: Attributes, spec: FrameSpec) -> None:
        self._spec = spec
        shared = _items(attributes, "SharedFunctionalGroupsSequence")
        common = _items(shared[0], _SEQUENCE) if shared else []
        self._common = common or _items(attributes, _SEQUENCE)
        self._per_frame = _items(attributes, "PerFrameFunctionalGroupsSequence")
        # Selections by requested quantity and keys of the maps: equal frames share one.
        self._selections: dict[Any, _Selection] = {}
        # Selections of the maps that are common to frames, by requested quantity.
        self._common_selections: dict[str | None, tuple[_Selection, list[Deviation]]] = {}

    def maps(self, index: int) -> tuple[RealWorldValueMap, ...]:
        """Return the maps of the frame `index`."""
        items, _ = self._items_of(index)
        return tuple(self._read_map(item, _names(item), []) for item in items)

    def transforms(
        self, indices: Iterable[int], quantity: str | None
    ) -> tuple[list[ValueRanges], list[Deviation], str]:
        """Return the transform of each frame in `indices`, or one for all; the deviations; and the units of all.

        Raises
        ------
        CorruptFrameError
            If a selected map is invalid.
        ValueError
            If a frame has no map, or `quantity` does not select one, or frames have different units.
        """
        selections: list[_Selection] = []
        deviations: dict[Deviation, None] = {}
        for index in indices:
            selection, found = self._select_of(index, quantity)
            selections.append(selection)
            deviations.update(dict.fromkeys(found))
        units = list(dict.fromkeys(selection.units for selection in selections))
        if len(units) > 1:
            raise ValueError(
                f"real-world values of the frames have different units: {_listed(units, repr)}; choose frames, or a "
                f"quantity that all have in the same units ({_CLAUSE})"
            )
        transforms = [selection.transform for selection in selections]
        is_common = all(transform is transforms[0] for transform in transforms)
        return transforms[:1] if is_common else transforms, [*deviations], units[0] if units else ""

    def _items_of(self, index: int) -> tuple[list[Attributes], bool]:
        """Return the items of a frame, and True if they are its own."""
        if index < len(self._per_frame):
            items = _items(self._per_frame[index], _SEQUENCE)
            if items:
                return items, True
        return self._common, False

    def _select_of(self, index: int, quantity: str | None) -> tuple[_Selection, list[Deviation]]:
        items, is_own = self._items_of(index)
        try:
            if is_own:
                return self._select(items, quantity)
            if quantity not in self._common_selections:
                self._common_selections[quantity] = self._select(items, quantity)
            return self._common_selections[quantity]
        except ValueError as error:
            if isinstance(error, CorruptFrameError):
                error.frame_index = index
            else:
                error.add_note(f"frame index: {index}")
            raise

    def _select(self, items: Sequence[Attributes], quantity: str | None) -> tuple[_Selection, list[Deviation]]:
        """Return the transform of the items that `quantity` selects."""
        if not items:
            raise ValueError(f"the image has no {_NAME} Sequence, which rescale='real_world' needs ({_CLAUSE})")
        named = [(item, _names(item)) for item in items]
        selected = [(item, names) for item, names in named if quantity is None or names.include(quantity)]
        if not selected:
            found = _listed([names for _, names in named], str)
            raise ValueError(f"no real-world values for quantity {quantity!r}, found: {found} ({_CLAUSE})")
        deviations: list[Deviation] = []
        maps_by_key: dict[Any, RealWorldValueMap] = {}
        for item, names in selected:
            value_map = self._read_map(item, names, deviations)
            maps_by_key[value_map.key] = value_map
        key = (quantity, *maps_by_key)
        if key not in self._selections:
            self._selections[key] = _combine([*maps_by_key.values()])
        return self._selections[key], deviations

    def _read_map(self, item: Attributes, names: _Names, deviations: list[Deviation]) -> RealWorldValueMap:
        first, last = self._range(item, deviations)
        slope = _number(item, "RealWorldValueSlope", "Real World Value Slope")
        intercept = _number(item, "RealWorldValueIntercept", "Real World Value Intercept")
        data = item.get("RealWorldValueLUTData")
        if isinstance(data, bytes):
            # More than 64 KiB need VR UN in explicit VR (PS3.5 6.2.2), which pydicom does not convert.
            is_big_endian = self._spec.transfer_syntax == EXPLICIT_VR_BIG_ENDIAN
            data = np.frombuffer(data[: len(data) // 8 * 8], ">f8" if is_big_endian else "<f8")
        entries = None
        if data is not None:
            if slope is not None or intercept is not None:
                raise _malformed("LUT Data and Slope or Intercept found, one of them expected")
            entries = _entries(data, first, last, deviations)
        elif slope is None or intercept is None:
            missing = "Slope" if slope is None else "Intercept"
            raise _malformed(f"Real World Value {missing} and LUT Data are missing, one of them expected")
        elif not (math.isfinite(slope) and math.isfinite(intercept)):
            raise _malformed(f"slope {slope} and intercept {intercept} found, finite numbers expected")
        if not names.units:
            text = f"{_NAME}: Measurement Units Code Sequence is missing"
            deviations.append(Deviation(None, text, _CLAUSE, None))
        return RealWorldValueMap(*names, first, last, slope, intercept, entries)

    def _range(self, item: Attributes, deviations: list[Deviation]) -> tuple[float, float]:
        """Return the first and the last stored value of a map."""
        first, declared_first = self._end(item, "First")
        last, declared_last = self._end(item, "Last")
        if first > last and declared_first <= declared_last:
            text = (
                f"{_NAME}: values mapped from {declared_first:g} to {declared_last:g} found, "
                f"{'signed' if self._spec.pixel_representation else 'unsigned'} ones of 16 bits expected"
            )
            deviations.append(Deviation(None, text, _CLAUSE, None))
            first, last = declared_first, declared_last
        if not first <= last:
            raise _malformed(f"values mapped from {first:g} to {last:g}")
        return first, last

    def _end(self, item: Attributes, end: str) -> tuple[float, float]:
        """Return an end of the range, with the sign of the stored values, and as it is declared."""
        name = f"Real World Value {end} Value Mapped"
        words = _number(item, f"RealWorldValue{end}ValueMapped", name)
        double = _number(item, f"DoubleFloatRealWorldValue{end}ValueMapped", f"Double Float {name}")
        if words is None:
            if double is None:
                raise _malformed(f"{name} is missing")
            return double, double
        signed = self._signed(words)
        if double not in (None, words, signed):
            raise _malformed(f"{name} {words:g} and Double Float {double:g} found, equal numbers expected")
        return signed, words

    def _signed(self, words: float) -> float:
        """Return a number of 16 bits as one of the stored values' sign, whatever its VR (US or SS)."""
        if self._spec.is_float or words != int(words) or not -0x8000 <= words <= 0xFFFF:
            return words
        number = int(words) & 0xFFFF
        is_negative = self._spec.pixel_representation == 1 and number >= 0x8000
        return float(number - 0x10000 if is_negative else number)


def _combine(maps: Sequence[RealWorldValueMap]) -> _Selection:
    """Return the transform of maps whose ranges are disjoint, and which have the same units and quantity."""
    ordered = sorted(maps, key=lambda value_map: value_map.first)
    is_overlapping = any(after.first <= before.last for before, after in itertools.pairwise(ordered))
    kinds = {(value_map.units, value_map.units_meaning, value_map.quantities) for value_map in maps}
    if is_overlapping or len(kinds) > 1:
        found = _listed([_Names(*value_map[:5]) for value_map in maps], str)
        raise ValueError(f"several maps to real-world values found, choose one by `quantity`: {found} ({_CLAUSE})")
    ranges = [
        (
            value_map.first,
            value_map.last,
            (value_map.slope or 0.0, value_map.intercept or 0.0) if value_map.entries is None else value_map.entries,
        )
        for value_map in ordered
    ]
    return _Selection(core.ValueRanges(ranges), maps[0].units)


def _names(item: Attributes) -> _Names:
    units = _codes(item, "MeasurementUnitsCodeSequence")
    quantities = [
        code
        for definition in _items(item, "QuantityDefinitionSequence")
        for code in _codes(definition, "ConceptCodeSequence")
    ]
    label, explanation = _text(item, "LUTLabel"), _text(item, "LUTExplanation")
    return _Names(label, explanation, *(units[0] if units else ("", "")), tuple(quantities))


def _codes(item: Attributes, keyword: str) -> list[tuple[str, str]]:
    """Return (Code Value, Code Meaning) of the items of a code sequence (PS3.3 8.8)."""
    values = ("CodeValue", "LongCodeValue", "URNCodeValue")
    return [
        (next(filter(None, (_text(code, keyword) for keyword in values)), ""), _text(code, "CodeMeaning"))
        for code in _items(item, keyword)
    ]


def _items(attributes: Mapping[str, Any], keyword: str) -> list[Attributes]:
    return attributes.get(keyword) or []


def _text(item: Attributes, keyword: str) -> str:
    value = item.get(keyword)
    return "\\".join(map(str, value)) if isinstance(value, list) else str(value or "").strip(" \0")


def _number(item: Attributes, keyword: str, name: str) -> float | None:
    """Return the value of an attribute with one number; None if it is absent or empty."""
    value = item.get(keyword)
    if isinstance(value, bytes) and len(value) == 2:
        # A value of US or SS that pydicom did not convert.
        value = int.from_bytes(value, "little")
    if value is None or value == "":
        return None
    if not isinstance(value, (int, float)):
        raise _malformed(f"{name} is {str(value)[:64]}, one number expected")
    return float(value)


def _entries(data: Any, first: float, last: float, deviations: list[Deviation]) -> npt.NDArray[np.float64]:
    """Return the entries of a table, of which there is one per stored value from `first` to `last`."""
    try:
        entries = np.atleast_1d(np.array(data, np.float64))
    except (TypeError, ValueError):
        raise _malformed("LUT Data has other values than numbers") from None
    count = last - first + 1
    if not (first.is_integer() and last.is_integer()):
        raise _malformed(f"LUT Data for values from {first:g} to {last:g}, integers expected")
    if len(entries) < count:
        raise _malformed(f"LUT Data has {len(entries)} entries, {count:.0f} expected for {first:g} to {last:g}")
    if len(entries) > count:
        text = f"{_NAME}: LUT Data has {len(entries)} entries, {count:.0f} expected: the others are ignored"
        deviations.append(Deviation(None, text, _CLAUSE, None))
    return entries[: int(count)].copy()


def _listed(items: Sequence[Any], describe: Callable[[Any], str]) -> str:
    """Return descriptions of the first items, and the number of the others."""
    texts = list(dict.fromkeys(map(describe, items)))
    more = f"; and {len(texts) - _MAX_LISTED} more" if len(texts) > _MAX_LISTED else ""
    return "; ".join(texts[:_MAX_LISTED]) + more


def _malformed(message: str) -> CorruptFrameError:
    return CorruptFrameError(f"{_NAME}: {message} ({_CLAUSE})", kind="Malformed", clause=_CLAUSE)
