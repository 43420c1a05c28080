"""What the pytest-benchmark files share."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset

import adapters
import adapters_jpeg
import corpus
import corpus_jpeg
import dicoxide
import generated


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let real files be what they are: some are not quite conformant, which decoders tell."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("ignore::dicoxide.NonConformantWarning"))


@pytest.fixture(params=adapters.RLE_DECODERS, ids=lambda decoder: decoder.name)
def rle_decoder(request: pytest.FixtureRequest) -> adapters.RleDecoder:
    """Ours and each peer; one that is not installed is skipped with the reason."""
    decoder: adapters.RleDecoder = request.param
    if reason := decoder.missing():
        pytest.skip(reason)
    return decoder


@pytest.fixture(params=corpus.rle_frames(), ids=lambda frame: frame.name)
def rle_frame(request: pytest.FixtureRequest) -> corpus.RleFrame:
    """Each RLE frame at hand."""
    return request.param


@pytest.fixture(params=[*adapters_jpeg.CODECS, *adapters_jpeg.FILES], ids=lambda decoder: decoder.bind.__name__[1:])
def jpeg_decoder(request: pytest.FixtureRequest) -> adapters_jpeg.JpegLosslessDecoder:
    """Ours and each peer for JPEG Lossless; one that is not installed is skipped with the reason."""
    decoder: adapters_jpeg.JpegLosslessDecoder = request.param
    if reason := decoder.missing():
        pytest.skip(reason)
    return decoder


@pytest.fixture(params=corpus_jpeg.real_frames(), ids=lambda frame: frame.name)
def jpeg_frame(request: pytest.FixtureRequest) -> corpus_jpeg.JpegLosslessFrame:
    """Each real JPEG Lossless frame at hand."""
    return request.param


@pytest.fixture(scope="session")
def native_frames() -> npt.NDArray[Any]:
    """(200, 512, 512) of 12 bits in 16."""
    return generated.ct_frames(200)


@pytest.fixture(scope="session")
def native_dataset(native_frames: npt.NDArray[Any]) -> Dataset:
    """The same as a data set, uncompressed."""
    return generated.dataset(native_frames, bits_stored=12)


@pytest.fixture(scope="session")
def rle_series() -> tuple[Dataset, npt.NDArray[Any]]:
    """50 frames of 512 × 512, 16 bit, RLE; and their values."""
    frames = generated.ct_frames(50)
    return generated.dataset(frames, rle=True, bits_stored=12), frames


@pytest.fixture(scope="session")
def jpeg_series() -> tuple[Dataset, npt.NDArray[Any]]:
    """50 frames of 512 × 512, 12 bit, JPEG Lossless; and their values."""
    pytest.importorskip("imagecodecs", reason="imagecodecs, which encodes, is not installed")
    frames = generated.ct_frames(50)
    return generated.dataset(frames, jpeg_lossless=generated.jpeg_lossless_12, bits_stored=12), frames


@pytest.fixture(scope="session")
def packed() -> tuple[bytes, npt.NDArray[np.uint8]]:
    """16 frames of 511 × 511 packed bits, so that most begin within a byte; and their samples."""
    samples = np.random.default_rng(1).integers(0, 2, (16, 511, 511), dtype=np.uint8)
    return np.packbits(samples, bitorder="little").tobytes(), samples


@pytest.fixture
def enabled() -> Any:
    """Ours first among pydicom's plugins."""
    with dicoxide.enabled():
        yield
