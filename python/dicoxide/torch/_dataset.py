"""The data set of files, frames or volumes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dicoxide._arguments import Array, Rescale, check_rescale, thread_count
from dicoxide.bulk import OnError, VolumePlan, check_on_error, plan_series, render_options
from dicoxide.torch._elements import Elements, FileElements, FrameElements, VolumeElements
from dicoxide.torch._tensors import dtype_name, share

if TYPE_CHECKING:
    from torch import Tensor
    from torch.utils.data import Dataset

_data: Any = import_module("torch.utils.data")
if not TYPE_CHECKING:
    Dataset = _data.Dataset

__all__ = ["DicomDataset"]

# Options of `Volume.render`.
_VOLUME_RENDER_OPTIONS = frozenset({"window", "function", "invert", "dtype"})


class DicomDataset(Dataset):  # type: ignore[misc]
    """Tensors of files, of their frames, or of the volumes of series, by index: a map-style PyTorch data set.

    ``dataset[i]`` decodes one element, ``for tensor in dataset`` all elements in order, on all cores and in bounded
    memory. A ``DataLoader`` requests batches, which are decoded on several threads. Each worker uses its share of the
    cores: ``num_workers=1`` decodes batches on all cores while the main process works.

    Parameters
    ----------
    sources : path, bytes or pydicom Dataset, or iterable of these
        The files, in the order of the elements; open files are refused, because workers would share their position.
        With `series`: a path or paths of folders and files, or plans of :func:`dicoxide.bulk.plan_series`.
    series : bool, default False
        An element is a volume, in the order of :func:`dicoxide.read_series`. Headers are read now.
    per_frame : bool, default False
        An element is a frame of a file. Headers are read now, to count the frames.
    rescale, quantity
        As for :func:`dicoxide.decode`.
    dtype : torch.dtype or dtype-like, optional
        As for :func:`dicoxide.decode`; of rendered elements, as for :func:`dicoxide.render`.
    render : bool or mapping, default False
        Render elements: True, or options of :func:`dicoxide.render`, such as ``{"window": (40, 400)}``; with `series`,
        options of :meth:`dicoxide.Volume.render`.
    transform : callable, optional
        Called with the tensor of an element; its result is the element.
    threads : int, optional
        Maximum number of threads. By default all cores in the main process; in each worker the number of cores divided
        by the number of workers.
    on_error : {"raise", "return", "skip"}
        Handling of the errors of an element (`DecodeError` and other ValueErrors, IndexError, OSError): raise the
        error, with a note that names the file; return it in place of the tensor; or leave the element out of batches
        and iterations. An index of an element that is skipped raises its error. Files whose header cannot be read are
        handled in the same manner with `per_frame`; with `series` they are in no element, unless errors are raised.
        A batch of which all elements are skipped is empty: PyTorch's default `collate_fn` raises IndexError for it.
        ``StackDataset`` refuses batches with skipped elements.
    **options
        Other options of :func:`dicoxide.decode_many`; with `series`, `split_by` and `merge` of
        :func:`dicoxide.read_series`, and `strict`, `max_bytes` (of one volume) and `fallback`.

    Attributes
    ----------
    errors : list of (source, Exception)
        Sources whose headers could not be read, with `series` or `per_frame`; empty with ``on_error="raise"``.

    Raises
    ------
    DecodeError, OSError
        With ``on_error="raise"``: the error of the first header that cannot be read.
    TypeError, ValueError
        If an option is unknown or does not fit the others.

    Notes
    -----
    Axes are those of :func:`dicoxide.decode`: (rows, columns[, samples]), with frames or slices first. Options such as
    ``transform=operator.itemgetter(None)`` add an axis for channels. Functions that workers need must be picklable if
    workers are spawned. Labels: ``torch.utils.data.StackDataset(images, labels)``, or a subclass with ``__getitem__``,
    whose elements are loaded singly.

    Tensors of uint16 have few operations in PyTorch, but batches can be made of them.

    Examples
    --------
    >>> images = dicoxide.torch.DicomDataset(paths, rescale=True)  # doctest: +SKIP
    >>> loader = torch.utils.data.DataLoader(images, batch_size=16, num_workers=1)  # doctest: +SKIP
    """

    def __init__(
        self,
        sources: Any,
        *,
        series: bool = False,
        per_frame: bool = False,
        rescale: Rescale = False,
        quantity: str | None = None,
        dtype: Any = None,
        render: bool | Mapping[str, Any] = False,
        transform: Callable[[Tensor], Any] | None = None,
        threads: int | None = None,
        on_error: OnError = "raise",
        **options: Any,
    ) -> None:
        check_on_error(on_error)
        check_rescale(rescale, quantity)
        thread_count(threads)
        if series and per_frame:
            raise ValueError("series and per_frame do not fit each other")
        self.errors: list[tuple[Any, Exception]] = []
        self._transform = transform
        self._threads = threads
        self._on_error = on_error
        values = {"rescale": rescale, "quantity": quantity, "dtype": dtype_name(dtype)}
        options |= {key: value for key, value in values.items() if value}
        self._elements: Elements
        if series:
            self._elements = self._plan_volumes(sources, render, options)
            return
        files = _check_sources(sources)
        rendering = render_options(render, dtype=options.get("dtype"), reduce=options.get("reduce"))
        if per_frame:
            self._elements = frames = FrameElements(files, rendering, options, threads, on_error)
            self.errors = frames.errors
        else:
            self._elements = FileElements(files, rendering, options)

    def _plan_volumes(self, sources: Any, render: bool | Mapping[str, Any], options: dict[str, Any]) -> VolumeElements:
        split = {key: options.pop(key) for key in ("split_by", "merge") if key in options}
        if unknown := sorted(options.keys() - {"rescale", "quantity", "dtype", "strict", "max_bytes", "fallback"}):
            raise TypeError(f"option {unknown[0]!r} does not fit series")
        render_keywords: dict[str, Any] | None = None
        # Raises if an option does not exist.
        if render_options(render) is not None:
            render_keywords = {} if render is True else dict(render)  # type: ignore[arg-type]
            if unsuitable := sorted(render_keywords.keys() - _VOLUME_RENDER_OPTIONS):
                raise TypeError(f"option {unsuitable[0]!r} of render does not fit series")
            if "dtype" in options:
                render_keywords.setdefault("dtype", options.pop("dtype"))
        paths: list[Any] = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
        if paths and all(isinstance(entry, VolumePlan) for entry in paths):
            if split:
                raise TypeError(f"option {min(split)!r} does not fit plans")
            return VolumeElements(paths, render_keywords, options)
        plans = plan_series(paths, threads=self._threads, on_error=self._on_error, **split)
        self.errors = list(plans.errors)
        return VolumeElements(list(plans), render_keywords, options)

    def __len__(self) -> int:
        return len(self._elements)

    def source(self, index: int) -> Any:
        """Return the source of an element: the path, (path, zero-based frame index), or the plan of the volume."""
        return self._elements.source(self._index(index))

    def __getitem__(self, index: int) -> Any:
        (result,) = self._elements.load([self._index(index)], self._thread_count())
        if isinstance(result, Exception) and self._on_error != "return":
            raise result
        return self._element(result)

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Return the elements of a batch; a DataLoader calls it."""
        if type(self).__getitem__ is not DicomDataset.__getitem__:
            return [self[index] for index in indices]
        return list(self._load([self._index(index) for index in indices]))

    def __iter__(self) -> Iterator[Any]:
        if type(self).__getitem__ is not DicomDataset.__getitem__:
            return (self[index] for index in range(len(self)))
        return self._load(range(len(self)))

    def _load(self, indices: Sequence[int]) -> Iterator[Any]:
        # Decoding stops when the consumer does.
        with closing(self._elements.load(indices, self._thread_count())) as results:
            for result in results:
                if isinstance(result, Exception):
                    if self._on_error == "raise":
                        raise result
                    if self._on_error == "skip":
                        continue
                yield self._element(result)

    def _element(self, result: Array | Exception) -> Any:
        if isinstance(result, Exception):
            return result
        tensor = share(result)
        return tensor if self._transform is None else self._transform(tensor)

    def _index(self, index: int) -> int:
        """Return an index that is not negative."""
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"index {index} is out of range for {count} elements")
        return int(index) % count

    def _thread_count(self) -> int:
        worker = _data.get_worker_info()
        if self._threads is not None or worker is None:
            return thread_count(self._threads)
        return max(1, thread_count(None) // int(worker.num_workers))

    def __repr__(self) -> str:
        return f"<dicoxide.torch.DicomDataset: {len(self)} {self._elements.kind}>"


def _check_sources(sources: Any) -> list[Any]:
    """Return the sources as a list."""
    single = isinstance(sources, (str, bytes, os.PathLike)) or hasattr(sources, "file_meta")
    entries = [sources] if single else list(sources)
    for entry in entries:
        if hasattr(entry, "read") and not hasattr(entry, "file_meta"):
            raise TypeError("open files cannot be sources, because workers would share their position")
    return entries
