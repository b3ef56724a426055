"""What values are made from: through local names to calls and operators, without evaluating anything."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from losslint.semantics.bindings import Defined, dotted_name
from losslint.semantics.tree_walk import children, walk

# What a loss goes through on its way: `scaler.scale(loss)`, `torch.stack(losses).sum()`, `loss / steps`.
_WRAPPERS = frozenset(
    {"scale", "sum", "stack", "cat", "mean", "add", "tensor", "float", "values", "fsum", "scale_loss"}
)


def reached(
    roots: Iterable[ast.expr], assigned: dict[str, list[ast.expr]], through_calls: bool = True
) -> Iterator[ast.AST]:
    """All expressions that values are made from, through assigned names; without `through_calls` no arguments."""
    pending: list[ast.AST] = list(roots)
    seen: set[str] = set()
    while pending:
        node = pending.pop()
        if isinstance(node, Defined | ast.comprehension | ast.keyword):
            pending.extend(children(node) if not isinstance(node, Defined) else ())
            continue
        yield node
        name = dotted_name(node)
        if name is not None and name in assigned and name not in seen:
            seen.add(name)
            pending.extend(assigned[name])
        if isinstance(node, ast.Lambda) or (isinstance(node, ast.Call) and not through_calls):
            continue
        if isinstance(node, ast.IfExp):
            pending.extend((node.body, node.orelse))
        elif isinstance(node, ast.Subscript):
            # What selects a part is no part of the value.
            pending.append(node.value)
        elif not isinstance(node, ast.Compare):
            pending.extend(children(node))


def assignments(nodes: Iterable[ast.AST]) -> dict[str, list[ast.expr]]:
    """What names and attributes are made from in some nodes: by assignment, loops, `with`, and growing lists."""
    made: dict[str, list[ast.expr]] = {}

    def bind(target: ast.expr, value: ast.expr) -> None:
        for name in _bound(target):
            made.setdefault(name, []).append(value)

    for node in nodes:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    bind(target, value)
            case ast.AugAssign(target=target, op=op, value=value):
                bind(target, ast.BinOp(target, op, value))
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                bind(target, value)
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                bind(target, value)
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                bind(target, value)
            case ast.Call(func=ast.Attribute(value=grown, attr="append" | "add_" | "extend"), args=[value]):
                bind(grown, value)
    return made


def _bound(target: ast.expr) -> Iterator[str]:
    """The names and attributes that a target binds, or changes a part of."""
    if isinstance(target, ast.Tuple | ast.List):
        for each in target.elts:
            yield from _bound(each)
    elif isinstance(target, ast.Subscript | ast.Starred):
        yield from _bound(target.value)
    elif (name := dotted_name(target)) is not None:
        yield name


def results(loss: ast.expr, made: dict[str, list[ast.expr]]) -> Iterator[tuple[ast.expr, bool]]:
    """The calls and names a loss is the result, or a weighted sum, of; whether it is that result itself."""
    pending = [(loss, True)]
    seen: set[str] = set()
    while pending:
        node, direct = pending.pop()
        name = dotted_name(node)
        if name is not None and name in made:
            if name not in seen:
                seen.add(name)
                pending += [(value, direct) for value in made[name]]
        elif name is not None:
            yield node, direct
        elif isinstance(node, ast.BinOp):
            sides = (node.left, node.right)
            # `predicted(x) - target` compares, `recon(x) - entropy(q)` adds terms up.
            if not isinstance(node.op, ast.Sub) or all(_has_call(side) for side in sides):
                pending += [(side, False) for side in sides]
        elif isinstance(node, ast.UnaryOp):
            pending.append((node.operand, False))
        elif isinstance(node, ast.Subscript | ast.Attribute | ast.Starred):
            pending.append((node.value, direct))
        elif isinstance(node, ast.List | ast.Tuple):
            pending += [(each, False) for each in node.elts]
        elif isinstance(node, ast.GeneratorExp | ast.ListComp):
            pending.append((node.elt, False))
        elif isinstance(node, ast.IfExp):
            pending += [(node.body, direct), (node.orelse, direct)]
        elif isinstance(node, ast.Call):
            last = node.func.attr if isinstance(node.func, ast.Attribute) else dotted_name(node.func)
            if last in _WRAPPERS and isinstance(node.func, ast.Attribute) and not node.args:
                pending.append((node.func.value, False))
            elif last in _WRAPPERS:
                pending += [(each, False) for each in node.args]
            else:
                yield node, direct


def _has_call(node: ast.expr) -> bool:
    return any(isinstance(each, ast.Call) for each in walk(node))
