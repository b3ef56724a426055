"""Runs the input of every verdict that has a script, against the packages' own source; needs torch.

`python benchmarks/precision/evidence.py` prints what each script saw. Exits 1 if a script saw nothing of what its verdict says,
or if an error that was judged true has no script.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path

import tomllib
import torch

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]


def main() -> int:
    """Print what is seen."""
    warnings.simplefilter("ignore")
    for module in sorted((HERE / "shown").glob("*.py")):
        if module.stem != "__init__":
            importlib.import_module(f"shown.{module.stem}")
    from shown.loading import SHOWN

    verdicts = {each["fingerprint"]: each for each in tomllib.loads((HERE / "verdicts.toml").read_text())["verdict"]}
    failed = False
    for script in dict.fromkeys(SHOWN[each] for each in SHOWN if each in verdicts):
        torch.manual_seed(0)
        try:
            print(script())
        except Exception as problem:
            failed = True
            print(f"NOT SHOWN {script.__module__}.{script.__name__}: {problem!r}")
    for key in SHOWN.keys() - verdicts.keys():
        print(f"shown, but without a verdict: {key} ({SHOWN[key].__name__})")
    for key, verdict in verdicts.items():
        if verdict["verdict"] == "true" and verdict["severity"] == "error" and key not in SHOWN:
            failed = True
            print(f"an error without a script: {key} {verdict['where']}")
    true = [key for key, verdict in verdicts.items() if verdict["verdict"] == "true"]
    print(f"{sum(key in SHOWN for key in true)} of {len(true)} true findings shown")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
