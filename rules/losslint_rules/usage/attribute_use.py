"""Who reads and who assigns an attribute of a loss: its class, its relatives, and the rest of the project."""

from __future__ import annotations

import re
from collections.abc import Sequence

import libcst as cst

from losslint.semantics.graph import Graph
from losslint.semantics.kept import kept_for_a_file
from losslint.semantics.names import Unit, dotted
from losslint.semantics.syntax_walk import nodes_of, nodes_of_kind

_TELLS_ONLY = frozenset({"extra_repr", "__repr__", "__str__"})
_LOOKS_AT_ALL = frozenset("__dict__ save_hyperparameters hparams __getattr__ __getattribute__".split())
_IMPORTS = re.compile(r"^\s*(?:from\s+\S+\s+)?import\s+(?:\([^)]*\)|[^\n]*)", re.MULTILINE)
_CONSTANTS = re.compile(r"__constants__\s*=\s*[\[(][^])]*[\])]")
_HOLDERS = r"(?i:\w*(?:loss|criteri|objective|crit)\w*)(?:\[[^]]*\]|\(\))?"


def is_read(graph: Graph, owner: str, name: str) -> bool:
    """Whether anything may read the attribute: a relative of the class, or whoever holds one of its objects.

    Showing it in `extra_repr` is no use of it. What a base outside the project does is for the caller to ask.
    """
    for cls in _relatives(graph, owner):
        if {name, "*"} & _attributes_read(cls):
            return True
    text = _CONSTANTS.sub("", graph.unit.text)
    by_name = rf"|[\"']{name}[\"']" if "getattr" in text else ""
    if re.search(rf"(?<!\bself)\.{name}\b(?!\s*=[^=]){by_name}", text):
        return True
    texts = texts_elsewhere(graph)
    return texts is None or _is_read_elsewhere(_descendants(graph.unit, owner), name, texts)


def _is_read_elsewhere(names: set[str], name: str, texts: Sequence[str]) -> bool:
    mentions = (f".{name}", f'"{name}"', f"'{name}'")
    relevant = [without_imports(text) for text in texts if any(each in text for each in mentions)]
    if not relevant:
        return False
    family = _children(names, texts)
    held = re.compile(rf"\b{_HOLDERS}\.{name}\b(?!\s*=[^=])|[gs]etattr\([^)]*[\"']{name}[\"']")
    read = re.compile(rf"\.{name}\b(?!\s*=[^=])")
    return any(held.search(text) or (read.search(text) and _speaks_of(family, text)) for text in relevant)


def _speaks_of(names: set[str], text: str) -> bool:
    """Whether a file uses one of the classes; one that defines a class of the name has its own."""
    return any(
        re.search(rf"\b{re.escape(name)}\b", text) and not re.search(rf"\bclass {re.escape(name)}\b", text)
        for name in names
    )


def _children(names: set[str], texts: Sequence[str]) -> set[str]:
    """The classes and those that descend from them in other files."""
    found, pending = set(names), list(names)
    while pending:
        parent = pending.pop()
        heirs = re.compile(rf"class (\w+)\([^)]*\b{re.escape(parent)}\b")
        for text in texts:
            for name in heirs.findall(text) if parent in text else ():
                if name not in found:
                    found.add(name)
                    pending.append(name)
    return found


def is_assigned_again(graph: Graph, name: str) -> bool:
    """Whether anything may give `self.name` a value after the constructor did."""
    assigned = re.compile(rf"\.{name}\s*(?::[^=\n]+)?=[^=]|[\"']{name}[\"']|setattr")
    own = sum(len(assigned.findall(base.unit.code(base.unit.classes[base.name]))) for base in graph.lineage)
    texts = texts_elsewhere(graph)
    return own > 1 or texts is None or any(f".{name} = " in text.replace(f"self.{name} = ", "") for text in texts)


def has_member(graph: Graph, owner: str, name: str) -> bool:
    """Whether a relative defines `name` as a method or property, so that assigning it calls a setter."""
    return any(
        isinstance(each, cst.FunctionDef) and each.name.value == name
        for cls in _relatives(graph, owner)
        for each in cls.body.body
    )


def texts_elsewhere(graph: Graph) -> list[str] | None:
    """The texts of the project's other files; None where they are too many."""
    texts = graph.elsewhere()
    return None if texts is None else list(texts.values())


def without_imports(text: str) -> str:
    """A text without what it imports: names of modules and functions are no use of them."""
    return _IMPORTS.sub("", text)


def _relatives(graph: Graph, owner: str) -> list[cst.ClassDef]:
    """The class, its bases in the project, its descendants in this file, and whatever is mixed into those."""
    classes = graph.unit.classes
    found = {id(base.unit.classes[base.name]): base.unit.classes[base.name] for base in graph.lineage}
    pending = list(_descendants(graph.unit, owner))
    while pending:
        cls = classes.get(pending.pop())
        if cls is not None and id(cls) not in found:
            found[id(cls)] = cls
            pending += _parents(cls)
    return list(found.values())


def _descendants(unit: Unit, owner: str) -> set[str]:
    found = {owner}
    size = 0
    while len(found) > size:
        size = len(found)
        found |= {name for name, cls in unit.classes_that_mention(tuple(found)) if found & set(_parents(cls))}
    return found


def _parents(cls: cst.ClassDef) -> list[str]:
    return [name for base in cls.bases if (name := dotted(base.value)) is not None]


@kept_for_a_file
def _attributes_read(cls: cst.ClassDef) -> frozenset[str]:
    """The attributes of `self` that a class reads; `*` where it may read all."""
    found: set[str] = set()
    for statement in cls.body.body:
        if not isinstance(statement, cst.FunctionDef) or statement.name.value in _TELLS_ONLY:
            continue
        parameters = [*statement.params.posonly_params, *statement.params.params]
        found |= _read_by(statement, parameters[0].name.value if parameters else "self")
    return frozenset(found)


_TELLING = frozenset({cst.AssignTarget, cst.AnnAssign, cst.Attribute, cst.Call, cst.Param, cst.Arg})


def _read_by(function: cst.FunctionDef, this: str) -> set[str]:
    """What a method reads of `self`; where it hands `self` on as a whole, everything."""
    known: set[int] = set()
    found: set[str] = set()
    nodes = nodes_of(function)
    for node in nodes:
        if type(node) not in _TELLING:
            continue
        match node:
            case cst.AssignTarget(target=cst.Attribute() as target) | cst.AnnAssign(target=cst.Attribute() as target):
                known.add(id(target))
            case cst.Attribute(value=cst.Name(value=name) as value, attr=attribute):
                known |= {id(value), id(attribute)}
                if name == this and id(node) not in known:
                    found.add("*" if attribute.value in _LOOKS_AT_ALL else attribute.value)
            case cst.Call(func=cst.Name(value="super" | "isinstance" | "type"), args=arguments):
                known.update(id(each.value) for each in arguments)
            case cst.Call(func=cst.Attribute(attr=cst.Name(value="__init__")), args=[first, *_]):
                known.add(id(first.value))
            case cst.Param(name=name) | cst.Attribute(attr=name):
                known.add(id(name))
            case cst.Arg(keyword=cst.Name() as keyword):
                known.add(id(keyword))
    names = nodes_of_kind(function, cst.Name)
    if any(node.value == this and id(node) not in known for node in names):
        found.add("*")
    return found
