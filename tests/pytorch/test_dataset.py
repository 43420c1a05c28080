"""`DicomDataset` without workers: elements, batches and iterations equal `decode`, `render` and `read_series`."""

from __future__ import annotations

import operator
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dicoxide
import dicoxide.torch
from dicoxide.bulk import plan_series
from dicoxide.torch import DicomDataset
from dicoxide.torch._elements import FrameElements
from support.processes import run_in_fork
from support.synthetic_series import image, slices, write, write_all


def values(elements: Any) -> list[np.ndarray]:
    return [element.numpy() for element in elements]


def require_equal(elements: Any, expected: list[np.ndarray]) -> None:
    found = values(elements)
    assert [(array.shape, array.dtype) for array in found] == [(array.shape, array.dtype) for array in expected]
    for array, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(array, other)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Files of 1, 3, 1, 2 and 1 frames."""
    counts = (1, 3, 1, 2, 1)
    rescale = {"RescaleSlope": 2, "RescaleIntercept": -5, "WindowCenter": 300, "WindowWidth": 400}
    datasets = [image(value, NumberOfFrames=count, **rescale) for value, count in enumerate(counts)]
    return write_all(datasets, tmp_path / "files")


@pytest.fixture
def broken(files: list[Path]) -> list[Path]:
    """Files as in `files`: index 2 is truncated, the last frame of index 3 corrupt, index 4 without pixel data."""
    files[2].write_bytes(files[2].read_bytes()[:-40])
    data = write(image(3, NumberOfFrames=2), files[3], compress=True).read_bytes()
    # A frame of RLE Lossless starts with the number of segments and the offset of the first one.
    start = data.rindex(b"\x02\0\0\0\x40\0\0\0")
    files[3].write_bytes(data[:start] + b"\x63" + data[start + 1 :])
    files[4].write_bytes(files[4].read_bytes()[:600])
    return files


OPTIONS: list[dict[str, Any]] = [
    {},
    {"rescale": True},
    {"dtype": "int32"},
    {"rescale": True, "dtype": torch.float64},
    {"raw": True, "max_bytes": 1 << 20, "strict": True},
]


def decode_options(options: dict[str, Any]) -> dict[str, Any]:
    return options | ({"dtype": "float64"} if options.get("dtype") is torch.float64 else {})


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_dataset_of_files_equals_decode(files: list[Path], options: dict[str, Any]) -> None:
    dataset = DicomDataset(files, **options)
    expected = [dicoxide.decode(path, **decode_options(options)) for path in files]
    assert len(dataset) == 5
    require_equal([dataset[index] for index in range(5)], expected)
    require_equal([dataset[-1]], expected[-1:])
    require_equal(dataset, expected)
    require_equal(dataset.__getitems__([3, 1, 1]), [expected[3], expected[1], expected[1]])
    assert dataset.source(3) == files[3]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("threads", [None, 1, 3])
def test_dataset_per_frame_equals_decode(files: list[Path], options: dict[str, Any], threads: int | None) -> None:
    dataset = DicomDataset(iter(files), per_frame=True, threads=threads, **options)
    sources = [(path, frame) for path, count in zip(files, (1, 3, 1, 2, 1), strict=True) for frame in range(count)]
    expected = [dicoxide.decode(path, frames=frame, **decode_options(options)) for path, frame in sources]
    assert len(dataset) == 8
    assert [dataset.source(index) for index in range(8)] == sources
    require_equal([dataset[index] for index in range(8)], expected)
    require_equal(dataset, expected)
    require_equal(dataset.__getitems__([6, 1, 7, 3, 1]), [expected[index] for index in (6, 1, 7, 3, 1)])


@pytest.mark.parametrize(
    ("indices", "threads", "expected"),
    [
        ([1], 4, [(1, 1, 4)]),
        ([1, 2], 8, [(1, 1, 4), (1, 1, 4)]),
        ([0, 1, 2, 3], 6, [(0, 1, 1), (1, 1, 1), (1, 1, 1), (1, 1, 1)]),
        ([0, 1, 2, 3], 2, [(0, 1, 1), (1, 3, 1)]),
        ([1, 2, 4], 1, [(1, 2, 1), (2, 1, 1)]),
    ],
)
def test_dataset_per_frame_divides_frames_and_threads_among_chunks(
    files: list[Path],
    indices: list[int],
    threads: int,
    expected: list[tuple[int, int, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chunks = []
    load_chunk = FrameElements._load_chunk

    def record(self: FrameElements, index: int, chunk: Any, chunk_threads: int) -> Any:
        chunks.append((index, len(chunk), chunk_threads))
        return load_chunk(self, index, chunk, chunk_threads)

    dataset = DicomDataset(files, per_frame=True, threads=threads)
    arrays = [values([dataset[index]])[0] for index in indices]
    monkeypatch.setattr(FrameElements, "_load_chunk", record)
    require_equal(dataset.__getitems__(indices), arrays)
    # (index of the file, number of frames, threads)
    assert sorted(chunks) == expected


@pytest.mark.parametrize("per_frame", [False, True])
@pytest.mark.parametrize("options", [{}, {"window": "range", "dtype": "uint16"}, {"max_size": 4}], ids=str)
def test_dataset_with_render_equals_render(files: list[Path], options: dict[str, Any], per_frame: bool) -> None:
    dataset = DicomDataset(files, render=options, per_frame=per_frame, fallback=False)
    expected = [
        dicoxide.render(path, frames=frame, **options)
        for path, count in zip(files, (1, 3, 1, 2, 1), strict=True)
        for frame in (range(count) if per_frame else [None])
    ]
    require_equal([dataset[index] for index in range(len(dataset))], expected)
    require_equal(dataset, expected)


def test_dataset_with_render_takes_dtype(files: list[Path]) -> None:
    expected = [dicoxide.render(path, dtype="float32") for path in files]
    require_equal(DicomDataset(files, render=True, dtype=torch.float32), expected)


def test_dataset_with_frames_decodes_them(files: list[Path]) -> None:
    dataset = DicomDataset(files, frames=-1)
    require_equal(dataset, [dicoxide.decode(path, frames=-1) for path in files])
    require_equal([dataset[1]], [dicoxide.decode(files[1], frames=-1)])


def test_dataset_of_bytes_and_datasets_equals_decode(files: list[Path]) -> None:
    sources = [files[0].read_bytes(), image(4), files[1]]
    expected = [dicoxide.decode(source) for source in sources]
    require_equal(DicomDataset(sources), expected)
    require_equal(DicomDataset(sources[0]), expected[:1])
    require_equal(DicomDataset(str(files[1]), per_frame=True), list(expected[2]))


@pytest.mark.parametrize("options", [{}, {"rescale": True, "dtype": torch.float64}], ids=str)
def test_dataset_of_series_equals_read_series(tmp_path: Path, options: dict[str, Any]) -> None:
    datasets = [*slices(4, RescaleSlope=2, RescaleIntercept=-5), *slices(3, SeriesInstanceUID="1.2.3.9")]
    write_all(datasets[::-1], tmp_path)
    volumes = dicoxide.read_series(tmp_path, **decode_options(options))
    expected = [volume.array for volume in volumes]
    dataset = DicomDataset(tmp_path, series=True, **options)
    assert [len(array) for array in expected] == [4, 3]
    require_equal([dataset[index] for index in range(2)], expected)
    require_equal(dataset, expected)
    plan = dataset.source(1)
    assert plan.series_instance_uid == "1.2.3.9"
    np.testing.assert_array_equal(plan.geometry.affine, volumes[1].affine)
    require_equal(DicomDataset(plan_series(tmp_path)[1:], series=True, **options), expected[1:])


def test_dataset_of_series_passes_split_options(tmp_path: Path) -> None:
    write_all([dataset for name in "ab" for dataset in slices(3, ProtocolName=name)], tmp_path)
    assert len(DicomDataset(tmp_path, series=True, split_by="ProtocolName")) == 2
    assert len(DicomDataset(tmp_path, series=True)) == 1


@pytest.mark.parametrize("options", [{"window": (150, 300)}, {"window": "range", "invert": True}], ids=str)
def test_dataset_of_series_with_render_equals_volume_render(tmp_path: Path, options: dict[str, Any]) -> None:
    write_all(slices(4), tmp_path)
    (volume,) = dicoxide.read_series(tmp_path)
    require_equal(DicomDataset([tmp_path], series=True, render=options), [volume.render(**options)])
    dataset = DicomDataset(tmp_path, series=True, render=options, dtype="uint16")
    require_equal(dataset, [volume.render(**options, dtype="uint16")])


def test_dataset_calls_transform(files: list[Path]) -> None:
    dataset = DicomDataset(files, transform=operator.itemgetter(None))
    expected = [dicoxide.decode(path)[None] for path in files]
    require_equal([dataset[0]], expected[:1])
    require_equal(dataset.__getitems__([0, 2]), [expected[0], expected[2]])
    require_equal(dataset, expected)


class Labelled(DicomDataset):
    def __getitem__(self, index: int) -> Any:
        return super().__getitem__(index), index


def test_subclass_with_own_elements_has_them_in_batches(files: list[Path]) -> None:
    dataset = Labelled(files)
    assert [label for _, label in dataset.__getitems__([3, 1])] == [3, 1]
    assert [label for _, label in dataset] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("index", [5, -6])
def test_dataset_index_out_of_range_raises(files: list[Path], index: int) -> None:
    with pytest.raises(IndexError, match=rf"index {index} is out of range for 5 elements"):
        DicomDataset(files)[index]


def test_dataset_raises_first_error_that_names_the_file(broken: list[Path]) -> None:
    dataset = DicomDataset(broken)
    for call in (lambda: dataset[2], lambda: dataset.__getitems__([0, 2, 4]), lambda: list(dataset)):
        with pytest.raises(dicoxide.TruncatedFrameError) as caught:
            call()
        assert caught.value.__notes__ == [f"file: {broken[2]}"]
    iterator = iter(dataset)
    require_equal([next(iterator), next(iterator)], [dicoxide.decode(path) for path in broken[:2]])


def test_dataset_raises_error_of_bytes_with_their_index(broken: list[Path]) -> None:
    with pytest.raises(dicoxide.TruncatedFrameError) as caught:
        DicomDataset([broken[0], broken[2].read_bytes()])[1]
    assert caught.value.__notes__ == ["source index: 1"]


@pytest.mark.parametrize("threads", [1, 2])
def test_dataset_returns_errors(broken: list[Path], threads: int) -> None:
    dataset = DicomDataset(broken, on_error="return", threads=threads)
    expected = {2: dicoxide.TruncatedFrameError, 3: dicoxide.CorruptFrameError, 4: dicoxide.CorruptFrameError}
    for elements in ([dataset[index] for index in range(5)], dataset.__getitems__(range(5)), list(dataset)):
        errors = {index: element for index, element in enumerate(elements) if isinstance(element, Exception)}
        assert {index: type(error) for index, error in errors.items()} == expected
        assert [error.__notes__ for error in errors.values()] == [[f"file: {path}"] for path in broken[2:]]


@pytest.mark.parametrize("threads", [1, 2])
def test_dataset_per_frame_returns_errors(broken: list[Path], threads: int) -> None:
    dataset = DicomDataset(broken, per_frame=True, on_error="return", threads=threads)
    assert [path for path, _ in dataset.errors] == [broken[2], broken[4]]
    assert [dataset.source(index) for index in (4, 5, 6, 7)] == [
        (broken[2], 0),
        (broken[3], 0),
        (broken[3], 1),
        (broken[4], 0),
    ]
    expected = {4: dicoxide.TruncatedFrameError, 6: dicoxide.CorruptFrameError, 7: dicoxide.CorruptFrameError}
    for elements in ([dataset[index] for index in range(8)], dataset.__getitems__(range(8)), list(dataset)):
        errors = {index: type(element) for index, element in enumerate(elements) if isinstance(element, Exception)}
        assert errors == expected
        require_equal([elements[5]], [dicoxide.decode(broken[3], frames=0)])


def test_dataset_skips_errors_in_batches(broken: list[Path]) -> None:
    dataset = DicomDataset(broken, on_error="skip")
    expected = [dicoxide.decode(path) for path in broken[:2]]
    require_equal(dataset, expected)
    require_equal(dataset.__getitems__([4, 1, 2, 3]), expected[1:])
    with pytest.raises(dicoxide.TruncatedFrameError):
        dataset[2]
    frames = DicomDataset(broken, per_frame=True, on_error="skip")
    assert len(frames) == 6
    assert len(list(frames)) == 5


def test_dataset_per_frame_raises_header_errors_at_once(broken: list[Path]) -> None:
    with pytest.raises(dicoxide.TruncatedFrameError) as caught:
        DicomDataset(broken, per_frame=True)
    assert caught.value.__notes__ == [f"file: {broken[2]}"]


def test_dataset_of_series_handles_errors(tmp_path: Path) -> None:
    paths = write_all([*slices(3), *slices(2, SeriesInstanceUID="1.2.3.9")], tmp_path)
    paths[1].write_bytes(paths[1].read_bytes()[:-9])
    with pytest.raises(dicoxide.TruncatedFrameError) as caught:
        DicomDataset(tmp_path, series=True)[0]
    assert f"file: {paths[1]}" in caught.value.__notes__
    assert isinstance(DicomDataset(tmp_path, series=True, on_error="return")[0], dicoxide.TruncatedFrameError)
    (tensor,) = DicomDataset(tmp_path, series=True, on_error="skip")
    assert tuple(tensor.shape) == (2, 5, 7)
    paths[4].write_bytes(b"\0" * 128 + b"DICM\xff\xff")
    with pytest.raises(dicoxide.DecodeError):
        DicomDataset(tmp_path, series=True)
    assert [path for path, _ in DicomDataset(tmp_path, series=True, on_error="skip").errors] == [str(paths[4])]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"series": True, "per_frame": True}, ValueError, "series and per_frame"),
        ({"per_frame": True, "frames": 1}, ValueError, "frames does not fit"),
        ({"colour": True}, TypeError, "no option 'colour'"),
        ({"series": True, "raw": True}, TypeError, "'raw' does not fit series"),
        ({"series": True, "render": {"max_size": 5}}, TypeError, "'max_size' of render does not fit series"),
        ({"render": {"colour": 5}}, TypeError, "no option 'colour'"),
        ({"render": True, "rescale": True}, ValueError, "rescale does not fit render"),
        ({"on_error": "ignore"}, ValueError, "on_error"),
        ({"rescale": "always"}, ValueError, "rescale must be"),
        ({"quantity": "ADC"}, ValueError, "quantity needs"),
        ({"threads": 0}, ValueError, "threads must be"),
    ],
    ids=str,
)
def test_dataset_with_unsuitable_option_raises(
    files: list[Path], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        DicomDataset(files, **options)


def test_dataset_of_open_files_raises(files: list[Path]) -> None:
    with files[0].open("rb") as file, pytest.raises(TypeError, match="share their position"):
        DicomDataset([files[0], file])


@pytest.mark.parametrize("kind", ["files", "frames", "volumes"])
def test_pickled_dataset_has_the_same_elements(files: list[Path], kind: str) -> None:
    options: dict[str, Any] = {"files": {"render": True}, "frames": {"per_frame": True}, "volumes": {"series": True}}
    dataset = DicomDataset(files, **options[kind])
    assert repr(dataset) == f"<dicoxide.torch.DicomDataset: {len(dataset)} {kind}>"
    copy = pickle.loads(pickle.dumps(dataset))
    assert len(copy) == len(dataset)
    require_equal(copy, values(dataset))


def test_dataset_without_elements_is_empty() -> None:
    for options in ({}, {"per_frame": True}, {"series": True}):
        dataset = DicomDataset([], **options)
        assert (len(dataset), list(dataset)) == (0, [])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("options", [{}, {"per_frame": True}, {"series": True}], ids=str)
def test_forked_child_decodes_a_dataset_in_use(files: list[Path], options: dict[str, Any]) -> None:
    dataset = DicomDataset(files, **options)
    expected = values(dataset)
    iterator = iter(dataset)
    next(iterator)

    def work() -> bool:
        require_equal(dataset, expected)
        require_equal(dataset.__getitems__([0]), expected[:1])
        return True

    assert run_in_fork(work) == 0
    require_equal(iterator, expected[1:])
