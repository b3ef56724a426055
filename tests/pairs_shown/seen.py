"""What the proofs look at: finiteness, gradients, exceptions, and devices that need no GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode


def close(a: Any, b: Any, tolerance: float = 1e-4) -> bool:
    return bool(
        torch.allclose(torch.as_tensor(a).double(), torch.as_tensor(b).double(), rtol=tolerance, atol=tolerance)
    )


def finite(value: Tensor) -> bool:
    return bool(torch.isfinite(value).all())


def grad(loss: Tensor, *inputs: Tensor) -> tuple[Tensor | None, ...]:
    """Gradients of the loss, None where it does not reach an input or has no gradient at all."""
    if not loss.requires_grad:
        return (None,) * len(inputs)
    return torch.autograd.grad(loss.sum(), inputs, allow_unused=True)


def dead(loss: Tensor, *inputs: Tensor) -> bool:
    """No gradient reaches at least one of the inputs."""
    return any(g is None or not g.any() for g in grad(loss, *inputs))


def breaks(loss: Tensor, *inputs: Tensor) -> bool:
    """The loss or a gradient of it is not finite."""
    return not finite(loss) or any(g is not None and not finite(g) for g in grad(loss, *inputs))


def raises(call: Callable[[], object], *kinds: type[Exception]) -> bool:
    try:
        call()
    except Exception as error:
        if kinds and not isinstance(error, kinds):
            raise
        return True
    return False


def off_device(call: Callable[[], object]) -> bool:
    """Whether the call mixes devices. Meta tensors are on another device than the CPU, and nothing is computed."""
    try:
        call()
    except RuntimeError as error:
        if "device" not in str(error):
            raise
        return True
    return False


def asks_for_a_gpu(call: Callable[[], object]) -> bool:
    """Whether the call, given fake tensors of a second GPU, turns to the current one."""
    with FakeTensorMode():
        return raises(call, RuntimeError)


def leaf(*shape: int, scale: float = 1.0, seed: int = 0) -> Tensor:
    """A random input that wants a gradient."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(shape, generator=generator) * scale).requires_grad_()
