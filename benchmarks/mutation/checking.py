"""What `losslint check` says of mutants that it does not say of their originals."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

Found = dict[str, Counter[tuple[str, str]]]


def findings(folder: Path, flags: tuple[str, ...] = (), with_info: bool = False) -> Found:
    """How often a code is reported in a symbol, by file."""
    command = [sys.executable, "-m", "losslint", "check", ".", "--isolated", "--exit-zero", "--output-format", "json"]
    done = subprocess.run([*command, *flags], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    reported: list[dict[str, Any]] = json.loads(done.stdout)
    counts: Found = {}
    for each in reported:
        if with_info or each["severity"] != "info":
            # LL9 is about files that are not read, which would be no way to find a hazard.
            assert not each["code"].startswith("LL9"), each
            counts.setdefault(Path(each["filename"]).stem, Counter())[each["code"], each["symbol"] or ""] += 1
    return counts


def added(found: Found, mutant: str, original: str) -> set[str]:
    """The codes of what is reported of a mutant and not of its original."""
    empty: Counter[tuple[str, str]] = Counter()
    return {code for code, _ in found.get(mutant, empty) - found.get(original, empty)}
