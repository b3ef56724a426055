"""The index is read from text, selectors resolve as in ruff, and broken packs say what is broken."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from losslint import registry
from losslint.diagnostic import Severity
from losslint.registry import BrokenPack, UnknownRule, index, load, matching, nearest, select

ROOT = Path(__file__).parent.parent

RULE = '''"""{title}

The page of {name}.
"""
from losslint.diagnostic import Severity
from losslint.rule import Rule

RULE = Rule(code="{code}", name="{name}", severity=Severity.{severity}, preview={preview})
'''


class Pack:
    """A throw-away rule pack that is the only one installed."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder / name, name
        self.write("__init__.py", "")

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def rule(
        self, code: str, name: str, severity: str = "ERROR", preview: bool = False, path: str = "", more: str = ""
    ) -> None:
        text = RULE.format(code=code, name=name, severity=severity, preview=preview, title=f"about {name}")
        self.write(path or f"{name.replace('-', '_')}.py", text + more)


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Pack]:
    name = f"pack_of_{request.node.name.split('[')[0]}"
    monkeypatch.syspath_prepend(str(tmp_path))
    install(monkeypatch, name)
    index.cache_clear()
    yield Pack(tmp_path, name)
    index.cache_clear()
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        del sys.modules[module]


def install(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    entries = [importlib.metadata.EntryPoint(name, name, registry.GROUP) for name in packages]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: entries)


@pytest.fixture
def four(pack: Pack) -> Pack:
    pack.rule("LL201", "unguarded-log")
    pack.rule("LL202", "log-of-softmax", "WARNING")
    pack.rule("LL301", "unreduced-return", path="reduction/unreduced_return.py")
    pack.rule("LL302", "mixed-terms", preview=True, path="reduction/mixed_terms.py")
    return pack


def codes(*found: str) -> tuple[str, ...]:
    own = tuple(code for code in index() if code.startswith("LL9"))
    return (*found, *own)


def test_a_rule_is_known_by_its_file_without_importing_it(pack: Pack) -> None:
    pack.rule("LL301", "unreduced-return", "WARNING", path="reduction/unreduced.py", more="raise SystemExit\n")
    info = index()["LL301"]
    assert (info.name, info.severity, info.preview) == ("unreduced-return", Severity.WARNING, False)
    assert (info.title, info.page) == ("about unreduced-return", "The page of unreduced-return.")
    assert (info.module, info.pack) == (f"{pack.name}.reduction.unreduced", pack.name)
    assert info.url == "docs/rules/unreduced-return.md"
    assert pack.name not in sys.modules


def test_own_diagnostics_are_in_the_index_and_need_no_loading(pack: Pack) -> None:
    assert index()["LL901"].name == "unused-suppression"
    assert index()["LL901"].fixable
    assert load(["LL901"]) == ()


@pytest.mark.parametrize(
    ("more", "fixable"),
    [
        ("", False),
        ("def fix(site): return Rewrite(site)\n", True),
        ("def fix(site): return rule.Rewrite(site)\n", True),
        ("def fix(site): return RULE.finding(site, '', rewrite=None)\n", False),
        ("def fix(site): return RULE.finding(site, '', rewrite=made(site))\n", True),
    ],
)
def test_fixable_is_read_from_the_code(pack: Pack, more: str, fixable: bool) -> None:
    pack.rule("LL201", "unguarded-log", more=more)
    assert index()["LL201"].fixable is fixable


def test_modules_without_a_rule_are_not_rules(four: Pack) -> None:
    four.write("wording.py", "RULES = 3\nTEXT = 'RULE = Rule()'\n")
    assert [info.code for info in index().values() if info.pack == four.name] == ["LL201", "LL202", "LL301", "LL302"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ("LL201", "LL202", "LL301")),
        ({"preview": True}, ("LL201", "LL202", "LL301", "LL302")),
        ({"ignore": ["LL2"]}, ("LL301",)),
        ({"ignore": ["LL2"], "extend_select": ["LL201"]}, ("LL201", "LL301")),
        ({"ignore": ["LL201"], "extend_select": ["LL2"]}, ("LL202", "LL301")),
        ({"ignore": ["unguarded-log"]}, ("LL202", "LL301")),
        ({"extend_select": ["mixed-terms"]}, ("LL201", "LL202", "LL301", "LL302")),
        ({"extend_select": ["LL30"]}, ("LL201", "LL202", "LL301")),
    ],
)
def test_selection_starts_from_everything(four: Pack, arguments: dict[str, object], expected: tuple[str, ...]) -> None:
    assert select(**arguments) == codes(*expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "ignore", "expected"),
    [
        (["LL2"], [], ("LL201", "LL202")),
        (["unguarded-log"], [], ("LL201",)),
        (["LL201", "LL3"], [], ("LL201", "LL301")),
        (["LL201"], ["LL201"], ()),
        (["LL201"], ["ALL"], ("LL201",)),
        (["LL20"], ["LL2"], ("LL201", "LL202")),
        ([], [], ()),
    ],
)
def test_the_most_specific_selector_wins(
    four: Pack, wanted: list[str], ignore: list[str], expected: tuple[str, ...]
) -> None:
    assert select(wanted, ignore) == expected


@pytest.mark.parametrize("argument", ["select", "ignore", "extend_select"])
def test_an_unknown_selector_is_refused_with_the_nearest_name(four: Pack, argument: str) -> None:
    with pytest.raises(UnknownRule, match="no rule is called 'unguarded-lag'; did you mean unguarded-log") as raised:
        select(**{argument: ["unguarded-lag"]})  # type: ignore[arg-type]
    assert (raised.value.selector, raised.value.nearest) == ("unguarded-lag", "unguarded-log")


def test_nearest_forgives_case_and_underscores(four: Pack) -> None:
    assert nearest("ll201") == "LL201"
    assert nearest("UNGUARDED_LOG") == "unguarded-log"
    assert nearest("E501") is None
    with pytest.raises(UnknownRule, match=r"'E501'$"):
        matching("E501")


def test_only_what_is_selected_is_imported(four: Pack) -> None:
    (rule,) = load(["LL301"])
    assert (rule.code, rule.name) == ("LL301", "unreduced-return")
    assert f"{four.name}.reduction.unreduced_return" in sys.modules
    assert f"{four.name}.unguarded_log" not in sys.modules


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("bad.py", "RULE = Rule(", "was never closed"),
        ("bad.py", 'RULE = Rule(code="LL201", name="x", severity=Severity.ERROR)', "no docstring"),
        (
            "bad.py",
            '"""t"""\nRULE = Rule(code=CODE, name="x", severity=Severity.ERROR)',
            "code must be given as a literal",
        ),
        ("bad.py", '"""t"""\nRULE = Rule(code="L1", name="x", severity=Severity.ERROR)', "such as LL201, not 'L1'"),
        ("bad.py", '"""t"""\nRULE = Rule(code="LL201", name="X y", severity=Severity.ERROR)', "joined by hyphens"),
        ("bad.py", '"""t"""\nRULE = Rule(code="LL201", name="x", severity="error")', "Severity.ERROR, "),
        ("bad.py", '"""t"""\nRULE = Rule(name="x", severity=Severity.ERROR)', "code must be given"),
    ],
)
def test_a_broken_rule_file_is_named(pack: Pack, path: str, text: str, reason: str) -> None:
    pack.write(path, text)
    with pytest.raises(BrokenPack) as raised:
        index()
    assert pack.name in str(raised.value)
    assert path in str(raised.value)
    assert reason in str(raised.value)


def test_a_rule_that_cannot_be_imported_is_named_with_the_line(pack: Pack) -> None:
    pack.rule("LL201", "unguarded-log", more="import nowhere_to_be_found\n")
    with pytest.raises(BrokenPack, match=r"No module named 'nowhere_to_be_found' \(.*unguarded_log\.py:9\)"):
        load(["LL201"])


def test_a_rule_must_be_what_its_text_says(pack: Pack) -> None:
    pack.rule("LL201", "unguarded-log", more="RULE = None\n")
    with pytest.raises(BrokenPack, match="its RULE is None, not the rule LL201"):
        load(["LL201"])


def test_a_pack_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch, pack: Pack) -> None:
    install(monkeypatch, "pack_that_is_gone")
    with pytest.raises(BrokenPack, match=r"'pack_that_is_gone' is broken: .*no such package is installed"):
        index()


@pytest.mark.parametrize(
    ("code", "name", "taken"), [("LL201", "other", "LL201"), ("LL299", "unguarded-log", "unguarded-log")]
)
def test_codes_and_names_are_taken_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Pack, code: str, name: str, taken: str
) -> None:
    pack.rule("LL201", "unguarded-log")
    other = Pack(tmp_path, "zz_other_pack")
    other.rule(code, name)
    install(monkeypatch, pack.name, other.name)
    with pytest.raises(BrokenPack, match=f"zz_other_pack.*{taken} is already taken by {pack.name}.unguarded_log"):
        index()


def test_a_pack_may_live_inside_a_package_that_must_not_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Pack
) -> None:
    outer = Pack(tmp_path, "outer_with_rules")
    outer.write("__init__.py", "raise SystemExit\n")
    outer.rule("LL201", "unguarded-log", path="rules/unguarded_log.py")
    install(monkeypatch, "outer_with_rules.rules")
    assert index()["LL201"].module == "outer_with_rules.rules.unguarded_log"


def test_errors_survive_the_way_between_processes() -> None:
    import pickle

    for error in (UnknownRule("LL2O1", "LL201"), BrokenPack("pack", "file.py", "gone")):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_index_of_the_built_in_pack_imports_none_of_it() -> None:
    script = (
        "import sys; from losslint.registry import index; found = index();"
        "assert any(info.pack == 'losslint_rules' for info in found.values()), list(found);"
        "assert not {'losslint_rules', 'libcst', 'losslint.rule', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


def test_fixable_agrees_with_the_fixtures() -> None:
    """A rule offers a fix exactly where its fixtures show what the fixed file looks like."""
    hazards = ROOT / "fixtures" / "hazards"
    built_in = [info for info in index().values() if info.pack == "losslint_rules"]
    assert built_in
    for info in built_in:
        fixed = (hazards / info.name / "fixed.py").exists()
        assert info.fixable is fixed, f"{info.name}: {'has' if fixed else 'has no'} fixed.py"


def test_every_built_in_rule_loads() -> None:
    codes = [info.code for info in index().values() if info.pack == "losslint_rules"]
    assert [rule.code for rule in load(codes)] == codes
