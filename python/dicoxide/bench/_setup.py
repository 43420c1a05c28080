"""Description of machine, versions and decoders of a run: everything that may influence its numbers."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Collection
from contextlib import suppress
from typing import Any

import numpy as np

from dicoxide import _clock
from dicoxide._arguments import thread_count
from dicoxide._backend import backend, core
from dicoxide._threads import Task, ThreadPool
from dicoxide.bench._decoders import DECODERS, Decoder
from dicoxide.bench._process import BudgetExceededError, WorkerProcess

__all__ = ["clock_mhz", "describe_decoders", "describe_machine", "load_average"]

# Environment variables that change speed or the choice of decoders.
_VARIABLES = re.compile(
    r"DICOXIDE_\w+|(OMP|OPENBLAS|MKL|NUMEXPR|ITK_GLOBAL_DEFAULT)_\w*THREADS|MALLOC_\w+|LD_PRELOAD|PYTHONMALLOC"
)
_MAX_IMPORT_SECONDS = 60


def describe_machine(command: str) -> dict[str, Any]:
    """Return versions, machine and `command`."""
    import pydicom

    return {
        "dicoxide": core.__version__,
        "backend": backend,
        "cpu_path": core.CPU_PATH,
        "cpu": _cpuinfo("model name") or platform.processor() or platform.machine(),
        "cores": thread_count(None),
        "mhz": clock_mhz(),
        "memory_bytes": _memory_bytes(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pydicom": pydicom.__version__,
        "began": _clock.now(),
        "command": command,
        "environment": {name: value for name, value in sorted(os.environ.items()) if _VARIABLES.fullmatch(name)},
    }


def clock_mhz() -> float | None:
    """Return the present clock rate of the first core in MHz; None if the system does not report it."""
    return _parse_float(_cpuinfo("cpu MHz"))


def load_average() -> float | None:
    """Return the load average of the last minute, in processes; None if the system does not report it."""
    with suppress(AttributeError, OSError):
        return os.getloadavg()[0]
    return None


def describe_decoders(workers: dict[str, WorkerProcess], selected: Collection[str]) -> list[dict[str, Any]]:
    """Return all known decoders with their status; `selected` ones that are installed are imported to test them."""
    with ThreadPool(thread_count(None), "dicoxide-decoders") as threads:
        pending = {
            name: threads.submit(workers[name].request, {"task": "load", "decoder": name}, _MAX_IMPORT_SECONDS)
            for name, decoder in DECODERS.items()
            if decoder.is_installed() and name in selected
        }
        responses = {name: _load_response(task) for name, task in pending.items()}
    return [_describe(decoder, responses.get(name, {})) for name, decoder in DECODERS.items()]


def _load_response(task: Task[dict[str, Any]]) -> dict[str, Any]:
    try:
        return task.result()
    except BudgetExceededError:
        return {"timeout": "the budget ended before it was imported"}


def _describe(decoder: Decoder, response: dict[str, Any]) -> dict[str, Any]:
    reason = next((response[key] for key in ("crashed", "timeout", "error") if key in response), None)
    return {
        "name": decoder.name,
        "package": decoder.package,
        "version": decoder.version(),
        "license": decoder.license,
        "status": "broken" if reason else "found" if decoder.is_installed() else "missing",
        "install": decoder.install,
        "why": reason,
        "levels": list(decoder.levels),
    }


def _cpuinfo(key: str) -> str | None:
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith(key):
                return line.partition(":")[2].strip()
    return None


def _parse_float(text: str | None) -> float | None:
    with suppress(TypeError, ValueError):
        return float(text or "")
    return None


def _memory_bytes() -> int | None:
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None
