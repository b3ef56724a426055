"""a loop that returns at the end of its first turn

`return total / n` that stands one level too deep, inside the loop that adds the total up, leaves the function after the first
turn: the loss of one sample, one class or one scale is returned as the loss of all.

Reported where the last statement of a loop's body is a `return` or `break` that every turn reaches, and the body adds to a name or
a list that was made in front of the loop. Silent are loops with a `continue` or an early way out, which look for something, and
loops that add nothing up.

## Bad

```python
import torch.nn.functional as F

def multi_scale_loss(outputs, targets):
    total = 0
    for output, target in zip(outputs, targets):
        total = total + F.l1_loss(output, target)
        return total / len(outputs)
```

## Good

```python
import torch.nn.functional as F

def multi_scale_loss(outputs, targets):
    total = 0
    for output, target in zip(outputs, targets):
        total = total + F.l1_loss(output, target)
    return total / len(outputs)
```

No fix is offered: what else belongs behind the loop, the code does not say.

A run confirms it: all but the first elements have no influence.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph
from losslint.semantics.syntax_walk import walk
from losslint.semantics.values import Site
from losslint_rules.usage.loop_bodies import accumulated, assigned, for_loops, own_statements, statements_before

RULE = Rule(code="LL754", name="returned-in-first-turn", severity=Severity.WARNING)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report loops that add something up and end with their first turn."""
    for function, loop in for_loops(graph):
        last = _last(loop)
        if last is None or _goes_on(loop):
            continue
        made = {found[0] for each in statements_before(function, loop) or () if (found := assigned(each)) is not None}
        sums = [each for each in own_statements(loop) if (accumulated(each) or "") in made]
        if not sums:
            continue
        name = accumulated(sums[0])
        word = "return" if isinstance(last, cst.Return) else "break"
        yield RULE.finding(
            Site(graph.unit, last),
            f"this `{word}` stands in the loop over `{graph.unit.code(loop.iter)}` and ends it with its first turn, so "
            f"`{name}` holds one element alone; move it behind the loop",
            evidence=[Step(Site(graph.unit, sums[0]), f"`{name}` is added up here")],
        )


def _last(loop: cst.For) -> cst.Return | cst.Break | None:
    line = loop.body.body[-1] if loop.body.body else None
    last = line.body[-1] if isinstance(line, cst.SimpleStatementLine) else line
    return last if isinstance(last, (cst.Return, cst.Break)) else None


def _goes_on(loop: cst.For) -> bool:
    """Whether something in the body may start the next turn, or end the loop elsewhere: a search."""
    ends = [each for each in walk(loop.body) if isinstance(each, (cst.Continue, cst.Return, cst.Break, cst.Yield))]
    return len(ends) != 1 or loop.orelse is not None
