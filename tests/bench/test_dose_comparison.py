"""`dicoxide bench` of RT Dose: decoders that leave Dose Grid Scaling to their caller have no modality values."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.data import get_testdata_file

from dicoxide.bench import DECODERS, DICOXIDE, cases_from_paths
from dicoxide.bench._decoders._base import LoadedCase


def loaded_case(name: str) -> LoadedCase:
    (case,), _ = cases_from_paths([str(get_testdata_file(name))])
    return LoadedCase(case)


@pytest.mark.parametrize("name", ["pydicom", "SimpleITK", "highdicom"])
def test_other_decoders_have_modality_values_of_images_without_dose_grid_scaling(name: str) -> None:
    pytest.importorskip(DECODERS[name].module)
    assert DECODERS[name].bind("rescaled", loaded_case("rtdose.dcm"), "", 1) is None
    assert DECODERS[name].bind("rescaled", loaded_case("CT_small.dcm"), "", 1) is not None


def test_dicoxide_applies_dose_grid_scaling() -> None:
    loaded = loaded_case("rtdose.dcm")
    call = DECODERS[DICOXIDE].bind("rescaled", loaded, "", 1)
    assert call is not None
    expected = loaded.dataset.pixel_array * float(loaded.dataset.DoseGridScaling)
    np.testing.assert_allclose(call(), expected, rtol=1e-6)
