"""A process that decodes and measures what it is told: a decoder that ends it ends nothing else.

A request is a line of JSON on stdin, its answer a line on what was stdout; what decoders print goes to stderr.
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
from dicoxide.bench._answers import checksum, difference
from dicoxide.bench._cases import Case
from dicoxide.bench._decoders import PEERS, Opened

__all__ = ["main"]

Request = dict[str, Any]
Answer = dict[str, Any]


def main() -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    every = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    for line in sys.stdin:
        request = json.loads(line)
        # What one request has changed is not the next one's: the plugin of pydicom, and the core that it was bound to.
        dicoxide.disable()
        if every is not None:
            os.sched_setaffinity(0, every)
        try:
            answer = _DO[request["do"]](request)
        except NotImplementedError as error:
            answer = {"unsupported": _text(error)}
        except Exception as error:
            answer = {"error": _text(error)}
        print(json.dumps(answer), file=answers, flush=True)


def _text(error: Exception) -> str:
    text = " ".join(str(error).split())
    # What pydicom says of a plugin that failed is what the plugin said.
    text = text.rpartition("raised by all available plugins: ")[2]
    return f"{type(error).__name__}: {text}"[:500]


def _load(request: Request) -> Answer:
    peer = PEERS[request["peer"]]
    peer.load()
    return {"version": peer.version()}


def _bound(request: Request, peer: str, variant: str) -> Callable[[], Any] | None:
    cases = [Opened(Case(*one)) for one in request["cases"]]
    if request["level"] == "bulk":
        return PEERS[peer].bind_many(cases, request["threads"])
    return PEERS[peer].bind(request["level"], cases[0], variant, request["threads"])


def _answer(request: Request) -> Answer:
    """One decoding: its checksum, and how far it is from a reference."""
    peer, opened, level = PEERS[request["peer"]], Opened(Case(*request["cases"][0])), request["level"]
    call = peer.bind(level, opened, request["variant"], request["threads"])
    if call is None:
        return {"unsupported": ""}
    start = _clock.precise()
    result = call()
    seconds = _clock.precise() - start
    values = peer.answer(level, opened, result)
    if request.get("save"):
        np.save(request["save"], values)
    reference = _reference(request.get("reference"), level, opened)
    return {
        "shape": list(values.shape),
        "dtype": values.dtype.name,
        "sha256": checksum(values),
        "wrong": None if reference is None else difference(values, reference, opened.case),
        "is_compared": reference is not None,
        "seconds": seconds,
    }


def _reference(path: str | None, level: str, opened: Opened) -> Array | None:
    if path is None:
        return None
    reference: Array = np.load(path)
    if level == "codec" and reference.shape == opened.case.shape and opened.case.frames > 1:
        first: Array = reference[0]
        return first
    return reference


def _race(request: Request) -> Answer:
    """Several decoders in turns: seconds of each round. Whoever is first in a round is last in the next."""
    if request["pinned"] and hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    calls = [_bound(request, peer, variant) for peer, variant in request["peers"]]
    if None in calls:
        return {"unsupported": ""}
    seconds: list[list[float]] = [[] for _ in calls]
    for call in calls:
        # Caches, memory and plugins are warm afterwards.
        call()  # type: ignore[misc]
    began = _clock.precise()
    while len(seconds[0]) < request["most_rounds"]:
        done = len(seconds[0])
        took = _clock.precise() - began
        # Where a round takes long, there are fewer of them.
        if done >= request["least_rounds"] and took > request["most_seconds"]:
            break
        if done >= request["enough_rounds"] and took > request["seconds"]:
            break
        order = range(len(calls)) if done % 2 == 0 else reversed(range(len(calls)))
        for place in order:
            start = _clock.precise()
            result = calls[place]()  # type: ignore[misc]
            seconds[place].append(_clock.precise() - start)
            del result
    return {"seconds": seconds}


def _memory(request: Request) -> Answer:
    """Peak memory that the first call takes beyond what was taken before, in bytes; for a process of its own."""
    peer, variant = request["peers"][0]
    small = [{**request, "cases": [request["small"]]}] if request.get("small") else []
    for one in small:
        # What importing takes is nobody's frame.
        warm = _bound(one, peer, variant)
        if warm is not None:
            warm()
    before = _peak()
    call = _bound(request, peer, variant)
    if call is None or before is None:
        return {"unsupported": ""}
    call()
    after = _peak()
    return {"bytes": None if after is None else after - before}


def _peak() -> int | None:
    with suppress(OSError, StopIteration), open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    return None


def _lock(request: Request) -> Answer:
    """Whether another Python thread runs while it decodes."""
    peer, variant = request["peers"][0]
    call = _bound(request, peer, variant)
    if call is None:
        return {"unsupported": ""}
    call()
    counts, stop = [0], threading.Event()

    def count() -> None:
        while not stop.is_set():
            counts[0] += 1
            stop.wait(0.0002)

    counter = threading.Thread(target=count, daemon=True)
    counter.start()
    start, runs = _clock.precise(), 0
    longest = 0.0
    while runs < 3 or _clock.precise() - start < 0.1:
        before, began = counts[0], _clock.precise()
        call()
        took = _clock.precise() - began
        longest = max(longest, (counts[0] - before) / max(took, 1e-9))
        runs += 1
    stop.set()
    counter.join()
    mean = (_clock.precise() - start) / runs
    # A call that is shorter than the wait tells nothing.
    return {"releases": None if mean < 0.002 else longest > 500}


_DO: dict[str, Callable[[Request], Answer]] = {
    "load": _load,
    "answer": _answer,
    "race": _race,
    "memory": _memory,
    "lock": _lock,
}

if __name__ == "__main__":
    main()
