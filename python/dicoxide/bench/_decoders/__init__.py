"""The decoders that are compared: a module each. A new one is a class of `Peer` and a row here."""

from __future__ import annotations

from dicoxide.bench._peers._base import JPEG, LEVELS, RLE, Opened, Peer
from dicoxide.bench._peers._dicomsdl import Dicomsdl
from dicoxide.bench._peers._dicoxide import Dicoxide
from dicoxide.bench._peers._gdcm import Gdcm
from dicoxide.bench._peers._highdicom import Highdicom
from dicoxide.bench._peers._imagecodecs import Imagecodecs
from dicoxide.bench._peers._nvimgcodec import NvImageCodec
from dicoxide.bench._peers._pydicom import Pillow, Pydicom, Pyjpegls, Pylibjpeg
from dicoxide.bench._peers._simpleitk import SimpleItk

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
