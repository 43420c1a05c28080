"""`DicomDataset` in a `DataLoader`, with workers that are forked or spawned. Needs PyTorch itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils import data

import dicoxide
from dicoxide._arguments import thread_count
from dicoxide.torch import DicomDataset
from support.synthetic_series import image, slices, write_all

pytestmark = [
    pytest.mark.skipif(not hasattr(data, "DataLoader"), reason="PyTorch is not installed"),
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
]
START_METHODS = ["fork", "spawn"]
CORES = thread_count(None)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    datasets = [image(value, NumberOfFrames=1 + value % 3, PixelRepresentation=0) for value in range(9)]
    return write_all(datasets, tmp_path)


def load(dataset: Any, **options: Any) -> list[Any]:
    return list(data.DataLoader(dataset, **options))


def loader_options(workers: int, start_method: str) -> dict[str, Any]:
    return {"num_workers": workers, "multiprocessing_context": start_method if workers else None}


@pytest.mark.parametrize("start_method", START_METHODS)
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_decode_each_frame_once_in_order(files: list[Path], workers: int, start_method: str) -> None:
    expected = np.concatenate([dicoxide.decode(path).reshape(-1, 5, 7) for path in files])
    dataset = DicomDataset(files, per_frame=True)
    batches = load(dataset, batch_size=4, **loader_options(workers, start_method))
    assert [len(batch) for batch in batches] == [4, 4, 4, 4, 2]
    # Batches can be made of uint16.
    assert batches[0].dtype is torch.uint16
    np.testing.assert_array_equal(torch.cat(batches).numpy(), expected)


def test_loader_without_workers_requests_batches(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    requests = []
    get_batch = DicomDataset.__getitems__
    monkeypatch.setattr(
        DicomDataset, "__getitems__", lambda self, indices: requests.append(list(indices)) or get_batch(self, indices)
    )
    batches = load(DicomDataset(files[::3], rescale=True), batch_size=2)
    assert requests == [[0, 1], [2]]
    assert [tuple(batch.shape) for batch in batches] == [(2, 5, 7), (1, 5, 7)]


@pytest.mark.parametrize("start_method", START_METHODS)
def test_workers_decode_volumes(tmp_path: Path, start_method: str) -> None:
    for number in range(3):
        uid = f"1.2.3.{number}"
        write_all(slices(4, SeriesInstanceUID=uid, SeriesNumber=number), tmp_path / str(number))
    expected = np.stack([volume.array for volume in dicoxide.read_series(tmp_path)])
    batches = load(DicomDataset(tmp_path, series=True), batch_size=2, **loader_options(2, start_method))
    np.testing.assert_array_equal(torch.cat(batches).numpy(), expected)


@pytest.mark.parametrize("workers", [0, 2])
def test_loader_shuffles_with_labels(files: list[Path], workers: int) -> None:
    images = data.StackDataset(DicomDataset(files, frames=0), range(9))
    generator = torch.Generator().manual_seed(3)
    options = loader_options(workers, "fork")
    seen = []
    for tensors, labels in load(images, batch_size=2, shuffle=True, generator=generator, **options):
        seen += labels.tolist()
        for tensor, label in zip(tensors, labels.tolist(), strict=True):
            np.testing.assert_array_equal(tensor.numpy(), dicoxide.decode(files[label], frames=0))
    assert sorted(seen) == list(range(9))
    assert seen != list(range(9))


@pytest.mark.parametrize("workers", [0, 2])
def test_loader_raises_errors_that_name_the_file(files: list[Path], workers: int) -> None:
    files[5].write_bytes(files[5].read_bytes()[:-9])
    with pytest.raises(dicoxide.TruncatedFrameError) as caught:
        load(DicomDataset(files, frames=0), batch_size=2, **loader_options(workers, "fork"))
    assert f"file: {files[5]}" in "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])


@pytest.mark.parametrize("workers", [0, 2])
def test_loader_skips_errors(files: list[Path], workers: int) -> None:
    files[5].write_bytes(files[5].read_bytes()[:-9])
    dataset = DicomDataset(files, frames=0, on_error="skip")
    batches = load(dataset, batch_size=2, **loader_options(workers, "fork"))
    assert [len(batch) for batch in batches] == [2, 2, 1, 2, 1]


class ThreadCounts(DicomDataset):
    def __getitem__(self, index: int) -> int:
        return self._thread_count()


@pytest.mark.parametrize(
    ("workers", "threads", "expected"),
    [(0, None, CORES), (1, None, CORES), (2, None, max(1, CORES // 2)), (2, 5, 5)],
)
def test_workers_share_the_cores(files: list[Path], workers: int, threads: int | None, expected: int) -> None:
    dataset = ThreadCounts(files[:1], threads=threads)
    (batch,) = load(dataset, **loader_options(workers, "fork"))
    assert batch.tolist() == [expected]


def test_dlpack_of_a_loaded_batch_shares_memory(files: list[Path]) -> None:
    (batch,) = load(DicomDataset(files, frames=0), batch_size=9)
    assert np.from_dlpack(batch).__array_interface__["data"][0] == batch.data_ptr()
