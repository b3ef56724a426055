"""Every format says the same findings, each in its own way; the full one is read by people and is compared whole."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from rich.cells import cell_len

from losslint import reporters
from losslint.diagnostic import Applicability, Diagnostic, Edit, Evidence, Fix, Place, Severity, Span, Verdict
from losslint.packs import RuleInfo
from losslint.reporters import pages
from losslint.runner import Report
from losslint.source import Source

TEXT = """\
import torch
from torch import nn


class FocalLoss(nn.Module):
    def forward(self, logits, target):
        p = logits.softmax(dim=1)
        count = target.sum()
        for row in target:
            print(row)
        return -(target * p.log()).sum() / count
"""


def source_of(text: str, filename: str = "losses.py") -> Source:
    return Source(filename, text)


SOURCE = source_of(TEXT)


def at(target: str, source: Source = SOURCE) -> Place:
    start = len(source.text[: source.text.index(target)].encode())
    return source.place(Span(start, start + len(target.encode())))


def finding(
    target: str,
    severity: Severity = Severity.ERROR,
    code: str = "LL201",
    name: str = "unguarded-log",
    message: str = "the log of `p` can be -inf",
    source: Source = SOURCE,
    **more: object,
) -> Diagnostic:
    fields = {"symbol": "FocalLoss.forward", "url": f"docs/rules/{name}.md", "fingerprint": "0123456789abcdef", **more}
    return Diagnostic(code, name, message, severity, at(target, source), **fields)  # type: ignore[arg-type]


SAFE = Fix(
    Applicability.SAFE,
    "use log_softmax, which never leaves the log domain",
    (Edit(at("p.log()"), "torch.log_softmax(logits, dim=1)"),),
)
UNSAFE = Fix(Applicability.UNSAFE, "divide by at least 1", (Edit(at("/ count"), "/ count.clamp(min=1)"),))
PATH = (
    Evidence(
        "a softmax output underflows to exactly 0 in float32 where its logit lies 104 below the largest",
        at("logits.softmax(dim=1)"),
    ),
    Evidence("its log", at("p.log()")),
)
LOG = finding("p.log()", evidence=PATH, fix=SAFE)
DIVISION = finding("/ count", Severity.WARNING, "LL203", "unguarded-division", "`count` can be 0", fix=UNSAFE)
NOTE = finding("target.sum()", Severity.INFO, "LL999", "a-note", "nothing is known of `target`", evidence=PATH)


def report(*diagnostics: Diagnostic, source: Source = SOURCE, **counts: int) -> Report:
    counts = {"files": 57, "losses": 12, "fixable": 0, "fixable_unsafe": 0, "fixed": 0, **counts}
    return Report(diagnostics, {source.filename: source}, **counts)


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_full_tells_the_whole_story() -> None:
    text = reporters.render("full", report(NOTE, LOG, DIVISION, fixable=1, fixable_unsafe=1))
    assert text == (
        """\
losses.py:11:27: LL201 [error] unguarded-log in FocalLoss.forward
  the log of `p` can be -inf

  10 |       print(row)
  11 | > return -(target * p.log()).sum() / count
     |                     ^^^^^^^

  How it comes about:
    1. losses.py:7:13  p = logits.softmax(dim=1)
       a softmax output underflows to exactly 0 in float32 where its logit lies
       104 below the largest
    2. losses.py:11:27  return -(target * p.log()).sum() / count
       its log

  fix (safe): use log_softmax, which never leaves the log domain
    - return -(target * p.log()).sum() / count
    + return -(target * torch.log_softmax(logits, dim=1)).sum() / count
  see: losslint rule LL201

losses.py:11:42: LL203 [warning] unguarded-division in FocalLoss.forward
  `count` can be 0

  10 |       print(row)
  11 | > return -(target * p.log()).sum() / count
     |                                    ^^^^^^^

  fix (unsafe): divide by at least 1
    - return -(target * p.log()).sum() / count
    + return -(target * p.log()).sum() / count.clamp(min=1)
  see: losslint rule LL203

Also seen (info: nothing proven, does not fail the run)

losses.py:8:17: LL999 [info] a-note in FocalLoss.forward
  nothing is known of `target`
    count = target.sum()

Found 1 error, 1 warning and 1 info: 12 losses in 57 files checked.
1 fixable with --fix, 1 more with --unsafe-fixes (these change values or intent).
"""
    )


def test_full_marks_every_line_of_a_long_stretch() -> None:
    text = reporters.render("full", report(finding("for row in target:\n            print(row)")))
    assert (
        """
   8 |   count = target.sum()
   9 | > for row in target:
     |   ^^^^^^^^^^^^^^^^^^
  10 | >     print(row)
  11 |   return -(target * p.log()).sum() / count
"""
        in text
    )


def test_full_leaves_out_the_middle_of_a_very_long_stretch() -> None:
    source = source_of("for a in b:\n" + "".join(f"    x = {row}\n" for row in range(2, 30)))
    text = reporters.render("full", report(finding(source.text.strip(), source=source), source=source))
    assert (
        """
   1 | > for a in b:
     |   ^^^^^^^^^^^
   2 | >     x = 2
   3 | >     x = 3
     |   ...
  29 | >     x = 29
"""
        in text
    )


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("\tx = p.log()\n", "p.log()"),
        ("x = '漢字😀', p.log()\n", "p.log()"),
        ("x = 'e\u0301a\u0300', p.log()\n", "p.log()"),
        ("x = '漢字', y\n", "漢字"),
        ("x = '\x1b[31m\u202e', p.log()\n", "p.log()"),
        ("x = " + "abcdefgh + " * 20 + "p.log()\n", "p.log()"),
        ("x = " + "漢字 + " * 30 + "p.log() + " + "z" * 100 + "\n", "p.log()"),
        ("x = p.log(" + "abcdefgh, " * 20 + ")\n", "p.log(" + "abcdefgh, " * 20 + ")"),
        ("x = " + "abcdefgh + " * 5 + "p.log(" + "abcdefgh, " * 20 + ")\n", "p.log(" + "abcdefgh, " * 20 + ")"),
        ("\r\nx = p.log()\r\n", "p.log()"),
        ("\x0cx = p.log()\n", "p.log()"),
    ],
)
def test_the_underline_is_under_what_it_means(text: str, target: str) -> None:
    source = source_of(text)
    shown = reporters.render("full", report(finding(target, source=source), source=source)).split("\n")
    row = next(number for number, line in enumerate(shown) if "^" in line)
    code, carets = shown[row - 1], shown[row]
    before, under = carets.index("^"), carets.count("^")
    assert cell_len(code) <= 80
    assert not re.search("[\x00-\x1f\x7f\u202e]", code)
    left = next(length for length in range(len(code) + 1) if cell_len(code[:length]) == before)
    assert code[left:].startswith(target[:4])
    assert under == min(cell_len(target), cell_len(code) - before)


def test_full_shows_evidence_of_other_files() -> None:
    helper = source_of(
        "def ratio(a, b):\n    return a / b\n", "a/rather/long/way/down/the/tree/of/the/project/helpers.py"
    )
    unread = Place("gone.py", Span(0, 1), SOURCE.location(0), SOURCE.location(1))
    path = (Evidence("the division", at("a / b", helper)), Evidence("elsewhere", unread))
    found = report(finding("p.log()", evidence=path))
    both = Report(found.diagnostics, {**found.sources, helper.filename: helper}, 2, 1, 0, 0, 0)
    assert """
    1. a/rather/long/way/down/the/tree/of/the/project/helpers.py:2:12
       return a / b
       the division
    2. gone.py:1:1
       elsewhere
""" in reporters.render("full", both)


def test_full_without_the_source_still_says_what_is_wrong() -> None:
    place = Place("gone.py", Span(0, 0), SOURCE.location(0), SOURCE.location(0))
    found = Diagnostic("LL902", "unreadable-file", "it cannot be read: Permission denied", Severity.WARNING, place)
    text = reporters.render("full", Report((found,), {}, 1, 0, 0, 0, 0))
    assert text.startswith(
        "gone.py:1:1: LL902 [warning] unreadable-file\n  it cannot be read: Permission denied\n\n"
        "  see: losslint rule LL902\n"
    )


@pytest.mark.parametrize("text", ["", "\n", "x", "\ufeff"])
def test_full_of_an_almost_empty_file(text: str) -> None:
    source = source_of(text)
    place = source.place(Span(0, 0))
    found = Diagnostic("LL903", "x-y", "wrong", Severity.WARNING, place)
    assert "wrong" in reporters.render("full", report(found, source=source))


def test_full_says_what_a_run_said() -> None:
    text = reporters.render("full", report(finding("p.log()", verdict=Verdict.NOT_REPRODUCED)))
    assert "  run: not reproduced: a run reached this line and all went well\n" in text


def test_full_in_colour_says_the_same() -> None:
    found = report(LOG, DIVISION, NOTE)
    colourful = reporters.render("full", found, color=True)
    assert "\x1b[1;31mLL201 [error] " in colourful
    assert re.sub(r"\x1b\[[0-9;]*m", "", colourful) == reporters.render("full", found)
    assert "\x1b" not in reporters.render("full", found)


def test_full_does_not_fill_the_screen_with_a_large_change() -> None:
    large = Fix(Applicability.SAFE, "rewrite", (Edit(at("p.log()"), "(\n" * 9 + "x" + ")" * 9),))
    assert "    - " not in reporters.render("full", report(finding("p.log()", fix=large)))


def test_concise() -> None:
    many_lines = finding("p.log()", message="one\n  two")
    assert reporters.render("concise", report(LOG, NOTE, many_lines)) == (
        "losses.py:11:27: LL201 error the log of `p` can be -inf\n"
        "losses.py:8:17: LL999 info nothing is known of `target`\n"
        "losses.py:11:27: LL201 error one two\n"
        "Found 2 errors and 1 info: 12 losses in 57 files checked.\n"
    )


def test_github_escapes_what_would_end_a_command() -> None:
    source = source_of(TEXT, "100%, a:b.py")
    found = finding("p.log()", Severity.WARNING, message="50 % of\nall: p, q", source=source)
    assert reporters.render("github", report(found)) == (
        "::warning file=100%25%2C a%3Ab.py,line=11,endLine=11,title=LL201 unguarded-log,col=27,endColumn=34::"
        "50 %25 of%0Aall: p, q\n"
    )


def test_github_shows_the_witness_path_and_no_columns_over_several_lines() -> None:
    loop = finding("for row in target:\n            print(row)", Severity.INFO, evidence=PATH[1:])
    assert reporters.render("github", report(loop)) == (
        "::notice file=losses.py,line=9,endLine=10,title=LL201 unguarded-log::"
        "the log of `p` can be -inf%0A1. losses.py:11: its log\n"
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (report(), "No findings: 12 losses in 57 files checked."),
        (report(losses=1, files=1), "No findings: 1 loss in 1 file checked."),
        (report(losses=0), "No loss found in 57 files."),
        (report(losses=0, files=0), "No Python files found."),
        (report(fixed=2), "Fixed 2 findings.\nNo findings: 12 losses in 57 files checked."),
        (report(DIVISION), "Found 1 warning: 12 losses in 57 files checked."),
        (
            report(LOG, LOG, NOTE, NOTE, fixable=2),
            "Found 2 errors and 2 infos: 12 losses in 57 files checked.\n2 fixable with --fix.",
        ),
        (
            report(DIVISION, fixable_unsafe=1, fixed=1),
            "Fixed 1 finding.\nFound 1 warning: 12 losses in 57 files checked.\n"
            "1 fixable with --fix --unsafe-fixes (these change values or intent).",
        ),
    ],
)
def test_summary(found: Report, expected: str) -> None:
    assert reporters.summary(found) == expected


@pytest.mark.parametrize("format", reporters.FORMATS)
def test_every_format_ends_its_last_line_and_copes_with_nothing(format: str) -> None:
    for found in (report(), report(LOG, DIVISION, NOTE)):
        text = reporters.render(format, found)
        assert text == "" or (text.endswith("\n") and not text.endswith("\n\n"))


@pytest.mark.parametrize("format", reporters.FORMATS)
def test_every_format_copes_with_undecodable_file_names(format: str) -> None:
    source = source_of(TEXT, "l\udcffsses.py")
    text = reporters.render(format, report(finding("p.log()", source=source), source=source), color=True)
    assert text.encode()


@pytest.mark.parametrize("format", [format for format in reporters.FORMATS if format != "full"])
def test_only_full_pays_for_rich(format: str) -> None:
    script = (
        "import sys; from losslint import reporters; from losslint.runner import Report;"
        f"reporters.render({format!r}, Report((), {{}}, 1, 1, 0, 0, 0));"
        "assert not {'rich', 'libcst', 'torch', 'losslint_rules'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(KeyError):
        reporters.render("xml", report())


INFO = RuleInfo(
    "LL201", "unguarded-log", Severity.ERROR, True, True, "log of 0", "Why.\n\nMore.", "pack.log", "third_pack"
)


def test_a_rule_page_as_text() -> None:
    assert pages.render_rule(INFO, "text") == (
        "LL201 unguarded-log\nerror, preview, fixable, from third_pack\n\n# log of 0\n\nWhy.\n\nMore.\n"
    )


def test_rules_as_text() -> None:
    short = RuleInfo("LL301", "short", Severity.INFO, False, False, "t", "p", "m", "losslint_rules")
    assert pages.render_rules([INFO, short]) == (
        "LL201  unguarded-log  error    log of 0 (preview, fixable, from third_pack)\n"
        "LL301  short          info     t\n"
    )
    assert pages.render_rules([]) == ""


def test_rules_as_json() -> None:
    (one,) = json.loads(pages.render_rules([INFO], "json"))
    assert one == json.loads(pages.render_rule(INFO, "json"))
    assert one == {
        "code": "LL201",
        "name": "unguarded-log",
        "title": "log of 0",
        "severity": "error",
        "preview": True,
        "fixable": True,
        "pack": "third_pack",
        "url": "docs/rules/unguarded-log.md",
        "page": "Why.\n\nMore.",
    }
