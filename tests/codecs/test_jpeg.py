"""JPEG DCT codestreams: every process, sampling and table gives the samples of the reference decoder, bit for bit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dicoxide
from dicoxide import NonConformantWarning
from support import reference_jpeg_dct as reference
from support.encoders import jpeg_dct, jpeg_dct_cases
from support.encoders.jpeg_dct import EXTENDED, PROGRESSIVE, SAMPLINGS, Plane, Scan, progressive_scans
from support.encoders.jpeg_lossless_cases import KINDS, picture
from support.examples import IS_FULL_RUN, examples
from support.jpeg_frames import LEVELS, decoded_at_level

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG")

RNG = np.random.default_rng(43)


@pytest.fixture(autouse=True)
def _typical_tables_do_not_warn() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no huffman table found", NonConformantWarning)
        yield


def assert_equal(found: Any, expected: Any) -> None:
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert np.array_equal(found, expected)


def assert_decodes(src: bytes) -> None:
    """Compare samples and RGB with those of the reference decoder, at every CPU level."""
    expected = reference.decode(src)
    assert_equal(dicoxide.decode_codestream(src), expected)
    assert_equal(dicoxide.decode_codestream(src, to_rgb=True), reference.decode(src, to_rgb=True))
    for level in LEVELS:
        assert_equal(decoded_at_level(src, level), expected)


@examples(500)
@given(jpeg_dct_cases.frames())
def test_decode_of_any_frame_equals_the_reference(frame: jpeg_dct_cases.Frame) -> None:
    assert_decodes(frame.src)


@examples(100)
@given(jpeg_dct_cases.frames(max_side=150))
def test_decode_of_larger_frame_equals_the_reference(frame: jpeg_dct_cases.Frame) -> None:
    assert_decodes(frame.src)


@examples(150)
@given(jpeg_dct_cases.frames(max_side=70), st.integers(1, 3))
def test_reduced_decode_equals_the_reference(frame: jpeg_dct_cases.Frame, reduce: int) -> None:
    src = frame.src
    assert_equal(dicoxide.decode_codestream(src, reduce=reduce), reference.decode(src, reduce=reduce))
    rgb = reference.decode(src, reduce=reduce, to_rgb=True)
    assert_equal(dicoxide.decode_codestream(src, reduce=reduce, to_rgb=True), rgb)


@pytest.mark.parametrize("size", range(1, 71, 1 if IS_FULL_RUN else 7))
@pytest.mark.parametrize("sampling", [*SAMPLINGS, "gray"])
def test_decode_of_every_size_equals_the_reference(sampling: str, size: int) -> None:
    # 37 and 71 have no common divisor, so that all pairs of remainders of 8 and 16 occur.
    rows, columns = size, size * 37 % 71
    if sampling == "gray":
        assert_decodes(jpeg_dct.encode_image(picture(RNG, (rows, columns), 8, "noise"), quality=60))
        return
    source = picture(RNG, (rows, columns, 3), 8, "noise")
    assert_decodes(jpeg_dct.encode_image(source, quality=60, sampling=sampling))


@pytest.mark.parametrize("columns", [1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 47, 63, 64, 65, 127, 129, 255, 257, 1000])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_decode_of_every_width_around_simd_sizes(sampling: str, columns: int) -> None:
    assert_decodes(jpeg_dct.encode_image(picture(RNG, (17, columns, 3), 8), sampling=sampling))


PROCESSES: dict[str, dict[str, Any]] = {
    "baseline": {},
    "extended": {"marker": EXTENDED},
    "typical tables": {"tables": "typical"},
    "no tables": {"tables": "typical", "define_tables": False},
    "codes of 16 bits": {"tables": "long"},
    "separate scans": {"interleaved": False},
    "two scans": {"scans": [Scan((0,)), Scan((1, 2))]},
    "restart at each MCU": {"restart_interval": 1},
    "restart in separate scans": {"interleaved": False, "restart_interval": 5},
    "other interval in each scan": {"scans": [Scan((0,), interval=3), Scan((1,), interval=0), Scan((2,), interval=1)]},
    "tables of each scan": {"interleaved": False, "redefine": True},
    "quantizers after frame": {"quantizers_after_frame": True},
    "fill bytes": {"fill_bytes": 3, "restart_interval": 2},
    "number of lines after scan": {"use_dnl": True},
    "padding bits 0": {"pad_bit": 0, "restart_interval": 1},
    "spectral selection": {"marker": PROGRESSIVE, "scans": progressive_scans(3, refinements=0, bands=4)},
    "successive approximation": {"marker": PROGRESSIVE, "scans": progressive_scans(3, refinements=3, bands=1)},
    "full progression": {"marker": PROGRESSIVE, "scans": progressive_scans(3, refinements=2)},
    "progression with restarts": {"marker": PROGRESSIVE, "scans": progressive_scans(3), "restart_interval": 2},
    "progression without runs": {"marker": PROGRESSIVE, "scans": progressive_scans(3), "max_eob_run": 1},
    "progression by component": {
        "marker": PROGRESSIVE,
        "scans": progressive_scans(3, dc_interleaved=False),
        "redefine": True,
    },
    "progression with long codes": {"marker": PROGRESSIVE, "scans": progressive_scans(3), "tables": "long"},
}


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("sampling", [*SAMPLINGS, "blue smaller", "luminance smaller", "factors of 2"])
@pytest.mark.parametrize("kind", KINDS if IS_FULL_RUN else ("smooth", "extremes"))
def test_decode_of_every_process_equals_the_reference(process: str, sampling: str, kind: str) -> None:
    factors = {
        "blue smaller": ((2, 2), (1, 1), (2, 1)),
        "luminance smaller": ((1, 1), (2, 2), (1, 2)),
        "factors of 2": ((2, 2), (2, 2), (2, 2)),
    }
    source = picture(RNG, (39, 53, 3), 8, kind)
    if process in ("typical tables", "no tables"):
        # Tables K.3 to K.6 have no codes for the largest values.
        options = {"quality": 75, **PROCESSES[process]}
    else:
        options = {"quality": 95, **PROCESSES[process]}
    chosen: Any = factors.get(sampling, sampling)
    if chosen == factors["factors of 2"] and "interleaved" not in process:
        # Twelve blocks are too many for an MCU.
        options["interleaved"] = False
        if "scans" in options and options.get("marker") == PROGRESSIVE:
            chosen = ((2, 1),) * 3
    src = jpeg_dct.encode_image(source, sampling=chosen, **options)
    assert_decodes(src)
    # Processes differ in coding, not in coefficients.
    plain = jpeg_dct.encode_image(source, sampling=chosen, quality=options["quality"], interleaved=False)
    assert_equal(dicoxide.decode_codestream(src), reference.decode(plain))


@pytest.mark.parametrize("quality", [1, 10, 50, 75, 90, 98, 100])
@pytest.mark.parametrize("precision", [8, 12])
@pytest.mark.parametrize("components", [1, 3])
def test_decode_of_every_quality_equals_the_reference(components: int, precision: int, quality: int) -> None:
    shape = (61, 45) if components == 1 else (61, 45, 3)
    for kind in KINDS:
        source = picture(RNG, shape, precision, kind)
        for options in (
            {"marker": EXTENDED},
            {"marker": PROGRESSIVE, "scans": progressive_scans(components)},
            {"marker": EXTENDED, "wide_quantizers": precision == 12 or None, "restart_interval": 3},
        ):
            assert_decodes(jpeg_dct.encode_image(source, precision=precision, quality=quality, **options))


@pytest.mark.parametrize("precision", [8, 12])
@pytest.mark.parametrize("sampling", jpeg_dct_cases.SAMPLINGS[2] + jpeg_dct_cases.SAMPLINGS[4])
def test_decode_of_two_and_four_components_equals_the_reference(sampling: Any, precision: int) -> None:
    source = picture(RNG, (29, 43, len(sampling)), precision)
    src = jpeg_dct.encode_image(source, precision=precision, sampling=sampling)
    assert_decodes(src)


@pytest.mark.parametrize("process", ["sequential", "progressive"])
@pytest.mark.parametrize("factors", [(1, 1), (2, 2), (1, 4), (3, 1), (4, 4)])
def test_decode_of_one_component_ignores_its_factors(factors: tuple[int, int], process: str) -> None:
    # A.2.2: the MCU of a scan of one component is one block.
    source = picture(RNG, (41, 27), 8)
    options: dict[str, Any] = {}
    if process == "progressive":
        options = {"marker": PROGRESSIVE, "scans": progressive_scans(1)}
    src = jpeg_dct.encode_image(source, sampling=(factors,), restart_interval=3, **options)
    assert_decodes(src)
    plain = jpeg_dct.encode_image(source, sampling=((1, 1),))
    assert_equal(dicoxide.decode_codestream(src), reference.decode(plain))


def coded_blocks(blocks: Any, quantizer: Any, precision: int, **options: Any) -> bytes:
    """Return a frame of one component with these coefficients."""
    rows, columns = 8 * blocks.shape[0], 8 * blocks.shape[1]
    options.setdefault("marker", EXTENDED)
    return jpeg_dct.encode([Plane(blocks)], rows, columns, {0: quantizer}, precision=precision, **options)


class TestCoefficients:
    """Coefficients that no encoder writes: the arithmetic at its limits is that of libjpeg-turbo."""

    @pytest.mark.parametrize("quantizer", [0, 1, 16, 127, 128, 255])
    @pytest.mark.parametrize("density", [0.02, 0.3, 1.0])
    def test_decode_of_8_bit_coefficients_out_of_range(self, quantizer: int, density: float) -> None:
        shape = (6, 7, 64)
        blocks = RNG.integers(-1023, 1024, shape) * (RNG.random(shape) < density)
        # Row 0 alone, and DC alone.
        blocks[0, :, 8:] = 0
        blocks[1, :, 1:] = 0
        assert_decodes(coded_blocks(blocks, np.full(64, quantizer), 8))

    @pytest.mark.parametrize("quantizer", [0, 1, 16, 255, 4095, 32767, 32768, 65535])
    @pytest.mark.parametrize("density", [0.02, 0.3, 1.0])
    def test_decode_of_12_bit_coefficients_out_of_range(self, quantizer: int, density: float) -> None:
        shape = (6, 7, 64)
        blocks = RNG.integers(-8191, 8192, shape) * (RNG.random(shape) < density)
        blocks[0, :, 8:] = 0
        blocks[1, :, 1:] = 0
        assert_decodes(coded_blocks(blocks, np.full(64, quantizer), 12, wide_quantizers=True))

    @pytest.mark.parametrize("precision", [8, 12])
    def test_decode_of_largest_categories_and_wrapping_dc(self, precision: int) -> None:
        # DC differences of category 15 add up beyond 16 bits, which hold the coefficient.
        blocks = np.zeros((1, 40, 64), np.int64)
        blocks[0, :, 0] = np.cumsum(RNG.integers(-32767, 32768, 40))
        blocks[0, :, 1:] = RNG.integers(-32767, 32768, (40, 63)) * (RNG.random((40, 63)) < 0.1)
        assert_decodes(coded_blocks(blocks, np.ones(64, np.int64), precision))

    @pytest.mark.parametrize("reduce", [1, 2, 3])
    @pytest.mark.parametrize(("precision", "largest"), [(8, 255), (12, 1500)])
    def test_reduced_decode_of_dense_coefficients(self, precision: int, largest: int, reduce: int) -> None:
        shape = (5, 9, 64)
        blocks = RNG.integers(-largest // 8, largest // 8, shape) * (RNG.random(shape) < 0.5)
        blocks[0, :, 1:] = 0
        src = coded_blocks(blocks, np.full(64, 4), precision)
        assert_equal(dicoxide.decode_codestream(src, reduce=reduce), reference.decode(src, reduce=reduce))


@pytest.mark.parametrize("threads", [1, 2, 4, None])
@pytest.mark.parametrize("process", ["baseline", "restart at each MCU", "full progression", "separate scans"])
def test_decode_on_any_threads_is_equal(process: str, threads: int | None) -> None:
    source = picture(np.random.default_rng(9), (150, 700, 3), 8)
    src = jpeg_dct.encode_image(source, sampling="420", **PROCESSES[process])
    expected = reference.decode(src)
    assert_equal(dicoxide.decode_codestream(src, threads=threads), expected)
    out = np.zeros(expected.shape, np.uint16)
    assert dicoxide.decode_codestream(src, out, threads=threads) is out
    assert np.array_equal(out, expected)


@pytest.mark.parametrize(
    ("segments", "identifiers", "colour"),
    [
        pytest.param(b"", None, None, id="nothing"),
        pytest.param(jpeg_dct.JFIF, None, "ybr", id="JFIF"),
        pytest.param(jpeg_dct.adobe(0), None, "rgb", id="Adobe RGB"),
        pytest.param(jpeg_dct.adobe(1), None, "ybr", id="Adobe YCbCr"),
        pytest.param(b"", (82, 71, 66), "rgb", id="identifiers RGB"),
        pytest.param(jpeg_dct.JFIF + jpeg_dct.adobe(0), None, "ybr", id="JFIF before Adobe"),
        pytest.param(jpeg_dct.JFIF, (82, 71, 66), "ybr", id="JFIF before identifiers"),
        pytest.param(jpeg_dct.adobe(2), None, "ybr", id="Adobe transform 2"),
        pytest.param(jpeg_dct.adobe(2), (82, 71, 66), "ybr", id="Adobe before identifiers"),
    ],
)
def test_to_rgb_follows_the_colour_of_the_codestream(segments: bytes, identifiers: Any, colour: str | None) -> None:
    src = jpeg_dct.encode_image(picture(RNG, (20, 21, 3), 8), segments=segments, identifiers=identifiers)
    assert dicoxide.codestream_info(src).colour == colour
    stored = reference.decode(src)
    assert_equal(dicoxide.decode_codestream(src), stored)
    if colour is not None:
        assert_equal(dicoxide.decode_codestream(src, to_rgb=True), reference.decode(src, to_rgb=colour == "ybr"))


def test_codestream_info_has_four_resolutions() -> None:
    src = jpeg_dct.encode_image(picture(RNG, (21, 22, 3), 12), precision=12, segments=jpeg_dct.JFIF)
    info = dicoxide.codestream_info(src)
    assert (info.format, info.rows, info.columns, info.components) == ("jpeg", 21, 22, 3)
    assert (info.precision, info.is_signed, info.colour, info.is_lossy, info.resolution_levels) == (
        12,
        False,
        "ybr",
        True,
        4,
    )
    with pytest.raises(ValueError, match="4 resolution level"):
        dicoxide.decode_codestream(src, reduce=4)
