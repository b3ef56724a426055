"""The published packages the benchmarks read: downloaded once with pip, unpacked, never committed, never imported."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
STORE = HERE / ".packages"
PINNED = {
    "kornia": "0.9.0",
    "segmentation-models-pytorch": "0.6.0",
    "pytorch-metric-learning": "2.9.0",
    "pytorch-toolbelt": "0.8.0",
    "auraloss": "0.4.0",
    "lpips": "0.1.4",
    "pytorch-msssim": "1.0.0",
    "pytorch-optimizer": "4.1.0",
}


def unpacked(name: str, version: str) -> Path:
    """The folder of an unpacked wheel; downloads it on first use."""
    folder = STORE / f"{name.replace('-', '_')}-{version}"
    if not folder.exists():
        with tempfile.TemporaryDirectory() as scratch:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", scratch, f"{name}=={version}"]
            subprocess.run(command, check=True)
            (wheel,) = Path(scratch).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
    return folder


def pinned() -> dict[str, Path]:
    """Every pinned package's folder by its name."""
    return {name: unpacked(name, version) for name, version in PINNED.items()}
