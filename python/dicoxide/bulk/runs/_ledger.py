"""Journal of a run (``ledger.jsonl``) and its failures (``errors.jsonl``), both in the output folder.

A line is appended to the journal after its series has been renamed into place. Lines are complete, except that the last
one may be cut off if the run was killed.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterable
from io import FileIO
from types import TracebackType
from typing import Any, Self, TextIO

from dicoxide.bulk.runs._failure import Failure, os_error_text

__all__ = ["Ledger", "OutputError"]

# Endings of output names, in all formats.
_OUTPUT_SUFFIXES = ("", ".json", ".npy", ".nii", ".nii.gz", ".bval", ".bvec")

_LEDGER, _ERRORS, _LOCK = "ledger.jsonl", "errors.jsonl", ".lock"
# Files of a run that ended before its first series was complete; a folder with these only counts as empty.
_FILES_WITHOUT_OUTPUT = {_LEDGER, _LEDGER + ".new", _ERRORS, ".partial", "zarr.json"}


class OutputError(Exception):
    """The output folder cannot be used for this run; the message gives the reason."""


class Ledger:
    """Journal and lock of an output folder; a context manager.

    Parameters
    ----------
    out : str
        The output folder; created if it does not exist.
    format_name : str
        Output format. All runs into one folder must have the same.
    resume : bool
        Continue an earlier run; otherwise the folder must be empty.

    Attributes
    ----------
    write_error : OSError or None
        Why a line could not be written, for example because the disk is full.

    Raises
    ------
    OutputError
        If the folder cannot be created, is not empty, holds other files, or another run is writing to it.
    """

    def __init__(self, out: str, format_name: str, *, resume: bool) -> None:
        self.out = out
        self.write_error: OSError | None = None
        self._path = path = os.path.join(out, _LEDGER)
        self._header = {"format": format_name}
        try:
            os.makedirs(out, exist_ok=True)
            entries = set(os.listdir(out)) - {_LOCK}
        except OSError as error:
            raise OutputError(f"{out}: {os_error_text(error)}") from error
        is_empty = entries <= _FILES_WITHOUT_OUTPUT
        if not is_empty and _LEDGER not in entries:
            raise OutputError(f"{out} is not empty and has no ledger.jsonl of an earlier run")
        if not is_empty and not resume:
            raise OutputError(f"{out} is not empty; use --resume to continue an earlier run")
        self._lock = _acquire_lock(os.path.join(out, _LOCK), out)
        self._is_new = not entries
        lines = _read_lines(path) if _LEDGER in entries else []
        if lines and lines[0].get("format") != format_name:
            self._lock.close()
            raise OutputError(f"{out} holds {lines[0].get('format')} output of an earlier run, not {format_name}")
        self._finished = {str(line.get("name")): line for line in lines[1:]}
        try:
            # Emptied, because failed series are decoded again: the file holds the failures of the last run only.
            self._errors = open(os.path.join(out, _ERRORS), "wb", buffering=0)  # noqa: SIM115
            self._journal = self._rewrite_journal()
        except OSError as error:
            self._lock.close()
            raise OutputError(f"{out}: {os_error_text(error)}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for file in (self._errors, self._journal, self._lock):
            try:
                file.close()
            except OSError as close_error:
                self.write_error = close_error

    def is_finished(self, name: str, fingerprint: str) -> bool:
        """True if the output of the series exists and was made from the same sources with the same options."""
        line = self._finished.get(name)
        if line is None or line.get("fingerprint") != fingerprint or not fingerprint:
            return False
        outputs = line.get("outputs")
        return isinstance(outputs, list) and all(os.path.exists(os.path.join(self.out, output)) for output in outputs)

    def discard(self, names: Iterable[str]) -> None:
        """Remove the output of series that are written again, so that nothing outdated remains if that fails."""
        if self._is_new:
            return
        for name in names:
            self._finished.pop(name, None)
            # Also output without a line: it appeared just before a run was killed.
            for suffix in _OUTPUT_SUFFIXES:
                _remove(os.path.join(self.out, name + suffix))
        self._journal.close()
        self._journal = self._rewrite_journal()

    def record_finished(self, name: str, fingerprint: str | None, outputs: list[str], **details: Any) -> None:
        """Append a series whose output exists; without a fingerprint, the series is incomplete."""
        self._append(self._journal, {"name": name, "fingerprint": fingerprint, "outputs": outputs, **details})

    def record_failure(self, failure: Failure) -> None:
        """Append a failure."""
        self._append(self._errors, failure.as_json())

    def _append(self, file: FileIO, line: dict[str, Any]) -> None:
        text = (json.dumps(line) + "\n").encode("ascii")
        try:
            end = file.seek(0, os.SEEK_END)
            if file.write(text) != len(text):
                # Later lines must not be appended to half a line.
                file.truncate(end)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self.write_error = error

    def _rewrite_journal(self) -> FileIO:
        """Write the journal again with the current lines, which drops one that was cut off; open it for appending."""
        new_path = self._path + ".new"
        with open(new_path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in [self._header, *self._finished.values()])
        os.replace(new_path, self._path)
        return open(self._path, "ab", buffering=0)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)


def _read_lines(path: str) -> list[dict[str, Any]]:
    """Read the lines of a journal that are complete."""
    lines = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for text in file:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict):
                lines.append(line)
    return lines


def _acquire_lock(path: str, out: str) -> TextIO:
    """Lock the folder; the operating system releases the lock when the process ends, even if it is killed."""
    try:
        file = open(path, "w", encoding="ascii")  # noqa: SIM115
    except OSError as error:
        raise OutputError(f"{out}: {os_error_text(error)}") from error
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        # No such locks on this system; the caller must not start two runs at once.
        pass
    except BlockingIOError:
        file.close()
        raise OutputError(f"another run is writing to {out}") from None
    except OSError:
        # Some network file systems have no locks.
        pass
    return file
