"""A process that decodes and measures on request, so that a decoder that crashes ends no other process.

A request is one line of JSON on stdin, its response one line on the original stdout. Output of decoders goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

import dicoxide
from dicoxide import _clock
from dicoxide._arguments import Array
from dicoxide.bench._array_comparison import checksum, difference
from dicoxide.bench._cases import Case
from dicoxide.bench._decoders import DECODERS, LoadedCase

__all__ = ["main"]

Request = dict[str, Any]
Response = dict[str, Any]

# The interpreter lock is measured for calls of at least this duration; the counting thread needs several wake-ups.
_MIN_GIL_SECONDS = 0.002
# Increments per second of the counting thread, above which the lock is released: it wakes up every 0.2 ms.
_MIN_COUNT_RATE = 500


def main() -> None:
    """Respond to requests until stdin ends."""
    responses = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    affinity = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    for line in sys.stdin:
        request = json.loads(line)
        # Undo what the previous request changed: the plugin of pydicom, and the core that the process is bound to.
        dicoxide.disable()
        if affinity is not None:
            os.sched_setaffinity(0, affinity)
        try:
            response = _TASKS[request["task"]](request)
        except NotImplementedError as error:
            response = {"unsupported": _error_text(error)}
        except Exception as error:
            response = {"error": _error_text(error)}
        print(json.dumps(response), file=responses, flush=True)


def _error_text(error: Exception) -> str:
    text = " ".join(str(error).split())
    # pydicom prefixes the message of the plugin.
    text = text.rpartition("raised by all available plugins: ")[2]
    return f"{type(error).__name__}: {text}"[:500]


def _load(request: Request) -> Response:
    """Import a decoder."""
    decoder = DECODERS[request["decoder"]]
    decoder.load()
    return {"version": decoder.version()}


def _bind(request: Request, decoder: str, variant: str) -> Callable[[], Any] | None:
    loaded_cases = [LoadedCase(Case(*fields)) for fields in request["cases"]]
    if request["level"] == "bulk":
        return DECODERS[decoder].bind_many(loaded_cases, request["threads"])
    return DECODERS[decoder].bind(request["level"], loaded_cases[0], variant, request["threads"])


def _decode(request: Request) -> Response:
    """Decode a case once; return the checksum and the difference from a reference."""
    decoder, loaded, level = DECODERS[request["decoder"]], LoadedCase(Case(*request["cases"][0])), request["level"]
    call = decoder.bind(level, loaded, request["variant"], request["threads"])
    if call is None:
        return {"unsupported": ""}
    start = _clock.precise()
    result = call()
    seconds = _clock.precise() - start
    values = decoder.normalised(level, loaded, result)
    if request.get("save"):
        np.save(request["save"], values)
    reference = _load_reference(request.get("reference"), level, loaded)
    return {
        "shape": list(values.shape),
        "dtype": values.dtype.name,
        "sha256": checksum(values),
        "wrong": None if reference is None else difference(values, reference, loaded.case),
        "is_compared": reference is not None,
        "seconds": seconds,
    }


def _load_reference(path: str | None, level: str, loaded: LoadedCase) -> Array | None:
    if path is None:
        return None
    reference: Array = np.load(path)
    if level == "codec" and reference.shape == loaded.case.shape and loaded.case.frames > 1:
        first_frame: Array = reference[0]
        return first_frame
    return reference


def _time(request: Request) -> Response:
    """Time several decoders alternately; return the seconds of each round. The order is reversed every round."""
    if request["pinned"] and hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    calls = [_bind(request, decoder, variant) for decoder, variant in request["decoders"]]
    if None in calls:
        return {"unsupported": ""}
    seconds: list[list[float]] = [[] for _ in calls]
    for call in calls:
        # The first call imports modules, reads files into the page cache and maps memory.
        call()  # type: ignore[misc]
    first_start = _clock.precise()
    while len(seconds[0]) < request["max_rounds"]:
        round_count = len(seconds[0])
        elapsed = _clock.precise() - first_start
        if round_count >= request["min_rounds"] and elapsed > request["max_seconds"]:
            break
        if round_count >= request["sufficient_rounds"] and elapsed > request["seconds"]:
            break
        order = range(len(calls)) if round_count % 2 == 0 else reversed(range(len(calls)))
        for index in order:
            start = _clock.precise()
            result = calls[index]()  # type: ignore[misc]
            seconds[index].append(_clock.precise() - start)
            del result
    return {"seconds": seconds}


def _measure_memory(request: Request) -> Response:
    """Return the growth of peak memory during the first call, in bytes. Needs a new process."""
    decoder, variant = request["decoders"][0]
    if request.get("small_case"):
        # Imports and initialisation must not count.
        warm_up = _bind({**request, "cases": [request["small_case"]]}, decoder, variant)
        if warm_up is not None:
            warm_up()
    before = _peak_bytes()
    call = _bind(request, decoder, variant)
    if call is None or before is None:
        return {"unsupported": ""}
    call()
    after = _peak_bytes()
    return {"bytes": None if after is None else after - before}


def _peak_bytes() -> int | None:
    """Return the peak resident memory of the process; None if the system does not report it."""
    with suppress(OSError, StopIteration), open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    return None


def _check_gil(request: Request) -> Response:
    """Determine if another Python thread runs during a call: that thread counts, and pauses after each increment."""
    decoder, variant = request["decoders"][0]
    call = _bind(request, decoder, variant)
    if call is None:
        return {"unsupported": ""}
    call()
    counter, is_stopped = [0], threading.Event()

    def count() -> None:
        while not is_stopped.is_set():
            counter[0] += 1
            is_stopped.wait(0.0002)

    thread = threading.Thread(target=count, daemon=True)
    thread.start()
    first_start, call_count = _clock.precise(), 0
    max_rate = 0.0
    while call_count < 3 or _clock.precise() - first_start < 0.1:
        count_before, start = counter[0], _clock.precise()
        call()
        seconds = _clock.precise() - start
        max_rate = max(max_rate, (counter[0] - count_before) / max(seconds, 1e-9))
        call_count += 1
    is_stopped.set()
    thread.join()
    mean_seconds = (_clock.precise() - first_start) / call_count
    return {"releases": None if mean_seconds < _MIN_GIL_SECONDS else max_rate > _MIN_COUNT_RATE}


_TASKS: dict[str, Callable[[Request], Response]] = {
    "load": _load,
    "decode": _decode,
    "time": _time,
    "memory": _measure_memory,
    "gil": _check_gil,
}

if __name__ == "__main__":
    main()
