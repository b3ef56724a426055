"""The rules' own pages, for `losslint rule`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from losslint.packs import RuleInfo
from losslint.reporters.json_text import json_text

FORMATS = ("text", "json")


def render_rule(info: RuleInfo, format: str = "text") -> str:
    """One rule with its whole page: Markdown as `text`, or a `json` object."""
    if format == "json":
        return json_text(_fields(info))
    about = ", ".join(_about(info))
    return f"{info.code} {info.name}\n{about}\n\n# {info.title}\n\n{info.page}\n"


def render_rules(infos: Iterable[RuleInfo], format: str = "text") -> str:
    """All the rules given: one line each as `text`, or a `json` list of what `render_rule` gives."""
    listed = list(infos)
    if format == "json":
        return json_text([_fields(info) for info in listed])
    width = max((len(info.name) for info in listed), default=0)
    return "".join(f"{_line(info, width)}\n" for info in listed)


def _line(info: RuleInfo, width: int) -> str:
    severity, *more = _about(info)
    remark = f" ({', '.join(more)})" if more else ""
    return f"{info.code}  {info.name:{width}}  {severity:7}  {info.title}{remark}"


def _about(info: RuleInfo) -> list[str]:
    about = [*info.severities]
    if info.preview:
        about.append("preview")
    if info.fixable:
        about.append("fixable")
    if info.pack not in ("losslint", "losslint_rules"):
        about.append(f"from {info.pack}")
    return about


def _fields(info: RuleInfo) -> dict[str, Any]:
    return {
        "code": info.code,
        "name": info.name,
        "title": info.title,
        "severity": info.shown_severity.value,
        "preview": info.preview,
        "fixable": info.fixable,
        "pack": info.pack,
        "url": info.url,
        "page": info.page,
    }
