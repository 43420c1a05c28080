"""A run: who is there, who is exact, and how fast they are, within a budget of time.

    cases ──► Verdicts: every answer, decided ──► races: ours and one other in turns ──► the document
    peers     a process a decoder                 in the process of the other

Whatever ends it, what there is so far is told.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dicoxide import _clock
from dicoxide._arguments import thread_count
from dicoxide._threads import ThreadPool
from dicoxide.bench import _setup
from dicoxide.bench._cases import Case
from dicoxide.bench._decoders import LEVELS, OURS, PEERS
from dicoxide.bench._pairings import Race, Racing
from dicoxide.bench._process import OutOfTimeError, Worker
from dicoxide.bench._stats import ratio, summary
from dicoxide.bench._verify import Answer, Verdicts, asked

__all__ = ["Now", "Options", "run"]

SCHEMA = "dicoxide-bench/1"

# Of the budget: what finding out who is exact may take, if speed is measured as well.
_FOR_VERDICTS = 0.4
# Of what is left: what memory and locks may take, and seconds that they take of one decoder at one level.
_FOR_MEMORY, _MEMORY_SECONDS = 0.25, 1.5
# Rounds of a race: fewer than enough only where one of them takes long, or the budget does not last.
_LEAST_ROUNDS, _ENOUGH_ROUNDS, _MOST_ROUNDS = 3, 20, 60
# Seconds that a race is to have; with less left for each, there are fewer races.
_RACE_SECONDS = 0.25
# Seconds that a slow one may take, or this part of what is left: others are worth as much.
_SLOW_SECONDS, _OF_WHAT_IS_LEFT = 1.0, 0.02
_TIMEOUT_SECONDS = 120.0
# Where memory and locks are measured.
_MEMORY_LEVELS = ("pixel_array", "file")
# Decoders that hold an image in memory at once.
_MOST_ASKED = 4


class Options(NamedTuple):
    """What is wanted."""

    budget_seconds: float = 150.0
    # When the budget began, by `_clock.seconds`; None if it begins now.
    began: float | None = None
    verify_only: bool = False
    peers: tuple[str, ...] = ()
    command: str = "dicoxide bench"


class Now(NamedTuple):
    """How far a run is."""

    doing: str
    left_seconds: float
    budget_seconds: float
    # What was raced so far, by level and decoder: times of the decoder over ours.
    ratios: Mapping[tuple[str, str], list[float]]


def run(cases: Sequence[Case], options: Options, notes: Sequence[str], show: Callable[[Now], None]) -> dict[str, Any]:
    """Measure, and tell all that was found out.

    Parameters
    ----------
    cases : sequence of Case
        In the order of their importance.
    options : Options
        What is wanted.
    notes : sequence of str
        What is to be told beside it.
    show : callable
        Called with how far it is, whenever something else is begun.

    Returns
    -------
    dict
        What ``--json`` writes; docs/bench.md describes it.
    """
    with tempfile.TemporaryDirectory(prefix="dicoxide-bench-") as folder:
        runner = _Runner(options, folder, show)
        try:
            runner.find_peers()
            runner.verify(cases)
            if not options.verify_only:
                runner.race()
        except OutOfTimeError:
            # What was not reached is noted where it is known.
            pass
        except KeyboardInterrupt:
            runner.document["setup"]["interrupted"] = True
        finally:
            runner.stop()
        return runner.finished(notes)


class _Runner:
    def __init__(self, options: Options, folder: str, show: Callable[[Now], None]) -> None:
        self._options = options
        self._is_over = False
        self._show = show
        self._began = _clock.seconds() if options.began is None else options.began
        self._workers = {name: Worker(self._left) for name in PEERS}
        # For what needs a process that has done nothing yet.
        self._fresh = Worker(self._left)
        # Nothing is timed while decoders are asked: they may be asked at once.
        self._asking = ThreadPool(min(thread_count(None), _MOST_ASKED), "dicoxide-verdicts")
        self._verdicts = Verdicts(folder, self._workers, self._asking)
        # By level, case and decoder.
        self._answers: dict[tuple[str, str, str], Answer] = {}
        self._verified: list[Case] = []
        self._results: dict[Race, dict[str, Any]] = {}
        self._control: list[dict[str, float]] = []
        self._ratios: dict[tuple[str, str], list[float]] = {}
        self._deviations: list[str] = []
        self._wanted: set[str] = set()
        cores = thread_count(None)
        self._threads = sorted({1, cores, *(count for count in (2, 4, 8, 16, 32, 64) if count < cores)})
        self.document: dict[str, Any] = {
            "schema": SCHEMA,
            "setup": {
                **_setup.setup(options.command),
                "budget_seconds": options.budget_seconds,
                "took_seconds": 0.0,
                "interrupted": False,
                "verify_only": options.verify_only,
                "threads": self._threads,
                "noise": {"control": None, "relative_iqr": None, "load": _setup.load(), "mhz_after": None},
            },
            "peers": [],
            "cases": [],
            "results": [],
            "disagreements": [],
            "notes": [],
        }

    def _left(self) -> float:
        if self._is_over:
            return 0.0
        return self._options.budget_seconds - (_clock.seconds() - self._began)

    def _say(self, doing: str) -> None:
        self._show(Now(doing, self._left(), self._options.budget_seconds, self._ratios))

    def stop(self) -> None:
        # Whoever is about to ask has no time left; whoever waits is told that its process has ended.
        self._is_over = True
        for worker in (*self._workers.values(), self._fresh):
            worker.stop()
        self._asking.stop()

    def find_peers(self) -> None:
        self._say("looking for decoders")
        self._wanted = {OURS, *self._options.peers} if self._options.peers else set(PEERS)
        self.document["peers"] = _setup.peers(self._workers, self._wanted)

    @property
    def _here(self) -> list[str]:
        found = [peer["name"] for peer in self.document["peers"] if peer["status"] == "found"]
        return [name for name in found if name in self._wanted]

    def verify(self, cases: Sequence[Case]) -> None:
        """Ask every decoder, as long as there is time for it."""
        share = 1.0 if self._options.verify_only else _FOR_VERDICTS
        until = self._options.budget_seconds * (1 - share)
        try:
            for number, case in enumerate(cases):
                if number and self._left() < until:
                    break
                self._say(f"exactness: {number + 1} of {len(cases)}, {case.name}")
                for level, one, names in asked([case], self._here, LEVELS):
                    for name, answer in self._verdicts.of_case(level, one, names).items():
                        self._answers[level, one.name, name] = answer
                self._verified.append(case)
        finally:
            if len(self._verified) < len(cases):
                self._deviations.append(f"{len(self._verified)} of {len(cases)} images were compared within the budget")

    def race(self) -> None:
        """Time those who are exact, in turns with ours."""
        racing = Racing(self._verified, self._answers, self._here, self._threads)
        possible = list(racing.races())
        reserved = min(_FOR_MEMORY * self._left(), _MEMORY_SECONDS * len(_MEMORY_LEVELS) * len(self._here))
        done: list[Race] = []
        try:
            for number, race in enumerate(possible):
                left = self._left() - reserved
                # What each may take if all of them are to be run, or as many as may have enough.
                share = max(_RACE_SECONDS, left / (len(possible) - number))
                needed = (_LEAST_ROUNDS + 1) * racing.seconds(race)
                if left < _RACE_SECONDS:
                    break
                if needed > max(share, _SLOW_SECONDS, _OF_WHAT_IS_LEFT * left):
                    continue
                self._say(f"speed: {number + 1} of {len(possible)}, {race.level} of {race.name} by {race.peer}")
                self._run(race, racing.has_ours(race), share, min(left, max(needed, 2 * share)))
                done.append(race)
            self._others(done)
        finally:
            if len(done) < len(possible):
                self._deviations.append(f"{len(done)} of {len(possible)} possible races were run within the budget")

    def _run(self, race: Race, ours: bool, seconds: float, most_seconds: float) -> None:
        """Run a race, with `ours` in it or without."""
        together = [(OURS, race.variant), (race.peer, race.variant)] if ours else [(race.peer, race.variant)]
        request = {
            "do": "race",
            "level": race.level,
            "cases": race.cases,
            "peers": together,
            "threads": race.threads,
            "pinned": race.threads == 1,
            "seconds": seconds,
            "most_seconds": most_seconds,
            "least_rounds": _LEAST_ROUNDS,
            "enough_rounds": _ENOUGH_ROUNDS,
            "most_rounds": _MOST_ROUNDS,
        }
        answer = self._workers[race.peer].ask(request, _TIMEOUT_SECONDS)
        result: dict[str, Any] = {"seconds": None, "ratio": None}
        for status in ("crashed", "timeout", "error"):
            if status in answer:
                self._results[race] = {**result, "status": status, "detail": answer[status]}
                return
        if "seconds" not in answer:
            return
        taken = answer["seconds"]
        self._results[race] = result = {**result, "seconds": taken[-1]}
        if ours and race.peer == OURS:
            self._control.append(ratio(taken[1], taken[0]))
        elif ours:
            found = result["ratio"] = ratio(taken[1], taken[0])
            self._ratios.setdefault((race.level, race.peer), []).append(found["median"])
            self._results.setdefault(race._replace(peer=OURS), {"seconds": taken[0], "ratio": None})

    def _others(self, races: Sequence[Race]) -> None:
        """Peak memory, and whether other threads run, of one image for all decoders of a level."""
        chosen: list[Race] = []
        for level in _MEMORY_LEVELS:
            cases: dict[str, list[Race]] = {}
            for race in races:
                if race.level == level and not race.variant:
                    cases.setdefault(race.name, []).append(race)
            # The image that most decoders have, of these the largest: they are to be compared.
            if cases:
                together: list[Race] = max(cases.values(), key=_commonest)
                chosen += together
        small = min(self._verified, key=lambda case: case.decoded_bytes, default=None)
        for number, race in enumerate(chosen):
            self._say(f"memory and lock: {number + 1} of {len(chosen)}, {race.level} by {race.peer}")
            request = {"level": race.level, "cases": race.cases, "peers": [(race.peer, "")], "threads": 1}
            result = self._results.setdefault(race, {"seconds": None, "ratio": None})
            # The peak first: it is that of a process that has done nothing else.
            for do, key in (("memory", "bytes"), ("lock", "releases")):
                answer = self._fresh.ask({"do": do, "small": small, **request}, _TIMEOUT_SECONDS)
                result[key] = answer.get(key)
            self._fresh.stop()

    def finished(self, notes: Sequence[str]) -> dict[str, Any]:
        """The document."""
        document = self.document
        document["cases"] = [_told(case) for case in self._verified]
        document["results"] = list(self._told_results())
        document["disagreements"] = self._verdicts.disagreements
        document["notes"] = [*notes, *self._deviations]
        setup = document["setup"]
        setup["noise"]["mhz_after"] = _setup.mhz()
        setup["took_seconds"] = round(_clock.seconds() - self._began, 3)
        if self._control:
            names = ("median", "low", "high")
            control = {name: float(np.median([one[name] for one in self._control])) for name in names}
            setup["noise"]["control"] = control
        ours = [one["seconds"] for one in document["results"] if one["peer"] == OURS and one["seconds"]]
        if ours:
            setup["noise"]["relative_iqr"] = float(
                np.median([(one["p75"] - one["p25"]) / one["median"] for one in ours])
            )
        return document

    def _told_results(self) -> Iterator[dict[str, Any]]:
        """Every answer, with the speed where there is one; then variants and sets of files, which have no other."""
        told: set[Race] = set()
        for (level, name, peer), answer in self._answers.items():
            case = next(case for case in self._verified if case.name == name)
            race = Race(level, name, (case,), peer)
            told.add(race)
            yield _result(race, answer, self._results.get(race))
        for race, measured in self._results.items():
            if race not in told:
                answer = self._answers.get((race.level, race.name, race.peer)) or Answer("ok")
                yield _result(race, answer, measured)


def _commonest(races: list[Race]) -> tuple[int, int]:
    return len(races), races[0].cases[0].decoded_bytes


def _told(case: Case) -> dict[str, Any]:
    told = case._asdict()
    for name in ("truth", "photometric_interpretation", "pixel_representation", "dtype"):
        del told[name]
    return {**told, "path": case.path if case.origin == "file" else None, "is_lossy": case.is_lossy}


def _result(race: Race, answer: Answer, measured: dict[str, Any] | None) -> dict[str, Any]:
    measured = measured or {}
    seconds = measured.get("seconds")
    status = measured.get("status", answer.status)
    size = sum(case.decoded_bytes // (case.frames if race.level == "codec" else 1) for case in race.cases)
    told = summary(seconds) if seconds else None
    return {
        "level": race.level,
        "case": race.name,
        "peer": race.peer,
        "variant": race.variant,
        "threads": race.threads,
        "status": status,
        "detail": measured.get("detail", answer.detail),
        "wrong": answer.wrong,
        "seconds": told,
        "bytes_per_second": size / told["median"] if told else None,
        "ratio": measured.get("ratio"),
        "peak_bytes": measured.get("bytes"),
        "releases_gil": measured.get("releases"),
    }
