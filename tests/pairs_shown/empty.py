from __future__ import annotations

from types import ModuleType

import torch
from torch import nn

from .seen import breaks, leaf


def ssd_without_positive_anchors(m: ModuleType) -> bool:
    boxes, scores = leaf(2, 5, 4), leaf(2, 5, 3)
    none = torch.zeros(2, 5, dtype=torch.long)
    return breaks(m.SSDLoss(3)(boxes, torch.zeros(2, 5, 4), scores, none), boxes, scores)


def triplet_average_of_active(m: ModuleType) -> bool:
    anchors = leaf(3, 4)
    return breaks(m.TripletMarginLoss()(anchors, anchors.detach(), anchors.detach() + 10), anchors)


def semihard_triplet_without_pairs(m: ModuleType) -> bool:
    embeddings = leaf(4, 6)
    return breaks(m.SemiHardTripletLoss()(embeddings, torch.arange(4)), embeddings)


def yolo_box_loss_without_targets(m: ModuleType) -> bool:
    boxes, classes, obj = leaf(6, 4), leaf(6, 3), leaf(6)
    targets = torch.zeros(6, 4), torch.zeros(6, dtype=torch.long), torch.zeros(6, dtype=torch.bool)
    return breaks(m.ComputeLoss()(boxes, classes, obj, *targets), boxes, classes, obj)


def segmentation_ce_on_void_batch(m: ModuleType) -> bool:
    preds = leaf(1, 3, 4, 4)
    return breaks(m.SemanticSegmentationLoss(3)(preds, torch.full((1, 4, 4), 255)), preds)


def proposal_ratio_without_positives(m: ModuleType) -> bool:
    raw, mask = leaf(1, 4, 4), torch.ones(4, 4, dtype=torch.bool).triu()
    score = raw.sigmoid()
    return breaks(m.ProposalEvaluationLoss()(score, score, torch.full((1, 4, 4), 0.5), mask), raw)


def cox_batch_without_events(m: ModuleType) -> bool:
    hazard = leaf(5, 1)
    return breaks(m.CoxLoss()(hazard, torch.arange(5.0), torch.zeros(5)), hazard)


def supcon_anchor_without_positive(m: ModuleType) -> bool:
    features = leaf(4, 3)
    return breaks(m.SupConLoss(0.8)(features, torch.tensor([0, 1, 1, 3])), features)


def edge_attention_without_edges(m: ModuleType) -> bool:
    logits, target = leaf(1, 2, 4, 4), torch.zeros(1, 4, 4, dtype=torch.long)
    return breaks(m.MaskAttentionLoss(nn.CrossEntropyLoss(reduction="none"))(logits, target, m.edges(target)), logits)


def instance_masks_of_empty_scene(m: ModuleType) -> bool:
    pred, nothing = leaf(3, 10), torch.zeros(0, dtype=torch.long)
    return breaks(m.InstanceCriterion()([pred], [torch.zeros(0, 10)], [(nothing, nothing)]), pred)


def task_contrast_zero_similarity(m: ModuleType) -> bool:
    alone = leaf(1, 6)
    return breaks(m.TaskOrientedContrast()(alone, torch.tensor([2])), alone)


def multi_task_full_mask_constant(m: ModuleType) -> bool:
    head, feats = m.MultiTaskHead(4, {"colour": 3}), leaf(2, 4)
    labels, masks = {"colour": torch.zeros(2, dtype=torch.long)}, {"colour": torch.zeros(2, dtype=torch.bool)}
    return not head(feats, labels, masks)["loss"].requires_grad


def fsaf_tiny_normaliser(m: ModuleType) -> bool:
    scores, boxes = [torch.zeros(8, 2)], [torch.zeros(8, 4)]
    classes, _ = m.FSAFLosses()(scores, boxes, [torch.zeros(8, 2)], [torch.zeros(8, 4)])
    return bool(classes[0] > 10)


def retinanet_zero_normalizer(m: ModuleType) -> bool:
    logits, boxes = leaf(5, 3), leaf(5, 4)
    return breaks(m.RetinaNetLoss(3)(logits, boxes, torch.full((5,), -1), torch.zeros(5, 4)), logits, boxes)
