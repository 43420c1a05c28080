"""`to_tensor`: tensors share the memory of decoded arrays and keep it alive."""

from __future__ import annotations

import gc
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dicoxide
import dicoxide.torch
from dicoxide.torch import to_tensor
from support.processes import run_script
from support.synthetic_series import image, slices, write, write_all

DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_to_tensor_of_array_shares_memory(dtype: str) -> None:
    array = np.arange(12, dtype=dtype).reshape(3, 4)
    tensor = to_tensor(array)
    assert tensor.dtype is getattr(torch, dtype)
    assert tuple(tensor.shape) == (3, 4)
    assert address(tensor.numpy()) == address(array)
    array[1, 2] = 77
    assert tensor.numpy()[1, 2] == 77


def test_to_tensor_of_strided_view_shares_memory() -> None:
    array = np.arange(24, dtype=np.int16).reshape(4, 6)[1::2, ::3]
    tensor = to_tensor(array)
    assert address(tensor.numpy()) == address(array)
    np.testing.assert_array_equal(tensor.numpy(), array)


def read_only() -> np.ndarray:
    array = np.arange(12, dtype=np.int16).reshape(3, 4)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(read_only(), id="read-only"),
        pytest.param(np.arange(12, dtype=">i2").reshape(3, 4), id="big-endian"),
        pytest.param(np.arange(12, dtype="i2").reshape(3, 4)[::-1], id="negative-stride"),
        pytest.param(np.frombuffer(bytes(range(24)), "<i2").reshape(3, 4), id="bytes"),
        pytest.param(np.zeros(4, [("a", "i1"), ("b", "<i2")])["b"], id="odd-stride"),
    ],
)
def test_to_tensor_of_array_that_no_tensor_describes_is_a_copy(array: np.ndarray) -> None:
    tensor = to_tensor(array)
    assert not np.shares_memory(tensor.numpy(), array)
    np.testing.assert_array_equal(tensor.numpy(), array)
    tensor.numpy()[0] = 5


def test_to_tensor_of_array_converts_to_dtype() -> None:
    array = np.array([[0, 65535]], np.uint16)
    for dtype in (torch.float32, "float32", np.float32, np.dtype("<f4")):
        tensor = to_tensor(array, dtype=dtype)
        assert tensor.dtype is torch.float32
        assert tensor.numpy().tolist() == [[0, 65535]]
    assert address(to_tensor(array, dtype="uint16").numpy()) == address(array)


@pytest.mark.parametrize("options", [{"rescale": True}, {"render": True}, {"frames": 1}])
def test_to_tensor_of_array_with_option_of_sources_raises(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"'{next(iter(options))}'.* not fit an array"):
        to_tensor(np.zeros((2, 2), np.uint8), **options)


def test_to_tensor_of_type_without_tensor_type_raises() -> None:
    with pytest.raises(TypeError):
        to_tensor(np.array(["a"]))


@pytest.mark.parametrize("kind", ["path", "bytes", "file", "dataset"])
def test_to_tensor_of_source_equals_decode(tmp_path: Path, kind: str) -> None:
    dataset = image(3, NumberOfFrames=4, RescaleSlope=2, RescaleIntercept=-5)
    path = write(dataset, tmp_path / "a")
    data = path.read_bytes()
    source = {"path": path, "bytes": data, "file": io.BytesIO(data), "dataset": dataset}[kind]
    options: dict[str, Any]
    for options in ({}, {"frames": [2, 0]}, {"rescale": True}, {"dtype": "int32"}):
        expected = dicoxide.decode(path, **options)
        tensor = to_tensor(source, **options)
        assert tensor.dtype is getattr(torch, expected.dtype.name)
        np.testing.assert_array_equal(tensor.numpy(), expected)
    assert to_tensor(source, dtype=torch.int32).dtype is torch.int32


def test_to_tensor_with_out_returns_its_memory(tmp_path: Path) -> None:
    path = write(image(3), tmp_path / "a")
    out = np.empty((5, 7), np.int16)
    assert address(to_tensor(path, out=out).numpy()) == address(out)


def test_to_tensor_of_mapped_file_is_a_copy(tmp_path: Path) -> None:
    path = write(image(3), tmp_path / "a")
    expected = dicoxide.decode(path)
    tensor = to_tensor(path, copy=False)
    tensor.numpy()[...] = 1
    np.testing.assert_array_equal(dicoxide.decode(path), expected)


def test_to_tensor_with_render_equals_render(tmp_path: Path) -> None:
    path = write(image(3, NumberOfFrames=3), tmp_path / "a")
    tensor = to_tensor(path, render={"window": (310, 20)}, frames=1, dtype=torch.float32)
    assert tensor.dtype is torch.float32
    np.testing.assert_array_equal(tensor.numpy(), dicoxide.render(path, frames=1, window=(310, 20), dtype="float32"))
    with pytest.raises(TypeError, match="rescale"):
        to_tensor(path, render=True, rescale=True)


def test_to_tensor_of_volume_shares_its_array(tmp_path: Path) -> None:
    write_all(slices(4), tmp_path)
    (volume,) = dicoxide.read_series(tmp_path)
    tensor = to_tensor(volume)
    assert address(tensor.numpy()) == address(volume.array)
    assert tuple(tensor.shape) == (4, 5, 7)


@pytest.mark.parametrize("kind", ["decode", "decode_many", "iter_frames", "render"])
def test_dlpack_of_decoded_arrays_shares_memory(tmp_path: Path, kind: str) -> None:
    path = write(image(3, NumberOfFrames=3), tmp_path / "a")
    arrays = {
        "decode": lambda: [dicoxide.decode(path)],
        "decode_many": lambda: [array for _, array in dicoxide.decode_many([path] * 3)],
        "iter_frames": lambda: list(dicoxide.iter_frames(path)),
        "render": lambda: [dicoxide.render(path)],
    }[kind]()
    for array in arrays:
        tensor = torch.from_dlpack(array)
        assert address(tensor.numpy()) == address(array)
        np.testing.assert_array_equal(tensor.numpy(), array)


def test_tensors_of_decode_many_keep_their_memory(tmp_path: Path) -> None:
    # Large enough that the memory of an array that is dropped is used again.
    paths = write_all([image(value, Rows=300, Columns=400) for value in range(24)], tmp_path)
    tensors = [to_tensor(array) for _, array in dicoxide.decode_many(paths)]
    gc.collect()
    for _ in dicoxide.decode_many(paths[::-1]):
        pass
    assert len({address(tensor.numpy()) for tensor in tensors}) == len(tensors)
    for value, tensor in enumerate(tensors):
        np.testing.assert_array_equal(tensor.numpy(), dicoxide.decode(paths[value]))


def test_import_without_torch_names_the_extra() -> None:
    output = run_script("import_without_package", "torch", "dicoxide.torch").stdout.splitlines()
    assert output == ['dicoxide.torch needs PyTorch: pip install "dicoxide[torch]"'] * 2


def test_import_of_dicoxide_does_not_import_torch() -> None:
    assert "torch" not in {name.partition(".")[0] for name in run_script("print_imported_modules").stdout.split()}
