"""Stand-ins for dependencies that are not installed: put in one by one as imports fail, taken out before anything runs."""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FunctionType, ModuleType
from typing import Any


class MissingDependency(ImportError):
    """The code came to use a module that is not installed."""


class _Switch:
    """Whether stand-ins are still lenient: while modules are imported they are, while losses run they are not."""

    importing = False


class _StandInType(type):
    """A class that has every attribute, can be subclassed, and passes functions through as a decorator would."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return _stand_in(f"{cls.__missing__}.{name}")

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs and isinstance(args[0], FunctionType):
            return args[0]
        return super().__call__(*args, **kwargs)


class _StandIn(metaclass=_StandInType):
    __missing__ = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not _Switch.importing:
            raise MissingDependency(f"needs {self.__missing__}, which is not installed")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__()

    def __getattr__(self, name: str) -> Any:
        if (name.startswith("__") and name.endswith("__")) or not self.__missing__:
            raise AttributeError(name)
        if not _Switch.importing:
            raise MissingDependency(f"needs {self.__missing__}, which is not installed")
        return _stand_in(f"{self.__missing__}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and isinstance(args[0], (FunctionType, type)):
            return args[0]
        if not _Switch.importing:
            raise MissingDependency(f"needs {self.__missing__}, which is not installed")
        return self


def _stand_in(path: str) -> Any:
    return _StandInType(path.rpartition(".")[2], (_StandIn,), {"__missing__": path})


class _StandInModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name == "__version__":
            return "0.0.0"  # much code looks at it while it is imported
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return _stand_in(f"{self.__name__}.{name}")


class _Finder:
    """Finds the modules that are known to be missing, and those below them, and nothing else."""

    def __init__(self) -> None:
        self.missing: set[str] = set()

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> Any:
        if name.partition(".")[0] not in self.missing:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _StandInModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""


@contextmanager
def standing_in() -> Iterator[set[str]]:
    """While this holds, a module whose name is added to the set imports as a stand-in. Afterwards `import` of it fails
    again, so that code which asks whether it is there gets the true answer."""
    finder = _Finder()
    sys.meta_path.append(finder)
    _Switch.importing = True
    try:
        yield finder.missing
    finally:
        _Switch.importing = False
        sys.meta_path.remove(finder)
        for name in [name for name, module in sys.modules.items() if isinstance(module, _StandInModule)]:
            del sys.modules[name]
