"""torch's own losses and distances, and the torch.nn modules that stand for operators."""

from __future__ import annotations

from losslint.semantics.operators.model import (
    NON_NEGATIVE,
    SIGNED_UNIT,
    ModuleOperator,
    Operator,
    Shape,
    operator,
    parameters,
)

_OLD = "size_average= reduce= reduction="
_SIGNATURES = {
    "mse_loss": f"input target {_OLD} weight=",
    "l1_loss": f"input target {_OLD} weight=",
    "smooth_l1_loss": f"input target {_OLD} beta=",
    "huber_loss": "input target reduction= delta= weight=",
    "binary_cross_entropy": f"input target weight= {_OLD}",
    "binary_cross_entropy_with_logits": f"input target weight= {_OLD} pos_weight=",
    "nll_loss": "input target weight= size_average= ignore_index= reduce= reduction=",
    "kl_div": f"input target {_OLD} log_target=",
    "poisson_nll_loss": "input target log_input= full= size_average= eps= reduce= reduction=",
    "gaussian_nll_loss": "input target var full= eps= reduction=",
    "cosine_embedding_loss": f"input1 input2 target margin= {_OLD}",
    "hinge_embedding_loss": f"input target margin= {_OLD}",
    "margin_ranking_loss": f"input1 input2 target margin= {_OLD}",
    "multi_margin_loss": f"input target p= margin= weight= {_OLD}",
    "multilabel_margin_loss": f"input target {_OLD}",
    "multilabel_soft_margin_loss": f"input target weight= {_OLD}",
    "soft_margin_loss": f"input target {_OLD}",
    "triplet_margin_loss": f"anchor positive negative margin= p= eps= swap= {_OLD}",
    "triplet_margin_with_distance_loss": "anchor positive negative distance_function= margin= swap= reduction=",
    "ctc_loss": "log_probs targets input_lengths target_lengths blank= reduction= zero_infinity=",
}
_SIGNED = {"nll_loss", "kl_div", "poisson_nll_loss", "gaussian_nll_loss"}

ROWS: tuple[Operator, ...] = (
    *(
        operator(name, signature, Shape.LOSS, where="F", result=None if name in _SIGNED else NON_NEGATIVE)
        for name, signature in _SIGNATURES.items()
    ),
    operator(
        "cross_entropy_loss",
        "input target weight= size_average= ignore_index= reduce= reduction= label_smoothing=",
        Shape.LOSS,
        where="F",
        public="cross_entropy",
        result=NON_NEGATIVE,
    ),
    operator("cosine_similarity", "x1 x2 dim= eps=", Shape.DISTANCE, where="torch F", result=SIGNED_UNIT),
    operator("pairwise_distance", "x1 x2 p= eps= keepdim=", Shape.DISTANCE, where="torch F", result=NON_NEGATIVE),
    operator("cdist", "x1 x2 p= compute_mode=", Shape.OTHER, where="torch", result=NON_NEGATIVE),
    operator("pdist", "input p=", Shape.OTHER, where="torch F", result=NON_NEGATIVE),
)

_ACTIVATIONS = {
    "Softmax": ("softmax", "dim="),
    "LogSoftmax": ("log_softmax", "dim="),
    "Softmin": ("softmin", "dim="),
    "Sigmoid": ("sigmoid", ""),
    "LogSigmoid": ("log_sigmoid", ""),
    "Softplus": ("softplus", "beta= threshold="),
    "ReLU": ("relu", "inplace="),
    "ReLU6": ("relu6", ""),
    "LeakyReLU": ("leaky_relu", "negative_slope="),
    "ELU": ("elu", "alpha="),
    "SELU": ("selu", ""),
    "GELU": ("gelu", "approximate="),
    "SiLU": ("silu", ""),
    "Mish": ("mish", ""),
    "Tanh": ("tanh", ""),
    "Hardsigmoid": ("hardsigmoid", ""),
    "Hardtanh": ("hardtanh", "min_val= max_val="),
    "Softsign": ("softsign", ""),
    "Dropout": ("dropout", "p="),
    "CosineSimilarity": ("cosine_similarity", "dim= eps="),
    "PairwiseDistance": ("pairwise_distance", "p= eps= keepdim="),
    "Flatten": ("flatten", "start_dim= end_dim="),
    "AvgPool2d": ("avg_pool2d", "kernel_size stride= padding="),
    "MaxPool2d": ("max_pool2d", "kernel_size stride= padding="),
}
_CRITERIA = {
    "MSELoss": ("mse_loss", _OLD),
    "L1Loss": ("l1_loss", _OLD),
    "SmoothL1Loss": ("smooth_l1_loss", f"{_OLD} beta="),
    "HuberLoss": ("huber_loss", "reduction= delta="),
    "BCELoss": ("binary_cross_entropy", f"weight= {_OLD}"),
    "BCEWithLogitsLoss": ("binary_cross_entropy_with_logits", f"weight= {_OLD} pos_weight="),
    "CrossEntropyLoss": (
        "cross_entropy_loss",
        "weight= size_average= ignore_index= reduce= reduction= label_smoothing=",
    ),
    "NLLLoss": ("nll_loss", "weight= size_average= ignore_index= reduce= reduction="),
    "KLDivLoss": ("kl_div", f"{_OLD} log_target="),
    "PoissonNLLLoss": ("poisson_nll_loss", "log_input= full= size_average= eps= reduce= reduction="),
    "GaussianNLLLoss": ("gaussian_nll_loss", "full= eps= reduction="),
    "CosineEmbeddingLoss": ("cosine_embedding_loss", f"margin= {_OLD}"),
    "HingeEmbeddingLoss": ("hinge_embedding_loss", f"margin= {_OLD}"),
    "MarginRankingLoss": ("margin_ranking_loss", f"margin= {_OLD}"),
    "MultiMarginLoss": ("multi_margin_loss", f"p= margin= weight= {_OLD}"),
    "MultiLabelMarginLoss": ("multilabel_margin_loss", _OLD),
    "MultiLabelSoftMarginLoss": ("multilabel_soft_margin_loss", f"weight= {_OLD}"),
    "SoftMarginLoss": ("soft_margin_loss", _OLD),
    "TripletMarginLoss": ("triplet_margin_loss", f"margin= p= eps= swap= {_OLD}"),
    "TripletMarginWithDistanceLoss": (
        "triplet_margin_with_distance_loss",
        "distance_function= margin= swap= reduction=",
    ),
    "CTCLoss": ("ctc_loss", "blank= reduction= zero_infinity="),
}
_CONVOLUTION = "in_channels out_channels kernel_size stride= padding="
_PLAIN_LAYERS = (
    "Module Sequential ModuleList ModuleDict LazyLinear BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm LayerNorm "
    "RMSNorm GroupNorm InstanceNorm1d InstanceNorm2d InstanceNorm3d EmbeddingBag RNN LSTM GRU RNNCell LSTMCell "
    "GRUCell MultiheadAttention TransformerEncoder TransformerEncoderLayer TransformerDecoder "
    "TransformerDecoderLayer Identity Upsample UpsamplingBilinear2d UpsamplingNearest2d AdaptiveAvgPool1d "
    "AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d AvgPool1d AvgPool3d MaxPool1d "
    "MaxPool3d PReLU CELU Hardswish GLU Dropout1d Dropout2d Dropout3d AlphaDropout PixelShuffle Unflatten "
    "ReflectionPad1d ReflectionPad2d ZeroPad2d DataParallel DistributedDataParallel"
).split()
_OPAQUE = {
    **dict.fromkeys(_PLAIN_LAYERS, ""),
    **dict.fromkeys("Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d".split(), _CONVOLUTION),
    "Linear": "in_features out_features bias=",
    "Bilinear": "in1_features in2_features out_features bias=",
    "Embedding": "num_embeddings embedding_dim",
    "AdaptiveAvgPool2d": "output_size",
}


def modules(by_name: dict[str, Operator]) -> dict[str, ModuleOperator]:
    """The torch.nn modules by full name."""
    found: dict[str, ModuleOperator] = {}
    for name, (called, constructor) in {**_ACTIVATIONS, **_CRITERIA}.items():
        bound = parameters(constructor)
        kept = {parameter.name: parameter.name for parameter in bound}
        defaults = {"start_dim": 1} if name == "Flatten" else {}
        found[f"torch.nn.{name}"] = ModuleOperator(by_name[called], bound, kept, defaults)
    for name, constructor in _OPAQUE.items():
        found[f"torch.nn.{name}"] = ModuleOperator(None, parameters(constructor))
    return found
