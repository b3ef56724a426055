"""Mutators of benchmarks/mutation: each plants what it says in a small text, and leaves all other code alone."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

mutants = importlib.import_module("mutation.mutants")
for _family in ("numerics", "gradients", "reduction", "devices", "slips", "usage", "shapes"):
    importlib.import_module(f"mutation.{_family}")

FORWARD = "def forward(self, pred, target, mask):\n"
# A line of a loss, and the lines it becomes.
LINES = {
    "clamp_dropped": ("n = mask.sum().clamp(min=1)", "n = mask.sum()"),
    "eps_dropped": ("x = pred / (target + 1e-6)", "x = pred / (target)"),
    "eps_moved_outside": ("x = torch.log(pred + self.eps) * 2", "x = (torch.log(pred) + self.eps) * 2"),
    "divided_eps_moved_outside": ("x = pred / (target + self.eps)", "x = pred / target + self.eps"),
    "builtin_max_dropped": ("x = pred.sum() / max(len(pred), 1)", "x = pred.sum() / len(pred)"),
    "safe_value_dropped": ("x = torch.log(torch.where(c, pred, torch.ones_like(pred)))", "x = torch.log(pred)"),
    "shift_by_max_dropped": ("x = pred - pred.amax(dim=1, keepdim=True).detach()", "x = pred"),
    "eps_too_small": ("x = pred.clamp(max=1 - 1e-6)", "x = pred.clamp(max=1 - 1e-12)"),
    "log_softmax_by_hand": ("x = pred.log_softmax(dim=1)", "x = torch.log(pred.softmax(dim=1))"),
    "logsigmoid_by_hand": ("x = F.logsigmoid(-pred)", "x = torch.log(torch.sigmoid(-pred))"),
    "softplus_by_hand": ("x = F.softplus(pred)", "x = torch.log(1 + torch.exp(pred))"),
    "logsumexp_by_hand": ("x = torch.logsumexp(pred, dim=1)", "x = torch.log(torch.exp(pred).sum(dim=1))"),
    "softmax_by_hand": (
        "x = 2 * F.softmax(pred, dim=1)",
        "x = 2 * (torch.exp(pred) / torch.exp(pred).sum(dim=1, keepdim=True))",
    ),
    "norm_by_hand": ("x = torch.linalg.vector_norm(pred, dim=1)", "x = torch.sqrt((pred ** 2).sum(dim=1))"),
    "normalize_by_hand": ("x = F.normalize(pred, dim=1)", "x = pred / pred.norm(dim=1, keepdim=True)"),
    "distance_by_hand": (
        "x = torch.cdist(pred, target)",
        "x = ((pred.unsqueeze(1) - target.unsqueeze(0)) ** 2).sum(-1).sqrt()",
    ),
    "bce_by_hand": (
        'x = F.binary_cross_entropy_with_logits(pred, target, reduction="none")',
        "x = -(target * torch.log(torch.sigmoid(pred)) + (1 - target) * torch.log(1 - torch.sigmoid(pred)))",
    ),
    "entropy_of_probabilities": ("x = pred.exp() * pred", "x = pred.exp() * torch.log(pred.exp())"),
    "where_as_branch": ("x = torch.where(a < 1, pred, target)", "x = pred if (a < 1).all() else target"),
    "term_detached": ("return a + self.w * b", "return a + (self.w * b).detach()"),
    "term_as_number": ("return a + self.w * b", "return a + (self.w * b).item()"),
    "prediction_thresholded": ("x = torch.sigmoid(pred)", "x = (torch.sigmoid(pred) > 0.5).float()"),
    "stack_rewrapped": ("x = torch.stack([a, b])", "x = torch.tensor([a, b])"),
    "result_rewrapped": ("return a", "return torch.tensor(a.item(), requires_grad=True)"),
    "written_in_place": ("x = target.clamp(min=0)", "x = target.clamp_(min=0)"),
    "assigned_in_place": ("mask = mask * 2", "mask *= 2"),
    "create_graph_dropped": ("g = torch.autograd.grad(y, x, create_graph=True)", "g = torch.autograd.grad(y, x)"),
    "detach_dropped": ("x = target.detach()", "x = target"),
    "no_grad_dropped": ("with torch.no_grad(): x = a", "if True: x = a"),
    "sample_without_gradient": ("z = Normal(pred, 1).rsample()", "z = Normal(pred, 1).sample()"),
    "loss_as_number": ("box_loss = F.l1_loss(a, b)", "box_loss = F.l1_loss(a, b).item()"),
    "mean_dropped": ("return -(pred * target).mean()", "return -(pred * target)"),
    "reduced_too_early": ('x = F.cross_entropy(a, b, reduction="none")', "x = F.cross_entropy(a, b)"),
    "batchmean_as_mean": ('x = F.kl_div(a, b, reduction="batchmean")', 'x = F.kl_div(a, b, reduction="mean")'),
    "sum_as_mean": ('x = F.mse_loss(a, b, reduction="sum") / n', "x = F.mse_loss(a, b) / n"),
    "term_summed": ("return a.mean() + b.mean()", "return a.sum() + b.mean()"),
    "masked_mean_over_all": ("return -(a * mask).sum() / mask.sum()", "return -(a * mask).mean()"),
    "count_dropped": ("return a + (b * c).sum() / n", "return a + (b * c).sum()"),
    "features_averaged": ("x = (a * b).sum(dim=1).mean()", "x = (a * b).mean()"),
    "masked_mean_of_samples": ("x = pred.mean(dim=1)", "x = pred.mean()"),
    "like_dropped": ("x = torch.zeros_like(pred)", "x = torch.zeros(pred.shape)"),
    "device_dropped": ("x = torch.arange(n, device=pred.device)", "x = torch.arange(n)"),
    "device_hard_coded": ("x = torch.arange(n, device=pred.device)", "x = torch.arange(n).cuda()"),
    "made_on_gpu": ("x = torch.ones_like(pred)", "x = torch.ones(pred.shape).cuda()"),
    "buffer_as_attribute": ('self.register_buffer("w", w, persistent=False)', "self.w = w"),
    "parameter_as_tensor": ("self.w = nn.Parameter(torch.zeros(3))", "self.w = torch.zeros(3)"),
    "modules_in_list": ("self.all = nn.ModuleList([a, b])", "self.all = [a, b]"),
    "move_dropped": ("x = w.to(pred.device)", "x = w"),
    "type_by_name": ("x = mask.to(pred.dtype)", "x = mask.type(torch.FloatTensor)"),
    "result_dropped": ("x = x.masked_fill(m, 0)", "x.masked_fill(m, 0)"),
    "term_forgotten": ("return a + self.w * b", "return a"),
    "term_not_added": ("loss += self.w * b", "loss = self.w * b"),
    "sign_of_term": ("return a + b * c", "return a - (b * c)"),
    "option_ignored": ("x = F.cross_entropy(a, b, weight=self.w)", "x = F.cross_entropy(a, b)"),
    "factor_forgotten": ("x = (a * mask).sum()", "x = (a).sum()"),
    "mask_forgotten": ("x = a.masked_fill(m, 0)", "x = a"),
    "option_not_looked_at": ("if weight is not None: x = x * weight", "if False: x = x * weight"),
    "reduction_ignored": ('if reduction == "none": return x', "if False: return x"),
    "sign_dropped": ("return 1 - a / b", "return a / b"),
    "difference_reversed": ("x = F.relu(near - far + 1)", "x = F.relu((far - near) + 1)"),
    "same_argument_twice": ("x = F.mse_loss(a, b)", "x = F.mse_loss(a, a)"),
    "softmax_into_cross_entropy": ("x = F.cross_entropy(a, b)", "x = F.cross_entropy(torch.softmax(a, dim=1), b)"),
    "sigmoid_into_logits_loss": (
        "x = F.binary_cross_entropy_with_logits(a, b)",
        "x = F.binary_cross_entropy_with_logits(torch.sigmoid(a), b)",
    ),
    "sigmoid_then_bce": (
        "x = F.binary_cross_entropy_with_logits(a, b)",
        "x = F.binary_cross_entropy(torch.sigmoid(a), b)",
    ),
    "logits_into_bce": (
        "x = F.binary_cross_entropy_with_logits(a, b, pos_weight=w)",
        "x = F.binary_cross_entropy(a, b)",
    ),
    "arguments_swapped": ("x = F.kl_div(a, b, log_target=True)", "x = F.kl_div(b, a, log_target=True)"),
    "log_forgotten": ("x = F.log_softmax(a, dim=1)", "x = F.softmax(a, dim=1)"),
    "log_taken_twice": ("x = F.softmax(a, dim=1)", "x = F.log_softmax(a, dim=1)"),
    "activation_forgotten": ("x = torch.sigmoid(a - b) * 2", "x = (a - b) * 2"),
    "log_target_forgotten": ("x = F.kl_div(a, b, log_target=True)", "x = F.kl_div(a, b)"),
    "signs_as_labels": ("x = 2 * y - 1", "x = y"),
    "normalized_over_batch": ("x = a.softmax(-1)", "x = a.softmax(0)"),
    "normalize_forgotten": ("x = F.normalize(a, dim=1)", "x = a"),
    "squeezed_whole": ("x = a.squeeze(1)", "x = a.squeeze()"),
    "squeeze_dropped": ("x = a.squeeze(1)", "x = a"),
    "unsqueeze_dropped": ("x = a.unsqueeze(1)", "x = a"),
    "keepdim_dropped": ("x = a.mean(dim=1, keepdim=True)", "x = a.mean(dim=1)"),
    "operand_unsqueezed": ("x = pred - target", "x = pred.unsqueeze(-1) - target"),
    "column_against_row": ("x = F.mse_loss(a, b)", "x = F.mse_loss(a, b.unsqueeze(-1))"),
    "permute_dropped": ("x = a.permute(0, 2, 3, 1)", "x = a"),
    "permute_as_view": ("x = a.transpose(1, 2)", "x = a.reshape(a.size(0), a.size(2), a.size(1))"),
    "flattened_whole": ("x = a.flatten(1)", "x = a.flatten()"),
    "reduced_over_batch": ("x = a.sum(1)", "x = a.sum(0)"),
    "expand_dropped": ("x = mask.expand_as(a)", "x = mask"),
}
# What is planted in more than a line.
WHOLE = {
    "gamma_below_one": ("def loss(x, gamma=2.0):\n    return x\n", "def loss(x, gamma=0.5):\n    return x\n"),
    "prediction_detached": (
        "def loss(pred, target):\n    return F.mse_loss(pred, target)\n",
        "def loss(pred, target):\n    return F.mse_loss(pred.detach(), target)\n",
    ),
    "computed_without_gradient": (
        "class A:\n    def forward(self, x):\n        return x\n",
        "class A:\n    @torch.no_grad()\n    def forward(self, x):\n        return x\n",
    ),
    "no_grad_decorator_dropped": (
        "@torch.no_grad()\ndef update(x):\n    return x\n",
        "# no decorator\ndef update(x):\n    return x\n",
    ),
    "returned_early": (
        'def loss(x, mask):\n    """Of x."""\n    return x\n',
        'def loss(x, mask):\n    """Of x."""\n    if mask.sum() == 0:\n        return 0.0\n    return x\n',
    ),
}
PLAIN = '''
"""Nothing here is a loss: torch.sigmoid(x), x.clamp(min=1e-6), x.detach()."""
import torch

SCALE = torch.zeros(3).clamp(min=1e-6)


class Encoder(torch.nn.Module):
    def __init__(self, width, depth=3):
        super().__init__()
        self.width = width
        self.layers = torch.nn.Linear(width, depth)

    def encode(self, x, y):
        hidden = self.layers(x)
        for _ in range(self.width):
            hidden = torch.tanh(hidden) * 2 + y / 3
        if self.width > 2:
            return hidden[:, 0]
        return {"hidden": hidden, "names": ["a", "b"]}
'''


def changed(name: str, text: str) -> list[str]:
    return [each.text for each in mutants.mutants_of(text, "losses.py") if each.mutator.name == name]


def test_every_mutator_has_an_example() -> None:
    assert {each.name for each in mutants.MUTATORS} == {*LINES, *WHOLE}


@pytest.mark.parametrize("name", LINES)
def test_a_line_becomes_another(name: str) -> None:
    before, after = (f"{FORWARD}    {line}\n" for line in LINES[name])
    assert after in changed(name, before)


@pytest.mark.parametrize("name", WHOLE)
def test_a_text_becomes_another(name: str) -> None:
    before, after = WHOLE[name]
    assert after in changed(name, before)


def test_other_code_is_left_alone() -> None:
    assert list(mutants.mutants_of(PLAIN, "model.py")) == []


def test_a_prediction_that_is_used_often_is_detached_at_the_top() -> None:
    text = "def loss(pred, target):\n    return (pred - target).abs() * pred\n"
    expected = "def loss(pred, target):\n    pred = pred.detach()\n    return (pred - target).abs() * pred\n"
    assert expected in changed("prediction_detached", text)


def test_mutants_have_names_of_their_own_that_do_not_change() -> None:
    text = f"{FORWARD}    x = pred.clamp(min=1e-6)\n    y = pred.clamp(min=1e-6)\n    return x + y\n"
    found = list(mutants.mutants_of(text, "losses.py"))
    assert len({each.name for each in found}) == len(found)
    later = [each.name for each in mutants.mutants_of(f"import torch\n\n\n{text}", "losses.py")]
    assert later == [each.name for each in found]


def test_a_third_is_held_out() -> None:
    folder = BENCHMARKS / "mutation" / "sound"
    found = [each for path in sorted(folder.glob("*.py")) for each in mutants.mutants_of(path.read_text(), path.name)]
    assert len({each.name for each in found}) == len(found) > 1000
    assert 0.28 < sum(each.is_held_out for each in found) / len(found) < 0.38
