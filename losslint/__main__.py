"""`python -m losslint` and the `losslint` command: the version is answered before anything is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from losslint import __version__

        print(f"losslint {__version__}")
        return
    import gc

    from losslint.cli import cli

    gc.set_threshold(20_000, 50, 100)  # syntax trees are many small objects that all stay: a quarter of the time
    cli(prog_name="losslint")


if __name__ == "__main__":
    main()
