"""The journal of a run, ``ledger.jsonl``, and its failures, ``errors.jsonl``, both in the output folder.

A line of the journal is written when its series has appeared. Lines are complete or, at the end of a run that was
killed, not there.
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

from dicoxide.bulk.runs._failure import Failure

__all__ = ["Ledger", "OutputError"]

# What the names of outputs end in, in all formats.
SUFFIXES = ("", ".json", ".npy", ".nii", ".nii.gz")

_LEDGER, _ERRORS, _LOCK = "ledger.jsonl", "errors.jsonl", ".lock"
_NOTHING_DONE = {_LEDGER, _LEDGER + ".new", _ERRORS, ".partial", "zarr.json"}


class OutputError(Exception):
    """The output folder cannot be used for this run; the message says why."""


class Ledger:
    """What has been done in `out`; a context manager.

    Parameters
    ----------
    out : str
        The output folder; it is made.
    form : str
        The format that is written; all runs into a folder write the same.
    resume : bool
        Go on with what an earlier run has left; else the folder has to be empty.

    Raises
    ------
    OutputError
        If the folder cannot be made, is not empty, holds something else, or another run is at it.
    """

    def __init__(self, out: str, form: str, *, resume: bool) -> None:
        self.out = out
        # Why the journal could not be written, where the disk is full.
        self.broken: OSError | None = None
        self._path = path = os.path.join(out, _LEDGER)
        self._head = {"format": form}
        try:
            os.makedirs(out, exist_ok=True)
            there = set(os.listdir(out)) - {_LOCK}
        except OSError as error:
            raise OutputError(f"{out}: {(error.strerror or str(error)).lower()}") from error
        # A run that ended before anything appeared is none.
        is_empty = there <= _NOTHING_DONE
        if not is_empty and _LEDGER not in there:
            raise OutputError(f"{out} is not empty and holds no ledger.jsonl of an earlier run")
        if not is_empty and not resume:
            raise OutputError(f"{out} is not empty; --resume goes on with an earlier run")
        self._lock = _locked(os.path.join(out, _LOCK), out)
        self._is_new = not there
        lines = _lines(path) if _LEDGER in there else []
        if lines and lines[0].get("format") != form:
            self._lock.close()
            raise OutputError(f"{out} holds {lines[0].get('format')} of an earlier run, not {form}")
        self._finished = {str(line.get("name")): line for line in lines[1:]}
        try:
            # What cannot be decoded is tried again, so that these are always the failures of the last run.
            self._errors = open(os.path.join(out, _ERRORS), "wb", buffering=0)  # noqa: SIM115
            self._journal = self._rewritten(path, [self._head, *self._finished.values()])
        except OSError as error:
            self._lock.close()
            raise OutputError(f"{out}: {(error.strerror or str(error)).lower()}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for file in (self._errors, self._journal, self._lock):
            try:
                file.close()
            except OSError as refused:
                self.broken = refused

    def is_finished(self, name: str, fingerprint: str) -> bool:
        """Whether the series is there, of the same sources and made in the same way."""
        line = self._finished.get(name)
        if line is None or line.get("fingerprint") != fingerprint or not fingerprint:
            return False
        outputs = line.get("outputs")
        return isinstance(outputs, list) and all(os.path.exists(os.path.join(self.out, one)) for one in outputs)

    def begin(self, names: Iterable[str]) -> None:
        """Remove what there is of series that are to be made again: should that fail, nothing old is left."""
        if self._is_new:
            return
        for name in names:
            self._finished.pop(name, None)
            # Also what appeared just before a run was killed, and is in no line.
            for suffix in SUFFIXES:
                _remove(os.path.join(self.out, name + suffix))
        self._journal.close()
        self._journal = self._rewritten(self._path, [self._head, *self._finished.values()])

    def finished(self, name: str, fingerprint: str | None, outputs: list[str], **told: Any) -> None:
        """Note that a series has appeared; without a fingerprint, that it is not complete."""
        self._append(self._journal, {"name": name, "fingerprint": fingerprint, "outputs": outputs, **told})

    def failed(self, failure: Failure) -> None:
        """Note a failure."""
        self._append(self._errors, failure.as_json())

    def _append(self, file: FileIO, line: dict[str, Any]) -> None:
        text = (json.dumps(line) + "\n").encode("ascii")
        try:
            end = file.seek(0, os.SEEK_END)
            if file.write(text) != len(text):
                # What comes later must not be appended to half a line.
                file.truncate(end)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self.broken = error

    def _rewritten(self, path: str, lines: list[dict[str, Any]]) -> FileIO:
        """The journal without a line that was torn off, open for more."""
        fresh = path + ".new"
        with open(fresh, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
        os.replace(fresh, path)
        return open(path, "ab", buffering=0)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)


def _lines(path: str) -> list[dict[str, Any]]:
    found = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                one = json.loads(line)
            except ValueError:
                continue
            if isinstance(one, dict):
                found.append(one)
    return found


def _locked(path: str, out: str) -> TextIO:
    """The lock of the folder; the system lets it go when the process ends, however that is."""
    try:
        file = open(path, "w", encoding="ascii")  # noqa: SIM115
    except OSError as error:
        raise OutputError(f"{out}: {(error.strerror or str(error)).lower()}") from error
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        # Where there is no such lock, two runs at once are the caller's care.
        pass
    except BlockingIOError:
        file.close()
        raise OutputError(f"another run is writing to {out}") from None
    except OSError:
        # Network file systems may know no locks.
        pass
    return file
