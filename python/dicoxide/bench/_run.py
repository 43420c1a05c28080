"""A run: who is there, who is exact, and how fast they are, within a budget of time.

    cases ──► Verdicts: every answer, decided ──► races: ours and one other in turns ──► the document
    peers     a process a decoder                 in the process of the other

Whatever ends it, what there is so far is told.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np

from dicoxide import _clock
from dicoxide._request import thread_count
from dicoxide.bench import _setup
from dicoxide.bench._cases import Case
from dicoxide.bench._peers import LEVELS, OURS, PEERS
from dicoxide.bench._process import Worker
from dicoxide.bench._stats import ratio, summary
from dicoxide.bench._verify import Answer, Verdicts, asked

__all__ = ["Options", "run"]

SCHEMA = "dicoxide-bench/1"

# Of the budget: what finding out who is exact may take, if speed is measured as well.
_FOR_VERDICTS = 0.4
# Of what is left: what races may take; the rest is for memory and locks, and for starting.
_FOR_RACES = 0.7
# Rounds of a race: fewer only where the budget does not last, or one of them takes long.
_LEAST_ROUNDS, _ENOUGH_ROUNDS, _MOST_ROUNDS = 3, 20, 60
# Seconds that a race is to have; with less left for each, there are fewer races.
_RACE_SECONDS = 0.5
_TIMEOUT_SECONDS = 120.0
# Files of a set that is decoded in bulk, and bytes of what they decode to.
_BULK_FILES, _BULK_BYTES = 60, 48 << 20


class Options(NamedTuple):
    """What is wanted."""

    budget_seconds: float = 150.0
    verify_only: bool = False
    peers: tuple[str, ...] = ()
    command: str = "dicoxide bench"


class Race(NamedTuple):
    """Ours and another, or ours alone, at one level of one case."""

    level: str
    name: str
    cases: tuple[Case, ...]
    peer: str
    variant: str = ""
    threads: int = 1


def run(cases: Sequence[Case], options: Options, notes: Sequence[str], say: Callable[[str], None]) -> dict[str, Any]:
    """Measure, and tell all that was found out.

    Parameters
    ----------
    cases : sequence of Case
        In the order of their importance.
    options : Options
        What is wanted.
    notes : sequence of str
        What is to be told beside it.
    say : callable
        Called with a line on what is being done.

    Returns
    -------
    dict
        What ``--json`` writes; docs/bench.md describes it.
    """
    with tempfile.TemporaryDirectory(prefix="dicoxide-bench-") as folder:
        runner = _Runner(options, folder, say)
        try:
            runner.find_peers()
            runner.verify(cases)
            if not options.verify_only:
                runner.race()
        except KeyboardInterrupt:
            runner.document["setup"]["interrupted"] = True
        finally:
            runner.stop()
        return runner.finished(notes)


class _Runner:
    def __init__(self, options: Options, folder: str, say: Callable[[str], None]) -> None:
        self._options = options
        self._folder = folder
        self._say = say
        self._began = _clock.seconds()
        self._workers = {name: Worker() for name in PEERS}
        # For what needs a process that has done nothing yet.
        self._fresh = Worker()
        self._verdicts = Verdicts(folder, self._workers)
        # By level, case and decoder.
        self._answers: dict[tuple[str, str, str], Answer] = {}
        self._verified: list[Case] = []
        self._results: dict[Race, dict[str, Any]] = {}
        self._control: list[dict[str, float]] = []
        self._notes: list[str] = []
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
                "noise": {"control": None, "relative_iqr": None},
            },
            "peers": [],
            "cases": [],
            "results": [],
            "disagreements": [],
            "notes": [],
        }

    @property
    def _left(self) -> float:
        return self._options.budget_seconds - (_clock.seconds() - self._began)

    def stop(self) -> None:
        for worker in (*self._workers.values(), self._fresh):
            worker.stop()

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
        for number, case in enumerate(cases):
            if number and self._left < until:
                self._notes.append(f"{number} of {len(cases)} images were compared within the budget")
                break
            self._say(f"exactness: {number + 1} of {len(cases)}, {case.name}")
            for level, one, names in asked([case], self._here, LEVELS):
                for name, answer in self._verdicts.of_case(level, one, names).items():
                    self._answers[level, one.name, name] = answer
            self._verified.append(case)

    def race(self) -> None:
        """Time those who are exact, in turns with ours."""
        possible = list(self._races())
        races = possible[: max(1, int(self._left / _RACE_SECONDS))]
        done = 0
        while done < len(races) and self._left > 0:
            race = races[done]
            self._say(f"speed: {done + 1} of {len(races)}, {race.level} of {race.name} by {race.peer}")
            self._run(race, max(0.05, _FOR_RACES * self._left / (len(races) - done)))
            done += 1
        if done < len(possible):
            self._notes.append(f"{done} of {len(possible)} possible races were run within the budget")
        self._others(races[:done])

    def _races(self) -> Iterator[Race]:
        """All that could be run: every level, decoder and syntax once, before any of them a second time.

        Levels take turns, so that where the budget ends no level is without a race.
        """
        turns: dict[tuple[str, str, str], list[Race]] = {}
        for case in self._verified:
            for level in LEVELS:
                for name in self._here:
                    for race in self._of(level, case, name):
                        turns.setdefault((level, name + race.variant, case.keyword), []).append(race)
        for race in self._bulk_races():
            turns.setdefault((race.level, f"{race.peer} {race.threads}", race.name), []).append(race)
        longest = max(map(len, turns.values()), default=0)
        for turn in range(longest):
            levels: dict[str, list[Race]] = {level: [] for level in LEVELS}
            for some in turns.values():
                if turn < len(some):
                    levels[some[turn].level].append(some[turn])
            yield from (race for one in zip_longest(*levels.values()) for race in one if race is not None)

    def _of(self, level: str, case: Case, name: str) -> Iterator[Race]:
        answer = self._answers.get((level, case.name, name))
        if answer is None or answer.status not in ("ok", "unchecked"):
            return
        for variant in PEERS[name].variants:
            yield Race(level, case.name, (case,), name, variant)

    def _bulk_races(self) -> Iterator[Race]:
        """Sets of files that all are exact for all who decode them in bulk."""
        sets: dict[str, list[Case]] = {}
        for case in self._verified:
            if self._is_exact("file", case, OURS):
                sets.setdefault(f"{case.keyword} files", []).append(case)
        for name, some in sets.items():
            files: list[Case] = []
            size = 0
            while len(files) < _BULK_FILES and size < _BULK_BYTES:
                files.append(some[len(files) % len(some)])
                size += files[-1].decoded_bytes
            for peer in self._here:
                if "bulk" in PEERS[peer].levels and all(self._is_exact("file", one, peer) for one in some):
                    for threads in self._threads:
                        yield Race("bulk", name, tuple(files), peer, "", threads)

    def _is_exact(self, level: str, case: Case, name: str) -> bool:
        answer = self._answers.get((level, case.name, name))
        return answer is not None and answer.status in ("ok", "unchecked")

    def _run(self, race: Race, seconds: float) -> None:
        """Run a race; ours takes part wherever it decodes the case."""
        ours = race.level == "bulk" or self._is_exact(race.level, race.cases[0], OURS)
        together = [(OURS, race.variant), (race.peer, race.variant)] if ours else [(race.peer, race.variant)]
        answer = self._race(race, together, seconds)
        result = self._results[race] = {"seconds": None, "ratio": None}
        for status in ("crashed", "timeout", "error"):
            if status in answer:
                result.update(status=status, detail=answer[status])
                return
        if "seconds" not in answer:
            return
        taken = answer["seconds"]
        result["seconds"] = taken[-1]
        if ours and race.peer == OURS:
            self._control.append(ratio(taken[1], taken[0]))
        elif ours:
            result["ratio"] = ratio(taken[1], taken[0])

    def _race(self, race: Race, together: Sequence[tuple[str, str]], seconds: float) -> dict[str, Any]:
        request = {
            "do": "race",
            "level": race.level,
            "cases": race.cases,
            "peers": together,
            "threads": race.threads,
            "pinned": race.threads == 1,
            "seconds": seconds,
            "least_rounds": _LEAST_ROUNDS if seconds < 2 * _RACE_SECONDS else 5,
            "most_rounds": _MOST_ROUNDS if seconds > _RACE_SECONDS else _ENOUGH_ROUNDS,
        }
        return self._workers[race.peer].ask(request, _TIMEOUT_SECONDS)

    def _others(self, races: Sequence[Race]) -> None:
        """Peak memory, and whether other threads run, of one image for all decoders of a level."""
        chosen: list[Race] = []
        for level in ("pixel_array", "file"):
            cases: dict[str, list[Race]] = {}
            for race in races:
                if race.level == level and not race.variant:
                    cases.setdefault(race.name, []).append(race)
            # The image that most decoders have, of these the largest: they are to be compared.
            if cases:
                together: list[Race] = max(cases.values(), key=_commonest)
                chosen += together
        small = min(self._verified, key=lambda case: case.decoded_bytes, default=None)
        for race in chosen:
            if self._left <= 0:
                return
            self._say(f"memory and lock: {race.level} by {race.peer}")
            request = {"level": race.level, "cases": race.cases, "peers": [(race.peer, "")], "threads": 1}
            result = self._results.setdefault(race, {"seconds": None, "ratio": None})
            for do, key in (("memory", "bytes"), ("lock", "releases")):
                answer = self._fresh.ask({"do": do, "small": small, **request}, _TIMEOUT_SECONDS)
                self._fresh.stop()
                result[key] = answer.get(key)

    def finished(self, notes: Sequence[str]) -> dict[str, Any]:
        """The document."""
        document = self.document
        document["cases"] = [_told(case) for case in self._verified]
        document["results"] = list(self._told_results())
        document["disagreements"] = self._verdicts.disagreements
        document["notes"] = [*notes, *self._notes]
        setup = document["setup"]
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
