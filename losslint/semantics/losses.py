"""Finding losses, by evidence: what a class inherits, what a name or docstring says, what `.backward()` is called on."""

from __future__ import annotations

import ast
import enum
import fnmatch
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from losslint.semantics.backward_flow import BackwardFlow, backward_flow
from losslint.semantics.loss_names import LOSS_METHODS, gets_a_value, is_about_losses, is_well_known, says_loss, words
from losslint.semantics.project import Definition, Project, top_level

Function = ast.FunctionDef | ast.AsyncFunctionDef
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MAY = re.compile(
    rb"loss|criteri|\.backward\(|training_step|ssim|infonce|info_nce|lpips|ntxent|total_?variation|elbo", re.IGNORECASE
)
_TORCH_LOSS = re.compile(r"(torch\.nn\.)?(modules\.loss\.|nn\.)?(_Loss|_WeightedLoss|\w+Loss)$")
_MODULE = re.compile(r"(^|\.)(Module|LightningModule)$")
_ENTRY_NAMES = ("forward", "__call__")
_DOCUMENTED_CLASS = re.compile(
    r"\b(loss|criterion)\b(?! (weights?|modules?|classes|names?|types?|history|values?))", re.IGNORECASE
)
_DOCUMENTED_FUNCTION = re.compile(
    r"(comput|calculat|return|implement|evaluat)\w*\s+(the\s+|an?\s+)?([\w-]+\s+){0,3}(loss|criterion)\b(?! (weight|scale|name))",
    re.IGNORECASE,
)
_NOUN_PHRASE = re.compile(r"^([\w-]+\s+){0,6}(loss|criterion)\b(\s+(for|with|between|of|on)\b.*)?\.?$", re.IGNORECASE)
_NOT_CLASSES = re.compile(r"(Config|Enum|Scheduler|Optimizer|Logger|Callback|Metric|Meter|Tracker|Factory|Registry)$")


class LossKind(enum.Enum):
    """What kind of code a loss is."""

    MODULE = "module"
    FUNCTION = "function"
    METHOD = "method"
    SCRIPT = "script"


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss: its qualified name, the functions of this file to analyse, the row it starts in, and why it is one."""

    symbol: str
    kind: LossKind
    entries: tuple[str, ...]
    row: int
    evidence: tuple[str, ...]


def might_hold_loss(data: bytes, names: Sequence[str] = ()) -> bool:
    """Whether a file is worth parsing, by its bytes: a cheap test that lets every loss through.

    `names` are extra patterns from the settings; their longest literal part has to occur.
    """
    if _MAY.search(data):
        return True
    literals = (max(re.split(r"[*?\[\]]", name), key=len) for name in names)
    return any(literal.encode() in data for literal in literals)


def find_losses(tree: ast.Module, path: Path, project: Project, names: Sequence[str] = ()) -> tuple[Loss, ...]:
    """The losses of a module in source order. `names` are extra `fnmatch` patterns of names that are losses."""
    project.remember(path, tree)
    flow = backward_flow(tree)
    finder = _Finder(path, project, names, flow)
    found = list(finder.losses(tree))
    if flow.at_module_level:
        found.append(Loss("<module>", LossKind.SCRIPT, ("<module>",), 1, ("backward() is called at module level",)))
    return tuple(sorted(found, key=lambda loss: loss.row))


class _Finder:
    def __init__(self, path: Path, project: Project, names: Sequence[str], flow: BackwardFlow) -> None:
        self._path = path
        self._project = project
        self._names = names
        self._flow = flow
        imported = {origin[0].partition(".")[0] for origin in project.names(path).imports.values() if not origin[2]}
        self._numpy_only = "numpy" in imported and not imported & {"torch", "pytorch_lightning", "lightning"}
        self._measures = any("metric" in part or "evaluat" in part for part in path.parts[-4:])

    def losses(self, tree: ast.Module) -> Iterator[Loss]:
        for node in top_level(tree.body):
            if isinstance(node, ast.ClassDef):
                yield from self._of_class(node)
            elif isinstance(node, Function):
                evidence = self._of_function(node)
                if evidence:
                    yield Loss(node.name, LossKind.FUNCTION, (node.name,), node.lineno, evidence)

    def _configured(self, name: str) -> tuple[str, ...]:
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in self._names):
            return ("named in the configuration",)
        return ()

    def _of_function(self, node: Function) -> tuple[str, ...]:
        evidence = list(self._configured(node.name))
        if evidence:
            return tuple(evidence)
        if node.name.startswith("test_") or self._numpy_only or not computes(node):
            return ()
        if says_loss(node.name) and not is_about_losses(node.name) and not self._measures:
            evidence.append(f"named {node.name}")
        if is_well_known(node.name) and not self._measures and len(node.args.args) > 0:
            evidence.append(f"{node.name} is a well-known objective")
        if node.name in self._flow.functions:
            evidence.append(self._flow.functions[node.name])
        if not evidence and not self._measures and _documented_as_loss(node) and not is_about_losses(node.name):
            evidence.append("its docstring says that it computes a loss")
        return tuple(evidence)

    def _of_class(self, node: ast.ClassDef) -> Iterator[Loss]:
        evidence = self._class_evidence(node)
        methods = [each for each in node.body if isinstance(each, Function)]
        if evidence:
            entries = tuple(f"{node.name}.{each.name}" for each in methods if self._is_entry(each))
            yield Loss(node.name, LossKind.MODULE, entries, node.lineno, evidence)
            return
        for method in methods:
            reasons = self._of_method(node, method)
            if reasons:
                symbol = f"{node.name}.{method.name}"
                yield Loss(symbol, LossKind.METHOD, (symbol,), method.lineno, reasons)

    def _class_evidence(self, node: ast.ClassDef) -> tuple[str, ...]:
        configured = self._configured(node.name)
        if configured:
            return configured
        ancestors = self._project.ancestors(self._path, node)
        names = [name for name, _ in ancestors]
        if _NOT_CLASSES.search(node.name) or any(_is_record(name) for name in names):
            return ()
        if not self._computes(node, ancestors):
            return ()
        module = any(_MODULE.search(name) for name in names)
        torch_loss = next((name for name in names if name.startswith("torch") and _TORCH_LOSS.match(name)), None)
        evidence: list[str] = []
        if says_loss(node.name) and (module or _is_callable(node) or says_loss(words(node.name)[-1])):
            evidence.append(f"named {node.name}")
        if module and is_well_known(node.name) and not self._measures:
            evidence.append(f"{node.name} is a well-known objective")
        if torch_loss is not None:
            evidence.append(f"inherits {torch_loss}")
        inherited = next((each for _, each in ancestors if each is not None and says_loss(each.qualname)), None)
        if inherited is not None:
            evidence.append(f"inherits {inherited.qualname}")
        if module and node.name in self._flow.criteria:
            evidence.append(self._flow.criteria[node.name])
        if module and not evidence and _documented_as_loss(node):
            evidence.append("an nn.Module whose docstring says that it is a loss")
        return tuple(evidence)

    def _computes(self, node: ast.ClassDef, ancestors: Sequence[tuple[str, Definition | None]]) -> bool:
        """Whether the class, or a base, does something when it is called; abstract stubs do not."""
        lineage = [
            node,
            *(each.node for _, each in ancestors if each is not None and isinstance(each.node, ast.ClassDef)),
        ]
        own = [method for each in lineage for method in each.body if isinstance(method, Function)]
        if any(self._is_entry(method) and not is_stub(method) for method in own):
            return True
        return any(name.startswith("torch") and _TORCH_LOSS.match(name) for name, _ in ancestors)

    def _is_entry(self, method: Function) -> bool:
        if method.name in _ENTRY_NAMES or method.name in LOSS_METHODS:
            return True
        return (
            says_loss(method.name)
            and not is_about_losses(method.name)
            and computes(method)
            and not _is_property(method)
        )

    def _of_method(self, owner: ast.ClassDef, method: Function) -> tuple[str, ...]:
        if _is_property(method) or is_stub(method):
            return ()
        if method.name == "training_step":
            return ("a training_step",)
        evidence: list[str] = []
        named = method.name in LOSS_METHODS or (says_loss(method.name) and not is_about_losses(method.name))
        if named and (computes(method) or stores_a_loss(method)):
            evidence.append(f"a method named {method.name}")
        if gets_a_value(method.name) and computes(method) and len(method.args.args) > 2:
            evidence.append(f"a method named {method.name} that works it out")
        if method.name.startswith("forward") and returns_its_loss(method):
            evidence.append("it computes and returns what it calls `loss`")
        qualified = f"{owner.name}.{method.name}"
        if qualified in self._flow.functions:
            evidence.append(self._flow.functions[qualified])
        return tuple(evidence)


def _is_callable(node: ast.ClassDef) -> bool:
    return any(isinstance(each, Function) and each.name in _ENTRY_NAMES for each in node.body)


def _is_record(name: str) -> bool:
    return name.rpartition(".")[2] in ("Enum", "StrEnum", "IntEnum", "NamedTuple", "TypedDict", "Protocol", "BaseModel")


def _is_property(method: Function) -> bool:
    names = [ast.unparse(decorator) for decorator in method.decorator_list]
    return any(name.rpartition(".")[2] in ("property", "cached_property", "setter", "overload") for name in names)


def is_stub(function: Function) -> bool:
    """Whether a function only raises, passes or documents."""
    return all(
        isinstance(node, (ast.Raise, ast.Pass)) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in function.body
    )


def _returns_no_tensor(function: Function) -> bool:
    annotated = function.returns
    return isinstance(annotated, ast.Name) and annotated.id in ("bool", "str", "int")


def computes(function: Function) -> bool:
    """Whether a function returns something it worked out: no stub, no builder, no plain value."""
    if is_stub(function) or _returns_no_tensor(function):
        return False
    returned = [node.value for node in own_nodes(function) if isinstance(node, ast.Return) and node.value is not None]
    return any(not _is_plain(value, function) for value in returned)


def stores_a_loss(function: Function) -> bool:
    """Whether a method without a result puts what it computes under a name that says loss."""
    return function.name.startswith(("calculate", "compute", "calc")) and any(
        isinstance(node, ast.Assign)
        and isinstance(node.value, (ast.Call, ast.BinOp))
        and "loss" in ast.unparse(node.targets[0])
        for node in own_nodes(function)
    )


def returns_its_loss(function: Function) -> bool:
    """Whether a function assigns `loss`, or `self.loss_...`, something it computes and returns it."""
    assigned = {
        ast.unparse(target)
        for node in own_nodes(function)
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Call, ast.BinOp, ast.UnaryOp))
        for target in node.targets
    }
    losses = {
        name for name in assigned if name == "loss" or name.startswith(("self.loss_", "loss_total", "total_loss"))
    }
    returned = [node.value for node in own_nodes(function) if isinstance(node, ast.Return) and node.value is not None]
    return any(
        ast.unparse(each) in losses for value in returned for each in ast.walk(value) if isinstance(each, ast.expr)
    )


def _is_plain(value: ast.expr, function: Function) -> bool:
    if isinstance(value, (ast.Constant, ast.JoinedStr, ast.Lambda)):
        return True
    if isinstance(value, ast.Name):
        parameters = {argument.arg for argument in function.args.args}
        local = {each.name for each in function.body if isinstance(each, _DEFINITIONS)}
        assigned = {
            target.id
            for node in own_nodes(function)
            if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.For))
            for target in _targets(node)
        }
        return value.id in local or (value.id in parameters and value.id not in assigned)
    if isinstance(value, ast.Call):
        name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        return name[:1].isupper() and name != name.upper()
    return isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and value.value.id == "self"


def _targets(node: ast.Assign | ast.AugAssign | ast.AnnAssign | ast.For) -> Iterator[ast.Name]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        yield from (each for each in ast.walk(target) if isinstance(each, ast.Name))


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions and classes defined in it."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            pending.extend(ast.iter_child_nodes(node))


def _documented_as_loss(node: ast.ClassDef | Function) -> bool:
    """Whether the first sentence of the docstring says that this is, or computes, a loss."""
    text = ast.get_docstring(node) or ""
    sentence = re.split(r"\.\s|\n\s*\n", text, maxsplit=1)[0]
    if isinstance(node, ast.ClassDef):
        return _DOCUMENTED_CLASS.search(sentence) is not None
    first_line = sentence.strip().partition("\n")[0]
    return _DOCUMENTED_FUNCTION.search(sentence) is not None or _NOUN_PHRASE.match(first_line) is not None
