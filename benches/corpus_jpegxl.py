"""JPEG XL codestreams to measure: generated images encoded by libjxl."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_SIDES = (512, 1024, 2048)
# Kind: components, bits and options of the encoder.
_KINDS: dict[str, tuple[tuple[int, int, dict[str, Any]], ...]] = {
    "lossless, grey": (
        (1, 8, {"lossless": True}),
        (1, 12, {"lossless": True}),
        (1, 16, {"lossless": True}),
    ),
    "lossless, RGB": ((3, 8, {"lossless": True}), (3, 16, {"lossless": True})),
    "lossy, grey": ((1, 8, {"distance": 1.0, "lossless": False}), (1, 12, {"distance": 1.0, "lossless": False})),
    "lossy, RGB": ((3, 8, {"distance": 1.0, "lossless": False}), (3, 8, {"distance": 3.0, "lossless": False})),
    "recompressed JPEG": ((1, 8, {"level": 90}), (3, 8, {"level": 90, "subsampling": "420"})),
}


@dataclass(frozen=True, eq=False)
class JpegXlFrame:
    """A codestream with the samples that libjxl decodes."""

    name: str
    src: bytes
    kind: str

    @cached_property
    def reference(self) -> Array:
        """The samples."""
        return libjxl(self.src)


def libjxl(src: bytes, out: Array | None = None) -> Array:
    """Decode by libjxl on one thread."""
    import imagecodecs

    samples: Array = imagecodecs.jpegxl_decode(src, out=out, numthreads=1)
    return samples


def picture(side: int, components: int, bits: int) -> Array:
    """Return an image of waves at several scales with noise, as an acquisition has it."""
    random = np.random.default_rng(side + components)
    y, x = np.mgrid[0:side, 0:side] / side
    planes = [
        np.sin(x * 9 + plane) * np.cos(y * 7 - plane) + 0.4 * np.sin((x * x + y * y) * 60)
        for plane in range(components)
    ]
    values = np.stack(planes, axis=-1) * 0.3 + 0.5 + random.normal(0, 0.004, (side, side, components))
    samples = (np.clip(values, 0, 1) * ((1 << bits) - 1)).round().astype("u1" if bits <= 8 else "u2")
    return samples[..., 0] if components == 1 else samples


@cache
def frames() -> tuple[JpegXlFrame, ...]:
    """Return codestreams of each kind and size."""
    import imagecodecs

    found = []
    for kind, settings in _KINDS.items():
        for components, bits, options in settings:
            for side in _SIDES:
                image = picture(side, components, bits)
                if kind == "recompressed JPEG":
                    src = imagecodecs.jpegxl_encode_jpeg(imagecodecs.jpeg8_encode(image, **options))
                else:
                    src = imagecodecs.jpegxl_encode(image, bitspersample=bits, effort=5, **options)
                detail = f", distance {options['distance']}" if "distance" in options else ""
                detail += ", 4:2:0" if "subsampling" in options else ""
                found.append(JpegXlFrame(f"{side}², {bits} bits{detail}", bytes(src), kind))
    return tuple(found)
