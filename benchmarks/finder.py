"""Recall and precision of the loss finder against benchmarks/losses.toml, which was made by hand before measuring.

`python benchmarks/finder.py` prints both for each package and over all, with every miss and extra, and recall without the
entries that the list calls borderline; exits 1 below 95 % recall or 90 % precision. A found method counts for its listed
class, and a found class for the methods of it that are listed.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import tomllib

from losslint.semantics.losses import find_losses, might_hold_loss
from losslint.semantics.project import Project
from packages import HERE, unpacked

Place = tuple[str, str]


def found_in(folder: Path) -> set[Place]:
    """File and symbol of every loss that is found in a package."""
    project = Project((folder,))
    found: set[Place] = set()
    for path in sorted(folder.rglob("*.py")):
        data = path.read_bytes()
        if might_hold_loss(data):
            losses = find_losses(ast.parse(data), path, project)
            found |= {(path.relative_to(folder).as_posix(), loss.symbol) for loss in losses}
    return found


def is_match(found: Place, listed: Place) -> bool:
    """Whether two places are the same, or one is the class of the other."""
    if found[0] != listed[0]:
        return False
    return found[1] == listed[1] or found[1].startswith(f"{listed[1]}.") or listed[1].startswith(f"{found[1]}.")


def main() -> int:
    """Print the figures; the exit code says whether they are good enough."""
    hits = expected = right = reported = clear_hits = clear = 0
    for package in tomllib.loads((HERE / "losses.toml").read_text())["package"]:
        found = found_in(unpacked(package["name"], package["version"]))
        truth = {(loss["file"], loss["symbol"]): "borderline" in loss for loss in package["loss"]}
        missed = {each for each in truth if not any(is_match(one, each) for one in found)}
        extra = {each for each in found if not any(is_match(each, one) for one in truth)}
        print(
            f"{package['name']}: recall {len(truth) - len(missed)}/{len(truth)}, "
            f"precision {len(found) - len(extra)}/{len(found)}"
        )
        for file, symbol in sorted(missed):
            print(f"  missed {file} {symbol}{' (borderline)' if truth[file, symbol] else ''}")
        for file, symbol in sorted(extra):
            print(f"  extra  {file} {symbol}")
        hits, expected = hits + len(truth) - len(missed), expected + len(truth)
        right, reported = right + len(found) - len(extra), reported + len(found)
        clear += sum(not borderline for borderline in truth.values())
        clear_hits += sum(not borderline and each not in missed for each, borderline in truth.items())
    recall, precision = hits / expected, right / reported
    print(f"all: recall {hits}/{expected} = {recall:.1%}, precision {right}/{reported} = {precision:.1%}")
    print(f"without borderline entries: recall {clear_hits}/{clear} = {clear_hits / clear:.1%}")
    return 0 if recall >= 0.95 and precision >= 0.9 else 1


if __name__ == "__main__":
    sys.exit(main())
