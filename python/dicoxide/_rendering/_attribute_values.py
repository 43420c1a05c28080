"""Values of the attributes that rendering uses; corrupt ones are reported."""

from __future__ import annotations

from typing import Any

from dicoxide._deviations import Deviation
from dicoxide._sources import SEQUENCES, Attributes
from dicoxide.errors import CorruptFrameError

__all__ = ["read_values"]


def read_values(attributes: Attributes, keywords: tuple[str, ...], deviations: list[Deviation]) -> dict[str, Any]:
    """Return the values of attributes that are present, by keyword.

    Parameters
    ----------
    attributes : Attributes
        Those of a data set or item.
    keywords : tuple of str
        Keywords of PS3.6.
    deviations : list of Deviation
        Receives one for each corrupt attribute, which is left out.

    Raises
    ------
    CorruptFrameError
        If a sequence is corrupt: a frame could be rendered with the attributes of another one.
    """
    corrupt: dict[str, CorruptFrameError] = {}
    values = attributes.get_many(keywords, corrupt)
    for keyword, error in corrupt.items():
        if keyword in SEQUENCES:
            raise error
        text = str(error).removesuffix(f" ({error.clause})")
        deviations.append(Deviation(None, f"{text}: not used", error.clause or "PS3.5 6.2", None))
    return values
