"""Scripts that run alone and show a finding: they need the project and torch, not losslint.

A script ends with status 1 and says what is wrong while the hazard is there, and with 0 once it is mended, so it can be
kept as a test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from losslint.measurements import Input, Measurements, Outcome
from losslint.probe.script_blocks import ON_TENSORS, SAME_DEVICE, stand_ins
from losslint.rule import RunFinding, Symptom

SEED = 20


def reproducer(finding: RunFinding, m: Measurements) -> str | None:
    """The script, or None where the inputs or the construction cannot be written down."""
    body = _BODIES.get(finding.symptom)
    if body is None or m.construction is None or not m.construction.call or not all(each.text for each in m.inputs):
        return None
    title = " ".join(finding.message.split()).replace("\\", "/").replace('"""', "'''")
    lines = [
        f'"""{finding.rule.code} {finding.rule.name} in {m.target}: {title}"""',
        "",
        *_imports(m),
        *(ON_TENSORS if any(_is_nested(each) for each in m.inputs) else ()),
        "",
        f"torch.manual_seed({SEED})",
        *(f"{_variable(each.name)} = {each.text}" for each in m.inputs),
        *_changes(finding.outcome, m),
        *body(finding, m),
    ]
    return "\n".join(lines) + "\n"


_OWN_NAMES = frozenset(
    (
        "F analytic device direction down error gradients importlib is_finite leaf leaves loss module name nn numeric "
        "on_tensors step sys torch up value value_of"
    ).split()
)


def _variable(name: str) -> str:
    """What an argument is called in the script: by its own name, unless the script needs that itself."""
    return f"{name}_" if name in _OWN_NAMES else name


def _is_nested(each: Input) -> bool:
    """Whether an argument is a list, tuple or dict of tensors."""
    return each.shape is not None and each.text.startswith(("[", "{", "(torch.tensor", "__import__"))


def _changed(each: Input, change: str) -> str:
    """The line that changes an argument, or the tensors in it; `change` has "{0}" for the tensor."""
    name = _variable(each.name)
    if _is_nested(each):
        return f"{name} = on_tensors(lambda part: {change.format('part')}, {name})"
    return f"{name} = {change.format(name)}"


def _imports(m: Measurements) -> Iterator[str]:
    yield "import importlib"
    yield "import sys"
    yield ""
    yield "import torch"
    yield "import torch.nn.functional as F"
    yield "from torch import nn"
    yield from stand_ins(m.stood_in) if m.stood_in else ()
    yield ""
    yield f"sys.path.insert(0, {str(_search_path(m))!r})"
    yield f"module = importlib.import_module({m.module!r})"
    # Constructions and settings speak in the names of the module itself.
    yield "globals().update({name: value for name, value in vars(module).items() if not name.startswith('__')})"


def _search_path(m: Measurements) -> Path:
    """The folder from which the module is imported."""
    path = Path(m.filename).resolve()
    depth = m.module.count(".") + (path.name == "__init__.py")
    return path.parents[depth]


def _changes(outcome: Outcome | None, m: Measurements) -> Iterator[str]:
    if outcome is None:
        return
    if outcome.change:
        for name in map(_variable, outcome.argument.split(",")):
            yield f"{name} = {outcome.change.format(name)}"
    variables = {each.name: _variable(each.name) for each in m.inputs}
    for argument, text in outcome.texts.items():
        yield f"{_variable(argument)} = {text.format(_variable(argument), **variables)}"
    if outcome.name in ("float16", "bfloat16"):
        for each in m.inputs:
            if each.shape is not None and each.dtype.startswith("float"):
                yield _changed(each, f"{{0}}.to(torch.{outcome.name}) if {{0}}.is_floating_point() else {{0}}")


def _leaves(m: Measurements) -> Iterator[str]:
    for each in m.inputs:
        if each.differentiable:
            floats = "{0}.is_floating_point()" if _is_nested(each) else ""
            yield _changed(each, f"{{0}}.detach().requires_grad_({floats})")


def _arguments(m: Measurements) -> str:
    return ", ".join((f"{each.name}=" if each.by_name else "") + _variable(each.name) for each in m.inputs)


def _call(m: Measurements) -> str:
    return f"{_callable(m)}({_arguments(m)})"


def _callable(m: Measurements) -> str:
    assert m.construction is not None
    return m.construction.call


def _run(m: Measurements) -> Iterator[str]:
    yield from _leaves(m)
    yield f"torch.manual_seed({SEED})"
    yield f"loss = {_callable(m)}"
    yield f"torch.manual_seed({SEED})"
    yield f"value = loss({_arguments(m)})"
    yield "while isinstance(value, (tuple, list, dict)):"
    yield "    value = value.get('loss', next(iter(value.values()))) if isinstance(value, dict) else value[0]"
    yield 'print("value:", value)'


def _of_value(finding: RunFinding, m: Measurements) -> Iterator[str]:
    yield from _run(m)
    yield 'sys.exit("the value is not finite" if not torch.isfinite(value).all() else 0)'


def _gradients(m: Measurements) -> Iterator[str]:
    yield "value.sum().backward()"
    yield f"leaves = [{', '.join(_variable(each.name) for each in m.inputs if each.differentiable and not _is_nested(each))}]"
    for each in m.inputs:
        if each.differentiable and _is_nested(each):
            yield f"on_tensors(leaves.append, {_variable(each.name)})"
    yield "leaves += list(loss.parameters()) if isinstance(loss, nn.Module) else []"
    yield "gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]"
    yield 'print("gradients:", gradients)'


def _of_gradient(finding: RunFinding, m: Measurements) -> Iterator[str]:
    yield from _run(m)
    yield from _gradients(m)
    yield "is_finite = all(torch.isfinite(each).all() for each in gradients)"
    yield 'sys.exit(0 if is_finite else "the gradient is not finite")'


def _of_cut(finding: RunFinding, m: Measurements) -> Iterator[str]:
    yield from _run(m)
    yield "if not isinstance(value, torch.Tensor):"
    yield '    sys.exit("the value is a Python number: nothing can be differentiated")'
    yield "if not value.requires_grad:"
    yield '    sys.exit("no graph leads from the value to its inputs: backward() cannot be called")'
    yield from _gradients(m)
    yield 'sys.exit(0 if any(each.abs().sum() > 0 for each in gradients) else "no gradient reaches any input")'


def _of_wrong_gradient(finding: RunFinding, m: Measurements) -> Iterator[str]:
    doubles = [each for each in m.inputs if each.shape is not None and each.dtype.startswith("float")]
    yield from (_changed(each, "{0}.double() if {0}.is_floating_point() else {0}") for each in doubles)
    yield from _leaves(m)
    yield f"torch.manual_seed({SEED})"
    yield f"loss = {_callable(m)}"
    yield "loss = loss.double() if isinstance(loss, nn.Module) else loss"
    yield "def value_of(**changed):"
    yield f"    torch.manual_seed({SEED})"
    given = ", ".join(
        f"{each.name + '=' if each.by_name else ''}changed.get({each.name!r}, {_variable(each.name)})"
        for each in m.inputs
    )
    yield f"    return loss({given}).sum()"
    yield "value_of().backward()"
    names = ", ".join(
        f"{each.name!r}: {_variable(each.name)}" for each in m.inputs if each.differentiable and not _is_nested(each)
    )
    yield f"for name, leaf in {{{names}}}.items():"
    yield "    direction = torch.randn_like(leaf)"
    yield "    analytic = float((leaf.grad * direction).sum()) if leaf.grad is not None else 0.0"
    yield "    step = 1e-6"
    yield "    with torch.no_grad():"
    yield "        up, down = value_of(**{name: leaf + step * direction}), value_of(**{name: leaf - step * direction})"
    yield "    numeric = float(up - down) / (2 * step)"
    yield '    print(f"{name}: {analytic:.8g} by backward, {numeric:.8g} by finite differences")'
    yield "    if abs(analytic - numeric) > 1e-3 * max(abs(analytic), abs(numeric), 1e-8):"
    yield '        sys.exit("the gradient is not the derivative of the value")'


def _of_mutation(finding: RunFinding, m: Measurements) -> Iterator[str]:
    names = [_variable(name) for name in finding.names]
    yield from (f"{name}_before = {name}.clone()" for name in names)
    yield f"torch.manual_seed({SEED})"
    yield _call(m)
    unchanged = " and ".join(f"torch.equal({name}, {name}_before)" for name in names)
    yield f'sys.exit(0 if {unchanged} else "the call changed its arguments")'


def _of_second_step(finding: RunFinding, m: Measurements) -> Iterator[str]:
    yield from _leaves(m)
    yield f"torch.manual_seed({SEED})"
    yield f"loss = {_callable(m)}"
    yield "for step in (1, 2):"
    yield f"    value = loss({_arguments(m)})"
    yield '    print("step", step, "value", value)'
    yield "    value.sum().backward()"


def _of_device(finding: RunFinding, m: Measurements) -> Iterator[str]:
    yield from SAME_DEVICE
    yield ""
    yield ""
    yield 'device = "cuda" if torch.cuda.is_available() else "meta"'
    for each in m.inputs:
        if each.shape is not None:
            yield _changed(each, "{0}.to(device)")
    yield f"torch.manual_seed({SEED})"
    yield f"loss = {_callable(m)}"
    yield "loss = loss.to(device) if isinstance(loss, nn.Module) else loss"
    yield "try:"
    yield "    with SameDevice():"
    yield f"        loss({_arguments(m)})"
    yield "except RuntimeError as error:"
    yield '    if "meta tensor" in str(error):  # they hold no numbers, and the loss reads some'
    yield '        sys.exit(f"only a GPU can show it: {error}")'
    yield "    raise"


def _of_trace(finding: RunFinding, m: Measurements) -> Iterator[str]:
    yield f"loss = {_callable(m)}"
    fixed = ", ".join(f"{each.name!r}: {_variable(each.name)}" for each in m.inputs if each.shape is None)
    yield f"torch.fx.symbolic_trace(loss, concrete_args={{{fixed}}})"


def _of_result(finding: RunFinding, m: Measurements) -> Iterator[str]:
    yield from _run(m)
    yield 'sys.exit(f"the value is no scalar: {tuple(value.shape)}" if value.numel() != 1 else 0)'


_BODIES = {
    Symptom.VALUE: _of_value,
    Symptom.GRADIENT: _of_gradient,
    Symptom.NO_GRADIENT: _of_cut,
    Symptom.DEAD_GRADIENT: _of_cut,
    Symptom.WRONG_GRADIENT: _of_wrong_gradient,
    Symptom.MUTATION: _of_mutation,
    Symptom.SECOND_STEP: _of_second_step,
    Symptom.DEVICE: _of_device,
    Symptom.NOT_TRACED: _of_trace,
    Symptom.NOT_SCALAR: _of_result,
}
