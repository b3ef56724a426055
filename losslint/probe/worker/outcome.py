"""One call of a loss with its backward pass, as plain data."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from .case import Case, objective, parameters, results
from .loading import first_line
from .nonfinite import backward_origin, forward_origin
from .observed import Observer
from .user_lines import raised_at


def outcome(case: Case, name: str, observer: Observer, locate: bool = True) -> dict[str, Any]:
    """Run the loss once. `status` is ok, value (it is not finite), gradient (only that is not), or error.

    `origin` says where a number first stopped being finite. `gradients` has the norm of each leaf's gradient, None
    where no graph leads there.
    """
    found: dict[str, Any] = {
        "name": name,
        "status": "ok",
        "value": None,
        "gradients": {},
        "origin": None,
        "error": None,
    }
    try:
        loss = case.fresh()
        values, leaves = case.inputs()
        with observer.watching(name):
            output = case.call(loss, values)
        floats = results(output)
        found["value"] = _number(sum(float(each.detach().abs().max()) if each.numel() else 0.0 for each in floats[:1]))
        if len(floats) == 1 and floats[0].numel() == 1:
            found["value"] = _number(float(floats[0].detach().real))
        total = objective(output)
        leaves |= parameters(loss)
        if not all(bool(torch.isfinite(each).all()) for each in floats):
            found["status"] = "value"
            found["origin"] = forward_origin(case) if locate else None
        elif total is not None and leaves:
            _differentiate(case, total, leaves, found, locate)
    except Exception as error:
        found["status"] = "error"
        found["error"] = f"{type(error).__name__}: {first_line(error)}"
        found["origin"] = raised_at(error, case.is_users)
    return found


def _differentiate(case: Case, total: Tensor, leaves: dict[str, Tensor], found: dict[str, Any], locate: bool) -> None:
    gradients = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
    by_leaf = dict(zip(leaves, gradients, strict=True))
    found["gradients"] = {
        name: None if each is None else _number(float(each.detach().double().norm())) for name, each in by_leaf.items()
    }
    if any(each is not None and not bool(torch.isfinite(each).all()) for each in gradients):
        found["status"] = "gradient"
        found["origin"] = backward_origin(case) if locate else None


def _number(value: float) -> float | str:
    """JSON has no names for what is not finite."""
    return value if math.isfinite(value) else str(value)
