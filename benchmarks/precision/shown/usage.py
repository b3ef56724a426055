"""Probabilities where logits belong, names that do not exist, devices, shapes that meet wrongly."""

from __future__ import annotations

import re
import types
import warnings
from typing import Any

import torch
from torch import nn

from .loading import file, shows, single_file, taken


@shows("885e5cb97a3ccaf5", "ac0768ec6c44b728")
def metric_learning() -> str:
    """As many features as anchors, as AML always has them: rows are normalised by other rows' numbers."""
    path = "avalanche/training/regularization.py"
    loss = taken("avalanche-lib", path, "AMLCriterion.__sup_con_loss")["__sup_con_loss"]
    self = types.SimpleNamespace(device="cpu", temp=0.1, base_temp=0.07)
    anchors, features = torch.randn(4, 3), torch.randn(4, 3)
    labels, others = torch.tensor([0, 1, 0, 1]), torch.tensor([0, 1, 1, 0])
    found = loss(self, anchors, features, labels, others)
    mask = (labels.view(-1, 1) == others.view(1, -1)).float()
    right = (anchors @ features.T / 0.1).log_softmax(1)
    meant = -(0.1 / 0.07) * ((mask * right).sum(1) / mask.sum(1)).mean()
    assert not torch.allclose(found, meant)
    try:
        loss(self, anchors, features[:3], labels, others[:3])
    except RuntimeError as problem:
        return f"avalanche AML: {found.item():.3f}, with keepdim {meant.item():.3f}; three features: {problem}"
    raise AssertionError("it ran with unequal sizes")


@shows("3da044ef16318e77")
def one_molecule() -> str:
    """A batch of one molecule."""
    loss = taken("deepchem", "deepchem/models/torch_models/gnn3d.py", "InfoMax3DModular.loss_func")["loss_func"]
    logits = torch.randn(1, 2)
    self = types.SimpleNamespace(task="classification", model=lambda _: (logits.softmax(1), logits))
    try:
        loss(self, None, torch.tensor([[1.0]]), None)
    except ValueError as problem:
        return f"deepchem InfoMax3DModular, one molecule: {problem}"
    raise AssertionError("it ran")


@shows("64f1a971e8346f72", "39166761076a6449")
def symmetric_nets() -> str:
    """Logits that are as right as can be."""
    softmax = single_file_of_adapt("concat_softmax.py", "ConcatSoftmax")
    split = single_file_of_adapt("utils.py", "split_half")
    made = taken(
        "pytorch-adapt",
        "pytorch_adapt/layers/symnets_category_loss.py",
        "SymNetsCategoryLoss",
        ConcatSoftmax=softmax,
        split_half=split,
    )["SymNetsCategoryLoss"]()
    logits = torch.tensor([[100.0, 0.0, 0.0]])
    found = made(logits, logits, torch.tensor([0]))
    assert found > 1.3
    return f"SymNetsCategoryLoss of perfect logits: {found.item():.4f}"


def single_file_of_adapt(path: str, name: str) -> Any:
    """A definition of pytorch_adapt/layers."""
    return taken("pytorch-adapt", f"pytorch_adapt/layers/{path}", name)[name]


@shows("ad786c0c2588f88b")
def boundary_score() -> str:
    """Logits that are as right as can be."""
    made = single_file("segloss", "segloss/src/bfl.py").BoundaryScoreLoss(border_params=[3, 5, 0.0])
    label = torch.randint(3, (1, 6, 6))
    logits = nn.functional.one_hot(label, 3).permute(0, 3, 1, 2) * 100.0
    found = made(logits, label)
    assert found > 0.5
    return f"segloss BoundaryScoreLoss of perfect logits, without its boundary term: {found.item():.4f}"


@shows("5844adf7173102ad")
def divergence() -> str:
    """A student that is the teacher, and two that are not."""
    made = taken("mmsegmentation", "mmseg/models/losses/kldiv_loss.py", "KLDivLoss")["KLDivLoss"](reduction="sum")
    logits = torch.tensor([[3.0, 0.0, 0.0]])
    found = made(logits, logits)
    assert found < 0
    return f"mmseg KLDivLoss of equal distributions, 0 by definition: {found.item():.4f}"


def saturated(criterion: Any = nn.functional.binary_cross_entropy) -> str:
    """A logit of 20 with target 0."""
    logit = torch.tensor([20.0], requires_grad=True)
    loss = criterion(torch.sigmoid(logit), torch.zeros(1))
    loss.backward()
    assert logit.grad == 0
    assert loss == 100
    return f"loss {loss.item()}, gradient {logit.grad.item() if logit.grad is not None else None}"


@shows(
    "16234286d3a511ac",
    "60a21e7ecb70b9f7",
    "8213895ca8a559f7",
    "6c1633cc4a46fbb2",
    "c479bda9b07e8579",
    "a20526740b29efda",
    "36eb548449de1766",
    "4977de7b79b2f874",
    "0c64106216aa74b1",
)
def saturated_sigmoids() -> str:
    """The sigmoid each of these ends in, and what binary cross entropy makes of one that rounds to 1."""
    for name, path, sigmoid in (
        ("avalanche-lib", "avalanche/training/losses.py", "predictions = torch.sigmoid(logits)"),
        ("lightning-bolts", "pl_bolts/models/gans/basic/components.py", "return torch.sigmoid(self.fc4(x))"),
        ("lightning-bolts", "pl_bolts/models/gans/dcgan/components.py", "nn.Sigmoid(),"),
        ("lpips", "lpips/lpips.py", "layers += [nn.Sigmoid(),]"),
        (
            "super-gradients",
            "super_gradients/training/losses/shelfnet_semantic_encoding_loss.py",
            "self.bcewithlogitsloss(torch.sigmoid(se_pred)",
        ),
    ):
        assert sigmoid in file(name, path).read_text()
    return f"binary cross entropy of a sigmoid, logit 20, target 0: {saturated()}; nn.BCELoss {saturated(nn.BCELoss())}"


@shows("910306f83cfb8e98")
def missing_name() -> str:
    """criterion="l2"; only the feature extractor is stood in for."""
    path = "basicsr-1.4.2/basicsr/losses/basic_loss.py"
    made = taken("basicsr", path, "PerceptualLoss", VGGFeatureExtractor=lambda **_: nn.Identity())["PerceptualLoss"]
    try:
        made({"conv1_2": 1.0}, criterion="l2")
    except AttributeError as problem:
        return f"basicsr PerceptualLoss(criterion='l2'): {problem}"
    raise AssertionError("it ran")


@shows("2a85b60bd382dda9", "1489254a32ddae62")
def deprecated() -> str:
    """Both lines in a file."""
    text = file("super-gradients", "super_gradients/training/losses/ssd_loss.py").read_text()
    lines = re.findall(r"nn\.\w+\(reduce=False\)", text)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for line in lines:
            eval(line, {"nn": nn})
    assert len(lines) == len(caught) == 2
    return f"{', '.join(lines)}: {caught[0].message}"


@shows("31bd45ad1caec43e")
def focus_on_another_device() -> str:
    """Inputs anywhere but on the CPU: the device "meta" stands for it."""
    made = single_file("pytorch-focalloss", "torch_focalloss/losses.py").MultiClassFocalLoss(focus_on=0.1)
    target = torch.tensor([[0.8, 0.2], [0.3, 0.7]])
    made(torch.randn(2, 2), target)
    text = file("pytorch-focalloss", "torch_focalloss/losses.py").read_text()
    assert "focus = zeros((target.shape[0],))" in text
    try:
        torch.zeros((2,)) * torch.zeros((2,), device="meta")
    except RuntimeError as problem:
        return f"MultiClassFocalLoss(focus_on=0.1), its zeros beside a loss elsewhere: {problem}"
    raise AssertionError("it ran")


@shows("6446a002f2c9ff60")
def needs_a_gpu() -> str:
    """The loss on a machine without a GPU."""
    made = taken(
        "super-gradients",
        "super_gradients/training/losses/shelfnet_semantic_encoding_loss.py",
        "ShelfNetSemanticEncodingLoss",
        Variable=torch.autograd.Variable,
    )["ShelfNetSemanticEncodingLoss"](nclass=3)
    if torch.cuda.is_available():
        return "ShelfNetSemanticEncodingLoss: not shown, since there is a GPU"
    labels = torch.randint(3, (2, 4, 4))
    try:
        made((torch.randn(2, 3, 4, 4), torch.randn(2, 3), torch.randn(2, 3, 4, 4)), labels)
    except (AssertionError, RuntimeError) as problem:
        return f"ShelfNetSemanticEncodingLoss on the CPU: {str(problem).splitlines()[0]}"
    raise AssertionError("it ran")
