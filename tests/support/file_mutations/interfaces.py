"""The ways from bytes to an array, each ending in an :class:`Outcome`."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.pixels import get_decoder, pixel_array

import dicoxide
from dicoxide import DecodeError, InternalError

_PACKAGE = str(Path(dicoxide.__file__).parent)


@dataclass
class Outcome:
    """An array or an exception; and whatever else was raised within our code on the way."""

    array: np.ndarray[Any, Any] | None = None
    error: BaseException | None = None
    also: list[BaseException] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """What a summary counts."""
        return "array" if self.error is None else type(self.error).__name__

    def __str__(self) -> str:
        if self.error is not None:
            return f"{type(self.error).__name__}: {str(self.error)[:300]}"
        return "nothing" if self.array is None else f"{self.array.dtype} {self.array.shape}"


def outcome(work: Callable[[], Any]) -> Outcome:
    """What `work` gives, whatever it raises."""
    try:
        return Outcome(array=work())
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        return Outcome(error=error)


def is_documented(error: BaseException) -> bool:
    """Whether decoding bytes may raise it."""
    return isinstance(error, DecodeError) and not isinstance(error, InternalError)


def is_ours(error: BaseException) -> bool:
    """Whether it came through our code, so that it had to be one of ours."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            return True
        trace = trace.tb_next
    return False


class _Raised(logging.Handler):
    """What pydicom catches of its plugins, logs, and makes a RuntimeError of."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.errors.append(record.exc_info[1])


_raised = _Raised()


def prepare(*, others: bool = False) -> None:
    """Make ready this process, which does nothing else: pydicom's log is read, and nobody but us decodes.

    Other decoders may be installed: what they make of broken bytes is not ours. They stay with `others`.
    """
    logger = logging.getLogger("pydicom")
    logger.handlers[:] = [_raised]
    logger.propagate = False
    logger.setLevel(logging.ERROR)
    pydicom.config.pixel_data_handlers[:] = [dicoxide.pydicom_handler]
    if others:
        return
    dicoxide.enable()
    for uid in dicoxide.capabilities():
        with suppress(NotImplementedError):
            decoder = get_decoder(uid)
            for label in set(decoder.available_plugins) - {"dicoxide"}:
                decoder.remove_plugin(label)


def read(data: bytes) -> Any:
    """The Dataset, or None where pydicom does not read it."""
    # It runs into its own recursion limit too.
    return outcome(lambda: pydicom.dcmread(io.BytesIO(data), force=True)).array


def by_plugin(dataset: Any, **options: Any) -> Outcome:
    """pydicom's ``pixel_array`` with nobody but our plugin."""
    _raised.errors = []
    found = outcome(lambda: pixel_array(dataset, decoding_plugin="dicoxide", **options))
    found.also = _raised.errors
    return found


def by_handler(dataset: Any) -> Outcome:
    """``Dataset.pixel_array`` as code for pydicom 2 has it, with nobody but our handler."""

    def work() -> Any:
        dataset.pixel_array_options(use_v2_backend=True)
        return dataset.pixel_array

    return outcome(work)
