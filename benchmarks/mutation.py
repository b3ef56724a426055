"""What share of hazards is found that are planted in sound losses, one at a time.

`python benchmarks/mutation.py` takes fixtures/losses and benchmarks/mutation/sound, plants every hazard of the families in
benchmarks/mutation at every place that has its pattern, runs original and mutant on the same inputs, and keeps the mutants
that differ in value or gradient somewhere (a guard that is dropped must cost a finite number or a gradient). Then it prints,
by family and with a held-out third apart, in how many of them `losslint check` shows something with its witness that it does
not show in the original: warnings, errors, and what doubted rules would warn of (`--trust ALL`). The second figure counts
those that fail a run by default alone, the third infos and preview rules too, the last is the mean over mutators, each
counting once. `--pairs` plants in the mended halves of fixtures/pairs, too. `--mutators` prints every mutator, `--list-missed`
the missed mutants that may be looked at as diffs, `--held-out` the others as well. Runs are remembered in benchmarks/.mutants.
"""

from __future__ import annotations

import difflib
import importlib
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

from losslint.measurements import Measurements
from losslint.probe.targets import Target, find_targets
from losslint.settings import Settings
from mutation.behaviour import differences, is_loud
from mutation.checking import Found, added, findings
from mutation.mutants import MUTATORS, Mutant, mutants_of
from mutation.originals import Original, originals
from mutation.running import Job, Runner, example_of

FAMILIES = ("numerics", "gradients", "reduction", "devices", "slips", "usage", "shapes")
for family in FAMILIES:
    importlib.import_module(f"mutation.{family}")


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: kept, the same behaviour, raises at once, or not run."""

    mutant: Mutant
    original: Original
    fate: str


def judged(files: list[Original], folder: Path) -> list[Verdict]:
    """Every mutant with its fate. Its file is left in the folder where it is kept."""
    runner = Runner()
    targets: dict[str, list[Target]] = {}
    for original in files:
        (folder / f"{original.name}.py").write_text(original.text)
        targets[original.name] = list(
            find_targets([str(folder / f"{original.name}.py")], Settings(), folder, (), sys.executable).targets
        )
    first = runner.run(Job(target) for each in targets.values() for target in each)
    examples = {job.target: example_of(m) for job, m in first.items()}
    usable = {target: example for target, example in examples.items() if example is not None}
    print(f"{len(files)} sound losses; with their helpers {len(examples)} are found, {len(usable)} run")
    mutants: dict[str, tuple[Mutant, Original]] = {}
    for original in files:
        for mutant in mutants_of(original.text, original.file):
            # What is planted in a helper of several losses is planted once.
            mutants.setdefault(mutant.name, (mutant, original))
    jobs: dict[Job, Job] = {}
    of_mutant: dict[str, list[Job]] = {}
    for mutant, original in mutants.values():
        path = folder / f"{mutant.name}.py"
        path.write_text(mutant.text)
        device = "pretend" if mutant.mutator.family == "devices" else "cpu"
        for target in _around(mutant, targets[original.name]):
            if target in usable:
                job = Job(replace(target, module=mutant.name, file=path.resolve()), usable[target], device)
                jobs[job] = Job(target, usable[target], device)
                of_mutant.setdefault(mutant.name, []).append(job)
    runs = runner.run([*jobs.values(), *jobs])
    verdicts = []
    for mutant, original in mutants.values():
        compared = [(runs[jobs[job]], runs[job]) for job in of_mutant.get(mutant.name, [])]
        fate = _fate(mutant, compared)
        if fate != "kept":
            (folder / f"{mutant.name}.py").unlink()
        verdicts.append(Verdict(mutant, original, fate))
    return verdicts


def _around(mutant: Mutant, targets: list[Target]) -> list[Target]:
    """The losses that a mutant changes: those around its row, or all of the file where it is in a helper of theirs."""
    around = [each for each in targets if each.line <= mutant.row <= each.end_line]
    return around or targets


def _fate(mutant: Mutant, compared: list[tuple[Measurements, Measurements]]) -> str:
    if not compared:
        return "not run"
    quiet = [(before, after) for before, after in compared if not is_loud(after)]
    if any(differences(before, after) & mutant.mutator.shows for before, after in quiet):
        return "kept"
    return "same" if quiet else "raises at once"


def print_figures(verdicts: list[Verdict], loud: Found, failing: Found, every: Found) -> None:
    """Print the recall of each family."""
    for is_held_out in (False, True):
        print("held out" if is_held_out else "open to view")
        chosen = [each for each in verdicts if each.mutant.is_held_out is is_held_out]
        for family in (*FAMILIES, "all"):
            members = [each for each in chosen if family in (each.mutant.mutator.family, "all")]
            print(f"  {family}: {_row(members, loud, failing, every)}")
        if "--mutators" in sys.argv and not is_held_out:
            for mutator in MUTATORS:
                members = [each for each in chosen if each.mutant.mutator is mutator]
                codes = Counter(code for each in members if each.fate == "kept" for code in _codes(each, loud))
                print(f"    {mutator.family}.{mutator.name}: {_row(members, loud, failing, every)} {dict(codes)}")


def _row(members: list[Verdict], loud: Found, failing: Found, every: Found) -> str:
    fates = Counter(each.fate for each in members)
    kept = [each for each in members if each.fate == "kept"]
    by_mutator: dict[str, list[bool]] = {}
    for each in kept:
        by_mutator.setdefault(each.mutant.mutator.name, []).append(bool(_codes(each, loud)))
    macro = mean(mean(found) for found in by_mutator.values()) if by_mutator else 0.0
    counts = ", ".join(f"{count} {fate}" for fate, count in sorted(fates.items()))
    return (
        f"{_share(kept, loud)}, failing a run {_share(kept, failing)}, with info and preview {_share(kept, every)}, "
        f"mean over mutators {macro:.0%} ({counts})"
    )


def _share(kept: list[Verdict], found: Found) -> str:
    count = sum(bool(_codes(each, found)) for each in kept)
    return f"{count} of {len(kept)} ({count / max(1, len(kept)):.0%})"


def _codes(verdict: Verdict, found: Found) -> set[str]:
    return added(found, verdict.mutant.name, verdict.original.name)


def print_missed(verdicts: Iterable[Verdict], loud: Found, every: Found) -> None:
    """Print what is missed and may be looked at."""
    for each in verdicts:
        if each.fate != "kept" or _codes(each, loud) or (each.mutant.is_held_out and "--held-out" not in sys.argv):
            continue
        quiet = sorted(_codes(each, every))
        print(
            f"\nmissed {each.mutant.mutator.family}.{each.mutant.mutator.name} {each.mutant.file} {each.mutant.symbol} {quiet}"
        )
        before, after = each.original.text.splitlines(), each.mutant.text.splitlines()
        for line in list(difflib.unified_diff(before, after, lineterm="", n=1))[2:]:
            print(f"  {line}")


def main() -> int:
    """Print the figures."""
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="mutants-"))
    try:
        files = originals("--pairs" in sys.argv)
        verdicts = judged(files, folder)
        ran = time.monotonic()
        loud = findings(folder, ("--trust", "ALL"))
        failing = findings(folder)
        every = findings(folder, ("--preview",), with_info=True)
        print(f"runs {ran - started:.0f} s, checks {time.monotonic() - ran:.0f} s")
        for original in files:
            for (code, symbol), count in sorted(loud.get(original.name, Counter()).items()):
                print(f"  not silent {original.file} {symbol} {code} {count}")
        print_figures(verdicts, loud, failing, every)
        if "--list-missed" in sys.argv:
            print_missed(verdicts, loud, every)
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
