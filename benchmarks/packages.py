"""The published packages the benchmarks read: downloaded once with pip, unpacked, never committed, never imported."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
STORE = HERE / ".packages"
FIRST = {
    "kornia": "0.9.0",
    "segmentation-models-pytorch": "0.6.0",
    "pytorch-metric-learning": "2.9.0",
    "pytorch-toolbelt": "0.8.0",
    "auraloss": "0.4.0",
    "lpips": "0.1.4",
    "pytorch-msssim": "1.0.0",
    "pytorch-optimizer": "4.1.0",
}
SMALL = {
    "coral-pytorch": "1.4.0",
    "label-relaxation": "0.2.1",
    "relativistic_loss": "0.3.0",
    "proxy-losses": "0.1.3",
    "online-triplet-loss": "0.0.6",
    "pytorch-focalloss": "1.2.0",
    "cbloss": "0.2.0",
    "segloss": "0.0.1",
    "topolosses": "0.2.0",
    "torch-l1-snr": "0.2.1",
    "torch-log-wmse": "1.1.0",
    "vector-quantize-pytorch": "1.32.0",
    "info-nce-pytorch": "0.1.4",
    "seesawloss": "0.1.1",
    "rmi-pytorch": "0.1.1",
}
READ_IN_FRESH_ROUNDS = {
    "mmdet": "3.3.0",
    "mmsegmentation": "1.2.2",
    "mmpose": "1.3.2",
    "lightly": "1.6.0",
    "speechbrain": "1.1.2",
    "super-gradients": "3.7.1",
    "trl": "1.16.0",
    "basicsr": "1.4.2",
    "pytorch-ood": "0.4.0",
    "lightning-bolts": "0.7.0",
    "avalanche-lib": "0.6.0",
    "pytorch-adapt": "0.0.83",
    "deepchem": "2.8.0",
}
# Every package of the fourteenth round in which something was found, right or wrong.
FOUND_IN_ROUND_14 = {
    "aniposelib-pytorch": "1.0.0",
    "contrastive-ft": "0.4.3",
    "disjrnet-pytorch": "0.1.2",
    "doraemon-torch": "0.0.10a0",
    "earthnet-models-pytorch": "0.1.1",
    "focal-ce-loss": "0.0.3",
    "gguf-gan": "0.0.1",
    "inferno-torch": "0.0.8",
    "loss-landscape": "0.0.5",
    "mammut-pytorch": "0.0.7",
    "mlflow-pytorch-exp": "0.0.1",
    "neuraltrain": "0.0.2",
    "profetorch": "0.0.2",
    "protein-domain-segmentation": "0.1.4",
    "pytorch-visualizer": "0.1.2",
    "pytorchrl": "3.2.15",
    "rctorch": "0.91",
    "sk-in-torch": "0.0.3",
    "torch-ecg": "0.0.33",
    "torch-es": "0.0.1",
    "torch-tools": "0.1.5",
    "torchblocks": "1.0.0",
    "torchblocks-chen": "1.0.1.10",
    "torchcp": "1.2.1",
    "torchcts": "0.4.1",
    "torchmodal": "0.9.0",
    "torchsense": "0.0.15",
    "torchtraining": "0.0.1",
    "unified-focal-loss-pytorch": "0.1.2",
    "vaecompare": "1.0",
}
PINNED = FIRST | SMALL | READ_IN_FRESH_ROUNDS | FOUND_IN_ROUND_14


def fetched(requirement: str, folder_of: Callable[[str], Path]) -> Path:
    """Download a package's wheel, or its source where there is no wheel, and unpack it as it is: no dependencies, no build."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-build-isolation", "-d", scratch]
        subprocess.run([*command, requirement], check=True)
        (archive,) = Path(scratch).iterdir()
        folder = folder_of(archive.name)
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(folder)
        else:
            with tarfile.open(archive) as source:
                source.extractall(folder, filter="data")
    return folder


def unpacked(name: str, version: str) -> Path:
    """The folder of a package at one version; downloads it on first use."""
    folder = STORE / f"{name.replace('-', '_')}-{version}"
    return folder if folder.exists() else fetched(f"{name}=={version}", lambda _: folder)


def newest(name: str, store: Path) -> Path:
    """The folder in `store` of a package at what was its newest version on first use."""
    known = sorted(store.glob(f"fresh-{name}-*"))
    return known[0] if known else fetched(name, lambda archive: store / f"fresh-{name}-{archive}")


def pinned() -> dict[str, Path]:
    """Every pinned package's folder by its name."""
    return {name: unpacked(name, version) for name, version in PINNED.items()}
