"""Forward and backward at generic points: what comes back, whether it is a scalar, and which inputs a gradient reaches."""

from __future__ import annotations

from typing import Any

from ..case import Case, results
from ..observed import Observer
from ..outcome import outcome


def measure(case: Case, observer: Observer) -> dict[str, Any]:
    """The outcome at the inputs as found, with shape and dtype of the result."""
    found = outcome(case, "generic", observer)
    if found["status"] == "error":
        return found
    output = case.evaluate().output
    floats = results(output)
    found |= {
        "shapes": [list(each.shape) for each in floats],
        "dtypes": [str(each.dtype).removeprefix("torch.") for each in floats],
        "is_scalar": len(floats) == 1 and floats[0].numel() == 1,
        "requires_grad": any(each.requires_grad for each in floats),
    }
    return found
