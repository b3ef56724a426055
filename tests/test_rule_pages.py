"""Every rule's page: its Bad block has the hazard, its Good block is silent."""

from __future__ import annotations

import re

import pytest

from linted import linted
from losslint import registry

BLOCK = re.compile(r"## (Bad|Good)\n+```python\n(.*?)```", re.DOTALL)
RULES = [info for info in registry.index().values() if not info.code.startswith("LL9")]


@pytest.mark.parametrize("info", RULES, ids=lambda info: info.code)
def test_bad_block_is_found_and_good_block_is_silent(info: registry.RuleInfo) -> None:
    blocks = dict(BLOCK.findall(info.page))
    assert set(blocks) == {"Bad", "Good"}, "a page shows what is bad and what to write instead"
    if info.in_source:
        assert info.code in {each.code for each in linted(blocks["Bad"])}
    assert [each for each in linted(blocks["Good"]) if each.severity.value != "info"] == []


@pytest.mark.parametrize("info", RULES, ids=lambda info: info.code)
def test_page_says_what_a_run_would_show(info: registry.RuleInfo) -> None:
    assert info.title and not info.title.endswith(".")
    if info.in_source:
        assert "A run confirms it" in " ".join(info.page.split())
    else:
        assert re.search(r"\b[Aa] run\b", info.page)
