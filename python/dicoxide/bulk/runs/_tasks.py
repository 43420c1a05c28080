"""Jobs: what a bulk run makes, one array each: a plan of `_plans` with a name. They can be pickled."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import count

from dicoxide.bulk.runs._failure import Failure
from dicoxide.bulk.runs._frames import FrameSelection
from dicoxide.bulk.series import Finding, Header, Slice, VolumePlan, plan_headers, subset_plan

__all__ = ["Job", "plan"]


@dataclass(frozen=True, slots=True)
class Job:
    """One array to make.

    Attributes
    ----------
    name : str
        Name of the array: letters, digits, ``.``, ``-`` and ``_``; no two jobs of a run share it.
    plan : VolumePlan
        What it is made of.
    """

    name: str
    plan: VolumePlan

    @property
    def slices(self) -> tuple[Slice, ...]:
        """In the order of the array, the fourth axis slowest."""
        return self.plan.slices

    @property
    def shape(self) -> tuple[int, ...]:
        """([repetitions,] slices, rows, columns[, samples])."""
        return self.plan.shape

    @property
    def slice_shape(self) -> tuple[int, ...]:
        """(rows, columns[, samples])."""
        return self.plan.frame_shape

    @property
    def findings(self) -> list[str]:
        """What is unusual, a line each."""
        return [finding.message for finding in self.plan.findings]

    @property
    def affine_lps(self) -> list[list[float]] | None:
        """(column, row, slice) indices to mm in LPS, 4×4 (PS3.3 C.7.6.2.1.1), where slices lie so."""
        geometry = self.plan.geometry
        return None if geometry is None else geometry.affine.tolist()

    @property
    def spacing(self) -> list[float | None]:
        """Mm between slices, rows, columns; each as far as it is known."""
        if self.plan.geometry is not None:
            return list(self.plan.geometry.spacing[::-1])
        first = self.slices[0]
        return [first.slice_spacing, *(first.pixel_spacing or (None, None))]

    def keeping(self, indices: Sequence[int]) -> Job:
        """The job without the slices that are not in `indices`; with a fourth axis, these are whole repetitions."""
        before, depth = len(self.slices), self.plan.depth
        if len(indices) == before:
            return self
        if self.plan.axis is None:
            text = f"{before - len(indices)} of {before} slices are missing"
        else:
            gone = sorted(set(range(before // depth)) - {index // depth for index in indices})
            values = ", ".join(f"{self.plan.axis_values[one]:g}" for one in gone)
            text = f"{len(gone)} of {before // depth} repetitions are left out, slices of them are missing"
            text += f": {self.plan.axis} {values}"
        return replace(self, plan=subset_plan(self.plan, indices, Finding("missing", text)))


def plan(headers: Iterable[Header], selection: FrameSelection) -> tuple[list[Job], list[Failure], int]:
    """Group files into jobs, as :func:`dicoxide.bulk.plan_series` does.

    Parameters
    ----------
    headers : iterable of Header
        In any order.
    selection : FrameSelection
        Which frames of each file are wanted.

    Returns
    -------
    (jobs, failures, left_out)
        The jobs by name; failures of files without a frame that was asked for by number; how many files have none of
        the frames wanted.
    """
    wanted: list[Header] = []
    failures: list[Failure] = []
    left_out = 0
    for header in headers:
        if not selection.parts:
            wanted.append(header)
            continue
        indices, missing = selection.of(len(header.slices))
        if missing is not None:
            failures.append(_no_frame(header, missing))
        elif not indices:
            left_out += 1
        else:
            wanted.append(header._replace(slices=tuple(header.slices[index] for index in indices)))
    jobs = [Job(name, one) for name, one in _named(plan_headers(wanted))]
    return sorted(jobs, key=lambda job: job.name), failures, left_out


def _no_frame(header: Header, index: int) -> Failure:
    first = header.slices[0]
    return Failure(
        header.path,
        first.sop_instance_uid or None,
        first.file.transfer_syntax,
        "Request",
        frame_index=index,
        message=f"frame index {index} is out of range for {len(header.slices)} frames",
    )


def _named(plans: Sequence[VolumePlan]) -> list[tuple[str, VolumePlan]]:
    """Each plan with a name: the UID of its series, numbered where it has several."""
    by_stem: dict[str, list[VolumePlan]] = {}
    for one in plans:
        series, path = one.series_instance_uid, one.slices[0].path
        stem = re.sub(r"[^0-9A-Za-z._-]", "_", series or os.path.basename(path)).strip(".")[:96] or "unnamed"
        if not series:
            stem += "-" + sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        by_stem.setdefault(stem, []).append(one)
    named: list[tuple[str, VolumePlan]] = []
    taken = {stem for stem, some in by_stem.items() if len(some) == 1}
    for stem, some in by_stem.items():
        if len(some) == 1:
            named.append((stem, some[0]))
            continue
        numbered = (name for number in count(1) if (name := f"{stem}_{number}") not in taken)
        names = [next(numbered) for _ in some]
        taken.update(names)
        named += zip(names, some, strict=True)
    return named
