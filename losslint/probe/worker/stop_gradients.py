"""Repeating a call of a loss so that all that carries no gradient keeps the value it had at the first call.

Differences of such repeated calls are what the backward pass ought to give: to autograd, what `detach`, `.data` and
`torch.no_grad` produced is constant. The call also runs in float64 wherever the loss asks for float32.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.autograd import Function
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from .user_lines import Line, current_line

_NARROW = frozenset({torch.float32, torch.float16, torch.bfloat16, torch.complex64})
_WIDE = frozenset({torch.float64, torch.complex128})
_TENSOR: Any = Tensor
_WIDER: dict[Any, Any] = {
    torch.float32: torch.float64,
    torch.complex64: torch.complex128,
    torch.FloatTensor: torch.DoubleTensor,
    "torch.FloatTensor": "torch.DoubleTensor",
    Tensor.float: Tensor.double,
    _TENSOR.cfloat: _TENSOR.cdouble,
}
_STOPS = frozenset({Tensor.detach, torch.detach, _TENSOR.data.__get__, _TENSOR.grad.__get__})
_SILENT_WRITES = frozenset({Tensor.detach_, _TENSOR.data.__set__})
_NUMBERS = frozenset({Tensor.item, Tensor.__float__, Tensor.tolist, Tensor.__int__, Tensor.__bool__})
_REAL_NUMBERS = frozenset({Tensor.item, Tensor.__float__, Tensor.tolist})
_APPLY = Function.apply.__func__.__code__  # type: ignore[attr-defined]
_SET_GRAD_ENABLED: Any = torch._C._set_grad_enabled


@dataclass
class Recording:
    """What one call met, in order: values that carry no gradient, writes to tensors, numbers taken out of tensors."""

    values: list[list[Tensor]] = field(default_factory=list)
    writes: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    numbers: list[Any] = field(default_factory=list)
    number_lines: list[Line | None] = field(default_factory=list)
    hook_lines: list[Line | None] = field(default_factory=list)
    narrowed_at: Line | None = None
    narrowed: bool = False


class StopGradients(TorchFunctionMode):
    """Records a call, or repeats a recorded one; `diverged` says that the call took another path than the recorded one.

    `freeze_numbers` keeps the numbers that `.item()`, `float()` and `.tolist()` took from differentiable tensors as well.
    """

    def __init__(
        self, is_users: Callable[[str], bool], replayed: Recording | None = None, freeze_numbers: bool = False
    ) -> None:
        super().__init__()
        self.recording = Recording() if replayed is None else replayed
        self.diverged = False
        self.grad_enabled = True
        self._replays = replayed is not None
        self._freeze_numbers = freeze_numbers
        self._is_users = is_users
        self._values = deque(self.recording.values)
        self._writes = deque(self.recording.writes)
        self._numbers = deque(self.recording.numbers)
        self._frozen: dict[int, tuple[Tensor, Tensor]] = {}

    def completed(self) -> bool:
        """Whether the repeated call met all that the recorded one had met, and nothing else."""
        return not (self.diverged or (self._replays and (self._values or self._writes)))

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is _SET_GRAD_ENABLED:
            if not _in_custom_function():
                self.grad_enabled = bool(args[0])
            return func(*args, **kwargs)
        if func is F.gumbel_softmax and (kwargs.get("hard") or args[2:3] == (True,)):
            return self._hard_gumbel_softmax(args, kwargs)
        func, args, kwargs = _widened(func, args, kwargs)
        inputs = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        target = kwargs["out"] if isinstance(kwargs.get("out"), Tensor) else inputs[0] if inputs else None
        stops = self._stops(func, kwargs) or func in _SILENT_WRITES
        before = target.detach().clone() if target is not None and (stops or id(target) in self._frozen) else None
        version = _version(target)
        lives = any(each.requires_grad for each in inputs)
        result = func(*args, **kwargs)
        written = target is not None and (_version(target) != version or func in _SILENT_WRITES)
        self._note(func, inputs, lives, [result, target] if written else [result])
        if written and target is not None:
            self._written(target, before, stops)
            return result
        if func in _NUMBERS:
            return self._number(func, inputs, stops, result)
        if stops or (lives and _lost_gradient(result) and not _in_custom_function()):
            return self._stopped(result)
        return result

    def _stops(self, func: Any, kwargs: dict[str, Any]) -> bool:
        if not self.grad_enabled or torch.is_inference_mode_enabled():
            return True
        constant = func in _STOPS or (func is torch.autograd.grad and not kwargs.get("create_graph"))
        return constant and not _in_custom_function()

    def _stopped(self, result: Any) -> Any:
        """The result of an operation that no gradient goes through: as it was at the recorded call."""
        leaves, structure = pytree.tree_flatten(result)
        places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and not leaf.requires_grad]
        if not places:
            return result
        if not self._replays:
            self.recording.values.append([leaves[i].detach().clone() for i in places])
            return result
        recorded = self._values.popleft() if self._values else []
        if [each.shape for each in recorded] != [leaves[i].shape for i in places]:
            self.diverged = True
            return result
        for i, value in zip(places, recorded, strict=True):
            # What has not changed stays the view that it is: writes to it must reach what it is a view of.
            if value.dtype != leaves[i].dtype or not torch.equal(value, leaves[i]):
                fresh, leaves[i] = leaves[i], value.clone()
                self._frozen[id(leaves[i])] = (leaves[i], fresh)
        return pytree.tree_unflatten(leaves, structure)

    def _written(self, target: Tensor, before: Tensor | None, stops: bool) -> None:
        """A write that no gradient sees adds a constant to what carries a gradient, and replaces what carries none."""
        if stops and before is not None and not target.is_inference():
            after = target.detach()
            if not self._replays:
                self.recording.writes.append((before, after.clone()))
            elif not self._writes or self._writes[0][0].shape != after.shape:
                self.diverged = True
                return
            else:
                recorded_before, recorded_after = self._writes.popleft()
                if target.requires_grad and target.is_floating_point():
                    after.copy_(before + (recorded_after - recorded_before))
                else:
                    after.copy_(recorded_after)
        if before is not None and id(target) in self._frozen and target.is_floating_point():
            with torch.no_grad():
                self._frozen[id(target)][1].add_(target.detach() - before)

    def _number(self, func: Any, inputs: list[Tensor], stops: bool, result: Any) -> Any:
        real = func in _REAL_NUMBERS and bool(inputs) and inputs[0].requires_grad
        if not (stops or real):
            return result
        if not self._replays:
            self.recording.numbers.append(result)
            self.recording.number_lines.append(None if stops else current_line(self._is_users))
            return result
        recorded = self._numbers.popleft() if self._numbers else result
        return recorded if stops or self._freeze_numbers else result

    def _hard_gumbel_softmax(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """One-hot numbers with the gradient of the soft ones. The `detach` inside torch's own is out of a mode's sight."""
        logits, tau, _, eps, dim = (args + (1.0, False, 1e-10, -1)[len(args) - 1 :])[:5]
        tau, dim = kwargs.get("tau", tau), kwargs.get("dim", dim)
        soft = F.gumbel_softmax(kwargs.get("logits", logits), tau=tau, hard=False, eps=eps, dim=dim)
        hard = torch.zeros_like(soft).scatter_(dim, soft.argmax(dim, keepdim=True), 1.0)
        correction = self._stopped((hard - soft).detach())
        return soft + correction

    def _note(self, func: Any, inputs: list[Tensor], lives: bool, results: list[Any]) -> None:
        """Remember hooks, and the first place where numbers that matter lose digits."""
        if self._replays:
            return
        if func is Tensor.register_hook:
            self.recording.hook_lines.append(current_line(self._is_users))
        matters = lives or (self.grad_enabled and not torch.is_grad_enabled())
        if self.recording.narrowed or not matters or not any(each.dtype in _WIDE for each in inputs):
            return
        found = [leaf for leaf in pytree.tree_leaves(results) if isinstance(leaf, Tensor) and leaf.dtype in _NARROW]
        if any(leaf.requires_grad or not torch.is_grad_enabled() for leaf in found):
            self.recording.narrowed = True
            self.recording.narrowed_at = current_line(self._is_users)


def _widened(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The same operation in float64, where it was asked for in float32 or mixes both. What it writes to is left alone."""
    leaves, structure = pytree.tree_flatten((args, kwargs))
    wide = any(isinstance(leaf, Tensor) and leaf.dtype in _WIDE for leaf in leaves)
    name = getattr(func, "__name__", "")
    writes = name.startswith(("__set", "__i")) or (name.endswith("_") and not name.endswith("__"))
    for i, leaf in enumerate(leaves):
        if isinstance(leaf, Tensor):
            kept = (writes and i == 0) or leaf is kwargs.get("out")
            if wide and not kept and leaf.dtype in (torch.float32, torch.complex64):
                leaves[i] = leaf.to(_WIDER[leaf.dtype])
        elif isinstance(leaf, (torch.dtype, str, type)):
            leaves[i] = _WIDER.get(leaf, leaf)
    args, kwargs = pytree.tree_unflatten(leaves, structure)
    return _WIDER.get(func, func), args, kwargs


def _version(tensor: Tensor | None) -> int | None:
    return None if tensor is None or tensor.is_inference() else tensor._version


def _lost_gradient(result: Any) -> bool:
    """Whether float numbers came out of a differentiable operation's inputs without a gradient, as of `torch.tensor(x)`."""
    if not torch.is_grad_enabled():
        return False
    found = [leaf for leaf in pytree.tree_leaves(result) if isinstance(leaf, Tensor) and leaf.is_floating_point()]
    return any(not leaf.requires_grad for leaf in found)


def _in_custom_function() -> bool:
    """Whether a `torch.autograd.Function` runs its forward: grad mode is off there, and its backward gives the gradient."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code is _APPLY:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


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
    """Whether the backward of one call is not the derivative of its forward, along a direction of any argument."""
    generator = torch.Generator().manual_seed(2)
    cotangents = [torch.randn(each.shape, generator=generator, dtype=torch.float64).to(each) for each in call.outputs]
    try:
        gradients = _vector_product(call, cotangents)
        for index, given in enumerate(floats(call.arguments)):
            if not given.requires_grad:
                continue
            value = given.detach()
            normal = torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value)
            direction = normal * (float(value.square().mean().sqrt()) or 1.0)
            gradient = gradients[index]
            analytic = 0.0 if gradient is None else float((gradient * direction).sum())
            errors = []
            for step in (1e-5, 1e-4, 1e-6):
                pairs = zip(
                    _outputs(call, index, value + step * direction),
                    _outputs(call, index, value - step * direction),
                    cotangents,
                    strict=True,
                )
                numeric = sum(float(((ahead - behind) * each).sum()) for ahead, behind, each in pairs) / (2 * step)
                larger = max(abs(analytic), abs(numeric))
                errors.append(abs(analytic - numeric) / larger if larger else 0.0)
            if min(errors) > 1e-3:
                return True
    except Exception:
        return False
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
