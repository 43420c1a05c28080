"""Exact and fast decoding of DICOM pixel data into NumPy arrays.

- :func:`decode`, :func:`open` and :func:`iter_frames` decode one object: a path, bytes, a binary file or a pydicom
  Dataset.
- :func:`render` and :func:`iter_rendered` render an object for display: gray levels or RGB.
- :func:`decode_many` and :func:`read_series` decode many objects.
- :func:`enable` makes dicoxide the decoder of pydicom's ``pixel_array``.
- :func:`decode_frame`, :func:`rle_decode`, :func:`jpeg_lossless_decode`, :func:`decode_codestream`,
  :func:`codestream_info`, :func:`rle_encode`, :func:`jpeg_lossless_encode` and :func:`jpegls_encode` work on the bytes
  of one frame, :func:`unpack_bits`, :func:`pack_bits` and :func:`rescale` on arrays; so do
  :func:`apply_window`, :func:`apply_lut` and :func:`apply_palette`.

Errors are subclasses of :class:`DecodeError`; recoverable deviations from the standard are reported as
:class:`NonConformantWarning`.
"""

from typing import TYPE_CHECKING

from dicoxide._backend import backend, core
from dicoxide._decode import decode, decode_frame, iter_frames, open, rle_decode
from dicoxide._frame import FrameSpec
from dicoxide._image import Image
from dicoxide._pixels import pack_bits, rescale, unpack_bits
from dicoxide._sources import Attributes, RealWorldValueMap
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
    from dicoxide._capabilities import Capability, capabilities
    from dicoxide._codestream import CodestreamInfo, codestream_info, decode_codestream, jpeg_lossless_decode
    from dicoxide._encode import jpeg_lossless_encode, jpegls_encode, rle_encode
    from dicoxide._rendering import apply_lut, apply_palette, apply_window, iter_rendered, render
    from dicoxide.bulk import Volume, decode_many, read_series
    from dicoxide.plugins import disable, enable, enabled, pydicom_handler

__version__: str = core.__version__

__all__ = [
    "Attributes",
    "Capability",
    "CodestreamInfo",
    "CorruptFrameError",
    "DecodeError",
    "FrameSpec",
    "Image",
    "InternalError",
    "LimitError",
    "NonConformantWarning",
    "RealWorldValueMap",
    "TruncatedFrameError",
    "UnsupportedError",
    "Volume",
    "__version__",
    "apply_lut",
    "apply_palette",
    "apply_window",
    "backend",
    "capabilities",
    "codestream_info",
    "decode",
    "decode_codestream",
    "decode_frame",
    "decode_many",
    "disable",
    "enable",
    "enabled",
    "iter_frames",
    "iter_rendered",
    "jpeg_lossless_decode",
    "jpeg_lossless_encode",
    "jpegls_encode",
    "open",
    "pack_bits",
    "pydicom_handler",
    "read_series",
    "render",
    "rescale",
    "rle_decode",
    "rle_encode",
    "unpack_bits",
]

# Module by name, for names that are imported on first access, to keep `import dicoxide` fast.
_LAZY_NAMES = {
    "Capability": "_capabilities",
    "CodestreamInfo": "_codestream",
    "Volume": "bulk",
    "apply_lut": "_rendering",
    "apply_palette": "_rendering",
    "apply_window": "_rendering",
    "capabilities": "_capabilities",
    "codestream_info": "_codestream",
    "decode_codestream": "_codestream",
    "decode_many": "bulk",
    "disable": "plugins",
    "enable": "plugins",
    "enabled": "plugins",
    "iter_rendered": "_rendering",
    "jpeg_lossless_decode": "_codestream",
    "jpeg_lossless_encode": "_encode",
    "jpegls_encode": "_encode",
    "pydicom_handler": "plugins",
    "read_series": "bulk",
    "render": "_rendering",
    "rle_encode": "_encode",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _LAZY_NAMES:
        value = getattr(import_module(f"dicoxide.{_LAZY_NAMES[name]}"), name)
        globals()[name] = value
        return value
    if name in ("dask", "torch"):
        return import_module(f"dicoxide.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
