"""File objects of fsspec and obstore: in memory, and from a local HTTP server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import dicoxide
from support.file_server import served
from support.multi_frame_files import FILES, FRAME_COUNT, FRAMES

needs_core = pytest.mark.skipif(dicoxide.backend != "rust", reason="without the extension, files are read whole")


@needs_core
def test_fsspec_memory_file_is_read_by_position() -> None:
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    for name, data in FILES.items():
        files.pipe(f"/dicoxide/{name}.dcm", data)
        with fsspec.open(f"memory://dicoxide/{name}.dcm") as file:
            np.testing.assert_array_equal(dicoxide.open(file)[5], FRAMES[5])
            np.testing.assert_array_equal(dicoxide.decode(file), FRAMES)
    files.rm("/dicoxide", recursive=True)


@pytest.fixture
def http() -> Iterator[Any]:
    """A new fsspec HTTP file system, whose session is closed after the test."""
    fsspec = pytest.importorskip("fsspec")
    pytest.importorskip("aiohttp")
    from fsspec.asyn import sync

    files = fsspec.filesystem("http", skip_instance_cache=True)
    yield files
    sync(files.loop, files._session.close)


@needs_core
@pytest.mark.parametrize("options", [{}, {"block_size": 1 << 16}, {"cache_type": "none"}], ids=str)
def test_fsspec_http_file_is_read_by_few_range_requests(http: Any, options: dict[str, Any]) -> None:
    with served({f"{name}.dcm": data for name, data in FILES.items()}) as server:
        for name, data in FILES.items():
            with http.open(f"{server.url}/{name}.dcm", **options) as file:
                server.requests.clear()
                np.testing.assert_array_equal(dicoxide.decode(file, frames=5), FRAMES[5])
                assert len(server.requests) <= 5
                if options == {"cache_type": "none"}:
                    assert sum(count for _, count in server.requests) < 2 * len(data) // FRAME_COUNT + 400_000
        with http.open(f"{server.url}/rle.dcm", **options) as file:
            np.testing.assert_array_equal(np.stack(list(dicoxide.iter_frames(file))), FRAMES)
        opened = [http.open(f"{server.url}/{name}.dcm", **options) for name in FILES]
        for _, array in dicoxide.decode_many(opened, threads=3):
            np.testing.assert_array_equal(array, FRAMES)


@needs_core
def test_missing_http_file_raises_file_not_found(http: Any) -> None:
    with served({}) as server, pytest.raises(FileNotFoundError), http.open(f"{server.url}/none.dcm") as file:
        dicoxide.decode(file)


@needs_core
def test_obstore_reader_is_read_by_position() -> None:
    obstore = pytest.importorskip("obstore")
    from obstore.store import MemoryStore

    store = MemoryStore()
    for name, data in FILES.items():
        obstore.put(store, f"{name}.dcm", data)
        np.testing.assert_array_equal(dicoxide.open(obstore.open_reader(store, f"{name}.dcm"))[5], FRAMES[5])
        np.testing.assert_array_equal(dicoxide.decode(obstore.open_reader(store, f"{name}.dcm")), FRAMES)
