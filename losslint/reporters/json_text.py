"""Plain data as JSON text for people and programs."""

from __future__ import annotations

import msgspec


def json_text(value: object) -> str:
    """The value as indented JSON with a line end; undecodable bytes of file names are shown as escapes."""
    try:
        encoded = msgspec.json.encode(value)
    except UnicodeEncodeError:
        encoded = msgspec.json.encode(_speakable(value))
    return msgspec.json.format(encoded, indent=2).decode() + "\n"


def _speakable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _speakable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_speakable(each) for each in value]
    return value
