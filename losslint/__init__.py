"""losslint: finds the silent failures in hand-written PyTorch losses."""

__version__ = "0.1.0"
