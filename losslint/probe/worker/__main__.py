"""`PYTHON <path of this folder>`: one request as JSON on standard input, one line of JSON per event on standard output."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path


def main() -> None:
    """Load this folder as a package under a name of its own, so that its modules cannot be taken for the user's."""
    folder = Path(__file__).resolve().parent
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != folder]
    # Compiled functions hide their lines and their Python source; read by torch when it is imported.
    os.environ["PYTORCH_JIT"] = "0"
    spec = importlib.util.spec_from_file_location("losslint_worker", folder / "__init__.py")
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["losslint_worker"] = package
    spec.loader.exec_module(package)
    importlib.import_module("losslint_worker.server").serve()


if __name__ == "__main__":
    main()
