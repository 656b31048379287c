"""The lower bound: the convolutions and products of a network over T·B samples, forward and backward, and nothing between them.

A network that keeps time in its batch cannot train faster on the same kernels, unless it saves products. Convolutions are PyTorch's own,
channels last. Dense products go through the faster of the available libraries for each shape, which is found out before the clock runs.
The first layer passes no gradient to its input, as in training. A still image's first product may be computed once, not T times.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from tsslbp.architecture import Convolution, PlannedLayer
from tsslbp.method.products import onednn_is_there

Product = Callable[[Tensor, Tensor], Tensor]
"""(rows, n) and (columns, n) -> (rows, columns): the first times the second transposed."""
TRIAL_OPERATIONS, TRIAL_ROWS, TRIALS = 2e9, 64, 5
"""A library is tried on so many operations at most, but on so many rows at least, and so often."""


def _onednn(a: Tensor, b: Tensor) -> Tensor:
    # The operator itself: `method.products.linear`, which the networks use, adds some microseconds for its gradient.
    result: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
    return result


def libraries() -> dict[str, Product]:
    """The products that this PyTorch has: its BLAS (MKL in its own builds), and oneDNN where it is built in."""
    found: dict[str, Product] = {"blas": functional.linear}
    if onednn_is_there():
        found["onednn"] = _onednn
    return found


def fastest(a: Tensor, b: Tensor, among: Mapping[str, Product], clock: Callable[[], float] = time.perf_counter) -> str:
    """Find the library that multiplies such matrices fastest; of a large product only some rows are tried."""
    rows = max(TRIAL_ROWS, int(TRIAL_OPERATIONS / (2 * b.numel())))
    part = a[:rows]
    seconds: dict[str, float] = {}
    for name, product in among.items():
        product(part, b)
        seconds[name] = min(_seconds(product, part, b, clock) for _ in range(TRIALS))
    return min(seconds, key=lambda name: seconds[name])


def _seconds(product: Product, a: Tensor, b: Tensor, clock: Callable[[], float]) -> float:
    began = clock()
    product(a, b)
    return clock() - began


@dataclass
class ConvolutionProducts:
    """A convolution's operands, (S, C, H, W) in channels last, and the gradient that arrives at its result."""

    x: Tensor
    weight: Tensor
    gradient: Tensor
    padding: int
    needs_input_gradient: bool

    def forward(self) -> Tensor:
        """Compute the result."""
        return functional.conv2d(self.x, self.weight, padding=self.padding)

    def backward(self) -> tuple[Tensor | None, Tensor]:
        """Compute the gradients of x, where it is needed, and of the weight."""
        padding, mask = [self.padding] * 2, [self.needs_input_gradient, True, False]
        gradients: tuple[Tensor | None, Tensor, None] = torch.ops.aten.convolution_backward(
            self.gradient, self.x, self.weight, None, [1, 1], padding, [1, 1], False, [0, 0], 1, mask
        )
        return gradients[0], gradients[1]

    @property
    def chosen(self) -> str:
        """The library of the products."""
        return "convolution"


@dataclass
class DenseProducts:
    """A dense layer's operands, (S, features), and the gradient that arrives at its result.

    Each of the three products goes through the library that is fastest for it.
    """

    x: Tensor
    weight: Tensor
    gradient: Tensor
    needs_input_gradient: bool
    among: Mapping[str, Product] = field(default_factory=libraries)

    def __post_init__(self) -> None:
        self.names = [fastest(a, b, self.among) for a, b in self._operands()]

    def _operands(self) -> list[tuple[Tensor, Tensor]]:
        """Of the products forward, by weight and, where it is needed, by input; all views, nothing is copied."""
        found = [(self.x, self.weight), (self.gradient.t(), self.x.t())]
        return [*found, (self.gradient, self.weight.t())] if self.needs_input_gradient else found

    def forward(self) -> Tensor:
        """Compute the result."""
        return self.among[self.names[0]](self.x, self.weight)

    def backward(self) -> tuple[Tensor | None, Tensor]:
        """Compute the gradients of x, where it is needed, and of the weight."""
        by_weight, *by_input = [self.among[name](a, b) for name, (a, b) in zip(self.names[1:], self._operands()[1:], strict=True)]
        return (by_input[0] if by_input else None), by_weight

    @property
    def chosen(self) -> str:
        """The libraries of the products forward, by weight and by input."""
        return "/".join(self.names)


LayerProducts = ConvolutionProducts | DenseProducts


class LowerBound:
    """All products of a planned network, in the order of its layers."""

    def __init__(self, products: Sequence[LayerProducts]) -> None:
        self.products = products

    @torch.no_grad()
    def train(self) -> None:
        """Compute every product forward, then every one backward."""
        for product in self.products:
            product.forward()
        for product in reversed(self.products):
            product.backward()

    @torch.no_grad()
    def infer(self) -> None:
        """Compute every product forward."""
        for product in self.products:
            product.forward()

    def firing_rates(self) -> tuple[float, ...]:
        """There are no neurons."""
        return ()

    @property
    def remark(self) -> str:
        """The libraries that the products use, layer by layer; forward, by weight and by input."""
        return "products by " + ", ".join(product.chosen for product in self.products)


def network_products(
    plan: Sequence[PlannedLayer], batch: int, time_steps: int, dtype: torch.dtype = torch.float32, first_once: bool = False
) -> LowerBound:
    """Build the lower bound of a planned network over T·B samples of random numbers; `first_once`: the first layer's over B."""
    torch.manual_seed(0)
    samples = [batch if first_once and index == 0 else batch * time_steps for index in range(len(plan))]
    return LowerBound([_product(layer, samples[index], dtype, first=index == 0) for index, layer in enumerate(plan)])


def _product(layer: PlannedLayer, samples: int, dtype: torch.dtype, first: bool) -> LayerProducts:
    if isinstance(layer.spec, Convolution):
        kernel = (layer.input_shape[0], layer.spec.kernel, layer.spec.kernel)
        shapes = ((samples, *layer.input_shape), (layer.spec.channels, *kernel), (samples, *layer.neuron_shape))
        x, weight, gradient = (torch.randn(shape).to(dtype).contiguous(memory_format=torch.channels_last) for shape in shapes)
        return ConvolutionProducts(x, weight, gradient, layer.padding, not first)
    return linear_product(samples, layer.input_shape[0], layer.neuron_shape[0], dtype, first)


def linear_product(samples: int, inputs: int, outputs: int, dtype: torch.dtype = torch.float32, first: bool = True) -> DenseProducts:
    """Build a dense layer's products over `samples`."""
    x, weight, gradient = (torch.randn(shape).to(dtype) for shape in ((samples, inputs), (outputs, inputs), (samples, outputs)))
    return DenseProducts(x, weight, gradient, not first)
