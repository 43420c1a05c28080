"""dicoxide: exact and fast decoding of DICOM pixel data into NumPy arrays.

:func:`decode` takes a path, bytes, a binary file or a pydicom Dataset; :func:`enable` puts the same core behind
pydicom's own ``pixel_array``.
"""

from typing import TYPE_CHECKING

from dicoxide._backend import backend, core
from dicoxide._capabilities import Capability, capabilities
from dicoxide._decode import decode, decode_frame, iter_frames, jpeg_lossless_decode, open, rle_decode
from dicoxide._encode import jpeg_lossless_encode, rle_encode
from dicoxide._frame import FrameSpec
from dicoxide._image import Image
from dicoxide._pixels import pack_bits, rescale, unpack_bits
from dicoxide._sources import Attributes
from dicoxide.errors import (
    CorruptFrameError,
    DecodeError,
    InternalError,
    LimitError,
    NonConformantWarning,
    TruncatedFrameError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from dicoxide.bulk import Volume, decode_many, read_series
    from dicoxide.plugins import disable, enable, enabled, pydicom_handler

__version__: str = core.__version__

__all__ = [
    "Attributes",
    "Capability",
    "CorruptFrameError",
    "DecodeError",
    "FrameSpec",
    "Image",
    "InternalError",
    "LimitError",
    "NonConformantWarning",
    "TruncatedFrameError",
    "UnsupportedError",
    "Volume",
    "__version__",
    "backend",
    "capabilities",
    "decode",
    "decode_frame",
    "decode_many",
    "disable",
    "enable",
    "enabled",
    "iter_frames",
    "jpeg_lossless_decode",
    "jpeg_lossless_encode",
    "open",
    "pack_bits",
    "pydicom_handler",
    "read_series",
    "rescale",
    "rle_decode",
    "rle_encode",
    "unpack_bits",
]

# Only who wants them pays for importing them.
_LATER = {
    "Volume": "bulk",
    "decode_many": "bulk",
    "disable": "plugins",
    "enable": "plugins",
    "enabled": "plugins",
    "pydicom_handler": "plugins",
    "read_series": "bulk",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _LATER:
        return getattr(import_module(f"dicoxide.{_LATER[name]}"), name)
    if name == "dask":
        return import_module("dicoxide.dask")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
