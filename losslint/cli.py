"""The command line. The only module that prints or exits."""

from __future__ import annotations

import contextlib
import difflib
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

import click

from losslint import __version__, registry
from losslint.diagnostic import Severity
from losslint.files import DEFAULT_EXCLUDES, NoSuchPath, find_files
from losslint.repair import Repair, repair
from losslint.runner import Checked, Report, Request, check_each, report
from losslint.settings import BadSettings, Settings, find_settings, read_settings

FORMATS = ("full", "concise", "json", "github", "sarif")
FAIL_ON = ("info", "warning", "error", "never")


class Nearest(click.Group):
    """A group that knows what a mistyped command was meant to be."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f" Did you mean {close[0]!r}?" if close else f" There are: {', '.join(self.list_commands(ctx))}."
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx) from error


@click.group(cls=Nearest, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", message="losslint %(version)s")
def cli() -> None:
    """Find the silent failures in hand-written PyTorch losses, with evidence for every finding."""


def fail(message: str) -> NoReturn:
    """Say what is wrong with the call and exit with 2."""
    click.echo(f"losslint: {message}", err=True)
    sys.exit(2)


@cli.command(name="check")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--select", multiple=True, metavar="CODES", help="Rules to run: codes, prefixes (LL2), names or ALL.")
@click.option("--ignore", multiple=True, metavar="CODES", help="Rules not to run.")
@click.option("--extend-select", multiple=True, metavar="CODES", help="Rules to run besides the selected ones.")
@click.option("--fix", is_flag=True, help="Apply safe fixes.")
@click.option("--unsafe-fixes", is_flag=True, help="Let --fix and --diff apply fixes that change values or intent.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and change nothing.")
@click.option("--output-format", type=click.Choice(FORMATS), help="How to report (default full).")
@click.option(
    "--output-file", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write the report to a file."
)
@click.option("--fail-on", type=click.Choice(FAIL_ON), help="Exit with 1 from this severity on (default warning).")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever is found.")
@click.option("--statistics", is_flag=True, help="Count findings by rule instead of showing them.")
@click.option("--preview", is_flag=True, help="Run preview rules too.")
@click.option("--config", type=click.Path(path_type=Path), help="A losslint.toml or pyproject.toml to use.")
@click.option("--isolated", is_flag=True, help="Ignore all configuration files.")
@click.option("--force-exclude", is_flag=True, help="Exclude files even if they are named (for pre-commit).")
@click.option("--no-cache", is_flag=True, help="Accepted for ruff's sake; nothing is cached yet.")
@click.option("--stdin-filename", metavar="PATH", help="The name of what `-` reads.")
@click.option("--quiet", "-q", is_flag=True, help="Print findings only, no summary.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Default auto.")
def check(paths: tuple[Path, ...], **options: Any) -> None:
    """Lint the losses in files and folders (default: the current folder)."""
    try:
        settings, root = _settings(paths, options)
        request = _request(paths, settings, root, options)
    except (BadSettings, registry.UnknownRule, registry.BrokenPack) as error:
        fail(str(error))
    except NoSuchPath as error:
        fail(f"{error}: there is no such file or folder")
    if request.stdin is not None and (options["fix"] or options["diff"]):
        _fix_stdin(request, options)
    repaired = _run_repair(request, options) if options["fix"] or options["diff"] else None
    if repaired is not None and options["diff"]:
        _write(repaired.diff, options)
        _complain(repaired)
        click.echo(f"Would fix {repaired.fixed} finding{'s' * (repaired.fixed != 1)}.", err=True)
        sys.exit(1 if repaired.fixed and not options["exit_zero"] else 0)
    found = repaired.report if repaired is not None else _collect(request, options)
    _show(found, settings, options)
    if repaired is not None:
        _complain(repaired)
    sys.exit(_exit_code(found, settings, options))


def _settings(paths: tuple[Path, ...], options: dict[str, Any]) -> tuple[Settings, Path]:
    if options["isolated"]:
        return Settings(), Path.cwd()
    if options["config"] is not None:
        return read_settings(options["config"]), options["config"].resolve().parent
    start = next((path for path in paths if str(path) != "-"), Path(options["stdin_filename"] or "."))
    settings, found = find_settings(start if start.exists() else Path())
    return settings, found.parent if found is not None else Path.cwd()


def _split(values: tuple[str, ...]) -> list[str]:
    return [code.strip() for value in values for code in value.split(",") if code.strip()]


def _request(paths: tuple[Path, ...], settings: Settings, root: Path, options: dict[str, Any]) -> Request:
    chosen = _split(options["select"]) or settings.select
    ignored = [*_split(options["ignore"]), *(settings.ignore if not options["select"] else ())]
    added = [*_split(options["extend_select"]), *settings.extend_select]
    selected = registry.select(chosen, ignored, added, options["preview"] or settings.preview)
    for codes in settings.per_file_ignores.values():
        for code in codes:
            registry.matching(code)
    excluded = [*(settings.exclude or DEFAULT_EXCLUDES), *settings.extend_exclude]
    stdin = None
    if Path("-") in paths:
        if len(paths) > 1:
            fail("`-` reads one file from standard input and takes no other paths beside it")
        stdin = (options["stdin_filename"] or "-", sys.stdin.buffer.read())
    files = () if stdin is not None else find_files(paths or (Path(),), excluded, root, options["force_exclude"])
    if stdin is not None and options["force_exclude"] and options["stdin_filename"]:
        name = Path(options["stdin_filename"])
        if name.exists() and not find_files((name,), excluded, root, True):
            stdin = (stdin[0], b"")
    return Request(files, settings, selected, root, stdin)


def _collect(request: Request, options: dict[str, Any]) -> Report:
    """Check the files; what was found before an interruption is kept and shown."""
    outcomes: list[Checked] = []
    try:
        outcomes.extend(check_each(request))
    except KeyboardInterrupt:
        _show(report(outcomes), request.settings, options)
        click.echo(f"losslint: interrupted after {len(outcomes)} of {len(request.files)} files", err=True)
        sys.exit(130)
    except registry.BrokenPack as error:
        fail(str(error))
    return report(outcomes)


def _run_repair(request: Request, options: dict[str, Any]) -> Repair:
    try:
        return repair(request, options["unsafe_fixes"], write=not options["diff"])
    except registry.BrokenPack as error:
        fail(str(error))


def _fix_stdin(request: Request, options: dict[str, Any]) -> NoReturn:
    """Filter: the mended text, or the diff, goes to standard output."""
    repaired = _run_repair(request, options)
    _write(repaired.diff if options["diff"] else repaired.text, options)
    _complain(repaired)
    sys.exit(_exit_code(repaired.report, request.settings, options))


def _complain(repaired: Repair) -> None:
    for complaint in repaired.complaints:
        click.echo(f"losslint: {complaint}", err=True)


def _show(found: Report, settings: Settings, options: dict[str, Any]) -> None:
    from losslint import reporters

    chosen = options["output_format"] or settings.output_format
    if options["statistics"]:
        _write(_statistics(found), options)
        return
    text = reporters.render(chosen, found, color=_wants_color(options))
    _write(text, options)
    if not found.losses and not found.diagnostics and not options["quiet"]:
        click.echo(f"No losses found in {found.files} file{'s' * (found.files != 1)}.", err=True)


def _statistics(found: Report) -> str:
    counted = Counter((each.code, each.name) for each in found.diagnostics)
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return "".join(f"{count:6} {code} {name}\n" for (code, name), count in ordered)


def _wants_color(options: dict[str, Any]) -> bool:
    if options["output_file"] is not None or options["color"] == "never":
        return False
    if options["color"] == "always":
        return True
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _write(text: str, options: dict[str, Any]) -> None:
    """Print a report or put it into a file; a terminal that cannot say a character gets its escape."""
    if options["output_file"] is not None:
        try:
            options["output_file"].write_text(text, "utf-8")
        except OSError as error:
            fail(f"{options['output_file']}: cannot be written: {error.strerror}")
        return
    if not text:
        return
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace", newline="\n")
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _exit_code(found: Report, settings: Settings, options: dict[str, Any]) -> int:
    threshold = options["fail_on"] or settings.fail_on
    if options["exit_zero"] or threshold == "never":
        return 0
    bar = Severity(threshold)
    return int(any(each.severity.rank >= bar.rank for each in found.diagnostics))


@cli.command(name="rule")
@click.argument("code", required=False)
@click.option("--all", "every", is_flag=True, help="All rules.")
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", help="Default text.")
def rule(code: str | None, every: bool, output_format: str) -> None:
    """Explain a rule by its code or name, or list all rules."""
    from losslint.reporters import pages

    try:
        if code is not None and not every:
            click.echo(pages.render_rule(registry.find(code), output_format))
        else:
            click.echo(pages.render_rules(registry.index().values(), output_format))
    except (registry.UnknownRule, registry.BrokenPack) as error:
        fail(str(error))
