"""`render` and `iter_rendered`: from stored values to pixels for display and for models (PS3.4 N.2)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Unpack

from dicoxide._arguments import Array, FrameSelection, byte_limit
from dicoxide._decode import frames_per_batch, iterate_batches
from dicoxide._image import make_image
from dicoxide._rendering._options import RenderKeywords, WindowSelection, check_options
from dicoxide._rendering._presentation import Presentation
from dicoxide._rendering._renderer import Renderer
from dicoxide._sources import Readable, open_source
from dicoxide._transfer_syntaxes import VIDEO_CODECS

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["iter_rendered", "render"]


def render(
    src: Readable,
    *,
    frames: FrameSelection = None,
    out: Array | None = None,
    window: WindowSelection = "first",
    function: str | None = None,
    voi_lut: bool = True,
    palette: bool = True,
    overlays: bool = False,
    invert: bool | None = None,
    icc: bool = False,
    dtype: npt.DTypeLike = "uint8",
    max_size: int | None = None,
    reduce: int = 0,
    threads: int | None = None,
    strict: bool = False,
    max_bytes: int | None = None,
    fallback: bool = True,
) -> Array:
    """Render the pixel data of `src` as a viewer displays them: gray levels or RGB.

    Gray images: stored values → modality values → window or VOI LUT → inversion → output. Palettes become RGB, YBR
    becomes RGB, segments of a segmentation get their colours. Each output value is computed in float64 and rounded
    once, half to even.

    Parameters
    ----------
    src : path, bytes-like, binary file or pydicom Dataset
        The object to render, as for :func:`decode`.
    frames : int, slice or iterable of int, optional
        Zero-based indices of the frames to render, as for :func:`decode`. All frames by default.
    out : ndarray, optional
        Array to render into, which is returned: the shape and dtype of the result, C-contiguous and writable. Its
        content is undefined after an error.
    window : (float, float), str, int or ("percentile", float, float), default "first"
        Range of values to display; no effect on colour images.

        - (center, width) in modality units. It replaces the VOI LUT Sequence, too.
        - ``"first"``: the first VOI LUT if there is one and `voi_lut` is True, else the first window, else ``"range"``;
          the full range of one-bit images. If that VOI LUT or window is invalid, `CorruptFrameError` names the clause.
        - The explanation of a window, or of a VOI LUT, in any case; of several, the first.
        - The index of a window.
        - ``"full"``: all values of the stored type with Bits Stored bits.
        - ``"range"``: from the smallest to the largest modality value of all frames of the call, without Pixel Padding
          and NaN.
        - ``("percentile", low, high)``: between two percentiles of these values, as by `numpy.percentile`.

        Windows and VOI LUTs are those of the frame's functional groups, else of the shared ones, else of the data set.
    function : {"LINEAR", "LINEAR_EXACT", "SIGMOID"}, optional
        VOI LUT Function of windows. That of the data set by default.
    voi_lut : bool, default True
        Use the VOI LUT Sequence with ``window="first"``.
    palette : bool, default True
        Apply palettes, supplemental palettes, and the colours of segments (Recommended Display CIELab Value, or a cycle
        of fixed colours). If False, palette indices and segments are gray levels over their full range.
    overlays : bool, default False
        Set pixels of overlay planes to the highest output value.
    invert : bool, optional
        True to invert gray levels, False not to. By default, they are inverted if Presentation LUT Shape is
        ``INVERSE``, or there is none and Photometric Interpretation is ``MONOCHROME1``.
    icc : bool, default False
        Convert colours to sRGB by the ICC profile of the data set, through Pillow. An invalid profile is ignored with a
        `NonConformantWarning`.
    dtype : {"uint8", "uint16", "float32"}, default "uint8"
        Type of the result: 0 to 255, 0 to 65535, or 0.0 to 1.0.
    max_size : int, optional
        Maximum number of rows and of columns. Larger frames are reduced, with their aspect ratio, by the codestream's
        own resolutions first, then by the mean of the area of each pixel, through Pillow.
    reduce : int, default 0
        Number of resolutions to discard, as for :func:`decode`.
    threads, strict, max_bytes, fallback
        As for :func:`decode`. With a window that depends on the values, stored values are in memory, too: those of all
        frames, or of one frame at least if they exceed `max_bytes` or 256 MiB; then frames are decoded twice.

    Returns
    -------
    ndarray
        ``([frames,] rows, columns)`` for gray images, else ``([frames,] rows, columns, 3)``, with a frame axis as
        :func:`decode` returns it. Pixel Padding and NaN are the lowest value, also if inverted.

    Raises
    ------
    DecodeError, IndexError, OSError, TypeError
        As for :func:`decode`.
    CorruptFrameError
        If the requested window of the data set, or its palette, is invalid; the message names the clause.
    UnsupportedError
        If the samples have no defined display, for example four samples per pixel.
    ValueError
        If there is no such window; the message lists the windows. If an argument does not fit.

    Notes
    -----
    PS3.4 N.2; PS3.3 C.7.6.3.1.2, C.7.6.3.1.5, C.7.6.16.2.10, C.7.9.2, C.9.2, C.10.7.1.1, C.11.1, C.11.2 and C.11.6.

    Examples
    --------
    >>> picture = dicoxide.render("image.dcm")  # doctest: +SKIP
    >>> lung = dicoxide.render("image.dcm", window=(-600, 1500))  # doctest: +SKIP
    """
    renderer = _open_renderer(
        src,
        strict=strict,
        max_bytes=max_bytes,
        fallback=fallback,
        window=window,
        function=function,
        voi_lut=voi_lut,
        palette=palette,
        overlays=overlays,
        invert=invert,
        icc=icc,
        dtype=dtype,
        max_size=max_size,
        reduce=reduce,
    )
    return renderer.render(frames, out, threads=threads, max_bytes=byte_limit(max_bytes))


def iter_rendered(
    src: Readable,
    *,
    frames: FrameSelection = None,
    window: WindowSelection = "first",
    function: str | None = None,
    voi_lut: bool = True,
    palette: bool = True,
    overlays: bool = False,
    invert: bool | None = None,
    icc: bool = False,
    dtype: npt.DTypeLike = "uint8",
    max_size: int | None = None,
    reduce: int = 0,
    threads: int | None = None,
    strict: bool = False,
    max_bytes: int | None = None,
    fallback: bool = True,
) -> Iterator[Array]:
    """Iterate over rendered frames, in bounded memory.

    The next frames are rendered on other threads while the caller uses the current one. With a window that depends on
    the values (``"range"`` or percentiles), all frames are decoded once more, before the first one is yielded;
    percentiles of values of more than 16 bits need memory for all of them.

    Parameters
    ----------
    src, frames, window, function, voi_lut, palette, overlays, invert, icc, dtype, max_size, reduce, threads, strict, \
max_bytes, fallback
        As for :func:`render`. `max_bytes` bounds the frames in memory at one time, except that one frame is always
        rendered ahead.

    Yields
    ------
    ndarray
        One frame of the result of :func:`render` with the same arguments: (rows, columns[, 3]).

    Raises
    ------
    DecodeError
        When the iteration reaches a frame that cannot be decoded. The frames before it have been yielded.
    """
    renderer = _open_renderer(
        src,
        strict=strict,
        max_bytes=max_bytes,
        fallback=fallback,
        window=window,
        function=function,
        voi_lut=voi_lut,
        palette=palette,
        overlays=overlays,
        invert=invert,
        icc=icc,
        dtype=dtype,
        max_size=max_size,
        reduce=reduce,
    )
    return _iterate(renderer, frames, threads, byte_limit(max_bytes))


def _open_renderer(
    src: Readable, *, strict: bool, max_bytes: int | None, fallback: bool, **options: Unpack[RenderKeywords]
) -> Renderer:
    """Check the options, open `src`, and return its renderer."""
    limit = byte_limit(max_bytes)
    checked = check_options(**options)
    source = open_source(src, limit)
    return Renderer(make_image(source, strict=strict, fallback=fallback), Presentation(source), checked)


def _iterate(renderer: Renderer, frames: FrameSelection, threads: int | None, max_bytes: int | None) -> Iterator[Array]:
    image = renderer.image
    indices, _ = image._resolve_frames(slice(None) if frames is None else frames)
    spec = image._source.spec
    frame_bytes = math.prod(spec.shape) * spec.dtype.itemsize

    def batch_size(bytes_per_frame: int) -> int:
        # A video is decoded in order, by one decoder.
        is_video = spec.transfer_syntax in VIDEO_CODECS
        return 1 if is_video else frames_per_batch(bytes_per_frame, threads, max_bytes)

    if renderer.needs_value_range(indices):

        def measure(reduce: int) -> None:
            decoded = iterate_batches(
                lambda selected: image.decode(selected, reduce=reduce, threads=threads, max_bytes=max_bytes),
                indices,
                batch_size(frame_bytes),
            )
            renderer.measure(zip(indices, decoded, strict=True))

        renderer.with_reduction(measure)
    rendered_bytes = frame_bytes + math.prod(renderer.frame_shape()) * 4
    yield from iterate_batches(
        lambda selected: renderer.render(selected, None, threads=threads, max_bytes=max_bytes),
        indices,
        batch_size(rendered_bytes),
    )
