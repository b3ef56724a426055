from __future__ import annotations

from types import ModuleType

import torch

from .seen import leaf, raises


def labels_filled_in_place(m: ModuleType) -> bool:
    labels = torch.tensor([[1, 2, 3]])
    m.MaskedCrossEntropy()(torch.zeros(1, 3, 5), labels, torch.tensor([[1, 0, 1]]))
    return bool((labels == -100).any())


def asymmetric_probabilities_in_place(m: ModuleType) -> bool:
    logits = leaf(2, 3)
    return raises(lambda: m.AsymmetricLossMultiLabel()(logits, torch.ones(2, 3)).backward(), RuntimeError)


def mask_labels_zeroed(m: ModuleType) -> bool:
    labels = torch.tensor([1, 2])
    m.MaskHeadLoss()(torch.zeros(2, 1, 3, 3), torch.ones(2, 3, 3), torch.zeros(2, 3), labels)
    return not bool(labels.all())
