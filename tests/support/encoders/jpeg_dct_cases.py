"""Hypothesis strategy: JPEG DCT frames of every process, sampling, scan layout and table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from support.encoders import jpeg_dct, jpeg_lossless
from support.encoders.jpeg_lossless_cases import KINDS, picture, scan_layouts

Array = npt.NDArray[Any]

SEGMENTS = {
    "none": b"",
    "JFIF": jpeg_dct.JFIF,
    "Adobe RGB": jpeg_dct.adobe(0),
    "Adobe YCbCr": jpeg_dct.adobe(1),
    "Adobe transform 2": jpeg_dct.adobe(2),
    "Exif and comment": jpeg_lossless.APP1 + jpeg_lossless.COMMENT,
    # A segment with a whole image, as Exif has it.
    "thumbnail": jpeg_lossless.segment(0xE1, b"Exif\0\0" + jpeg_dct.encode_image(np.full((8, 8), 200))),
}
# Sampling factors by number of components; no ratio is fractional, and an MCU has at most 10 blocks.
SAMPLINGS: dict[int, list[tuple[tuple[int, int], ...]]] = {
    1: [((1, 1),), ((2, 2),), ((3, 1),)],
    2: [((1, 1), (1, 1)), ((2, 1), (1, 1)), ((1, 1), (1, 2)), ((1, 3), (1, 1))],
    3: [
        *jpeg_dct.SAMPLINGS.values(),
        # Larger factors than the ratios need; luminance smaller than a colour difference; different differences.
        ((2, 1), (2, 1), (2, 1)),
        ((1, 1), (2, 2), (1, 1)),
        ((2, 2), (2, 1), (1, 2)),
        ((1, 4), (1, 1), (1, 2)),
        ((3, 1), (1, 1), (3, 1)),
    ],
    4: [((1, 1),) * 4, ((2, 1), (1, 1), (1, 1), (2, 1)), ((2, 2), (1, 1), (1, 1), (2, 2)), ((1, 2), (1, 1)) * 2],
}


@dataclass(frozen=True)
class Frame:
    """Samples before the transform, and options of an encoded frame."""

    samples: Array
    precision: int
    sampling: tuple[tuple[int, int], ...]
    options: dict[str, Any]

    @property
    def src(self) -> bytes:
        return jpeg_dct.encode_image(self.samples, precision=self.precision, sampling=self.sampling, **self.options)


def progressive_layouts(components: int) -> list[list[jpeg_dct.Scan]]:
    """Return progressions of scans: spectral selection, successive approximation, both, with several layouts."""
    make = jpeg_dct.progressive_scans
    return [
        make(components),
        make(components, refinements=0, bands=1),
        make(components, refinements=0, bands=5, dc_interleaved=False),
        make(components, refinements=2, bands=3),
        make(components, refinements=3, bands=1, dc_interleaved=False),
    ]


@st.composite
def frames(
    draw: st.DrawFn,
    max_side: int = 40,
    components: tuple[int, ...] = (1, 3, 3, 2, 4),
    precisions: tuple[int, ...] = (8, 8, 12),
) -> Frame:
    """Generate a frame that conforms to T.81."""
    precision = draw(st.sampled_from(precisions))
    count = draw(st.sampled_from(components))
    sampling = draw(st.sampled_from(SAMPLINGS[count]))
    rows, columns = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    is_progressive = draw(st.booleans())
    options: dict[str, Any] = {
        "quality": draw(st.sampled_from([10, 50, 75, 90, 98, 100])),
        "tables": draw(st.sampled_from(["optimal", "optimal", "long"])),
        "restart_interval": draw(st.sampled_from([0, 0, 1, 2, 7])),
        "fill_bytes": draw(st.sampled_from([0, 0, 1, 3])),
        "pad_bit": draw(st.sampled_from([1, 1, 0])),
        "one_dht": draw(st.booleans()),
        "redefine": draw(st.booleans()),
        "quantizers_after_frame": draw(st.booleans()),
        "wide_quantizers": draw(st.sampled_from([None, None, True])) if precision == 12 else None,
        "use_dnl": draw(st.sampled_from([False, False, False, True])),
        "segments": SEGMENTS[draw(st.sampled_from(sorted(SEGMENTS)))],
        "identifiers": draw(st.sampled_from([None, None, (82, 71, 66, 75)[:count], (0, 255, 7, 9)[:count]])),
    }
    if is_progressive:
        options["marker"] = jpeg_dct.PROGRESSIVE
        options["scans"] = draw(st.sampled_from(progressive_layouts(count)))
        options["max_eob_run"] = draw(st.sampled_from([1, 3, 0x7FFF]))
    else:
        options["marker"] = jpeg_dct.EXTENDED if precision == 12 or draw(st.booleans()) else jpeg_dct.BASELINE
        layout = draw(st.sampled_from(scan_layouts(count)))
        options["scans"] = [jpeg_dct.Scan(tuple(sorted(group))) for group in layout]
        if precision == 8 and draw(st.booleans()):
            # The tables of T.81 K.3 to K.6, with and without a segment that defines them.
            options |= {"tables": "typical", "define_tables": draw(st.booleans()), "redefine": False}
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (rows, columns) if count == 1 else (rows, columns, count)
    return Frame(picture(rng, shape, precision, draw(st.sampled_from(KINDS))), precision, sampling, options)
