"""Recall and precision of the loss finder against benchmarks/losses.toml, which was made by hand before measuring.

`python benchmarks/finder.py` prints both for each package and over all, and the misses and extras; exits 1 below 95 %
recall or 90 % precision.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import tomllib

from losslint.semantics.losses import find_losses, might_hold_loss
from losslint.semantics.project import Project
from packages import HERE, unpacked


def found_in(folder: Path) -> set[tuple[str, str]]:
    """File and symbol of every loss that is found in a package."""
    project = Project((folder,))
    found = set()
    for path in sorted(folder.rglob("*.py")):
        data = path.read_bytes()
        if might_hold_loss(data):
            for loss in find_losses(ast.parse(data), path, project):
                found.add((path.relative_to(folder).as_posix(), loss.symbol))
    return found


def main() -> int:
    """Print the figures."""
    truth_file = tomllib.loads((HERE / "losses.toml").read_text())
    hits = expected = reported = 0
    for package in truth_file["package"]:
        folder = unpacked(package["name"], package["version"])
        truth = {(loss["file"], loss["symbol"]) for loss in package["loss"]}
        found = {matched(each, truth) for each in found_in(folder)}
        hit = truth & found
        print(f"{package['name']}: recall {len(hit)}/{len(truth)}, precision {len(hit)}/{len(found)}")
        for file, symbol in sorted(truth - found):
            print(f"  missed {file} {symbol}")
        for file, symbol in sorted(found - truth):
            print(f"  extra  {file} {symbol}")
        hits, expected, reported = hits + len(hit), expected + len(truth), reported + len(found)
    recall, precision = hits / expected, hits / reported
    print(f"all: recall {hits}/{expected} = {recall:.1%}, precision {hits}/{reported} = {precision:.1%}")
    return 0 if recall >= 0.95 and precision >= 0.9 else 1


def matched(found: tuple[str, str], truth: set[tuple[str, str]]) -> tuple[str, str]:
    """A found class counts for the method of it that is listed, and a found method for its listed class."""
    file, symbol = found
    if found in truth:
        return found
    listed = [each for each in truth if each[0] == file]
    owner = symbol.partition(".")[0]
    if (file, owner) in listed:
        return (file, owner)
    return next((each for each in listed if each[1].partition(".")[0] == symbol), found)


if __name__ == "__main__":
    sys.exit(main())
