"""``dicoxide doctor``, and the command line itself."""

from __future__ import annotations

import json
import os
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import dicoxide
from dicoxide import cli
from dicoxide.cli import doctor
from support.processes import environment, run
from support.real_images import ROOT


def doctor_command(*arguments: str, **more: str) -> Any:
    return run([sys.executable, "-m", "dicoxide", *arguments], env=environment(**more))


def test_doctor_json_prints_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    result = json.loads(captured.out)
    assert result == doctor.report()
    assert result["dicoxide"] == dicoxide.__version__
    assert result["backend"] == dicoxide.backend
    assert result["pydicom"] == metadata.version("pydicom")
    reported = {entry.pop("uid"): entry for entry in result["transfer_syntaxes"]}
    assert reported == {uid: entry._asdict() for uid, entry in dicoxide.capabilities().items()}


def test_doctor_redirects_other_output_to_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def noisy() -> dict[str, Any]:
        print("hello from a plugin")
        return {"dicoxide": "1"}

    monkeypatch.setattr(doctor, "report", noisy)
    assert cli.main(["doctor", "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == "hello from a plugin\n"
    assert json.loads(captured.out) == {"dicoxide": "1"}


def test_doctor_text_has_all_values_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    document = doctor.report()
    for row in (*document["transfer_syntaxes"], *document["extras"], *document["decoders"], *document["plugins"]):
        for value in row.values():
            assert not isinstance(value, str) or value in out
    for key in ("dicoxide", "python", "numpy", "pydicom", "backend", "cpu_path"):
        assert document[key] in out
    assert not any(line != line.rstrip() for line in out.splitlines())


def test_doctor_text_without_decoders_prints_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document = doctor.report() | {"decoders": [], "plugins": []}
    monkeypatch.setattr(doctor, "report", lambda: document)
    assert cli.main(["doctor"]) == 0
    assert capsys.readouterr().out.count("\n  none\n") == 2


def test_doctor_reports_plugins_with_package_versions() -> None:
    plugins = {plugin["name"]: plugin for plugin in doctor.report()["plugins"]}
    assert "dicoxide" not in plugins
    own = plugins["pydicom"]
    assert own["version"] == metadata.version("pydicom")
    assert "1.2.840.10008.1.2.5" in own["transfer_syntaxes"]
    for plugin in plugins.values():
        assert plugin["version"] == metadata.version(plugin["package"])


def test_doctor_reports_the_enabled_state(capsys: pytest.CaptureFixture[str]) -> None:
    assert not doctor.report()["enabled"]
    with dicoxide.enabled(threads=3):
        document = doctor.report()
        assert (document["enabled"], document["enabled_threads"]) == (True, 3)
        cli.main(["doctor"])
    assert re.search(r"enabled +yes\b", capsys.readouterr().out)


def test_doctor_reports_environment_variables() -> None:
    done = doctor_command("doctor", "--json", DICOXIDE_CPU="portable", DICOXIDE_PURE_PYTHON="0")
    assert done.returncode == 0
    result = json.loads(done.stdout)
    assert (result["backend"], result["cpu_path"]) == ("rust", "portable")
    done = doctor_command("doctor", "--json", DICOXIDE_PURE_PYTHON="1", PYTHONWARNINGS="default")
    assert done.returncode == 0
    result = json.loads(done.stdout)
    assert (result["backend"], result["cpu_path"]) == ("numpy", "numpy")
    assert result["backend_why"] == "DICOXIDE_PURE_PYTHON is set"
    assert "plain NumPy" in done.stderr
    done = doctor_command("doctor", DICOXIDE_CPU="fastest")
    assert "DICOXIDE_CPU=portable|x86-64-v3" in done.stdout
    assert "set to 'fastest'" in done.stdout


def test_doctor_variables_are_those_that_sources_read() -> None:
    sources = [*ROOT.glob("rust/core/src/**/*.rs"), *ROOT.glob("python/dicoxide/*.py")]
    text = "".join(path.read_text() for path in sources)
    read = set(re.findall(r'(?:var_os|environ\.get)\("(DICOXIDE_\w+)"', text))
    assert {variable["name"] for variable in doctor.report()["environment"]} == read
    reported = (ROOT / "CONTRIBUTING.md").read_text()
    for variable in doctor.report()["environment"]:
        assert variable["name"] in reported


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["doctor", "--no-such-option"], ["doctor", "surplus"]])
def test_command_line_with_invalid_arguments_exits_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    assert exit_.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: dicoxide")


@pytest.mark.parametrize("arguments", [["--help"], ["doctor", "--help"], ["--version"]])
def test_command_line_help_exits_with_0(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    assert exit_.value.code == 0
    assert "dicoxide" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_doctor_with_closed_stdout_exits_with_0() -> None:
    end, start = os.pipe()
    os.close(end)
    with os.fdopen(start, "wb") as out:
        command = [sys.executable, "-m", "dicoxide", "doctor"]
        done = run(command, stdout=out)
    assert done.returncode == 0
    assert "BrokenPipeError" not in done.stderr


def test_console_script_entry_point() -> None:
    scripts = re.search(r"\[project\.scripts\]\n(.*)", (ROOT / "pyproject.toml").read_text())
    assert scripts is not None
    assert scripts[1] == 'dicoxide = "dicoxide.cli:main"'
    assert Path(cli.__file__).parent.name == "cli"
