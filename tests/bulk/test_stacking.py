"""Grouping of slices into volumes: each frame is used once, or a finding reports that it is left out."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicoxide.bulk.series._frame_headers import AXES, Slice, SourceFile
from dicoxide.bulk.series._grouping import _plan_one_series
from dicoxide.bulk.series._headers import Header
from dicoxide.bulk.series._plan import VolumePlan
from support.examples import examples
from support.synthetic_series import AXIAL, SAGITTAL

few = st.integers(0, 3)
key = st.none() | few.map(float)
position = st.none() | st.tuples(st.sampled_from([0.0, 40.0]), st.just(0.0), few.map(float))

slices = st.builds(
    Slice,
    path=st.just(""),
    frame=st.just(0),
    sop_instance_uid=st.sampled_from(["", "1", "2"]),
    instance_number=st.none() | few,
    position=position,
    orientation=st.sampled_from([None, AXIAL, AXIAL, AXIAL, SAGITTAL]),
    pixel_spacing=st.sampled_from([None, (0.5, 0.5), (0.5, 0.5), (1.0, 1.0)]),
    slice_spacing=st.sampled_from([None, 2.0]),
    image_type=st.sampled_from([("ORIGINAL", "M"), ("ORIGINAL", "P"), ()]),
    stack=st.sampled_from(["", "1"]),
    segment=st.sampled_from([None, None, 1, 2]),
    keys=st.tuples(*[key for _ in AXES]),
    gradient=st.sampled_from([(), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)]),
    dimensions=st.sampled_from([(), (1.0, 1.0), (1.0, 2.0)]),
    rescale=st.sampled_from([None, (1.0, 0.0), (2.0, 0.0)]),
    file=st.just(SourceFile()),
    tile=st.none(),
    asl_context=st.sampled_from(["", "", "CONTROL", "LABEL"]),
    labels=st.just(()),
)


def header(path: str, slices: tuple[Slice, ...], **more: Any) -> Header:
    fields = {
        "frame_of_reference_uid": "",
        "photometric_interpretation": "MONOCHROME2",
        "shape": (4, 4),
        "frame_shape": (4, 4),
        "dtype": "<i2",
    }
    named = {"study_instance_uid": "1", "series_instance_uid": "1.1", "series_number": 1, "modality": "MR"}
    placed = tuple(slice_._replace(path=path, frame=frame) for frame, slice_ in enumerate(slices))
    return Header(path=path, description="", slices=placed, **(fields | named | more))


def check(headers: list[Header], plans: list[VolumePlan]) -> None:
    given_frames = {(slice_.path, slice_.frame) for header in headers for slice_ in header.slices}
    placed = [source for plan in plans for source in plan.sources]
    assert len(placed) == len(set(placed))
    assert set(placed) <= given_frames
    kinds = {finding.kind for plan in plans for finding in plan.findings}
    if len(placed) < len(given_frames):
        assert kinds & {"duplicate", "duplicate_position"}
    for plan in plans:
        assert int(np.prod(plan.shape[: -len(plan.frame_shape)])) == len(plan.slices)
        assert len(plan.axis_values) == (plan.shape[0] if plan.axis else 0)
        for finding in plan.findings:
            assert all(0 <= index < plan.depth for index in finding.slices), finding
        if plan.geometry is not None:
            assert np.isfinite(plan.geometry.affine).all()
            grid = np.array([slice_.position for slice_ in plan.slices]).reshape(-1, plan.depth, 3)
            assert (grid == grid[0]).all()
            along = grid[0] @ np.cross(plan.slices[0].orientation[:3], plan.slices[0].orientation[3:])
            assert (np.diff(along) > 0).all()


@examples(150)
@given(st.lists(slices, min_size=1, max_size=24), st.booleans())
def test_plan_of_any_slices_uses_each_frame_once_or_reports_it(some: list[Slice], are_frames: bool) -> None:
    headers = (
        [header("all", tuple(some))] if are_frames else [header(str(index), (item,)) for index, item in enumerate(some)]
    )
    check(headers, _plan_one_series(headers))


@examples(150)
@given(
    st.lists(st.tuples(few, few, few, st.booleans()), min_size=2, max_size=40, unique=True),
    st.tuples(*[st.sampled_from([None, 0, 1]) for _ in AXES]),
)
def test_plan_of_incomplete_grid_keeps_slices_with_distinct_tags(some: list[tuple[Any, ...]], which: Any) -> None:
    plain = Slice("", 0, "", None, None, AXIAL, (1.0, 1.0), 1.0, (), "", None, (), (), (), None)
    headers = []
    for index, (z, first, second, _) in enumerate(some):
        keys = tuple(None if item is None else float((first, second)[item]) for item in which)
        headers.append(header(str(index), (plain._replace(position=(0.0, 0.0, float(z)), keys=keys),)))
    plans = _plan_one_series(headers)
    check(headers, plans)
    tags = which[:4]
    reported = {(z, *((first, second)[tag] for tag in tags if tag is not None)) for z, first, second, _ in some}
    assert len({source for plan in plans for source in plan.sources}) >= len(reported)


@pytest.mark.serial
def test_plan_of_many_slices_takes_linear_time() -> None:
    plain = Slice("", 0, "", None, None, AXIAL, (1.0, 1.0), 1.0, ("A",), "", None, (None,) * 8, (), (), None)

    def processor_seconds(count: int) -> float:
        headers = []
        for index in range(count):
            keys = (float(index % 10), *[None] * 5, float(index), None)
            slice_ = plain._replace(
                sop_instance_uid=str(index), instance_number=index, position=(0.0, 0.0, index // 10), keys=keys
            )
            headers.append(header(f"{index * 7919 % count:06}", (slice_,)))
        started_at = time.process_time()
        (plan,) = _plan_one_series(headers)
        assert plan.shape[:2] == (10, count // 10)
        return time.process_time() - started_at

    processor_seconds(1000)
    assert min(processor_seconds(20_000) for _ in range(3)) < 30 * min(processor_seconds(2000) for _ in range(5))
