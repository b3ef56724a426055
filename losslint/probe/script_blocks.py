"""Blocks of code that scripts contain where they need them; each works with torch and the standard library alone."""

from __future__ import annotations

ON_TENSORS = """

def on_tensors(change, value):
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: on_tensors(change, part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [on_tensors(change, part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value
""".splitlines()
"""Applies a change to every tensor in nested arguments."""


def stand_ins(missing: tuple[str, ...]) -> list[str]:
    """Lets modules import that were not there when losslint ran the loss, which does not need them to run."""
    return _STAND_INS.replace("MISSING", repr(missing)).splitlines()


_STAND_INS = """
import importlib.machinery
import types


class StandIn(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn(name, (), {"is_stand_in": True})

    def __call__(cls, *args, **kwargs):
        if "is_stand_in" not in vars(cls):
            return super().__call__(*args, **kwargs)
        is_decorator = len(args) == 1 and isinstance(args[0], (types.FunctionType, type))
        return args[0] if is_decorator else cls


class StandInFinder:
    missing = MISSING

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.missing:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__getattr__ = lambda name: "0" if name == "__version__" else getattr(StandIn("", (), {}), name)
        return module

    def exec_module(self, module):
        pass


sys.meta_path.append(StandInFinder())  # asked last: what is installed is taken as it is
"""

SAME_DEVICE = '''
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class SameDevice(TorchDispatchMode):
    """Refuses what CUDA refuses; torch checks few operators for the meta device, which stands in for the GPU."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        operands = args
        if "index" in func.name() and args[0].device.type != "cpu":
            operands = (args[0], *args[2:])  # an index may be on the CPU
        tensors = [each for each in tree_leaves((operands, kwargs)) if isinstance(each, torch.Tensor) and each.dim()]
        if len({each.device for each in tensors}) > 1 and "copy" not in func.name():
            places = ", ".join(f"{tuple(each.shape)} on {each.device}" for each in tensors)
            raise RuntimeError(f"tensors on different devices meet in {func.name()}: {places}")
        return func(*args, **kwargs or {})
'''.splitlines()
"""Finds tensors of two devices meeting, on a machine without a GPU."""
