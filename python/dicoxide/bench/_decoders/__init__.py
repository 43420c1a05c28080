"""Decoders that the benchmark compares, one module per decoder.

To add one, write a subclass of `Decoder` in a module of its own and add an instance to ``_ALL``.
"""

from __future__ import annotations

from dicoxide.bench._decoders._base import (
    DEFLATED_FRAMES,
    DICOXIDE,
    HTJ2K,
    JPEG,
    JPEG_2000,
    JPEG_LOSSLESS,
    JPEG_LS,
    JPEG_XL,
    LEVELS,
    RLE,
    Call,
    Decoder,
    LoadedCase,
)
from dicoxide.bench._decoders._dicomsdl import Dicomsdl
from dicoxide.bench._decoders._dicoxide import Dicoxide
from dicoxide.bench._decoders._gdcm import Gdcm
from dicoxide.bench._decoders._highdicom import Highdicom
from dicoxide.bench._decoders._imagecodecs import Imagecodecs
from dicoxide.bench._decoders._nvimgcodec import NvImageCodec
from dicoxide.bench._decoders._pillow import Pillow
from dicoxide.bench._decoders._pyav import PyAv
from dicoxide.bench._decoders._pydicom import Pydicom
from dicoxide.bench._decoders._pyjpegls import Pyjpegls
from dicoxide.bench._decoders._pylibjpeg import Pylibjpeg
from dicoxide.bench._decoders._simpleitk import SimpleItk
from dicoxide.bench._decoders._zlib import Zlib

__all__ = [
    "DECODERS",
    "DEFLATED_FRAMES",
    "DICOXIDE",
    "HTJ2K",
    "JPEG",
    "JPEG_2000",
    "JPEG_LOSSLESS",
    "JPEG_LS",
    "JPEG_XL",
    "LEVELS",
    "RLE",
    "Call",
    "Decoder",
    "Imagecodecs",
    "LoadedCase",
    "SimpleItk",
]

_ALL = (
    Dicoxide(),
    Pydicom(),
    Pylibjpeg(),
    Gdcm(),
    Pyjpegls(),
    Pillow(),
    Imagecodecs(),
    Dicomsdl(),
    SimpleItk(),
    Highdicom(),
    Zlib(),
    PyAv(),
    NvImageCodec(),
)

DECODERS: dict[str, Decoder] = {decoder.name: decoder for decoder in _ALL}
