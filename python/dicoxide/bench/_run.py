"""A comparison run within a time budget.

    cases ────► Verifier: which results     ──► Pairings: each decoder timed  ──► document
    decoders    are correct; one process        alternately with dicoxide,
                per decoder                     in the process of the decoder

When the budget ends or the run is interrupted, the document has the results so far.
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
from dicoxide.bench._decoders import DECODERS, DICOXIDE, LEVELS
from dicoxide.bench._pairings import Pairing, Pairings
from dicoxide.bench._process import BudgetExceededError, WorkerProcess
from dicoxide.bench._stats import ratio, summarise
from dicoxide.bench._verify import CaseResult, Verifier, decoders_by_level

__all__ = ["BenchOptions", "BenchProgress", "run"]

SCHEMA = "dicoxide-bench/1"

# Share of the budget for verification, if speed is measured as well.
_VERIFICATION_SHARE = 0.4
# Share of the remaining time for memory and the interpreter lock, and the expected duration per decoder and level.
_MEMORY_SHARE, _MEMORY_SECONDS = 0.25, 1.5
# Rounds of a pairing; fewer than sufficient only if a round is slow or the budget ends.
_MIN_ROUNDS, _SUFFICIENT_ROUNDS, _MAX_ROUNDS = 3, 20, 60
# Minimum duration of a pairing; if fewer seconds remain for each, fewer pairings are measured.
_PAIRING_SECONDS = 0.25
# A slow pairing may take this many seconds, or this share of the remaining time, if that is more.
_SLOW_PAIRING_SECONDS, _SLOW_PAIRING_SHARE = 1.0, 0.02
_TIMEOUT_SECONDS = 120.0
# Levels at which memory and the interpreter lock are measured.
_MEMORY_LEVELS = ("pixel_array", "file")
# Decoders that hold an image in memory at the same time.
_MAX_CONCURRENT_DECODERS = 4


class BenchOptions(NamedTuple):
    """Options of a run."""

    budget_seconds: float = 150.0
    # Start of the budget by `_clock.seconds`; None for the start of the run.
    start_seconds: float | None = None
    verify_only: bool = False
    # Names of decoders to compare with; empty for all.
    decoders: tuple[str, ...] = ()
    command: str = "dicoxide bench"


class BenchProgress(NamedTuple):
    """Progress of a run."""

    activity: str
    remaining_seconds: float
    budget_seconds: float
    # Run times relative to dicoxide so far, by level and decoder.
    ratios: Mapping[tuple[str, str], list[float]]


def run(
    cases: Sequence[Case], options: BenchOptions, notes: Sequence[str], report: Callable[[BenchProgress], None]
) -> dict[str, Any]:
    """Compare decoders on `cases`.

    Parameters
    ----------
    cases : sequence of Case
        In the order of their importance.
    options : BenchOptions
    notes : sequence of str
        Notes to add to the document.
    report : callable
        Called with the progress at the start of each activity.

    Returns
    -------
    dict
        The document of ``--json``, described in docs/bench.md.
    """
    with tempfile.TemporaryDirectory(prefix="dicoxide-bench-") as folder:
        runner = _Runner(options, folder, report)
        try:
            runner.find_decoders()
            runner.verify(cases)
            if not options.verify_only:
                runner.measure()
        except BudgetExceededError:
            # Each step has noted what it left out.
            pass
        except KeyboardInterrupt:
            runner.document["setup"]["interrupted"] = True
        finally:
            runner.stop()
        return runner.finished_document(notes)


class _Runner:
    def __init__(self, options: BenchOptions, folder: str, report: Callable[[BenchProgress], None]) -> None:
        self._options = options
        self._is_stopped = False
        self._report = report
        self._start = _clock.seconds() if options.start_seconds is None else options.start_seconds
        self._workers = {name: WorkerProcess(self._remaining_seconds) for name in DECODERS}
        # Restarted for each measurement of peak memory.
        self._memory_worker = WorkerProcess(self._remaining_seconds)
        # Verification is not timed, so decoders may run concurrently.
        self._verification_threads = ThreadPool(min(thread_count(None), _MAX_CONCURRENT_DECODERS), "dicoxide-verify")
        self._verifier = Verifier(folder, self._workers, self._verification_threads)
        # By level, case name and decoder.
        self._results: dict[tuple[str, str, str], CaseResult] = {}
        self._verified_cases: list[Case] = []
        self._measurements: dict[Pairing, dict[str, Any]] = {}
        self._noise_ratios: list[dict[str, float]] = []
        self._ratios: dict[tuple[str, str], list[float]] = {}
        self._notes: list[str] = []
        self._selected: set[str] = set()
        cores = thread_count(None)
        self._thread_counts = sorted({1, cores, *(count for count in (2, 4, 8, 16, 32, 64) if count < cores)})
        noise = {"control": None, "relative_iqr": None, "load": _setup.load_average(), "mhz_after": None}
        self.document: dict[str, Any] = {
            "schema": SCHEMA,
            "setup": {
                **_setup.describe_machine(options.command),
                "budget_seconds": options.budget_seconds,
                "took_seconds": 0.0,
                "interrupted": False,
                "verify_only": options.verify_only,
                "threads": self._thread_counts,
                "noise": noise,
            },
            "peers": [],
            "cases": [],
            "results": [],
            "disagreements": [],
            "notes": [],
        }

    def _remaining_seconds(self) -> float:
        if self._is_stopped:
            return 0.0
        return self._options.budget_seconds - (_clock.seconds() - self._start)

    def _report_progress(self, activity: str) -> None:
        self._report(BenchProgress(activity, self._remaining_seconds(), self._options.budget_seconds, self._ratios))

    def stop(self) -> None:
        # Requests that start now have no time left; pending ones see that their process has ended.
        self._is_stopped = True
        for worker in (*self._workers.values(), self._memory_worker):
            worker.stop()
        self._verification_threads.stop()

    def find_decoders(self) -> None:
        self._report_progress("looking for decoders")
        self._selected = {DICOXIDE, *self._options.decoders} if self._options.decoders else set(DECODERS)
        self.document["peers"] = _setup.describe_decoders(self._workers, self._selected)

    @property
    def _available(self) -> list[str]:
        """Names of the selected decoders that can be imported."""
        available = [decoder["name"] for decoder in self.document["peers"] if decoder["status"] == "found"]
        return [name for name in available if name in self._selected]

    def verify(self, cases: Sequence[Case]) -> None:
        """Verify the results of all decoders, case by case, until the share of the budget is used up."""
        share = 1.0 if self._options.verify_only else _VERIFICATION_SHARE
        min_remaining = self._options.budget_seconds * (1 - share)
        try:
            for index, case in enumerate(cases):
                if index and self._remaining_seconds() < min_remaining:
                    break
                self._report_progress(f"exactness: {index + 1} of {len(cases)}, {case.name}")
                results = {
                    (level, case.name, name): result
                    for level, _, names in decoders_by_level([case], self._available, LEVELS)
                    for name, result in self._verifier.verify(level, case, names).items()
                }
                # Only complete cases are recorded: the budget may end, or the user interrupt, between two levels.
                self._results |= results
                self._verified_cases.append(case)
        finally:
            if len(self._verified_cases) < len(cases):
                self._notes.append(f"{len(self._verified_cases)} of {len(cases)} images verified within the budget")

    def measure(self) -> None:
        """Time decoders with correct results alternately with dicoxide."""
        pairings = Pairings(self._verified_cases, self._results, self._available, self._thread_counts)
        ordered = list(pairings.ordered())
        memory_seconds = min(
            _MEMORY_SHARE * self._remaining_seconds(), _MEMORY_SECONDS * len(_MEMORY_LEVELS) * len(self._available)
        )
        measured: list[Pairing] = []
        try:
            for index, pairing in enumerate(ordered):
                remaining = self._remaining_seconds() - memory_seconds
                # An equal share of the remaining time, or the minimum.
                seconds = max(_PAIRING_SECONDS, remaining / (len(ordered) - index))
                min_seconds = (_MIN_ROUNDS + 1) * pairings.round_seconds(pairing)
                if remaining < _PAIRING_SECONDS:
                    break
                if min_seconds > max(seconds, _SLOW_PAIRING_SECONDS, _SLOW_PAIRING_SHARE * remaining):
                    continue
                self._report_progress(
                    f"speed: {index + 1} of {len(ordered)}, {pairing.level} of {pairing.name} by {pairing.decoder}"
                )
                max_seconds = min(remaining, max(min_seconds, 2 * seconds))
                self._time(pairing, pairings.includes_dicoxide(pairing), seconds, max_seconds)
                measured.append(pairing)
            self._measure_memory(measured)
        finally:
            if len(measured) < len(ordered):
                self._notes.append(f"{len(measured)} of {len(ordered)} speed comparisons made within the budget")

    def _time(self, pairing: Pairing, includes_dicoxide: bool, seconds: float, max_seconds: float) -> None:
        decoders = [(pairing.decoder, pairing.variant)]
        if includes_dicoxide:
            decoders.insert(0, (DICOXIDE, pairing.variant))
        request = {
            "task": "time",
            "level": pairing.level,
            "cases": pairing.cases,
            "decoders": decoders,
            "threads": pairing.threads,
            "pinned": pairing.threads == 1,
            "seconds": seconds,
            "max_seconds": max_seconds,
            "min_rounds": _MIN_ROUNDS,
            "sufficient_rounds": _SUFFICIENT_ROUNDS,
            "max_rounds": _MAX_ROUNDS,
        }
        response = self._workers[pairing.decoder].request(request, _TIMEOUT_SECONDS)
        measurement: dict[str, Any] = {"seconds": None, "ratio": None}
        for status in ("crashed", "timeout", "error"):
            if status in response:
                self._measurements[pairing] = {**measurement, "status": status, "detail": response[status]}
                return
        if "seconds" not in response:
            return
        times = response["seconds"]
        measurement["seconds"] = times[-1]
        self._measurements[pairing] = measurement
        if includes_dicoxide and pairing.decoder == DICOXIDE:
            self._noise_ratios.append(ratio(times[1], times[0]))
        elif includes_dicoxide:
            measurement["ratio"] = ratio(times[1], times[0])
            self._ratios.setdefault((pairing.level, pairing.decoder), []).append(measurement["ratio"]["median"])
            self._measurements.setdefault(pairing._replace(decoder=DICOXIDE), {"seconds": times[0], "ratio": None})

    def _measure_memory(self, measured: Sequence[Pairing]) -> None:
        """Measure peak memory and the release of the interpreter lock, with one image per level for all decoders."""
        chosen: list[Pairing] = []
        for level in _MEMORY_LEVELS:
            pairings_by_case: dict[str, list[Pairing]] = {}
            for pairing in measured:
                if pairing.level == level and not pairing.variant:
                    pairings_by_case.setdefault(pairing.name, []).append(pairing)
            if pairings_by_case:
                # The image that most decoders support, and the largest of these.
                largest: list[Pairing] = max(pairings_by_case.values(), key=_decoder_count_and_size)
                chosen += largest
        small_case = min(self._verified_cases, key=lambda case: case.decoded_bytes, default=None)
        for index, pairing in enumerate(chosen):
            self._report_progress(f"memory: {index + 1} of {len(chosen)}, {pairing.level} by {pairing.decoder}")
            request = {
                "level": pairing.level,
                "cases": pairing.cases,
                "decoders": [(pairing.decoder, "")],
                "threads": 1,
                "small_case": small_case,
            }
            measurement = self._measurements.setdefault(pairing, {"seconds": None, "ratio": None})
            # Peak memory first, because it needs a new process.
            for task, key in (("memory", "bytes"), ("gil", "releases")):
                response = self._memory_worker.request({"task": task, **request}, _TIMEOUT_SECONDS)
                measurement[key] = response.get(key)
            self._memory_worker.stop()

    def finished_document(self, notes: Sequence[str]) -> dict[str, Any]:
        """Return the document with all results and measurements so far."""
        document = self.document
        document["cases"] = [_case_record(case) for case in self._verified_cases]
        document["results"] = list(self._result_records())
        document["disagreements"] = self._verifier.disagreements
        document["notes"] = [*notes, *self._notes]
        setup = document["setup"]
        setup["noise"]["mhz_after"] = _setup.clock_mhz()
        setup["took_seconds"] = round(_clock.seconds() - self._start, 3)
        if self._noise_ratios:
            setup["noise"]["control"] = {
                key: float(np.median([interval[key] for interval in self._noise_ratios]))
                for key in ("median", "low", "high")
            }
        times = [record["seconds"] for record in document["results"] if record["peer"] == DICOXIDE]
        spreads = [(summary["p75"] - summary["p25"]) / summary["median"] for summary in times if summary]
        if spreads:
            setup["noise"]["relative_iqr"] = float(np.median(spreads))
        return document

    def _result_records(self) -> Iterator[dict[str, Any]]:
        """Yield all verified results, then measurements of variants and of sets of files."""
        cases = {case.name: case for case in self._verified_cases}
        recorded: set[Pairing] = set()
        for (level, name, decoder), result in self._results.items():
            pairing = Pairing(level, name, (cases[name],), decoder)
            recorded.add(pairing)
            yield _result_record(pairing, result, self._measurements.get(pairing))
        for pairing, measurement in self._measurements.items():
            if pairing not in recorded:
                result = self._results.get((pairing.level, pairing.name, pairing.decoder)) or CaseResult("ok")
                yield _result_record(pairing, result, measurement)


def _decoder_count_and_size(pairings: list[Pairing]) -> tuple[int, int]:
    return len(pairings), pairings[0].cases[0].decoded_bytes


def _case_record(case: Case) -> dict[str, Any]:
    record = case._asdict()
    for key in ("reference", "photometric_interpretation", "pixel_representation", "dtype", "slope"):
        del record[key]
    return {**record, "path": case.path if case.origin == "file" else None, "is_lossy": case.is_lossy}


def _result_record(pairing: Pairing, result: CaseResult, measurement: dict[str, Any] | None) -> dict[str, Any]:
    measurement = measurement or {}
    seconds = measurement.get("seconds")
    decoded_bytes = sum(
        case.decoded_bytes // (case.frames if pairing.level == "codec" else 1) for case in pairing.cases
    )
    summary = summarise(seconds) if seconds else None
    return {
        "level": pairing.level,
        "case": pairing.name,
        "peer": pairing.decoder,
        "variant": pairing.variant,
        "threads": pairing.threads,
        "status": measurement.get("status", result.status),
        "detail": measurement.get("detail", result.detail),
        "wrong": result.wrong,
        "seconds": summary,
        "bytes_per_second": decoded_bytes / summary["median"] if summary else None,
        "ratio": measurement.get("ratio"),
        "peak_bytes": measurement.get("bytes"),
        "releases_gil": measurement.get("releases"),
    }
