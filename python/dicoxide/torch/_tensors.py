"""Tensors in the memory of decoded arrays."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from dicoxide._arguments import Array, byte_limit
from dicoxide._decode import decode
from dicoxide._decode import open as open_image
from dicoxide.bulk import Volume, render_options

if TYPE_CHECKING:
    from torch import Tensor

    from dicoxide._rendering import RenderOptions

try:
    _torch: Any = import_module("torch")
except ImportError as error:
    raise ImportError('dicoxide.torch needs PyTorch: pip install "dicoxide[torch]"') from error

__all__ = ["dtype_name", "render_source", "share", "to_tensor"]


def to_tensor(source: Any, *, dtype: Any = None, render: bool | Mapping[str, Any] = False, **options: Any) -> Tensor:
    """Return a tensor of an array, or of a source, which is decoded.

    The tensor shares the memory of the array and keeps it alive. Arrays are copied only if a tensor cannot describe
    them: read-only arrays, because tensors are writable; other byte orders; negative strides.

    Parameters
    ----------
    source : ndarray, Volume, path, bytes-like, binary file or pydicom Dataset
        An array, for example one that :func:`dicoxide.decode_many` yields, or a source of :func:`dicoxide.decode`.
    dtype : torch.dtype or dtype-like, optional
        Of an array: the type to convert to, by PyTorch. Of a source: as for :func:`dicoxide.decode`.
    render : bool or mapping, default False
        Render a source: True, or options of :func:`dicoxide.render`, such as ``{"window": (40, 400)}``.
    **options
        Options of :func:`dicoxide.decode` for a source; with `render`, `frames`, `threads`, `max_bytes`,
        `strict` and `fallback`.

    Returns
    -------
    Tensor
        The shape and type of the array. Samples are the last axis.

    Raises
    ------
    DecodeError, IndexError, OSError, ValueError
        As :func:`dicoxide.decode` or :func:`dicoxide.render` raises them.
    TypeError
        If an array has a type that PyTorch does not have, or an option does not fit.

    Notes
    -----
    PyTorch has few operations for uint16, uint32 and uint64: convert such tensors, or decode another type, for example
    by ``rescale=True``, which gives float32.

    Examples
    --------
    >>> tensor = dicoxide.torch.to_tensor("image.dcm", rescale=True)  # doctest: +SKIP
    >>> tensor.shape, tensor.dtype  # doctest: +SKIP
    (torch.Size([512, 512]), torch.float32)
    """
    if isinstance(source, (np.ndarray, Volume)):
        if render or options:
            raise TypeError(f"options {sorted({*options, *(['render'] if render else [])})} do not fit an array")
        tensor = share(np.asarray(source))
        return tensor if dtype is None else tensor.to(getattr(_torch, str(dtype_name(dtype))))
    rendering = render_options(render, dtype=dtype_name(dtype))
    if rendering is None:
        return share(decode(source, dtype=dtype_name(dtype), **options))
    return share(render_source(source, rendering, **options))


def share(array: Array) -> Tensor:
    """Return a tensor in the memory of `array`, or of a copy if a tensor cannot describe it."""
    is_regular = all(stride >= 0 and stride % array.itemsize == 0 for stride in array.strides)
    if not (array.flags.writeable and array.dtype.isnative and is_regular):
        array = np.array(array, array.dtype.newbyteorder("="), order="C")
    tensor: Tensor = _torch.from_numpy(array)
    return tensor


def dtype_name(dtype: Any) -> str | None:
    """Return NumPy's name of a type of NumPy or PyTorch, which is also PyTorch's; None for None."""
    if dtype is None:
        return None
    if isinstance(dtype, _torch.dtype):
        return str(dtype).removeprefix("torch.")
    name: str = np.dtype(dtype).name
    return name


def render_source(
    source: Any,
    rendering: RenderOptions,
    *,
    frames: Any = None,
    threads: int | None = None,
    max_bytes: int | None = None,
    strict: bool = False,
    fallback: bool = True,
) -> Array:
    with open_image(source, strict=strict, fallback=fallback) as image:
        return image._renderer(rendering).render(frames, None, threads=threads, max_bytes=byte_limit(max_bytes))
