"""Losses that saturate, become NaN, never come near 0, weigh the wrong way or change what they are given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

from .loading import shows, single_file, taken


@shows("9ace2652287f43be", "55b7e9cee8f6edc2")
def angular_margins() -> str:
    """Four classes that are easy to tell apart, learnt with features of two dimensions."""
    seen = []
    for path, name, given in (("magface", "MagFace", {}), ("mv_softmax", "MV_Softmax", {"is_am": False})):
        torch.manual_seed(0)
        module = single_file("doraemon-torch", f"doraemon/models/representation/head/{path}.py")
        head = getattr(module, name)(2, 4, **given)
        net = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 2))
        label = torch.arange(64) % 4
        x = torch.randn(64, 16) + 3 * nn.functional.one_hot(label, 16)
        weights = [*net.parameters(), *head.parameters()]
        optimizer = optim.Adam(weights, 1e-2)
        for step in range(400):
            out = head(net(x), label)
            logits, beside = out if isinstance(out, tuple) else (out, torch.zeros(1))
            optimizer.zero_grad()
            (nn.functional.cross_entropy(logits, label) + beside.mean()).backward()
            optimizer.step()
            if any(each.isnan().any() for each in weights):
                seen.append(f"{name} after {step + 1} steps")
                break
    assert len(seen) == 2
    return f"doraemon heads, weights NaN: {', '.join(seen)}"


@shows("e0e147c7e51e22c7", "3f26b9b6eb05f13d", "d1ef357814e8d49d")
def adversarial() -> str:
    """Logits on the wrong side, as the first steps with RMSprop give them."""
    path = "gguf_gan/trainer.py"
    made = taken("gguf-gan", path, "Discriminator", "discriminator_loss", "generator_loss")
    assert isinstance(made["Discriminator"](24, 3).sigmoid, nn.Sigmoid)
    real, fake, generated = (torch.tensor([each], requires_grad=True) for each in (-110.0, 18.0, -110.0))
    made["discriminator_loss"](real.sigmoid(), fake.sigmoid(), nn.BCELoss()).backward()
    made["generator_loss"](generated.sigmoid(), nn.BCELoss()).backward()
    found = [each.grad.item() for each in (real, fake, generated) if each.grad is not None]
    assert found == [0, 0, 0]
    return f"gguf-gan, gradients at logits -110 (real), 18 (fake) and -110 (generator): {found}"


@shows("fe7ca52381e6046b")
def logistic_regression() -> str:
    """A feature of 1500 with the wrong label: nothing is learnt."""
    path, name = "sk_in_torch/linear_model.py", "LogisticRegressionNN"
    model = taken("sk-in-torch", path, name, DataLoader=DataLoader, TensorDataset=TensorDataset)[name](1)
    nn.init.constant_(model.linear.weight, 0.5)
    model.fit([[1500.0]], [0.0], n_iter=100)
    assert model.coef_.item() == 0.5
    return f"sk-in-torch {name}, feature 1500, label 0, 100 steps: the weight stays {model.coef_.item()}"


@shows("687ddc29e48064fd", "2b2d1fab7ab932c2")
def divergence_of_a_sequence() -> str:
    """The divergence of sequences of 1000 points."""
    path = "rctorch/custom_loss.py"
    made = taken("rctorch", path, "custom_kl_loss", KLDivLoss=nn.KLDivLoss)["custom_kl_loss"]()
    given = torch.randn(1000), torch.randn(1000)
    made(*given)
    target, found = made.soften(*given)
    mean, whole = made.kl(target, found), nn.KLDivLoss(reduction="sum", log_target=True)(target, found)
    assert torch.isclose(mean * 1000, whole)
    return f"rctorch custom_kl_loss, 1000 points: {mean.item()} where the divergence is {whole.item()}"


@shows("3c39d7318681aa71", "a949238edb278b20")
def hard_mining() -> str:
    """Any call, in both packages."""
    mined = [
        single_file("torchblocks", "losses/hard_mining.py").HardMining(),
        single_file("torchblocks-chen", "torchblocks/losses/hard_mining.py").HardMining(),
    ]
    said = [fails(each) for each in mined]
    return f"torchblocks HardMining: {said}"


def fails(loss: nn.Module) -> str:
    """What it says of four samples."""
    try:
        loss(torch.randn(4, 3), torch.tensor([0, 1, 2, 0]))
    except IndexError as problem:
        return str(problem)
    raise AssertionError("it ran")


@shows("299755a81bce96a0")
def domain_classifier() -> str:
    """Domains that are told apart without a mistake."""
    network = single_file("torchcp", "torchcp/classification/predictor/utils.py")
    train = taken(
        "torchcp",
        "torchcp/classification/predictor/weight.py",
        "WeightedPredictor._train_domain_classifier",
        build_DomainDetecor=network.build_DomainDetecor,
        optim=optim,
    )["_train_domain_classifier"]
    source = torch.full((200, 4), -100.0)
    predictor = SimpleNamespace(source_image_features=source, _device="cpu", domain_classifier=None)
    train(predictor, -source)
    outputs = predictor.domain_classifier(torch.cat((source, -source)))
    label = torch.arange(2).repeat_interleave(200)
    assert torch.equal(outputs.argmax(1), label)
    found = nn.functional.cross_entropy(outputs, label)
    assert found > 0.313
    return f"torchcp domain classifier, every sample right: {found.item():.4f}"


@shows("711f11963dcba7a0", "7dc224658e5478f9")
def crisp_truth() -> str:
    """A sigmoid and a softmax that round to 1."""
    given = {"cast": __import__("typing").cast, "_check_reduction": lambda _: None}
    made = taken("torchmodal", "torchmodal/losses.py", "CrystallizationLoss", "SemanticLoss", **given)
    seen = []
    for name, logits in (("CrystallizationLoss", [20.0]), ("SemanticLoss", [[30.0, 0.0, -3.0]])):
        value = torch.tensor(logits, requires_grad=True)
        loss = made[name]()(value.sigmoid() if value.dim() == 1 else value.softmax(-1))
        loss.backward()
        assert value.grad is not None
        assert loss.isnan()
        assert value.grad.isnan().any()
        seen.append(f"{name} of logits {logits}: {loss.item()}")
    return f"torchmodal {'; '.join(seen)}"


@shows("b2ac2302f76ade6b", "76bd057a35401b06")
def structured() -> str:
    """A teacher that says something else, and any call of kl_loss."""
    path = "torchsense/metrics/kd_losses.py"
    made = taken("torchsense", path, "StructuredLoss", negative_si_snr=nn.functional.mse_loss)["StructuredLoss"]()
    layers = {"student_1": torch.rand(2, 3), "teacher_1": torch.rand(2, 3)}
    prediction, truth = torch.rand(2, 3), torch.rand(2, 3)
    found = [made(prediction, truth, [each], layers, [1]) for each in (prediction, prediction + 100)]
    assert found[0] == found[1]
    try:
        made.kl_loss("student_1", "teacher_1", layers)
    except UnboundLocalError as problem:
        return f"torchsense StructuredLoss, two teachers: {[each.item() for each in found]}; kl_loss: {problem}"
    raise AssertionError("it ran")


def metric(name: str) -> Any:
    """A loss of torchsense/metrics/triplet.py."""
    helpers = ("euclidean_dist_pytorch", "_batch_hard2", "_batch_all")
    return taken("torchsense", "torchsense/metrics/triplet.py", *helpers, name)[name]


@shows("5675afd3031ec501")
def two_scales() -> str:
    """A prediction that is right, with and without normalize_feature; a margin of 0 leaves the error alone."""
    label = 10 * torch.randn(4, 1, 8)
    found = [metric("TripletLoss")(margin=0.0, normalize_feature=each)(label, label, label) for each in (False, True)]
    assert found[0] == 0
    assert found[1] > 1
    return f"torchsense TripletLoss of perfect predictions, normalize_feature False and True: {[each.item() for each in found]}"


@shows("b491c586a9b2169f")
def neighbours() -> str:
    """Embeddings 12 apart at a temperature of 0.1, and classes of three members and one at the default."""
    seen = []
    for given, temperature, label in (
        (torch.tensor([[0.0], [0.1], [12.0], [12.1]]), 0.1, torch.tensor([0, 0, 1, 1])),
        (torch.rand(4, 2), 1, torch.tensor([0, 0, 0, 1])),
    ):
        embedding = given.clone().requires_grad_()
        loss = metric("NNLoss")(T=temperature)(embedding, given, label)
        loss.backward()
        assert embedding.grad is not None
        assert not loss.isfinite()
        assert embedding.grad.isnan().any()
        seen.append(f"{loss.item()}, gradient {embedding.grad[0].tolist()}")
    return f"torchsense NNLoss, embeddings 12 apart at T=0.1, classes of three and one: {'; '.join(seen)}"


@shows("acb8b4a0618c1a26", "ec85519b04a365e8")
def focal() -> str:
    """Two negatives, an easy and a hard one; and logits of which the class to ignore is set to 0 in place."""
    names = ("binary_focal_loss", "multiclass_focal_loss", "_to_tensor", "_get_reduction")
    made = taken("torchtraining", "torchtraining/functional/loss.py", *names, typing=__import__("typing"))
    logits = torch.tensor([[-4.0], [4.0]])
    easy, hard = (made["binary_focal_loss"](each, torch.zeros(1), 2.0) for each in logits)
    assert easy > hard
    outputs = torch.tensor([[1.0, 5.0, 2.0]])
    made["multiclass_focal_loss"](outputs, torch.tensor([0]), 2.0, ignore_index=1)
    assert outputs.argmax() == 2
    seen = f"easy and hard negative {easy.item():.4f}, {hard.item():.4f}"
    return f"torchtraining focal losses: {seen}; logits (1, 5, 2) afterwards {outputs.tolist()}"
