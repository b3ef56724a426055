"""Takes losses out of packages whose dependencies are not installed, and keeps which finding each script shows."""

from __future__ import annotations
import __future__

import ast
import importlib.util
import math
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import nn

from packages import PINNED, unpacked

Script = Callable[[], str]
SHOWN: dict[str, Script] = {}
FAMILIAR: dict[str, Any] = {
    "torch": torch,
    "nn": nn,
    "F": nn.functional,
    "Tensor": torch.Tensor,
    "np": numpy,
    "math": math,
    "_Loss": nn.modules.loss._Loss,
    "Module": nn.Module,
    **{name: getattr(typing, name) for name in ("Any", "Callable", "Dict", "List", "Optional", "Tuple", "Union")},
}


def shows(*fingerprints: str) -> Callable[[Script], Script]:
    """Say which findings a script shows; it returns what it saw and raises AssertionError where it saw nothing."""

    def keep(script: Script) -> Script:
        for fingerprint in fingerprints:
            assert fingerprint not in SHOWN, f"{fingerprint} is shown twice"
            SHOWN[fingerprint] = script
        return script

    return keep


def file(name: str, path: str) -> Path:
    """A file of a pinned package."""
    return unpacked(name, PINNED[name]) / path


def single_file(name: str, path: str) -> Any:
    """One module of a package, loaded without the package."""
    spec = importlib.util.spec_from_file_location(Path(path).stem + "_alone", file(name, path))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def taken(name: str, path: str, *wanted: str, **given: Any) -> dict[str, Any]:
    """Definitions of a file whose imports are missing, without their decorators; `given` stands in for what they use.

    `Class.method` takes a method as a function of its own.
    """
    tree = ast.parse(file(name, path).read_text())
    chosen: list[ast.stmt] = []
    for each in wanted:
        owner, _, method = each.rpartition(".")
        scope = next(found.body for found in tree.body if called(found) == owner) if owner else tree.body
        definition = next(found for found in scope if called(found) == method)
        if isinstance(definition, ast.FunctionDef | ast.ClassDef):
            definition.decorator_list = []
        chosen.append(definition)
    code = compile(ast.Module(chosen, []), path, "exec", __future__.annotations.compiler_flag)
    namespace = {"__name__": "taken", **FAMILIAR, **given}
    exec(code, namespace)
    return namespace


def called(node: ast.stmt) -> str | None:
    """The name that a statement binds; the body of a class is looked at by its caller."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return None


def backward_fails(loss: torch.Tensor) -> str:
    """The message of the backward() that a loss without a graph raises."""
    try:
        loss.backward()
    except RuntimeError as problem:
        return str(problem)
    raise AssertionError("backward() ran")
