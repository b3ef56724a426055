"""What `losslint probe` makes of the losses in benchmarks/losses.toml, a list that was made by hand before measuring.

`python benchmarks/probe.py` runs every listed loss in an environment of pinned requirements and prints, for each package
and over all: how many reach a finite value and a gradient (losses that are not found, cannot be imported, made or fed
count as missed), the share of each tracer, the time a loss takes, how the inputs that losslint judges agree with working
doctests it was not shown, every error, with its verdict from benchmarks/probe_verdicts.toml, and how many scripts show
what they say by themselves. Exits 1 where a figure is below its bar, an error has no verdict, or its script shows
nothing. `--store FILE` keeps the measurements as JSON lines.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median

import tomllib

from losslint import registry
from losslint.diagnostic import Diagnostic
from losslint.measurements import Measurements, to_data
from losslint.probe.judging import Judge
from losslint.probe.runs import Run, run_targets
from losslint.probe.sandbox import default_limits
from losslint.probe.targets import Target, find_targets
from losslint.settings import Settings
from packages import HERE
from probe_environment import packages_folder, python

VERDICTS = HERE / "probe_verdicts.toml"
Place = tuple[str, str]


def listed() -> tuple[dict[Place, str], dict[Place, str]]:
    """File and symbol of every loss with its package; and those left out, with the reason."""
    left_out = {
        (each["file"], each["symbol"]): each["reason"] for each in tomllib.loads(VERDICTS.read_text())["excluded"]
    }
    every = {
        (loss["file"], loss["symbol"]): package["name"]
        for package in tomllib.loads((HERE / "losses.toml").read_text())["package"]
        for loss in package["loss"]
    }
    return {place: name for place, name in every.items() if place not in left_out}, left_out


def targets_of(folder: Path) -> tuple[Target, ...]:
    """All losses that losslint finds in the packages."""
    tops = sorted({place[0].partition("/")[0] for place in listed()[0]})
    return find_targets(tops, Settings(), HERE, (), str(python())).targets


def run(targets: tuple[Target, ...], doctests: bool = True) -> dict[Place, Measurements]:
    """The measurements of targets by file and symbol."""
    folder = packages_folder()
    chosen = Run(str(python()), "pretend" if doctests else "cpu", default_limits(), {}, doctests)
    return {(Path(m.filename).relative_to(folder).as_posix(), m.symbol): m for m in run_targets(targets, chosen)}


def match(place: Place, runs: dict[Place, Measurements]) -> Measurements | None:
    """The run of a listed loss; a method stands for its class, and a class for its method."""
    file, symbol = place
    if place in runs:
        return runs[place]
    for (other_file, other), m in runs.items():
        if file == other_file and (other.startswith(f"{symbol}.") or symbol.startswith(f"{other}.")):
            return m
    return None


def agrees(judged: Measurements, shown: Measurements) -> bool:
    """Whether judged inputs have the doctest's ranks, dtype families and ranges ([0, 1] or not)."""
    mine = {each.name: each for each in judged.inputs}
    for each in shown.inputs:
        if each.shape is None:
            continue
        other = mine.get(each.name)
        if other is None or other.shape is None or len(other.shape) != len(each.shape):
            return False
        if family(other.dtype) != family(each.dtype):
            return False
        if family(each.dtype) == "float" and in_unit(each.low, each.high) != in_unit(other.low, other.high):
            return False
    return True


def family(dtype: str) -> str:
    """float, int or bool."""
    return "float" if "float" in dtype else "bool" if dtype == "bool" else "int"


def in_unit(low: float | None, high: float | None) -> bool:
    """Whether all numbers are in [0, 1]."""
    return low is not None and high is not None and low >= 0 and high <= 1


def print_reach(runs: dict[Place, Measurements]) -> float:
    """Print what each package reaches; the share over all."""
    expected, left_out = listed()
    total: Counter[str] = Counter(expected.values())
    reached: Counter[str] = Counter()
    for place, package in expected.items():
        m = match(place, runs)
        if m is not None and m.finite and m.has_gradient:
            reached[package] += 1
        else:
            status = f"{m.status}: {m.reason}" if m is not None else "not found"
            print(f"  missed {place[0]} {place[1]} ({status[:160]})")
    for place, reason in left_out.items():
        print(f"  left out {place[0]} {place[1]} ({reason})")
    for package, count in total.items():
        print(f"{package}: {reached[package]}/{count}")
    share = sum(reached.values()) / sum(total.values())
    print(f"finite value and gradient: {sum(reached.values())}/{sum(total.values())} = {share:.1%}")
    return share


def print_agreement(targets: tuple[Target, ...], runs: dict[Place, Measurements]) -> float:
    """Print how judged inputs agree with doctests; the share."""
    shown = {place: m for place, m in runs.items() if m.input_source == "doctest"}
    with_doctest = tuple(each for each in targets if any(m.target == each.name for m in shown.values()))
    judged = run(with_doctest, doctests=False)
    agreed = 0
    for place, m in shown.items():
        mine = judged.get(place)
        if mine is not None and mine.status == "ok" and agrees(mine, m):
            agreed += 1
        else:
            print(f"  disagrees {place[1]}: doctest {brief(m)}, judged {brief(mine) if mine is not None else '-'}")
    share = agreed / len(shown) if shown else 0.0
    print(f"agreement with doctests in rank, dtype family and range: {agreed}/{len(shown)} = {share:.1%}")
    return share


def brief(m: Measurements) -> str:
    """Inputs in short."""
    return ", ".join(
        f"{each.name}{each.shape} {family(each.dtype)}{' in [0, 1]' if in_unit(each.low, each.high) else ''}"
        for each in m.inputs
        if each.shape is not None
    )


def print_errors(runs: dict[Place, Measurements]) -> int:
    """Print every error and warning with its verdict; how many errors have none."""
    verdicts = {each["key"]: each for each in tomllib.loads(VERDICTS.read_text()).get("finding", [])}
    folder = packages_folder()
    judge = Judge(registry.load(registry.select()))
    found: dict[str, Diagnostic] = {}
    for m in runs.values():
        for _, diagnostic in judge.judge(m):
            if diagnostic.severity.value != "info":
                file = Path(diagnostic.filename).resolve().relative_to(folder.resolve()).as_posix()
                found.setdefault(f"{diagnostic.code} {file}:{diagnostic.place.location.row}", diagnostic)
    counts: Counter[str] = Counter()
    for key, diagnostic in sorted(found.items()):
        verdict = verdicts.get(key, {}).get("verdict", "unread")
        counts[f"{diagnostic.severity.value} {verdict}"] += 1
        print(f"  {diagnostic.severity.value} {key} [{verdict}] {diagnostic.symbol}: {diagnostic.message[:150]}")
    for key in sorted(verdicts.keys() - found.keys()):
        print(f"  gone {key}")
    print(f"findings: {dict(counts)}")
    return counts["error unread"]


def run_scripts(runs: dict[Place, Measurements]) -> int:
    """Run the script of every error and warning by itself; how many errors have none, or one that shows nothing."""
    judge = Judge(registry.load(registry.select()))
    found = [each for m in runs.values() for _, each in judge.judge(m) if each.severity.value != "info"]
    shown: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        for diagnostic in found:
            script = Path(scratch) / "shows.py"
            script.write_text(diagnostic.reproducer or "")
            done = subprocess.run([str(python()), str(script)], cwd=scratch, capture_output=True, text=True)
            good = diagnostic.reproducer is not None and done.returncode == 1 and "ModuleNotFound" not in done.stderr
            shown[f"{diagnostic.severity.value} {'shown' if good else 'not shown'}"] += 1
            if not good:
                print(
                    f"  script of {diagnostic.code} {diagnostic.symbol} ends with {done.returncode}: {done.stderr[-200:]}"
                )
    print(f"scripts run by themselves: {dict(shown)}")
    return shown["error not shown"]


def start_up() -> float:
    """Seconds that `losslint probe` takes for a file with one small loss; the median of three."""
    file = HERE.parent / "fixtures" / "losses" / "dice.py"
    command = [sys.executable, "-m", "losslint", "probe", str(file), "--python", str(python())]
    taken = []
    for _ in range(3):
        started = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.monotonic() - started)
    return median(taken)


def main() -> int:
    """Print the figures; the exit code says whether they are good enough."""
    started = time.monotonic()
    targets = targets_of(packages_folder())
    looked = time.monotonic()
    runs = run(targets)
    ended = time.monotonic()
    if "--store" in sys.argv:
        Path(sys.argv[sys.argv.index("--store") + 1]).write_text(
            "".join(json.dumps(to_data(m)) + "\n" for m in runs.values())
        )
    share = print_reach(runs)
    tracers = Counter(m.trace.tracer for m in runs.values() if m.trace is not None)
    print("tracers:", ", ".join(f"{name} {count / sum(tracers.values()):.0%}" for name, count in tracers.most_common()))
    print("input sources:", dict(Counter(m.input_source for m in runs.values() if m.input_source)))
    print("gradient checks:", dict(Counter(m.gradient_check.status for m in runs.values() if m.gradient_check)))
    print("device checks:", dict(Counter(m.device.status for m in runs.values() if m.device)))
    seconds = median(m.seconds for m in runs.values() if m.status == "ok" and m.seconds is not None)
    print(f"finding losses {looked - started:.1f} s, all runs {ended - looked:.1f} s, median {seconds:.2f} s a loss")
    startup = start_up()
    print(f"start-up, from the command to the report on one loss: {startup:.1f} s")
    agreement = print_agreement(targets, runs)
    unread = print_errors(runs)
    unshown = run_scripts(runs)
    return 0 if share >= 0.8 and agreement >= 0.65 and seconds <= 1 and startup <= 6 and not unread + unshown else 1


if __name__ == "__main__":
    sys.exit(main())
