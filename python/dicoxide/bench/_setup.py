"""Where a run was made: what may change its numbers."""

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
from dicoxide.bench._decoders import PEERS, Peer
from dicoxide.bench._process import OutOfTimeError, Worker

__all__ = ["load", "mhz", "peers", "setup"]

# Variables that change speed, or who decodes.
_VARIABLES = re.compile(
    r"DICOXIDE_\w+|(OMP|OPENBLAS|MKL|NUMEXPR|ITK_GLOBAL_DEFAULT)_\w*THREADS|MALLOC_\w+|LD_PRELOAD|PYTHONMALLOC"
)


def setup(command: str) -> dict[str, Any]:
    """Versions, machine and command."""
    import pydicom

    return {
        "dicoxide": core.__version__,
        "backend": backend,
        "cpu_path": core.CPU_PATH,
        "cpu": _of_cpu("model name") or platform.processor() or platform.machine(),
        "cores": thread_count(None),
        "mhz": mhz(),
        "memory_bytes": _memory_bytes(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pydicom": pydicom.__version__,
        "began": _clock.now(),
        "command": command,
        "environment": {name: value for name, value in sorted(os.environ.items()) if _VARIABLES.fullmatch(name)},
    }


def mhz() -> float | None:
    """What the clock of the first core is now, in MHz; None where the system does not tell."""
    return _number(_of_cpu("cpu MHz"))


def load() -> float | None:
    """Processes that ran or waited to run in the last minute, on average; None where the system does not tell."""
    with suppress(AttributeError, OSError):
        return os.getloadavg()[0]
    return None


def peers(workers: dict[str, Worker], wanted: Collection[str]) -> list[dict[str, Any]]:
    """Every decoder that there could be, and whether it is there and, of those `wanted`, can be imported."""
    with ThreadPool(thread_count(None), "dicoxide-peers") as threads:
        loading = {
            name: threads.submit(workers[name].ask, {"do": "load", "peer": name}, 60)
            for name, peer in PEERS.items()
            if peer.is_there() and name in wanted
        }
        answers = {name: _loaded(task) for name, task in loading.items()}
    return [_told(peer, answers.get(name, {})) for name, peer in PEERS.items()]


def _loaded(task: Task[dict[str, Any]]) -> dict[str, Any]:
    try:
        return task.result()
    except OutOfTimeError:
        return {"timeout": "the budget ended before it was imported"}


def _told(peer: Peer, answer: dict[str, Any]) -> dict[str, Any]:
    why = next((answer[key] for key in ("crashed", "timeout", "error") if key in answer), None)
    return {
        "name": peer.name,
        "package": peer.package,
        "version": peer.version(),
        "license": peer.license,
        "status": "broken" if why else "found" if peer.is_there() else "missing",
        "install": peer.install,
        "why": why,
        "levels": list(peer.levels),
    }


def _of_cpu(key: str) -> str | None:
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith(key):
                return line.partition(":")[2].strip()
    return None


def _number(text: str | None) -> float | None:
    with suppress(TypeError, ValueError):
        return float(text or "")
    return None


def _memory_bytes() -> int | None:
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None
