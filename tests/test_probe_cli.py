"""`losslint probe` and `losslint check --probe` from outside: formats, exit codes, verdicts, scripts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from losslint.cli import cli

LOSSES = """
import torch
import torch.nn.functional as F


def sound_loss(pred, target):
    return F.mse_loss(pred, target)


def detached_loss(pred, target):
    return F.mse_loss(pred.detach(), target)


def log_softmax_loss(logits, target):
    log_p = torch.log(F.softmax(logits, dim=1))
    return F.nll_loss(log_p, target)


def masked_loss(pred, target, mask):
    return ((pred - target).abs() * mask).sum() / mask.sum()


def guarded_loss(pred, target, mask):
    if mask.sum() == 0:
        return (pred * 0).sum()
    return ((pred - target).abs() * mask).sum() / mask.sum()


def branching_loss(pred, target):
    error = (pred - target).abs().mean()
    if error > 1:
        return error
    return error**2


def unmade_loss(model, table, pred):
    return model.step(table["x"].first(), pred.second())
"""
FIELDS = {
    "target", "symbol", "filename", "line", "status", "reason", "advice", "finite", "has_gradient", "inputs", "input_source",
    "input_confidence", "construction", "tracer", "trace_stopped_at", "gradient_check", "device_check", "terms", "stood_in",
    "findings", "seconds",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("project")
    (made / "losses.py").write_text(LOSSES)
    return made


def run(*arguments: object) -> Result:
    command = [str(each) for each in arguments]
    return CliRunner().invoke(cli, [*command, "--python", sys.executable, "--isolated"])


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scripts")


@pytest.fixture(scope="module")
def probed(folder: Path, scripts: Path) -> list[dict[str, Any]]:
    done = run("probe", folder, "--output-format", "json", "--reproducers", scripts)
    assert done.exit_code == 1, done.output
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def checked(folder: Path) -> dict[str, dict[str, Any]]:
    done = run("check", folder, "--probe", "--output-format", "json")
    assert done.exit_code == 1, done.output
    return {f"{each['symbol']} {each['code']}": each for each in json.loads(done.stdout)}


def test_json_has_the_fields_of_the_contract(probed: list[dict[str, Any]]) -> None:
    assert all(set(each) == FIELDS for each in probed)
    statuses = {each["symbol"]: each["status"] for each in probed}
    assert statuses == {**dict.fromkeys(statuses, "ok"), "unmade_loss": "no-inputs"}
    sound = next(each for each in probed if each["symbol"] == "sound_loss")
    assert sound["finite"] is True and sound["has_gradient"] is True and sound["gradient_check"] == "passed"
    assert [(each["name"], each["dtype"]) for each in sound["inputs"]] == [("pred", "float32"), ("target", "float32")]
    assert sound["findings"] == [] and sound["tracer"] == "symbolic" and 0 < sound["input_confidence"] < 1


def test_what_cannot_be_fed_says_what_to_add(probed: list[dict[str, Any]]) -> None:
    unmade = next(each for each in probed if each["symbol"] == "unmade_loss")
    assert "model, table, pred" in unmade["reason"]
    assert '[tool.losslint.probe."losses:unmade_loss"]' in unmade["advice"]


def test_every_script_of_an_error_fails_alone(probed: list[dict[str, Any]], scripts: Path, tmp_path: Path) -> None:
    errors = [found for each in probed for found in each["findings"] if found["severity"] == "error"]
    assert {found["symbol"] for found in errors} == {"detached_loss"}
    assert all(found["reproducer"] for found in errors)
    for script in scripts.glob("*.py"):
        done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 1 and "Traceback" not in done.stderr, (script.name, done.stderr)


def test_the_text_shows_a_table_and_the_reasons(folder: Path) -> None:
    done = run("probe", folder, "--select", "LL102")
    assert done.exit_code == 1
    lines = done.output.splitlines()
    assert lines[0].split() == ["loss", "status", "value", "gradient", "check", "device", "findings"]
    assert any(line.startswith("losses:sound_loss") and " ok " in line for line in lines)
    assert any("error LL102 no-gradient-path" in line for line in lines)
    assert "symbolic_trace gives up" in done.output
    assert "7 losses ran" in done.output and "Traced by" in done.output and "Not run" in done.output


def test_exit_codes(folder: Path) -> None:
    target = f"{folder / 'losses.py'}:sound_loss"
    assert run("probe", target).exit_code == 0
    assert run("probe", f"{folder / 'losses.py'}:detached_loss", "--exit-zero").exit_code == 0
    assert run("probe", "no.such.module").exit_code == 2
    assert run("probe", folder, "--select", "LL999").exit_code == 2
    assert run("check", "-", "--probe").exit_code == 2


def test_a_loss_named_is_run_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("def distance(pred, target):\n    return (pred - target).abs().mean()\n")
    done = run("probe", f"{tmp_path / 'm.py'}:distance", "--output-format", "json")
    assert [each["status"] for each in json.loads(done.stdout)] == ["ok"]
    empty = run("probe", tmp_path)
    assert empty.exit_code == 0 and "No losses found" in empty.output


def test_a_run_confirms_static_findings_once_with_a_script(checked: dict[str, dict[str, Any]]) -> None:
    for key in ("detached_loss LL102", "log_softmax_loss LL202", "masked_loss LL206", "branching_loss LL801"):
        found = checked[key]
        assert (found["origin"], found["verdict"]) == ("both", "confirmed"), key
        assert found["reproducer"] and found["evidence"][-1]["message"].startswith("ran ")
        assert 0 < found["confidence"] <= 1
    assert "detached_loss LL101" not in checked and "masked_loss LL208" not in checked


def test_what_a_guard_keeps_away_is_not_confirmed(checked: dict[str, dict[str, Any]]) -> None:
    assert all(each["verdict"] != "confirmed" for key, each in checked.items() if key.startswith("guarded_loss LL2"))


def test_without_a_run_there_is_no_verdict(folder: Path) -> None:
    done = CliRunner().invoke(cli, ["check", str(folder), "--output-format", "json", "--isolated"])
    assert {each["verdict"] for each in json.loads(done.stdout)} == {None}


def test_comments_silence_what_a_run_finds(tmp_path: Path) -> None:
    text = (
        "import torch\n\n\ndef cut_loss(pred, target):  # losslint: ignore[LL102] -- it is a metric\n"
        "    return (pred.detach() - target).abs().mean()  # losslint: ignore[LL102] -- it is a metric\n"
    )
    (tmp_path / "m.py").write_text(text)
    done = run("check", tmp_path, "--probe", "--output-format", "json")
    assert [each["code"] for each in json.loads(done.stdout) if each["code"] == "LL102"] == []
