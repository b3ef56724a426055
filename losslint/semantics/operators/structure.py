"""Operators that reduce, select, reshape, join, make or cast."""

from __future__ import annotations

from losslint.semantics.operators.model import (
    NON_NEGATIVE,
    NON_POSITIVE,
    UNIT,
    GradientClass,
    Interval,
    Operator,
    Shape,
    operator,
)

_NONE = GradientClass.NONE
_T = "torch method"


def _reductions() -> tuple[Operator, ...]:
    kind = Shape.REDUCTION
    return (
        *(
            operator(name, "input dim= keepdim= dtype=", kind, where=_T)
            for name in ("sum", "mean", "nansum", "nanmean")
        ),
        operator("prod", "input dim= keepdim= dtype=", kind, where=_T),
        operator("std", "input dim= unbiased= keepdim=", kind, where=_T, result=NON_NEGATIVE),
        operator("var", "input dim= unbiased= keepdim=", kind, where=_T, result=NON_NEGATIVE),
        operator("logsumexp", "input dim keepdim=", kind, where="torch special method"),
        operator("norm", "input p= dim= keepdim= dtype=", kind, where=_T, result=NON_NEGATIVE),
        operator(
            "linalg_vector_norm",
            "x ord= dim= keepdim= dtype=",
            kind,
            where="linalg",
            public="vector_norm",
            result=NON_NEGATIVE,
        ),
        operator(
            "linalg_norm", "A ord= dim= keepdim= dtype=", kind, where="linalg", public="norm", result=NON_NEGATIVE
        ),
        operator("quantile", "input q dim= keepdim=", kind, where=_T),
        operator("nanquantile", "input q dim= keepdim=", kind, where=_T),
        operator("amax", "input dim= keepdim=", kind, where=_T),
        operator("amin", "input dim= keepdim=", kind, where=_T),
        operator(
            "max",
            "input dim= keepdim=",
            kind,
            where=_T,
            outputs_need="dim",
            outputs="values indices",
            differentiable=(True, False),
        ),
        operator(
            "min",
            "input dim= keepdim=",
            kind,
            where=_T,
            outputs_need="dim",
            outputs="values indices",
            differentiable=(True, False),
        ),
        operator(
            "median",
            "input dim= keepdim=",
            kind,
            where=_T,
            outputs_need="dim",
            outputs="values indices",
            differentiable=(True, False),
        ),
        operator("mode", "input dim= keepdim=", kind, where=_T, outputs="values indices", differentiable=(True, False)),
        operator("argmax", "input dim= keepdim=", kind, _NONE, where=_T, dtype="int", result=NON_NEGATIVE),
        operator("argmin", "input dim= keepdim=", kind, _NONE, where=_T, dtype="int", result=NON_NEGATIVE),
        operator("count_nonzero", "input dim=", kind, _NONE, where=_T, dtype="int", result=NON_NEGATIVE),
        operator("any", "input dim= keepdim=", kind, _NONE, where=_T, dtype="bool", result=UNIT),
        operator("all", "input dim= keepdim=", kind, _NONE, where=_T, dtype="bool", result=UNIT),
        operator("trace", "input", kind, where=_T),
    )


def _along_a_dim() -> tuple[Operator, ...]:
    kind = Shape.SOFTMAX_LIKE
    return (
        operator("softmax", "input dim= _stacklevel= dtype=", kind, where="F", dtype="float", result=UNIT),
        operator("softmin", "input dim= _stacklevel= dtype=", kind, where="F", dtype="float", result=UNIT),
        operator("log_softmax", "input dim= _stacklevel= dtype=", kind, where="F", dtype="float", result=NON_POSITIVE),
        operator("gumbel_softmax", "logits tau= hard= eps= dim=", kind, where="F", result=UNIT, random=True),
        operator("normalize", "input p= dim= eps=", kind, where="F"),
        operator("cumsum", "input dim", kind, where=_T),
        operator("cumprod", "input dim", kind, where=_T),
        operator("logcumsumexp", "input dim", kind, where=_T),
    )


def _shortened() -> tuple[Operator, ...]:
    """torch.softmax and x.softmax take no stack level; hstack and vstack join by a dimension that depends on the rank."""
    kind = Shape.SOFTMAX_LIKE
    return (
        operator("softmax", "input dim dtype=", kind, where="torch special method", dtype="float", result=UNIT),
        operator(
            "log_softmax", "input dim dtype=", kind, where="torch special method", dtype="float", result=NON_POSITIVE
        ),
        operator("cat", "tensors", Shape.OTHER, where="", also=("torch.hstack", "torch.vstack")),
    )


def _selections() -> tuple[Operator, ...]:
    kind = Shape.SELECT
    pair = "values indices"
    return (
        operator("gather", "input dim index", kind, where=_T),
        operator("take_along_dim", "input indices dim=", kind, where=_T),
        operator("index_select", "input dim index", kind, where=_T),
        operator("masked_select", "input mask", kind, where=_T),
        operator("take", "input index", kind, where=_T),
        operator("scatter", "input dim index src", kind, where=_T),
        operator("scatter_add", "input dim index src", kind, where=_T),
        operator("index_add", "input dim index source", kind, where=_T),
        operator("index_fill", "input dim index value", kind, where=_T),
        operator("topk", "input k dim= largest= sorted=", kind, where=_T, outputs=pair, differentiable=(True, False)),
        operator("sort", "input dim= descending= stable=", kind, where=_T, outputs=pair, differentiable=(True, False)),
        operator("kthvalue", "input k dim= keepdim=", kind, where=_T, outputs=pair, differentiable=(True, False)),
        operator("cummax", "input dim", kind, where=_T, outputs=pair, differentiable=(True, False)),
        operator("cummin", "input dim", kind, where=_T, outputs=pair, differentiable=(True, False)),
        operator("argsort", "input dim= descending= stable=", kind, _NONE, where=_T, dtype="int", result=NON_NEGATIVE),
        operator("nonzero", "input", kind, _NONE, where=_T, dtype="int", result=NON_NEGATIVE),
        operator("searchsorted", "sorted_sequence input", kind, _NONE, where="torch", dtype="int", result=NON_NEGATIVE),
        operator("bucketize", "input boundaries", kind, _NONE, where="torch", dtype="int", result=NON_NEGATIVE),
        operator("unique", "input", kind, where=_T),
        operator("bincount", "input weights= minlength=", Shape.OTHER, _NONE, where=_T),
        operator("histc", "input bins= min= max=", Shape.OTHER, _NONE, where=_T, result=NON_NEGATIVE),
        operator("one_hot", "input num_classes=", Shape.OTHER, _NONE, where="F", dtype="int", result=UNIT),
        operator(
            "multinomial",
            "input num_samples",
            Shape.OTHER,
            _NONE,
            where=_T,
            dtype="int",
            result=NON_NEGATIVE,
            random=True,
        ),
        operator("isin", "elements test_elements", Shape.POINTWISE, _NONE, where="torch", dtype="bool", result=UNIT),
        operator("equal", "input other", Shape.PREDICATE, _NONE, where=_T),
        operator("allclose", "input other rtol= atol=", Shape.PREDICATE, _NONE, where=_T),
    )


def _views() -> tuple[Operator, ...]:
    view, copy = Shape.VIEW, Shape.RESHAPE_COPY
    return (
        operator("view", "input shape", view, where="method"),
        operator("reshape", "input shape", view, where=_T),
        operator("flatten", "input start_dim= end_dim=", view, where=_T),
        operator("ravel", "input", view, where=_T),
        operator("permute", "input dims", view, where=_T),
        operator("transpose", "input dim0 dim1", view, where=_T, also=("torch.swapaxes", ".swapaxes")),
        operator("t", "input", view, where=_T),
        operator("movedim", "input source destination", view, where=_T, also=("torch.moveaxis", ".moveaxis")),
        operator("squeeze", "input dim=", view, where=_T),
        operator("unsqueeze", "input dim", view, where=_T),
        operator("expand", "input size", view, where="method"),
        operator("broadcast_to", "input size", view, where=_T),
        operator("expand_as", "input other", view, where="method"),
        operator("view_as", "input other", view, where="method"),
        operator("narrow", "input dim start length", view, where=_T),
        operator("select", "input dim index", view, where=_T),
        operator("diag", "input diagonal=", Shape.SELECT, where=_T),
        operator("diagonal", "input offset= dim1= dim2=", view, where=_T),
        operator("chunk", "input chunks dim=", view, where=_T),
        operator("split", "tensor split_size_or_sections dim=", view, where=_T),
        operator("unbind", "input dim=", view, where=_T),
        operator("unfold", "input dimension size step", view, where="method"),
        operator("contiguous", "input", view, where="method"),
        operator("detach", "input", view, where="method"),
        operator("clone", "input", copy, where=_T),
        operator("repeat", "input repeats", copy, where="method"),
        operator("repeat_interleave", "input repeats dim=", copy, where=_T),
        operator("tile", "input dims", copy, where=_T),
        operator("flip", "input dims", copy, where=_T),
        operator("roll", "input shifts dims=", copy, where=_T),
        operator("tril", "input diagonal=", copy, where=_T),
        operator("triu", "input diagonal=", copy, where=_T),
        operator("real", "input", Shape.OTHER, where="torch"),
        operator("imag", "input", Shape.OTHER, where="torch"),
        operator("pad", "input pad mode= value=", Shape.OTHER, where="F"),
        operator(
            "cat",
            "tensors dim=",
            Shape.JOIN,
            where="torch",
            also=("torch.concat", "torch.concatenate"),
        ),
        operator("stack", "tensors dim=", Shape.JOIN, where="torch"),
    )


def _factories() -> tuple[Operator, ...]:
    kind = Shape.FACTORY
    sized = {"zeros": Interval(0, 0), "ones": Interval(1, 1), "empty": None, "rand": UNIT, "randn": None}
    rows = [
        operator(name, "size dtype= device=", kind, where="torch", result=result, random=name.startswith("rand"))
        for name, result in sized.items()
    ]
    rows += [
        operator(
            f"{name}_like", "input dtype= device=", kind, where="torch", result=result, random=name.startswith("rand")
        )
        for name, result in sized.items()
    ]
    rows += [
        operator(f"new_{name}", "input size dtype= device=", kind, where="method", result=result)
        for name, result in sized.items()
        if not name.startswith("rand")
    ]
    return (
        *rows,
        operator("full", "size fill_value dtype= device=", kind, where="torch"),
        operator("full_like", "input fill_value dtype= device=", kind, where="torch"),
        operator("new_full", "input size fill_value dtype= device=", kind, where="method"),
        operator("new_tensor", "input data dtype= device=", kind, where="method"),
        operator("eye", "n m= dtype= device=", kind, where="torch", result=UNIT),
        operator("arange", "start end= step= dtype= device=", kind, where="torch"),
        operator("linspace", "start end steps dtype= device=", kind, where="torch"),
        operator("randint", "low high= size= dtype= device=", kind, where="torch", random=True, dtype="int"),
        operator("randperm", "n dtype= device=", kind, where="torch", random=True, dtype="int", result=NON_NEGATIVE),
        operator("normal", "mean std= size=", kind, where="torch", random=True),
        operator("tensor", "data dtype= device= requires_grad=", kind, where="torch"),
        operator("scalar_tensor", "s dtype= device=", kind, where="torch"),
        operator("as_tensor", "data dtype= device=", kind, where="torch"),
        operator("from_numpy", "ndarray", kind, where="torch"),
    )


def _casts() -> tuple[Operator, ...]:
    kind = Shape.CAST
    floats = [operator(name, "input", kind, where="method") for name in ("float", "double", "half", "bfloat16")]
    integers = [
        operator(name, "input", kind, _NONE, where="method", dtype="bool" if name == "bool" else "int")
        for name in ("long", "int", "short", "bool")
    ]
    moves = [operator(name, "input other=", kind, where="method") for name in ("to", "type", "type_as", "cpu", "cuda")]
    leaves = [operator(name, "input", Shape.META, _NONE, where="method") for name in ("item", "tolist", "numpy")]
    return (*floats, *integers, *moves, *leaves)


def _decompositions() -> tuple[Operator, ...]:
    kind = Shape.OTHER
    both, all_three = (True, True), (True, True, True)
    return (
        operator(
            "linalg_svd",
            "A full_matrices=",
            kind,
            where="linalg",
            public="svd",
            outputs="U S Vh",
            differentiable=all_three,
        ),
        operator("svd", "input some= compute_uv=", kind, where=_T, outputs="U S V", differentiable=all_three),
        operator(
            "linalg_eigh",
            "A UPLO=",
            kind,
            where="linalg",
            public="eigh",
            outputs="eigenvalues eigenvectors",
            differentiable=both,
        ),
        operator("slogdet", "A", kind, where="torch linalg method", outputs="sign logabsdet", differentiable=both),
    )


def _products() -> tuple[Operator, ...]:
    kind = Shape.MATMUL
    pairs = {"matmul": "other", "mm": "mat2", "bmm": "mat2", "mv": "vec", "dot": "other", "outer": "vec2"}
    return (
        *(operator(name, f"input {other}", kind, where=_T) for name, other in pairs.items()),
        operator("einsum", "equation operands", kind, where="torch"),
        operator("baddbmm", "input batch1 batch2", kind, where=_T),
        operator("addmm", "input mat1 mat2", kind, where=_T),
        operator("linear", "input weight bias=", kind, where="F"),
        operator("det", "input", Shape.OTHER, where="torch linalg method"),
        operator("logdet", "input", Shape.OTHER, where=_T),
        operator("inverse", "input", Shape.OTHER, where=_T, also=("torch.linalg.inv",)),
        operator("cholesky", "input", Shape.OTHER, where=_T, also=("torch.linalg.cholesky",)),
        operator("cov", "input correction= fweights= aweights=", Shape.OTHER, where=_T),
        *_decompositions(),
        operator("cross", "input other dim=", Shape.POINTWISE, where=_T, also=("torch.linalg.cross",)),
        operator("conv2d", "input weight bias= stride= padding=", Shape.OTHER, where="torch F"),
        operator("conv1d", "input weight bias= stride= padding=", Shape.OTHER, where="torch F"),
        operator("avg_pool2d", "input kernel_size stride= padding=", Shape.OTHER, where="F"),
        operator("max_pool2d", "input kernel_size stride= padding=", Shape.OTHER, where="F"),
        operator("interpolate", "input size= scale_factor= mode=", Shape.OTHER, where="F"),
    )


ROWS = (
    *_reductions(),
    *_along_a_dim(),
    *_selections(),
    *_views(),
    *_factories(),
    *_casts(),
    *_products(),
)
SHORT_FORMS = _shortened()
