"""The choice between the extension and the NumPy backend."""

from __future__ import annotations

from support.processes import run_script


def test_import_without_numpy_raises_import_error_of_numpy() -> None:
    output = run_script("import_without_numpy").stdout
    assert "numpy" in output
    assert "compiled extension" not in output
