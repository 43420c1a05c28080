"""The decoders that are compared: a module each. A new one is a class of `Peer` and a row here."""

from __future__ import annotations

from dicoxide.bench._decoders._base import JPEG, LEVELS, RLE, Opened, Peer
from dicoxide.bench._decoders._dicomsdl import Dicomsdl
from dicoxide.bench._decoders._dicoxide import Dicoxide
from dicoxide.bench._decoders._gdcm import Gdcm
from dicoxide.bench._decoders._highdicom import Highdicom
from dicoxide.bench._decoders._imagecodecs import Imagecodecs
from dicoxide.bench._decoders._nvimgcodec import NvImageCodec
from dicoxide.bench._decoders._pydicom import Pillow, Pydicom, Pyjpegls, Pylibjpeg
from dicoxide.bench._decoders._simpleitk import SimpleItk

__all__ = ["JPEG", "LEVELS", "OURS", "PEERS", "RLE", "Opened", "Peer"]

OURS = "dicoxide"

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
    NvImageCodec(),
)

PEERS: dict[str, Peer] = {peer.name: peer for peer in _ALL}
