"""Comments silence what they name where they stand, and those that silence nothing are found and removed."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losslint.diagnostic import Applicability, Diagnostic, Severity, Span
from losslint.fixes import apply_fixes
from losslint.packs import RuleInfo
from losslint.source import Source
from losslint.suppression import suppress


def rule(code: str, name: str) -> RuleInfo:
    return RuleInfo(code, name, Severity.WARNING, False, False, name, "", "", "")


KNOWN = {
    info.code: info
    for info in (
        rule("LL201", "unguarded-log"),
        rule("LL203", "unguarded-division"),
        rule("LL301", "unreduced-return"),
        rule("LL901", "unused-suppression"),
    )
}
EVERY = frozenset(KNOWN)


def source_of(text: str) -> Source:
    return Source("losses.py", text)


def finding(source: Source, code: str, target: str, end: str = "") -> Diagnostic:
    start = source.text.index(target)
    stop = source.text.index(end, start) + len(end) if end else start + len(target)
    span = Span(len(source.text[:start].encode()), len(source.text[:stop].encode()))
    return Diagnostic(code, KNOWN[code].name, "message", Severity.ERROR, source.place(span))


def left(text: str, *findings: tuple[str, str], selected: Collection[str] = EVERY) -> list[str]:
    """The codes kept after suppression, with the messages of LL901."""
    source = source_of(textwrap.dedent(text))
    found = [finding(source, code, target) for code, target in findings]
    kept = suppress(source, found, selected, KNOWN)
    return [f"{each.code} {each.message}" if each.code == "LL901" else each.code for each in kept]


LOG, DIVISION = ("LL201", "p.log()"), ("LL203", "/ n")


@pytest.mark.parametrize(
    "text",
    [
        "x = p.log()  # losslint: ignore[LL201] -- clamped by the caller",
        "x = p.log()  #losslint:ignore[LL201]",
        "x = p.log()  # losslint: ignore[unguarded-log]",
        "x = p.log()  # losslint: ignore [ LL201 ] because",
        "x = p.log()  # noqa: LL201",
        "x = p.log()  # noqa:LL201",
        "x = p.log()  # NoQA: E501, ll201",
        "x = p.log()  # noqa: E501 LL201 -- reason",
        "x = p.log()  # noqa",
        "x = p.log()  # noqa because of that",
        "x = p.log()  # type: ignore  # losslint: ignore[LL201]",
        "x = p.log()  # a word # losslint: ignore[LL201]",
        "# losslint: ignore[LL201]\nx = p.log()",
        "# losslint: ignore[LL201]\n# another comment\nx = p.log()",
        "if a:\n    # losslint: ignore[LL201]\n    x = p.log()",
        "for i in y:\n    pass\n    # losslint: ignore[LL201]\nx = p.log()",
        "x = (\n    p.log()\n    + 1  # losslint: ignore[LL201]\n)",
        "x = (  # losslint: ignore[LL201]\n    p.log()\n)",
        "x = (\n    p.log()\n)  # losslint: ignore[LL201]",
        "x = (\n    # losslint: ignore[LL201]\n    p.log()\n)",
        "x = f(\n    p.log(),\n    a,\n)  # noqa: LL201",
        "if p.log() > 1:  # losslint: ignore[LL201]\n    pass",
        "# losslint: ignore[LL201]\n@decorated\n@twice(3)\ndef f(x=p.log()): pass",
        "y = (a\n    @ b)\nx = p.log()  # losslint: ignore[LL201]",
        "x = \\\n    p.log()  # losslint: ignore[LL201]",
        "x = p.log()\n# losslint: file-ignore[LL201] -- all are clamped",
        "# losslint: file-ignore[unguarded-log]\n\n\n\nx = p.log()",
        "é = '漢字'; x = p.log()  # losslint: ignore[LL201]",
        "\tx = p.log()  # losslint: ignore[LL201]",
        "x = p.log()  # losslint: ignore[LL201]\n'unclosed",
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_silenced(text: str, newline: str) -> None:
    assert left(text.replace("\n", newline), LOG) == []


@pytest.mark.parametrize(
    "text",
    [
        'x = p.log(), "# losslint: ignore[LL201]"',
        "x = p.log(), '''\n# losslint: file-ignore[LL201]\n'''",
        "x = p.log()  # noqa: E501",
        "x = p.log()  # noqa: because",
        "x = p.log()  # noqable",
        "x = p.log()  # flake8: noqa",
        "x = p.log()  # see `# losslint: ignore[LL201]`",
        "x = p.log()  # losslint: found this one",
        "# noqa\nx = p.log()",
        "x = (\n    p.log()\n    + 1  # noqa\n)",
    ],
)
def test_not_silenced(text: str) -> None:
    assert left(text, LOG) == ["LL201"]


UNUSED = "LL901 unused suppression: nothing here is found by "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = p.log()  # losslint: ignore[LL203]", UNUSED + "LL203"),
        ("x = p.log()  # losslint: ignore[LL203, LL301]", UNUSED + "LL203, LL301"),
        ("x = p.log()  # noqa: E501, LL203", UNUSED + "LL203"),
        ("# noqa: LL201\nx = p.log()", UNUSED + "LL201"),
        ("# losslint: ignore[LL201]\n\nx = p.log()", UNUSED + "LL201"),
        ("for a in b:  # losslint: ignore[LL201]\n    x = p.log()", UNUSED + "LL201"),
        ("x = p.log()\n# losslint: ignore[LL201]", UNUSED + "LL201"),
        (
            "# losslint: file-ignore[LL203]\nx = p.log()",
            "LL901 unused suppression: nothing in this file is found by LL203",
        ),
        ("x = p.log()  # losslint: ignore[LL2O1]", "LL901 `LL2O1` is no rule, so it silences nothing"),
        ("x = p.log()  # losslint: ignore[LL2]", "LL901 `LL2` is no rule, so it silences nothing"),
        ("x = p.log()  # noqa: LL299", "LL901 `LL299` is no rule, so it silences nothing"),
        ("x = p.log()  # losslint: ignore", "LL901 `ignore` silences nothing without codes: write `ignore[LL201]`"),
        ("x = p.log()  # losslint: ignore[]", "LL901 `ignore` silences nothing without codes: write `ignore[LL201]`"),
        (
            "x = p.log()\ny = 1  # losslint: ignore",
            "LL901 `ignore` silences nothing without codes: write `ignore[LL201]`",
        ),
        ("x = p.log()  # losslint: ingore[LL201]", "LL901 `ingore` is unknown here: write `ignore` or `file-ignore`"),
    ],
)
def test_useless_suppressions_are_findings(text: str, message: str) -> None:
    found = left(text, LOG)
    assert "LL201" in found
    (own,) = (each for each in found if each != "LL201")
    assert own.startswith(message)


def test_partly_used() -> None:
    text = "x = p.log() / n  # losslint: ignore[LL201, LL203, LL301] -- why"
    assert left(text, LOG, DIVISION) == [UNUSED + "LL301"]
    assert left(text, LOG) == [UNUSED + "LL203, LL301"]


def test_codes_of_rules_that_did_not_run_are_left_alone() -> None:
    text = "x = p.log()  # losslint: ignore[LL201, LL203]"
    assert left(text, selected={"LL203", "LL901"}) == [UNUSED + "LL203"]
    assert left(text, selected={"LL901"}) == []
    assert left(text, selected={"LL201"}) == []


def test_a_bare_noqa_is_never_unused() -> None:
    assert left("x = 1  # noqa\n# noqa\ny = 2  # noqa: E501") == []


def test_both_of_two_suppressions_of_one_finding_are_used() -> None:
    assert left("# losslint: file-ignore[LL201]\nx = p.log()  # losslint: ignore[LL201]  # noqa: LL201", LOG) == []


def test_the_same_code_twice_is_once_too_many() -> None:
    assert left("x = p.log()  # losslint: ignore[LL201, unguarded-log]", LOG) == [UNUSED + "unguarded-log"]


def test_unused_suppression_can_be_suppressed() -> None:
    assert left("x = 1  # losslint: ignore[LL201, LL901]") == []
    assert left("# losslint: file-ignore[LL901]\nx = 1  # losslint: ignore[LL201]") == []
    assert left("x = p.log()  # losslint: ignore[LL201, LL901]", LOG) == [UNUSED + "LL901"]


def test_own_findings_are_whole() -> None:
    source = source_of("x = 1  # losslint: ignore[LL201]\ny = 1  # losslint: ignore[LL201]\n")
    first, second = suppress(source, [], EVERY, KNOWN)
    assert (first.code, first.name, first.severity) == ("LL901", "unused-suppression", Severity.WARNING)
    assert source.excerpt(first.place.span) == "# losslint: ignore[LL201]"
    assert first.url == "docs/rules/unused-suppression.md"
    assert first.fingerprint != second.fingerprint
    assert first.fix is not None
    assert first.fix.applicability is Applicability.SAFE


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1  # losslint: ignore[LL201] -- why\n", "x = 1\n"),
        ("x = 1  # losslint: ignore[LL201] -- see #12  \n", "x = 1\n"),
        ("x = 1\t#losslint:ignore[LL201]", "x = 1"),
        ("x = 1  # type: ignore  # losslint: ignore[LL201] -- why\n", "x = 1  # type: ignore\n"),
        ("x = 1  # losslint: ignore[LL201] -- why  # type: ignore\n", "x = 1  # type: ignore\n"),
        ("x = 1  # losslint: ignore[LL201]  # noqa: E501\n", "x = 1  # noqa: E501\n"),
        ("x = 1  # words # losslint: ignore[LL201]\n", "x = 1  # words\n"),
        ("x = 1  # losslint: ignore[LL201] words\n", "x = 1  # words\n"),
        ("x = 1  # noqa: LL201\n", "x = 1\n"),
        ("x = 1  # noqa: E501, LL201, W291 words\n", "x = 1  # noqa: E501, W291 words\n"),
        ("x = 1  # noqa:LL201,E501\n", "x = 1  # noqa:E501\n"),
        ("x = 1  # noqa: LL201 words\n", "x = 1  # words\n"),
        ("x = 1  # noqa: LL201, LL203  # losslint: ignore[LL301]\n", "x = 1\n"),
        ("# losslint: ignore[LL201] -- why\nx = 1\n", "x = 1\n"),
        ("if x:\n    # losslint: ignore[LL201]\n    x = 1\n", "if x:\n    x = 1\n"),
        ("x = 1\n# losslint: file-ignore[LL201]", "x = 1\n"),
        ("# first\n# losslint: ignore[LL201]\n# last\nx = 1\n", "# first\n# last\nx = 1\n"),
        ("é = '漢'  # losslint: ignore[LL201] -- naïve\n# ende\n", "é = '漢'\n# ende\n"),
        ("x = p.log()  # losslint: ignore[LL201, LL203] -- why\n", "x = p.log()  # losslint: ignore[LL201] -- why\n"),
        ("x = p.log()  # losslint: ignore[LL203,unguarded-log]\n", "x = p.log()  # losslint: ignore[unguarded-log]\n"),
        ("x = 1  # losslint: ignore[LL2O1]\n", "x = 1  # losslint: ignore[LL2O1]\n"),
        ("x = 1  # losslint: ignore[LL201, LL2O1]\n", "x = 1  # losslint: ignore[LL2O1]\n"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_fix_removes_what_is_of_no_use(before: str, after: str, newline: str) -> None:
    text = before.replace("\n", newline)
    for _ in range(5):
        source = source_of(text)
        logs = [finding(source, *LOG)] if "p.log()" in text else []
        text = apply_fixes(source, suppress(source, logs, EVERY, KNOWN)).text
    assert text == after.replace("\n", newline)


def test_findings_come_back_in_order() -> None:
    source = source_of("x = 1  # losslint: ignore[LL201]\ny = p.log() / n\n")
    found = [finding(source, *LOG), finding(source, *DIVISION)]
    assert [each.code for each in suppress(source, found, EVERY, KNOWN)] == ["LL901", "LL201", "LL203"]


def test_a_finding_over_many_lines_counts_where_it_starts() -> None:
    text = "for a in b:{}\n    x = 1{}\n"
    for header, body, expected in (
        ("  # losslint: ignore[LL301]", "", []),
        ("", "  # losslint: ignore[LL301]", ["LL301", "LL901"]),
        ("  # noqa", "", []),
        ("", "  # noqa", ["LL301"]),
    ):
        source = source_of(text.format(header, body))
        found = finding(source, "LL301", "for", "x = 1")
        assert [each.code for each in suppress(source, [found], EVERY, KNOWN)] == expected


def test_without_comments_the_same_objects_come_back() -> None:
    source = source_of("x = p.log()\n")
    found = (finding(source, *LOG),)
    assert suppress(source, found, EVERY, KNOWN) == found


WORDS = ("# losslint: ignore[LL201]", "# noqa: LL201, E1", "# noqa", "x = p.log()", "@d", "def f():", "losslint:")
SIGNS = ("(", ")", "[", "]", '"', "'''", "\\", "#", "--", "    ", "\t", "\n", "\r\n", "\r", "\f", "\0", "é", "\u2028")
PIECES = st.lists(st.sampled_from([*WORDS, *SIGNS]), max_size=25)


@given(PIECES)
def test_no_text_makes_it_stumble(pieces: list[str]) -> None:
    source = source_of("".join(pieces))
    starts = [match.start() for match in re.finditer(re.escape("p.log()"), source.text)]
    first = Span(0, 0)
    spans = [Span(n := len(source.text[:start].encode()), n + 7) for start in starts]
    found = [Diagnostic("LL201", "unguarded-log", "m", Severity.ERROR, source.place(span)) for span in spans or [first]]
    kept = suppress(source, found, EVERY, KNOWN)
    assert {each for each in kept if each.code != "LL901"} <= set(found)
    for each in kept:
        if each.code == "LL901":
            assert source.excerpt(each.place.span).startswith("#")


@given(PIECES)
def test_removing_unused_suppressions_ends_and_keeps_the_code(pieces: list[str]) -> None:
    text = "".join(pieces)
    for _ in range(40):
        source = source_of(text)
        unsilenced = [replace(each, severity=Severity.INFO) for each in suppress(source, [], EVERY, KNOWN)]
        fixed = apply_fixes(source, unsilenced)
        if not fixed.applied:
            break
        text = fixed.text
    else:
        pytest.fail("it never ends")
    assert text.count("p.log()") <= "".join(pieces).count("p.log()")
