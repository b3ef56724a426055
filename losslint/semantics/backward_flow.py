"""What flows into `.backward()`: the functions that contain it, and those of the file whose results reach it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from losslint.semantics.bindings import dotted_name
from losslint.semantics.loss_names import is_loss_value
from losslint.semantics.outline import ClassSite, Function, FunctionSite, Outline, parameters
from losslint.semantics.tree_walk import own_nodes, walk
from losslint.semantics.value_flow import assignments, reached, results

# Those that leave a loss as it is; a sum or a mean of given losses is an objective of its own.
_TRANSPARENT = frozenset({"scale", "tensor", "float", "values", "scale_loss"})
# Objects whose `backward` takes the loss as an argument.
_DRIVERS = frozenset({"accelerator", "fabric", "engine", "model_engine", "optimizer", "scaler", "strategy", "autograd"})
_NO_TENSORS = frozenset({"self", "cls", "ctx"})


@dataclass(frozen=True, slots=True)
class BackwardFlow:
    """Qualified names of functions and classes that feed a backward(), each with the reason; the row of a script's."""

    functions: dict[str, str] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    script_row: int | None = None


def backward_flow(tree: ast.Module, file: Outline) -> BackwardFlow:
    """Read the flow of one file."""
    reader = _Reader(tree, file)
    script_row: int | None = None
    for row, loss in sinks(own_nodes(tree)):
        script_row = script_row or row
        reader.follow(loss, None, row)
    for site in file.functions:
        if not site.is_test:
            reader.function(site)
    return BackwardFlow(reader.functions, reader.classes, script_row)


def sinks(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, ast.expr]]:
    """The rows of the calls of backward, and what each is called on."""
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            loss = _differentiated(node, node.func)
            if loss is not None:
                yield node.lineno, loss


def _differentiated(call: ast.Call, callee: ast.Attribute) -> ast.expr | None:
    given = call.args[0] if call.args else None
    if callee.attr == "manual_backward":
        return given
    if callee.attr != "backward":
        return None
    receiver = dotted_name(callee.value) or ""
    if given is not None and (receiver.rpartition(".")[2] in _DRIVERS or is_loss_value(_last_name(given))):
        return given
    is_super = isinstance(callee.value, ast.Call) and dotted_name(callee.value.func) == "super"
    # With a gradient given it is a product with the Jacobian of something that is no loss.
    is_product = given is not None and not is_loss_value(_last_name(callee.value)) and not _is_ones(given)
    if is_super or is_product or receiver in _NO_TENSORS or receiver[:1].isupper():
        return None
    return callee.value


def _is_ones(gradient: ast.expr) -> bool:
    """A constant, or `torch.ones_like(x)`: the gradient of a plain sum."""
    return isinstance(gradient, ast.Constant) or (
        isinstance(gradient, ast.Call) and "ones" in (dotted_name(gradient.func) or "")
    )


class _Reader:
    def __init__(self, tree: ast.Module, file: Outline) -> None:
        self.functions: dict[str, str] = {}
        self.classes: dict[str, str] = {}
        self._file = file
        self._globals = assignments(own_nodes(tree))
        self._defined = {each.qualname for each in file.functions if each.owner is None}

    def function(self, site: FunctionSite) -> None:
        """A function that contains a backward() on what it computes itself, and what feeds it."""
        made: dict[str, list[ast.expr]] | None = None
        for row, loss in sinks(own_nodes(site.node)):
            made = assignments(own_nodes(site.node)) if made is None else made
            if _computed_here(loss, site.node, made):
                self.functions.setdefault(site.qualname, f"what it computes flows into .backward() at line {row}")
            self.follow(loss, site, row, made)

    def follow(
        self,
        loss: ast.expr,
        site: FunctionSite | None,
        row: int,
        made: dict[str, list[ast.expr]] | None = None,
    ) -> None:
        """Record the functions, methods and classes of the file whose result the loss is."""
        local = self._globals if made is None else made
        for value, is_direct in results(loss, local):
            if isinstance(value, ast.Call):
                self._callee(value, is_direct, site, local, row)
            elif site is not None and (name := dotted_name(value)) is not None and name not in local:
                self._attribute(name, site, row)

    def _attribute(self, name: str, site: FunctionSite, row: int) -> None:
        """`self.loss.backward()`: the other methods of the class that compute what they store there."""
        if site.owner is None or not name.startswith("self."):
            return
        for method in site.owner.methods:
            made = assignments(own_nodes(method))
            if method is not site.node and any(_computed_here(value, method, made) for value in made.get(name, ())):
                qualname = f"{site.owner.qualname}.{method.name}"
                self.functions.setdefault(qualname, f"{name}, which it computes, flows into .backward() at line {row}")

    def _callee(
        self,
        call: ast.Call,
        is_direct: bool,
        site: FunctionSite | None,
        made: dict[str, list[ast.expr]],
        row: int,
    ) -> None:
        given = len(call.args) + len(call.keywords)
        # The score of a critic is summed and negated in GANs; a loss compares two things or is used as it comes.
        if given < 2 and not (is_direct and given):
            is_method = (dotted_name(call.func) or "").startswith("self.") and is_direct
            if not is_method:
                return
        reason = f"its result flows into .backward() at line {row}"
        name = dotted_name(call.func)
        owner = site.owner if site is not None else None
        if name is not None and name in self._defined:
            self.functions.setdefault(name, reason)
        elif site is not None and name is not None and f"{site.qualname}.{name}" in self._defined:
            self.functions.setdefault(f"{site.qualname}.{name}", reason)
        elif name is not None and owner is not None and self._is_method(name, owner):
            self.functions.setdefault(f"{owner.qualname}.{name[5:]}", reason)
        else:
            built = self._built(call.func, made, owner)
            if built is not None:
                self.classes.setdefault(built.qualname, reason)

    def _is_method(self, name: str, owner: ClassSite) -> bool:
        return name.startswith("self.") and any(name == f"self.{method.name}" for method in owner.methods)

    def _built(self, callee: ast.expr, made: dict[str, list[ast.expr]], owner: ClassSite | None) -> ClassSite | None:
        """The class of the file that a called object is an instance of."""
        if isinstance(callee, ast.Attribute) and callee.attr == "forward":
            callee = callee.value
        name = dotted_name(callee)
        values = [callee] if name is None else [*made.get(name, ()), *self._globals.get(name, ())]
        if name is not None and owner is not None and name.startswith("self."):
            values += [value for method in owner.methods for value in assignments(own_nodes(method)).get(name, ())]
        for value in values:
            while (
                isinstance(value, ast.Call)
                and isinstance(value.func, ast.Attribute)
                and value.func.attr in ("to", "cuda")
            ):
                value = value.func.value
            built = dotted_name(value.func) if isinstance(value, ast.Call) else None
            found = self._file.class_named(built) if built is not None else None
            if found is not None:
                return found
        return None


def _computed_here(loss: ast.expr, function: Function, made: dict[str, list[ast.expr]]) -> bool:
    """Whether a function works a loss out, rather than being given it or getting it from a closure."""
    given = set(parameters(function))
    for node in reached([loss], made):
        if isinstance(node, ast.Call):
            called = dotted_name(node.func) or ""
            is_closure = called in given and not node.args and not node.keywords
            last = node.func.attr if isinstance(node.func, ast.Attribute) else called
            builds = last.lstrip("_")[:1].isupper()
            if not is_closure and not builds and last not in _TRANSPARENT:
                return True
        elif isinstance(node, ast.BinOp) and not _only_scales(node, given, made):
            return True
    return False


def _only_scales(node: ast.BinOp, given: set[str], made: dict[str, list[ast.expr]]) -> bool:
    """`loss / steps` with both given, or attributes: nothing is compared."""
    names = [each.id for each in walk(node) if isinstance(each, ast.Name)]
    return all(name in given or name == "self" or name in made for name in names) and any(
        is_loss_value(_last_name(side)) or isinstance(side, ast.Constant) for side in (node.left, node.right)
    )


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript):
        return _last_name(node.value)
    return node.id if isinstance(node, ast.Name) else ""
