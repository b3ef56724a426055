"""The command line as users, hooks and CI call it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from test_bad_input import HAZARD, run

UNUSED = (
    "import torch.nn.functional as F\n\n\ndef pair_loss(pred, target, eps=1e-6):\n    return F.mse_loss(pred, target)\n"
)
LOG = """\
import torch
import torch.nn.functional as F


def nll_loss(x, y):
    return -(y * torch.log(F.softmax(x, dim=1))).sum(dim=1).mean()
"""
UNREDUCED = """\
import torch.nn as nn


class ALoss(nn.Module):
    def forward(self, pred, target):
        return (pred - target) ** 2
"""

FALLS_THROUGH = """\
import torch.nn as nn


class CentreLoss(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, pred, target):
        loss = (pred - target) ** 2
        if self.reduction == "mean":
            return loss.mean()
        elif self.reduction == "none":
            return loss


CRITERION = CentreLoss()
"""


def imported(folder: Path, *arguments: str) -> set[str]:
    """The modules a run of the command line imports."""
    code = (
        "import sys, runpy\n"
        f"sys.argv = ['losslint', *{list(arguments)!r}]\n"
        "try:\n    runpy.run_module('losslint', run_name='__main__')\nexcept SystemExit:\n    pass\n"
        "print(' '.join(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    return set(done.stderr.splitlines()[-1].split())


def test_version_is_answered_before_click_is_imported(tmp_path: Path) -> None:
    modules = imported(tmp_path, "--version")
    assert not {"click", "libcst", "msgspec", "rich", "torch"} & modules
    assert run("--version", cwd=tmp_path).stdout.startswith("losslint 0.")


def test_rules_and_libcst_are_loaded_only_for_a_file_with_a_loss(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text("# no objective here\nx = 1\n")
    (tmp_path / "talk.py").write_text("# about a loss\nlossless = True\n")
    without = imported(tmp_path, "check", ".")
    assert not any(name.startswith(("losslint_rules", "libcst", "torch", "numpy")) for name in without)
    (tmp_path / "sample.py").write_text(HAZARD)
    with_one = imported(tmp_path, "check", ".")
    assert any(name.startswith("losslint_rules.") for name in with_one)
    assert "torch" not in with_one
    assert "numpy" not in with_one


def test_only_selected_rules_are_loaded(tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(HAZARD)
    modules = imported(tmp_path, "check", "--select", "LL701", ".")
    assert "losslint_rules.usage.softmax_into_cross_entropy" in modules
    assert "losslint_rules.control_flow.branch_on_tensor" not in modules


@pytest.mark.parametrize(
    ("text", "arguments", "code"),
    [
        (HAZARD, [], 1),
        (HAZARD, ["--exit-zero"], 0),
        (HAZARD, ["--fail-on", "error"], 1),
        (UNUSED, [], 1),
        (UNUSED, ["--fail-on", "error"], 0),
        (HAZARD, ["--fail-on", "never"], 0),
        (HAZARD, ["--ignore", "LL701"], 0),
        (HAZARD, ["--select", "LL1"], 0),
        (HAZARD, ["--select", "softmax-into-cross-entropy"], 1),
        (LOG, [], 0),
        (LOG, ["--trust", "LL202", "--fail-on", "error"], 1),
        (LOG, ["--fail-on", "info"], 1),
        ("x = 1\n", [], 0),
        ("import torch\n\n\ndef a_loss(a: torch.Tensor):\n    return torch.log(a).mean()\n", [], 0),
        ("import torch\n\n\ndef a_loss(a: torch.Tensor):\n    return torch.log(a).mean()\n", ["--fail-on", "info"], 1),
    ],
)
def test_exit_codes(text: str, arguments: list[str], code: int, tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(text)
    assert run("check", ".", *arguments, cwd=tmp_path).returncode == code


def test_no_losses_is_said_on_standard_error_and_is_no_failure(tmp_path: Path) -> None:
    done = run("check", ".", cwd=tmp_path)
    assert done.returncode == 0
    assert "No losses found in 0 files." in done.stderr


def test_fix_changes_the_file_and_the_exit_code_reflects_what_remains(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_bytes(LOG.replace("\n", "\r\n").encode())
    done = run("check", "--fix", ".", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "Fixed 1 finding" in done.stdout + done.stderr
    assert (
        sample.read_bytes()
        == LOG.replace("torch.log(F.softmax(x, dim=1))", "F.log_softmax(x, dim=1)").replace("\n", "\r\n").encode()
    )
    again = sample.read_bytes()
    assert run("check", "--fix", ".", cwd=tmp_path).returncode == 0
    assert sample.read_bytes() == again


def test_diff_shows_and_changes_nothing(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(LOG)
    done = run("check", "--diff", ".", cwd=tmp_path)
    assert done.returncode == 1
    assert "+    return -(y * F.log_softmax(x, dim=1)).sum(dim=1).mean()" in done.stdout
    assert sample.read_text() == LOG


def test_unsafe_fixes_need_the_flag(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    text = UNREDUCED
    sample.write_text(text)
    assert run("check", "--fix", "--fail-on", "info", ".", cwd=tmp_path).returncode == 1
    assert sample.read_text() == text
    assert run("check", "--fix", "--unsafe-fixes", "--fail-on", "info", ".", cwd=tmp_path).returncode == 0
    assert "((pred - target) ** 2).mean()" in sample.read_text()


def test_standard_input(tmp_path: Path) -> None:
    done = run(
        "check", "-", "--stdin-filename", "src/a.py", "--output-format", "json", cwd=tmp_path, stdin=HAZARD.encode()
    )
    assert done.returncode == 1
    assert [each["filename"] for each in json.loads(done.stdout)] == ["src/a.py"]
    fixed = run("check", "-", "--fix", cwd=tmp_path, stdin=LOG.encode())
    assert "F.log_softmax(x, dim=1)" in fixed.stdout


def test_settings_are_found_from_a_sub_folder_and_per_file_ignores_hold(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.losslint]\nignore = ["LL7"]\nextend-exclude = ["skipped"]\n[tool.losslint.per-file-ignores]\n"pkg/b.py" = ["ALL"]\n'
    )
    for name in ("pkg", "skipped"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text(HAZARD)
    assert run("check", ".", cwd=tmp_path / "pkg").returncode == 0
    assert run("check", ".", "--select", "LL7", cwd=tmp_path).returncode == 1
    (tmp_path / "pyproject.toml").write_text('[tool.losslint.per-file-ignores]\n"pkg/*.py" = ["LL701"]\n')
    assert run("check", "pkg", cwd=tmp_path).returncode == 0


def test_a_doubted_rule_warns_where_it_is_trusted(tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(LOG)
    shown = run("check", ".", cwd=tmp_path).stdout
    assert "LL202 [info]" in shown
    assert "How it comes about" in shown
    (tmp_path / "losslint.toml").write_text('trust = ["LL2"]\n')
    done = run("check", ".", cwd=tmp_path)
    assert done.returncode == 1
    assert "LL202 [error]" in done.stdout
    (tmp_path / "losslint.toml").write_text('trust = ["LL2000"]\n')
    done = run("check", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "LL2000" in done.stderr


@pytest.mark.parametrize(("elsewhere", "severity"), [("", "info"), ("from losses import CentreLoss\n", "warning")])
def test_a_word_that_no_branch_knows_matters_where_others_choose_it(
    elsewhere: str, severity: str, tmp_path: Path
) -> None:
    (tmp_path / "losses.py").write_text(FALLS_THROUGH)
    (tmp_path / "train.py").write_text(elsewhere)
    shown = run(
        "check", ".", "--select", "LL721", "--trust", "LL721", "--output-format", "concise", cwd=tmp_path
    ).stdout
    assert f"LL721 {severity}" in shown


def test_extra_loss_names(tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(HAZARD.replace("pair_loss", "pair_objective"))
    assert run("check", ".", cwd=tmp_path).returncode == 0
    (tmp_path / "losslint.toml").write_text('loss-names = ["*_objective"]\n')
    assert run("check", ".", cwd=tmp_path).returncode == 1


def test_ignored_files_are_skipped_unless_named_and_force_exclude_skips_named_ones(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("build_of_mine/\n")
    (tmp_path / "build_of_mine").mkdir()
    sample = tmp_path / "build_of_mine" / "a.py"
    sample.write_text(HAZARD)
    (tmp_path / "losslint.toml").write_text('extend-exclude = ["build_of_mine"]\n')
    assert run("check", ".", cwd=tmp_path).returncode == 0
    assert run("check", str(sample), cwd=tmp_path).returncode == 1
    assert run("check", "--force-exclude", str(sample), cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("folder", ["site-packages/pkg", ".venv/lib", "mine/inner"])
def test_an_excluded_folder_that_is_named_is_walked(folder: str, tmp_path: Path) -> None:
    (tmp_path / "losslint.toml").write_text('extend-exclude = ["mine", "skipped"]\n')
    for name in (folder, f"{folder}/skipped", f"{folder}/build"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "a.py").write_text(HAZARD)
    assert run("check", ".", cwd=tmp_path).returncode == 0
    done = run("check", folder, "--output-format", "concise", cwd=tmp_path)
    assert done.returncode == 1
    assert "skipped" not in done.stdout and "build" not in done.stdout


def test_suppression_comments(tmp_path: Path) -> None:
    silenced = HAZARD.replace("dim=1), target)", "dim=1), target)  # losslint: ignore[LL701] -- these are logits")
    (tmp_path / "sample.py").write_text(silenced)
    assert run("check", ".", cwd=tmp_path).returncode == 0
    (tmp_path / "sample.py").write_text(silenced.replace("torch.softmax(pred, dim=1)", "pred"))
    done = run("check", ".", "--output-format", "concise", cwd=tmp_path)
    assert "LL901" in done.stdout


@pytest.mark.parametrize("chosen", ["full", "concise", "json", "github", "sarif"])
def test_every_format_goes_to_a_file_too(chosen: str, tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(HAZARD)
    shown = run("check", ".", "--output-format", chosen, "-q", cwd=tmp_path).stdout
    run("check", ".", "--output-format", chosen, "--output-file", "out.txt", "-q", cwd=tmp_path)
    assert (tmp_path / "out.txt").read_text().strip() == shown.strip()
    assert "LL701" in shown


def test_statistics_and_rule_pages(tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(HAZARD)
    assert "1 LL701 softmax-into-cross-entropy" in run("check", ".", "--statistics", cwd=tmp_path).stdout
    page = run("rule", "LL701", cwd=tmp_path)
    assert "log_softmax" in page.stdout
    assert "Bad" in page.stdout
    every = json.loads(run("rule", "--all", "--output-format", "json", cwd=tmp_path).stdout)
    assert len(every) >= 20


def test_helpers_of_other_files_are_followed_and_reported_at_the_call(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "maths.py").write_text(
        "import torch\n\n\ndef distance(a, b):\n    return torch.sqrt(((a - b) ** 2).sum(1))\n"
    )
    (tmp_path / "losses.py").write_text(
        "from .maths import distance\n\n\ndef pull_loss(first, second):\n    return distance(first, second).mean()\n"
    )
    (found,) = json.loads(run("check", ".", "--output-format", "json", "--exit-zero", cwd=tmp_path).stdout)
    assert (found["filename"], found["location"]["row"], found["code"]) == ("losses.py", 5, "LL205")
    assert {step["filename"] for step in found["evidence"]} == {"losses.py", "maths.py"}


def test_torchs_own_losses_are_silent() -> None:
    import torch.nn.functional
    import torch.nn.modules.loss

    files = [torch.nn.modules.loss.__file__, torch.nn.functional.__file__]
    done = run("check", "--isolated", *files, "--output-format", "json", cwd=Path.cwd())
    assert done.returncode == 0, done.stdout
    assert {each["code"] for each in json.loads(done.stdout)} <= {"LL801"}
