"""A rule warns by itself only where fresh rounds have shown that it may (decision 6)."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from losslint import registry
from losslint.diagnostic import Severity

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

from fresh import REFUSED, may_warn, records


def test_what_warns_has_earned_it_and_what_has_earned_it_warns() -> None:
    judged: dict[str, Counter[str]] = {}
    for _, found in records():
        for each in found:
            judged.setdefault(each["code"], Counter())[each["verdict"]] += 1
    own = (info for info in registry.index().values() if info.code < "LL9")
    could = [info for info in own if not info.preview and info.severity is not Severity.INFO]
    assert {info.code for info in could} >= REFUSED
    for info in could:
        assert info.doubted is not may_warn(info.code, judged.get(info.code, Counter())), info.code


def test_few_findings_have_to_be_right_more_often_than_not_and_many_nearly_always() -> None:
    def of(true: int, false: int) -> Counter[str]:
        return Counter(true=true, false=false)

    assert not may_warn("LL310", of(0, 0))
    assert may_warn("LL310", of(1, 0))
    assert not may_warn("LL310", of(1, 1))
    assert may_warn("LL310", of(3, 1))
    assert not may_warn("LL310", of(4, 1))
    assert may_warn("LL310", of(6, 1))
    assert may_warn("LL401", of(0, 0))
    assert not may_warn("LL401", of(0, 1))
