"""Whether the backward pass gives the derivative of the forward pass: directional derivatives against differences."""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from ..case import Case, objective, parameters
from ..custom_functions import FunctionCall, FunctionCalls, backward_differs, backward_line, is_no_derivative_by_intent
from ..directions import Leaf, nearby, tangent
from ..double_precision import default_type, doubled, instances
from ..stop_gradients import Recording, StopGradients
from ..user_lines import Line, raised_at

_POINTS = 3
_DIRECTIONS = 6
_LEAST_DIRECTIONS = 2
_STEPS = (1e-5, 1e-4, 1e-6)
_TOLERANCE = 1e-3
_COTANGENT = 1.75
"""What is fed to the backward pass: any number but 1 shows a backward that ignores what it is given."""
_ROUNDING = 1e3 * torch.finfo(torch.float64).eps

Outcome = Literal["agrees", "differs", "undecided"]
Offsets = dict[str, Tensor]


class _OutOfTime(Exception):
    pass


@dataclass
class _Run:
    """One evaluation: the objective, its gradient's leaves, what stopped gradients, and the leaves' values at the end."""

    total: Tensor | None
    leaves: dict[str, Tensor]
    mode: StopGradients


@dataclass
class _Point:
    """Where derivatives are compared: offsets of the leaves from the given inputs, value and gradient of the objective."""

    offsets: Offsets
    value: float
    gradients: dict[str, Tensor]
    leaves: list[Leaf]
    recording: Recording
    calls: dict[int, FunctionCall]


@dataclass(frozen=True)
class _Comparison:
    """Both derivatives along a direction; `name` is the leaf, or several where they moved together."""

    outcome: Outcome
    names: tuple[str, ...]
    analytic: float = 0.0
    numeric: float = 0.0

    @property
    def relative_error(self) -> float:
        larger = max(abs(self.analytic), abs(self.numeric))
        return abs(self.analytic - self.numeric) / larger if larger else 0.0


@dataclass
class _Tally:
    points: int = 0
    directions: int = 0
    worst: _Comparison | None = None
    failure: tuple[_Point, _Comparison, Offsets] | None = None
    reasons: list[str] = field(default_factory=list)


def measure(case: Case, budget: float = 2.0) -> dict[str, Any]:
    """Compare at three points along six directions each, within a budget of about that many seconds."""
    with default_type(torch.float64), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check = _Check(case, time.monotonic() + budget)
        try:
            with check.calls.watched():
                return check.measure()
        except _OutOfTime:
            return _report("skipped", "There was no time to take differences of this loss.")
        except Exception as error:
            # The loss runs in float32, or it would not be here: it is float64 or a repetition that it does not bear.
            reason = f"The loss does not run in float64: {type(error).__name__}: {str(error).strip()[:200]}"
            return _report("not-checkable", reason, raised_at(error, case.is_users))


class _Check:
    def __init__(self, case: Case, deadline: float) -> None:
        self.case = case.mapped(lambda _, tensor: doubled(tensor))
        self.calls = FunctionCalls()
        self._deadline = deadline
        self._make = instances(case)
        self._generator = torch.Generator().manual_seed(0)

    def measure(self) -> dict[str, Any]:
        first, second = self._run({}), self._run({})
        refusal = _refusal(first, second)
        if refusal is not None:
            return refusal
        tally = _Tally()
        try:
            for number in range(_POINTS):
                self._visit(self._offsets(first, number), tally)
                if tally.failure is not None:
                    return self._failed(tally)
        except _OutOfTime:
            tally.reasons.append("There was no time to take more differences of this loss.")
        return _verdict(tally)

    def _offsets(self, base: _Run, number: int) -> Offsets:
        """Steps from the given inputs to the point of that number; none to the first."""
        if not number:
            return {}
        return {leaf.name: nearby(leaf, self._normal(leaf.value)) for leaf in self._leaves(base.leaves)}

    def _normal(self, like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=self._generator, dtype=torch.float64).to(like.device)

    def _leaves(self, leaves: dict[str, Tensor]) -> list[Leaf]:
        kinds = {each.name: each.kind for each in self.case.arguments}
        found = []
        for name, leaf in leaves.items():
            kind = "real" if name.startswith("self.") else kinds.get(name.partition("[")[0], "real")
            found.append(Leaf(name, leaf.detach().clone(), kind))
        return found

    def _run(
        self,
        offsets: Offsets,
        recording: Recording | None = None,
        outputs: dict[tuple[int, int], Tensor] | None = None,
        freeze_numbers: bool = False,
    ) -> _Run:
        """Evaluate with the leaves moved; with a recording, everything that stops gradients stays as recorded."""
        if time.monotonic() > self._deadline:
            raise _OutOfTime
        loss = self._make()
        values, leaves = self.case.inputs()
        leaves = leaves | {name: each for name, each in parameters(loss).items() if each.is_floating_point()}
        with torch.no_grad():
            for name, leaf in leaves.items():
                if name in offsets:
                    leaf.add_(offsets[name])
        mode = StopGradients(self.case.is_users, recording, freeze_numbers)
        self.calls.start(mode, recording is not None, outputs or {})
        with torch.enable_grad(), mode:
            output = self.case.call(loss, values)
        self.calls.stop()
        return _Run(objective(output), leaves, mode)

    def _visit(self, offsets: Offsets, tally: _Tally) -> None:
        """Compare along the directions of one point."""
        point = self._point(offsets)
        if point is None:
            return
        names = [leaf.name for leaf in point.leaves]
        decided = 0
        for number in range(2 * _DIRECTIONS):
            group = names[number % _DIRECTIONS :: _DIRECTIONS] or [names[number % len(names)]]
            found, direction = self._along(point, group)
            if found.outcome == "differs":
                found, direction = self._confirmed(point, group)
            if found.outcome == "undecided":
                continue
            decided += 1
            tally.directions += 1
            tally.points += decided == _LEAST_DIRECTIONS
            if found.outcome == "differs":
                tally.failure = (point, found, direction)
                return
            if tally.worst is None or found.relative_error > tally.worst.relative_error:
                tally.worst = found
            if decided == _DIRECTIONS:
                return

    def _point(self, offsets: Offsets) -> _Point | None:
        """Record a run and differentiate it; None where a number is not finite or nothing is differentiable."""
        run = self._run(offsets)
        if run.total is None or not math.isfinite(run.total.item()):
            return None
        calls = self.calls.calls
        for call in calls.values():
            call.cut = is_no_derivative_by_intent(call)
        names = list(run.leaves)
        cotangent = torch.full_like(run.total, _COTANGENT)
        found = torch.autograd.grad(run.total, [run.leaves[name] for name in names], cotangent, allow_unused=True)
        leaves = self._leaves(run.leaves)
        gradients = {leaf.name: _gradient(each, leaf) for leaf, each in zip(leaves, found, strict=True)}
        for number, call in calls.items():
            for j, received in enumerate(call.received if call.cut else []):
                if received is None or received.shape != call.outputs[j].shape:
                    continue
                leaf = Leaf(_output_name(number, j, call), call.outputs[j], "real")
                leaves.append(leaf)
                gradients[leaf.name] = received.double() / _COTANGENT
        if not leaves or not all(bool(each.isfinite().all()) for each in gradients.values()):
            return None
        return _Point(offsets, run.total.item(), gradients, leaves, run.mode.recording, dict(calls))

    def _along(self, point: _Point, names: list[str]) -> tuple[_Comparison, Offsets]:
        """Compare along one random direction of these leaves."""
        direction = {leaf.name: tangent(leaf, self._normal(leaf.value)) for leaf in point.leaves if leaf.name in names}
        return self._compare(point, direction), direction

    def _confirmed(self, point: _Point, names: list[str]) -> tuple[_Comparison, Offsets]:
        """Compare leaf by leaf, along two more directions each; what differs along both differs indeed."""
        self._deadline += 1.0
        for name in names:
            first, _ = self._along(point, [name])
            if first.outcome == "differs":
                second, direction = self._along(point, [name])
                if second.outcome == "differs":
                    return second, direction
        return _Comparison("undecided", tuple(names)), {}

    def _compare(self, point: _Point, direction: Offsets, freeze_numbers: bool = False) -> _Comparison:
        products = {name: point.gradients[name] * each for name, each in direction.items()}
        analytic = sum(float(each.sum()) for each in products.values())
        spread = math.sqrt(sum(float(each.square().sum()) for each in products.values()))
        names = tuple(direction)
        disagreeing: list[float] = []
        for step in _STEPS:
            ahead = self._value(point, direction, step, freeze_numbers)
            behind = self._value(point, direction, -step, freeze_numbers)
            if ahead is None or behind is None:
                continue
            numeric = (ahead - behind) / (2 * step)
            error = abs(analytic - numeric)
            rounding = _ROUNDING * max(abs(ahead), abs(behind), abs(point.value)) / step
            if error <= _TOLERANCE * max(abs(analytic), abs(numeric)) + rounding + 1e-6 * spread:
                return _Comparison("agrees", names, analytic, numeric)
            # At a kink or a jump the two sides differ; there is no derivative to compare with.
            if abs(ahead - 2 * point.value + behind) / step <= 0.1 * error:
                disagreeing.append(numeric)
        if len(disagreeing) < 2:
            return _Comparison("undecided", names)
        least = min(abs(analytic - each) for each in disagreeing)
        steady = max(disagreeing) - min(disagreeing) <= 0.1 * least
        return _Comparison("differs" if steady else "undecided", names, analytic, disagreeing[0])

    def _value(self, point: _Point, direction: Offsets, step: float, freeze_numbers: bool) -> float | None:
        """The objective a step along a direction; None where it is not finite or the loss took another path."""
        offsets = dict(point.offsets)
        for name, each in direction.items():
            offsets[name] = offsets[name] + step * each if name in offsets else step * each
        outputs = {
            (number, j): offsets[_output_name(number, j, call)]
            for number, call in point.calls.items()
            for j in range(len(call.outputs))
            if _output_name(number, j, call) in direction
        }
        self.calls.calls = point.calls
        run = self._run(offsets, point.recording, outputs, freeze_numbers)
        if run.total is None or not run.mode.completed():
            return None
        value = float(run.total.item())
        return value if math.isfinite(value) else None

    def _failed(self, tally: _Tally) -> dict[str, Any]:
        """Say what is to blame: a backward, a number taken out of a tensor, a hook, or what cannot be told."""
        assert tally.failure is not None
        point, found, direction = tally.failure
        name = found.names[0]
        figures = f"along a random direction of `{name}` it gives {found.analytic:.4g}, differences of the loss {found.numeric:.4g}"
        line: Line | None = None
        wrong = next((call for call in point.calls.values() if not call.cut and backward_differs(call)), None)
        if wrong is not None:
            reason = f"The backward of `{wrong.function.__name__}` is not the derivative of its forward: {figures}."
            line = backward_line(wrong.function, self.case.is_users)
        elif self._numbers_are_to_blame(point, direction):
            line = next((each for each in point.recording.number_lines if each is not None), None)
            reason = (
                "A number taken from a tensor by `.item()`, `float()` or `.tolist()` carries no gradient, but the loss depends"
                f" on it, so the gradient lacks a part: {figures}."
            )
        elif point.recording.hook_lines:
            line = point.recording.hook_lines[0]
            reason = f"A hook changes the gradient, which is then not the derivative of the loss: {figures}."
        else:
            reason = f"The gradient is not the derivative of the loss: {figures}."
        return _report("failed", reason, line, tally)

    def _numbers_are_to_blame(self, point: _Point, direction: Offsets) -> bool:
        if not any(point.recording.number_lines):
            return False
        try:
            return self._compare(point, direction, freeze_numbers=True).outcome == "agrees"
        except _OutOfTime:
            return False


def _refusal(first: _Run, second: _Run) -> dict[str, Any] | None:
    """Why a loss cannot be checked, judged by two runs of the same inputs and seed."""
    if first.total is None or not first.leaves:
        return _report("skipped", "Nothing that comes out carries a gradient of what goes in.")
    if first.mode.recording.narrowed:
        reason = "The loss casts to a type of fewer digits than float64, in which differences are too coarse to compare with."
        return _report("not-checkable", reason, first.mode.recording.narrowed_at)
    if second.total is None:
        return _report("not-checkable", "Two calls on the same inputs and seed took different paths.")
    values = [float(first.total.item()), float(second.total.item())]
    if not all(math.isfinite(each) for each in values):
        return _report("not-checkable", "The loss is not finite on these inputs.")
    if abs(values[0] - values[1]) > 1e-9 * max(abs(each) for each in values):
        reason = f"The loss is random: two calls on the same inputs and seed gave {values[0]:.6g} and {values[1]:.6g}."
        return _report("not-checkable", reason)
    return None


def _verdict(tally: _Tally) -> dict[str, Any]:
    if tally.points:
        reason = f"The gradient is the derivative of the loss along {tally.directions} random directions."
        return _report("passed", reason, None, tally)
    reason = "No point was found where the loss has a derivative to compare with: all directions meet a kink or a jump."
    return _report("skipped", tally.reasons[0] if tally.reasons else reason, None, tally)


def _report(status: str, reason: str, line: Line | None = None, tally: _Tally | None = None) -> dict[str, Any]:
    worst = tally.worst if tally is not None else None
    if tally is not None and tally.failure is not None:
        worst = tally.failure[1]
    return {
        "status": status,
        "reason": reason,
        "filename": line["filename"] if line else None,
        "line": line["line"] if line else None,
        "worst": worst
        and {
            "leaf": ", ".join(worst.names),
            "analytic": worst.analytic,
            "numeric": worst.numeric,
            "relative_error": worst.relative_error,
        },
        "points": tally.points if tally else 0,
        "directions": tally.directions if tally else 0,
    }


def _gradient(found: Tensor | None, leaf: Leaf) -> Tensor:
    return torch.zeros_like(leaf.value) if found is None else found.detach().to_dense().double() / _COTANGENT


def _output_name(number: int, output: int, call: FunctionCall) -> str:
    return f"output {output} of {call.function.__name__} (call {number})"
