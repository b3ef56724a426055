"""The public names of torch's namespaces, over the versions that are supported: torch_names.json, read on demand.

scripts/generate_torch_names.py writes the file; no version of torch is imported for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_FILE = Path(__file__).parent / "torch_names.json"
NAMESPACES = (  # those that losses use, the likeliest first
    "torch.nn.functional",
    "torch.nn",
    "torch",
    "torch.linalg",
    "torch.special",
    "torch.fft",
    "torch.distributions",
    "torch.autograd",
    "torch.distributed",
)


@cache
def _table() -> tuple[tuple[str, ...], Mapping[str, frozenset[str]]]:
    content = json.loads(_FILE.read_text("utf-8"))
    names = {namespace: frozenset(listed.split()) for namespace, listed in content["names"].items()}
    return tuple(content["versions"]), names


def torch_versions() -> tuple[str, ...]:
    """The versions whose names the table holds, oldest first."""
    return _table()[0]


def torch_names(namespace: str) -> frozenset[str] | None:
    """The public names of a namespace such as torch.nn.functional in any version; None where it is not in the table."""
    return _table()[1].get(namespace)
