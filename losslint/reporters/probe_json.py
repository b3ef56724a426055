"""`losslint probe --output-format json`: a list with one object a loss, as docs/contract.md has it."""

from __future__ import annotations

from typing import Any

from losslint.measurements import Measurements
from losslint.probe.report import Probed, ProbeReport
from losslint.reporters.json_format import item
from losslint.reporters.json_text import json_text


def render(report: ProbeReport) -> str:
    """The losses as JSON, indented by two."""
    return json_text([_loss(each) for each in report.losses])


def _loss(probed: Probed) -> dict[str, Any]:
    m = probed.measurements
    return {
        "target": m.target,
        "symbol": m.symbol,
        "filename": m.filename,
        "line": m.line,
        "status": m.status,
        "reason": m.reason or None,
        "advice": m.advice or None,
        "finite": m.finite,
        "has_gradient": m.has_gradient,
        "inputs": [
            {
                "name": each.name,
                "shape": list(each.shape) if each.shape is not None else None,
                "dtype": each.dtype,
                "kind": each.kind,
            }
            for each in m.inputs
        ],
        "input_source": m.input_source,
        "input_confidence": m.input_confidence,
        "construction": m.construction.text if m.construction is not None else None,
        "tracer": m.trace.tracer or None if m.trace is not None else None,
        "trace_stopped_at": _stopped_at(m),
        "gradient_check": m.gradient_check.status if m.gradient_check is not None else None,
        "device_check": m.device.status if m.device is not None else None,
        "terms": _terms(m),
        "stood_in": list(m.stood_in),
        "findings": [item(each) for each in probed.diagnostics],
        "seconds": m.seconds,
    }


def _stopped_at(m: Measurements) -> dict[str, Any] | None:
    stopped = m.trace.stopped_at if m.trace is not None else None
    return {key: stopped.get(key) for key in ("filename", "line", "reason")} if stopped else None


def _terms(m: Measurements) -> list[dict[str, Any]]:
    return [
        {"name": each.name, "value": each.value, "gradient_share": each.gradient_share}
        for each in (m.terms.terms if m.terms is not None else ())
    ]
