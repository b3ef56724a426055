"""`python -m losslint` and the `losslint` command: the version is answered before anything is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from losslint import __version__

        print(f"losslint {__version__}")
        return
    from losslint.cli import cli

    cli(prog_name="losslint")


if __name__ == "__main__":
    main()
