"""Losses for boxes and for dense detectors."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class GIoULoss(nn.Module):
    """Generalised intersection over union of boxes (N, 4) as x1, y1, x2, y2."""

    def __init__(self, eps=1e-7):
        super().__init__()
        self.eps = eps

    def forward(self, pred_boxes, target_boxes):
        top_left = torch.max(pred_boxes[:, :2], target_boxes[:, :2])
        bottom_right = torch.min(pred_boxes[:, 2:], target_boxes[:, 2:])
        inner = (bottom_right - top_left).clamp(min=0).prod(dim=1)
        pred_area = (pred_boxes[:, 2:] - pred_boxes[:, :2]).clamp(min=0).prod(dim=1)
        target_area = (target_boxes[:, 2:] - target_boxes[:, :2]).clamp(min=0).prod(dim=1)
        union = pred_area + target_area - inner
        iou = inner / (union + self.eps)
        outer_top_left = torch.min(pred_boxes[:, :2], target_boxes[:, :2])
        outer_bottom_right = torch.max(pred_boxes[:, 2:], target_boxes[:, 2:])
        outer = (outer_bottom_right - outer_top_left).clamp(min=0).prod(dim=1)
        giou = iou - (outer - union) / (outer + self.eps)
        return (1 - giou).sum() / max(len(pred_boxes), 1)


class AnchorLoss(nn.Module):
    """Class and box terms of an anchor-based detector, both over the number of positive anchors.

    logits and labels: (N, A); deltas and target_deltas: (N, A, 4).
    """

    def __init__(self, alpha=0.25, gamma=2.0, beta=1.0 / 9, box_weight=1.0):
        super().__init__()
        self.alpha = alpha
        self.gamma = gamma
        self.beta = beta
        self.box_weight = box_weight

    def forward(self, logits, labels, deltas, target_deltas):
        labels = labels.to(logits.dtype)
        count = labels.sum().clamp(min=1)
        p = torch.sigmoid(logits)
        ce = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        p_t = p * labels + (1 - p) * (1 - labels)
        alpha_t = self.alpha * labels + (1 - self.alpha) * (1 - labels)
        class_loss = (alpha_t * (1 - p_t) ** self.gamma * ce).sum() / count
        box = F.smooth_l1_loss(deltas, target_deltas, beta=self.beta, reduction="none").sum(dim=-1)
        box_loss = (box * labels).sum() / count
        return class_loss + self.box_weight * box_loss


def objectness_loss(logits, target, ignore, pos_weight=2.0):
    """Weighted binary cross entropy (N, A) that leaves out what `ignore` marks."""
    keep = (~ignore.bool()).to(logits.dtype)
    weight = torch.full_like(logits[0], pos_weight)
    loss = F.binary_cross_entropy_with_logits(logits, target, pos_weight=weight, reduction="none")
    return (loss * keep).sum() / keep.sum().clamp(min=1)


def keypoint_loss(heatmaps, target_heatmaps, visible):
    """Squared error of heatmaps (N, K, H, W) over the keypoints that are visible (N, K)."""
    visible = visible.to(heatmaps.dtype)
    per_keypoint = ((heatmaps - target_heatmaps) ** 2).mean(dim=(2, 3))
    return (per_keypoint * visible).sum() / max(float(visible.sum()), 1.0)
