"""Why a function may take an argument that it does not use: somebody else has laid down its signature."""

from __future__ import annotations

import ast
import re

import libcst as cst

from losslint.semantics.graph import Graph
from losslint.semantics.liveness import liveness
from losslint.semantics.names import Function
from losslint_rules.usage.attribute_use import texts_elsewhere, without_imports
from losslint_rules.usage.torch_bases import reads_nothing

_COMMENT = re.compile(r"unused|not used|noqa: *ARG|ignored|compat", re.IGNORECASE)
MANY = 2


def overrides(graph: Graph, name: str, parameter: str) -> bool:
    """Whether a base has the method with this parameter, or is unknown; or a class of the file overrides it in turn."""
    owner, _, method = name.rpartition(".")
    if not reads_nothing(graph):
        return True
    for base in graph.lineage:
        function = base.unit.functions.get(f"{base.name}.{method}")
        if base.name != owner and function is not None and _takes(function, parameter):
            return True
    heirs = re.compile(rf"class \w+\([^)]*\b{re.escape(owner)}\b")
    return any(heirs.search(text) for text in _texts(graph) if owner in text)


def is_handed_on(graph: Graph, name: str) -> bool:
    """Whether a function is kept in a table or given to somebody who calls it: `LOSSES = {"dice": dice_loss}`."""
    value = re.compile(rf"(?<![\w.\"'])(?:\w+\.)*{re.escape(name)}\b(?!\s*[\(\"'.])")
    return any(value.search(without_imports(text)) for text in _texts(graph) if name in text)


def is_kept_under_another_name(graph: Graph, method: str) -> bool:
    """Whether a method is one of several that are called by one name: `self.residual_loss = self._adaptive_loss`."""
    kept = re.compile(rf"\bself\.\w+\s*=[^=\n]*\bself\.{re.escape(method)}\b(?!\s*\()")
    return any(kept.search(text) for text in _texts(graph) if method in text)


def is_left_alone(graph: Graph, owner: str, option: str) -> bool:
    """Whether a class is made in its own file alone, and never with the option: no other file of the project speaks of it, but
    one that has its own."""
    texts = texts_elsewhere(graph)
    made = _calls(graph.unit.text, owner) if f"{owner}(" in graph.unit.text else []
    if texts is None or not made or any(_may_pass(call, option) for call in made):
        return False
    own = re.compile(rf"^class {re.escape(owner)}\b", re.MULTILINE)
    word = re.compile(rf"\b{re.escape(owner)}\b")
    return not any(word.search(text) for text in texts if owner in text and not own.search(text))


def _calls(text: str, name: str) -> list[ast.Call]:
    every = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return [each for each in every if isinstance(each.func, ast.Name) and each.func.id == name]


def _may_pass(call: ast.Call, option: str) -> bool:
    return bool(call.args) or any(each.arg in (None, option) for each in call.keywords)


def others_that_take(graph: Graph, name: str, parameter: str) -> int:
    """How many functions beside this one take the parameter: methods of the name in the folder, or functions of the file."""
    owner, _, last = name.rpartition(".")
    if not owner:
        own = [each for each in graph.unit.functions if "." not in each and each != name]
        return sum(_takes(graph.unit.functions[each], parameter) for each in own)
    signature = re.compile(rf"def {last}\((?:[^()]|\([^()]*\))*?\b{parameter}\b")
    folder = graph.unit.path.absolute().parent
    beside = [text for path, text in (graph.elsewhere() or {}).items() if path.parent == folder]
    return sum(len(signature.findall(text)) for text in (graph.unit.text, *beside) if f"def {last}(" in text) - 1


def is_left_unread_beside(graph: Graph, name: str, parameter: str) -> bool:
    """Whether a method of the name in another class of the file takes the parameter and does not read it either."""
    owner, _, method = name.rpartition(".")
    beside = (graph.unit.functions.get(f"{each}.{method}") for each in graph.unit.classes if each != owner)
    return any(
        function is not None
        and _takes(function, parameter)
        and not liveness(function).fate_of_parameter(parameter).read
        for function in beside
    )


def _texts(graph: Graph) -> list[str]:
    return [graph.unit.text, *(texts_elsewhere(graph) or ())]


def says_so(code: str) -> bool:
    """Whether a comment in the text of a signature says that an argument is there for others."""
    return bool(_COMMENT.search(code))


def _takes(function: Function, parameter: str) -> bool:
    every: list[cst.Param] = [*function.params.posonly_params, *function.params.params, *function.params.kwonly_params]
    return any(each.name.value == parameter for each in every)
