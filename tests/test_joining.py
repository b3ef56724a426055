"""Where a run meets static findings: what one rule's run shows does not confirm another hazard of the same family."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from linted import every_rule, linted
from losslint.diagnostic import Diagnostic, Severity, Verdict
from losslint.measurements import Forward, Measurements
from losslint.probe.joining import join
from losslint.probe.judging import Judge

MIXED = """import torch
import torch.nn.functional as F


def mixed_loss(pred, target, mu, logvar):
    kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return F.mse_loss(pred, target) + kl
"""
UNREDUCED = """def mixed_loss(pred, target):
    return (pred - target).abs()
"""


def verdicts(folder: Path, text: str) -> dict[str, Verdict | None]:
    """The verdicts of what is found in a text, after a run in which a tensor of shape (4, 8) came back."""
    return {each.code: each.verdict for each in joined(folder, text)}


def joined(folder: Path, text: str, doubted: Severity | None = None) -> tuple[Diagnostic, ...]:
    """What is found in a text and by that run; `doubted` is what the rule would make of it, were it trusted."""
    path = folder / "losses.py"
    path.write_text(text)
    m = Measurements(
        target="losses:mixed_loss",
        module="losses",
        symbol="mixed_loss",
        filename=str(path),
        line=1,
        status="ok",
        input_confidence=0.5,
        forward=Forward("ok", shapes=((4, 8),)),
    )
    judge = Judge(every_rule(), {str(path): str(path)})
    judged = [(m, finding, diagnostic) for finding, diagnostic in judge.judge(m)]
    assert [diagnostic.code for _, _, diagnostic in judged] == ["LL301"]
    static = [replace(each, doubted=doubted) for each in linted(text, path)]
    return join(static, [m], judged, {rule.code: rule for rule in every_rule()})


def test_a_finding_about_the_whole_loss_confirms_its_own_hazard(tmp_path: Path) -> None:
    assert verdicts(tmp_path, UNREDUCED) == {"LL301": Verdict.CONFIRMED}


def test_a_run_that_confirms_it_ends_the_doubt_in_a_finding(tmp_path: Path) -> None:
    (found,) = joined(tmp_path, UNREDUCED, doubted=Severity.WARNING)
    assert (found.severity, found.doubted) == (Severity.WARNING, None)


def test_it_does_not_confirm_another_hazard_of_the_family(tmp_path: Path) -> None:
    found = verdicts(tmp_path, MIXED)
    assert found["LL303"] is Verdict.NOT_RUN
    assert "LL301" in found
