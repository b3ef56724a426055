"""Speed and memory of `losslint check`.

`python benchmarks/speed.py` prints CPU seconds on all of kornia, as the median of three runs, with `python -c pass` and
`python -c "import libcst"` in the same run for comparison; and CPU milliseconds a file that holds a loss, its median and
95th percentile over kornia's loss files, libcst and the rules loaded. CPU time, for other work on the machine then counts for
less. `--torch FOLDER` prints CPU seconds and peak memory on one large tree instead, such as that of an installed torch:

    python benchmarks/speed.py --torch "$(python -c 'import torch; print(*torch.__path__)')"
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

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
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--torch", metavar="FOLDER", type=Path, help="a large tree to measure memory on, and nothing else"
    )
    large = parser.parse_args().torch
    if large is not None:
        measure_memory(large)
        return
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
    """CPU time of each file with a loss, in one process, libcst and the rules loaded."""
    os.chdir(folder)
    from losslint import registry
    from losslint.diagnostic import Diagnostic
    from losslint.garbage import Collection, collection_paused
    from losslint.library import Library
    from losslint.linter import lint_source
    from losslint.semantics.losses import find_losses, might_hold_loss
    from losslint.semantics.project import Project
    from losslint.source import parse_ast, read_source

    project = Project((Path(),))
    library = Library(project)
    rules = registry.load(registry.select(["ALL"], [], [], False))
    times: list[float] = []
    collection = Collection()
    with collection_paused():  # as a check does, which searches for garbage once in some losses
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
                started = time.process_time()
                lint_source(source, losses, rules, library)
                collection.after(len(losses))
                times.append((time.process_time() - started) * 1000)
    return times


def measure_memory(folder: Path) -> None:
    """Print CPU seconds and the peak memory of one check of a folder, and how many files it failed on."""
    command = [
        sys.executable,
        "-m",
        "losslint",
        "check",
        folder.name,
        "--isolated",
        "--exit-zero",
        "--output-format",
        "json",
    ]
    found = json.loads(subprocess.run(command, cwd=folder.parent, capture_output=True, check=True).stdout)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    own = [each for each in found if each["code"].startswith("LL9")]
    failed = [each for each in own if each["code"] == "LL906"]
    lines = sum(path.read_bytes().count(b"\n") for path in folder.rglob("*.py"))
    print(f"losslint check {folder.name}, {lines:,} lines: {used.ru_utime + used.ru_stime:.1f} CPU-s")
    print(f"peak memory {used.ru_maxrss // unit} MB, {len(failed)} files failed on, {len(own) - len(failed)} left out")
    for each in own:
        print(f"  {each['code']} {each['filename']}: {each['message']}")


def percentile(values: list[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(values, n=20)[-1]


if __name__ == "__main__":
    main()
