"""Dense products x w^T by one of two libraries, with the same interface and, within rounding, the same result.

"blas" is what `functional.linear` calls (MKL in PyTorch's builds for x86), "onednn" the convolution library inside the same
PyTorch, through the operator that PyTorch's own compiler uses. MKL takes 256-bit instructions on AMD's processors; oneDNN takes
AVX-512, which doubled the rate on a Zen 5 and gained up to a tenth on a Zen 4. Bits differ between the two, so the
choice belongs to a run's identity.
"""

import platform
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from tsslbp.arguments import choice

Products = Literal["onednn", "blas"]


def onednn_is_there() -> bool:
    """Whether this PyTorch has the operator."""
    return hasattr(torch.ops.mkldnn, "_linear_pointwise") and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


def resolve_products(wanted: Literal["auto", "onednn", "blas"], cpuinfo: Path = Path("/proc/cpuinfo")) -> Products:
    """Choose the library of the dense products.

    The rule for "auto": oneDNN on AMD's processors with AVX-512 where this PyTorch has the operator, BLAS everywhere else.

    Args:
        wanted: what the settings say.
        cpuinfo: the system's description of its processors.

    Raises:
        ValueError: another library, or oneDNN is asked for and this PyTorch does not have it.
    """
    choice("products", wanted, ("auto", "onednn", "blas"))
    if wanted == "onednn" and not onednn_is_there():
        raise ValueError(
            f"execution.products: got 'onednn', but PyTorch {torch.__version__} on {platform.machine()} does not have it; allowed here: auto, blas"
        )
    if wanted != "auto":
        return wanted
    try:
        described = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "blas"
    return "onednn" if onednn_is_there() and "AuthenticAMD" in described and "avx512f" in described else "blas"


def linear(x: Tensor, weight: Tensor, products: Products) -> Tensor:
    """The product x weight^T.

    Args:
        x: (rows, features), any strides.
        weight: (neurons, features), of the same dtype and device.
        products: the library; tensors that oneDNN does not take (double, a GPU's, no rows) go to BLAS.

    Returns:
        (rows, neurons), differentiable once by x and weight.
    """
    takes = x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16) and x.dtype == weight.dtype
    if products == "blas" or not takes or 0 in (*x.shape, *weight.shape):
        return functional.linear(x, weight)
    product: Tensor = _OneDNN.apply(x, weight)
    return product


class _OneDNN(Function):
    """The product and its two gradients, all by oneDNN; it takes transposed views, so nothing is copied for them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        g = gradients[0]
        by_x = _product(g, weight.t()) if ctx.needs_input_grad[0] else None
        by_weight = _product(g.t(), x.t()) if ctx.needs_input_grad[1] else None
        return by_x, by_weight


def _product(x: Tensor, weight: Tensor) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(_dense(x), _dense(weight), None, "none", [], "")
    return product


def _dense(matrix: Tensor) -> Tensor:
    """The matrix, copied unless it or its transpose is contiguous: a view with gaps or repeated rows is not for oneDNN."""
    return matrix if matrix.is_contiguous() or matrix.t().is_contiguous() else matrix.contiguous()
