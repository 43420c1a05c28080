"""Writes the pages of a contact sheet: thumbnails are rendered on several threads, and drawn in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

from dicoxide._arguments import thread_count
from dicoxide._threads import Task, ThreadPool
from dicoxide.bulk.runs import Failure
from dicoxide.bulk.sheets._drawing import PagePainter
from dicoxide.bulk.sheets._options import SheetOptions
from dicoxide.bulk.sheets._thumbnails import Thumbnail, render_thumbnail
from dicoxide.bulk.sheets._tiles import Tile

__all__ = ["PageResult", "ProgressCallback", "TileResult", "page_paths", "write_pages"]

# Thumbnails in progress or waiting to be drawn, for each thread.
_THUMBNAILS_PER_THREAD = 4

# Called with each tile when it is rendered.
ProgressCallback: TypeAlias = "Callable[[TileResult], None]"


class TileResult(NamedTuple):
    """A tile on a page: zero-based row and column, and why it has no image."""

    tile: Tile
    row: int
    column: int
    failure: Failure | None


class PageResult(NamedTuple):
    """A page that was written."""

    path: str
    tiles: tuple[TileResult, ...]


def page_paths(options: SheetOptions, tile_count: int) -> list[str]:
    """Return the path of each page: the output file, or with numbers before its suffix if there are several."""
    page_count = max(1, -(-tile_count // options.tiles_per_page))
    if page_count == 1:
        return [options.out]
    stem, suffix = os.path.splitext(options.out)
    digits = max(3, len(str(page_count)))
    return [f"{stem}-{number:0{digits}}{suffix}" for number in range(1, page_count + 1)]


def write_pages(
    tiles: Sequence[Tile],
    options: SheetOptions,
    *,
    threads: int | None = None,
    report: ProgressCallback | None = None,
) -> Generator[PageResult, None, None]:
    """Render thumbnails and write the pages. If the generator is closed or raises, only complete pages remain.

    Parameters
    ----------
    tiles : sequence of Tile
        As :func:`plan_tiles` returns them; at least one.
    options : SheetOptions
        Layout and output file.
    threads : int, optional
        Maximum number of threads that render; all cores by default.
    report : callable, optional
        Progress callback.

    Yields
    ------
    PageResult
        Each page when it is written.

    Raises
    ------
    SheetError
        If the format cannot hold pages of this size.
    OSError
        If a page cannot be written.
    """
    paths = page_paths(options, len(tiles))
    painter = PagePainter(options, len(paths), len(tiles))
    threads = thread_count(threads)
    in_flight: deque[Task[Thumbnail]] = deque()
    remaining = iter(tiles)
    study_number = 0
    # The page that is being written while thumbnails of the next one are rendered.
    writing: Task[PageResult] | None = None
    with ThreadPool(threads, "dicoxide-sheet") as pool, ThreadPool(1, "dicoxide-write") as write_pool:
        for page_index, path in enumerate(paths):
            start = page_index * options.tiles_per_page
            page_tiles = tiles[start : start + options.tiles_per_page]
            page: list[tuple[Tile, Thumbnail]] = []
            results: list[TileResult] = []
            for index, tile in enumerate(page_tiles):
                while len(in_flight) < _THUMBNAILS_PER_THREAD * threads and (source := next(remaining, None)):
                    in_flight.append(pool.submit(render_thumbnail, source, options))
                thumbnail = in_flight.popleft().result()
                page.append((tile, thumbnail))
                results.append(TileResult(tile, *painter.position(index), thumbnail.failure))
                if report is not None:
                    report(results[-1])
            if start and tiles[start - 1].study != page_tiles[0].study:
                study_number += 1
            picture = painter.draw(page_index, page, study_number)
            study_number += sum(before.study != after.study for before, after in pairwise(page_tiles))
            if writing is not None:
                yield writing.result()
            writing = write_pool.submit(_write, picture, PageResult(path, tuple(results)), options)
        if writing is not None:
            yield writing.result()


def _write(picture: Any, page: PageResult, options: SheetOptions) -> PageResult:
    """Write a picture to a temporary file in the same folder, and rename it; return `page`."""
    folder, name = os.path.split(page.path)
    partial = os.path.join(folder, f".{name}.{os.urandom(6).hex()}.partial")
    image_format = options.image_format
    try:
        with open(partial, "wb") as file:
            picture.save(file, image_format.name, **image_format.save_options)
        os.replace(partial, page.path)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise
    return page
