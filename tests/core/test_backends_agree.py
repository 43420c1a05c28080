"""The compiled core on every CPU level and entropy mode, and the NumPy backend: equal bits and equal errors."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import JPEGLossless, RLELossless

from dicoxide import _numpy_backend
from dicoxide._transfer_syntaxes import VIDEO_CODECS
from support.backend_comparison import outcome
from support.encoders import dataset, image_cases, jpeg_lossless_cases
from support.encoders.jpeg_lossless_cases import picture
from support.examples import examples
from support.processes import environment, run_script

_core = pytest.importorskip("dicoxide._core", reason="the compiled extension is not there")


def assert_backends_agree(arguments: dict[str, Any], dtype: Any, **options: Any) -> None:
    expected = outcome(_numpy_backend, arguments, dtype, **options)
    assert outcome(_core, arguments, dtype, **options) == expected
    assert outcome(_core, arguments, dtype, portable=True, **options) == expected


@examples(300)
@given(image_cases.images(max_side=40))
def test_backends_agree_on_encoded_images(case: image_cases.Case) -> None:
    arguments = dataset.frames_of(case.dataset)
    assert_backends_agree(arguments, case.values.dtype)
    samples, _ = outcome(_core, arguments, case.values.dtype)
    assert samples == case.values.tobytes()


@examples(300)
@given(
    image_cases.images(kinds="ui"), st.sampled_from([(1.0, -1024.0), (0.25, 3.0), (0.1, 0.0), (0.0, 7.0), (-2.0, 1e9)])
)
def test_backends_agree_on_rescaled_images(case: image_cases.Case, pair: tuple[float, float]) -> None:
    arguments = dataset.frames_of(case.dataset)
    for dtype in (np.float32, np.float64, np.int32, np.uint8, np.int64):
        assert_backends_agree(arguments, dtype, rescales=[pair])


@examples(300)
@given(image_cases.images(kinds="u"))
def test_backends_agree_on_converted_colour(case: image_cases.Case) -> None:
    assert_backends_agree(dataset.frames_of(case.dataset), case.values.dtype, to_rgb=True)


@examples(300)
@given(image_cases.images(), st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]))
def test_backends_agree_on_output_dtypes(case: image_cases.Case, dtype: str) -> None:
    assert_backends_agree(dataset.frames_of(case.dataset), dtype)


@examples(300)
@given(image_cases.images(), st.integers(0, 2**32), st.booleans())
def test_backends_agree_on_mutated_values(case: image_cases.Case, seed: int, strict: bool) -> None:
    arguments = dataset.frames_of(case.dataset)
    rng = random.Random(seed)
    value = bytearray(arguments["value"])
    for _ in range(rng.choice([1, 1, 2, 5])):
        offset = rng.randrange(min(len(value), 100) if rng.random() < 0.5 else len(value))
        match rng.randrange(4):
            case 0:
                value[offset] ^= 1 << rng.randrange(8)
            case 1:
                value[offset] = rng.choice([0, 1, 0x7F, 0x80, 0x81, 0xFF])
            case 2:
                del value[offset : offset + rng.choice([1, 2, 8])]
            case 3:
                value[offset:offset] = rng.randbytes(rng.choice([1, 2, 8]))
        value = value or bytearray(1)
    assert_backends_agree(arguments | {"value": bytes(value)}, case.values.dtype, strict=strict)


@examples(20)
@given(image_cases.images(syntaxes=(RLELossless,), max_side=5))
def test_backends_agree_on_every_prefix(case: image_cases.Case) -> None:
    arguments = dataset.frames_of(case.dataset)
    value = arguments["value"]
    for end in range(len(value)):
        assert_backends_agree(arguments | {"value": value[:end]}, case.values.dtype)


def assert_modes_agree(arguments: dict[str, Any], dtype: Any, **options: Any) -> Any:
    """Assert that every CPU level and entropy mode of the core gives the same outcome, and return it.

    For codecs that the NumPy backend does not have.
    """
    expected = outcome(_core, arguments, dtype, portable=True, entropy_mode="serial", **options)
    for entropy_mode in (None, "serial", "lanes", "speculative"):
        for portable in (False, True):
            mode = {"entropy_mode": entropy_mode, "portable": portable}
            assert outcome(_core, arguments, dtype, **mode, **options) == expected, mode
    assert outcome(_core, arguments, dtype, threads=2, **options) == expected
    return expected


@examples(300)
@given(jpeg_lossless_cases.frames(max_side=40), st.booleans())
def test_cpu_levels_and_entropy_modes_agree_on_jpeg_lossless(frame: jpeg_lossless_cases.Frame, strict: bool) -> None:
    arguments = dataset.frames_of(frame.dataset)
    samples, notes = assert_modes_agree(arguments, frame.values.dtype, strict=strict)
    assert samples == frame.values.tobytes()
    assert notes == []
    if frame.values.ndim == 2:
        assert_modes_agree(arguments, np.float32, rescales=[(0.1, -3.0)])
    assert_modes_agree(arguments, np.int32)


def mutated(src: bytes, rng: random.Random) -> bytes:
    """Return a frame with some bytes changed, many of them in the header."""
    value = bytearray(src)
    for _ in range(rng.choice([1, 1, 2, 5])):
        offset = rng.randrange(min(len(value), 80) if rng.random() < 0.3 else len(value))
        match rng.randrange(4):
            case 0:
                value[offset] ^= 1 << rng.randrange(8)
            case 1:
                value[offset] = rng.choice([0, 1, 0x7F, 0x80, 0xD0, 0xFF])
            case 2:
                del value[offset : offset + rng.choice([1, 2, 8, 100])]
            case 3:
                value[offset:offset] = rng.randbytes(rng.choice([1, 2, 8]))
        value = value or bytearray(1)
    return bytes(value)


@examples(300)
@given(jpeg_lossless_cases.frames(max_side=40), st.integers(0, 2**32), st.booleans())
def test_cpu_levels_and_entropy_modes_agree_on_mutated_jpeg_lossless(
    frame: jpeg_lossless_cases.Frame, seed: int, strict: bool
) -> None:
    ds = frame.dataset
    broken = jpeg_lossless_cases.wrapped(mutated(frame.src, random.Random(seed)))
    assert_modes_agree(dataset.frames_of(ds) | {"value": broken}, frame.values.dtype, strict=strict)


@pytest.mark.parametrize("seed", range(40))
def test_entropy_modes_agree_on_large_jpeg_lossless_and_mutations(seed: int) -> None:
    # Large enough for every entropy mode, with entropy-coded data of different densities.
    rng = np.random.default_rng(seed)
    precision = int(rng.choice([8, 10, 12, 16]))
    kind = jpeg_lossless_cases.KINDS[seed % 4]
    values = picture(rng, (int(rng.integers(100, 500)), int(rng.integers(100, 500))), precision, kind)
    options = {
        "selection_value": seed % 7 + 1,
        "tables": ("optimal", "fixed", "skewed", "flat")[seed // 4 % 4],
        "restart_interval": values.shape[1] * (0, 0, 0, 7)[seed // 10],
    }
    frame = jpeg_lossless_cases.Frame(values, precision, options)
    arguments = dataset.frames_of(frame.dataset)
    assert assert_modes_agree(arguments, values.dtype) == (values.tobytes(), [])
    for index in range(8):
        broken = jpeg_lossless_cases.wrapped(mutated(frame.src, random.Random(100 * seed + index)))
        assert_modes_agree(arguments | {"value": broken}, values.dtype)


@pytest.mark.parametrize("seed", range(12))
def test_entropy_modes_agree_on_batches_with_corrupt_frames(seed: int) -> None:
    # A frame that is decoded in lock-step with a corrupt one gives the same outcome as alone.
    rng, dice = np.random.default_rng(seed), random.Random(seed)
    values = np.stack([picture(rng, (60, 50), 12, jpeg_lossless_cases.KINDS[seed % 4]) for _ in range(9)])
    frames = [jpeg_lossless_cases.Frame(value, 12, {"selection_value": seed % 7 + 1}).src for value in values]
    ds = dataset.dataset(values, JPEGLossless, bits_stored=12, coded=frames, table="basic")
    assert assert_modes_agree(dataset.frames_of(ds), np.uint16) == (values.tobytes(), [])
    for broken in dice.sample(range(9), 4):
        changed = [mutated(src, dice) if index == broken else src for index, src in enumerate(frames)]
        ds = dataset.dataset(values, JPEGLossless, bits_stored=12, coded=changed, table="basic")
        assert_modes_agree(dataset.frames_of(ds), np.uint16)


def test_backends_have_equal_error_kinds() -> None:
    assert _core.ERROR_KINDS == _numpy_backend.ERROR_KINDS


def test_numpy_backend_decodes_a_subset_of_syntaxes() -> None:
    compiled, plain = _core.transfer_syntaxes(), _numpy_backend.transfer_syntaxes()
    assert [row[:2] for row in compiled] == [row[:2] for row in plain]
    for (uid, _, codec), (_, _, codec_of_numpy) in zip(compiled, plain, strict=True):
        assert codec_of_numpy in {codec, None}, uid


def test_numpy_backend_reports_syntaxes_that_need_the_extension() -> None:
    done = run_script("report_capabilities", env=environment(DICOXIDE_PURE_PYTHON="1"))
    report = json.loads(done.stdout)
    assert set(report) == {uid for uid, _, codec in _numpy_backend.transfer_syntaxes() if codec is None}
    for uid, (decoder, why, takes, error) in report.items():
        assert decoder != "dicoxide"
        assert not takes
        if uid in VIDEO_CODECS:
            # The extension has no codec of video either.
            assert "PyAV" in why
            continue
        assert "the compiled extension may have one" in why
        assert "the compiled extension may have one" in error


@pytest.mark.parametrize(("variable", "value", "path"), [("DICOXIDE_CPU", "portable", "portable")])
def test_cpu_level_variable_selects_the_level(variable: str, value: str, path: str) -> None:
    done = run_script("print_cpu_level", env=environment(**{variable: value}))
    assert done.stdout.strip() == path


def test_cpu_level_variable_with_unknown_level_is_ignored() -> None:
    best, other = (
        run_script("print_cpu_level", env=environment(DICOXIDE_CPU=value)).stdout for value in ("", "x86-64-v9")
    )
    assert best == other


def test_pure_python_variable_selects_the_numpy_backend_with_a_warning() -> None:
    done = run_script("print_backend", env=environment(DICOXIDE_PURE_PYTHON="1"))
    assert done.stdout.splitlines() == [
        "dicoxide decodes in plain NumPy, slowly: DICOXIDE_PURE_PYTHON is set",
        "numpy",
    ]
