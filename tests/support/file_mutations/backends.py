"""Checks that the compiled core and the NumPy backend return equal samples, modality values, deviations and errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dicoxide import _numpy_backend
from dicoxide._backend import core
from dicoxide._options import DecodeOptions
from dicoxide._sources.dataset import dataset_source
from dicoxide.errors import DecodeError
from support.file_mutations.interfaces import outcome

# NumPy decodes slowly.
_MAX_SAMPLES = 1 << 16
_SYNTAXES = frozenset(uid for uid, _, codec in _numpy_backend.transfer_syntaxes() if codec is not None)


def backends_agree(dataset: Any) -> Iterator[str]:
    """Decode a Dataset by both backends, with and without rescale."""
    opened = outcome(lambda: dataset_source(dataset))
    if opened.array is None or core is _numpy_backend:
        return
    source: Any = opened.array
    frame_count = source.number_of_frames or 1
    if source.spec.transfer_syntax not in _SYNTAXES or frame_count > _MAX_SAMPLES:
        return
    for rescale in (False, True):
        if rescale and source.spec.samples_per_pixel != 1:
            return
        transforms = outcome(lambda: source.modality_transforms(range(frame_count))[0])
        if rescale and transforms.error is not None:
            return
        used = transforms.array if rescale else None
        by_core, by_numpy = (
            outcome(lambda backend=backend, used=used: _decode(backend, source, used))
            for backend in (core, _numpy_backend)
        )
        if by_core.error is not None or by_numpy.error is not None or by_core.array != by_numpy.array:
            found = [str(item) if item.error else repr(item.array)[:200] for item in (by_core, by_numpy)]
            yield f"the core gives {found[0]}, NumPy {found[1]}{' with rescale' if rescale else ''}"


def _decode(backend: Any, source: Any, transforms: list[Any] | None) -> Any:
    """Return the bytes of the samples and the deviations, or the class and the attributes of the error."""
    try:
        frames = backend.Frames(
            source._frame_spec,
            source.value,
            source.number_of_frames,
            source._extended_offsets,
            word_swapped=source._word_swapped,
        )
        indices = list(range(len(frames)))
        size = int(np.prod(source.spec.shape)) * len(indices)
        if size > _MAX_SAMPLES:
            return "large"
        if transforms is not None:
            if len(transforms) not in (0, 1, len(indices)):
                return "other number of frames"
            transforms = [_transform(backend, transform) for transform in transforms] or [(1.0, 0.0)]
        frames.check(indices)
        out = np.zeros(size, source.spec.dtype if transforms is None else "f8")
        _, deviations = frames.decode_into(out, indices, DecodeOptions(), transforms=transforms)
        deviations = [*frames.deviations(), *deviations]
    except DecodeError as error:
        return type(error), error.kind, error.clause, error.offset, error.frame_index
    return out.tobytes(), [(index, clause, offset) for index, _, clause, offset in deviations]


def _transform(backend: Any, transform: Any) -> Any:
    """Return a transform of either backend as one of `backend`."""
    if isinstance(transform, tuple):
        return transform
    return backend.LookupTable(transform.first_mapped, np.array(transform.entries, np.uint16))
