"""Attributes of a pydicom Dataset, with values of Python's own types."""

from __future__ import annotations

from collections.abc import Iterator, MutableSequence, Sequence
from typing import TYPE_CHECKING, Any

from dicoxide._sources.attributes import Attributes, wrong_vr_error
from dicoxide._sources.pydicom_reader import convert_errors
from dicoxide._sources.values import is_number

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["DatasetElements", "attributes_of"]


def attributes_of(dataset: Dataset) -> Attributes:
    """Return the attributes of a pydicom Dataset."""
    return Attributes(DatasetElements(dataset))


class DatasetElements:
    """Elements of a pydicom Dataset, with values of Python's own types."""

    __slots__ = ("_dataset",)

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def value(self, tag: int, vr: str) -> Any:
        if tag not in self._dataset:
            raise KeyError(tag)
        with convert_errors(f"element ({tag >> 16:04X},{tag & 0xFFFF:04X})", also=(OSError,)):
            element = self._dataset[tag]
            value = element.value
            if (element.VR == "SQ") != (vr == "SQ"):
                raise wrong_vr_error(tag, vr)
            if vr == "SQ":
                return [DatasetElements(item) for item in value or ()]
            is_multiple = isinstance(value, MutableSequence)
            items = value if is_multiple else [value]
            plain = [None if item == "" and is_number(vr) else _plain(item) for item in items]
            return plain if is_multiple else plain[0]

    def vr(self, tag: int) -> str | None:
        if tag not in self._dataset:
            return None
        # Elements that pydicom has not converted have a VR of None if it is implicit.
        return self._dataset.get_item(tag).VR

    def read_common(self, wanted: Sequence[tuple[str, int, str]]) -> tuple[dict[str, Any], list[str]]:
        return {}, [keyword for keyword, tag, _ in wanted if tag in self._dataset]

    def tags(self) -> Iterator[int]:
        return map(int, self._dataset.keys())


def _plain(value: Any) -> Any:
    """Convert an instance of pydicom's number and text classes to int, float or str."""
    if value is None or isinstance(value, bytes):
        return value
    for number_type in (int, float):
        if isinstance(value, number_type):
            return number_type(value)
    return str(value)
