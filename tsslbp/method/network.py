"""Layer specs and an input shape -> SpikingNetwork: traces in, the output layer's trace out."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from tsslbp.architecture import Convolution, PlannedLayer, plan_network
from tsslbp.method.layers import SpikingConvolution, SpikingLinear, dropout_mask
from tsslbp.method.neuron.lif import Neuron, constant_input_scale, spike, synaptic_filter
from tsslbp.method.products import resolve_products
from tsslbp.system import keep_large_blocks

PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16}


class SpikingNetwork(nn.Module):
    """A feed-forward network of TSSL-BP neurons; the output layer, one neuron a class, is appended to the notation.

    `parameters()` yields the weights in layer order, in PyTorch's own shapes, flattened channel-major.

    Args:
        architecture: such as "15C5-P2-40C5-P2-300".
        input_shape: (C, H, W).
        classes: neurons of the output layer.
        time_steps: T, for still images; events bring their own.
        tau_m: membrane time constant in steps.
        tau_s: synaptic time constant in steps.
        threshold: of every neuron.
        padding: zeros around each convolution's input: one value, or one per convolution.
        conv_gain: factor on the convolutions' initial weights.
        dropout: probability of a zero after every hidden block, in training mode.
        dropout_mask: "row" as the reference draws it for images, or "neuron".
        gradient: the backward rule, a key of `rules.GRADIENTS`.
        convolution_init: "uniform" or "kaiming_normal".
        precision: "float32" or "bf16": the dtype of products and traces; weights and neurons' state stay float32.
        products: the library of the dense products, see `products.resolve_products`.
        generator: draws the initial weights; None: PyTorch's default generator.

    Attributes:
        products: the library of the dense products that was chosen.
        firing_rates: of the last forward pass, spikes per neuron and step, a scalar tensor per layer of neurons.
        dropout_generator: draws the dropout masks; None: PyTorch's default generator.

    Raises:
        ValueError: a notation, shape or constant that cannot be; the message names it.

    Example:
        >>> network = SpikingNetwork("4C3-P2-20", input_shape=(1, 8, 8), classes=10, time_steps=5)
        >>> images, events = torch.rand(2, 1, 8, 8), torch.ones(30, 2, 1, 8, 8)
        >>> network(images).shape, network(events).shape  # (T, B, classes)
        (torch.Size([5, 2, 10]), torch.Size([30, 2, 10]))
        >>> network(images).sum(0).argmax(1).shape  # the predicted classes
        torch.Size([2])
    """

    def __init__(
        self,
        architecture: str,
        input_shape: Sequence[int],
        *,
        classes: int = 10,
        time_steps: int = 5,
        tau_m: float = 5.0,
        tau_s: float = 3.0,
        threshold: float = 1.0,
        padding: int | Sequence[int] = 0,
        conv_gain: float = 1.0,
        dropout: float = 0.0,
        dropout_mask: str = "row",
        gradient: str = "2021-03",
        convolution_init: str = "uniform",
        precision: str = "float32",
        products: Literal["auto", "onednn", "blas"] = "auto",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if time_steps < 1:
            raise ValueError(f"time_steps {time_steps}: at least 1 is needed")
        if not 0 <= dropout < 1 or dropout_mask not in ("row", "neuron"):
            raise ValueError(f"dropout {dropout} with mask {dropout_mask!r}: allowed are 0 <= dropout < 1, and row or neuron")
        if precision not in PRECISIONS:
            raise ValueError(f"precision {precision!r}; allowed: {', '.join(PRECISIONS)}")
        keep_large_blocks()
        self.plan = plan_network(architecture, input_shape, classes, padding)
        self.input_shape = tuple(input_shape)
        self.neuron = Neuron(tau_m, tau_s, threshold, gradient)
        self.products = resolve_products(products)
        self.layers = nn.ModuleList(self._build(layer, conv_gain, convolution_init, generator) for layer in self.plan)
        self.time_steps, self.dropout, self.dropout_mask = time_steps, dropout, dropout_mask
        self.precision: torch.dtype = PRECISIONS[precision]
        self.dropout_generator: torch.Generator | None = None
        self.firing_rates: tuple[Tensor, ...] = ()

    def forward(self, x: Tensor) -> Tensor:
        """The output layer's synaptic trace; class scores are its sum over time.

        Args:
            x: (B, C, H, W), still images held constant over the time steps, or (T, B, C, H, W), events of 0 and 1
                (floats or bytes).

        Returns:
            (T, B, classes); float32, or the dtype that the weights were given.

        Raises:
            ValueError: x does not have the input shape.
        """
        trace, scale = self._input_trace(x)
        rates = []
        for index, (layer, planned) in enumerate(zip(self.layers, self.plan, strict=True)):
            is_output = index == len(self.plan) - 1
            current = layer(trace)
            # The output's trace is summed and compared: it is worth the full precision.
            trace, rate = spike(
                current.float() if is_output and current.dtype == torch.bfloat16 else current, self.neuron, scale, planned.pooling
            )
            scale = None
            rates.append(rate)
            if self.training and self.dropout > 0 and not is_output:
                trace = trace * dropout_mask(trace, self.dropout, self.dropout_mask, self.dropout_generator)
        self.firing_rates = tuple(rates)
        return trace

    def _input_trace(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The input seen through the synapse: (T, B, ...) for events; (1, B, ...) and its scale for still images."""
        if x.dim() not in (4, 5) or tuple(x.shape[-3:]) != self.input_shape:
            channels, height, width = self.input_shape
            raise ValueError(
                f"input of shape {tuple(x.shape)}: expected (B, {channels}, {height}, {width}), or (T, B, {channels}, {height}, {width}) for events"
            )
        if x.dim() == 4 and not x.is_floating_point():
            raise ValueError(f"still images of {x.dtype}: expected floating point, normalized; bytes are for events, (T, B, C, H, W)")
        if x.dtype not in (torch.uint8, torch.float32, torch.float64, torch.bfloat16, torch.float16):
            raise ValueError(f"events of {x.dtype}: expected floating point or bytes, 0 or 1")
        if 0 in x.shape:
            raise ValueError(f"input of shape {tuple(x.shape)}: there is no sample or no step in it")
        weight = next(self.parameters())
        dtype = torch.bfloat16 if self.precision == torch.bfloat16 else weight.dtype
        if x.dim() == 4:
            return x.unsqueeze(0).to(dtype), constant_input_scale(self.time_steps, self.neuron.tau_s)
        return synaptic_filter(x, self.neuron.tau_s).to(dtype), None

    def _build(self, layer: PlannedLayer, conv_gain: float, convolution_init: str, generator: torch.Generator | None) -> nn.Module:
        if isinstance(layer.spec, Convolution):
            return SpikingConvolution(layer, conv_gain, convolution_init, generator)
        return SpikingLinear(layer, self.products, generator)
