"""Ourselves."""

from __future__ import annotations

from collections.abc import Iterable

import dicoxide
from dicoxide._arguments import Array
from dicoxide._backend import core
from dicoxide.bench._cases import Case
from dicoxide.bench._decoders._base import JPEG_LOSSLESS, LEVELS, RLE, Call, Opened, Peer

__all__ = ["Dicoxide"]


class Dicoxide(Peer):
    """The direct interface, and the plugin of pydicom."""

    name = package = module = "dicoxide"
    license = "MIT OR Apache-2.0"
    levels = LEVELS
    variants = ("", "out=")

    def version(self) -> str | None:
        return core.__version__

    def votes(self, case: Case, level: str) -> str:
        return self.name if _decodes(case) else ""

    def bind(self, level: str, opened: Opened, variant: str, threads: int) -> Call | None:
        case, path = opened.case, opened.case.path
        out = opened.out(level) if variant else None
        if level == "codec":
            return _codec(opened, out) if _decodes(case) else None
        if level == "pixel_array":
            # pydicom asks no plugin for native samples.
            return None if variant or case.is_native or not _decodes(case) else _plugin(opened)
        rescale = level == "rescaled"
        return lambda: dicoxide.decode(path, out=out, rescale=rescale, threads=threads)

    def bind_many(self, opened: Iterable[Opened], threads: int) -> Call | None:
        paths = [one.case.path for one in opened]
        return lambda: sum(array.size for _, array in dicoxide.decode_many(paths, threads=threads))


def _decodes(case: Case) -> bool:
    known = dicoxide.capabilities().get(case.transfer_syntax)
    return known is not None and known.decoder == "dicoxide"


def _codec(opened: Opened, out: Array | None) -> Call:
    """The codec alone, as others have it, where there is a function of it: it knows of no sign and no Bits Stored."""
    case, src, spec = opened.case, opened.frame, opened.spec
    unsigned = None if out is None else out.view(f"u{out.itemsize}")
    if case.transfer_syntax == RLE and case.bits_allocated > 1:
        rows, columns, samples, bits = case.rows, case.columns, case.samples_per_pixel, case.bits_allocated
        return lambda: dicoxide.rle_decode(src, rows, columns, samples, bits, out=unsigned)
    if case.transfer_syntax in JPEG_LOSSLESS:
        return lambda: dicoxide.jpeg_lossless_decode(src, unsigned)
    return lambda: dicoxide.decode_frame(src, spec, out)


def _plugin(opened: Opened) -> Call:
    from pydicom.pixels.utils import pixel_array

    dicoxide.enable()
    dataset = opened.dataset
    return lambda: pixel_array(dataset, raw=True, decoding_plugin="dicoxide")
