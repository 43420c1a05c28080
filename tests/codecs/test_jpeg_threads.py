"""One large JPEG frame with restart intervals, decoded on several threads: the samples and errors of one thread."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from pydicom.uid import JPEGBaseline8Bit

import dicoxide
from dicoxide import TruncatedFrameError
from support.encoders.dataset import dataset
from support.encoders.jpeg_dct import encode_image

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG")

# Two bands of at least 512 × 512 pixels; neither side is a multiple of the MCU.
ROWS, COLUMNS = 521, 1030
# Columns of MCUs.
MCUS = {"gray": 129, "422": 65, "420": 65, "440": 129}


def codestream(sampling: str, interval_rows: int) -> bytes:
    """Encode a smooth image with a few edges."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    gray = (rows // 3 + columns // 5 + 40 * (rows % 97 < 9)) % 256
    restart_interval = interval_rows * MCUS[sampling]
    if sampling == "gray":
        return encode_image(gray, quality=50, restart_interval=restart_interval)
    pixels = np.stack([gray, (columns // 4) % 256, 255 - (rows // 3) % 256], axis=2)
    return encode_image(pixels, quality=50, sampling=sampling, restart_interval=restart_interval)


@pytest.mark.parametrize("sampling", MCUS)
def test_threads_give_the_samples_of_one_thread(sampling: str) -> None:
    src = codestream(sampling, interval_rows=2)
    for reduce in (0, 1):
        for to_rgb in (False, True):
            expected = dicoxide.decode_codestream(src, threads=1, reduce=reduce, to_rgb=to_rgb)
            found = dicoxide.decode_codestream(src, threads=2, reduce=reduce, to_rgb=to_rgb)
            assert np.array_equal(found, expected)


@pytest.mark.parametrize("damaged_interval", [3, 20])
def test_threads_give_the_error_of_one_thread(damaged_interval: int) -> None:
    src = codestream("gray", interval_rows=2)
    marker = [index for index in range(len(src) - 1) if src[index] == 0xFF and 0xD0 <= src[index + 1] <= 0xD7]
    start = marker[damaged_interval - 1] + 2
    # One byte of entropy-coded data is left of the interval.
    src = src[: start + 1] + src[marker[damaged_interval] :]
    errors = []
    for threads in (1, 2):
        with pytest.raises(TruncatedFrameError) as caught:
            dicoxide.decode_codestream(src, threads=threads)
        errors.append((str(caught.value), caught.value.offset))
    assert errors[0] == errors[1]


def test_memory_budget_of_one_thread_is_enough_for_any_number() -> None:
    src = codestream("gray", interval_rows=2)
    ds = dataset(np.zeros((ROWS, COLUMNS), np.uint8), JPEGBaseline8Bit, coded=[src])
    expected = dicoxide.decode(ds)

    def decodes(max_bytes: int, threads: int) -> bool:
        try:
            return np.array_equal(dicoxide.decode(ds, threads=threads, max_bytes=max_bytes), expected)
        except dicoxide.LimitError:
            return False

    # One thread needs more than 32 KiB besides the output, each further one as much.
    smallest = next(size for size in itertools.count(expected.nbytes, 4096) if decodes(size, threads=1))
    assert smallest >= expected.nbytes + 32768
    assert decodes(smallest, threads=2)
