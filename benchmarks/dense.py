"""The dense limit: the convolutions and products of a network over T·B samples, forward and backward, nothing between them.

A network that keeps time in its batch cannot train faster on the same kernels, unless it saves products. Layout and kernels
are those of the network: channels last, PyTorch's own. The first layer passes no gradient to the input, as in training.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tsslbp.architecture import Convolution, PlannedLayer


@dataclass
class Product:
    """One layer's operands and the gradient that arrives at its result.

    Attributes:
        x: (T·B, C, H, W) in channels last, or (T·B, features).
        weight: in PyTorch's shape.
        gradient: of the result.
        padding: of a convolution.
        needs_input_gradient: not in the first layer.
    """

    x: Tensor
    weight: Tensor
    gradient: Tensor
    padding: int
    needs_input_gradient: bool

    def forward(self) -> Tensor:
        """The result."""
        if self.x.dim() == 4:
            return functional.conv2d(self.x, self.weight, padding=self.padding)
        return self.x @ self.weight.T

    def backward(self) -> tuple[Tensor | None, Tensor]:
        """The gradients of x, where it is needed, and of the weight."""
        if self.x.dim() == 4:
            padding, mask = [self.padding] * 2, [self.needs_input_gradient, True, False]
            gradients: tuple[Tensor | None, Tensor, None] = torch.ops.aten.convolution_backward(
                self.gradient, self.x, self.weight, None, [1, 1], padding, [1, 1], False, [0, 0], 1, mask
            )
            return gradients[0], gradients[1]
        return self.gradient @ self.weight if self.needs_input_gradient else None, self.gradient.T @ self.x


class DenseLimit:
    """All products of a planned network.

    Args:
        products: in the order of the layers.
    """

    def __init__(self, products: Sequence[Product]) -> None:
        self.products = products

    @torch.no_grad()
    def train(self) -> None:
        """Every product forward, then every one backward."""
        for product in self.products:
            product.forward()
        for product in reversed(self.products):
            product.backward()

    @torch.no_grad()
    def infer(self) -> None:
        """Every product forward."""
        for product in self.products:
            product.forward()

    def firing_rates(self) -> tuple[float, ...]:
        """There are no neurons."""
        return ()


def network_products(plan: Sequence[PlannedLayer], samples: int, dtype: torch.dtype = torch.float32) -> DenseLimit:
    """The dense limit of a planned network over `samples` = T·B samples, on random numbers."""
    torch.manual_seed(0)
    return DenseLimit([_product(layer, samples, dtype, first=index == 0) for index, layer in enumerate(plan)])


def _product(layer: PlannedLayer, samples: int, dtype: torch.dtype, first: bool) -> Product:
    if isinstance(layer.spec, Convolution):
        kernel = (layer.input_shape[0], layer.spec.kernel, layer.spec.kernel)
        shapes = ((samples, *layer.input_shape), (layer.spec.channels, *kernel), (samples, *layer.neuron_shape))
        x, weight, gradient = (torch.randn(shape).to(dtype).contiguous(memory_format=torch.channels_last) for shape in shapes)
        return Product(x, weight, gradient, layer.padding, not first)
    return linear_product(samples, layer.input_shape[0], layer.neuron_shape[0], dtype, first)


def linear_product(samples: int, inputs: int, outputs: int, dtype: torch.dtype = torch.float32, first: bool = True) -> Product:
    """A dense layer's product over `samples`."""
    x, weight, gradient = (torch.randn(shape).to(dtype) for shape in ((samples, inputs), (outputs, inputs), (samples, outputs)))
    return Product(x, weight, gradient, 0, not first)
