"""Codestreams of JPEG DCT from which tests build invalid ones, and checks of their errors."""

from __future__ import annotations

import pickle
import re
import warnings
from typing import Any

import numpy as np
import pytest

import dicoxide
from dicoxide import DecodeError, NonConformantWarning
from support.encoders.jpeg_dct import BASELINE, PROGRESSIVE, Scan, encode_image, progressive_scans, sof
from support.encoders.jpeg_lossless_cases import picture

RNG = np.random.default_rng(53)
ROWS, COLUMNS = 20, 28
GRAY = picture(RNG, (ROWS, COLUMNS), 8)
RGB = picture(RNG, (ROWS, COLUMNS, 3), 8)
PLAIN = encode_image(GRAY)
COLOUR = encode_image(RGB, sampling="420")
RESTARTED = encode_image(GRAY, restart_interval=3)
SCANS = progressive_scans(1)
PROGRESSION = encode_image(GRAY, marker=PROGRESSIVE, scans=SCANS)
FRAME = PLAIN[PLAIN.index(b"\xff\xc0") :][:13]
SCAN = PLAIN[PLAIN.index(b"\xff\xda") :][:10]
DATA = PLAIN[PLAIN.index(SCAN) + 10 : -2]
GRAY_FRAME: Any = (1, (1, 1), 0)


def replaced(src: bytes, old: bytes, new: bytes) -> bytes:
    """Return the codestream with a part replaced, which it contains."""
    assert src.count(old) >= 1
    return src.replace(old, new, 1)


def with_frame(frame: bytes) -> bytes:
    """Return `PLAIN` with another frame header."""
    return replaced(PLAIN, FRAME, frame)


def with_scan(scan: bytes) -> bytes:
    """Return `PLAIN` with another scan header."""
    return replaced(PLAIN, SCAN, scan)


def gray_frame(
    marker: int = BASELINE, precision: int = 8, lines: int = ROWS, columns: int = COLUMNS, component: Any = GRAY_FRAME
) -> bytes:
    """Return the frame header of `PLAIN` with other parameters."""
    return sof(marker, precision, lines, columns, [component])


def markers(src: bytes, new: list[int]) -> bytes:
    """Return a codestream with other restart markers, whose data have no other byte sequence FFDn."""
    parts = re.split(rb"\xff[\xd0-\xd7]", src)
    assert len(parts) == len(new) + 1
    return b"".join(
        part + mark for part, mark in zip(parts, [*(bytes([0xFF, code]) for code in new), b""], strict=True)
    )


def scans_of(src: bytes) -> list[bytes]:
    """Return the parts of a codestream that begin with SOS; the first one is what precedes them."""
    return [part if number == 0 else b"\xff\xda" + part for number, part in enumerate(src[:-2].split(b"\xff\xda"))]


def progression(scans: list[Scan]) -> bytes:
    """Return the gray image with these progressive scans."""
    return encode_image(GRAY, marker=PROGRESSIVE, scans=scans)


def assert_describes(error: DecodeError, src: bytes) -> None:
    """Check clause, offset and form of an error."""
    assert error.clause.startswith(("ITU-T T.81", "ITU-T T.87", "PS3.5", "PS3.3"))
    assert str(error).endswith(f"({error.clause})")
    assert "\n" not in str(error)
    assert error.offset is not None
    assert 0 <= error.offset <= len(src)
    assert pickle.loads(pickle.dumps(error)).__dict__ == error.__dict__


def caught_in(src: bytes) -> DecodeError:
    """Return the error of decoding; deviations do not count."""
    with pytest.raises(DecodeError) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore", NonConformantWarning)
        dicoxide.decode_codestream(src)
    return caught.value
