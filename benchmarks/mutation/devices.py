"""Tensors that stay on the CPU, or on a GPU that is hard-coded."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mutation.matching import called, keyword, operation
from mutation.mutants import mutator, replaced
from mutation.view import View, atom, code

DEVICE = frozenset({"device"})
_LIKE = {"zeros_like": "zeros", "ones_like": "ones", "full_like": "full", "rand_like": "rand", "randn_like": "randn"}


@mutator(cst.Call, DEVICE)
def like_dropped(call: cst.Call, view: View) -> Iterator[str]:
    """`torch.zeros_like(x)` -> `torch.zeros(x.shape)`, `x.new_zeros(n)` -> `torch.zeros(n)`"""
    if found := operation(call, *_LIKE):
        rest = "".join(f", {code(each)}" for each in found.rest)
        yield f"torch.{_LIKE[found.name]}({atom(found.subject)}.shape{rest})"
    if found := operation(call, "new_zeros", "new_ones", "new_full", "new_tensor"):
        yield f"torch.{found.name.removeprefix('new_')}({', '.join(code(each) for each in found.rest)})"


@mutator(cst.Call, DEVICE)
def device_dropped(call: cst.Call, view: View) -> Iterator[str]:
    """`torch.arange(n, device=x.device)` -> `torch.arange(n)`"""
    if found := keyword(call, "device"):
        yield called(call, [each for each in call.args if each is not found])


@mutator(cst.Call, DEVICE)
def device_hard_coded(call: cst.Call, view: View) -> Iterator[str]:
    """`torch.arange(n, device=x.device)` -> `torch.arange(n).cuda()`, and `device="cuda"`"""
    if found := keyword(call, "device"):
        yield f"{called(call, [each for each in call.args if each is not found])}.cuda()"
        yield replaced(call, found.value, '"cuda"')


@mutator(cst.Call, DEVICE)
def made_on_gpu(call: cst.Call, view: View) -> Iterator[str]:
    """`torch.ones_like(x)` -> `torch.ones(x.shape).cuda()`"""
    if found := operation(call, *_LIKE):
        rest = "".join(f", {code(each)}" for each in found.rest)
        yield f"torch.{_LIKE[found.name]}({atom(found.subject)}.shape{rest}).cuda()"


@mutator(cst.Call, DEVICE)
def buffer_as_attribute(call: cst.Call, view: View) -> Iterator[str]:
    """`self.register_buffer("w", w)` -> `self.w = w`"""
    if code(call.func) == "self.register_buffer" and len(call.args) >= 2 and isinstance(view.parent(call), cst.Expr):
        name = call.args[0].value
        if isinstance(name, cst.SimpleString):
            yield f"self.{name.raw_value} = {code(call.args[1].value)}"


@mutator(cst.Call, DEVICE)
def parameter_as_tensor(call: cst.Call, view: View) -> Iterator[str]:
    """`nn.Parameter(torch.zeros(3))` -> `torch.zeros(3)`"""
    if code(call.func) == "nn.Parameter":
        yield code(call.args[0].value)


@mutator(cst.Call, DEVICE)
def modules_in_list(call: cst.Call, view: View) -> Iterator[str]:
    """`nn.ModuleList([...])` -> `[...]`"""
    if code(call.func) == "nn.ModuleList" and call.args:
        yield code(call.args[0].value)


@mutator(cst.Call, DEVICE)
def move_dropped(call: cst.Call, view: View) -> Iterator[str]:
    """`w.to(x.device)`, `w.to(x)`, `w.type_as(x)` -> `w`"""
    found = operation(call, "to", "type_as")
    if found and not found.owner and not code(call).endswith("dtype)"):
        yield code(found.subject)


@mutator(cst.Call, DEVICE)
def type_by_name(call: cst.Call, view: View) -> Iterator[str]:
    """`mask.to(x.dtype)` -> `mask.type(torch.FloatTensor)`, which is on the CPU"""
    found = operation(call, "to")
    if found and not found.owner and code(call).endswith(".dtype)"):
        yield f"{atom(found.subject)}.type(torch.FloatTensor)"
