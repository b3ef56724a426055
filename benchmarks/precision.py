"""Precision on published packages: every warning and error against its reviewed verdict.

`python benchmarks/precision.py` prints what is found, what share of it was judged true, and what is new or gone against
benchmarks/precision/verdicts.toml, which is keyed by fingerprint. `--unjudged` prints stubs for what has no verdict yet.
Exits 1 if a finding is unjudged, a check crashed, less than 80 % are true, or fewer than 6 root causes are.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import tomllib

from packages import HERE, pinned

VERDICTS = HERE / "precision" / "verdicts.toml"


def findings(folder: Path) -> list[dict[str, object]]:
    """What `losslint check .` says of a package, run inside it."""
    command = [sys.executable, "-m", "losslint", "check", ".", "--output-format", "json", "--exit-zero"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"losslint failed on {folder.name}:\n{done.stderr}")
    result: list[dict[str, object]] = json.loads(done.stdout)
    return result


def main() -> int:
    """Print the table; the exit code says whether the bars are met."""
    verdicts = {each["fingerprint"]: each for each in tomllib.loads(VERDICTS.read_text())["verdict"]}
    judged: Counter[tuple[str, str]] = Counter()
    causes: set[str] = set()
    unjudged: list[tuple[str, dict[str, object]]] = []
    seen: set[str] = set()
    infos = 0
    for name, folder in pinned().items():
        for finding in findings(folder):
            if finding["severity"] == "info":
                infos += 1
                continue
            key = str(finding["fingerprint"])
            seen.add(key)
            verdict = verdicts.get(key)
            if verdict is None:
                unjudged.append((name, finding))
                continue
            judged[str(finding["code"]), verdict["verdict"]] += 1
            if verdict["verdict"] == "true":
                causes.add(verdict["cause"])
    for code in sorted({code for code, _ in judged}):
        print(f"{code}: {judged[code, 'true']} true, {judged[code, 'false']} false")
    true = sum(count for (_, verdict), count in judged.items() if verdict == "true")
    total = sum(judged.values())
    share = true / total if total else 0.0
    print(
        f"all: {true} of {total} warnings and errors true ({share:.0%}), {len(causes)} root causes, {infos} info shown"
    )
    for name, finding in unjudged:
        print(f"new: {name} {json.dumps(finding) if '--unjudged' in sys.argv else brief(finding)}")
    for key in verdicts.keys() - seen:
        print(f"gone: {key} {verdicts[key]['where']}")
    return 0 if not unjudged and share >= 0.8 and len(causes) >= 6 else 1


def brief(finding: dict[str, object]) -> str:
    """One line about a finding."""
    location = finding["location"]
    assert isinstance(location, dict)
    return f"{finding['filename']}:{location['row']} {finding['code']} {finding['fingerprint']} {finding['message']}"


if __name__ == "__main__":
    sys.exit(main())
