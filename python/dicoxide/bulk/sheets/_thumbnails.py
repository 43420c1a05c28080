"""Thumbnails: the rendered frame of a tile, scaled to the size of the tile, and the heading of its study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dicoxide._arguments import Array
from dicoxide._decode import open as open_image
from dicoxide._image import Image as DicomImage
from dicoxide._rendering import check_options
from dicoxide.bulk.runs import Failure, failure_from_error
from dicoxide.bulk.series import Slice
from dicoxide.bulk.sheets._options import SheetOptions
from dicoxide.bulk.sheets._tiles import Tile
from dicoxide.errors import DecodeError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Thumbnail", "render_thumbnail"]

_STUDY_KEYWORDS = ("StudyDate", "PatientID", "StudyDescription")
# Largest ratio of the two pixel spacings that is applied; others are errors in the header.
_MAX_ASPECT = 8.0


class Thumbnail(NamedTuple):
    """A picture in RGB or grey, or why there is none; and a line about its study."""

    picture: Image.Image | None
    heading: str
    failure: Failure | None


def render_thumbnail(tile: Tile, options: SheetOptions) -> Thumbnail:
    """Render the frame of a tile on the calling thread; errors of the source become a failure."""
    source = tile.source
    if source is None:
        return Thumbnail(None, "", tile.failure)
    heading = ""
    try:
        with open_image(source.path, strict=options.strict) as image:
            values = image.attributes.get_many(_STUDY_KEYWORDS)
            heading = ", ".join(str(values[keyword]) for keyword in _STUDY_KEYWORDS if values.get(keyword))
            pixels = _render_frame(image, source, options)
        if source.tile is not None:
            pixels = source.tile.cut(pixels, (tile.rows, tile.columns))
        return Thumbnail(_scaled(pixels, options.thumbnail_size, _pixel_aspect(source)), heading, None)
    except Exception as error:
        failure = failure_from_error(
            error,
            source.path,
            sop_instance_uid=source.sop_instance_uid or None,
            transfer_syntax=source.file.transfer_syntax,
            frame_index=source.frame_index,
            series=tile.name,
        )
        return Thumbnail(None, heading, failure)


def _render_frame(image: DicomImage, source: Slice, options: SheetOptions) -> Array:
    """Render a frame; an image without the requested window has its first one, because an archive has many kinds."""
    render_options = check_options(
        window=options.window,
        overlays=options.overlays,
        # The slices of a mosaic have their places in the whole frame.
        max_size=options.thumbnail_size if source.tile is None else None,
    )._replace(skip_invalid=True)
    arguments: dict[str, Any] = {"threads": 1, "max_bytes": options.max_bytes}
    try:
        return image._renderer(render_options).render(source.frame, None, **arguments)
    except ValueError as error:
        if isinstance(error, DecodeError) or not isinstance(options.window, (str, int)) or options.window == "first":
            raise
        return image._renderer(render_options._replace(window="first")).render(source.frame, None, **arguments)


def _pixel_aspect(source: Slice) -> float:
    """Return the height of a pixel divided by its width; 1 if unknown."""
    if source.pixel_spacing is None:
        return 1.0
    between_rows, between_columns = source.pixel_spacing
    if between_columns <= 0 or not 1 / _MAX_ASPECT <= between_rows / between_columns <= _MAX_ASPECT:
        return 1.0
    return between_rows / between_columns


def _scaled(pixels: Array, size: int, aspect: float) -> Any:
    """Return pixels as a picture of at most `size` × `size` pixels; small pictures are enlarged by a whole number."""
    from PIL import Image

    rows, columns = pixels.shape[:2]
    if rows == 0 or columns == 0:
        raise ValueError(f"frame of {rows} × {columns} pixels")
    picture = Image.fromarray(pixels)
    scale = size / max(rows * aspect, columns)
    is_enlarged = scale > 1
    if is_enlarged and aspect == 1:
        scale = int(scale)
    width, height = max(1, round(columns * scale)), max(1, round(rows * aspect * scale))
    if (width, height) == (columns, rows):
        return picture
    method = Image.Resampling.NEAREST if is_enlarged else Image.Resampling.BOX
    return picture.resize((min(width, size), min(height, size)), method)
