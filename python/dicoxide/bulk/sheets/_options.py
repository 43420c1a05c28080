"""Options of contact sheets, and the limits of the image formats."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["IMAGE_FORMATS", "ImageFormat", "SheetError", "SheetOptions"]


class ImageFormat(NamedTuple):
    """Pillow's name of a format, its options, and the largest width and height in pixels."""

    name: str
    save_options: dict[str, Any]
    max_side: int


_JPEG = ImageFormat("JPEG", {"quality": 90}, 65_500)
# Formats of pages by the suffix of the file.
IMAGE_FORMATS = {
    # Level 3 takes half the time of level 6; the files are as large.
    ".png": ImageFormat("PNG", {"compress_level": 3}, 1 << 16),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": ImageFormat("WEBP", {"quality": 90}, 16_383),
}


class SheetError(Exception):
    """The options or the output file cannot be used; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class SheetOptions:
    """Layout of the pages, and options of the thumbnails.

    Attributes
    ----------
    out : str
        Output file; its suffix is one of `IMAGE_FORMATS`.
    title : str
        First line of each page.
    thumbnail_size : int
        Largest width and height of a thumbnail in pixels.
    columns, rows : int
        Thumbnails per row, and rows per page.
    window, overlays, strict, max_bytes
        As for :func:`dicoxide.render`.
    """

    out: str
    title: str = ""
    thumbnail_size: int = 192
    columns: int = 8
    rows: int = 6
    window: Any = "first"
    overlays: bool = False
    strict: bool = False
    max_bytes: int | None = None

    @property
    def image_format(self) -> ImageFormat:
        """Format of the pages.

        Raises
        ------
        SheetError
            If the suffix of the output file is unknown.
        """
        suffix = os.path.splitext(self.out)[1].lower()
        if suffix not in IMAGE_FORMATS:
            raise SheetError(f"{self.out}: the suffix must be one of {', '.join(IMAGE_FORMATS)}")
        return IMAGE_FORMATS[suffix]

    @property
    def tiles_per_page(self) -> int:
        """Number of thumbnails on a full page."""
        return self.columns * self.rows
