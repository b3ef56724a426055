"""The graph of a loss: by torch.fx.symbolic_trace, else make_fx on the real inputs, else a log of what was dispatched.

A loss that symbolic_trace refuses is no worse for it (six in ten sound ones are refused); the line it stops at is
information about what torch.compile and export will meet.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode

from ..case import Case, objective, results
from ..loading import first_line
from ..user_lines import Line, raised_at


def measure(case: Case) -> dict[str, Any]:
    """`tracer` is symbolic, make_fx or dispatch; `stopped_at` where and why symbolic_trace gave up; `operators` counts."""
    stopped: dict[str, Any] | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return {"tracer": "symbolic", "stopped_at": None, "operators": _symbolic(case)}
        except Exception as error:
            stopped = {"reason": f"{type(error).__name__}: {first_line(error)}", **_line(error, case)}
        try:
            return {"tracer": "make_fx", "stopped_at": stopped, "operators": _by_make_fx(case)}
        except Exception:
            return {"tracer": "dispatch", "stopped_at": stopped, "operators": _by_dispatch(case)}


def _line(error: BaseException, case: Case) -> Line | dict[str, Any]:
    return raised_at(error, case.is_users) or {}


def _symbolic(case: Case) -> dict[str, int]:
    loss = case.fresh()
    fixed = {each.name: each.value for each in case.arguments if each.kind == "value"}
    graph = torch.fx.symbolic_trace(loss, concrete_args=fixed or None).graph
    return _counted(
        getattr(node.target, "__name__", str(node.target))
        for node in graph.nodes
        if node.op in ("call_function", "call_method", "call_module")
    )


def _by_make_fx(case: Case) -> dict[str, int]:
    loss = case.fresh()
    values, _ = case.inputs()
    names = [name for name, value in values.items() if isinstance(value, Tensor)]

    def run(*tensors: Tensor) -> Any:
        return objective(case.call(loss, {**values, **dict(zip(names, tensors, strict=True))}))

    graph = make_fx(run, tracing_mode="real")(*(values[name] for name in names)).graph
    return _counted(str(node.target) for node in graph.nodes if node.op == "call_function")


class _Log(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.operators: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operators.append(str(func))
        return func(*args, **(kwargs or {}))


def _by_dispatch(case: Case) -> dict[str, int]:
    loss: Callable[..., Any] = case.fresh()
    values, _ = case.inputs()
    log = _Log()
    with log:
        results(case.call(loss, values))
    return _counted(log.operators)


def _counted(names: Any) -> dict[str, int]:
    return dict(Counter(names).most_common(60))
