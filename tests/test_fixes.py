"""Edits change what they name and nothing else, fixes go in whole or not at all, and files are replaced in one step."""

from __future__ import annotations

import ast
import os
import shutil
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losslint.diagnostic import Applicability, Diagnostic, Edit, Fix, Severity, Span
from losslint.fixes import (
    NotWritten,
    apply_fixes,
    demote_commented,
    edited,
    effective_applicability,
    unified_diff,
    write_fixed,
)
from losslint.source import Source


def source_of(text: str) -> Source:
    return Source("losses.py", text)


def edit(source: Source, target: str, content: str) -> Edit:
    """Replace the only `target`, where a bar in it marks the point of an insertion."""
    before, bar, after = target.partition("|")
    start = source.text.index(before + after) + (len(before) if bar else 0)
    end = start if bar else start + len(target)
    return Edit(source.place(Span(len(source.text[:start].encode()), len(source.text[:end].encode()))), content)


def mended(source: Source, *edits: tuple[str, str], unsafe: bool = False) -> Diagnostic:
    made = tuple(edit(source, *each) for each in edits)
    fix = Fix(Applicability.UNSAFE if unsafe else Applicability.SAFE, "message", made)
    return Diagnostic("LL201", "unguarded-log", "message", Severity.ERROR, made[0].place, fix=fix)


def test_all_edits_of_a_fix_are_applied() -> None:
    source = source_of("import torch\nx = p.log()\n")
    found = mended(source, ("p.log()", "F.log(p)"), ("|import torch", "import F\n"))
    fixed = apply_fixes(source, [found])
    assert fixed.text == "import F\nimport torch\nx = F.log(p)\n"
    assert fixed.applied == (found,)


def test_unsafe_fixes_are_applied_only_when_asked_for() -> None:
    source = source_of("x = a\ny = b\n")
    found = [mended(source, ("a", "c")), mended(source, ("b", "d"), unsafe=True)]
    assert apply_fixes(source, found).text == "x = c\ny = b\n"
    assert apply_fixes(source, found, unsafe=True).text == "x = c\ny = d\n"


def test_the_first_of_overlapping_fixes_wins_and_the_others_stay_whole() -> None:
    source = source_of("x = log(softmax(a)) + b\n")
    outer = mended(source, ("log(softmax(a))", "log_softmax(a)"))
    inner = mended(source, ("softmax(a)", "S"), ("b", "B"))
    assert apply_fixes(source, [inner, outer]).text == "x = log_softmax(a) + b\n"
    assert apply_fixes(source, [inner]).text == "x = log(S) + B\n"


def test_what_touches_waits_for_the_next_pass() -> None:
    """Put side by side, `a + b` and `.mean()` would bind as nobody meant."""
    source = source_of("x = f(a)\n")
    found = [mended(source, ("f(a)", "a + b")), mended(source, ("f(a)|", ".mean()"))]
    assert apply_fixes(source, found).text == "x = a + b\n"


def test_the_same_edit_of_two_fixes_is_made_once() -> None:
    source = source_of("x = a\ny = b\n")
    found = [
        mended(source, ("|x", "import F\n"), ("a", "F.a")),
        mended(source, ("|x", "import F\n"), ("b", "F.b")),
    ]
    fixed = apply_fixes(source, found)
    assert fixed.text == "import F\nx = F.a\ny = F.b\n"
    assert len(fixed.applied) == 2


def test_different_insertions_at_one_point_are_not_mixed() -> None:
    source = source_of("x = a\n")
    found = [mended(source, ("|x", "import F\n")), mended(source, ("|x", "import G\n"))]
    fixed = apply_fixes(source, found)
    assert fixed.text == "import F\nx = a\n"
    assert len(fixed.applied) == 1


def test_a_fix_that_gets_in_its_own_way_is_not_applied() -> None:
    source = source_of("x = abc\n")
    assert apply_fixes(source, [mended(source, ("abc", "d"), ("bc", "e"))]).applied == ()


def test_a_fix_that_breaks_the_syntax_is_dropped_alone() -> None:
    source = source_of("x = a\ny = b\nz = c\n")
    found = [mended(source, ("a", "1")), mended(source, ("b", "(")), mended(source, ("c", "3"))]
    fixed = apply_fixes(source, found)
    assert fixed.text == "x = 1\ny = b\nz = 3\n"
    assert fixed.applied == (found[0], found[2])


def test_a_fix_that_changes_nothing_is_not_applied() -> None:
    source = source_of("x = a\n")
    assert apply_fixes(source, [mended(source, ("a", "a"))]).applied == ()


def test_edits_of_other_files_are_not_made_here() -> None:
    source = source_of("x = a\n")
    found = mended(source, ("a", "b"))
    assert found.fix is not None
    elsewhere = Edit(replace(found.place, filename="other.py"), "c")
    both = replace(found, fix=replace(found.fix, edits=(*found.fix.edits, elsewhere)))
    assert apply_fixes(source, [both]).text == "x = a\n"
    assert edited(source, both.fix) == "x = b\n"  # type: ignore[arg-type]


def test_inserted_lines_end_as_the_file_does() -> None:
    source = source_of("x = a\r\ny = 1\r\n")
    assert apply_fixes(source, [mended(source, ("|x", "import F\nimport G\r\n"))]).text == (
        "import F\r\nimport G\r\nx = a\r\ny = 1\r\n"
    )


@pytest.mark.parametrize(
    ("text", "target", "content", "applicability"),
    [
        ("x = f(a)  # c\n", "f(a)", "b", Applicability.SAFE),
        ("x = f(  # c\n    a)\n", "f(  # c\n    a)", "b", Applicability.UNSAFE),
        ("x = f(  # c\n    a)\n", "f(  # c\n    a)", "g(  # c\n    a)", Applicability.SAFE),
        ("x = f('# c')\n", "f('# c')", "b", Applicability.SAFE),
        ("# first\nx = f(a, '#')  # c\n", "f(a, '#')", "b", Applicability.SAFE),
    ],
)
def test_a_fix_that_deletes_a_comment_is_unsafe(
    text: str, target: str, content: str, applicability: Applicability
) -> None:
    source = source_of(text)
    found = mended(source, (target, content))
    assert found.fix is not None
    assert effective_applicability(source, found.fix) is applicability
    demoted = demote_commented(source, found)
    assert demoted.fix == replace(found.fix, applicability=applicability)
    assert demote_commented(source, demoted) is demoted


def test_an_unsafe_fix_stays_unsafe() -> None:
    source = source_of("x = a\n")
    found = mended(source, ("a", "b"), unsafe=True)
    assert demote_commented(source, found) is found
    assert demote_commented(source, replace(found, fix=None)).fix is None


ALPHABET = st.sampled_from([*"ab#\"'(\\ \t\f\0", "\n", "\r\n", "\r", "é", "漢", "😀", "e\u0301", "\u2028"])
TEXTS = st.lists(ALPHABET, max_size=40)


@given(TEXTS, st.data())
def test_edits_change_what_they_name_and_nothing_else(pieces: list[str], data: st.DataObject) -> None:
    source = source_of("".join(pieces))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(pieces)), max_size=6, unique=True)))
    edits, expected, done = [], "", 0
    for start, end in zip(cuts[::2], cuts[1::2], strict=False):
        content = data.draw(st.text("xyé漢 ", max_size=3))
        offsets = (len("".join(pieces[:cut]).encode()) for cut in (start, end))
        edits.append(Edit(source.place(Span(*offsets)), content))
        expected += "".join(pieces[done:start]) + content
        done = end
    expected += "".join(pieces[done:])
    fix = Fix(Applicability.SAFE, "", tuple(data.draw(st.permutations(edits))))
    assert edited(source, fix) == expected


@given(TEXTS, st.data())
def test_the_result_parses_or_nothing_changed(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    source = source_of(text)
    found = []
    for _ in range(data.draw(st.integers(0, 4))):
        start, end = sorted((data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(text)))))
        place = source.place(Span(len(text[:start].encode()), len(text[:end].encode())))
        fix = Fix(Applicability.SAFE, "", (Edit(place, data.draw(st.sampled_from(["", "a", "(", "\n"]))),))
        found.append(Diagnostic("LL201", "unguarded-log", "", Severity.ERROR, place, fix=fix))
    fixed = apply_fixes(source, found)
    if not fixed.applied:
        assert fixed.text == text
        return
    ast.parse(fixed.text)
    assert set(fixed.applied) <= set(found)


@given(TEXTS, TEXTS)
def test_the_diff_tells_the_whole_change(before: list[str], after: list[str]) -> None:
    source = source_of("".join(before))
    text = "".join(after)
    diff = unified_diff(source, text)
    assert bool(diff) is (source.text != text)


def test_the_diff_can_be_applied(tmp_path: Path) -> None:
    before, after = "a\r\nb\n\x0cc\nd", "a\r\nB\n\x0cc\ne"
    (tmp_path / "losses.py").write_bytes(before.encode())
    diff = unified_diff(source_of(before), after)
    assert diff.startswith("--- losses.py\n+++ losses.py\n@@ ")
    command = ["git", "apply", "-p0", "--whitespace=nowarn"]
    subprocess.run(command, input=diff.encode(), cwd=tmp_path, check=True)
    assert (tmp_path / "losses.py").read_bytes() == after.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"x = a\n",
        b"\xef\xbb\xbfx = a\r\ny = 1\r\n",
        b"# coding: latin-1\nx = a  # \xe9\n",
        b"# coding: latin-1\r\nx = a  # \xe9",
        "x = a  # 漢字\n".encode(),
        b"x = a\ny = 1\r\nz = 2\n",
        b"x = a\ry = 1\r",
    ],
)
def test_a_file_keeps_its_bytes_elsewhere_and_its_mode(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "losses.py"
    path.write_bytes(content)
    path.chmod(0o751)
    source = read(path)
    fixed = apply_fixes(source, [mended(source, ("= a", "= b"))])
    write_fixed(path, source, fixed.text)
    assert path.read_bytes() == content.replace(b"= a", b"= b")
    assert stat.S_IMODE(path.stat().st_mode) == 0o751
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target.py", tmp_path / "link.py"
    target.write_text("x = a\n")
    link.symlink_to(target)
    write_fixed(link, read(link), "x = b\n")
    assert link.is_symlink()
    assert target.read_text() == "x = b\n"


def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "losses.py"
    path.write_text("x = a\n")
    source = read(path)
    path.write_text("x = a  # mine\n")
    with pytest.raises(NotWritten, match="it changed since it was read"):
        write_fixed(path, source, "x = b\n")
    assert path.read_text() == "x = a  # mine\n"


def test_what_the_encoding_cannot_say_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "losses.py"
    path.write_bytes(b"# coding: latin-1\nx = a\n")
    with pytest.raises(NotWritten, match=r"losses.py was not written: its encoding, .*, has no '→'"):
        write_fixed(path, read(path), "# coding: latin-1\nx = '→'\n")
    assert path.read_bytes() == b"# coding: latin-1\nx = a\n"


def test_the_encoding_must_stay_declared(tmp_path: Path) -> None:
    path = tmp_path / "losses.py"
    path.write_bytes(b"# coding: latin-1\nx = '\xe9'\n")
    source = read(path)
    with pytest.raises(NotWritten, match="encoding declaration"):
        write_fixed(path, source, "import a\nimport b\n" + source.text)


def test_a_file_that_vanished_is_not_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "losses.py"
    path.write_text("x = a\n")
    source = read(path)
    path.unlink()
    with pytest.raises(NotWritten, match="No such file"):
        write_fixed(path, source, "x = b\n")
    assert not path.exists()


def test_a_read_only_file_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "losses.py"
    path.write_text("x = a\n")
    source = read(path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(NotWritten, match="read-only"):
        write_fixed(path, source, "x = b\n")
    assert path.read_text() == "x = a\n"


def test_a_failed_write_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "losses.py"
    path.write_text("x = a\n")
    source = read(path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copymode", full)
    with pytest.raises(NotWritten, match="No space left on device"):
        write_fixed(path, source, "x = b\n")
    assert path.read_text() == "x = a\n"
    assert list(tmp_path.iterdir()) == [path]


def read(path: Path) -> Source:
    import tokenize

    content = path.read_bytes()
    with path.open("rb") as file:
        encoding, _ = tokenize.detect_encoding(file.readline)
    text = content.decode("utf-8-sig" if encoding == "utf-8-sig" else encoding)
    return Source(str(path), text, encoding.replace("utf-8-sig", "utf-8"), encoding == "utf-8-sig")
