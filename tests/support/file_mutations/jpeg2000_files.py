"""Small files of JPEG 2000 and HTJ2K frames: wavelets, progressions, tiles, layers, styles and marker segments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from pydicom.uid import HTJ2K, JPEG2000, HTJ2KLossless, JPEG2000Lossless

from support.encoders import jpeg2000, jpeg2000_ebcot
from support.encoders.dataset import dataset, to_bytes
from support.encoders.jpeg2000_cases import ALL_STYLES
from support.encoders.jpeg2000_segments import comment, segment

_ROWS, _COLUMNS = 27, 22
# Multiple component transform ordering of T.801 Annex A.3.9, with no transform; dicoxide decodes T.800 only.
_MCO = segment(0x77, b"\0")
NOT_T800 = "jpeg2000_part_2"


def _picture(components: int, precision: int, seed: int, *, is_signed: bool) -> np.ndarray[Any, Any]:
    """Return a gradient with a pattern and an area of equal samples, equal on every machine."""
    y, x, component = np.mgrid[0:_ROWS, 0:_COLUMNS, 0:components]
    pattern = x * 7 + y * 11 + component * 40 + seed * 13 + x * y % 5 * 9
    pattern[y > 20] = 77
    values = (pattern << max(precision - 8, 0)) % (1 << precision) - (is_signed << precision - 1)
    samples = values.astype(f"{'i' if is_signed else 'u'}{1 if precision <= 8 else 2}")
    return samples[..., 0] if components == 1 else samples


def _file(
    name: str, components: int = 1, precision: int = 8, *, is_signed: bool = False, **options: Any
) -> tuple[str, bytes]:
    """Return a file of two frames."""
    is_lossless, is_ht = options.get("wavelet") != "9/7", bool(options.get("style", 0) & jpeg2000_ebcot.HT)
    uid = (HTJ2KLossless if is_lossless else HTJ2K) if is_ht else (JPEG2000Lossless if is_lossless else JPEG2000)
    frames = [_picture(components, precision, seed, is_signed=is_signed) for seed in range(2)]
    encoded = [jpeg2000.encode_frame(frame, precision=precision, **options) for frame in frames]
    colour = ("YBR_RCT" if is_lossless else "YBR_ICT") if options.get("has_transform") else "RGB"
    ds = dataset(
        np.stack(frames),
        uid,
        samples_per_pixel=components,
        bits_stored=precision,
        photometric_interpretation=colour if components == 3 else None,
        coded=[frame.src for frame in encoded],
        table="basic",
    )
    return f"jpeg2000_{name}", to_bytes(ds)


def files() -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file."""
    yield _file("gray")
    yield _file("12_bits_signed", precision=12, is_signed=True)
    yield _file("16_bits", precision=16, levels=1, guard_bits=3)
    yield _file("rct", 3, has_transform=True, progression="RPCL", sop=True, eph=True)
    yield _file("ict", 3, has_transform=True, wavelet="9/7", progression="PCRL")
    yield _file("97_12_bits", precision=12, wavelet="9/7", is_derived=True, step=1.0)
    yield _file("styles", style=ALL_STYLES, block_exponents=(3, 3))
    yield _file("bypass_layers", style=jpeg2000_ebcot.BYPASS, layer_count=3, layer_seed=1, precincts=((3, 3),))
    yield _file("tiles", tile_size=(13, 15), tile_parts=2, mixes_tile_parts=True, tlm=True, plt=True)
    yield _file("tiles_rgb", 3, tile_size=(22, 9), packed_headers="ppm", packed_bytes=40)
    yield _file("packed_headers", layer_count=2, packed_headers="ppt", packed_bytes=30)
    yield _file("offset", offset=(5, 9), roi_shift=11)
    yield _file("subsampled", 3, subsampling=[(1, 1), (2, 1), (2, 2)])
    yield _file("jp2", file={}, main=comment(b"comment"))
    yield _file("ht", style=jpeg2000_ebcot.HT)
    yield _file("ht_passes", precision=12, style=jpeg2000_ebcot.HT, ht_plane=1, ht_passes=3, block_exponents=(3, 4))
    yield _file("ht_ict", 3, has_transform=True, wavelet="9/7", style=jpeg2000_ebcot.HT)
    yield _file(NOT_T800.removeprefix("jpeg2000_"), main=_MCO)
