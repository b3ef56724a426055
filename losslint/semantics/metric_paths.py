"""Folders and files of metrics: what is in them is looked at, not minimised, whatever it is called."""

from __future__ import annotations

from pathlib import Path

_METRIC_WORDS = ("metric", "evaluation", "evaluate", "evaluators", "eval")


def is_in_metrics(path: Path) -> bool:
    """Whether one of the folders around a file holds metrics: metrics, torchmetrics; not pytorch_metric_learning."""
    return any(_holds_metrics(folder) for folder in path.parts[-5:-1])


def is_about_metrics(path: Path) -> bool:
    """Whether a file is in such a folder or called so itself; utils/metrics.py often defines a dice_loss too."""
    return is_in_metrics(path) or _holds_metrics(path.stem)


def _holds_metrics(name: str) -> bool:
    return name.lower().endswith("metrics") or name.lower() in _METRIC_WORDS
