"""Precision on published packages: every warning and error against its reviewed verdict.

`python benchmarks/precision.py` checks the pinned packages, two at a time, and prints what share of the findings was judged
true, by rule, over all, and over those that fail a run by default (what doubted rules say counts in the first only, as with
`--trust ALL`), and what is new or gone against benchmarks/precision/verdicts.toml, which is keyed by fingerprint.
A fifth of the findings is judged a second time by somebody who did not write the rule and does not see the first verdict:
`--blind-sample` prints that fifth as stubs for benchmarks/precision/second_verdicts.toml. `--unjudged` prints stubs for what
has no verdict yet. Exits 1 if a finding is unjudged, a check crashed, or what fails a run misses one of the bars below.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomllib

from losslint import registry
from packages import HERE, pinned

VERDICTS = HERE / "precision" / "verdicts.toml"
SECOND = HERE / "precision" / "second_verdicts.toml"
SHARE, FINDINGS, RULES, CAUSES = 0.9, 60, 15, 30


@dataclass(frozen=True)
class Finding:
    """A warning or error in a package."""

    package: str
    raw: dict[str, Any]

    @property
    def key(self) -> str:
        """The fingerprint."""
        return str(self.raw["fingerprint"])

    @property
    def where(self) -> str:
        """Package, file, line, symbol and rule."""
        raw = self.raw
        return f"{self.package} {raw['filename']}:{raw['location']['row']} {raw['symbol']} {raw['code']}"

    @property
    def in_blind_sample(self) -> bool:
        """Whether it belongs to the fifth that is judged twice; the fingerprint alone decides."""
        return int(self.key, 16) % 5 == 0

    def stub(self, evidence: bool) -> str:
        """An entry without a verdict."""
        lines = ["[[verdict]]", f'fingerprint = "{self.key}"', f"where = {json.dumps(self.where)}"]
        lines += [f"severity = {json.dumps(self.raw['severity'])}", f"message = {json.dumps(self.raw['message'])}"]
        if evidence:
            steps = [f"{each['message']} ({place(each['location'])})" for each in self.raw["evidence"]]
            lines.append(f"evidence = {json.dumps(steps)}")
        return "\n".join([*lines, 'verdict = ""', 'reason = ""', ""])


def place(location: dict[str, Any] | None) -> str:
    """A line in words."""
    return f"line {location['row']}" if location else "elsewhere"


def check(folder: Path) -> list[dict[str, Any]] | str:
    """What `losslint check .` says of a package, run inside it, or why it said nothing."""
    command = [sys.executable, "-m", "losslint", "check", ".", "--isolated", "--exit-zero", "--output-format", "json"]
    done = subprocess.run([*command, "--trust", "ALL"], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        return done.stderr
    result: list[dict[str, Any]] = json.loads(done.stdout)
    return result


def checked() -> tuple[list[Finding], int, list[str]]:
    """All warnings and errors about losses, how many infos there are beside them, and the packages on which a check crashed."""
    folders = pinned()
    largest_first = sorted(folders, key=lambda name: -sum(path.stat().st_size for path in folders[name].rglob("*.py")))
    with ThreadPoolExecutor(2) as pool:
        reports = dict(zip(largest_first, pool.map(lambda name: check(folders[name]), largest_first), strict=True))
    found: list[Finding] = []
    crashed: list[str] = []
    infos = 0
    for name in folders:
        report = reports[name]
        if isinstance(report, str):
            crashed.append(f"{name}: {report.strip()[-300:]}")
            continue
        loud = [Finding(name, each) for each in report if each["severity"] != "info" and each["code"] < "LL9"]
        infos += sum(each["severity"] == "info" for each in report)
        found += loud
    return found, infos, crashed


def read(path: Path) -> dict[str, dict[str, str]]:
    """A file of verdicts by fingerprint."""
    return {each["fingerprint"]: each for each in tomllib.loads(path.read_text()).get("verdict", [])}


def main() -> int:
    """Print the tables; the exit code says whether the bars are met."""
    found, infos, crashed = checked()
    if "--blind-sample" in sys.argv:
        print("\n".join(each.stub(evidence=True) for each in found if each.in_blind_sample))
        return 0
    verdicts = read(VERDICTS)
    unjudged = [each for each in found if each.key not in verdicts]
    if "--unjudged" in sys.argv:
        print("\n".join(each.stub(evidence=False) for each in unjudged))
        return 0
    met = print_precision([each for each in found if each.key in verdicts], verdicts, infos)
    print_second([each for each in found if each.in_blind_sample], verdicts, read(SECOND))
    for each in unjudged:
        print(f"new: {each.where} {each.key} {each.raw['message']}")
    for key in verdicts.keys() - {each.key for each in found}:
        print(f"gone: {key} {verdicts[key]['where']}")
    for line in crashed:
        print(f"crashed: {line}")
    return 0 if met and not unjudged and not crashed else 1


def print_precision(judged: list[Finding], verdicts: dict[str, dict[str, str]], infos: int) -> bool:
    """Print the share of each rule and of all; whether the bars are met."""
    counts = Counter((str(each.raw["code"]), verdicts[each.key]["verdict"]) for each in judged)
    for code in sorted({code for code, _ in counts}):
        print(f"{code}: {counts[code, 'true']} true, {counts[code, 'false']} false")
    failing = [each for each in judged if not registry.index()[str(each.raw["code"])].doubted]
    print_share("all, doubted ones too", judged, verdicts)
    met = print_share("failing a run by default", failing, verdicts)
    print(f"{infos} infos beside them")
    return met


def print_share(name: str, judged: list[Finding], verdicts: dict[str, dict[str, str]]) -> bool:
    """Print how many are true, from how many rules and causes; whether the bars are met."""
    true = [each for each in judged if verdicts[each.key]["verdict"] == "true"]
    share = len(true) / len(judged) if judged else 0.0
    rules = {str(each.raw["code"]) for each in true}
    causes = {verdicts[each.key]["cause"] for each in true}
    print(
        f"{name}: {len(true)} of {len(judged)} warnings and errors true ({share:.1%}), from {len(rules)} rules "
        f"and {len(causes)} root causes"
    )
    return share >= SHARE and len(judged) >= FINDINGS and len(rules) >= RULES and len(causes) >= CAUSES


def print_second(sample: list[Finding], verdicts: dict[str, dict[str, str]], second: dict[str, dict[str, str]]) -> None:
    """Print where the second judge agrees with the first, and both reasons where not."""
    twice = [each for each in sample if each.key in second and each.key in verdicts]
    differ = [each for each in twice if second[each.key]["verdict"] != verdicts[each.key]["verdict"]]
    print(
        f"judged twice: {len(twice)} of a fifth of {len(sample)}; agreed on {len(twice) - len(differ)}, not on {len(differ)}"
    )
    for each in differ:
        print(f"disagreement: {each.key} {each.where}")
        for judge, judged in (("first", verdicts), ("second", second)):
            print(f"  {judge}: {judged[each.key]['verdict']}: {judged[each.key]['reason']}")
    for each in sample:
        if each.key not in second:
            print(f"not judged twice yet: {each.key} {each.where}")


if __name__ == "__main__":
    sys.exit(main())
