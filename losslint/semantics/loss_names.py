"""What a name says: a loss (BCELoss, dice_loss, diceloss), or something that only has to do with losses (loss_weight)."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_LOSS_WORD = re.compile(r"(\w*(loss|losses|criterion|criterions)|loss(es)?(fn|func|function|module)s?)$")
# These end in "loss" by chance.
_OTHER_WORDS = frozenset({"gloss", "floss"})
# `split_criterion` and `packet_loss` are about something else.
_OTHER_LOSSES = frozenset({"stop", "packet"})
_OTHER_CRITERIA = frozenset("stop convergence termination exit split splitting".split())
_HANDLES = frozenset(
    """plot print show display draw visualize visualise save load write dump export record register report reset init
    initialize test check is has should can list configure parse format on update watch unpack""".split()
)
_MAY_HANDLE = frozenset(
    """get build make create log set add find select eval evaluate validate val estimate prepare wrap apply accumulate
    accum scale reduce average avg sum collect gather sync combine track store setup use return resolve instantiate
    backward""".split()
)
_CARRIERS = frozenset(
    """weight weights weighting mask masks scale scaler name names key keys meter meters history curve curves type types
    config cfg conf configuration factory builder registry logger tracker monitor callback callbacks hook hooks plot
    plotter shape shapes dim dims path file dir index idx indices count coef coefs coefficient coefficients factor
    factors arg args kwargs param params parameters parser class classes log logs logging stats scheduler schedule
    handler manager decorator string str format summary table report getter setter reducer reduction metric metrics enum
    option options mode modes kind spec recorder visualizer writer history threshold budget landscape map error warning
    exception backward grad grads gradient gradients derivative hessian jacobian output outputs result results info inputs
    eligible list dict update""".split()
)
_CONTAINERS = frozenset({"dict", "list", "info", "map", "tensor"})
_NO_VALUES = _CARRIERS | {"fn", "func", "function", "module"}
_WELL_KNOWN = frozenset(
    """ssim msssim lpips infonce ntxent supcon supcontrast simclr vicreg barlowtwins elbo mmd kld nll""".split()
)
_COPIES = frozenset("reference ref oracle expected numpy groundtruth".split())
_LOOKED_AT = frozenset("accuracy acc metric metrics recall".split())
_SCORES = frozenset("score scores accuracy acc index metric metrics coefficient similarity distance psnr".split())


def words(name: str) -> list[str]:
    """The lower-case words of a snake_case or CamelCase name."""
    return [word.lower() for word in _WORD.findall(name)]


def says_loss(name: str) -> bool:
    """Whether a name has the word loss or criterion in it: BCELoss, loss_fn, l1loss; not glossary or lossless."""
    return bool(_loss_words(words(name)))


def is_loss_value(name: str) -> bool:
    """Whether a variable or parameter so named holds a loss that is computed already: loss, total_loss, losses."""
    parts = words(name)
    while parts and (parts[-1] in _CONTAINERS or parts[-1].isdigit()):
        parts.pop()
    return bool(_loss_words(parts)) and parts[-1] not in _NO_VALUES and "criter" not in name.lower()


def names_a_loss(name: str) -> bool:
    """Whether what is so named is a loss, as far as a name can tell: no loss_weight, loss_meter, plot_losses."""
    parts = [word for word in words(name) if not word.isdigit()]
    # Only functions are named by verbs: ListLoss and SetCriterion list and set nothing.
    is_verb = not name.lstrip("_")[:1].isupper() and parts[:1] and parts[0] in _HANDLES
    return bool(_loss_words(parts)) and not is_verb and parts[-1] not in _CARRIERS


def names_a_copy(name: str) -> bool:
    """Whether what is so named says what another must give: soft_margin_loss_reference, a test's oracle."""
    return bool(_COPIES & set(words(name)))


def is_well_known(name: str) -> bool:
    """Whether a public name is that of an objective known without the word: SSIM, InfoNCE, ms_ssim."""
    return "".join(word for word in words(name) if not word.isdigit()) in _WELL_KNOWN and name[:1] != "_"


def names_a_score(name: str) -> bool:
    """Whether what is so named is to be looked at rather than minimised: soft_dice_score, mean_accuracy."""
    parts = [word for word in words(name) if not word.isdigit()]
    return bool(parts) and parts[-1] in _SCORES


def names_an_accuracy(name: str) -> bool:
    """Whether what is so named can only be looked at: Accuracy, top_k_acc, DiceMetric."""
    parts = [word for word in words(name) if not word.isdigit()]
    return bool(parts) and parts[-1] in _LOOKED_AT and not says_loss(name)


def may_only_handle(name: str) -> bool:
    """Whether the first word is a verb of builders, loggers and reductions, so that only the body can tell."""
    parts = words(name)
    return bool(parts) and parts[0] in _MAY_HANDLE


def _loss_words(parts: list[str]) -> list[str]:
    if "stopping" in parts:
        return []
    return [
        word
        for before, word in zip(["", *parts], parts, strict=False)
        if _LOSS_WORD.match(word)
        and word not in _OTHER_WORDS
        and before not in (_OTHER_CRITERIA if "criterion" in word else _OTHER_LOSSES)
    ]
