"""More settings without effect, values that nothing answers, and what torch warns of."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from .loading import shows, single_file, taken


def warned(runs: Callable[[], Any], words: str) -> str:
    """The warning that a call gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        runs()
    return next(str(each.message).splitlines()[0] for each in caught if words in str(each.message))


@shows("e1afe67a257a842e")
def distillation() -> str:
    """Any call."""
    made = single_file("doraemon-torch", "doraemon/models/losses/loss.py").DistillKL(4.0)
    logits = torch.randn(2, 3)
    return f"doraemon DistillKL: {warned(lambda: made(logits, logits), 'size_average')}"


@shows("589fd64649f87a1f", "3a7e4d66c00d425a", "19e1171378687f06")
def earthnet() -> str:
    """rescale=True; an unknown distance; any setting but en23."""
    module = single_file("earthnet-models-pytorch", "earthnet_models_pytorch/task/loss.py")
    given = torch.rand(2, 3), torch.rand(2, 3), torch.ones(2, 3)
    found = [module.MaskedLoss(rescale=each)(*given) for each in (False, True)]
    assert found[0] == found[1]
    unknown = module.MaskedLoss("l1")(*given)
    assert unknown is None
    with redirect_stdout(StringIO()):
        made = module.MaskedPixelwiseLoss(lc_min=82, lc_max=104, context_length=1, target_length=1)
    images = torch.rand(1, 2, 1, 2, 2)
    batch = {"dynamic": [images], "dynamic_mask": [torch.zeros_like(images)], "landcover": torch.full((1, 1, 2, 2), 90)}
    try:
        made(images[:, 1:], batch, None)
    except UnboundLocalError as problem:
        values = [each.item() for each in found]
        return f"earthnet MaskedLoss, rescale False and True: {values}; 'l1': {unknown}; MaskedPixelwiseLoss: {problem}"
    raise AssertionError("it ran")


@shows("094a3e71c9c4c3b2", "e08a9b68c49606a2", "30a82128cf5910d7", "bee41823c07723b5")
def focal_cross_entropy() -> str:
    """apply_class_balancing=True, and axis=0."""
    module = single_file("focal-ce-loss", "focal_ce_loss.py")
    binary = torch.rand(4), torch.tensor([0.0, 1.0, 1.0, 0.0])
    classes = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    seen = []
    for name, given in (("BFCELoss", binary), ("FocalCELoss", classes)):
        made = getattr(module, name)
        found = [made(**each)(*given) for each in ({}, {"apply_class_balancing": True}, {"axis": 0})]
        assert found[0] == found[1] == found[2]
        seen.append(f"{name} {[each.item() for each in found]}")
    return f"focal-ce-loss, plain, class balancing, axis=0: {'; '.join(seen)}"


@shows("68f5bb1d478dc316", "b729d2c6fbaf6d4c")
def landscape() -> str:
    """The mean squared error as criterion, in either script."""
    for folder in ("cifar10", "cinic10"):
        train = taken("loss-landscape", f"datasets/{folder}/main.py", "train", Variable=torch.autograd.Variable)[
            "train"
        ]
        net = nn.Linear(2, 10)
        given = (
            [(torch.randn(3, 2), torch.tensor([0, 1, 2]))],
            net,
            nn.MSELoss(),
            torch.optim.SGD(net.parameters(), 0.1),
        )
        said = warned(partial(train, *given, use_cuda=False), "Implicit dimension")
    return f"loss-landscape train with nn.MSELoss: {said}"


@shows("e7a0aabc6faf9497")
def visualizer() -> str:
    """Any forward of the demo's network."""
    made = taken(
        "pytorch-visualizer",
        "pytorch_visualizer/demo.py",
        "SimpleNN",
        visualize=lambda *_, **__: lambda method: method,
        y_train=None,
    )["SimpleNN"]()
    return f"pytorch-visualizer SimpleNN: {warned(lambda: made(torch.randn(2, 2)), 'Implicit dimension')}"


@shows("47ae1d8d76bd8be7")
def text_mask() -> str:
    """A mask that hides nothing and one that hides every token; the embeddings are stood in for."""
    path = "mammut_pytorch/mammut_pytorch.py"
    forward = taken("mammut-pytorch", path, "MaMMUT.forward", "exists")["forward"]
    model = SimpleNamespace(
        embed_text=lambda text: (text, text),
        embed_image=lambda **_: (None, None),
        token_emb=nn.Embedding(9, 4),
        layers=[],
        to_logits=nn.Linear(4, 9),
    )
    text = torch.tensor([[1, 2, 3]])
    found = [forward(model, text, text_mask=torch.full((1, 3), each)) for each in (True, False)]
    assert torch.equal(found[0], found[1])
    return "MaMMUT.forward: the same logits with a text_mask of True and of False"


@shows("6f8f38bce5f58e61")
def averaged_checkpoints() -> str:
    """Two checkpoints, 1 and 3, of which the average is asked for."""
    path = "protein_domain_segmentation/chainsaw/domain_chop.py"
    name = "PairwiseDomainPredictor.load_checkpoints"
    load = taken("protein-domain-segmentation", path, name, os=os, LOG=logging.getLogger("quiet"))["load_checkpoints"]
    model = nn.Linear(1, 1, bias=False)
    with tempfile.TemporaryDirectory() as folder:
        for epoch, weight in ((1, 1.0), (2, 3.0)):
            torch.save({"weight": torch.full((1, 1), weight)}, Path(folder) / f"weights.{epoch}.pt")
        predictor = SimpleNamespace(
            n_checkpoints_to_average=2, checkpoint_dir=folder, _epoch=2, device="cpu", model=model
        )
        load(predictor, average=True)
    assert model.weight.item() == 3
    return f"load_checkpoints(average=True) of weights 1 and 3: {model.weight.item()}"


@shows("443ba6d97624a52d")
def importance_weights() -> str:
    """Weights of 0 and of 1."""
    keys = {each: each for each in ("OBS", "RHS", "DONE", "ACT", "REW", "OBS2", "RHS2", "DONE2")}
    path = "pytorchrl/agent/algorithms/off_policy/ddqn.py"
    loss = taken("pytorchrl", path, "DDQN.compute_loss", prl=SimpleNamespace(**keys))["compute_loss"]
    actor = SimpleNamespace(get_q_scores=lambda o, *_: {"q1": o})
    agent = SimpleNamespace(actor=actor, actor_targ=actor, gamma=0.9, policy_loss_addons=[])
    batch = {each: torch.rand(3, 1) for each in keys} | {"ACT": torch.zeros(3, 1)}
    found = [loss(agent, batch, 1, per_weights=torch.full((3, 1), each))[0] for each in (0.0, 1.0)]
    assert found[0] == found[1] != 0
    return f"pytorchrl DDQN.compute_loss, importance weights 0 and 1: {[each.item() for each in found]}"


@shows("b3579784fa62cb09")
def intercept() -> str:
    """fit_intercept=False on a constant."""
    given = {"DataLoader": DataLoader, "TensorDataset": TensorDataset}
    path, name = "sk_in_torch/linear_model.py", "TorchLinearRegressionNN"
    found = []
    for wanted in (True, False):
        torch.manual_seed(0)
        model = taken("sk-in-torch", path, name, **given)[name](fit_intercept=wanted)
        model.fit(numpy.array([[0.0], [1.0]]), [5.0, 5.0], n_iter=50, learning_rate=0.1)
        found.append(model.intercept_)
    assert found[0] == found[1] > 1
    return f"sk-in-torch {name}, the intercept with fit_intercept True and False: {found}"


@shows("d5e579e86d167b68")
def dynamic_weight() -> str:
    """WeightIsDynamic=True with a weight."""
    path = "torch_ecg/models/loss.py"
    made = taken("torch-ecg", path, "weighted_binary_cross_entropy", "WeightedBCELoss")["WeightedBCELoss"]
    weights, given = torch.tensor([[1.0, 2.0]]), (torch.rand(3, 2), torch.tensor([[1.0, 0], [1, 0], [1, 1]]))
    found = [made(weights, weights, WeightIsDynamic=each)(*given) for each in (False, True)]
    assert found[0] == found[1]
    return f"torch-ecg WeightedBCELoss, WeightIsDynamic False and True: {[each.item() for each in found]}"


@shows("b59b7536318cb5f3", "1f1160720be07270", "3a595a8b90ff45e8", "dfb9d19bc1735377")
def torchblocks() -> str:
    """reduction="none" and alpha=0.5, in both packages."""
    seen = []
    for name, folder in (("torchblocks", "losses"), ("torchblocks-chen", "torchblocks/losses")):
        divergence = single_file(name, f"{folder}/kl_divergence.py").KL
        logits = torch.randn(2, 3), torch.randn(2, 3)
        found = [divergence(**each)(*logits) for each in ({}, {"reduction": "none"})]
        assert found[0] == found[1]
        span = single_file(name, f"{folder}/span_loss.py").SpanLoss
        given = (torch.randn(1, 4, 3), torch.randn(1, 4, 3)), (torch.ones(1, 4).long(), torch.zeros(1, 4).long())
        spans = [span(alpha=each)(*given, masks=torch.ones(1, 4)) for each in (1.0, 0.5)]
        assert spans[0] == spans[1]
        seen.append(f"KL {[each.item() for each in found]}, SpanLoss {[each.item() for each in spans]}")
    return f"torchblocks, batchmean and none; alpha 1 and 0.5: {'; '.join(seen)}"


@shows("1cbd987b5a106ef5", "69d55248defe9c40")
def dice() -> str:
    """delta 0.1 and 0.9."""

    def rearrange(x: torch.Tensor, pattern: str) -> torch.Tensor:
        return x.flatten() if pattern == "n ... -> (n ...)" else x.movedim(1, -1).flatten(0, -2)

    names = ("_EPSILON", "_tversky_index_c", "_dice_similarity_c", "_Loss", "DiceCoefficient", "DiceLoss")
    path = "unified_focal_loss/losses.py"
    given = {"ABC": ABC, "abstractmethod": abstractmethod, "rearrange": rearrange}
    made = taken("unified-focal-loss-pytorch", path, *names, **given)
    prediction, label = torch.rand(1, 3, 2, 2).softmax(1), torch.randint(3, (1, 2, 2))
    seen = []
    for name in ("DiceCoefficient", "DiceLoss"):
        found = [made[name](delta=each)(prediction, label) for each in (0.1, 0.9)]
        assert found[0] == found[1]
        seen.append(f"{name} {[each.item() for each in found]}")
    return f"unified-focal-loss, delta 0.1 and 0.9: {'; '.join(seen)}"
