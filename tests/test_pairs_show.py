"""Each pair of fixtures/pairs is what it says: the buggy half misbehaves in torch, and the fixed half does not."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from pairs_shown import broadcast, device, dtype, empty, gradient, in_place, maths, numerics, reduction, slip

FOLDER = Path(__file__).parent.parent / "fixtures" / "pairs"
SLUGS = sorted(path.parent.name for path in FOLDER.glob("*/buggy.py"))
FAMILIES = (maths, empty, reduction, device, numerics, dtype, slip, broadcast, in_place, gradient)
PROOFS: dict[str, Callable[[ModuleType], bool]] = {
    name: proof for family in FAMILIES for name, proof in vars(family).items() if name in SLUGS
}


def module(slug: str, half: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"pair_{slug}_{half}", FOLDER / slug / f"{half}.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.mark.parametrize("slug", SLUGS)
def test_only_the_buggy_half_shows_its_bug(slug: str) -> None:
    torch.manual_seed(0)
    assert PROOFS[slug](module(slug, "buggy")), "the buggy half behaves"
    assert not PROOFS[slug](module(slug, "fixed")), "the fixed half misbehaves"
