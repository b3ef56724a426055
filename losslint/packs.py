"""Rule packs as they lie on disk: what every rule file says of itself, read without importing it."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from losslint.diagnostic import Severity

_CODE = re.compile(r"[A-Z]{2,}[0-9]{3}")
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """What is known of a rule without importing it.

    `title` is the first line of its file's docstring and `page` the rest; `module` is what to import for it (empty
    for losslint's own diagnostics) and `pack` the package it came with. `in_source` and `in_run` say whether it looks at
    code, and whether at measurements; `doubted` that it is right too seldom for a warning.
    """

    code: str
    name: str
    severity: Severity
    preview: bool
    fixable: bool
    title: str
    page: str
    module: str
    pack: str
    in_source: bool = True
    in_run: bool = False
    doubted: bool = False

    @property
    def shown_severity(self) -> Severity:
        """How what it reads in source is shown where nobody trusts it."""
        return Severity.INFO if self.doubted else self.severity

    @property
    def severities(self) -> tuple[str, ...]:
        """Its severity in words, and when it has another one."""
        shown = self.shown_severity.value
        return (shown, f"{self.severity.value} if trusted or seen in a run") if self.doubted else (shown,)

    @property
    def url(self) -> str:
        """The rule's page, relative to the repository: the documentation has no public host."""
        return f"docs/rules/{self.name}.md"


class BrokenPack(Exception):
    """A rule pack that cannot be read or loaded: which pack, which file, and why."""

    def __init__(self, pack: str, path: str, reason: str) -> None:
        super().__init__(pack, path, reason)
        self.pack, self.path, self.reason = pack, path, reason

    def __str__(self) -> str:
        return f"rule pack {self.pack!r} is broken: {self.path}: {self.reason}"


def read_pack(pack: str) -> Iterator[RuleInfo]:
    """The rules of an importable package, sorted by path; files without a `RULE` are no rules.

    Raises BrokenPack where the package cannot be found, or where a rule file cannot be understood.
    """
    for folder in _folders(pack):
        for path in sorted(folder.rglob("*.py")):
            info = _read_rule(pack, folder, path)
            if info is not None:
                yield info


def _folders(pack: str) -> list[Path]:
    top, *inner = pack.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError) as error:
        raise BrokenPack(pack, top, str(error)) from error
    roots = spec.submodule_search_locations if spec is not None else None
    folders = [folder for root in roots or () if (folder := Path(root, *inner)).is_dir()]
    if not folders:
        raise BrokenPack(pack, pack, "no such package is installed")
    return folders


def _read_rule(pack: str, folder: Path, path: Path) -> RuleInfo | None:
    try:
        content = path.read_bytes()
        if b"RULE" not in content:
            return None
        tree = ast.parse(content, str(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise BrokenPack(pack, str(path), str(error)) from error
    call = _rule_call(tree)
    if call is None:
        return None
    try:
        code, name, severity, preview, doubted = _fields(call)
    except ValueError as error:
        raise BrokenPack(pack, f"{path}:{call.lineno}", str(error)) from error
    title, _, page = (ast.get_docstring(tree) or "").partition("\n")
    if not title:
        raise BrokenPack(pack, str(path), "it has no docstring, so the rule has no page")
    module = ".".join((pack, *path.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__")
    handlers = _handlers(tree)
    in_source, in_run = bool(handlers & {"on_op", "on_graph"}), "on_probe" in handlers
    return RuleInfo(
        code,
        name,
        severity,
        preview,
        _offers_fix(tree),
        title,
        page.strip(),
        module,
        pack,
        in_source or not in_run,
        in_run,
        doubted,
    )


def _handlers(tree: ast.Module) -> set[str]:
    """How the functions of a rule file are registered: on_op, on_graph, on_probe."""
    found = set()
    for statement in tree.body:
        for decorator in getattr(statement, "decorator_list", ()):
            inner = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(inner, ast.Attribute):
                found.add(inner.attr)
    return found


def _rule_call(tree: ast.Module) -> ast.Call | None:
    """The right-hand side of the module's `RULE = Rule(...)`."""
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name("RULE")], value=ast.Call() as call):
                return call
            case ast.AnnAssign(target=ast.Name("RULE"), value=ast.Call() as call):
                return call
    return None


def _fields(call: ast.Call) -> tuple[str, str, Severity, bool, bool]:
    arguments = dict(zip(("code", "name", "severity", "preview", "doubted"), call.args, strict=False))
    arguments |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    code = _literal(arguments, "code")
    name = _literal(arguments, "name")
    preview = _literal(arguments, "preview", False)
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        raise ValueError(f"the code must be capital letters and three digits, such as LL201, not {code!r}")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"the name must be lower-case words joined by hyphens, not {name!r}")
    match arguments.get("severity"):
        case ast.Attribute(attr=level) if level in Severity.__members__:
            return code, name, Severity[level], bool(preview), bool(_literal(arguments, "doubted", False))
    raise ValueError("the severity must be written as Severity.ERROR, Severity.WARNING or Severity.INFO")


def _literal(arguments: dict[str, ast.expr], key: str, default: object = None) -> object:
    match arguments.get(key):
        case None if default is not None:
            return default
        case ast.Constant(value):
            return value
    raise ValueError(f"{key} must be given as a literal, so that it can be read without importing the rule")


def _offers_fix(tree: ast.Module) -> bool:
    """Whether the module makes a `Rewrite`, or hands one to its finding."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name("Rewrite") | ast.Attribute(attr="Rewrite")):
                return True
            case ast.keyword(arg="rewrite", value=value) if not isinstance(value, ast.Constant):
                return True
    return False
