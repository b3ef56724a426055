"""Shows losslint at work: the classic losses are silent, and exactly the planted hazards are found.

Exits 0 only if both hold. Planted lines carry the code they must be found under, as a trailing comment.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOUND, PLANTED = Path("fixtures/losses"), Path("fixtures/planted.py")
MARKER = re.compile(r"#\s*((?:LL\d{3}[ ,]*)+)$")
CHECK = [sys.executable, "-m", "losslint", "check", "--isolated", str(SOUND), str(PLANTED)]


def planted() -> set[tuple[str, int, str]]:
    """File, row and code of every marked line."""
    found = set()
    for row, line in enumerate((ROOT / PLANTED).read_text(encoding="utf-8").splitlines(), 1):
        match = MARKER.search(line)
        for code in re.findall(r"LL\d{3}", match.group(1)) if match else ():
            found.add((PLANTED.as_posix(), row, code))
    return found


def found() -> set[tuple[str, int, str]]:
    """File, row and code of every warning and error."""
    done = subprocess.run(
        [*CHECK, "--output-format", "json"], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    if done.returncode not in (0, 1) or not done.stdout:
        sys.exit(done.stderr or f"losslint ended with status {done.returncode}")
    loud = [each for each in json.loads(done.stdout) if each["severity"] != "info"]
    return {(Path(each["filename"]).as_posix(), each["location"]["row"], each["code"]) for each in loud}


def main() -> int:
    """Show the findings to a person, then compare."""
    subprocess.run(CHECK, cwd=ROOT)
    expected, actual = planted(), found()
    for filename, row, code in sorted(expected - actual):
        print(f"planted and not found: {filename}:{row} {code}")
    for filename, row, code in sorted(actual - expected):
        print(f"found and not planted: {filename}:{row} {code}")
    losses = len(list((ROOT / SOUND).glob("*.py")))
    if expected == actual:
        print(f"\nExactly the {len(expected)} planted hazards were found; {losses} files of sound losses are silent.")
    return int(expected != actual)


if __name__ == "__main__":
    sys.exit(main())
