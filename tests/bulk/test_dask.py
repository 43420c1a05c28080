"""`dicoxide.dask`: lazy arrays equal eager ones, chunk by chunk, on any worker."""

from __future__ import annotations

import os
import pickle
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dicoxide
from support.processes import run_script
from support.synthetic_series import enhanced_object, image, item, slices, write, write_all

pytest.importorskip("dask", reason="dask is not installed")
pytest.importorskip("dask.array", reason="dask is not installed with arrays")

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("rescale", [False, True])
def test_from_series_equals_read_series(tmp_path: Path, rescale: bool) -> None:
    write_all(slices(7, RescaleSlope=2, RescaleIntercept=-5), tmp_path)
    (eager,) = dicoxide.read_series(tmp_path, rescale=rescale)
    (lazy,) = dicoxide.dask.from_series(tmp_path, slices_per_chunk=3, rescale=rescale)
    assert isinstance(lazy, dicoxide.Volume)
    assert lazy.array.chunks == ((3, 3, 1), (5,), (7,))
    assert (lazy.shape, lazy.dtype) == (eager.shape, eager.dtype)
    assert lazy.array.dtype == eager.dtype
    np.testing.assert_array_equal(lazy.array.compute(scheduler="sync"), eager.array)
    np.testing.assert_array_equal(lazy.affine, eager.affine)
    assert lazy.attributes == eager.attributes
    assert lazy.findings == eager.findings
    np.testing.assert_array_equal(np.asarray(lazy), eager.array)


def test_from_series_chunks_end_at_the_fourth_axis(tmp_path: Path) -> None:
    datasets = [dataset for echo in (1, 2) for dataset in slices(5, EchoTime=echo)]
    write_all(datasets, tmp_path)
    (lazy,) = dicoxide.dask.from_series(tmp_path, slices_per_chunk=2)
    assert lazy.array.chunks == ((1, 1), (2, 2, 1), (5,), (7,))
    (eager,) = dicoxide.read_series(tmp_path)
    np.testing.assert_array_equal(lazy.array.compute(scheduler="threads"), eager.array)
    (whole,) = dicoxide.dask.from_series(tmp_path)
    assert whole.array.chunks == ((1, 1), (5,), (5,), (7,))


def test_from_series_decodes_only_requested_chunks(tmp_path: Path) -> None:
    paths = write_all(slices(6), tmp_path)
    (lazy,) = dicoxide.dask.from_series(tmp_path, slices_per_chunk=2)
    paths[0].unlink()
    assert (lazy.array[4].compute(scheduler="sync") == dicoxide.decode(paths[4])).all()
    with pytest.raises(FileNotFoundError):
        lazy.array.compute(scheduler="sync")


def test_from_series_of_enhanced_object_chunks_frames(tmp_path: Path) -> None:
    positions = [{"PlanePositionSequence": item(ImagePositionPatient=[0, 0, -z])} for z in range(5)]
    shared = {
        "PlaneOrientationSequence": item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        "PixelMeasuresSequence": item(PixelSpacing=[1, 1]),
    }
    path = write(enhanced_object(positions, shared), tmp_path / "a")
    (lazy,) = dicoxide.dask.from_series(path, slices_per_chunk=2)
    np.testing.assert_array_equal(lazy.array.compute(scheduler="sync"), dicoxide.decode(path)[::-1])


def test_from_files_of_equal_shape_gives_one_array(tmp_path: Path) -> None:
    paths = write_all(slices(5), tmp_path)[::-1]
    array = dicoxide.dask.from_files(paths, files_per_chunk=2)
    assert array.chunks == ((2, 2, 1), (5,), (7,))
    expected = np.stack([dicoxide.decode(path) for path in paths])
    np.testing.assert_array_equal(array.compute(scheduler="sync"), expected)
    assert dicoxide.dask.from_files(paths[0]).shape == (1, 5, 7)
    rescaled = dicoxide.dask.from_files(iter(paths), rescale=True, dtype="f8")
    assert rescaled.dtype == np.float64
    np.testing.assert_array_equal(rescaled.compute(scheduler="sync"), expected)


def test_from_files_of_multi_frame_files_gives_four_axes(tmp_path: Path) -> None:
    paths = write_all([image(i, NumberOfFrames=4) for i in range(3)], tmp_path)
    array = dicoxide.dask.from_files(paths, files_per_chunk=1)
    assert array.shape == (3, 4, 5, 7)
    np.testing.assert_array_equal(array.compute(scheduler="sync"), np.stack([dicoxide.decode(path) for path in paths]))


def test_from_files_of_different_shapes_gives_a_list(tmp_path: Path) -> None:
    paths = write_all([image(1), image(2, Rows=3), image(3, NumberOfFrames=2)], tmp_path)
    arrays = dicoxide.dask.from_files(paths)
    assert [array.shape for array in arrays] == [(5, 7), (3, 7), (2, 5, 7)]
    for array, path in zip(arrays, paths, strict=True):
        np.testing.assert_array_equal(array.compute(scheduler="sync"), dicoxide.decode(path))


def test_dask_functions_check_arguments_when_called(tmp_path: Path) -> None:
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    path = write(image(1, **colour, **bits), tmp_path / "a")
    with pytest.raises(ValueError, match="more than one sample"):
        dicoxide.dask.from_files(path, rescale=True)
    (lazy,) = dicoxide.dask.from_series(path, rescale=True)
    assert lazy.dtype == np.uint8
    assert "not_rescaled" in [finding.kind for finding in lazy.findings]
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="at least 1"):
            dicoxide.dask.from_series(path, slices_per_chunk=wrong)
        with pytest.raises(ValueError, match="at least 1"):
            dicoxide.dask.from_files(path, files_per_chunk=wrong)
    with pytest.raises(ValueError, match="at least one file"):
        dicoxide.dask.from_files([])
    with pytest.raises(FileNotFoundError):
        dicoxide.dask.from_files(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="uint8"):
        dicoxide.dask.from_series(write(image(1), tmp_path / "b"), dtype="uint8")


def test_from_series_graph_pickles(tmp_path: Path) -> None:
    write_all(slices(6), tmp_path)
    (lazy,) = dicoxide.dask.from_series(tmp_path, slices_per_chunk=2)
    again = pickle.loads(pickle.dumps(lazy))
    np.testing.assert_array_equal(again.array.compute(scheduler="sync"), lazy.array.compute(scheduler="sync"))


def test_import_without_dask_names_the_extra() -> None:
    done = run_script("import_without_package", "dask", "dicoxide.dask")
    assert done.stdout.splitlines() == ['dicoxide.dask needs dask: pip install "dicoxide[dask]"'] * 2


def slowly(block: Any) -> Any:
    time.sleep(0.05)
    return block


@pytest.mark.slow
def test_from_series_on_a_cluster_survives_a_killed_worker(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    for index, dataset in enumerate(slices(60)):
        write(dataset, tmp_path / str(index), compress=index % 2 == 0)
    (eager,) = dicoxide.read_series(tmp_path)
    (lazy,) = dicoxide.dask.from_series(tmp_path, slices_per_chunk=1)
    arguments = {"n_workers": 3, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**arguments) as cluster, distributed.Client(cluster) as client:
        workers = client.run(os.getpid)
        assert len(workers) == 3
        future = client.compute(lazy.array.map_blocks(slowly))
        while not any(client.has_what().values()):
            time.sleep(0.05)
        assert not future.done()
        os.kill(next(iter(workers.values())), signal.SIGKILL)
        np.testing.assert_array_equal(future.result(timeout=60), eager.array)
        assert set(client.run(os.getpid).values()) != set(workers.values())
