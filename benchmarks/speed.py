"""Speed: CPU seconds of `losslint check` on all of kornia, and milliseconds a file that holds a loss.

`python benchmarks/speed.py` runs each measurement three times and prints the median, with `python -c pass` and
`python -c "import libcst"` in the same run for comparison.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

from packages import unpacked

KORNIA = ("kornia", "0.9.0")


def cpu_seconds(command: list[str], folder: str) -> float:
    """User and system time of a finished child."""
    before = os.times()
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    after = os.times()
    return (after.children_user + after.children_system) - (before.children_user + before.children_system)


def median(command: list[str], folder: str) -> float:
    """The median of three runs."""
    return statistics.median(cpu_seconds(command, folder) for _ in range(3))


def main() -> None:
    """Print the figures."""
    folder = str(unpacked(*KORNIA))
    python = [sys.executable, "-c"]
    check = [sys.executable, "-m", "losslint", "check", ".", "--exit-zero", "--output-format", "concise"]
    print(f"python -c pass               {median([*python, 'pass'], folder):6.2f} CPU-s")
    print(f"python -c 'import libcst'    {median([*python, 'import libcst'], folder):6.2f} CPU-s")
    print(f"losslint --version           {median([sys.executable, '-m', 'losslint', '--version'], folder):6.2f} CPU-s")
    print(f"losslint check kornia        {median(check, folder):6.2f} CPU-s")
    per_file = milliseconds_a_loss_file(folder)
    print(
        f"loss files: {len(per_file)}, median {statistics.median(per_file):.0f} ms, p95 {percentile(per_file):.0f} ms"
    )


def milliseconds_a_loss_file(folder: str) -> list[float]:
    """Wall time of each file with a loss, in one process, libcst and the rules loaded."""
    os.chdir(folder)
    from pathlib import Path

    from losslint import registry
    from losslint.diagnostic import Diagnostic
    from losslint.library import Library
    from losslint.linter import lint_source
    from losslint.semantics.losses import find_losses, might_hold_loss
    from losslint.semantics.project import Project
    from losslint.source import parse_ast, read_source

    project = Project((Path(),))
    library = Library(project)
    rules = registry.load(registry.select(["ALL"], [], [], False))
    times: list[float] = []
    for path in sorted(Path().rglob("*.py")):
        if not might_hold_loss(path.read_bytes()):
            continue
        source = read_source(path, str(path))
        if isinstance(source, Diagnostic):
            continue
        tree = parse_ast(source)
        if isinstance(tree, Diagnostic):
            continue
        losses = find_losses(tree, path, project, ())
        if losses:
            started = time.perf_counter()
            lint_source(source, losses, rules, library)
            times.append((time.perf_counter() - started) * 1000)
    return times


def percentile(values: list[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(values, n=20)[-1]


if __name__ == "__main__":
    main()
