"""What a function gives back: something it computes from tensors, the result of a call, an object it builds, nothing.

The returned expressions are followed backwards through the local names they are made from; nothing is evaluated.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Iterable, Iterator
from functools import cached_property

from losslint.semantics.bindings import Bindings, dotted_name
from losslint.semantics.loss_names import is_loss_value, names_a_loss, says_loss
from losslint.semantics.outline import Function, decorators, parameters
from losslint.semantics.tree_walk import own_nodes, walk
from losslint.semantics.value_flow import assignments, reached

_MATHS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.MatMult)
_TORCH_HEADS = frozenset({"torch", "F", "einops", "functorch", "nn"})
_NUMPY_HEADS = frozenset({"numpy", "np", "jnp", "tf", "scipy", "math", "K", "skimage", "sklearn", "cv2"})
# Calls that make a tensor, a setting or an object without computing anything from the arguments.
_NO_MATHS = frozenset(
    """tensor as_tensor zeros ones empty full zeros_like ones_like empty_like full_like arange linspace eye rand randn
    device dtype load save manual_seed is_tensor is_available no_grad inference_mode Size compile jit script size numel
    dim item format join keys values items get pop split startswith endswith lower upper strip append extend copy
    state_dict parameters named_parameters children modules isinstance len getattr hasattr print str repr type super
    range list dict tuple set""".split()
)
_TENSOR_METHODS = frozenset(
    """abs acos all any bmm clamp clip cos cosh cumsum diagonal div dot einsum erf exp expm1 gather index_select log
    log10 log1p log2 log_softmax logsigmoid logsumexp masked_fill masked_select matmul max mean median min mm mul neg norm
    pow prod reciprocal relu round rsqrt scatter sigmoid sin softmax sqrt square std sub sum tanh topk trace var
    backward""".split()
)
# What a tensor has and an array has not.
_ONLY_TENSORS = frozenset(
    """detach cpu cuda to backward unsqueeze view clamp item device abs exp log pow sqrt square sigmoid softmax tanh relu
    norm neg""".split()
)
_BUILT = ("Loss", "Criterion", "Module", "Callable", "Type", "type", "Optimizer")
_PLAIN = ("str", "bool", "int", "None", "NoReturn")


class Work(enum.IntEnum):
    """How much a function's result owes to tensor maths of its own."""

    NOTHING = 0
    PASSES_ON = 1
    COMPUTES = 2


class FunctionResult:
    """One function, asked about what it returns."""

    def __init__(self, function: Function, bindings: Bindings) -> None:
        self.function = function
        self._bindings = bindings
        self._parameters = frozenset(parameters(function))

    @cached_property
    def is_stub(self) -> bool:
        """Whether it only raises, passes or documents, or is declared abstract."""
        if {"abstractmethod", "overload", "abstractproperty"} & set(decorators(self.function)):
            return True
        *before, last = [node for node in self.function.body if not _is_idle(node)] or [ast.Pass()]
        return not before and (isinstance(last, ast.Raise | ast.Pass) or _returns_nothing(last))

    @cached_property
    def values(self) -> tuple[ast.expr, ...]:
        """The returned expressions."""
        nodes = own_nodes(self.function)
        return tuple(node.value for node in nodes if isinstance(node, ast.Return) and node.value is not None)

    @cached_property
    def inner(self) -> tuple[Function, ...]:
        """The functions defined in it that it returns."""
        defined = {node.name: node for node in own_nodes(self.function) if isinstance(node, Function)}
        names = [each for value in self.values for each in walk(value) if isinstance(each, ast.Name)]
        return tuple(defined[name.id] for name in names if name.id in defined)

    @cached_property
    def assignments(self) -> dict[str, list[ast.expr]]:
        """What each local name, and each attribute of `self`, is made from in it."""
        return assignments(own_nodes(self.function))

    @cached_property
    def builds(self) -> bool:
        """Whether what it returns is a module, a class or a function, by its annotation or the expression."""
        annotation = self.function.returns
        written = ast.unparse(annotation) if annotation is not None else ""
        if written.rstrip("]'\"").endswith(_BUILT) or written.startswith(("Callable", "Type[", "type[")):
            return True
        return any(self._is_built(value) for value in self._reached(self.values, through_calls=False))

    def _is_built(self, value: ast.AST) -> bool:
        if isinstance(value, ast.Lambda):
            return True
        if isinstance(value, ast.Call):
            name = dotted_name(value.func) or ""
            last = name.rpartition(".")[2]
            return last in ("partial", "getattr") or (
                _is_class_name(last) and (names_a_loss(last) or ".nn." in f".{name}")
            )
        name = dotted_name(value) or ""
        return _is_class_name(name.rpartition(".")[2]) and name not in self.assignments

    @cached_property
    def is_plain(self) -> bool:
        """Whether its annotation says that no tensor is returned."""
        annotation = self.function.returns
        return annotation is not None and ast.unparse(annotation).strip("'\"") in _PLAIN

    @cached_property
    def work(self) -> Work:
        """The most that any returned value owes to it."""
        if self.is_stub or self.is_plain:
            return Work.NOTHING
        return self._work_of(self.values)

    @cached_property
    def stored_work(self) -> Work:
        """The most that it computes of what it stores under a name on `self` that says loss."""
        stored = (name for name in self.assignments if name.startswith("self.") and is_loss_value(name))
        return self._work_of([value for name in stored for value in self.assignments[name]])

    def _work_of(self, values: Iterable[ast.expr]) -> Work:
        values = [value for value in values if not _is_zero(value)]
        works = [self._of(node) for node in self._reached(values, through_calls=True)]
        # In a function on numpy arrays even the arithmetic is numpy's.
        return max(works, default=Work.NOTHING) if not self._is_numpy else Work.NOTHING

    @cached_property
    def uses_torch_loss(self) -> bool:
        """Whether what is returned is made by a loss function of torch: F.cross_entropy, F.kl_div..."""
        calls = (each for each in self._reached(self.values, True) if isinstance(each, ast.Call))
        return any(self._is_torch_loss(dotted_name(call.func)) for call in calls)

    def _is_torch_loss(self, name: str | None) -> bool:
        last = (name or "").rpartition(".")[2]
        is_named = last.endswith(("_loss", "cross_entropy", "cross_entropy_with_logits")) or last == "kl_div"
        return is_named and self._is_torch(name)

    @cached_property
    def returns_its_loss(self) -> bool:
        """Whether it returns what it computes under a name such as `loss`."""
        for node in self._reached(self.values, through_calls=True):
            made = self.assignments.get(node.id, ()) if isinstance(node, ast.Name) and is_loss_value(node.id) else ()
            if made and self._work_of(made) is Work.COMPUTES:
                return True
        return False

    @cached_property
    def only_evaluates(self) -> bool:
        """Whether it switches gradients or training off."""
        names = {node.attr for node in own_nodes(self.function) if isinstance(node, ast.Attribute)}
        return bool((names | set(decorators(self.function))) & {"no_grad", "inference_mode", "eval"})

    @cached_property
    def _is_numpy(self) -> bool:
        heads = [head for node in own_nodes(self.function) if isinstance(node, ast.Call) and (head := self._head(node))]
        foreign = any(head in _NUMPY_HEADS for head in heads) and not any(head in _TORCH_HEADS for head in heads)
        annotated = any("Tensor" in ast.unparse(each) for each in _annotations(self.function))
        methods = {
            node.attr
            for node in own_nodes(self.function)
            if isinstance(node, ast.Attribute) and self._origin(node.value) not in _NUMPY_HEADS
        }
        return foreign and not annotated and not methods & _ONLY_TENSORS

    def _head(self, call: ast.Call) -> str:
        """`torch` for anything called below an imported torch, and for what `from torch import log` binds."""
        name = dotted_name(call.func) or ""
        return self._origin(call.func) if "." in name or name in self._bindings.imports else ""

    def _origin(self, node: ast.expr) -> str:
        """The package a chain of names starts from, its own first name where it is not imported."""
        head = (dotted_name(node) or "").partition(".")[0]
        origin = self._bindings.imports.get(head)
        return (origin.module or head).partition(".")[0] if origin is not None else head

    def _of(self, node: ast.AST) -> Work:
        if isinstance(node, ast.BinOp):
            return Work.COMPUTES if isinstance(node.op, _MATHS) and self._is_numeric(node) else Work.NOTHING
        if isinstance(node, ast.UnaryOp):
            return Work.COMPUTES if isinstance(node.op, ast.USub) and self._varies(node.operand) else Work.NOTHING
        return self._of_call(node) if isinstance(node, ast.Call) else Work.NOTHING

    def _is_numeric(self, node: ast.BinOp) -> bool:
        sides = (node.left, node.right)
        if any(isinstance(side, ast.JoinedStr | ast.List | ast.Tuple | ast.Dict) or _is_text(side) for side in sides):
            return False
        return any(self._varies(side) for side in sides)

    def _varies(self, node: ast.AST) -> bool:
        """Whether an expression depends on a parameter or on the result of a call."""
        return any(
            (isinstance(each, ast.Name) and (each.id in self._parameters or each.id in self.assignments))
            or (isinstance(each, ast.Call) and bool(each.args))
            for each in walk(node)
        )

    def _of_call(self, node: ast.Call) -> Work:
        name = dotted_name(node.func)
        last = node.func.attr if isinstance(node.func, ast.Attribute) else name or ""
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        if last in _NO_MATHS or _is_class_name(last):
            return Work.NOTHING
        if self._is_torch(name) and arguments:
            return Work.COMPUTES
        if last in _TENSOR_METHODS and isinstance(node.func, ast.Attribute) and self._varies(node.func.value):
            return Work.COMPUTES
        if not any(self._varies(each) for each in arguments):
            return Work.NOTHING
        if isinstance(node.func, ast.Subscript):
            return Work.NOTHING if all(isinstance(each, ast.Starred) for each in node.args) else Work.PASSES_ON
        return Work.COMPUTES if says_loss(last) and node.args else Work.PASSES_ON

    def _is_torch(self, name: str | None) -> bool:
        head, _, rest = (name or "").partition(".")
        origin = self._bindings.imports.get(head)
        if origin is None:
            return bool(rest) and head in _TORCH_HEADS
        return origin.module.partition(".")[0] in _TORCH_HEADS

    def _reached(self, roots: Iterable[ast.expr], through_calls: bool) -> Iterator[ast.AST]:
        """The expressions that values are made from; those a call is given only on demand."""
        return reached(roots, self.assignments, through_calls)


def _is_idle(node: ast.stmt) -> bool:
    """Docstrings, `...`, deletions and imports do nothing."""
    return isinstance(node, ast.Delete | ast.Import | ast.ImportFrom) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def _returns_nothing(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Return):
        return False
    value = node.value
    if isinstance(value, ast.UnaryOp):
        value = value.operand
    return value is None or isinstance(value, ast.Constant) or dotted_name(value) == "NotImplemented"


def _is_zero(value: ast.expr) -> bool:
    """`(x * 0).sum()` is a constant with a graph."""
    while isinstance(value, ast.Call):
        if isinstance(value.func, ast.Attribute) and not value.args:
            value = value.func.value
        elif len(value.args) == 1:
            value = value.args[0]
        else:
            return False
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Mult):
        return False
    return any(isinstance(side, ast.Constant) and side.value == 0 for side in (value.left, value.right))


def _is_class_name(name: str) -> bool:
    bare = name.lstrip("_")
    return bare[:1].isupper() and (not bare.isupper() or len(bare) > 4)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _annotations(function: Function) -> Iterator[ast.expr]:
    arguments = function.args
    for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if each.annotation is not None:
            yield each.annotation
    if function.returns is not None:
        yield function.returns
