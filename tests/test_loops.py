"""Loops: what holds at the head of every turn, and what a loop leaves."""

from __future__ import annotations

import textwrap
from pathlib import Path

import libcst as cst
import pytest

from losslint.semantics.graph import Graph
from losslint.semantics.interpreter import analyse
from losslint.semantics.names import parse_unit
from losslint.semantics.values import Kind, Value


def graph_of(text: str) -> Graph:
    module = cst.parse_module("import torch\nfrom torch import Tensor\n" + textwrap.dedent(text))
    graph = analyse(parse_unit(Path("sample.py"), "sample.py", module), "loss")
    assert graph is not None
    return graph


def result(text: str) -> Value:
    (made,) = graph_of(text).returns
    return made.operands[0]


def names(value: Value) -> set[str]:
    return {each.origin.name for each in value.alternatives}


def test_an_accumulator_is_a_sum_or_its_start() -> None:
    graph = graph_of("""
    def loss(xs, y: Tensor):
        total = 0
        for x in xs:
            total = total + (x - y).abs().mean()
        return total
    """)
    assert names(graph.returns[0].operands[0]) == {"constant", "add"}
    (added,) = graph.named("add")
    assert names(added.operands[0]) == {"constant", "add"}
    assert added.value.interval.low == 0
    assert [op.name for op in graph.ops].count("sub") == 1, "only the last run of the body is recorded"


def test_a_loop_over_what_is_written_out_runs() -> None:
    made = result("""
    def loss(x: Tensor, y: Tensor):
        total = 0
        for each in (x, y):
            total = total + each.mean()
        return total
    """)
    assert names(made) == {"add"}


def test_none_before_the_first_turn_is_asked_for() -> None:
    made = result("""
    def loss(xs, y: Tensor):
        total = None
        for x in xs:
            term = (x - y).abs().mean()
            total = term if total is None else total + term
        return total
    """)
    assert {"mean", "add"} <= names(made)


def test_shapes_that_turns_change_are_unknown() -> None:
    made = result("""
    def loss(x: Tensor, n):
        x = x.sum()
        for i in range(n):
            x = x.unsqueeze(0)
        return x
    """)
    assert made.rank is None


@pytest.mark.parametrize(
    ("body", "ways"),
    [
        ("break", {"constant", "mean"}),
        ("continue", {"constant", "mean", "sum"}),
    ],
)
def test_else_runs_where_no_break_left(body: str, ways: set[str]) -> None:
    made = result(f"""
    def loss(xs, y: Tensor):
        total = 0.0
        for x in xs:
            total = y.mean()
            if x is None:
                {body}
            total = y.sum()
        else:
            total = y.amax() if {body == "break"} else total
        return total
    """)
    assert made.kind is Kind.TENSOR
    assert names(made) & ways


def test_a_loop_that_never_runs_leaves_everything() -> None:
    made = result("""
    def loss(y: Tensor):
        total = y.mean()
        while False:
            total = y.sum()
        return total
    """)
    assert names(made) == {"mean"}


@pytest.mark.parametrize(
    "text",
    [
        "    for a in xs:\n        for b in a:\n            for c in b:\n                for d in c:\n"
        "                    total = total + d.sum()\n                total = total * 2\n",
        "    while total.sum() < 3:\n        total = total + 1\n        xs = [total]\n",
        "    for x in xs:\n        total = total + loss(x)\n",
        "    while True:\n        total = total + 1\n",
        "".join(f"    total = total + xs[{number}].mean()\n" for number in range(1_000)),
        "    for x in xs:\n" + "".join(f"        total = total + x[{number}].mean()\n" for number in range(1_000)),
        "    total = helper(total, 9)\n",
    ],
    ids=["nested", "while", "recursion", "for ever", "1,000 statements", "1,000 statements in a loop", "helpers"],
)
def test_no_loop_is_too_much(text: str) -> None:
    helper = "def helper(x, n):\n    return other(x, n - 1) if n else x\n\ndef other(x, n):\n    return helper(x, n)\n"
    graph_of(f"{helper}\ndef loss(xs, total: Tensor = torch.zeros(())):\n{text}    return total\n")
