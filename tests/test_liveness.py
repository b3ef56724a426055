"""Which bindings of local names are read: branches, loops, jumps, handlers, closures and comprehensions."""

from __future__ import annotations

import textwrap

import libcst as cst
import pytest

from losslint.semantics.liveness import liveness


def function_of(body: str, parameters: str = "x, y") -> cst.FunctionDef:
    """The definition of a function with this body."""
    text = f"def f({parameters}):\n" + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") + "\n"
    node = cst.parse_module(text).body[0]
    assert isinstance(node, cst.FunctionDef)
    return node


def unread(body: str) -> list[str]:
    """The values of the plain assignments nobody reads, with `!` where another binding always comes first."""
    live = liveness(function_of(body))
    found = []
    for binding in live.bindings:
        fate = live.fate(binding)
        if binding.how == "assign" and not fate.read and binding.value is not None:
            always = "!" if fate.rebound and not fate.leaves else ""
            found.append(cst.Module([]).code_for_node(binding.value) + always)
    return found


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a = 1\na = 2\nreturn a", ["1!"]),
        ("a = 1\nreturn x", ["1"]),
        ("a = 1\na = a + 1\nreturn a", []),
        ("a = 1\na += 1\nreturn a", []),
        ("a = 1\nif x:\n    a = 2\nreturn a", []),
        ("a = 1\nif x:\n    a = 2\nelse:\n    a = 3\nreturn a", ["1!"]),
        ("a = 1\nif x:\n    a = 2\nelif y:\n    return x\nelse:\n    a = 3\nreturn a", ["1"]),
        ("a = 1\nif x:\n    a = 2\nelif y:\n    raise ValueError\nelse:\n    a = 3\nreturn a", ["1!"]),
        ("a = 1\nfor i in x:\n    a = i\nreturn a", []),
        ("for i in x:\n    a = i\n    a = 2\n    y.append(a)", ["i!"]),
        ("for i in x:\n    i = i * 2\nreturn x", ["i * 2"]),
        ("for i in x:\n    i = i * 2\nreturn i", []),
        ("for i in x:\n    i = i * 2\n    y += i\nreturn y", []),
        ("for i in x:\n    y += i\n    i = i * 2\nreturn y", ["i * 2"]),
        ("a = 1\nwhile x:\n    if a:\n        break\n    a = 2\nreturn x", []),
        (
            "for i in x:\n    if i:\n        a = 1\n        continue\n    a = 2\nelse:\n    a = 3\nreturn a",
            ["1!", "2!"],
        ),
        ("for i in x:\n    if i:\n        a = 1\n        break\nelse:\n    a = 3\nreturn a", []),
        ("while True:\n    a = x\n    if a:\n        break\na = 1\nreturn a", []),
        ("a = 1\ntry:\n    a = x()\nexcept ValueError:\n    pass\nreturn a", []),
        ("a = 1\ntry:\n    a = x()\nexcept ValueError:\n    a = 2\nreturn a", ["1!"]),
        ("a = 1\ntry:\n    a = x()\nfinally:\n    y(a)", []),
        ("a = 1\nwith suppress(ValueError):\n    a = x()\nreturn a", []),
        ("a = 1\nwith x:\n    a = y\nreturn a", ["1!"]),
        ("a = 1\nreturn lambda: a", []),
        ("a = 1\ndef g():\n    return a\na = 2\nreturn g", []),
        ("a = 1\nreturn [a for a in x]", ["1"]),
        ("a = 1\nreturn [b for b in x if a]", []),
        ("a = x\nreturn [a for a in a]", []),
        ("a = 1\nreturn f'{a:>{y}}'", []),
        ("a = 1\nreturn locals()", []),
        ("a = 1\ndel a", []),
        ("a = 1\nif (a := x):\n    return a", ["1!"]),
        ("a, b = x\na = 1\nreturn a, b", []),
        ("a = 1\nmatch x:\n    case [a]:\n        return a\nreturn y", ["1"]),
        ("a = 1\nmatch x:\n    case 1 if a:\n        return y", []),
        ("a = 1\na.b = x\nreturn y", []),
        ("a = 1\nx[a] = y", []),
        ("a: int = 1\na: int = 2\nreturn a", ["1!"]),
        ("global a\na = 1", []),
    ],
)
def test_what_becomes_of_a_binding(body: str, expected: list[str]) -> None:
    assert unread(body) == expected


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ("return x", False),
        ("return y", True),
        ("y = 1\nreturn y", False),
        ("if y is None:\n    y = 1\nreturn y", True),
        ("return x.y", False),
        ("return x(y=1)", False),
        ("return x(z=y)", True),
        ("y += 1\nreturn x", True),
        ("def g(): return y\nreturn g", True),
    ],
)
def test_whether_a_parameter_is_read(body: str, read: bool) -> None:
    assert liveness(function_of(body)).fate_of_parameter("y").read is read


def test_bindings_know_their_loops_and_whether_they_may_be_skipped() -> None:
    live = liveness(function_of("a = 1\nfor i in x:\n    if i:\n        b = 2\nc = 3"))
    known = {binding.name: (len(binding.loops), binding.conditional) for binding in live.bindings}
    assert known == {"a": (0, False), "i": (1, True), "b": (1, True), "c": (0, False)}
