"""Gradients cut, lost, or led where they should not go."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from mutation.matching import called, keyword, operation
from mutation.mutants import Change, Edit, mutator
from mutation.terms import is_sum_of_terms, is_total
from mutation.view import View, atom, code, is_loss, parameters

_IN_PLACE = ("clamp", "clip", "masked_fill", "mul", "add", "sub", "div", "abs", "exp", "pow", "relu", "sigmoid")
_PREDICTED = re.compile("pred|logit|output|input|recon|student|prob|estimate|score|embedding|feature|heatmap|image|^x$")
_SHAPES = ("shape", "size", "dim", "ndim", "numel", "device", "dtype", "new_zeros", "new_ones", "new_full", "detach")


@mutator(cst.Call)
def where_as_branch(call: cst.Call, view: View) -> Iterator[str]:
    """`torch.where(c, a, b)` -> `a if c.all() else b`"""
    found = operation(call, "where")
    if found and found.owner == "torch" and len(found.rest) == 2:
        first, second = (code(each.value) for each in found.rest)
        yield f"{first} if {atom(found.subject)}.all() else {second}"


@mutator(cst.FunctionDef)
def prediction_detached(function: cst.FunctionDef, view: View) -> Iterator[Change]:
    """`F.mse_loss(pred, target)` -> `F.mse_loss(pred.detach(), target)`, or `pred = pred.detach()` where it is used often"""
    name = next(iter(parameters(function)), "")
    if not is_loss(function) or not _PREDICTED.search(name):
        return
    uses = [each for each in _loads(function, view) if each.value == name]
    if len(uses) == 1:
        start, end = view.span(uses[0])
        yield Edit(start, end, f"{name}.detach()")
    elif len(uses) > 1:
        start = view.span(view.body(function)[0])[0]
        yield Edit(start, start, f"{name} = {name}.detach()\n{view.indent(view.body(function)[0])}")


def _loads(function: cst.FunctionDef, view: View) -> Iterator[cst.Name]:
    """Names that a function's body reads for their values, and not for their shape alone."""
    stack: list[cst.CSTNode] = list(view.body(function))
    while stack:
        node = stack.pop(0)
        parent = view.parent(node)
        if isinstance(node, cst.Name):
            is_attribute = isinstance(parent, cst.Attribute)
            if is_attribute and (node is parent.attr or parent.attr.value in _SHAPES):
                continue
            if not isinstance(parent, (cst.AssignTarget, cst.Param)) and not (
                isinstance(parent, cst.Arg) and node is parent.keyword
            ):
                yield node
        stack = [*node.children, *stack]


@mutator(cst.FunctionDef)
def computed_without_gradient(function: cst.FunctionDef, view: View) -> Iterator[Change]:
    """`def forward(...)` -> `@torch.no_grad()` before it"""
    if is_loss(function) and parameters(function) and not function.decorators:
        name = view.span(function.name)[0]
        line = view.bytes.rfind(b"\n", 0, name) + 1
        yield Edit(line, line, f"{view.indent(function.name)}@torch.no_grad()\n")


@mutator(cst.BinaryOperation)
def term_detached(node: cst.BinaryOperation, view: View) -> Iterator[str]:
    """`return a + w * b` -> `return a + (w * b).detach()`"""
    if is_sum_of_terms(node, view):
        yield f"{code(node.left)} + {atom(node.right)}.detach()"
        yield f"{atom(node.left)}.detach() + {code(node.right)}"


@mutator(cst.BinaryOperation)
def term_as_number(node: cst.BinaryOperation, view: View) -> Iterator[str]:
    """`return a + w * b` -> `return a + (w * b).item()`, and `return float(a) + w * b`"""
    if is_sum_of_terms(node, view):
        yield f"{code(node.left)} + {atom(node.right)}.item()"
        yield f"float({code(node.left)}) + {code(node.right)}"


@mutator(cst.Call)
def prediction_thresholded(call: cst.Call, view: View) -> Iterator[str]:
    """`torch.sigmoid(x)` -> `(torch.sigmoid(x) > 0.5).float()`, `F.softmax(x, dim=1)` -> `F.softmax(x, dim=1).round()`"""
    if "detach()" in code(call):
        return
    if operation(call, "sigmoid"):
        yield f"({code(call)} > 0.5).float()"
    if operation(call, "softmax"):
        yield f"{code(call)}.round()"


@mutator(cst.Call)
def stack_rewrapped(call: cst.Call, view: View) -> Iterator[str]:
    """`torch.stack([a, b])` -> `torch.tensor([a, b])`"""
    found = operation(call, "stack")
    if found and found.owner == "torch" and not found.rest:
        yield f"torch.tensor({code(found.subject)})"


@mutator(cst.Return)
def result_rewrapped(node: cst.Return, view: View) -> Iterator[str]:
    """`return loss` -> `return torch.tensor(loss.item(), requires_grad=True)`"""
    function = view.function(node)
    if node.value is not None and function is not None and is_loss(function):
        yield f"return torch.tensor({atom(node.value)}.item(), requires_grad=True)"


@mutator(cst.Call)
def written_in_place(call: cst.Call, view: View) -> Iterator[str]:
    """`target.clamp(min=0)` -> `target.clamp_(min=0)` on an argument"""
    found = operation(call, *_IN_PLACE)
    function = view.function(call)
    if found and not found.owner and function is not None and code(found.subject) in parameters(function):
        yield found.again(name=f"{found.name}_")


@mutator(cst.Assign)
def assigned_in_place(node: cst.Assign, view: View) -> Iterator[str]:
    """`target = 2 * target - 1` -> `target *= 2`, `target = target.to(dtype)` -> `target[:] = target.to(dtype)`"""
    function = view.function(node)
    if function is None or len(node.targets) != 1 or code(node.targets[0].target) not in parameters(function):
        return
    name = code(node.targets[0].target)
    if isinstance(node.value, cst.BinaryOperation) and code(node.value.left) == name:
        yield f"{name} {code(node.value.operator).strip()}= {code(node.value.right)}"
        return
    found = operation(node.value, "masked_fill", "clamp", "where", "to")
    if found and (code(found.subject) == name or found.name == "where"):
        yield f"{name}[:] = {code(node.value)}"


@mutator(cst.Call)
def create_graph_dropped(call: cst.Call, view: View) -> Iterator[str]:
    """`torch.autograd.grad(y, x, create_graph=True)` -> `torch.autograd.grad(y, x)`"""
    if found := keyword(call, "create_graph"):
        yield called(call, [each for each in call.args if each is not found])


@mutator(cst.Call)
def detach_dropped(call: cst.Call, view: View) -> Iterator[str]:
    """`teacher.detach()` -> `teacher`, also where a state of self keeps what is not detached"""
    if found := operation(call, "detach"):
        yield code(found.subject)


@mutator(cst.With)
def no_grad_dropped(node: cst.With, view: View) -> Iterator[Change]:
    """`with torch.no_grad():` -> `if True:`"""
    if code(node.items[0].item) == "torch.no_grad()":
        start = view.span(node)[0]
        yield Edit(start, view.span(node.items[0].item)[1], "if True")


@mutator(cst.Decorator)
def no_grad_decorator_dropped(node: cst.Decorator, view: View) -> Iterator[Change]:
    """`@torch.no_grad()` -> nothing"""
    if code(node.decorator) == "torch.no_grad()":
        start, end = view.span(node)
        yield Edit(start, end, "# no decorator")


@mutator(cst.Call)
def sample_without_gradient(call: cst.Call, view: View) -> Iterator[str]:
    """`Normal(mu, std).rsample()` -> `Normal(mu, std).sample()`"""
    if found := operation(call, "rsample"):
        yield found.again(name="sample")


@mutator(cst.Assign)
def loss_as_number(node: cst.Assign, view: View) -> Iterator[str]:
    """`box_loss = F.l1_loss(...)` -> `box_loss = F.l1_loss(...).item()`"""
    if len(node.targets) != 1 or not is_total(node.targets[0].target) or not isinstance(node.value, cst.Call):
        return
    if re.search(r"(loss|entropy|kl_div)\w*$", code(node.value.func)):
        yield f"{code(node.targets[0].target)} = {code(node.value)}.item()"
