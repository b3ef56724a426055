"""Bad files: one clear diagnostic each, and the rest goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HAZARD = (
    "import torch\nimport torch.nn.functional as F\n\n\n"
    "def pair_loss(pred, target):\n    return F.cross_entropy(torch.softmax(pred, dim=1), target)\n"
)


def run(*arguments: str, cwd: Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    """The command line in a child process."""
    done = subprocess.run(
        [sys.executable, "-m", "losslint", *arguments], cwd=cwd, input=stdin, capture_output=True, timeout=120
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def check(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    """The findings in a folder, as the contract gives them."""
    done = run("check", ".", "--output-format", "json", "--exit-zero", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


BAD: dict[str, tuple[bytes, str]] = {
    "unparsable": (b"def my_loss(:\n    return 1\n", "LL904"),
    "unclosed": (b"def my_loss(pred, target:\n    return (pred - target\n", "LL904"),
    "not utf-8": (b"# a loss\nname = '\xff\xfe'\n", "LL903"),
    "unknown encoding": (b"# -*- coding: klingon -*-\n# loss\n", "LL903"),
    "NUL bytes": (b"def my_loss(pred):\n    return pred\x00\n", "LL904"),
    "1,400 parentheses": (b"def my_loss(pred):\n    return " + b"(" * 1400 + b"pred" + b")" * 1400 + b"\n", "LL905"),
    "150 parentheses": (b"def my_loss(pred):\n    return " + b"-(" * 199 + b"pred" + b")" * 199 + b"\n", "LL905"),
    "5,000 terms": (b"def my_loss(pred):\n    return " + b" + ".join([b"pred"] * 5000) + b"\n", "LL905"),
    "tabs and spaces": (b"def my_loss(pred):\n\tif pred:\n        return 1\n", "LL904"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_diagnostic_and_the_rest_goes_on(name: str, tmp_path: Path) -> None:
    data, code = BAD[name]
    (tmp_path / "bad.py").write_bytes(data)
    (tmp_path / "good.py").write_text(HAZARD)
    found = check(tmp_path)
    mine = [each for each in found if each["filename"] == "bad.py"]
    assert [each["code"] for each in mine] == [code]
    assert mine[0]["severity"] == "warning"
    assert len(mine[0]["message"]) > 20
    assert [each["code"] for each in found if each["filename"] == "good.py"] == ["LL701"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty", b""),
        ("only a comment", b"# loss\n"),
        ("only a newline", b"\n"),
        ("bom", b"\xef\xbb\xbf" + HAZARD.encode()),
        ("crlf", HAZARD.replace("\n", "\r\n").encode()),
        ("cr", HAZARD.replace("\n", "\r").encode()),
        ("tabs", HAZARD.replace("    ", "\t").encode()),
        ("form feed", HAZARD.replace("\n\n\n", "\n\x0c\n").encode()),
        ("latin-1", b"# -*- coding: latin-1 -*-\n# \xe9\n" + HAZARD.encode()),
        ("no newline at the end", HAZARD.rstrip().encode()),
        ("unicode", ("# loss \U0001f600\n" + HAZARD.replace("pred", "préd")).encode()),
    ],
)
def test_unusual_but_fine_files_are_read(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_bytes(data)
    expected = ["LL701"] if b"softmax(" in data else []
    assert [each["code"] for each in check(tmp_path)] == expected


def test_columns_count_code_points_and_the_place_is_right(tmp_path: Path) -> None:
    line = 'def é_loss(pred, mask): "ü"; return (pred * mask).sum() / mask.sum()\n'
    (tmp_path / "sample.py").write_text(line, "utf-8")
    (found,) = check(tmp_path)
    start, end = found["location"]["column"], found["end_location"]["column"]
    assert line[start - 1 : end - 1] == "(pred * mask).sum() / mask.sum()"


def test_what_is_no_file_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "dangling.py").symlink_to(tmp_path / "nowhere.py")
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "good.py").write_text(HAZARD)
    codes = {each["filename"]: each["code"] for each in check(tmp_path)}
    assert codes == {"dangling.py": "LL902", "pipe.py": "LL902", "good.py": "LL701"}


def test_a_file_that_vanishes_while_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from losslint import source

    def gone(self: Path) -> bytes:
        raise FileNotFoundError(2, "No such file or directory")

    (tmp_path / "sample.py").write_text(HAZARD)
    monkeypatch.setattr(Path, "read_bytes", gone)
    found = source.read_source(tmp_path / "sample.py", "sample.py")
    assert isinstance(found, source.Diagnostic)
    assert found.code == "LL902"
    assert "No such file" in found.message


def test_a_failing_rule_is_one_diagnostic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from losslint import runner
    from losslint.settings import Settings

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(runner, "_lint", broken)
    (tmp_path / "sample.py").write_text(HAZARD)
    request = runner.Request((tmp_path / "sample.py",), Settings(), ("LL701", "LL906"), tmp_path)
    (found,) = runner.check(request).diagnostics
    assert found.code == "LL906"
    assert "a bug" in found.message


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('[tool.losslint]\nselct = ["LL2"]\n', ["pyproject.toml", "tool.losslint.selct", "did you mean select?"]),
        ('[tool.losslint]\nselect = ["LL999"]\n', ["LL999", "did you mean LL9"]),
        ('[tool.losslint]\nselect = "LL2"\n', ["pyproject.toml", "tool.losslint.select", "array"]),
        ('[tool.losslint]\nfail-on = "warnings"\n', ["tool.losslint.fail-on", "did you mean warning?"]),
        ("[tool.losslint]\nignore = [3]\n", ["tool.losslint.ignore[0]", "str"]),
        ('[tool.losslint.per-file-ignores]\n"a.py" = ["unguarded-log", "nothing-like-it"]\n', ["nothing-like-it"]),
        ("[tool.losslint\n", ["pyproject.toml", "TOML"]),
    ],
)
def test_a_wrong_setting_says_which_where_and_what_was_meant(settings: str, words: list[str], tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(settings)
    (tmp_path / "sample.py").write_text(HAZARD)
    done = run("check", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert all(word in done.stderr for word in words), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["chek", "."], ["chek", "check"]),
        (["check", "--selct", "LL2", "."], ["--selct", "--select"]),
        (["check", "--select", "LL2O1", "."], ["LL2O1", "LL201"]),
        (["check", "nowhere.py"], ["nowhere.py", "no such"]),
        (["check", "--output-format", "jsn", "."], ["jsn", "json"]),
        (["check", "--config", "no.toml", "."], ["no.toml", "no such"]),
        (["rule", "LL20"], ["LL20"]),
    ],
)
def test_a_wrong_call_exits_with_2(arguments: list[str], words: list[str], tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(HAZARD)
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert all(word in done.stderr for word in words), done.stderr
