"""Small files of JPEG XL frames: the codestreams of ``tests/vectors/jpegxl`` of up to 2 KB, two frames each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from support.encoders.dataset import dataset
from support.jpegxl_streams import STREAMS, to_file

_MAX_BYTES = 2048


def files() -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file."""
    for stream in STREAMS.values():
        codestream = stream.codestream
        if len(codestream) > _MAX_BYTES:
            continue
        colour = "YBR_FULL_422" if stream.is_recompressed and stream.components == 3 else None
        ds = dataset(
            np.stack([stream.samples] * 2),
            stream.syntax,
            samples_per_pixel=stream.components,
            bits_stored=stream.precision,
            photometric_interpretation=colour,
            coded=[codestream] * 2,
            table="basic",
        )
        yield f"jpegxl_{stream.name}", to_file(ds)
