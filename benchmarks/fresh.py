"""Draws a fresh sample: findings on packages that nobody here had opened, to be judged before anything is changed.

`python benchmarks/fresh.py ROUND PACKAGE… --count 30` downloads the packages, runs `losslint check` on each, draws findings
among all warnings and errors at random (the round is the seed) and prints stubs for benchmarks/fresh/ROUND.toml, which keeps
the verdicts. `python benchmarks/fresh.py` prints the series: each round's share, what share of it came from rules that had earned
their severity in the rounds before, and each rule's over all rounds.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import tomllib

from packages import HERE, newest

ROUNDS = HERE / "fresh"
STORE = HERE / ".fresh"
"""Apart from the packages that are read while rules are made."""
REFUSED = frozenset("LL208 LL401 LL501 LL505 LL602 LL605 LL702 LL703 LL704 LL705 LL708 LL709 LL712 LL714 LL726".split())
"""What torch or Python refuses, or torch's documentation rules out, whatever the data."""


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


def may_warn(code: str, record: Counter[str]) -> bool:
    """Whether a rule has earned its severity by the verdicts on its findings in fresh rounds (decision 6).

    At least one was true, and 3 of 4; of five or more, 85 %. What torch or Python refuses needs no record until it has one.
    """
    judged = record.total()
    share = record["true"] / judged if judged else 0.0
    if judged >= 5:
        return share >= 0.85
    if code in REFUSED:
        return not judged or share >= 0.5
    return share >= 0.75


def records() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """The rounds with their findings, the first one first."""
    for path in sorted(ROUNDS.glob("*.toml"), key=lambda each: int(each.stem.rpartition("-")[2])):
        yield path.stem, tomllib.loads(path.read_text())["finding"]


def series() -> None:
    """Print the rounds and the rules, and of each round what rules found that had earned their severity in those before."""
    rules: dict[str, Counter[str]] = {}
    for name, found in records():
        total, earned = Counter[str](), Counter[str]()
        for each in found:
            total[each["verdict"]] += 1
            earned[each["verdict"]] += may_warn(each["code"], rules.get(each["code"], Counter()))
        for each in found:
            rules.setdefault(each["code"], Counter())[each["verdict"]] += 1
        print(f"{name}: {share(total)}; by rules that had earned their severity before: {share(earned)}")
    for code in sorted(rules):
        print(f"{code}: {rules[code]['true']} of {rules[code].total()}")


def share(verdicts: Counter[str]) -> str:
    """How many are true."""
    true, judged = verdicts["true"], verdicts.total()
    return f"{true} of {judged} true ({true / judged:.0%})" if judged else "none"


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
