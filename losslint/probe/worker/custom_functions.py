"""The `torch.autograd.Function`s that a loss calls: what they were given, and whether their backward is the derivative.

A backward may be no derivative by intent: straight-through estimators, surrogate and reversed gradients. Such calls are
cut out: their outputs count as inputs of what follows, and what comes before them is checked no further.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.utils import _pytree as pytree

from .stop_gradients import StopGradients
from .user_lines import Line


@dataclass
class FunctionCall:
    """One call of a `torch.autograd.Function`: its arguments and float outputs, copied.

    `cut` says that its backward is no derivative by intent, so that its outputs count as inputs of what follows.
    """

    function: Any
    arguments: tuple[Any, ...]
    outputs: list[Tensor]
    cut: bool = False
    received: list[Tensor | None] = field(default_factory=list)


class FunctionCalls:
    """Sees all calls of `torch.autograd.Function`s that are not torch's own while `watched()`.

    A first run fills `calls`; in a repetition (`repeats`) the outputs of cut calls are the recorded ones plus `offsets`,
    by number of the call and of the output.
    """

    def __init__(self) -> None:
        self.calls: dict[int, FunctionCall] = {}
        self.offsets: dict[tuple[int, int], Tensor] = {}
        self.repeats = False
        self._mode: StopGradients | None = None
        self._count = 0
        self._depth = 0

    def start(self, mode: StopGradients, repeats: bool, offsets: dict[tuple[int, int], Tensor]) -> None:
        """Begin a run."""
        self._mode, self.repeats, self.offsets = mode, repeats, offsets
        self._count = self._depth = 0
        if not repeats:
            self.calls = {}

    def stop(self) -> None:
        """End a run: what is called from now on is none of the loss's doing."""
        self._mode = None

    def _counts(self) -> bool:
        return self._mode is not None and self._mode.grad_enabled and not self._depth

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Wrap the methods of the classes known now. `apply` itself cannot be wrapped: modules keep references to it."""
        wrappers = {"forward": self._forward, "setup_context": self._setup_context, "backward": self._backward}
        replaced: list[tuple[type, str, Any]] = []
        try:
            for function in _functions(Function):
                for name, wrapper in wrappers.items():
                    original = vars(function).get(name)
                    if isinstance(original, staticmethod):
                        replaced.append((function, name, original))
                        setattr(function, name, staticmethod(wrapper(function, original.__func__)))
            yield
        finally:
            for function, name, original in replaced:
                setattr(function, name, original)

    def _forward(self, function: type[Function], original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def forward(*args: Any, **kwargs: Any) -> Any:
            if not self._counts():
                return original(*args, **kwargs)
            number, self._count = self._count, self._count + 1
            has_context = bool(args) and isinstance(args[0], torch.autograd.function.FunctionCtx)
            if has_context:
                args[0]._losslint_call = number
            given = args[1:] if has_context else args
            copied = () if self.repeats else tuple(pytree.tree_map(_copied, given))
            self._depth += 1
            try:
                result = original(*args, **kwargs)
            finally:
                self._depth -= 1
            if self.repeats:
                return self._repeated(number, result)
            if any(isinstance(each, Tensor) and each.requires_grad for each in given) and not kwargs:
                called = type(args[0])._forward_cls if has_context else function
                self.calls[number] = FunctionCall(called, copied, [each.detach().clone() for each in floats(result)])
            return result

        return forward

    def _repeated(self, number: int, result: Any) -> Any:
        call = self.calls.get(number)
        if call is None or not call.cut:
            return result
        leaves, structure = pytree.tree_flatten(result)
        places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and leaf.is_floating_point()]
        for j, (i, recorded) in enumerate(zip(places, call.outputs, strict=False)):
            offset = self.offsets.get((number, j))
            leaves[i] = recorded.clone() if offset is None else recorded + offset
        return pytree.tree_unflatten(leaves, structure)

    def _setup_context(self, function: type[Function], original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def setup_context(ctx: Any, inputs: Any, output: Any) -> Any:
            if self._counts():
                ctx._losslint_call = self._count - 1
            return original(ctx, inputs, output)

        return setup_context

    def _backward(self, function: type[Function], original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def backward(ctx: Any, *gradients: Any) -> Any:
            call = self.calls.get(getattr(ctx, "_losslint_call", -1))
            result = original(ctx, *gradients)
            if call is None or not call.cut or self.repeats:
                return result
            call.received = [None if each is None else each.detach().clone() for each in gradients]
            return tuple(None for _ in result) if isinstance(result, tuple) else None

        return backward


def is_no_derivative_by_intent(call: FunctionCall) -> bool:
    """Straight-through estimators, surrogate and reversed gradients, told by a forward with nothing to differentiate.

    Every output number is an input's own, or does not change with the input.
    """
    if not call.outputs or any(torch.equal(each, given) for each in call.outputs for given in floats(call.arguments)):
        return bool(call.outputs)
    try:
        for index, given in enumerate(floats(call.arguments)):
            if given.requires_grad and _steps_along(call, index, given):
                return True
    except Exception:
        return False
    return False


def _steps_along(call: FunctionCall, index: int, given: Tensor) -> bool:
    """Whether the outputs are piecewise equal to this input or constant in it, and the backward passes it a gradient."""
    generator = torch.Generator().manual_seed(1)
    moved = given.detach() * (
        1 + 1e-7 * torch.randn(given.shape, generator=generator, dtype=given.dtype).to(given.device)
    )
    moved = moved.add_(1e-7)
    changed = _outputs(call, index, moved)
    constant = [each == recorded for each, recorded in zip(changed, call.outputs, strict=True)]
    own = [
        (recorded == given.detach()) & (each == moved)
        if recorded.shape == given.shape
        else torch.zeros_like(recorded, dtype=torch.bool)
        for each, recorded in zip(changed, call.outputs, strict=True)
    ]
    if not all(bool((same | through).all()) for same, through in zip(constant, own, strict=True)):
        return False
    cotangents = [torch.randn(each.shape, generator=generator, dtype=each.dtype).to(each.device) for each in changed]
    gradient = _vector_product(call, cotangents)[index]
    if gradient is None or not bool(gradient.any()):
        return False
    if all(bool(each.all()) for each in constant):
        return True
    passed = cotangents[0]
    return passed.shape == gradient.shape and bool(((gradient == passed) | (gradient == 0)).all())


def _outputs(call: FunctionCall, index: int, value: Tensor) -> list[Tensor]:
    """The float outputs of a custom function with its float argument of that index replaced."""
    return [each.detach() for each in floats(call.function.apply(*_arguments(call, {index: value})))]


def _vector_product(call: FunctionCall, cotangents: list[Tensor]) -> list[Tensor | None]:
    """What the backward of a custom function gives its float arguments for these gradients of its float outputs."""
    arguments = _arguments(call, {})
    with torch.enable_grad():
        # A view of the argument rather than the leaf itself: a forward may write to what it is given.
        outputs = floats(call.function.apply(*pytree.tree_map(_not_a_leaf, arguments)))
    pairs = [(out, each) for out, each in zip(outputs, cotangents, strict=True) if out.requires_grad]
    given = floats(arguments)
    wanted = [each for each in given if each.requires_grad]
    found = iter(torch.autograd.grad([out for out, _ in pairs], wanted, [each for _, each in pairs], allow_unused=True))
    return [next(found) if each.requires_grad else None for each in given]


def backward_differs(call: FunctionCall) -> bool:
    """Whether the backward of one call is not the derivative of its forward, along one of several directions."""
    try:
        return any(_differs_along(call, seed) for seed in range(2, 8))
    except Exception:
        return False


def _differs_along(call: FunctionCall, seed: int) -> bool:
    """Whether both derivatives differ for a random gradient of the outputs, along a random direction of any argument."""
    generator = torch.Generator().manual_seed(seed)
    cotangents = [torch.randn(each.shape, generator=generator, dtype=torch.float64).to(each) for each in call.outputs]
    gradients = _vector_product(call, cotangents)
    for index, given in enumerate(floats(call.arguments)):
        if not given.requires_grad:
            continue
        value, gradient = given.detach(), gradients[index]
        normal = torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value)
        direction = normal * (float(value.square().mean().sqrt()) or 1.0)
        analytic = 0.0 if gradient is None else float((gradient * direction).sum())
        errors = []
        for step in (1e-5, 1e-4, 1e-6):
            ahead = _outputs(call, index, value + step * direction)
            behind = _outputs(call, index, value - step * direction)
            pairs = zip(ahead, behind, cotangents, strict=True)
            numeric = sum(float(((after - before) * each).sum()) for after, before, each in pairs) / (2 * step)
            larger = max(abs(analytic), abs(numeric))
            errors.append(abs(analytic - numeric) / larger if larger else 0.0)
        if min(errors) > 1e-3:
            return True
    return False


def _arguments(call: FunctionCall, replaced: dict[int, Tensor]) -> tuple[Any, ...]:
    """Fresh copies of a call's arguments."""
    leaves, structure = pytree.tree_flatten(call.arguments)
    index = 0
    for i, leaf in enumerate(leaves):
        if not isinstance(leaf, Tensor):
            continue
        leaves[i] = _copied(leaf)
        if leaf.is_floating_point():
            leaves[i] = replaced[index].clone() if index in replaced else leaves[i]
            index += 1
    arguments: tuple[Any, ...] = pytree.tree_unflatten(leaves, structure)
    return arguments


def _not_a_leaf(leaf: Any) -> Any:
    return leaf.clone() if isinstance(leaf, Tensor) and leaf.requires_grad else leaf


def backward_line(function: type, is_users: Callable[[str], bool]) -> Line | None:
    """The `def` line of a custom function's backward, where it is the user's."""
    method = inspect.unwrap(getattr(function, "backward"))  # noqa: B009
    code = getattr(method, "__code__", None)
    if code is None or not is_users(code.co_filename):
        return None
    try:
        lines, first = inspect.getsourcelines(method)
    except (OSError, TypeError):
        lines, first = [], code.co_firstlineno
    ahead = next((i for i, text in enumerate(lines) if text.lstrip().startswith("def ")), 0)
    return {"filename": code.co_filename, "line": first + ahead, "function": code.co_name}


def floats(tree: Any) -> list[Tensor]:
    """The real float tensors of nested values."""
    return [leaf for leaf in pytree.tree_leaves(tree) if isinstance(leaf, Tensor) and leaf.is_floating_point()]


def _functions(base: Any) -> Iterable[type]:
    for each in base.__subclasses__():
        if not each.__module__.startswith("torch."):
            yield each
        yield from _functions(each)


def _copied(leaf: Any) -> Any:
    return leaf.detach().clone().requires_grad_(leaf.requires_grad) if isinstance(leaf, Tensor) else leaf
