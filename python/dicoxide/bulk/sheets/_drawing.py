"""Layout of a page: rows of tiles, each below a bar with the heading of its study and above its caption.

title                                                page 1 of 3
▔▔▔▔▔ study ▔▔▔▔▔▔▔▔▔  ▔▔ study ▔▔     one bar for neighbouring tiles of a study
┌────────┐ ┌────────┐  ┌────────┐
└────────┘ └────────┘  └────────┘     thumbnails, centred in squares
modality   modality    modality       captions of three lines
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

from dicoxide.bulk.sheets._options import SheetError, SheetOptions
from dicoxide.bulk.sheets._text import TextPainter
from dicoxide.bulk.sheets._thumbnails import Thumbnail
from dicoxide.bulk.sheets._tiles import Tile

__all__ = ["PagePainter", "draw_placeholder"]

_BACKGROUND = (24, 26, 30)
_SQUARE = (0, 0, 0)
_TEXT = (230, 232, 235)
_DIM_TEXT = (160, 165, 172)
_FAILURE_SQUARE = (58, 30, 30)
_FAILURE_TEXT = (255, 176, 168)
# Bars of alternate studies.
_BARS = ((38, 70, 110), (70, 58, 100))
_FAILURE_BAR = (110, 48, 44)
_CAPTION_LINES = 3
_FAILURES_HEADING = "not an image, or not readable"


class _Layout(NamedTuple):
    """Sizes in pixels."""

    text_size: int
    gap: int
    bar_height: int
    cell_width: int
    cell_height: int
    title_height: int


class PagePainter:
    """Draws the pages of a sheet.

    Parameters
    ----------
    options : SheetOptions
        Layout of the pages.
    page_count, tile_count : int
        Numbers for the title.

    Raises
    ------
    SheetError
        If the format of the output file cannot hold pages of this size.
    """

    def __init__(self, options: SheetOptions, page_count: int, tile_count: int) -> None:
        self._options = options
        self._page_count = page_count
        self._text = TextPainter(max(9, min(40, round(options.thumbnail_size / 15))))
        line, size = self._text.line_height, options.thumbnail_size
        gap = max(4, size // 24)
        bar_height = line + 4
        cell_height = bar_height + 4 + size + 4 + _CAPTION_LINES * line + gap
        self._layout = _Layout(line, gap, bar_height, size + gap, cell_height, line + 2 * gap)
        # A sheet of one row is as wide as its tiles.
        self._columns = min(options.columns, max(1, tile_count))
        rows = min(options.rows, -(-max(1, tile_count) // self._columns))
        width, height = self._page_size(rows)
        max_side = options.image_format.max_side
        if max(width, height) > max_side:
            name = options.image_format.name
            raise SheetError(f"pages of {width} × {height} pixels; {name} has at most {max_side} per side")

    def _page_size(self, rows: int) -> tuple[int, int]:
        layout = self._layout
        return self._columns * layout.cell_width + layout.gap, layout.title_height + rows * layout.cell_height

    def position(self, index: int) -> tuple[int, int]:
        """Return row and column of the tile with this index on its page."""
        return divmod(index, self._columns)

    def draw(self, page_index: int, tiles: Sequence[tuple[Tile, Thumbnail]], first_study: int) -> Any:
        """Return one page as a picture; `first_study` is the number of its first study, for the colours of bars."""
        from PIL import Image, ImageDraw

        layout = self._layout
        page = Image.new("RGB", self._page_size(-(-len(tiles) // self._columns)), _BACKGROUND)
        drawing = ImageDraw.Draw(page)
        self._draw_title(drawing, page.width, page_index)
        number = first_study - 1
        for _, group in groupby(enumerate(tiles), key=lambda item: _study_of(item[1][0])):
            number += 1
            members = list(group)
            for row, neighbours in groupby(members, key=lambda item: self.position(item[0])[0]):
                run = list(neighbours)
                column = self.position(run[0][0])[1]
                left = layout.gap + column * layout.cell_width
                top = layout.title_height + row * layout.cell_height
                right = left + len(run) * layout.cell_width - layout.gap
                self._draw_bar(drawing, (left, top, right), run[0][1], number)
                for offset, (_, (tile, thumbnail)) in enumerate(run):
                    self._draw_tile(page, drawing, left + offset * layout.cell_width, top, tile, thumbnail)
        return page

    def _draw_title(self, drawing: Any, width: int, page_index: int) -> None:
        gap = self._layout.gap
        number = f"page {page_index + 1} of {self._page_count}" if self._page_count > 1 else ""
        number_width = self._text.width(number) if number else 0
        space = width - 3 * gap - number_width
        self._text.draw(drawing, (gap, gap), self._options.title, max(0, space), _TEXT)
        if number:
            self._text.draw(drawing, (width - gap - number_width, gap), number, number_width, _DIM_TEXT)

    def _draw_bar(
        self, drawing: Any, box: tuple[int, int, int], first: tuple[Tile, Thumbnail], study_number: int
    ) -> None:
        left, top, right = box
        is_failure = first[0].source is None
        colour = _FAILURE_BAR if is_failure else _BARS[study_number % len(_BARS)]
        drawing.rectangle((left, top, right - 1, top + self._layout.bar_height - 1), fill=colour)
        heading = _FAILURES_HEADING if is_failure else first[1].heading or os.path.basename(first[0].study)
        self._text.draw(drawing, (left + 4, top + 2), heading, right - left - 8, _TEXT)

    def _draw_tile(self, page: Any, drawing: Any, left: int, top: int, tile: Tile, thumbnail: Thumbnail) -> None:
        size = self._options.thumbnail_size
        top += self._layout.bar_height + 4
        picture = thumbnail.picture
        if picture is None:
            picture = draw_placeholder(self._text, size, thumbnail)
        drawing.rectangle((left, top, left + size - 1, top + size - 1), fill=_SQUARE)
        page.paste(picture, (left + (size - picture.width) // 2, top + (size - picture.height) // 2))
        top += size + 4
        for line, text in enumerate(_caption(tile)):
            colour = _TEXT if line == 0 else _DIM_TEXT
            self._text.draw(drawing, (left, top + line * self._text.line_height), text, size, colour)


def draw_placeholder(text: TextPainter, size: int, thumbnail: Thumbnail) -> Any:
    """Return a square with the failure of a thumbnail."""
    from PIL import Image, ImageDraw

    square = Image.new("RGB", (size, size), _FAILURE_SQUARE)
    drawing = ImageDraw.Draw(square)
    drawing.line((0, 0, size - 1, size - 1), fill=_FAILURE_BAR)
    drawing.line((0, size - 1, size - 1, 0), fill=_FAILURE_BAR)
    failure = thumbnail.failure
    lines = [] if failure is None else [failure.kind, *text.wrapped(failure.message, size - 12, 5)]
    for number, line in enumerate(lines):
        top = 6 + number * text.line_height
        if top + text.line_height <= size:
            text.draw(drawing, (6, top), line, size - 12, _FAILURE_TEXT)
    return square


def _study_of(tile: Tile) -> tuple[bool, str]:
    return tile.source is None, tile.study


def _caption(tile: Tile) -> tuple[str, ...]:
    """Return the lines below a thumbnail."""
    if tile.source is None:
        return os.path.basename(tile.name) or tile.name, os.path.dirname(tile.name)
    number = "" if tile.series_number is None else f"series {tile.series_number}"
    frames = "1 frame" if tile.frame_count == 1 else f"{tile.frame_count} frames"
    volumes = f" in {tile.volume_count} volumes" if tile.volume_count > 1 else ""
    return (
        ", ".join(filter(None, (tile.modality or "no modality", number))),
        tile.description or os.path.basename(tile.source.path),
        # The built-in font has no multiplication sign.
        f"{tile.columns} x {tile.rows}, {frames}{volumes}",
    )
