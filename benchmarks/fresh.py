"""Draws a fresh sample: findings on packages that nobody here had opened, to be judged before anything is changed.

`python benchmarks/fresh.py ROUND PACKAGE… --count 30` downloads the packages, runs `losslint check` on each, draws findings
among all warnings and errors at random (the round is the seed) and prints stubs for benchmarks/fresh/ROUND.toml, which keeps
the verdicts. `python benchmarks/fresh.py` prints the series: each round's share, and each rule's over all rounds.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections import Counter
from typing import Any

import tomllib

from packages import HERE, newest

ROUNDS = HERE / "fresh"
STORE = HERE / ".fresh"
"""Apart from the packages that are read while rules are made."""


def findings(name: str) -> list[dict[str, Any]]:
    """The warnings and errors in a package, by default rules."""
    folder = newest(name, STORE)
    command = [sys.executable, "-m", "losslint", "check", ".", "--isolated", "--exit-zero", "--output-format", "json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"losslint crashed on {name}:\n{done.stderr}")
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return [{**each, "package": name} for each in found if each["severity"] != "info" and each["code"] < "LL9"]


def draw(round_name: str, packages: list[str], count: int) -> None:
    """Print stubs of a random sample."""
    every = [each for name in packages for each in findings(name)]
    chosen = random.Random(round_name).sample(every, min(count, len(every)))
    print(f"# {len(chosen)} of {len(every)} warnings and errors in {', '.join(packages)}")
    for each in sorted(chosen, key=lambda one: (one["package"], one["filename"], one["location"]["row"])):
        where = f"{each['package']} {each['filename']}:{each['location']['row']} {each['symbol']}"
        print(f'\n[[finding]]\ncode = "{each["code"]}"\nwhere = "{where}"\nmessage = {json.dumps(each["message"])}')
        print(f'severity = "{each["severity"]}"\nverdict = ""\nreason = ""')


def series() -> None:
    """Print the rounds and the rules."""
    rules: dict[str, Counter[str]] = {}
    for path in sorted(ROUNDS.glob("*.toml"), key=lambda each: int(each.stem.rpartition("-")[2])):
        verdicts: Counter[str] = Counter()
        for each in tomllib.loads(path.read_text())["finding"]:
            verdicts[each["verdict"]] += 1
            rules.setdefault(each["code"], Counter())[each["verdict"]] += 1
        total = verdicts.total()
        print(f"{path.stem}: {verdicts['true']} of {total} true ({verdicts['true'] / total:.0%})")
    for code in sorted(rules):
        print(f"{code}: {rules[code]['true']} of {rules[code].total()}")


def main() -> None:
    """Draw, or print the series."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("round", nargs="?")
    parser.add_argument("packages", nargs="*")
    parser.add_argument("--count", type=int, default=30)
    given = parser.parse_args()
    if given.round is None:
        series()
    else:
        draw(given.round, given.packages, given.count)


if __name__ == "__main__":
    main()
