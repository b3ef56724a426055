"""The command line. The only module that prints or exits."""

from __future__ import annotations

import contextlib
import difflib
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from losslint import __version__, registry
from losslint.diagnostic import Diagnostic, Severity
from losslint.files import DEFAULT_EXCLUDES, NoSuchPath, find_files
from losslint.repair import Repair, repair
from losslint.runner import Checked, Report, Request, check_each, report
from losslint.settings import BadSettings, Settings, find_settings, read_settings

if TYPE_CHECKING:
    from losslint.measurements import Measurements
    from losslint.probe.session import Choices

FORMATS = ("full", "concise", "json", "github", "sarif")
FAIL_ON = ("info", "warning", "error", "never")
DEVICES = ("pretend", "cuda", "cpu")


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


def _run_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of everything that runs losses."""
    folder = click.Path(path_type=Path, file_okay=False)
    options = (
        click.option("--python", metavar="PATH", help="Python or environment to run in (default the project's .venv)."),
        click.option("--device", type=click.Choice(DEVICES), default="pretend", help="Default a pretend GPU."),
        click.option("--reproducers", type=folder, metavar="DIR", help="Write a script for each finding of a run."),
        click.option("--timeout", type=click.FloatRange(min=1), metavar="SECONDS", help="For one loss (default 30)."),
        click.option("--jobs", "-j", type=click.IntRange(min=1), help="Losses to run at a time (default 1 a core)."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@cli.command(name="check")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--select", multiple=True, metavar="CODES", help="Rules to run: codes, prefixes (LL2), names or ALL.")
@click.option("--ignore", multiple=True, metavar="CODES", help="Rules not to run.")
@click.option("--extend-select", multiple=True, metavar="CODES", help="Rules to run besides the selected ones.")
@click.option(
    "--trust", multiple=True, metavar="CODES", help="Rules that warn though they are often wrong on unread code."
)
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
@click.option("--probe", is_flag=True, help="Also run the losses, and say which findings a run confirms.")
@_run_options
def check(paths: tuple[Path, ...], **options: Any) -> None:
    """Lint the losses in files and folders (default: the current folder)."""
    try:
        settings, root = _settings(paths, options)
        request = _request(paths, settings, root, options)
    except (BadSettings, registry.UnknownRule, registry.BrokenPack) as error:
        fail(str(error))
    except NoSuchPath as error:
        fail(f"{error}: there is no such file or folder")
    if request.stdin is not None and options["probe"]:
        fail("--probe runs files, and `-` is none: give it a path")
    if request.stdin is not None and (options["fix"] or options["diff"]):
        _fix_stdin(request, options)
    repaired = _run_repair(request, options) if options["fix"] or options["diff"] else None
    if repaired is not None and options["diff"]:
        _write(repaired.diff, options)
        _complain(repaired)
        click.echo(f"Would fix {repaired.fixed} finding{'s' * (repaired.fixed != 1)}.", err=True)
        sys.exit(1 if repaired.fixed and not options["exit_zero"] else 0)
    found = repaired.report if repaired is not None else _collect(request, options)
    if options["probe"]:
        found = _with_runs(found, request, options)
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


def _selected(settings: Settings, options: dict[str, Any]) -> tuple[str, ...]:
    chosen = _split(options["select"]) or settings.select
    ignored = [*_split(options["ignore"]), *(settings.ignore if not options["select"] else ())]
    added = [*_split(options["extend_select"]), *settings.extend_select]
    for codes in settings.per_file_ignores.values():
        for code in codes:
            registry.matching(code)
    return registry.select(chosen, ignored, added, options["preview"] or settings.preview)


def _request(paths: tuple[Path, ...], settings: Settings, root: Path, options: dict[str, Any]) -> Request:
    selected = _selected(settings, options)
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
    trusted = frozenset().union(*map(registry.matching, (*settings.trust, *_split(options["trust"]))))
    return Request(files, settings, selected, root, stdin, trusted)


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
    return _status(found.diagnostics, settings, options)


def _status(diagnostics: tuple[Diagnostic, ...], settings: Settings, options: dict[str, Any]) -> int:
    threshold = options["fail_on"] or settings.fail_on
    if options["exit_zero"] or threshold == "never":
        return 0
    bar = Severity(threshold)
    return int(any(each.severity.rank >= bar.rank for each in diagnostics))


def _with_runs(found: Report, request: Request, options: dict[str, Any]) -> Report:
    from losslint.probe.sandbox import NoWorker
    from losslint.probe.session import check_with_runs

    try:
        with_runs = check_with_runs(found, request, _choices(options), _progress(options))
    except NoWorker as error:
        fail(str(error))
    finally:
        _end_progress(options)
    _write_reproducers(with_runs.diagnostics, options)
    return with_runs


@cli.command(name="probe")
@click.argument("targets", nargs=-1)
@click.option("--select", multiple=True, metavar="CODES", help="Rules to ask: codes, prefixes (LL2), names or ALL.")
@click.option("--ignore", multiple=True, metavar="CODES", help="Rules not to ask.")
@click.option("--extend-select", multiple=True, metavar="CODES", help="Rules to ask besides the selected ones.")
@click.option("--preview", is_flag=True, help="Ask preview rules too.")
@click.option(
    "--output-format", type=click.Choice(["text", "json"]), default="text", help="How to report (default text)."
)
@click.option(
    "--output-file", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write the report to a file."
)
@click.option("--fail-on", type=click.Choice(FAIL_ON), help="Exit with 1 from this severity on (default warning).")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever is found.")
@click.option("--config", type=click.Path(path_type=Path), help="A losslint.toml or pyproject.toml to use.")
@click.option("--isolated", is_flag=True, help="Ignore all configuration files.")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Default auto.")
@_run_options
def probe(targets: tuple[str, ...], **options: Any) -> None:
    """Run losses on dummy inputs and show what goes wrong.

    TARGETS are files, folders, `package.module` or `package.module:Name` (default: the current folder).
    """
    from losslint.files import NoSuchPath
    from losslint.probe.sandbox import NoWorker
    from losslint.probe.session import probe as run_probe
    from losslint.probe.targets import BadTarget
    from losslint.reporters import probe_json, probe_text

    try:
        paths = tuple(path for each in targets if (path := Path(each.partition(":")[0])).exists())
        settings, root = _settings(paths, {**options, "stdin_filename": None})
        selected = _selected(settings, options)
        found, _ = run_probe(targets, Request((), settings, selected, root), _choices(options), _progress(options))
    except (BadSettings, registry.UnknownRule, registry.BrokenPack, NoWorker, BadTarget) as error:
        fail(str(error))
    except NoSuchPath as error:
        fail(f"{error}: there is no such file, folder or module")
    finally:
        _end_progress(options)
    _write_reproducers(found.diagnostics, options)
    is_json = options["output_format"] == "json"
    _write(probe_json.render(found) if is_json else probe_text.render(found, _wants_color(options)), options)
    sys.exit(130 if found.interrupted else _status(found.diagnostics, settings, options))


def _choices(options: dict[str, Any]) -> Choices:
    from losslint.probe.session import Choices

    return Choices(options["python"], options["device"], options["timeout"], options["jobs"])


def _progress(options: dict[str, Any]) -> Callable[[Measurements, int], None]:
    """Says on a terminal which loss is done."""
    if options["quiet"] or not sys.stderr.isatty():
        return lambda measurements, count: None
    return lambda measurements, count: click.echo(
        f"\r\033[K{count} run: {measurements.target[:60]}", nl=False, err=True
    )


def _end_progress(options: dict[str, Any]) -> None:
    if not options["quiet"] and sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)


def _write_reproducers(diagnostics: tuple[Diagnostic, ...], options: dict[str, Any]) -> None:
    from losslint.probe.session import write_reproducers

    if options["reproducers"] is None:
        return
    try:
        written = write_reproducers(diagnostics, options["reproducers"])
    except OSError as error:
        fail(f"{options['reproducers']}: cannot be written: {error.strerror}")
    click.echo(f"{len(written)} script{'s' * (len(written) != 1)} in {options['reproducers']}.", err=True)


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
