"""Options that are ignored, statements without effect, values of an option that nothing answers, a default that fails."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn

from .loading import file, shows, single_file, taken


def excerpt(name: str, path: str, *lines: str) -> None:
    """The lines stand in the file, one after another."""
    text = [line.strip() for line in file(name, path).read_text().splitlines()]
    start = text.index(lines[0])
    assert tuple(text[start : start + len(lines)]) == lines


@shows("17ee4464fe730d14")
def bi_tempered() -> str:
    """A misspelt reduction."""
    loss = single_file("pytorch-toolbelt", "pytorch_toolbelt/losses/bitempered_loss.py").bi_tempered_logistic_loss
    found = loss(torch.randn(2, 3), torch.eye(3)[:2], 0.8, 1.4, reduction="avg")
    assert found is None
    return f"toolbelt bi_tempered_logistic_loss, reduction='avg': {found}"


@shows("75aa823b78bc2702", "a9d1fd8ef87c992a", "42befa4cd24e5d08")
def segan() -> str:
    """reduction="sum" and "none", which torch's own losses know."""
    path = "speechbrain/lobes/models/segan_model.py"
    made = taken("speechbrain", path, "d1_loss", "d2_loss", "g3_loss")
    outputs = torch.rand(2, 3)
    found = [made[each](outputs, reduction="sum") for each in ("d1_loss", "d2_loss")]
    found.append(made["g3_loss"](outputs, outputs, outputs, None, 1.0, 1.0, reduction="none"))
    assert found == [None, None, None]
    return f"speechbrain d1_loss, d2_loss, g3_loss with other reductions: {found}"


@shows("55659af512e5b385", "9d1ff7ca3549e8b8")
def auraloss_output() -> str:
    """output="Full"; only the transforms and the inner losses are stood in for."""

    class Inner(nn.Module):
        def __init__(self, *_: Any, **__: Any) -> None:
            super().__init__()

        def forward(self, *given: torch.Tensor) -> Any:
            return given if len(given) == 1 else given[0].sum()

    class Pair(Inner):
        def forward(self, *given: torch.Tensor) -> Any:
            return given[0], given[0]

    made = taken(
        "auraloss", "auraloss/freq.py", "SumAndDifferenceSTFTLoss", SumAndDifference=Pair, MultiResolutionSTFTLoss=Inner
    )["SumAndDifferenceSTFTLoss"]
    signal = torch.rand(1, 2, 8)
    found = made([8], [4], [8], output="Full")(signal, signal)
    assert found is None
    lines = ['if self.output == "loss":', "return loss", 'elif self.output == "full":']
    excerpt("auraloss", "auraloss/freq.py", *lines)
    return f"auraloss SumAndDifferenceSTFTLoss, output='Full': {found}; STFTLoss ends in the same two tests"


@shows("869f203617de6c59")
def grover() -> str:
    """The weight of each datapoint, tenfold."""
    loss = taken("deepchem", "deepchem/models/torch_models/grover.py", "GroverModel._finetuning_loss")

    class Model:
        mode = "regression"
        training = False

        @property
        def model(self) -> Any:
            def forward(inputs: torch.Tensor) -> torch.Tensor:
                return inputs

            forward.training = False  # type: ignore[attr-defined]
            return forward

    inputs, labels = torch.rand(3, 1), torch.rand(3, 1)
    found = [loss["_finetuning_loss"](Model(), inputs, labels, torch.full((3, 1), each)) for each in (1.0, 10.0)]
    assert found[0] == found[1]
    return f"deepchem _finetuning_loss, weights 1 and 10: {[each.item() for each in found]}"


@shows("f4208e5dd248cdde", "ec5b493ae74361f9")
def equalization() -> str:
    """use_sigmoid=False, and reduction="none"."""
    made = taken(
        "mmdet",
        "mmdet/models/losses/eqlv2_loss.py",
        "EQLV2Loss",
        partial=__import__("functools").partial,
        print_log=lambda *_, **__: None,
        logging=__import__("logging"),
    )["EQLV2Loss"]
    score, label = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    found = [
        made(num_classes=2, **given)(score, label) for given in ({}, {"use_sigmoid": False}, {"reduction": "none"})
    ]
    assert found[0] == found[1] == found[2]
    return f"mmdet EQLV2Loss, plain, use_sigmoid=False, reduction='none': {[each.item() for each in found]}"


@shows("d0f97d8cf483f42a")
def focal_custom() -> str:
    """activated=True with probabilities."""
    path = "mmdet/models/losses/focal_loss.py"
    kept = taken("mmdet", "mmdet/models/losses/utils.py", "reduce_loss", "weight_reduce_loss")
    made = taken(
        "mmdet",
        path,
        "FocalCustomLoss",
        "py_sigmoid_focal_loss",
        weight_reduce_loss=kept["weight_reduce_loss"],
    )["FocalCustomLoss"]
    probabilities, label = torch.rand(4, 3), torch.tensor([0, 1, 2, 0])
    found = [made(num_classes=3, activated=each)(probabilities, label) for each in (False, True)]
    assert found[0] == found[1]
    return f"mmdet FocalCustomLoss, activated False and True: {[each.item() for each in found]}"


@shows("0f96e247df2d521f")
def distillation() -> str:
    """A target_weight of 0 for every joint."""
    made = taken("mmpose", "mmpose/models/losses/logit_dis_loss.py", "KDLoss")["KDLoss"]("loss_kd", True)
    student, teacher = ((torch.randn(2, 3, 8), torch.randn(2, 3, 8)) for _ in range(2))
    found = [made(student, teacher, 1.0, each) for each in (torch.ones(2, 3), torch.zeros(2, 3))]
    assert found[0] == found[1] != 0
    return f"mmpose KDLoss, target_weight 1 and 0: {[each.item() for each in found]}"


@shows("c0bad89a1a8be477")
def discrepancy() -> str:
    """The function does not even run, since it calls a module."""
    module = taken("pytorch-adapt", "pytorch_adapt/layers/mcd_loss.py", "general_mcd_loss")["general_mcd_loss"]
    assert "p" not in inspect.unwrap(module).__code__.co_names
    try:
        module(torch.randn(2, 3), torch.randn(2, 3), p=2)
    except TypeError as problem:
        return f"pytorch-adapt general_mcd_loss: reads no p, and {problem}"
    raise AssertionError("it ran")


@shows("fc762866aafe98bf")
def distance_transform() -> str:
    """dist_transform=False, documented to return the matrix."""
    made = single_file("segloss", "segloss/src/dtl.py").DistanceTransformLoss()
    matrix = (torch.rand(1, 1, 12, 12) > 0.9).float()
    found = [made.get_distance_matrix(matrix, dist_transform=each) for each in (True, False)]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[1], matrix)
    return "segloss get_distance_matrix: the same with dist_transform True and False"


@shows("76fd278a4392e32c")
def lovasz() -> str:
    """from_logits=False with probabilities."""
    path = "segmentation_models_pytorch/losses/lovasz.py"
    modes = {"BINARY_MODE": "binary", "MULTICLASS_MODE": "multiclass", "MULTILABEL_MODE": "multilabel"}
    names = ("LovaszLoss", "_lovasz_softmax", "_lovasz_softmax_flat", "_flatten_probas", "_lovasz_grad", "mean")
    made = taken("segmentation-models-pytorch", path, *names, **modes, ifilterfalse=__import__("itertools").filterfalse)
    probabilities, label = torch.rand(1, 3, 2, 2).softmax(1), torch.randint(3, (1, 2, 2))
    found = [made["LovaszLoss"]("multiclass", from_logits=each)(probabilities, label) for each in (True, False)]
    assert found[0] == found[1]
    return f"smp LovaszLoss, from_logits True and False: {[each.item() for each in found]}"


@shows("108fee5d3e377df3")
def pose_mask() -> str:
    """A mask of zeros."""
    made = taken("super-gradients", "super_gradients/training/losses/dekr_loss.py", "DEKRLoss")["DEKRLoss"]
    loss = made(heatmap_loss="qfl").heatmap_loss
    heat, truth = torch.randn(1, 2, 4, 4), torch.rand(1, 2, 4, 4)
    found = [loss(heat, truth, each) for each in (torch.ones_like(heat), torch.zeros_like(heat))]
    assert found[0] == found[1] != 0
    return f"DEKRLoss qfl, mask of ones and of zeros: {[each.item() for each in found]}"


@shows("112a89f7572643a7", "1b3ed3373cdf9068", "1c75a487b15347b9", "ef1e99368db089c4")
def unkept() -> str:
    """Statements whose result nothing keeps; none of these methods changes its tensor."""
    excerpt("mmdet", "mmdet/models/dense_heads/rtmdet_ins_head.py", "mask_feat.unsqueeze(0)")
    excerpt("segloss", "segloss/src/abl.py", "torch.clamp(kl_maps, min=0.0, max=20.0)")
    excerpt("speechbrain", "speechbrain/nnet/losses.py", "fake_lab.to(device)")
    excerpt("speechbrain", "speechbrain/nnet/losses.py", "fake_lab_lengths.to(device)")
    kept = torch.full((2,), 30.0)
    torch.clamp(kept, min=0.0, max=20.0)
    kept.unsqueeze(0)
    kept.to("meta")
    assert kept.tolist() == [30.0, 30.0]
    assert kept.device.type == "cpu"
    return "unsqueeze, clamp and to without a name: nothing changed"
