"""Paths end where Python surely raises: what comes behind is not worth a finding."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from linted import linted

HEAD = """
import contextlib

import torch
import torch.nn.functional as F
from torch import nn

from .parts import Encoder, Helper, distance


"""
PARTS = """
from torch import nn


class Helper:
    def __init__(self, width, *, depth=1):
        self.width = width


class Encoder(nn.Module):
    def __init__(self, hidden, depth):
        super().__init__()
        self.layer = nn.Linear(2 * hidden, depth)


class Abstract(nn.Module):
    def __init__(self):
        raise NotImplementedError


def distance(left, right, margin):
    return (left - right).abs() + margin


def refuse():
    raise RuntimeError("gone")
"""
# A finding of the class, in a line that `{before}` precedes.
CONSTRUCTED = """
class RankLoss(nn.Module):
    def __init__(self, vocab, hidden):
        super().__init__()
        self.embedding = nn.Embedding(vocab.size(), hidden)
        {before}
        self.criterion = nn.CrossEntropyLoss(size_average=False)

    def forward(self, logits, target):
        return self.criterion(logits, target)
"""
CALLED = """
def rank_loss(logits, target):
    {before}
    return F.cross_entropy(logits, target, size_average=False)
"""


def codes(folder: Path, text: str, head: str = HEAD) -> list[str]:
    """The codes found in a file of a small package."""
    (folder / "__init__.py").write_text("")
    (folder / "parts.py").write_text(PARTS)
    return [each.code for each in linted(head + text, folder / "losses.py", folder.parent) if each.code == "LL710"]


RAISES = {
    "name that nothing binds": "self.decoder = Decoder(hidden)",
    "value that nothing binds": "self.depth = DEPTH",
    "missing argument": "self.helper = Helper()",
    "argument too many": "self.helper = Helper(hidden, 2)",
    "unknown argument": "self.helper = Helper(hidden, size=2)",
    "argument twice": "self.helper = Helper(hidden, width=2)",
    "float as a width": "self.layer = nn.Linear(hidden, hidden / 2)",
    "object as a width": "self.encoder = Encoder(vocab, hidden)",
    "in both branches": "if hidden > 3:\n            Helper()\n        else:\n            Helper(1, 2)",
}
GOES_ON = {
    "one branch alone": "if hidden > 3:\n            self.helper = Helper()",
    "one side alone": "self.helper = Helper() if hidden > 3 else None",
    "tried": "try:\n            self.helper = Helper()\n        except TypeError:\n            self.helper = None",
    "suppressed": "with contextlib.suppress(TypeError):\n            self.helper = Helper()",
    "maybe no turn": "for _ in range(hidden):\n            self.helper = Helper()",
    "fits": "self.helper = Helper(hidden, depth=3)",
    "changed options": "kept = {'size': 1}\n        kept.pop('size')\n        self.helper = Helper(hidden, **kept)",
    "hidden arguments": "self.helper = Helper(*hidden)",
    "whole number": "self.layer = nn.Linear(hidden, hidden // 2)",
    "rounded": "self.layer = nn.Linear(hidden, int(hidden / 2))",
    "object that is none": "self.encoder = Encoder(hidden, hidden)",
    "builtin": "self.limit = max(hidden, len(self.embedding.weight))",
    "in a list": "self.helpers = [Helper() for _ in range(hidden)]",
    "lambda": "self.later = lambda: Helper()",
}


@pytest.mark.parametrize("before", RAISES.values(), ids=RAISES)
def test_nothing_is_found_behind_what_raises(tmp_path: Path, before: str) -> None:
    assert codes(tmp_path, CONSTRUCTED.format(before=before)) == []


@pytest.mark.parametrize("before", GOES_ON.values(), ids=GOES_ON)
def test_what_may_go_on_is_looked_at(tmp_path: Path, before: str) -> None:
    assert codes(tmp_path, CONSTRUCTED.format(before=before)) == ["LL710"]


@pytest.mark.parametrize(
    ("before", "found"),
    [
        ("gap = distance(logits, target)", False),
        ("gap = distance(logits, target, 1.0)", True),
        ("gap = distance(logits, target, margin=1.0, p=2)", False),
        ("gap = parts.distance(logits)", True),  # `parts` is no name of the file's, but nothing of it is known
    ],
)
def test_calls_of_functions_end_a_path(tmp_path: Path, before: str, found: bool) -> None:
    head = HEAD.replace("distance\n", "distance\nfrom somewhere import parts\n")
    assert codes(tmp_path, CALLED.format(before=before), head) == ["LL710"] * found


@pytest.mark.parametrize(
    ("definition", "found"),
    [
        ("def helper(x):\n    raise RuntimeError", False),
        ("def helper(x):\n    raise RuntimeError\n    yield x", True),
        ("@registered\ndef helper(x):\n    raise RuntimeError", True),
        (
            "if FAST:\n    def helper(x):\n        return x\nelse:\n    def helper(x):\n        raise RuntimeError",
            True,
        ),
        ("def helper(x):\n    if x.sum() > 0:\n        raise RuntimeError", True),
    ],
)
def test_a_function_that_always_raises_ends_the_path(tmp_path: Path, definition: str, found: bool) -> None:
    head = f"{HEAD}from somewhere import FAST, registered\n{definition}\n"
    assert codes(tmp_path, CALLED.format(before="helper(logits)"), head) == ["LL710"] * found


@pytest.mark.parametrize(
    ("base", "found"), [("Abstract", False), ("Abstract, Helper", True), ("Helper, Abstract", True)]
)
def test_a_base_whose_constructor_raises(tmp_path: Path, base: str, found: bool) -> None:
    head = HEAD.replace("Encoder,", "Abstract, Encoder,")
    text = CONSTRUCTED.format(before="pass").replace("nn.Module", base)
    assert codes(tmp_path, text, head) == ["LL710"] * found


def test_an_excerpt_may_speak_of_names_that_are_bound_elsewhere(tmp_path: Path) -> None:
    head = HEAD.replace("from .parts import Encoder, Helper, distance", "")
    assert codes(tmp_path, CONSTRUCTED.format(before="self.decoder = Decoder(hidden)"), head) == ["LL710"]
    starred = HEAD + "from somewhere import *\n"
    assert codes(tmp_path, CONSTRUCTED.format(before="self.decoder = Decoder(hidden)"), starred) == ["LL710"]


def test_torch_refuses_widths_that_are_no_whole_numbers() -> None:
    for make in (
        lambda: nn.Linear(4 / 2, 3),
        lambda: nn.Linear(3, 4 / 2),
        lambda: nn.Bilinear(2, 2, 4 / 2),
        lambda: nn.Embedding(4 / 2, 3),
        lambda: nn.Conv2d(4 / 2, 3, 3),
        lambda: nn.ConvTranspose1d(4, 4 / 2, 3),
        lambda: nn.Embedding(torch.zeros(3).size(), 3),
    ):
        with pytest.raises(TypeError):
            make()


def test_the_warnings_of_what_is_read_are_not_printed(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    codes(tmp_path, 'WORDS = "\\d+"\n' + CALLED.format(before="gap = DEPTH"))
    assert [str(each.message) for each in recwarn] == []
