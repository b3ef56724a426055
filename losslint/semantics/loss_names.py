"""Names of losses, and of what only speaks about losses: setters, builders, loggers, settings."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_LOSS = frozenset({"loss", "losses", "criterion", "criteria"})
_OTHER_WORDS = frozenset({"gloss", "floss", "closs", "blossom"})
_ABOUT = frozenset(
    (
        "get set build create make load save plot print update record register configure add init parse test reset "
        "format show draw write check validate is has list available select reduce zero resolve import instantiate "
        "prepare setup wrap track display report average accumulate backward scale sync gather collect default on use"
    ).split()
)
_LAST = frozenset(
    (
        "name names weight weights scale scaler history config type types registry factory builder class classes module "
        "modules key keys path file meter logger str info report callback callbacks curve plot inputs args kwargs "
        "schedule scheduler option options enum mode zoo map metric metrics fns function functions wrapper hook hooks "
        "params dict list reduction eligible"
    ).split()
)
_WELL_KNOWN = frozenset(
    "ssim msssim infonce ntxent lpips elbo mmd kld supcon vicreg totalvariation barlowtwins".split()
)
LOSS_METHODS = frozenset(
    {"loss", "compute_loss", "criterion", "calculate_loss", "calc_loss", "loss_fn", "training_step"}
)


def words(name: str) -> list[str]:
    """The lower-case words of a snake_case or CamelCase name."""
    return [word.lower() for word in _WORD.findall(name)]


def says_loss(name: str) -> bool:
    """Whether a name holds the word loss or criterion: BCELoss, dice_loss, diceloss; not glossary or lossless."""
    return any(word in _LOSS or (word.endswith("loss") and word not in _OTHER_WORDS) for word in words(name))


def is_about_losses(name: str) -> bool:
    """Whether a function so named handles losses instead of computing one: get_loss, log_loss, loss_weights."""
    parts = words(name)
    if len(parts) > 1 and parts[0] == "log" and parts[1] in _LOSS:
        return True
    return not parts or parts[0] in _ABOUT or (parts[-1] in _LAST and parts[-1] not in _LOSS)


def is_well_known(name: str) -> bool:
    """Whether a name is that of an objective the field knows without the word loss: SSIM, InfoNCE, LPIPS."""
    parts = [word for word in words(name) if not word.isdigit()]
    return "".join(parts) in _WELL_KNOWN


def gets_a_value(name: str) -> bool:
    """Whether a name is a getter's that may work a loss out: get_total_loss, maybe_get_metric_loss."""
    parts = words(name)
    return "get" in parts[:2] and len(parts) > 2 and parts[-1] == "loss"
