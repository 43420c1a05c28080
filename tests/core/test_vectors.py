"""Small real images in `tests/vectors`: digests of all samples. The manifest gives the reason for each image.

``sha256_raw`` is the digest of the C-contiguous little-endian values of ``decode(path, raw=True)``. Each was verified
against pydicom (with gdcm and pylibjpeg for JPEG Lossless, pyjpegls for JPEG-LS) or libjpeg-turbo (other JPEG);
``liver_rle.dcm``, which pydicom rejects, against the same object in native bits.
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pytest

import dicoxide

FOLDER = Path(__file__).parents[1] / "vectors"
ROWS = list(csv.DictReader((FOLDER / "manifest.csv").read_text(encoding="utf-8").splitlines()))


@pytest.mark.filterwarnings("ignore::dicoxide.NonConformantWarning")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_vector_decodes_to_its_digest(row: dict[str, str]) -> None:
    if dicoxide.backend == "numpy" and "JPEG" in row["why"]:
        pytest.skip("JPEG needs the compiled extension")
    stored = dicoxide.decode(FOLDER / row["file"], raw=True, fallback=False)
    assert " ".join(map(str, stored.shape)) == row["shape"]
    assert stored.dtype == row["dtype"]
    little_endian = stored.astype(stored.dtype.newbyteorder("<"), copy=False)
    assert hashlib.sha256(little_endian.tobytes()).hexdigest() == row["sha256_raw"]


def test_vector_manifest_lists_every_file_with_a_licence() -> None:
    files = {path.name for path in FOLDER.iterdir() if path.is_file()}
    assert files - {"manifest.csv"} == {row["file"] for row in ROWS}
    assert all(row["licence"] in {"MIT", "Apache-2.0", "BSD-3-Clause"} and row["why"] for row in ROWS)
