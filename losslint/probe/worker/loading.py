"""Importing the user's module, with its side effects undone and missing dependencies stood in for."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from .missing_modules import standing_in

_MOST_MISSING = 40


class NotImported(Exception):
    """A module could not be imported: the reason, and what the user can do."""


def load(module: str, file: str, search_paths: Sequence[str]) -> tuple[ModuleType, tuple[str, ...]]:
    """The module of a file, and the names of missing dependencies that were stood in for. Raises NotImported."""
    _forget_namesakes(module, file)
    for path in reversed(search_paths):
        if path not in sys.path:
            sys.path.insert(0, path)
    importlib.invalidate_caches()
    with standing_in() as missing, _contained():
        while True:
            try:
                return _imported(module, file), tuple(sorted(missing))
            except ModuleNotFoundError as error:
                name = (error.name or "").partition(".")[0]
                if not name or name in missing or name == module.partition(".")[0] or len(missing) >= _MOST_MISSING:
                    raise NotImported(_reason(error)) from error
                if name in sys.modules or name in sys.stdlib_module_names:
                    raise NotImported(_reason(error)) from error
                missing.add(name)
                _forget_orphans()
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                raise NotImported(_reason(error)) from error


def _imported(module: str, file: str) -> ModuleType:
    """By its name where that leads to the file, else straight from the file."""
    if importlib.util.find_spec(module.partition(".")[0]) is not None:
        found = importlib.import_module(module)
        if _same_file(getattr(found, "__file__", None), file):
            return found
    name = module.rpartition(".")[2]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python module")
    fresh = importlib.util.module_from_spec(spec)
    sys.modules[name] = fresh
    try:
        spec.loader.exec_module(fresh)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return fresh


def _forget_namesakes(module: str, file: str) -> None:
    """Drop what earlier files of other folders left under the first name of this module (`losses`, say)."""
    top = module.partition(".")[0]
    known = sys.modules.get(top)
    origin = getattr(known, "__file__", None)
    if known is None or origin is None:
        return
    depth = module.count(".") + (Path(file).name == "__init__.py")
    folder = Path(file).parents[depth - 1] if depth else Path(file)
    expected = folder / "__init__.py" if depth else folder
    if not _same_file(origin, str(expected)) and top not in sys.stdlib_module_names and top != "torch":
        for name in [name for name in sys.modules if name == top or name.startswith(top + ".")]:
            del sys.modules[name]


def _forget_orphans() -> None:
    """Drop what a package whose import failed leaves behind: the next attempt would not make it an attribute again."""
    for name in sorted(sys.modules):
        if "." in name and name.rpartition(".")[0] not in sys.modules:
            del sys.modules[name]


def _same_file(first: str | None, second: str) -> bool:
    return first is not None and os.path.realpath(first) == os.path.realpath(second)


def _reason(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"importing it ends the program (sys.exit({error.code!r}))"
    return f"importing it fails with {type(error).__name__}: {first_line(error)}"


def first_line(error: BaseException) -> str:
    """The first line of an exception's text, at most 300 characters."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else "(no message)"


@contextmanager
def _contained() -> Iterator[None]:
    """Take back what modules change for everybody when they are imported."""
    kept: dict[str, Any] = {
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "argv": sys.argv,
        "dtype": torch.get_default_dtype(),
        "grad": torch.is_grad_enabled(),
        "recursion": sys.getrecursionlimit(),
        "excepthook": sys.excepthook,
        "out": (sys.stdout, sys.stderr),
    }
    sys.argv = ["losslint-probe"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.argv = kept["argv"]
        sys.excepthook = kept["excepthook"]
        sys.stdout, sys.stderr = kept["out"]
        sys.setrecursionlimit(kept["recursion"])
        os.environ.clear()
        os.environ.update(kept["environment"])
        os.chdir(kept["folder"])
        torch.set_default_dtype(kept["dtype"])
        torch.set_grad_enabled(kept["grad"])
        torch.autograd.set_detect_anomaly(False)
        if torch.get_default_device().type != "cpu":
            torch.set_default_device("cpu")
