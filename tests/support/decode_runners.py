"""Stand-ins for the runners that pydicom 3.0 and 3.1 pass to decoder plugins."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import RLELossless


class Runner30:
    """Stand-in for the runner of pydicom 3.0.

    Attributes
    ----------
    options : dict
        The options that the plugin reads, and changes.
    reported : dict
        What the plugin has set.
    """

    def __init__(self, options: dict[str, Any], uid: str = RLELossless) -> None:
        self.transfer_syntax = uid
        self.options = options
        self.reported: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["options"][name]
        except KeyError:
            raise AttributeError(name) from None

    def get_option(self, name: str, default: Any = None) -> Any:
        return self.options.get(name, default)

    def set_option(self, name: str, value: Any) -> None:
        self.reported[name] = value
        self.options[name] = value


class Runner31(Runner30):
    """Stand-in for the runner of pydicom 3.1, where `set_option` has no effect on the current frame."""

    index = 3

    def set_option(self, name: str, value: Any) -> None:
        raise AssertionError("not for a frame")

    def set_frame_option(self, index: int, name: str, value: Any) -> None:
        assert index == self.index
        self.reported[name] = value


def options_of(ds: Dataset) -> dict[str, Any]:
    """Return the options that describe the frames of a data set."""
    return {
        "rows": ds.Rows,
        "columns": ds.Columns,
        "samples_per_pixel": ds.SamplesPerPixel,
        "bits_allocated": ds.BitsAllocated,
        "bits_stored": ds.BitsStored,
        "pixel_representation": ds.PixelRepresentation,
        "planar_configuration": 1,
        "photometric_interpretation": ds.PhotometricInterpretation,
    }
