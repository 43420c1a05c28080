"""dicoxide itself: the decoder that the others are compared with."""

from __future__ import annotations

from collections.abc import Iterable

import dicoxide
from dicoxide._arguments import Array
from dicoxide._backend import core
from dicoxide.bench._cases import Case
from dicoxide.bench._decoders._base import (
    DICOXIDE,
    HTJ2K,
    JPEG_2000,
    JPEG_LOSSLESS,
    JPEG_LS,
    LEVELS,
    RLE,
    Call,
    Decoder,
    LoadedCase,
)

__all__ = ["Dicoxide"]


class Dicoxide(Decoder):
    """The direct interface, and the plugin of pydicom."""

    name = package = module = DICOXIDE
    license = "MIT OR Apache-2.0"
    levels = LEVELS
    variants = ("", "out=")

    def version(self) -> str | None:
        return core.__version__

    def implementation(self, case: Case, level: str) -> str:
        return self.name if _decodes(case) else ""

    def bind(self, level: str, loaded: LoadedCase, variant: str, threads: int) -> Call | None:
        case, path = loaded.case, loaded.case.path
        out = loaded.out(level) if variant else None
        if level == "codec":
            return _bind_codec(loaded, out) if _decodes(case) else None
        if level == "pixel_array":
            # pydicom decodes native pixel data itself, without plugins.
            return None if variant or case.is_native or not _decodes(case) else _bind_plugin(loaded)
        rescale = level == "rescaled"
        return lambda: dicoxide.decode(path, out=out, rescale=rescale, threads=threads)

    def bind_many(self, loaded_cases: Iterable[LoadedCase], threads: int) -> Call | None:
        paths = [loaded.case.path for loaded in loaded_cases]
        return lambda: sum(array.size for _, array in dicoxide.decode_many(paths, threads=threads))


def _decodes(case: Case) -> bool:
    """True if dicoxide decodes the case itself, without a fallback decoder."""
    capability = dicoxide.capabilities().get(case.transfer_syntax)
    return capability is not None and capability.decoder == "dicoxide"


def _bind_codec(loaded: LoadedCase, out: Array | None) -> Call:
    """Return the bare codec, which ignores sign and Bits Stored as other packages do; without one, `decode_frame`."""
    case, src, spec = loaded.case, loaded.frame, loaded.spec
    unsigned = None if out is None else out.view(f"u{out.itemsize}")
    if case.transfer_syntax == RLE and case.bits_allocated > 1:
        rows, columns, samples, bits = case.rows, case.columns, case.samples_per_pixel, case.bits_allocated
        return lambda: dicoxide.rle_decode(src, rows, columns, samples, bits, out=unsigned)
    if case.transfer_syntax in JPEG_LOSSLESS:
        return lambda: dicoxide.jpeg_lossless_decode(src, unsigned)
    if case.transfer_syntax in JPEG_LS:
        return lambda: dicoxide.decode_codestream(src, unsigned)
    if case.transfer_syntax in JPEG_2000 | HTJ2K:
        is_signed = dicoxide.codestream_info(src).is_signed
        typed = out.view(f"i{out.itemsize}") if out is not None and is_signed else unsigned
        return lambda: dicoxide.decode_codestream(src, typed)
    return lambda: dicoxide.decode_frame(src, spec, out)


def _bind_plugin(loaded: LoadedCase) -> Call:
    from pydicom.pixels.utils import pixel_array

    dicoxide.enable()
    dataset = loaded.dataset
    return lambda: pixel_array(dataset, raw=True, decoding_plugin="dicoxide")
