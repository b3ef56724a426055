"""The table of torch's names: nothing that the installed torch has is missing, and it is what the script writes."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

from losslint.semantics.operators.torch_names import torch_names, torch_versions

pytest.importorskip("torch")
SCRIPTS = Path(__file__).parent.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))
generator = importlib.import_module("generate_torch_names")
sys.path.remove(str(SCRIPTS))


@pytest.mark.parametrize("namespace", generator.NAMESPACES)
def test_every_public_name_of_the_installed_torch_is_known(namespace: str) -> None:
    known = torch_names(namespace)
    assert known is not None
    present = {name for name in dir(importlib.import_module(namespace)) if not name.startswith("_")}
    assert present - known == set()


def test_reading_the_installed_torch_adds_nothing() -> None:
    content = json.loads(generator.TARGET.read_text("utf-8"))
    version, reader = generator.of_installed()
    again = generator.collect([(version, reader)], content)
    assert again["names"] == content["names"]
    assert version in content["versions"], "run scripts/generate_torch_names.py --add for this version"


def test_the_table_is_small_and_holds_an_old_and_a_new_version() -> None:
    assert generator.TARGET.stat().st_size < 200_000
    assert {version.partition(".")[0] for version in torch_versions()} == {"1", "2"}


@pytest.mark.parametrize("name", ["L2Loss", "CrossEntropy", "cross_entropy_loss", "log_softmax_"])
def test_names_that_torch_never_had_are_not_in_it(name: str) -> None:
    assert all(name not in (torch_names(namespace) or ()) for namespace in generator.NAMESPACES)
