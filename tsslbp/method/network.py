"""Layer specs and an input shape -> SpikingNetwork: traces in, the output layer's trace out."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from tsslbp.architecture import Convolution, PlannedLayer, plan_network
from tsslbp.arguments import BELOW_1, MOST_STEPS, POSITIVE, choice, number, shown, whole
from tsslbp.method.checks import FLOATS, check_finite_on_cpu, check_tensor
from tsslbp.method.layers import CONVOLUTION_INITS, SpikingConvolution, SpikingLinear, dropout_mask
from tsslbp.method.neuron.lif import Neuron, spike
from tsslbp.method.neuron.synapse import constant_input_scale, filtered
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
        TypeError: an argument of another type; the message names it.
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
        self.time_steps = whole("time_steps", time_steps, 1, MOST_STEPS)
        self.dropout = number("dropout", dropout, "at least 0 and below 1", high=BELOW_1)
        self.dropout_mask = choice("dropout_mask", dropout_mask, ("row", "neuron"))
        self.precision: torch.dtype = PRECISIONS[choice("precision", precision, PRECISIONS)]
        conv_gain = number("conv_gain", conv_gain, "above 0 and at most 1e6", POSITIVE, 1e6)
        choice("convolution_init", convolution_init, CONVOLUTION_INITS)
        if generator is not None and not isinstance(generator, torch.Generator):
            raise TypeError(f"generator {shown(generator)}: expected a torch.Generator or None")
        keep_large_blocks()
        self.plan = plan_network(architecture, input_shape, classes, padding)
        self.input_shape = tuple(input_shape)
        self.neuron = Neuron(tau_m, tau_s, threshold, gradient)
        self.products = resolve_products(products)
        self.layers = nn.ModuleList(self._build(layer, conv_gain, convolution_init, generator) for layer in self.plan)
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
            TypeError: x is not a tensor.
            ValueError: x has another shape, dtype or device, or, on the CPU, numbers that are not finite.
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
        weight = next(self.parameters())
        self._check_input(x, weight.device)
        dtype = torch.bfloat16 if self.precision == torch.bfloat16 else weight.dtype
        if x.dim() == 4:
            still = x.to(dtype)
            check_finite_on_cpu("x", still)
            return still.unsqueeze(0), constant_input_scale(self.time_steps, self.neuron.tau_s)
        check_finite_on_cpu("x", x)
        return filtered(x, self.neuron.tau_s).to(dtype), None

    def _check_input(self, x: Tensor, device: torch.device) -> None:
        channels, height, width = self.input_shape
        expected = f"(B, {channels}, {height}, {width}), or (T, B, {channels}, {height}, {width}) for events"
        check_tensor("x", x, expected)
        if x.dim() not in (4, 5) or tuple(x.shape[-3:]) != self.input_shape:
            raise ValueError(f"x of shape {tuple(x.shape)}: expected {expected}")
        if x.dim() == 4 and x.dtype not in FLOATS:
            raise ValueError(f"x: still images of {x.dtype}: expected floating point, normalized; bytes are for events, (T, B, C, H, W)")
        if x.dtype not in (torch.uint8, *FLOATS):
            raise ValueError(f"x: events of {x.dtype}: expected floating point or bytes, 0 or 1")
        if 0 in x.shape:
            raise ValueError(f"x of shape {tuple(x.shape)}: there is no sample or no step in it")
        if x.device != device:
            raise ValueError(f"x on {x.device}: the network is on {device}; move one of them with .to(device)")

    def _build(self, layer: PlannedLayer, conv_gain: float, convolution_init: str, generator: torch.Generator | None) -> nn.Module:
        if isinstance(layer.spec, Convolution):
            return SpikingConvolution(layer, conv_gain, convolution_init, generator)
        return SpikingLinear(layer, self.products, generator)
