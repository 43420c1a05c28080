"""`decode_many` with rendering."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

import dicoxide
from support.synthetic_series import image, slices, write, write_all


@pytest.mark.parametrize(
    "render",
    [True, {}, {"window": (40, 400)}, {"window": "range", "dtype": "uint16"}, {"max_size": 3, "invert": True}],
    ids=str,
)
@pytest.mark.parametrize("ordered", [True, False])
def test_decode_many_rendered_equals_render(tmp_path: Path, render: Any, ordered: bool) -> None:
    paths: list[Any] = list(write_all(slices(9, WindowCenter=300, WindowWidth=500), tmp_path))
    options = {} if render is True else render
    sources = [*paths, paths[0].read_bytes(), io.BytesIO(paths[1].read_bytes()), pydicom.dcmread(paths[2])]
    results = list(dicoxide.decode_many(sources, render=render, ordered=ordered, threads=2))
    if ordered:
        assert [source for source, _ in results] == sources
    expected = {id(source): dicoxide.render(source, **options) for source in sources}
    assert len(results) == len(sources)
    for source, array in results:
        np.testing.assert_array_equal(array, expected[id(source)])


def test_decode_many_rendered_takes_frames_dtype_and_limit(tmp_path: Path) -> None:
    path = write(image(1, NumberOfFrames=4), tmp_path / "a.dcm")
    ((_, array),) = dicoxide.decode_many([path], render={"window": (40, 400)}, frames=[2, 1], dtype="float32")
    np.testing.assert_array_equal(array, dicoxide.render(path, window=(40, 400), frames=[2, 1], dtype="float32"))
    ((_, error),) = dicoxide.decode_many([path], render=True, max_bytes=100, on_error="return")
    assert isinstance(error, dicoxide.LimitError)


def test_decode_many_rendered_returns_errors_of_sources(tmp_path: Path) -> None:
    good = write(image(1), tmp_path / "a.dcm")
    bad = tmp_path / "b.dcm"
    bad.write_bytes(good.read_bytes()[:-30])
    results = [result for _, result in dicoxide.decode_many([good, bad, good], render=True, on_error="return")]
    assert isinstance(results[1], dicoxide.TruncatedFrameError)
    np.testing.assert_array_equal(results[0], results[2])
    ((_, missing),) = dicoxide.decode_many([good], render={"window": "bone"}, on_error="return")
    assert isinstance(missing, ValueError)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"render": "range"}, TypeError, "render must be True, False or a mapping"),
        ({"render": {"threads": 2}}, TypeError, "render has no option 'threads'"),
        ({"render": {"dtype": "int16"}}, ValueError, "dtype must be"),
        ({"render": True, "rescale": True}, ValueError, "rescale does not fit render"),
        ({"render": True, "raw": True}, ValueError, "raw does not fit render"),
        ({"render": True, "dtype": "int16"}, ValueError, "dtype must be"),
        ({"render": False, "dtype": "U3"}, None, ""),
    ],
    ids=str,
)
def test_decode_many_with_unsuitable_rendering_raises_at_once(
    options: dict[str, Any], error: type[Exception] | None, message: str
) -> None:
    if error is None:
        assert list(dicoxide.decode_many([], **options)) == []
        return
    with pytest.raises(error, match=message):
        dicoxide.decode_many([], **options)
