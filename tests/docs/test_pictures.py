"""The code of docs/rendering.md runs, and its pictures are those that are committed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import dicoxide

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.filterwarnings("ignore::dicoxide.NonConformantWarning")
@pytest.mark.skipif(dicoxide.backend != "rust", reason="the page decodes JPEG 2000")
def test_rendering_page_draws_the_committed_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pillow = pytest.importorskip("PIL.Image")
    monkeypatch.syspath_prepend(str(DOCS))
    monkeypatch.delitem(sys.modules, "make_pictures", raising=False)
    from make_pictures import make_pictures

    written = make_pictures(DOCS / "rendering.md", tmp_path)
    assert len(written) == (DOCS / "rendering.md").read_text(encoding="utf-8").count("![")
    for path in written:
        committed = pillow.open(DOCS / path.relative_to(tmp_path))
        np.testing.assert_array_equal(np.asarray(pillow.open(path)), np.asarray(committed), err_msg=path.name)
