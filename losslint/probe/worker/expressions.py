"""What the user calls a result: the expression or the name in the source, found from the running instruction."""

from __future__ import annotations

import ast
import functools
import itertools
import linecache
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FrameType

from .case import Case

BY_CHANCE, ARITHMETIC, PLAIN, NAMED = range(4)
"""How much an expression says of a term: sums under way, multiples, others, names."""
_LONGEST_NAME = 40
_MOST_FRAMES = 6


@dataclass(frozen=True)
class Place:
    """An instruction that runs in the user's code."""

    code: CodeType
    instruction: int
    line: int


@dataclass(frozen=True)
class Expression:
    """What the user calls a result, and where."""

    text: str
    place: Place | None
    rank: int = PLAIN


def places_of_call(is_users: Callable[[str], bool]) -> tuple[Place, ...]:
    """Where the loss is now in the user's code, innermost first."""
    found: list[Place] = []
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code is not Case.call.__code__ and len(found) < _MOST_FRAMES:
        if is_users(frame.f_code.co_filename):
            found.append(Place(frame.f_code, frame.f_lasti, frame.f_lineno))
        frame = frame.f_back
    return tuple(found)


@functools.lru_cache(maxsize=1024)
def described(places: tuple[Place, ...], operand: int | None) -> Expression | None:
    """The expression that made it, at the caller where it is returned; for an operand from elsewhere, that operand."""
    found: Expression | None = None
    for place in places:
        source = _source(place.code.co_filename)
        expression = source.at(place)
        if expression is None:
            break
        if operand is not None:
            if not isinstance(expression, ast.BinOp):
                break
            sides = [expression.right, expression.left] if operand else [expression.left, expression.right]
            # `2 * f(x)` reaches torch as `f(x) * 2`.
            side = next((each for each in sides if isinstance(each, ast.Call)), sides[0])
            return Expression(source.text(side), place)
        parent = source.parents.get(expression)
        target = _target(parent)
        if target is not None:
            is_sum = _is_under_way(expression, target)
            return Expression(source.text(target), place, BY_CHANCE if is_sum else NAMED)
        found = Expression(source.text(expression), place, BY_CHANCE if _is_under_way(expression) else PLAIN)
        if not isinstance(parent, (ast.Return, ast.Lambda)):
            break
    return found


def _target(parent: ast.AST | None) -> ast.expr | None:
    """What an assignment gives a name, if that is one thing."""
    if isinstance(parent, ast.Assign):
        first = parent.targets[0]
        return first if isinstance(first, (ast.Name, ast.Attribute, ast.Subscript)) else None
    return parent.target if isinstance(parent, (ast.AnnAssign, ast.NamedExpr)) else None


def _is_under_way(expression: ast.AST, target: ast.AST | None = None) -> bool:
    """Whether it adds to what is there: its result has the name of the whole."""
    if isinstance(expression, ast.AugAssign):
        return True
    if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name) and expression.func.id == "sum":
        return True
    return target is not None and ast.unparse(target) in {ast.unparse(each) for each in ast.walk(expression)}


class _Source:
    """A file's expressions by where they stand."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at: dict[tuple[int | None, ...], ast.AST] = {}
        self.parents: dict[ast.AST, ast.AST] = {}
        for node in ast.walk(ast.parse(text)):
            self.parents |= dict.fromkeys(ast.iter_child_nodes(node), node)
            if isinstance(node, (ast.expr, ast.AugAssign)):
                self._at.setdefault((node.lineno, node.end_lineno, node.col_offset, node.end_col_offset), node)
            if isinstance(node, ast.Call):
                self._at[node.end_lineno, node.end_col_offset] = node
            if isinstance(node, (ast.Assign, ast.AnnAssign, ast.Return)) and node.value is not None:
                self._at[(node.lineno,)] = node.value

    def at(self, place: Place) -> ast.AST | None:
        """The expression whose instruction runs. Python before 3.11 knows its line alone: there it is the whole value."""
        if not hasattr(place.code, "co_positions"):
            return self._at.get((place.line,))
        span = next(itertools.islice(place.code.co_positions(), place.instruction // 2, None))
        # A method call over several lines is marked from its last attribute on.
        return self._at.get(span) or self._at.get((span[1], span[3]))

    def text(self, node: ast.AST) -> str:
        """Source in one line, cut where it is long."""
        text = " ".join((ast.get_source_segment(self._text, node) or ast.unparse(node)).split())
        return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 3] + "..."


@functools.lru_cache(maxsize=64)
def _source(filename: str) -> _Source:
    try:
        return _Source("".join(linecache.getlines(filename)))
    except SyntaxError:
        return _Source("")
