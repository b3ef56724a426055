"""[tool.losslint] of the nearest pyproject.toml, or losslint.toml: read once, checked, frozen."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class ProbeExample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one loss is run: `inputs` is the text of its arguments, `construct` an expression that makes it."""

    inputs: str
    construct: str = ""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """What a project asks for. `root` is the folder of the file, or None without one.

    `select`: rules to run (default all but preview). `per-file-ignores`: gitignore pattern to codes. `exclude`:
    gitignore patterns besides the usual folders. `loss-names`: extra names of losses, `*` allowed. `trust`:
    rules that warn though they are right in fewer than 85 % of cases. `fail-on`: the
    severity from which a run fails, default warning. `probe`: examples by "package.module:Name" or "Name".
    """

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    per_file_ignores: dict[str, tuple[str, ...]] = {}
    exclude: tuple[str, ...] = ()
    extend_exclude: tuple[str, ...] = ()
    loss_names: tuple[str, ...] = ()
    trust: tuple[str, ...] = ()
    preview: bool = False
    fail_on: str = "warning"
    output_format: str = "full"
    probe: dict[str, ProbeExample] = {}


class BadSettings(Exception):
    """A setting that cannot be used: which file, which key, why, and the nearest right name."""


CHOICES = {
    "fail-on": ("info", "warning", "error", "never"),
    "output-format": ("full", "concise", "json", "github", "sarif"),
}


def find_settings(start: Path) -> tuple[Settings, Path | None]:
    """The settings that hold for a path, and the file they come from: the nearest losslint.toml or pyproject.toml with a
    [tool.losslint] table in its folder or above. Raises BadSettings."""
    folder = start if start.is_dir() else start.parent
    for above in (folder.resolve(), *folder.resolve().parents):
        for name in ("losslint.toml", "pyproject.toml"):
            path = above / name
            if path.is_file():
                table = _table(path)
                if table is not None:
                    return _convert(table, path), path
    return Settings(), None


def read_settings(path: Path) -> Settings:
    """The settings of a named file. Raises BadSettings."""
    if not path.is_file():
        raise BadSettings(f"{path}: there is no such file (--config)")
    return _convert(_table(path) or {}, path)


def _table(path: Path) -> Mapping[str, Any] | None:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path}: is no valid TOML: {error}") from error
    except OSError as error:
        raise BadSettings(f"{path}: cannot be read: {error.strerror}") from error
    if path.name != "pyproject.toml" and "tool" not in data:
        return data
    tool = data.get("tool", {})
    table = tool.get("losslint") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise BadSettings(f"{path}: tool.losslint must be a table")
    return table


def _convert(table: Mapping[str, Any], path: Path) -> Settings:
    prefix = "tool.losslint." if path.name == "pyproject.toml" else ""
    try:
        settings = msgspec.convert(dict(table), Settings)
    except msgspec.ValidationError as error:
        raise BadSettings(f"{path}: {_explained(str(error), prefix)}") from error
    for key, allowed in CHOICES.items():
        value = getattr(settings, key.replace("-", "_"))
        if value not in allowed:
            raise BadSettings(
                f"{path}: {prefix}{key} = {value!r} is not one of {', '.join(allowed)}{nearest(value, allowed)}"
            )
    return settings


def _explained(message: str, prefix: str) -> str:
    unknown = re.search(r"unknown field `([^`]+)`", message)
    if unknown is not None:
        key = unknown.group(1)
        fields = [field.encode_name for field in msgspec.structs.fields(Settings)]
        return f"{prefix}{key} is no setting of losslint{nearest(key, fields)}. Known: {', '.join(fields)}"
    where = re.search(r"(.*?) - at `\$\.?([^`]*)`", message)
    if where is not None:
        return f"{prefix}{where.group(2)}: {where.group(1)}"
    return message


def nearest(name: str, allowed: tuple[str, ...] | list[str]) -> str:
    """`; did you mean x?`, or nothing."""
    found = difflib.get_close_matches(name, allowed, n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else ""
