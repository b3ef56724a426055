"""the constructor of a loss called with the data

`nn.MSELoss(pred, target)` builds a module and takes the data for its old options `size_average` and `reduce`. With
more than one element it raises "Boolean value of Tensor with more than one value is ambiguous"; with scalars it
silently gives a module instead of a loss.

## Bad

```python
import torch.nn as nn

class ReconstructionLoss(nn.Module):
    def forward(self, pred, target):
        return nn.MSELoss(pred, target)
```

## Good

```python
import torch.nn as nn

class ReconstructionLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.criterion = nn.MSELoss()

    def forward(self, pred, target):
        return self.criterion(pred, target)
```

The functions of torch.nn.functional (`F.mse_loss(pred, target)`) need no second call.

The fix builds the module first. It is unsafe, because what it replaces gives no value to compare with.

A run confirms it by the error.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Role, Site, Value
from losslint_rules.usage.arguments import unsafe

RULE = Rule(code="LL709", name="loss-constructor-called-with-data", severity=Severity.ERROR)

_WEIGHT_FIRST = frozenset({"BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "NLLLoss", "MultiLabelSoftMarginLoss"})
_OTHERS = frozenset({"CosineSimilarity", "PairwiseDistance"})
_DATA = ("input", "target", "pred", "y_true", "y_pred")


@RULE.on_op("module")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report the construction of a loss module whose arguments are tensors that only a call can take."""
    name = op.origin.label.rpartition(".")[2]
    if not op.origin.label.startswith("torch.nn.") or not (name.endswith("Loss") or name in _OTHERS):
        return
    given = op.operands[1:] if name in _WEIGHT_FIRST else op.operands
    data = [value for value in given if _is_data(value)]
    data += [op.keywords[each] for each in _DATA if each in op.keywords]
    if not data:
        return
    yield RULE.finding(
        op.site,
        f"nn.{name}(...) builds a module and takes `{excerpt(data[0])}` for one of its options: no loss is computed; "
        f"call it on the data, `nn.{name}()(...)`",
        evidence=with_calls(op, ()),
        rewrite=_rewrite(op, name),
    )


def _is_data(value: Value) -> bool:
    return value.is_tensor or (value.origin.name == "parameter" and value.role in (Role.PREDICTION, Role.TARGET))


def _rewrite(op: Op, name: str) -> Rewrite | None:
    call = op.site.node
    if not isinstance(call, cst.Call) or any(argument.star for argument in call.args):
        return None
    written = op.site.unit.code(call.func)
    return unsafe(f"build the nn.{name} first", Replacement(Site(op.site.unit, call.func), f"{written}()"))
