"""The shape a torch.nn layer gives to what it is called on."""

from __future__ import annotations

from losslint.semantics.measures import literal_int, size_of, sizes_of
from losslint.semantics.sizes import Sizes, replaced
from losslint.semantics.values import Value

_KEEPS = frozenset(
    (
        "BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm LayerNorm RMSNorm GroupNorm InstanceNorm1d InstanceNorm2d "
        "InstanceNorm3d Identity PReLU CELU Hardswish Dropout1d Dropout2d Dropout3d AlphaDropout"
    ).split()
)
_SPATIAL = {f"{name}{number}d": number for name in ("Conv", "ConvTranspose") for number in (1, 2, 3)}


def layer_sizes(layer: Value, called_on: Value) -> Sizes | None:
    """The shape of `layer(x)`: a Linear changes the last dimension, a convolution the channels and what is behind them."""
    name = layer.origin.label.rpartition(".")[2]
    sizes = sizes_of(called_on)
    if sizes is None or not layer.origin.label.startswith("torch.nn."):
        return None
    if name in _KEEPS:
        return sizes
    built = layer.origin.keywords
    if name in ("Linear", "Bilinear"):
        features = built.get("out_features")
        return replaced(sizes, -1, "" if features is None else size_of(features))
    if name == "Embedding":
        features = built.get("embedding_dim")
        return (*sizes, "" if features is None else size_of(features))
    if name in _SPATIAL:
        channels = built.get("out_channels")
        return _with_last(sizes, "" if channels is None else size_of(channels), *("",) * _SPATIAL[name])
    if name == "AdaptiveAvgPool2d":
        side = literal_int(built.get("output_size"))
        return _with_last(sizes, *((side,) * 2 if side is not None else ("", "")))
    return None


def _with_last(sizes: Sizes, *last: str | int) -> Sizes | None:
    result: Sizes | None = sizes
    for position, size in enumerate(last):
        result = None if result is None else replaced(result, position - len(last), size)
    return result
