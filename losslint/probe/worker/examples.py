"""Inputs that somebody wrote down: in the settings, on the loss itself, or as a doctest.

`losslint_example` on a class or function is a function without arguments that returns the tuple of arguments, or a tuple of
such functions (to construct, and for the arguments). A doctest is run, and what reaches the loss is noted.
"""

from __future__ import annotations

import contextlib
import doctest
import inspect
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from .case import seed
from .construct import Construction, evaluate
from .kinds_from_use import kind_of
from .specs import Spec, expression

_LARGEST_LITERAL = 4_000
"""Numbers that a script can hold."""
_PLAIN: tuple[Any, ...] = (bool, int, float, str, type(None))


@dataclass(frozen=True)
class Example:
    """Arguments by parameter name, each with source that makes it (or ""), and the construction that goes with them."""

    values: dict[str, Any]
    texts: dict[str, str]
    source: str
    confidence: float
    construction: Construction | None = None


@dataclass
class _Noted:
    """What a doctest handed to the constructor and to the loss."""

    constructed: dict[str, Any] = field(default_factory=dict)
    called: dict[str, Any] | None = None


def written_examples(
    given: list[dict[str, str]], owner: Any, function: Callable[..., Any], module: ModuleType
) -> Iterator[Example]:
    """Examples of the settings: `inputs` is the text of the arguments, `construct` that of the loss."""
    for each in given:
        names = _parameter_names(function)
        made = evaluate(f"__arguments__({each['inputs']})", owner, _with_collector(module))
        positional, keywords = made
        values = {**dict(zip(names, positional, strict=False)), **keywords}
        construction = None
        if each.get("construct"):
            text = each["construct"]
            construction = Construction(lambda text=text: evaluate(text, owner, module), text, "example", 1.0)  # type: ignore[misc]
        yield Example(values, {name: _literal(value) for name, value in values.items()}, "settings", 0.99, construction)


def _with_collector(module: ModuleType) -> ModuleType:
    copied = ModuleType(module.__name__)
    vars(copied).update(vars(module), __arguments__=lambda *args, **kwargs: (args, kwargs))
    seed()
    return copied


def attached_example(loss_or_class: Any, function: Callable[..., Any]) -> Iterator[Example]:
    """The example that a class or function carries as `losslint_example`."""
    attached = inspect.getattr_static(loss_or_class, "losslint_example", None)
    attached = attached.__func__ if isinstance(attached, staticmethod) else attached
    if attached is None:
        return
    construct, arguments = attached if isinstance(attached, tuple) else (None, attached)
    seed()
    made = arguments()
    values = dict(zip(_parameter_names(function), made if isinstance(made, tuple) else (made,), strict=False))
    construction = None
    if construct is not None:
        construction = Construction(construct, f"{loss_or_class.__name__}.losslint_example[0]()", "example", 1.0)
    yield Example(values, {name: _literal(value) for name, value in values.items()}, "decorator", 0.99, construction)


def doctest_example(owner: Any, function: Callable[..., Any], module: ModuleType) -> Example | None:
    """What the first working example in the docstrings hands to the loss."""
    code = _code(function)
    if code is None:
        return None
    init = _code(getattr(owner, "__init__", None)) if owner is not None else None
    for docstring in filter(None, (inspect.getdoc(owner) if owner is not None else None, inspect.getdoc(function))):
        noted = _Noted()
        _run_examples(docstring, owner, module, noted, code, init)
        if noted.called is not None:
            values, texts = _short(noted.called)
            return Example(values, texts, "doctest", 0.95, _reconstruction(owner, module, noted))
    return None


def _short(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values with their sources; a large tensor gives way to one alike that a short expression makes."""
    seed()
    kept, texts = dict(values), dict[str, str]()
    for name, value in values.items():
        text = _literal(value)
        if isinstance(value, Tensor) and value.numel() > _LARGEST_LITERAL and not value.is_complex():
            text = _alike(value)
            kept[name] = eval(text, {"torch": torch})
        texts[name] = text
    return kept, texts


def _alike(tensor: Tensor) -> str:
    shape = tuple(tensor.shape)
    if not tensor.is_floating_point():
        made = f"torch.randint({int(tensor.min())}, {int(tensor.max()) + 1}, {shape})"
        return made if tensor.dtype == torch.int64 else f"{made}.to({tensor.dtype})"
    made = expression(Spec(tuple(map(str, shape)), kind_of(tensor)))
    return made if tensor.dtype == torch.float32 else f"({made}).to({tensor.dtype})"


def _run_examples(docstring: str, owner: Any, module: ModuleType, noted: _Noted, code: Any, init: Any) -> None:
    """Run the statements of a docstring up to the first that fails, with an eye on the calls of the loss."""
    try:
        statements = doctest.DocTestParser().get_examples(docstring)
    except ValueError:
        return
    names = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional, **vars(module)}
    if owner is not None:
        names[owner.__name__] = owner
    seed()
    sys.setprofile(_observer(noted, code, init))
    try:
        for statement in statements:
            # Backward is not wanted here: a device that was set up later would find autograd at work already.
            source = "\n".join(line for line in statement.source.splitlines() if ".backward(" not in line)
            with contextlib.redirect_stdout(None), torch.enable_grad():
                exec(compile(source, "<doctest>", "exec"), names)
            if noted.called is not None:
                return
    except Exception:
        return
    finally:
        sys.setprofile(None)


def _observer(noted: _Noted, code: Any, init: Any) -> Callable[[FrameType, str, Any], None]:
    def observe(frame: FrameType, event: str, argument: Any) -> None:
        if event != "call":
            return
        if frame.f_code is code and noted.called is None:
            noted.called = _arguments(frame)
        elif init is not None and frame.f_code is init and noted.called is None:
            noted.constructed = _arguments(frame)

    return observe


def _arguments(frame: FrameType) -> dict[str, Any]:
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount
    names = [name for name in code.co_varnames[:count] if name != "self"]
    return {name: pytree.tree_map(_detached, frame.f_locals[name]) for name in names if name in frame.f_locals}


def _detached(leaf: Any) -> Any:
    return leaf.detach().clone() if isinstance(leaf, Tensor) else leaf


def _reconstruction(owner: Any, module: ModuleType, noted: _Noted) -> Construction | None:
    if owner is None:
        return None
    given = {name: _literal(value) for name, value in noted.constructed.items()}
    if not all(given.values()):
        kept = dict(noted.constructed)
        return Construction(lambda: owner(**kept), "", "doctest", 1.0)
    text = f"{owner.__name__}({', '.join(f'{name}={value}' for name, value in given.items())})"
    return Construction(lambda: evaluate(text, owner, module), text, "doctest", 1.0)


def _parameter_names(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


def _code(function: Any) -> Any:
    function = inspect.unwrap(function) if callable(function) else function
    if isinstance(function, MethodType):
        function = function.__func__
    return function.__code__ if isinstance(function, FunctionType) else None


def _literal(value: Any) -> str:
    """Source of a value, or "" where there is no short one."""
    if isinstance(value, Tensor):
        if value.numel() > _LARGEST_LITERAL or value.is_complex():
            return ""
        return f"torch.tensor({value.tolist()!r}, dtype={value.dtype})"
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{float(value)}')"
    # An enum of strings or numbers passes for one of them, its own repr may not.
    for kind in _PLAIN:
        if isinstance(value, kind):
            return str(kind.__repr__(value))
    if isinstance(value, (list, tuple)):
        parts = [_literal(each) for each in value]
        if not all(parts):
            return ""
        if isinstance(value, list):
            return f"[{', '.join(parts)}]"
        named = type(value)
        made = f"__import__({named.__module__!r}, fromlist=['_']).{named.__qualname__}" if named is not tuple else ""
        return f"{made}({', '.join(parts)}{'' if made else ','})"
    if type(value) is dict and all(isinstance(key, str) for key in value):
        parts = [_literal(each) for each in value.values()]
        return (
            "{" + ", ".join(f"{key!r}: {part}" for key, part in zip(value, parts, strict=True)) + "}"
            if all(parts)
            else ""
        )
    return ""
