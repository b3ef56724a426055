"""A GPU without hardware: tensors that hold real CPU data under another device's label, and CUDA's rules for mixing them.

PrivateUse1, the device type that torch keeps for others, is set up from Python (a private API of torch: `available` tells
whether it is there). Numbers are real, so branches, masks and the backward pass all run. It must be set up in a process
that has not run autograd yet, and stays for the life of that process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

NAME = "pretend"
aten = torch.ops.aten
# A CPU tensor may stand in these: it is copied, or it is a plain index.
_COPIES = {aten.copy_.default, aten._copy_from.default, aten._to_copy.default, aten.to.device, aten.set_.source_Tensor}
# Kept for the life of the process: a library takes its kernels back when it is collected.
_REGISTERED: list[torch.library.Library] = []
_INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
# Arguments, by position, that CUDA kernels read on the CPU: lengths and places to split at.
_READ_ON_CPU = {
    aten._pack_padded_sequence.default: (1,),
    aten.tensor_split.tensor_indices_or_sections: (1,),
}


class DeviceMismatch(RuntimeError):
    """Tensors of two devices met, as CUDA would say it."""


class PretendTensor(Tensor):
    """A tensor on the pretend GPU; `held` is the CPU tensor with its numbers."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> PretendTensor:
        made: PretendTensor = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(NAME, 0),
            requires_grad=False,
            # Asks the held tensor, whose sizes change when it is transposed in place, as stft does.
            dispatch_sizes_strides_policy="sizes",
        )
        return made

    def __init__(self, held: Tensor) -> None:
        self.held = held.detach()

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        """What code asks before it takes the fast path."""
        return True

    def __repr__(self) -> str:  # type: ignore[override]
        return f"PretendTensor({self.held!r})"

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run an operator on the held tensors; its results are on the pretend GPU where an operand was, or where it is asked."""
    leaves = pytree.tree_leaves((args, kwargs))
    pretended = any(isinstance(leaf, PretendTensor) for leaf in leaves)
    asked = kwargs.get("device")
    if pretended:
        _refuse_mixture(func, args, kwargs)
    if asked is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
        pretended = torch.device(asked).type == NAME
    held_args, held_kwargs = pytree.tree_map(_held, (args, kwargs))
    result = func(*held_args, **held_kwargs)
    if not pretended:
        return result
    known = {id(_held(leaf)): leaf for leaf in leaves if isinstance(leaf, PretendTensor)}
    return pytree.tree_map(lambda leaf: _wrapped(leaf, known), result)


def _held(leaf: Any) -> Any:
    return leaf.held if isinstance(leaf, PretendTensor) else leaf


def _wrapped(leaf: Any, known: dict[int, PretendTensor]) -> Any:
    if not isinstance(leaf, Tensor) or isinstance(leaf, PretendTensor):
        return leaf
    # An operator in place gives back the very tensor that it was given.
    same = known.get(id(leaf))
    return PretendTensor(leaf) if same is None else same


def _refuse_mixture(func: Any, args: Any, kwargs: dict[str, Any]) -> None:
    if func in _COPIES:
        return
    operands: list[Any] = pytree.tree_leaves((args, kwargs))
    if func in _INDEXING and isinstance(args[0], PretendTensor):
        # Indices may be on the CPU. A CPU tensor indexed by a GPU one is a mixture.
        operands = [args[0], *pytree.tree_leaves(args[2:])]
    if func in _READ_ON_CPU:
        args = [each for position, each in enumerate(args) if position not in _READ_ON_CPU[func]]
        operands = pytree.tree_leaves((args, kwargs))
    for leaf in operands:
        if isinstance(leaf, Tensor) and not isinstance(leaf, PretendTensor) and leaf.dim() > 0:
            raise DeviceMismatch(
                "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! "
                f"(in {func.overloadpacket.__name__})"
            )


class _OnPretendGpu(TorchDispatchMode):
    """Sees what the tensors' own dispatch does not: factories that are asked for the device, from C++ too."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Redirect(TorchFunctionMode):
    """Takes "cuda" for the pretend GPU, and refuses what CUDA tensors refuse in Python."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in ("numpy", "__array__") and args and isinstance(args[0], PretendTensor):
            raise DeviceMismatch(
                "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first."
            )
        if name == "tolist" and args and isinstance(args[0], PretendTensor):
            return args[0].held.tolist()
        if name == "cuda" and args:
            return args[0].to(torch.device(NAME, 0))
        if name == "ctc_loss":
            # Torch takes lengths to the CPU first, unless tensors are of a subclass.
            args = [_numbers(each) if position in (2, 3) else each for position, each in enumerate(args)]
            kwargs = {key: _numbers(each) if key.endswith("_lengths") else each for key, each in kwargs.items()}
        args, kwargs = pytree.tree_map(_redirected, (args, kwargs))
        return func(*args, **kwargs)


def _numbers(lengths: Any) -> Any:
    return tuple(_held(lengths).tolist()) if isinstance(lengths, Tensor) and lengths.dim() else lengths


def _redirected(leaf: Any) -> Any:
    if isinstance(leaf, torch.device) and leaf.type == "cuda":
        return torch.device(NAME, 0)
    if isinstance(leaf, str) and (leaf == "cuda" or leaf.startswith("cuda:")):
        return torch.device(NAME, 0)
    return leaf


def available() -> bool:
    """Whether this torch lets a device be made in Python."""
    try:
        from torch.utils.backend_registration import _setup_privateuseone_for_python_backend  # noqa: F401
    except ImportError:
        return False
    return True


def set_up() -> None:
    """Make the device known to torch; once a process, before its first backward pass."""
    from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

    _setup_privateuseone_for_python_backend(NAME)
    getattr(torch, NAME).get_amp_supported_dtype = lambda: [torch.float16, torch.bfloat16]
    # What torch calls past every mode: `torch.tensor(a_tensor)` reads numbers, some C++ makes empty tensors.
    kernels = torch.library.Library("aten", "IMPL")
    kernels.impl("_local_scalar_dense", lambda tensor: tensor.held.item(), "PrivateUse1")
    kernels.impl("empty.memory_format", _empty, "PrivateUse1")
    kernels.impl("empty_strided", _empty_strided, "PrivateUse1")
    kernels.impl("_copy_from", _copy_from, "PrivateUse1")
    _REGISTERED.append(kernels)


def _empty(size: Any, *, dtype: Any = None, **others: Any) -> Tensor:
    return PretendTensor(torch.empty(size, dtype=dtype))


def _empty_strided(size: Any, stride: Any, *, dtype: Any = None, **others: Any) -> Tensor:
    return PretendTensor(torch.empty_strided(size, stride, dtype=dtype))


def _copy_from(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    _held(target).copy_(_held(source))
    return target


def on_gpu(tensor: Tensor) -> Tensor:
    """A copy on the pretend GPU that asks for a gradient where the tensor does."""
    return PretendTensor(tensor.detach().clone()).requires_grad_(tensor.requires_grad)


@contextmanager
def pretending() -> Iterator[None]:
    """While this holds, "cuda" is the pretend GPU."""
    originals: dict[str, Callable[..., Any]] = {"is_available": torch.cuda.is_available}
    torch.cuda.is_available = lambda: True
    try:
        with _Redirect(), _OnPretendGpu():
            yield
    finally:
        torch.cuda.is_available = originals["is_available"]
