"""How many of the pairs in fixtures/pairs are told apart: the buggy half found, the fixed half silent.

`python benchmarks/pairs.py` prints, by family and with the held-out third apart, in how many pairs `check` shows something with
its witness in the buggy half that it does not show in the fixed one: warnings, errors, and what doubted rules would warn of
(`--trust ALL`). The second figure counts those that fail a run by default alone, the third infos and preview rules too. It
prints all that is shown so in a fixed half. `--probe` runs the losses too, so that a bug counts that either
half of losslint finds. Names are printed for the pairs that may be looked at alone; `--held-out` prints the others'.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAIRS = Path(__file__).parent.parent / "fixtures" / "pairs"
Halves = dict[tuple[str, str], Counter[str]]


@dataclass(frozen=True)
class Pair:
    """A bug and its mend. `is_held_out` follows from the thread that describes it."""

    slug: str
    family: str
    is_held_out: bool


def pairs() -> list[Pair]:
    """All pairs."""
    found = []
    for path in sorted(PAIRS.glob("*/buggy.py")):
        text = path.read_text()
        thread = re.search(r"^Thread: (\S+)$", text, re.MULTILINE)
        family = re.search(r"^Family: (\S+)$", text, re.MULTILINE)
        assert thread is not None and family is not None, path
        digest = int(hashlib.sha256(thread[1].lower().encode()).hexdigest(), 16)
        found.append(Pair(path.parent.name, family[1], digest % 3 == 0))
    return found


def findings(flags: list[str]) -> list[dict[str, Any]]:
    """What `losslint check` says of all pairs."""
    command = [
        sys.executable,
        "-m",
        "losslint",
        "check",
        str(PAIRS),
        "--isolated",
        "--exit-zero",
        "--output-format",
        "json",
    ]
    done = subprocess.run([*command, *flags], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    result: list[dict[str, Any]] = json.loads(done.stdout)
    return result


def by_half(found: list[dict[str, Any]], with_info: bool) -> Halves:
    """How often each code is reported, by pair and half."""
    counts: Halves = {}
    for each in found:
        path = Path(each["filename"])
        if with_info or each["severity"] != "info":
            counts.setdefault((path.parent.name, path.stem), Counter())[each["code"]] += 1
    return counts


def told_apart(counts: Halves, slug: str) -> bool:
    """Whether something is reported in the buggy half that is not in the fixed one."""
    buggy, fixed = (counts.get((slug, half), Counter()) for half in ("buggy", "fixed"))
    return bool(buggy - fixed)


def main() -> int:
    """Print the figures."""
    runs = ["--probe", "--python", sys.executable] if "--probe" in sys.argv else []
    default = findings([*runs, "--trust", "ALL"])
    failing = by_half(findings(runs), with_info=False)
    loud = by_half(default, with_info=False)
    every = by_half(findings([*runs, "--preview"]), with_info=True)
    levels = ((loud, ""), (failing, "failing a run "), (every, "with info and preview "))
    for is_held_out in (False, True):
        chosen = [each for each in pairs() if each.is_held_out is is_held_out]
        print("held out" if is_held_out else "open to view")
        for family in sorted({each.family for each in chosen}):
            members = [each.slug for each in chosen if each.family == family]
            print(f"  {family}: {_figures(levels, members)}")
        slugs = [each.slug for each in chosen]
        print(f"  all: {_figures(levels, slugs)}")
        noisy = [slug for slug in slugs if (slug, "fixed") in loud]
        print(f"  fixed halves that are silent: {len(slugs) - len(noisy)} of {len(slugs)}")
        if not is_held_out or "--held-out" in sys.argv:
            for slug in slugs:
                if not told_apart(loud, slug):
                    print(f"  missed {slug} {dict(every.get((slug, 'buggy'), {}))}")
            for each in default:
                path = Path(each["filename"])
                if path.stem == "fixed" and path.parent.name in noisy and each["severity"] != "info":
                    print(f"  fixed {path.parent.name}:{each['location']['row']} {each['code']} {each['message']}")
    return 0


def _figures(levels: Iterable[tuple[Halves, str]], slugs: list[str]) -> str:
    return ", ".join(f"{name}{_share(counts, slugs)}" for counts, name in levels)


def _share(counts: Halves, slugs: list[str]) -> str:
    found = sum(told_apart(counts, slug) for slug in slugs)
    return f"{found} of {len(slugs)} ({found / max(1, len(slugs)):.0%})"


if __name__ == "__main__":
    sys.exit(main())
