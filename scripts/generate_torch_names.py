"""Writes losslint/semantics/operators/torch_names.json: the public names of torch's namespaces, over several versions.

`python scripts/generate_torch_names.py WHEEL...` reads wheels and the installed torch, `--add` keeps what the file has.
Nothing is imported: names are read out of the .py and .pyi files with ast. A name that only the C++ side puts into a
namespace is found in its stub (torch/_C/__init__.pyi, torch/_C/_VariableFunctions.pyi). What cannot be read (a name made by
`setattr` in a loop) is missing, so tests/test_torch_names.py compares the file with what the installed torch answers.
PyTorch is BSD-3-Clause licensed; only names are taken, no text.
"""

from __future__ import annotations

import ast
import importlib.metadata
import json
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

TARGET = Path(__file__).parent.parent / "losslint" / "semantics" / "operators" / "torch_names.json"
NAMESPACES = (
    "torch",
    "torch.amp",
    "torch.autograd",
    "torch.autograd.functional",
    "torch.cuda",
    "torch.cuda.amp",
    "torch.distributed",
    "torch.distributions",
    "torch.fft",
    "torch.func",
    "torch.jit",
    "torch.linalg",
    "torch.nn",
    "torch.nn.functional",
    "torch.nn.init",
    "torch.nn.modules.loss",
    "torch.nn.utils",
    "torch.optim",
    "torch.special",
    "torch.utils",
    "torch.utils.data",
)
_STUBS = {"torch": ("torch._C", "torch._C._VariableFunctions")}
# Bound in C++ or in a loop, and in no stub. Only the small integers are for users.
_WRITTEN_NOWHERE = {
    "torch": """int1 int2 int3 int4 int5 int6 int7 uint1 uint2 uint3 uint4 uint5 uint6 uint7 bit cpp AVG SUM ArgumentSpec
    Capsule Code CompleteArgumentSpec DeepCopyMemoTable ExecutionPlan FatalError Gradient OperatorInfo PyObjectType
    ScriptClass ScriptClassFunction ScriptDictIterator ScriptDictKeyIterator ScriptListIterator ScriptObjectProperty
    StaticModule get_autocast_ipu_dtype get_autocast_xla_dtype is_autocast_ipu_enabled is_autocast_xla_enabled
    set_autocast_ipu_dtype set_autocast_ipu_enabled set_autocast_xla_dtype set_autocast_xla_enabled"""
}

Read = Callable[[str], "str | None"]


class Reader:
    """Reads the namespaces of one torch from its files."""

    def __init__(self, read: Read, files: Iterable[str]) -> None:
        self._read = read
        self._files = frozenset(files)
        self._known: dict[str, frozenset[str]] = {}

    def names(self, module: str) -> frozenset[str]:
        """The public names of a module: what it defines, assigns and imports, and the modules inside of it."""
        if module not in self._known:
            self._known[module] = frozenset()  # modules that import each other with a star
            found = {name for name in self._bound(module) if not name.startswith("_")}
            for stub in _STUBS.get(module, ()):
                found |= {name for name in self._bound(stub) if not name.startswith("_")}
            found |= set(_WRITTEN_NOWHERE.get(module, "").split())
            self._known[module] = frozenset(found | set(self._submodules(module)))
        return self._known[module]

    def _tree(self, module: str) -> tuple[ast.Module, bool] | None:
        where = module.replace(".", "/")
        for path in (f"{where}.py", f"{where}/__init__.py", f"{where}.pyi", f"{where}/__init__.pyi"):
            if path in self._files:
                text = self._read(path)
                return (ast.parse(text), "__init__" in path) if text is not None else None
        return None

    def _submodules(self, module: str) -> Iterator[str]:
        folder = module.replace(".", "/") + "/"
        for path in self._files:
            if path.startswith(folder):
                head, _, rest = path[len(folder) :].partition("/")
                name = head if rest else head.partition(".")[0]
                if name.isidentifier() and not name.startswith("_"):
                    yield name

    def _bound(self, module: str) -> Iterator[str]:
        found = self._tree(module)
        if found is None:
            return
        tree, is_package = found
        package = module if is_package else module.rpartition(".")[0]
        for node in _statements(tree.body):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    yield name
                case ast.Import(names=names):
                    yield from (alias.asname or alias.name.partition(".")[0] for alias in names)
                case ast.ImportFrom(names=names):
                    yield from self._imported(node, package)
                case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                    yield from _assigned(node)
                case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="__all__")), args=arguments)):
                    yield from (each for argument in arguments for each in _strings(argument))

    def _imported(self, node: ast.ImportFrom, package: str) -> Iterator[str]:
        base = package
        for _ in range(node.level - 1):
            base = base.rpartition(".")[0]
        source = ".".join(part for part in (base if node.level else "", node.module or "") if part)
        for alias in node.names:
            if alias.name == "*":
                yield from self.names(source)
            else:
                yield alias.asname or alias.name


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those under `if`, `try`, `with` and loops included."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for name in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(statement, name, ()))
        for handler in getattr(statement, "handlers", ()):
            yield from _statements(handler.body)


def _assigned(node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        for name in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
            if isinstance(name, ast.Name):
                yield name.id
                if name.id == "__all__" and node.value is not None:
                    yield from _strings(node.value)


def _strings(node: ast.expr) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def of_wheel(path: Path) -> tuple[str, Reader]:
    """The version and the reader of a wheel."""
    archive = zipfile.ZipFile(path)
    return path.name.split("-")[1].partition("+")[0], Reader(
        lambda inner: archive.read(inner).decode("utf-8"), archive.namelist()
    )


def of_installed() -> tuple[str, Reader]:
    """The version and the reader of the torch that is installed here."""
    distribution = importlib.metadata.distribution("torch")
    files = [path.as_posix() for path in distribution.files or ()]
    return distribution.version.partition("+")[0], Reader(
        lambda inner: Path(str(distribution.locate_file(inner))).read_text("utf-8"), files
    )


def collect(readers: Iterable[tuple[str, Reader]], known: dict[str, object]) -> dict[str, object]:
    """The names of all readers and those that are known, with the versions they are from."""
    versions = set(known.get("versions", ()))  # type: ignore[call-overload]
    listed = known.get("names", {})
    assert isinstance(listed, dict)
    names = {space: set(str(listed.get(space, "")).split()) for space in NAMESPACES}
    for version, reader in readers:
        versions.add(version)
        for space in NAMESPACES:
            names[space] |= reader.names(space)
    return {
        "provenance": "generated by scripts/generate_torch_names.py from PyTorch's files (BSD-3-Clause)",
        "versions": sorted(versions, key=lambda version: [int(part) for part in version.split(".")]),
        "names": {space: " ".join(sorted(found)) for space, found in names.items()},
    }


def main() -> None:
    """Write the file."""
    wheels = [Path(argument) for argument in sys.argv[1:] if not argument.startswith("--")]
    known = json.loads(TARGET.read_text("utf-8")) if "--add" in sys.argv and TARGET.exists() else {}
    found = collect([*map(of_wheel, wheels), of_installed()], known)
    TARGET.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(f"wrote {TARGET} ({TARGET.stat().st_size} bytes)")


if __name__ == "__main__":
    main()
