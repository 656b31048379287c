"""Layers with weights: a convolution or a product, no bias. They turn traces into current; the neurons in neuron/lif.py do the rest.

Tensors are time-first. Image-like traces are (T, B, C, H, W) with channels last in memory, the layout in which
convolutions over T·B samples are fastest; nothing here copies a large tensor to another layout.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from tsslbp.architecture import Convolution, PlannedLayer
from tsslbp.method.products import Products, linear

CONVOLUTION_INITS = ("uniform", "kaiming_normal")


class SpikingConvolution(nn.Module):
    """Current of a convolutional layer: stride 1, no bias.

    Initial weights are PyTorch's default, uniform in ±1/sqrt(fan_in), or Kaiming normal (the `2020-10` code), times `gain`.
    """

    def __init__(self, layer: PlannedLayer, gain: float = 1.0, init: str = "uniform", generator: torch.Generator | None = None) -> None:
        super().__init__()
        if not isinstance(layer.spec, Convolution) or init not in CONVOLUTION_INITS:
            raise ValueError(f"convolution init {init!r} for {layer.spec}; allowed: {', '.join(CONVOLUTION_INITS)}")
        shape = (layer.spec.channels, layer.input_shape[0], layer.spec.kernel, layer.spec.kernel)
        weight = torch.empty(shape)
        if init == "uniform":
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
        else:
            nn.init.kaiming_normal_(weight, generator=generator)
        self.weight = nn.Parameter((weight * gain).contiguous(memory_format=torch.channels_last))
        self.padding = layer.padding

    def forward(self, trace: Tensor) -> Tensor:
        """(S, B, C, H, W) -> (S, B, channels, H', W')."""
        frames = functional.conv2d(trace.flatten(0, 1), self.weight.to(trace.dtype), padding=self.padding)
        return _over_time(frames, trace)


class SpikingLinear(nn.Module):
    """Current of a dense layer, no bias; initial weights Kaiming normal (fan_in). Images are flattened channel-major.

    `products` is the library of its product, see products.py.
    """

    def __init__(self, layer: PlannedLayer, products: Products = "blas", generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.products = products
        weight = torch.empty(layer.neuron_shape[0], layer.input_shape[0])
        self.weight = nn.Parameter(nn.init.kaiming_normal_(weight, generator=generator))

    def forward(self, trace: Tensor) -> Tensor:
        """(S, B, features) or (S, B, C, H, W) -> (S, B, neurons)."""
        weight = self.weight.to(trace.dtype)
        if trace.dim() == 5:
            trace, weight = _flatten_images(trace, weight)
        # One product of S·B rows: with a third dimension PyTorch may choose S small ones.
        return _over_time(linear(trace.flatten(0, 1), weight, self.products), trace)


def _over_time(samples: Tensor, like: Tensor) -> Tensor:
    """(S·B, ...) -> (S, B, ...), without a copy in whatever layout the samples are."""
    return samples.view(*like.shape[:2], *samples.shape[1:])


def _flatten_images(trace: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Flatten (S, B, C, H, W) and bring weights and traces to one order of features, by copying the smaller of the two."""
    channels, height, width = trace.shape[2:]
    if trace.numel() <= weight.numel() or not trace.permute(0, 1, 3, 4, 2).is_contiguous():
        return trace.flatten(2), weight
    by_pixel = weight.view(-1, channels, height, width).permute(0, 2, 3, 1).flatten(1)
    return trace.permute(0, 1, 3, 4, 2).flatten(2), by_pixel


def dropout_mask(trace: Tensor, probability: float, shape: str, generator: torch.Generator | None) -> Tensor:
    """A mask for (T, B, ...) traces that is the same at every step: 0, or 1/(1 - probability).

    Args:
        trace: what will be masked.
        probability: of a zero, below 1.
        shape: "row": images share a value over the width, one per (channel, row), as the reference draws it;
            "neuron": one per neuron. A dense layer's is per neuron in both.
        generator: the source of randomness, on the trace's device; None: PyTorch's default.

    Returns:
        (1, B, ...), with width 1 for "row" and images.
    """
    sizes = [1, *trace.shape[1:]]
    if shape == "row" and trace.dim() == 5:
        sizes[-1] = 1
    kept = torch.rand(sizes, generator=generator, device=trace.device) >= probability
    return kept.to(trace.dtype) / (1 - probability)
