"""What the parent asks for, and how events go back to it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

PROTOCOL = 1
_WORKER = os.path.dirname(os.path.abspath(__file__))
_TORCH = os.path.dirname(os.path.abspath(torch.__file__))


@dataclass(frozen=True)
class Target:
    """One loss to run: its module and file, its symbol in there, and the functions that are entered (`Class.forward`)."""

    id: int
    module: str
    file: str
    symbol: str
    entries: tuple[str, ...]
    examples: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Request:
    """`roots` are the folders whose files are the user's; limits are in seconds and bytes; `jobs` losses run at a time.
    Without `doctests` none are run, to see how well inputs are judged where there are none."""

    targets: tuple[Target, ...]
    search_paths: tuple[str, ...]
    roots: tuple[str, ...]
    device: str
    import_seconds: float
    loss_seconds: float
    memory_bytes: int
    jobs: int
    fork: bool
    doctests: bool

    def is_users(self, filename: str) -> bool:
        """Whether a file is the user's own: below a root, and not in an environment that lies there."""
        if filename.startswith(_WORKER):
            return False
        if filename.startswith(_TORCH):
            # Of torch only a loss that is run itself.
            return any(filename == target.file for target in self.targets)
        for root in self.roots:
            if filename.startswith(root):
                rest = filename[len(root) :]
                return "site-packages" not in rest and "dist-packages" not in rest
        return False


def read_request(data: dict[str, Any]) -> Request:
    """A request from its JSON. Raises KeyError or TypeError where that is not one."""
    targets = tuple(
        Target(**{**each, "entries": tuple(each["entries"]), "examples": tuple(each["examples"])})
        for each in data["targets"]
    )
    return Request(
        targets=targets,
        search_paths=tuple(data["search_paths"]),
        roots=tuple(data["roots"]),
        device=data["device"],
        import_seconds=data["import_seconds"],
        loss_seconds=data["loss_seconds"],
        memory_bytes=data["memory_bytes"],
        jobs=data["jobs"],
        fork=data["fork"],
        doctests=data.get("doctests", True),
    )


def sender(descriptor: int) -> Callable[[dict[str, Any]], None]:
    """A function that writes events as lines of JSON to a file descriptor."""

    def send(event: dict[str, Any]) -> None:
        data = (json.dumps(event, allow_nan=False, default=str) + "\n").encode()
        while data:
            data = data[os.write(descriptor, data) :]

    return send
