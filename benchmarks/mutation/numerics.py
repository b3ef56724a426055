"""Guards taken away, and stable functions written out by hand: the mutant has a NaN, an inf or no gradient somewhere."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mutation.matching import arguments, is_constant, is_small, operation
from mutation.mutants import UNSAFE, Change, Edit, mutator
from mutation.view import View, atom, code


@mutator(cst.Call, UNSAFE)
def clamp_dropped(call: cst.Call, view: View) -> Iterator[str]:
    """`x.clamp(min=1)` -> `x`"""
    if found := operation(call, "clamp", "clip", "clamp_min", "clamp_max"):
        yield code(found.subject)


@mutator(cst.BinaryOperation, UNSAFE)
def eps_dropped(node: cst.BinaryOperation, view: View) -> Iterator[str]:
    """`x + eps` -> `x`"""
    if isinstance(node.operator, cst.Add):
        if is_small(node.right):
            yield code(node.left)
        elif is_small(node.left):
            yield code(node.right)


@mutator(cst.Call, UNSAFE)
def eps_moved_outside(call: cst.Call, view: View) -> Iterator[str]:
    """`torch.log(x + eps)` -> `torch.log(x) + eps`"""
    found = operation(call, "log", "log2", "log10", "sqrt")
    if found and isinstance(found.subject, cst.BinaryOperation) and isinstance(found.subject.operator, cst.Add):
        total = found.subject
        if is_small(total.right):
            subject = code(total.left) if found.owner else atom(total.left)
            yield f"{found.again(subject)} + {code(total.right)}"


@mutator(cst.BinaryOperation, UNSAFE)
def divided_eps_moved_outside(node: cst.BinaryOperation, view: View) -> Iterator[str]:
    """`a / (b + eps)` -> `a / b + eps`"""
    below = node.right
    if not isinstance(node.operator, cst.Divide) or not isinstance(below, cst.BinaryOperation):
        return
    if isinstance(below.operator, cst.Add) and is_small(below.right):
        yield f"{code(node.left)} / {atom(below.left)} + {code(below.right)}"


@mutator(cst.Call, UNSAFE)
def builtin_max_dropped(call: cst.Call, view: View) -> Iterator[str]:
    """`max(n, 1)` -> `n`"""
    if isinstance(call.func, cst.Name) and call.func.value == "max" and len(call.args) == 2:
        first, second = (each.value for each in call.args)
        if is_constant(second):
            yield code(first)
        elif is_constant(first):
            yield code(second)


@mutator(cst.Call, UNSAFE)
def safe_value_dropped(call: cst.Call, view: View) -> Iterator[str]:
    """`torch.where(x > 0, x, torch.ones_like(x))` -> `x`"""
    found = operation(call, "where")
    if found and found.owner == "torch" and len(found.rest) == 2:
        fallback = found.rest[1].value
        if is_constant(fallback) or operation(fallback, "ones_like", "full_like"):
            yield code(found.rest[0].value)


@mutator(cst.BinaryOperation, UNSAFE)
def shift_by_max_dropped(node: cst.BinaryOperation, view: View) -> Iterator[str]:
    """`x - x.amax(dim=1, keepdim=True)` -> `x`"""
    if isinstance(node.operator, cst.Subtract):
        right = operation(node.right, "detach")
        found = operation(right.subject if right else node.right, "amax", "max")
        if found and code(found.subject) == code(node.left):
            yield code(node.left)


@mutator(cst.Float, UNSAFE)
def eps_too_small(number: cst.Float, view: View) -> Iterator[str]:
    """`1 - 1e-6` -> `1 - 1e-12`, which is 1 in float32"""
    if 1e-12 < float(number.value) <= 1e-3:
        yield "1e-12"


@mutator(cst.Param, UNSAFE)
def gamma_below_one(parameter: cst.Param, view: View) -> Iterator[Change]:
    """`gamma=2.0` -> `gamma=0.5`: the power's gradient at 0 is infinite"""
    if parameter.name.value == "gamma" and isinstance(parameter.default, cst.Float):
        start, end = view.span(parameter.default)
        yield Edit(start, end, "0.5")


@mutator(cst.Call, UNSAFE)
def log_softmax_by_hand(call: cst.Call, view: View) -> Iterator[str]:
    """`F.log_softmax(x, dim=1)` -> `torch.log(F.softmax(x, dim=1))`"""
    if found := operation(call, "log_softmax"):
        yield f"torch.log({found.again(name='softmax')})"


@mutator(cst.Call, UNSAFE)
def logsigmoid_by_hand(call: cst.Call, view: View) -> Iterator[str]:
    """`F.logsigmoid(x)` -> `torch.log(torch.sigmoid(x))`"""
    if found := operation(call, "logsigmoid"):
        yield f"torch.log(torch.sigmoid({code(found.subject)}))"


@mutator(cst.Call, UNSAFE)
def softplus_by_hand(call: cst.Call, view: View) -> Iterator[str]:
    """`F.softplus(x)` -> `torch.log(1 + torch.exp(x))`"""
    found = operation(call, "softplus")
    if found and not found.rest:
        yield f"torch.log(1 + torch.exp({code(found.subject)}))"


@mutator(cst.Call, UNSAFE)
def logsumexp_by_hand(call: cst.Call, view: View) -> Iterator[str]:
    """`torch.logsumexp(x, dim=1)` -> `torch.log(torch.exp(x).sum(dim=1))`"""
    if found := operation(call, "logsumexp"):
        yield f"torch.log(torch.exp({code(found.subject)}).sum({arguments(found.rest)}))"


@mutator(cst.Call, UNSAFE)
def softmax_by_hand(call: cst.Call, view: View) -> Iterator[str]:
    """`F.softmax(x, dim=1)` -> `torch.exp(x) / torch.exp(x).sum(dim=1, keepdim=True)`"""
    found = operation(call, "softmax")
    if found and len(found.rest) == 1:
        powers = f"torch.exp({code(found.subject)})"
        yield f"{powers} / {powers}.sum({arguments(found.rest)}, keepdim=True)"


@mutator(cst.Call, UNSAFE)
def norm_by_hand(call: cst.Call, view: View) -> Iterator[str]:
    """`torch.linalg.vector_norm(x, dim=1)` -> `torch.sqrt((x ** 2).sum(dim=1))`"""
    found = operation(call, "vector_norm", "norm")
    if found is None:
        return
    order = found.argument("p") or found.argument("ord") or found.argument("p", 0)
    if order is None or code(order.value) in ("2", "2.0"):
        yield f"torch.sqrt(({atom(found.subject)} ** 2).sum({arguments(found.without(order))}))"


@mutator(cst.Call, UNSAFE)
def normalize_by_hand(call: cst.Call, view: View) -> Iterator[str]:
    """`F.normalize(x, dim=1)` -> `x / x.norm(dim=1, keepdim=True)`"""
    found = operation(call, "normalize")
    if found and len(found.rest) == 1 and found.argument("dim") is not None:
        x = atom(found.subject)
        yield f"{x} / {x}.norm({arguments(found.rest)}, keepdim=True)"


@mutator(cst.Call, UNSAFE)
def distance_by_hand(call: cst.Call, view: View) -> Iterator[str]:
    """`torch.cdist(a, b)` -> `((a.unsqueeze(1) - b.unsqueeze(0)) ** 2).sum(-1).sqrt()`, and F.pairwise_distance alike"""
    found = operation(call, "cdist", "pairwise_distance")
    if found and len(found.rest) == 1:
        a, b = atom(found.subject), atom(found.rest[0].value)
        if found.name == "cdist":
            a, b = f"{a}.unsqueeze(1)", f"{b}.unsqueeze(0)"
        yield f"(({a} - {b}) ** 2).sum(-1).sqrt()"


@mutator(cst.Call, UNSAFE)
def bce_by_hand(call: cst.Call, view: View) -> Iterator[str]:
    """`F.binary_cross_entropy_with_logits(x, t, ...)` -> `-(t * torch.log(p) + (1 - t) * torch.log(1 - p))`"""
    found = operation(call, "binary_cross_entropy_with_logits")
    if found and len(found.rest) == 2 and code(found.rest[1]).endswith('reduction="none"'):
        p, t = f"torch.sigmoid({code(found.subject)})", atom(found.rest[0].value)
        yield f"-({t} * torch.log({p}) + (1 - {t}) * torch.log(1 - {p}))"


@mutator(cst.BinaryOperation, UNSAFE)
def entropy_of_probabilities(node: cst.BinaryOperation, view: View) -> Iterator[str]:
    """`log_p.exp() * log_p` -> `log_p.exp() * torch.log(log_p.exp())`"""
    if isinstance(node.operator, cst.Multiply):
        found = operation(node.left, "exp")
        if found and code(found.subject) == code(node.right):
            yield f"{code(node.left)} * torch.log({code(node.left)})"
