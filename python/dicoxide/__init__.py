"""dicoxide: exact and fast decoding of DICOM pixel data into NumPy arrays.

:func:`decode` takes a path, bytes, a binary file or a pydicom Dataset; :func:`enable` puts the same core behind
pydicom's own ``pixel_array``.
"""

from dicoxide._backend import backend, core
from dicoxide._capabilities import Capability, capabilities
from dicoxide._decode import decode, decode_frame, iter_frames, rle_decode
from dicoxide._frame import FrameSpec
from dicoxide._pixels import pack_bits, rescale, unpack_bits
from dicoxide.errors import (
    CorruptFrameError,
    DecodeError,
    InternalError,
    LimitError,
    NonConformantWarning,
    TruncatedFrameError,
    UnsupportedError,
)
from dicoxide.plugins import disable, enable, enabled, pydicom_handler

__version__: str = core.__version__

__all__ = [
    "Capability",
    "CorruptFrameError",
    "DecodeError",
    "FrameSpec",
    "InternalError",
    "LimitError",
    "NonConformantWarning",
    "TruncatedFrameError",
    "UnsupportedError",
    "__version__",
    "backend",
    "capabilities",
    "decode",
    "decode_frame",
    "disable",
    "enable",
    "enabled",
    "iter_frames",
    "pack_bits",
    "pydicom_handler",
    "rescale",
    "rle_decode",
    "unpack_bits",
]
