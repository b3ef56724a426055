"""The operator tables: what each operator does to ranges, gradients, shapes and dtypes, whatever its spelling.

Hand-written in elementwise.py, structure.py and losses.py, sampled against torch in the tests; facts.json holds what
torch's own metadata says of the same operators (scripts/generate_operator_facts.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from losslint.semantics.operators.model import (
    REQUIRED,
    GradientClass,
    Interval,
    ModuleOperator,
    Operator,
    Parameter,
    Shape,
)

__all__ = [
    "REQUIRED",
    "GradientClass",
    "Interval",
    "ModuleOperator",
    "Operator",
    "Parameter",
    "Shape",
    "lookup_function",
    "lookup_method",
    "lookup_module",
    "operators",
]


@cache
def operators() -> Mapping[str, Operator]:
    """Every operator by its name."""
    from losslint.semantics.operators import elementwise, losses, structure

    return {row.name: row for row in (*elementwise.ROWS, *structure.ROWS, *losses.ROWS)}


@cache
def _by_spelling() -> Mapping[str, Operator]:
    from losslint.semantics.operators import structure

    rows = (*operators().values(), *structure.SHORT_FORMS)
    return {spelling: row for row in rows for spelling in row.spellings}


@cache
def _by_method() -> Mapping[str, Operator]:
    from losslint.semantics.operators import structure

    rows = (*operators().values(), *structure.SHORT_FORMS)
    return {method: row for row in rows for method in row.methods}


@cache
def _modules() -> Mapping[str, ModuleOperator]:
    from losslint.semantics.operators import losses

    return losses.modules(dict(operators()))


def lookup_function(qualified: str) -> Operator | None:
    """The operator behind a full name such as torch.nn.functional.log_softmax."""
    found = _by_spelling().get(qualified)
    if found is None and qualified.endswith("_"):
        found = _by_spelling().get(qualified[:-1])
    return found


def lookup_method(name: str) -> tuple[Operator, bool] | None:
    """The operator behind a tensor method, and whether it is the in-place form (`clamp_`)."""
    found = _by_method().get(name)
    if found is not None:
        return found, False
    plain = _by_method().get(name[:-1]) if name.endswith("_") and not name.endswith("__") else None
    return (plain, True) if plain is not None else None


def lookup_module(qualified: str) -> ModuleOperator | None:
    """The torch.nn module of a full name."""
    name = (
        qualified.replace("torch.nn.modules.", "torch.nn.") if qualified.startswith("torch.nn.modules.") else qualified
    )
    parts = name.split(".")
    return _modules().get(f"torch.nn.{parts[-1]}") if name.startswith("torch.nn.") else None
