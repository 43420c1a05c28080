"""Interfaces that decode bytes, each returning an :class:`Outcome`."""

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
    """The array or the exception of a call, and exceptions that pydicom caught and logged."""

    array: np.ndarray[Any, Any] | None = None
    error: BaseException | None = None
    logged: list[BaseException] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """Name of the outcome for counts: ``array``, or the class of the exception."""
        return "array" if self.error is None else type(self.error).__name__

    def __str__(self) -> str:
        if self.error is not None:
            return f"{type(self.error).__name__}: {str(self.error)[:300]}"
        return "nothing" if self.array is None else f"{self.array.dtype} {self.array.shape}"


def outcome(work: Callable[[], Any]) -> Outcome:
    """Return the result of `work`, or the exception that it raises."""
    try:
        return Outcome(array=work())
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        return Outcome(error=error)


def only(results: Any) -> Any:
    """Return the only result of `decode_many`, or raise it if it is an exception."""
    [(_, result)] = results
    if isinstance(result, BaseException):
        raise result
    return result


def is_documented(error: BaseException) -> bool:
    """True if decoding is documented to raise it."""
    if isinstance(error, AttributeError) and error.__cause__ is not None:
        # The handler for pydicom 2, for an element that is missing.
        error = error.__cause__
    return isinstance(error, DecodeError) and not isinstance(error, InternalError)


def is_raised_in_package(error: BaseException) -> bool:
    """True if the traceback has a frame of the package."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            return True
        trace = trace.tb_next
    return False


class _ErrorLog(logging.Handler):
    """Collects exceptions of plugins, which pydicom catches and logs before it raises a RuntimeError."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.errors.append(record.exc_info[1])


_error_log = _ErrorLog()


def prepare(*, fallback: bool = False) -> None:
    """Configures pydicom in this process: collects its log, and removes all decoders but dicoxide's.

    Other installed decoders are kept if `fallback`; their behaviour for corrupt bytes is not tested.
    """
    logger = logging.getLogger("pydicom")
    logger.handlers[:] = [_error_log]
    logger.propagate = False
    logger.setLevel(logging.ERROR)
    pydicom.config.pixel_data_handlers[:] = [dicoxide.pydicom_handler]
    if fallback:
        return
    dicoxide.enable()
    for uid in dicoxide.capabilities():
        with suppress(NotImplementedError):
            decoder = get_decoder(uid)
            for label in set(decoder.available_plugins) - {"dicoxide"}:
                decoder.remove_plugin(label)


def read(data: bytes) -> Any:
    """Return the Dataset, or None if pydicom raises any exception, including RecursionError."""
    return outcome(lambda: pydicom.dcmread(io.BytesIO(data), force=True)).array


def by_plugin(dataset: Any, **options: Any) -> Outcome:
    """Decode by ``pydicom.pixels.pixel_array`` with dicoxide's plugin only."""
    _error_log.errors = []
    result = outcome(lambda: pixel_array(dataset, decoding_plugin="dicoxide", **options))
    result.logged = _error_log.errors
    return result


def by_handler(dataset: Any) -> Outcome:
    """Decode by ``Dataset.pixel_array`` with the backend of pydicom 2 and dicoxide's handler only."""

    def work() -> Any:
        dataset.pixel_array_options(use_v2_backend=True)
        return dataset.pixel_array

    return outcome(work)
