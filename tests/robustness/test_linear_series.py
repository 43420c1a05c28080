"""Plans of series of many files and many frames take time that is proportional to their number, and lose no frame."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from dicoxide.bulk.series import Header, Slice, VolumePlan, plan_headers, read_header
from dicoxide.bulk.series._frame_headers import AXES
from support.synthetic_series import image, write

# The larger series has 4 times as many frames; quadratic time would be 16 times as long.
COUNT, GROWTH, MAX_RATIO = 4000, 4, 9

_AXIS_NAMES = [axis.name for axis in AXES]
_NO_KEYS = (None,) * len(AXES)


def keys(**values: float) -> tuple[float | None, ...]:
    return tuple(values.get(name) for name in _AXIS_NAMES)


def turned(angle: float, tilt: float = 0.0) -> tuple[float, ...]:
    cos, sin = math.cos(angle), math.sin(angle)
    return (cos, sin, 0.0, -sin * math.cos(tilt), cos * math.cos(tilt), math.sin(tilt))


ORIGIN = (0.0, 0.0, 0.0)


def noise(index: int, seed: int = 0) -> float:
    return random.Random(index * 3 + seed).random()


# Attributes of frame `index` of a series.
CASES: dict[str, Callable[[int], dict[str, Any]]] = {
    "one stack": lambda index: {"position": (0.0, 0.0, 2.0 * index)},
    "one position": lambda index: {"position": ORIGIN},
    "equal frames": lambda index: {"position": ORIGIN, "instance_number": 1},
    "echoes": lambda index: {"position": ORIGIN, "keys": keys(EchoTime=float(index))},
    "incomplete echoes": lambda index: {
        "position": (0.0, 0.0, 2.0 * (index % 7)),
        "keys": keys(EchoTime=float(index // 7 + (index % 7 == 3))),
    },
    "times": lambda index: {"position": (0.0, 0.0, 2.0 * (index // 2)), "keys": keys(AcquisitionTime=float(index))},
    "incomplete times": lambda index: {
        "position": (0.0, 0.0, 2.0 * max(0, index // 2 - 4)),
        "keys": keys(AcquisitionTime=1e5 * noise(index)),
    },
    "times at three positions": lambda index: {
        "position": (0.0, 0.0, 2.0 * (index % 3 if index % 5 else 0)),
        "keys": keys(AcquisitionTime=1e5 * noise(index)),
    },
    "image types": lambda index: {"position": ORIGIN, "image_type": (str(index),)},
    "segments": lambda index: {"position": ORIGIN, "segment": index},
    "image types of segments": lambda index: {
        "position": ORIGIN,
        "segment": index // 30,
        "image_type": (str(index % 30),),
    },
    "shared temporal positions": lambda index: {
        "position": (0.0, 0.0, 2.0 * (index % 10)),
        "keys": keys(TemporalPositionIdentifier=float(index // 20)),
    },
    "gradients": lambda index: {
        "position": (0.0, 0.0, 2.0 * (index % 10)),
        "keys": keys(DiffusionBValue=float(index // 10)),
        "gradient": (noise(index), 0.0, 1.0),
    },
    "orientations that turn": lambda index: {"position": ORIGIN, "orientation": turned(7e-4 * index)},
    "any orientations": lambda index: {
        "position": ORIGIN,
        "orientation": turned(6.28 * noise(index), 6.28 * noise(index, 1)),
    },
    "pixel spacings": lambda index: {"position": ORIGIN, "pixel_spacing": (1 + 1e-3 * index, 1.0)},
    "stacks side by side": lambda index: {"position": (3.0 * (index // 2), 0.0, 2.0 * (index % 2))},
    "any positions": lambda index: {"position": tuple(1e2 * noise(index, axis) for axis in range(3))},
    "any distances": lambda index: {"position": (0.0, 0.0, 1e5 * noise(index))},
    "gaps": lambda index: {"position": (0.0, 0.0, 2.0 * index + 4.0 * (index // 2))},
    "large gaps": lambda index: {"position": (0.0, 0.0, float(index // 3 * 90 + index % 3))},
    "growing distances": lambda index: {"position": (0.0, 0.0, 5e-4 * index * (index + 1))},
    "stack names": lambda index: {"position": ORIGIN, "stack": str(index)},
    "no position": lambda index: {"position": None},
    "rescales": lambda index: {"position": (0.0, 0.0, 2.0 * index), "rescale": (index + 1.0, 0.0)},
    "copies": lambda index: {"position": ORIGIN, "sop_instance_uid": "1", "instance_number": 1},
    "two of each": lambda index: {
        "position": (0.0, 0.0, 2.0 * (index // 2)),
        "sop_instance_uid": str(index // 2),
        "instance_number": index // 2,
    },
}


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> Header:
    return read_header(str(write(image(0), tmp_path_factory.mktemp("series") / "a")))


def files(header: Header, count: int, frame_of: Callable[[int], dict[str, Any]]) -> list[Header]:
    """Return the headers of files with one frame each."""
    first = header.slices[0]._replace(keys=_NO_KEYS)

    def one(index: int) -> Slice:
        path = f"/series/{index:07}"
        return first._replace(
            **{"path": path, "sop_instance_uid": f"1.2.{index}", "instance_number": index} | frame_of(index)
        )

    return [header._replace(path=frame.path, slices=(frame,)) for frame in map(one, range(count))]


def frames(header: Header, count: int, frame_of: Callable[[int], dict[str, Any]]) -> list[Header]:
    """Return the header of a file of many frames."""
    first = header.slices[0]._replace(keys=_NO_KEYS)
    file = first.file._replace(frame_count=count)
    members = (first._replace(frame=index, file=file)._replace(**frame_of(index)) for index in range(count))
    return [header._replace(slices=tuple(members))]


def check_complete(headers: list[Header], plans: list[VolumePlan]) -> None:
    placed = [source for plan in plans for source in plan.sources]
    left_out = {frame for plan in plans for finding in plan.findings for frame in finding.left_out}
    assert len(placed) == len(set(placed))
    assert left_out.isdisjoint(placed)
    assert len(placed) + len(left_out) == sum(len(header.slices) for header in headers)


@pytest.mark.serial
@pytest.mark.parametrize(
    ("make", "name"),
    [
        *((files, name) for name in CASES),
        *((frames, name) for name in ("one stack", "one position", "gaps", "segments")),
    ],
)
def test_plan_of_many_frames_takes_linear_time(header: Header, make: Any, name: str) -> None:
    small, large = make(header, COUNT // GROWTH, CASES[name]), make(header, COUNT, CASES[name])

    def seconds(headers: list[Header]) -> float:
        started_at = time.process_time()
        plans = plan_headers(headers)
        taken = time.process_time() - started_at
        check_complete(headers, plans)
        return taken

    # The shortest of several, because another process may slow one down.
    assert any(seconds(large) < MAX_RATIO * max(seconds(small), 2e-2) for _ in range(3))
