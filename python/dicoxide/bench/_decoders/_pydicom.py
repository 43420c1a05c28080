"""pydicom's own decoders, and its plugins: each is a peer at the level of `pixel_array`."""

from __future__ import annotations

from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bench._cases import Case
from dicoxide.bench._decoders._base import (
    JPEG,
    JPEG_2000,
    JPEG_LOSSLESS,
    JPEG_LS,
    RLE,
    Call,
    Opened,
    Peer,
    library,
    planes_last,
)

__all__ = ["Pillow", "Plugin", "Pydicom", "Pyjpegls", "Pylibjpeg"]


class Plugin(Peer):
    """A plugin by the name that pydicom has for it."""

    plugin = ""
    levels: tuple[str, ...] = ("pixel_array",)

    def bind(self, level: str, opened: Opened, variant: str, threads: int) -> Call | None:
        if level == "codec":
            return self._codec(opened)
        from pydicom.pixels.decoders.base import get_decoder
        from pydicom.pixels.utils import pixel_array

        dataset, uid, plugin = opened.dataset, opened.case.transfer_syntax, self.plugin
        if opened.case.is_native:
            # It is pydicom itself that decodes these, whatever the plugin.
            return (lambda: pixel_array(dataset, raw=True)) if plugin == "pydicom" else None
        if plugin not in get_decoder(uid).available_plugins:
            return None
        return lambda: pixel_array(dataset, raw=True, decoding_plugin=plugin)

    def _codec(self, opened: Opened) -> Call | None:
        return None


class Pydicom(Plugin):
    """What a user of pydicom has without knowing more: `dcmread(path).pixel_array`."""

    name = package = module = plugin = "pydicom"
    license = "MIT"
    levels = ("pixel_array", "file", "rescaled", "bulk")

    def votes(self, case: Case, level: str) -> str:
        # From a path, whichever plugin is first decodes what is compressed.
        return self.name if level == "pixel_array" or case.is_native else ""

    def bind(self, level: str, opened: Opened, variant: str, threads: int) -> Call | None:
        if level == "pixel_array":
            return super().bind(level, opened, variant, threads)
        import pydicom
        from pydicom.pixels.processing import apply_modality_lut

        path = opened.case.path
        if level == "file":
            return lambda: pydicom.dcmread(path).pixel_array

        def rescaled() -> Array:
            dataset = pydicom.dcmread(path)
            return np.asarray(apply_modality_lut(dataset.pixel_array, dataset), np.float32)

        return rescaled


class Pylibjpeg(Plugin):
    """pylibjpeg with its three packages: RLE, libjpeg and OpenJPEG."""

    name = package = module = plugin = "pylibjpeg"
    license = "MIT, its libjpeg GPL-3.0"
    levels = ("codec", "pixel_array")

    def votes(self, case: Case, level: str) -> str:
        return library(case, self.name) if case.transfer_syntax in JPEG_2000 else self.name

    @property
    def install(self) -> str:
        return "pip install pylibjpeg pylibjpeg-rle pylibjpeg-libjpeg pylibjpeg-openjpeg"

    def _codec(self, opened: Opened) -> Call | None:
        case, src = opened.case, opened.frame
        try:
            if case.transfer_syntax == RLE:
                from rle.rle import decode_frame

                pixels, bits = case.rows * case.columns, case.bits_allocated
                return lambda: decode_frame(src, pixels, bits, "<")
            if case.transfer_syntax in JPEG_2000:
                import openjpeg

                return lambda: openjpeg.decode(src)
            if case.transfer_syntax in JPEG | JPEG_LOSSLESS | JPEG_LS:
                import libjpeg

                return lambda: libjpeg.decode(src)
        except ImportError:
            return None
        return None

    def values(self, level: str, opened: Opened, result: Any) -> Array:
        if level == "codec" and opened.case.transfer_syntax == RLE:
            return planes_last(np.frombuffer(result, opened.case.dtype), opened)
        return np.asarray(result)


class Pillow(Plugin):
    """Pillow's JPEG and JPEG 2000."""

    name = package = plugin = "pillow"
    module = "PIL"
    license = "MIT-CMU"

    def votes(self, case: Case, level: str) -> str:
        return library(case, "libjpeg-turbo")


class Pyjpegls(Plugin):
    """CharLS."""

    name = package = plugin = "pyjpegls"
    module = "jpeg_ls"
    license = "MIT"
    levels = ("codec", "pixel_array")

    def votes(self, case: Case, level: str) -> str:
        return library(case, self.name)

    def _codec(self, opened: Opened) -> Call | None:
        if opened.case.transfer_syntax not in JPEG_LS:
            return None
        import jpeg_ls

        src = np.frombuffer(opened.frame, np.uint8)
        return lambda: jpeg_ls.decode(src)
