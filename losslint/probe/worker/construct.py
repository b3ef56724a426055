"""Making a loss: from an example, from defaults, or from guesses after the names and the text of its parameters."""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any, Literal, get_args, get_origin

import torch

from .loading import first_line
from .missing_modules import MissingDependency
from .roles import words
from .specs import SIZES

MOST_CONSTRUCTIONS = 4


class NotConstructed(Exception):
    """No way was found to make the loss: what failed, and what the user can add."""


@dataclass(frozen=True)
class Construction:
    """A way to make the callable: `text` is its expression, `source` where that comes from, `confidence` from 0 to 1."""

    make: Callable[[], Callable[..., Any]]
    text: str
    source: str
    confidence: float


_UNKNOWN = "1.0"
# What a parameter that no name speaks for may be instead.
_OTHERS = ("3", "torch.nn.Identity()", "[torch.nn.Identity(), torch.nn.Identity()]", "{}")
_GUESSES: tuple[tuple[str, str], ...] = (
    (r"(spatial_|n|num_)?_?dims", "2"),
    (
        r".*(cls|class|label)s?_(num|count|freq|frequencies|counts|num_list|list|samples).*|.*samples_per_cl.*",
        "[10, 20, 30, 40, 50]",
    ),
    (r"(num|n|nb)_?(classes|class|labels|categories)|classes_num|class_num|out_features|output_dim", str(SIZES["C"])),
    (
        r".*(embedding|embed|emb|feat|feature|in|hidden)_?(size|dim|dims|features|channels)|(.*_)?dim|d_model",
        str(SIZES["D"]),
    ),
    (r"(in_|num_|n_)?channels?", "3"),
    (r"(num_|n_)?(views|crops)|.*_per_class", "2"),
    (r"batch_?size|bs|n|(num_|n_)?samples", str(SIZES["N"])),
    (
        r"margin.*|.*_margin|.*threshold|alpha|beta|delta|lambda_?|lam|.*weight|.*_w|smooth(ing)?|.*momentum|rho|q",
        "0.5",
    ),
    (r"temperature|temp|tau|t1", "0.5"),
    (r"t2", "1.5"),
    (r"gamma|power|p|norm|degree|scale|s", "2"),
    (r"eps(ilon)?", "1e-6"),
    (r"reduction|size_average", "'mean'"),
    (r"(kernel|window|win)_?(size|length)?", "3"),
    (r"window_size|kernel_size", "3"),
    (r"sample_rate|sr", "16000"),
    (r"n_?fft|fft_size", "64"),
    (r"hop_(size|length)", "16"),
    (r"(loss|criterion)(es|_list)|losses|criterions|criteria", "[torch.nn.MSELoss(), torch.nn.L1Loss()]"),
    (r".*(loss|criterion).*(fn|func|function|module)?", "torch.nn.MSELoss()"),
    (r".*(model|net|network|encoder|backbone|module|extractor|vgg|head)", "torch.nn.Identity()"),
    (r".*(func|function|fn|callable|activation)", "torch.nn.functional.mse_loss"),
    (r".*weights", "[0.5, 0.5]"),
    (r".*(size|shape)s?", "(16, 12)"),
    (r"device", "'cpu'"),
    (r"(num_|n_)?(epochs|steps|iters|iterations|bins|levels|layers|scales|max_.*)|max_.*|num_.*|n_.*", "3"),
)


def constructions(owner: Any, module: ModuleType) -> Iterator[Construction]:
    """Ways to make an instance of a class, surest first. Raises NotConstructed where there is none."""
    problems: list[str] = []
    made = 0
    for text, source, confidence in _expressions(owner, module, problems):
        construction = Construction(_maker(text, owner, module), text, source, confidence)
        try:
            construction.make()
        except MissingDependency as error:
            raise NotConstructed(f"`{text}` {first_line(error)}") from error
        except Exception as error:
            problems.append(f"`{text}` fails with {type(error).__name__}: {first_line(error)}")
            continue
        yield construction
        made += 1
        if made >= MOST_CONSTRUCTIONS or confidence == 1:
            return
    if not made:
        reason = problems[0] if problems else "it cannot be called"
        raise NotConstructed(reason)


def evaluate(text: str | CodeType, owner: Any, module: ModuleType) -> Any:
    """The value of an expression in the names of the user's module, with torch, nn and F at hand."""
    names = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional, **vars(module)}
    if owner is not None:
        names[owner.__name__] = owner
    return eval(text, names)


def _maker(text: str, owner: Any, module: ModuleType) -> Callable[[], Any]:
    code = compile(text, "<construction>", "eval")
    return lambda: evaluate(code, owner, module)


def _expressions(owner: Any, module: ModuleType, problems: list[str]) -> Iterator[tuple[str, str, float]]:
    name = owner.__name__
    try:
        parameters = list(inspect.signature(owner).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    required = [
        each
        for each in parameters
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if not required:
        yield f"{name}()", "defaults", 1.0
        yield from _named_in(problems, name)
        yield from _with_nothing_left_out(name, parameters)
        return
    documented = "\n".join(filter(None, (inspect.getdoc(owner), inspect.getdoc(owner.__init__))))
    choices = [(each.name, _choices(each, documented)) for each in required]
    longest = max(len(values) for _, values in choices)
    for position in range(longest):
        arguments = ", ".join(f"{key}={values[min(position, len(values) - 1)][0]}" for key, values in choices)
        sure = min(values[min(position, len(values) - 1)][1] for _, values in choices)
        yield f"{name}({arguments})", "guessed", sure
    yield from _named_in(problems, name)


def _with_nothing_left_out(name: str, parameters: list[inspect.Parameter]) -> Iterator[tuple[str, str, float]]:
    """Where defaults that are None do not work, numbers in their place may."""
    absent = [each.name for each in parameters if each.default is None and re.fullmatch(r"[\d.e-]+", _guess(each.name))]
    if absent:
        yield f"{name}({', '.join(f'{each}={_guess(each)}' for each in absent)})", "guessed", 0.5


def _named_in(problems: list[str], name: str) -> Iterator[tuple[str, str, float]]:
    """What a `**kwargs` constructor misses stands in its message."""
    given: dict[str, str] = {}
    for _ in range(4):
        match = (
            re.search(r"missing \d+ required .*?arguments?: (.*)|KeyError: (.*)", problems[-1]) if problems else None
        )
        asked = re.findall(r"'(\w+)'", match.group(1) or match.group(2)) if match else []
        if not asked or set(asked) <= set(given):
            return
        given |= {each: _guess(each) for each in asked}
        yield f"{name}({', '.join(f'{key}={value}' for key, value in given.items())})", "guessed", 0.5


def _choices(parameter: inspect.Parameter, documented: str) -> list[tuple[str, float]]:
    """Expressions for one required parameter, each with how sure it is."""
    annotation = parameter.annotation
    if get_origin(annotation) is Literal:
        return [(repr(value), 0.9) for value in get_args(annotation)]
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return [(f"{annotation.__name__}.{member.name}", 0.9) for member in annotation]
    written = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    quoted = _quoted(parameter.name, documented)
    if quoted and ("str" in written or annotation is parameter.empty):
        return [(repr(value), 0.9) for value in quoted]
    is_called = re.search(r"Module\b|_Loss\b|\bCallable\b", written) is not None
    if re.search(r"\bTensor\b", written) and not is_called:
        return [(text, 0.5) for text in _tensors_for(parameter.name)]
    guess = guess_value(parameter.name, written if annotation is not parameter.empty else "")
    if is_called:
        return [(text, 0.5) for text in dict.fromkeys((guess, "torch.nn.Identity()", "torch.nn.MSELoss()"))]
    return [(guess, 0.5), *((other, 0.4) for other in _OTHERS if guess == _UNKNOWN)]


def _tensors_for(name: str) -> list[str]:
    """A tensor that the constructor keeps: weights of the classes, else something like the inputs that families try."""
    weights = f"torch.ones({SIZES['C']})"
    shapes = ("(4, 3, 16, 12)", "(4, 3, 7, 16, 12)", "(4,)", "(4, 8)")
    likely = [f"torch.rand({shape}) * 0.9 + 0.05" for shape in shapes]
    return [weights, *likely] if re.search("weight|count|freq|class|alpha", name) else [*likely, weights]


def _quoted(name: str, documented: str) -> list[str]:
    """The quoted words that a docstring gives where it speaks of a parameter."""
    match = re.search(
        rf"^[ \t:*\-`]*(?:param\s+)?{re.escape(name)}\b[^\n]*(?:\n[ \t]+[^\n:]*)*", documented, re.MULTILINE
    )
    return list(dict.fromkeys(re.findall(r"['\"`](\w+)['\"`]", match.group(0)))) if match else []


def guess_value(name: str, annotation: str = "") -> str:
    """An expression for a parameter that is no input tensor: after its name, kept to what its annotation allows."""
    guess = _guess(name)
    if annotation.startswith("bool"):
        return "False"
    if annotation.startswith("int"):
        return guess if re.fullmatch(r"\d+", guess) else "3"
    if annotation.startswith("float"):
        return guess if re.fullmatch(r"[\d.e-]+", guess) else "0.5"
    if annotation.startswith("str"):
        return guess if guess.startswith("'") else "'mean'"
    if "Callable" in annotation or annotation.endswith("_Loss"):
        return guess if "torch.nn." in guess else "torch.nn.MSELoss()"
    if re.search(r"\bTensor\b", annotation):
        return f"torch.ones({SIZES['C']})"
    if annotation.endswith("Module"):
        return guess if "torch.nn." in guess else "torch.nn.Identity()"
    return guess


def _guess(name: str) -> str:
    lowered = "_".join(words(name)) or name
    for pattern, value in _GUESSES:
        if re.fullmatch(pattern, lowered) or re.fullmatch(pattern, name.lower()):
            return value
    return _UNKNOWN
