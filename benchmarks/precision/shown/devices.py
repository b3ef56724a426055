"""Tensors made on the CPU that meet inputs elsewhere: the device "meta" stands for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from .loading import file, shows, single_file, taken


def refused(runs: Callable[[], Any]) -> str:
    """What torch says where one operator gets tensors of two devices."""
    try:
        runs()
    except (RuntimeError, NotImplementedError) as problem:
        assert "meta" in str(problem)
        return str(problem).splitlines()[0]
    raise AssertionError("it ran")


@shows("b3daf487e63ffced")
def variational_autoencoder() -> str:
    """No length, which is the default; on the CPU it runs."""
    path = "speechbrain/nnet/losses.py"
    masks = taken("speechbrain", "speechbrain/dataio/dataio.py", "length_to_mask")
    shape = taken("speechbrain", "speechbrain/utils/data_utils.py", "unsqueeze_as")
    names = ("VariationalAutoencoderLoss", "_reduce_autoencoder_loss", "reduce_loss")
    made = taken(
        "speechbrain",
        path,
        *names,
        "VariationalAutoencoderLossDetails",
        namedtuple=__import__("collections").namedtuple,
        length_to_mask=masks["length_to_mask"],
        unsqueeze_as=shape["unsqueeze_as"],
    )["VariationalAutoencoderLoss"](rec_loss=nn.functional.mse_loss)

    def loss(device: str) -> Any:
        given = torch.ones(2, 3, device=device)
        return made.details((given, None, given, given, None, None), given)

    loss("cpu")
    return f"speechbrain VariationalAutoencoderLoss without a length: {refused(lambda: loss('meta'))}"


@shows("39708973a7587d49")
def contrastive() -> str:
    """norm_kind=None; the other kinds run."""
    made = single_file("neuraltrain", "neuraltrain/losses/losses.py").ClipLoss
    given = torch.ones(3, 4, device="meta")
    for kind in ("x", "y", "xy"):
        made(norm_kind=kind, temperature=False).to("meta")(given, given)
    said = refused(lambda: made(norm_kind=None, temperature=False).to("meta")(given, given))
    return f"neuraltrain ClipLoss(norm_kind=None): {said}"


@shows("c70cbdad823af2ab", "59acb15039a7bb9f", "f741daed82e2d50f")
def variance_reduced() -> str:
    """An output layer with a bias and a factorized covariance, of which the factor of the bias comes first."""
    folder = "inferno/loss_fns"

    class Layer(nn.Module):
        def __init__(self, device: str) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 1, device=device)
            covariance = single_file("inferno-torch", "inferno/bnn/params/covariances/factorized.py")
            self.cov = covariance.FactorizedCovariance()
            self.cov.initialize_parameters({"weight": self.linear.weight, "bias": self.linear.bias})
            assert list(self.cov.factor) == ["bias", "weight"]
            self.params, self.bias, self.out_features = SimpleNamespace(cov=self.cov), self.linear.bias, 1

        def forward(self, x: torch.Tensor, sample_shape: None) -> Any:
            return self.linear(x)

    expanded = taken(
        "inferno-torch",
        f"{folder}/wrapped_torch_loss_fns.py",
        "_predictions_and_expanded_targets",
        "_num_extra_dims",
    )
    names = ("MSELossVR", "BCEWithLogitsLossVR", "CrossEntropyLossVR")
    made = taken(
        "inferno-torch",
        f"{folder}/variance_reduced_loss_fns.py",
        *names,
        bnn=SimpleNamespace(Linear=Layer, BNNMixin=Layer),
        MSELoss=nn.MSELoss,
        Literal=__import__("typing").Literal,
        _predictions_and_expanded_targets=expanded["_predictions_and_expanded_targets"],
    )
    seen = []
    for name in names:

        def loss(device: str, name: str = name) -> Any:
            target = torch.zeros(3, device=device, dtype=torch.long)
            target = target if name == "CrossEntropyLossVR" else target.float().unsqueeze(-1)
            return made[name]()(torch.ones(3, 2, device=device), Layer(device), target)

        loss("cpu")
        seen.append(f"{name}: {refused(partial(loss, 'meta'))}")
    return f"inferno {'; '.join(seen)}"


@shows(
    "5b2a7294eb8b06ee",
    "aa2eea649886692b",
    "e31032a553759063",
    "f93bfc59353f3c5b",
    "07e6182d86746251",
    "d02eff1d8a82d9df",
    "cf456f7aa5ab320f",
    "641148fa5f78e152",
    "99398270724cc99a",
    "55b1e1a1fd6132eb",
    "7c2ba9003868ea2a",
)
def holt_winters() -> str:
    """The module with a device given everywhere, which runs, and with every such place but one, which does not.

    A GPU lets the CPU tensors of 61, 80, 104 and 133 be filled, as the device meta does not, and refuses their next use.
    """
    seen = []
    for multiplicative, lines in (
        (True, (61, 68, 133, 188, 200, 202, 205, 206)),
        (False, (80, 86, 104, 188, 200, 202, 205, 206)),
    ):
        run_holt_winters(multiplicative, None)
        seen += [f"{line}: {refused(partial(run_holt_winters, multiplicative, line))}" for line in lines]
    return f"torch-es DSHWModule, the device left out in one line: {'; '.join(dict.fromkeys(seen))}"


def run_holt_winters(multiplicative: bool, left_out: int | None) -> None:
    """The module on the device meta; lines 61 and 80 stand for the functions of the seasons that they call."""
    namespace: dict[str, Any] = {}
    for path in ("utils/modelparams.py", "utils/seasonality.py", "modules/dshw_module.py"):
        lines = file("torch-es", f"torches/{path}").read_text().splitlines()
        for number, line in enumerate(lines):
            if line.startswith("from torches"):
                lines[number] = ""
            elif number + 1 != left_out and not (left_out in (61, 80) and "seasonality" in path):
                for made in (
                    "zeros((bs, 1, f)",
                    "empty((bs, n, f)",
                    "arange(1, max_h + 1",
                    "zeros(phis.size()",
                ):
                    lines[number] = lines[number].replace(f"torch.{made})", f"torch.{made}, device=y.device)")
        exec("\n".join(lines), namespace)
    module = namespace["DSHWModule"](1, 2, 4, [3], enable_ar=True, is_multiplicative=multiplicative)
    module.to("meta")(torch.ones(1, 8, 1, device="meta"))
