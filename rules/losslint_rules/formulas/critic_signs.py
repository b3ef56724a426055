"""a critic that is told the same of real and fake

The critic of a Wasserstein GAN maximises `critic(real).mean() - critic(fake).mean()`: the two scores enter its loss with
opposite signs. A parenthesis that closes too late, `-(critic(real) + critic(fake))`, gives both the same sign; the critic learns
to raise all scores, the loss falls without bound, and nothing says so.

The same holds for hinges, `relu(1 - critic(real)) + relu(1 + critic(fake))`, and for labels: ones for what is real, zeros
for fakes.

Reported are sums in which the scores of one callable for something called real and something called fake have the same
influence, as they are, averaged or scaled, in a hinge or a softplus, or against ones and zeros that the code makes. Squares and
penalties are silent.

## Bad

```python
import torch

def critic_loss(critic, real, fake):
    return -torch.mean(critic(real) + critic(fake.detach()))
```

## Good

```python
import torch

def critic_loss(critic, real, fake):
    return -torch.mean(critic(real)) + torch.mean(critic(fake.detach()))
```

No fix is offered: which of the two signs is wrong is the author's to say.

A run confirms it: raising the scores of fakes lowers the loss of the critic.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import BACKWARD, Graph, ancestors
from losslint.semantics.loss_names import says_loss, words
from losslint.semantics.spelling import excerpt
from losslint.semantics.terms import returned_values
from losslint.semantics.values import Value
from losslint_rules.formulas.polynomials import ALIKE, number_of

RULE = Rule(code="LL736", name="critic-signs", severity=Severity.WARNING, doubted=True)

_RISING = frozenset({"relu", "softplus", "log_sigmoid", "clamp", "clamp_min", "leaky_relu", "sigmoid"})
_AGAINST = frozenset({"binary_cross_entropy_with_logits", "binary_cross_entropy", "mse_loss"})
_REAL = frozenset({"real", "reals", "true", "genuine"})
_FAKE = frozenset({"fake", "fakes", "gen", "generated", "synthetic", "sampled"})


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report results in which the scores of real and fake have one sign."""
    for op in (*graph.returns, *graph.named(BACKWARD)):
        for value in returned_values(op) if op in graph.returns else op.operands[:1]:
            scores = [(sign, each) for sign, each in signed_terms(value) if _callee(each) is not None]
            pair = next(_same_sign(scores), None)
            if pair is None:
                continue
            real, fake = pair
            sites = [each.origin.site for each in (real, fake)]
            yield RULE.finding(
                op.site,
                f"`{excerpt(real)}` and `{excerpt(fake)}` enter this loss with the same sign: a critic is to tell real from fake, "
                "so the mean of one is subtracted from that of the other",
                evidence=[Step(site, "a score") for site in sites if site is not None],
            )


def _same_sign(scores: list[tuple[float, Value]]) -> Iterator[tuple[Value, Value]]:
    """A score of something real and one of something fake, where neither kind has both influences (two losses in one sum)."""
    for callee in {_callee(each) for _, each in scores}:
        kinds: dict[str | None, list[tuple[float, Value]]] = {"real": [], "fake": []}
        for sign, each in scores:
            if _callee(each) == callee:
                kinds.setdefault(_kind(each), []).append((sign, each))
        signs = {sign > 0 for sign, _ in (*kinds["real"], *kinds["fake"])}
        if kinds["real"] and kinds["fake"] and len(signs) == 1:
            yield kinds["real"][0][1], kinds["fake"][0][1]


def signed_terms(value: Value, sign: float = 1.0, depth: int = 30) -> Iterator[tuple[float, Value]]:
    """What a value is a sum of, through hinges and other rising functions, with the sign of its influence.

    A score that is compared with ones lowers the loss as it rises, one that is compared with zeros raises it.
    """
    name, operands = value.origin.name, value.origin.operands
    if depth and name in ("add", "sub") and len(operands) == 2:
        yield from signed_terms(operands[0], sign, depth - 1)
        yield from signed_terms(operands[1], -sign if name == "sub" else sign, depth - 1)
    elif depth and operands and (name in ALIKE or name in ("mean", "sum", "neg")):
        yield from signed_terms(operands[0], -sign if name == "neg" else sign, depth - 1)
    elif depth and operands and name in _RISING:
        yield from signed_terms(operands[0], sign, depth - 1)
    elif depth and name in _AGAINST and _label(value) is not None:
        yield from signed_terms(operands[0], -sign if _label(value) else sign, depth - 1)
    elif depth and name in ("mul", "div") and len(operands) == 2:
        for factor, other in (operands, operands[::-1]):
            number = number_of(factor)
            if number and (name == "mul" or factor is operands[1]):
                yield from signed_terms(other, sign if number > 0 else -sign, depth - 1)
                return
        yield sign, value
    else:
        yield sign, value


def _label(value: Value) -> bool | None:
    """Whether the label that scores are compared with is ones (True) or zeros, as far as the code itself makes it."""
    target = value.origin.keywords.get("target")
    made = "" if target is None else target.origin.name
    return (
        True
        if made in ("ones_like", "ones", "new_ones")
        else False
        if made in ("zeros_like", "zeros", "new_zeros")
        else None
    )


def _callee(value: Value) -> str | None:
    """What is called, where a value is the plain result of a call of something that is not known."""
    label = value.origin.label
    if value.origin.name != "unknown" or not label.endswith("()") or any(map(_is_formula, value.origin.operands)):
        return None
    return None if says_loss(label.rpartition(".")[2]) or "penalty" in label else label


def _is_formula(given: Value) -> bool:
    """Whether what is given is worked out already: a critic is given data, and `log(1 - sigmoid(fake))` is none."""
    return given.origin.name in ("add", "sub", "neg", "sigmoid", "softmax", "exp", "log")


def _kind(value: Value) -> str | None:
    """Whether a call is given something called real, or something called fake."""
    names = [each.origin.label for each in ancestors(value.origin.operands) if each.origin.name == "parameter"]
    said = {word for name in names for word in words(name)}
    return None if bool(said & _REAL) is bool(said & _FAKE) else "real" if said & _REAL else "fake"
