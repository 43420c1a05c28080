"""`decode(path)` of a small image, which the extension opens and decodes in one call, equals `open(path).decode()`."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dicoxide
from support.real_images import pydicom_files

pytestmark = pytest.mark.skipif(dicoxide.backend != "rust", reason="the extension reads files")


def outcome(call: Callable[[], Any]) -> tuple[Any, ...]:
    """Return dtype, shape and bytes of a result, or type and text of its error; then the texts of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            array = call()
            result: tuple[Any, ...] = (array.dtype, array.shape, array.tobytes(), array.flags.writeable)
        except (ValueError, OSError) as error:
            result = (type(error), str(error))
    return *result, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("path", pydicom_files(), ids=lambda path: path.name)
@pytest.mark.parametrize("rescale", [False, True], ids=["stored", "rescaled"])
def test_decode_real_file_equals_opened_image(path: Path, rescale: bool) -> None:
    expected = outcome(lambda: dicoxide.open(path).decode(rescale=rescale))
    for src in (path, str(path), path.read_bytes()):
        assert outcome(lambda src=src: dicoxide.decode(src, rescale=rescale)) == expected


@pytest.mark.parametrize("options", [{"raw": True}, {"reduce": 1}, {"threads": 1}], ids=str)
@pytest.mark.parametrize("name", ["SC_rgb_jpeg_dcmtk.dcm", "JPEG2000.dcm", "MR_small_RLE.dcm", "SC_rgb_jpeg_gdcm.dcm"])
def test_decode_with_options_equals_opened_image(name: str, options: dict[str, Any]) -> None:
    (path,) = (path for path in pydicom_files() if path.name == name)
    expected = outcome(lambda: dicoxide.open(path).decode(**options))
    assert outcome(lambda: dicoxide.decode(path, **options)) == expected


def test_decode_returns_an_array_that_owns_its_memory() -> None:
    (path,) = (path for path in pydicom_files() if path.name == "MR_small.dcm")
    array = dicoxide.decode(path)
    assert array.flags.owndata
    assert array.base is None
    assert array.flags.c_contiguous
    other = dicoxide.decode(path)
    array[:] = 0
    assert np.array_equal(other, dicoxide.decode(path))


@pytest.mark.parametrize("threads", [0, -1])
def test_decode_with_too_few_threads_raises(threads: int) -> None:
    with pytest.raises(ValueError, match="threads must be at least 1"):
        dicoxide.decode(pydicom_files()[0], threads=threads)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_open_special_file_raises_without_waiting(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "special"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        # The name of a socket is short.
        monkeypatch.chdir(tmp_path)
        path = Path("special")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    else:
        path = Path(os.devnull)
    for call in (dicoxide.decode, dicoxide.open):
        with pytest.raises(OSError, match="Invalid argument"):
            call(path)
