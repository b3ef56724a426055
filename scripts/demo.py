"""Shows losslint at work: the classic losses are silent, exactly the planted hazards are found, and a run confirms them.

Exits 0 only if all of it holds: no run may call a planted hazard not reproduced, and most must be confirmed, with scripts
that show it. Planted lines carry the code they must be found under, as a trailing comment.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SOUND, PLANTED = Path("fixtures/losses"), Path("fixtures/planted.py")
MARKER = re.compile(r"#\s*((?:LL\d{3}[ ,]*)+)$")
CHECK = [
    *(sys.executable, "-m", "losslint", "check", "--isolated", "--probe", "--python", sys.executable),
    *(str(SOUND), str(PLANTED)),
]
# What of the planted hazards a run can show on inputs that it finds by itself.
MOST = 0.75


def planted() -> set[tuple[str, int, str]]:
    """File, row and code of every marked line."""
    found = set()
    for row, line in enumerate((ROOT / PLANTED).read_text(encoding="utf-8").splitlines(), 1):
        match = MARKER.search(line)
        for code in re.findall(r"LL\d{3}", match.group(1)) if match else ():
            found.add((PLANTED.as_posix(), row, code))
    return found


def found(folder: Path) -> list[dict[str, Any]]:
    """Every warning and error as JSON, and every info that is planted; scripts go into a folder."""
    report = folder / "report.json"
    done = subprocess.run(
        [*CHECK, "--output-format", "json", "--output-file", str(report), "--reproducers", str(folder)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    if done.returncode not in (0, 1) or not report.exists():
        sys.exit(done.stderr or f"losslint ended with status {done.returncode}")
    every = json.loads(report.read_text("utf-8"))
    return [each for each in every if each["severity"] != "info" or place(each) in planted()]


def place(finding: dict[str, Any]) -> tuple[str, int, str]:
    """File, row and code of a finding."""
    return Path(finding["filename"]).as_posix(), finding["location"]["row"], finding["code"]


def shows(script: Path) -> bool:
    """Whether a script that runs alone ends with a failure, as it should while the hazard is there."""
    return subprocess.run([sys.executable, str(script)], capture_output=True).returncode != 0


def main() -> int:
    """Show the findings to a person, then compare."""
    subprocess.run(CHECK, cwd=ROOT)
    with tempfile.TemporaryDirectory() as folder:
        loud = found(Path(folder))
        scripts = sorted(Path(folder).glob("*.py"))
        idle = [script.name for script in scripts if not shows(script)]
    expected, actual = planted(), {place(each) for each in loud}
    for filename, row, code in sorted(expected - actual):
        print(f"planted and not found: {filename}:{row} {code}")
    for filename, row, code in sorted(actual - expected):
        print(f"found and not planted: {filename}:{row} {code}")
    verdicts = Counter(each["verdict"] for each in loud)
    for name in idle:
        print(f"a script that shows nothing: {name}")
    losses = len(list((ROOT / SOUND).glob("*.py")))
    confirmed, denied = verdicts["confirmed"], verdicts["not-reproduced"]
    good = expected == actual and not denied and not idle and confirmed >= MOST * len(expected)
    if good:
        print(f"\nExactly the {len(expected)} planted hazards were found; {losses} files of sound losses are silent.")
        print(
            f"A run confirmed {confirmed} of them; each of the {len(scripts)} scripts written shows its hazard alone."
        )
    else:
        print(f"verdicts: {dict(verdicts)}")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
