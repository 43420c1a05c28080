"""Verification: decodes each case with every decoder and determines which results are correct."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dicoxide._threads import ThreadPool
from dicoxide.bench._cases import Case
from dicoxide.bench._decoders import DECODERS, DICOXIDE, JPEG, RLE
from dicoxide.bench._process import WorkerProcess

__all__ = ["CaseResult", "DecodeTask", "Verifier", "decoders_by_level"]

# Time limit of one decode, which includes reading the file and importing libraries.
_MAX_SECONDS = 60.0


class DecodeTask(NamedTuple):
    """One decode: a case at a level by a decoder."""

    level: str
    case: Case
    decoder: str


class CaseResult(NamedTuple):
    """The outcome of a decode task."""

    # ``"ok"``, ``"wrong"``, ``"error"``, ``"crashed"``, ``"timeout"``, ``"unsupported"``, ``"unchecked"`` if no other
    # decoder has a result, ``"disputed"`` if decoders disagree without a majority.
    status: str
    detail: str | None = None
    wrong: dict[str, Any] | None = None
    shape: tuple[int, ...] = ()
    dtype: str = ""
    sha256: str = ""
    # Duration of the one call.
    seconds: float = 0.0


class Verifier:
    """Decodes cases in worker processes and determines which results are correct.

    If the samples of a case are known, a result is compared with them. Otherwise the majority is correct: decoders that
    share an implementation have one vote, decoders that delegate to an unknown one have none, and results of lossy
    syntaxes that differ by rounding count as equal. Votes for stored samples from a Dataset also count for a path.
    Without a majority the results are disputed.

    Parameters
    ----------
    folder : str
        Temporary folder for reference samples.
    workers : mapping of str to WorkerProcess
        A process for each decoder.
    threads : ThreadPool
        Runs the decoders of a case concurrently.
    """

    def __init__(self, folder: str, workers: Mapping[str, WorkerProcess], threads: ThreadPool) -> None:
        self._folder = folder
        self._workers = workers
        self._threads = threads
        self._saved_count = 0
        # Implementations by case name and checksum of stored values, from the levels ``pixel_array`` and ``file``.
        self._stored_votes: dict[tuple[str, str], set[str]] = {}
        self.disagreements: list[dict[str, Any]] = []

    def verify(self, level: str, case: Case, decoders: Iterable[str]) -> dict[str, CaseResult]:
        """Return the verified result of each of `decoders`, by name."""
        # Levels are verified separately, because shape and type of their results differ.
        known = case.reference if level != "rescaled" else None
        pending = {name: self._threads.submit(self._decode, DecodeTask(level, case, name), known) for name in decoders}
        results = {name: task.result() for name, task in pending.items()}
        decoded = {name: result for name, result in results.items() if result.sha256}
        if not decoded:
            return results
        # Colour is excluded: it may be converted at the level ``file`` and not at ``pixel_array``.
        if level in ("pixel_array", "file") and (case.samples_per_pixel == 1 or case.transfer_syntax == RLE):
            for name, result in decoded.items():
                if implementation := DECODERS[name].implementation(case, level):
                    self._stored_votes.setdefault((case.name, result.sha256), set()).add(implementation)
        majority, reference = ("", known) if known else self._majority(level, case, decoded)
        if reference is None:
            status = "unchecked" if self._are_equal(level, case, decoded) else "disputed"
            verified = {name: result._replace(status=status, wrong=None) for name, result in decoded.items()}
        elif known:
            verified = {name: _with_difference(result, result.wrong) for name, result in decoded.items()}
        else:
            verified = {
                name: _with_difference(result, None)
                if result.sha256 == majority
                else self._decode(DecodeTask(level, case, name), reference)
                for name, result in decoded.items()
            }
        self._record_disagreement(level, case, verified, is_known=known is not None)
        return {**results, **verified}

    def _decode(self, task: DecodeTask, reference: str | None, save: str | None = None) -> CaseResult:
        """Decode in the process of the decoder; compare the result with a NumPy file, or save it."""
        level, case, decoder = task
        request = {
            "task": "decode",
            "decoder": decoder,
            "level": level,
            "variant": "",
            "threads": 1,
            "cases": [case],
            "reference": reference,
            "save": save,
        }
        response = self._workers[decoder].request(request, _MAX_SECONDS)
        for status in ("crashed", "timeout", "error"):
            if status in response:
                return CaseResult(status, response[status])
        if "unsupported" in response:
            return CaseResult("unsupported", response["unsupported"] or None)
        result = CaseResult(
            "unchecked",
            wrong=response["wrong"],
            shape=tuple(response["shape"]),
            dtype=response["dtype"],
            sha256=response["sha256"],
            seconds=response["seconds"],
        )
        return _with_difference(result, response["wrong"]) if response["is_compared"] else result

    def _majority(self, level: str, case: Case, decoded: Mapping[str, CaseResult]) -> tuple[str, str | None]:
        """Return the checksum with most votes and the path of its samples; no path without at least two votes."""
        votes: dict[str, set[str]] = {}
        for name, result in decoded.items():
            if implementation := DECODERS[name].implementation(case, level):
                votes.setdefault(result.sha256, set()).add(implementation)
            if level == "file" and (stored := self._stored_votes.get((case.name, result.sha256))):
                votes.setdefault(result.sha256, set()).update(stored)
        saved_paths: dict[str, str | None] = {}
        if case.is_lossy:
            # Results that differ by rounding vote for each other.
            for sha256, voters in votes.items():
                path = saved_paths[sha256] = self._save(level, case, decoded, sha256)
                if path is None:
                    continue
                for name, result in decoded.items():
                    implementation = DECODERS[name].implementation(case, level)
                    if not implementation or result.sha256 == sha256:
                        continue
                    if self._decode(DecodeTask(level, case, name), path).status == "ok":
                        voters.add(implementation)
        ranked = sorted(votes.items(), key=lambda item: -len(item[1]))
        if not ranked or len(ranked[0][1]) < 2:
            return "", None
        majority, voters = ranked[0]
        if any(len(rivals) == len(voters) and not rivals & voters for _, rivals in ranked[1:]):
            return "", None
        path = saved_paths[majority] if majority in saved_paths else self._save(level, case, decoded, majority)
        return ("", None) if path is None else (majority, path)

    def _are_equal(self, level: str, case: Case, decoded: Mapping[str, CaseResult]) -> bool:
        """Return true if all results are equal, or for lossy syntaxes differ from the first one by rounding."""
        first, *others = {result.sha256: name for name, result in decoded.items()}.items()
        if not others or not case.is_lossy:
            return not others
        path = self._save(level, case, decoded, first[0])
        tasks = [DecodeTask(level, case, name) for _, name in others]
        return path is not None and all(self._decode(task, path).status == "ok" for task in tasks)

    def _save(self, level: str, case: Case, decoded: Mapping[str, CaseResult], sha256: str) -> str | None:
        """Return the path of a file with the samples of a checksum; None if no decoder reproduces them.

        The samples are decoded again, because the samples of all results do not fit into memory.
        """
        self._saved_count += 1
        path = os.path.join(self._folder, f"reference-{self._saved_count}.npy")
        for name, result in decoded.items():
            if result.sha256 == sha256 and self._decode(DecodeTask(level, case, name), None, path).sha256 == sha256:
                return path
        return None

    def _record_disagreement(
        self, level: str, case: Case, verified: Mapping[str, CaseResult], *, is_known: bool
    ) -> None:
        """Add to `disagreements` if a result is wrong or disputed."""
        if not any(result.status in ("wrong", "disputed") for result in verified.values()):
            return
        names_by_checksum: dict[str, list[str]] = {}
        for name, result in verified.items():
            names_by_checksum.setdefault(result.sha256, []).append(name)
        self.disagreements.append(
            {
                "case": case.name,
                "level": level,
                "reference": [name for name, result in verified.items() if result.status == "ok"] or None,
                "known": is_known,
                "answers": [_summary(verified[names[0]], names) for names in names_by_checksum.values()],
            }
        )


def _summary(result: CaseResult, names: Sequence[str]) -> dict[str, Any]:
    return {
        "peers": list(names),
        "shape": list(result.shape),
        "dtype": result.dtype,
        "sha256": result.sha256,
        "samples": 0 if result.wrong is None else result.wrong["samples"],
    }


def _with_difference(result: CaseResult, wrong: dict[str, Any] | None) -> CaseResult:
    """Return the result with the status that follows from its difference from the reference."""
    if wrong is None:
        return result._replace(status="ok", wrong=None)
    if wrong["max_difference"] is None:
        detail = f"result has shape {result.shape}, {wrong['of']} samples expected"
    else:
        index = ", ".join(map(str, wrong["first"]))
        detail = f"{wrong['samples']} of {wrong['of']} samples differ, the first at index ({index})"
    return result._replace(status="wrong", detail=detail, wrong=wrong)


def decoders_by_level(
    cases: Sequence[Case], decoders: Sequence[str], levels: Sequence[str]
) -> Iterator[tuple[str, Case, list[str]]]:
    """Yield each case at each of `levels` that it supports, with the decoders that have the level."""
    for case in cases:
        for level in levels:
            if level == "bulk" or (level == "rescaled" and not case.is_rescalable):
                continue
            if level == "codec" and case.samples_per_pixel > 1 and case.transfer_syntax in JPEG:
                # Only the data set declares if colour has to be converted.
                continue
            names = [name for name in decoders if level in DECODERS[name].levels]
            if names != [DICOXIDE]:
                yield level, case, names
