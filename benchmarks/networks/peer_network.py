"""A planned network of another library's neurons, laid out as a knowledgeable user would for a CPU.

Layers see all T·B samples at once, no bias, no copy between layouts, pooling in one pass, and a still image's first
product once where that is faster.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.roster import Setting
from tsslbp.architecture import Convolution, PlannedLayer
from tsslbp.method.layers import dropout_mask
from tsslbp.method.neuron.rules import POOLING_GAIN


class Neurons(nn.Module):
    """A layer of another library's neurons: (T, B, ...) current -> spikes of the same shape.

    Args:
        cell: the library's module.
        run: the cell and the current -> the spikes.
        drive: the factor on the current at which these neurons are driven as this project's are.
    """

    def __init__(self, cell: nn.Module, run: Callable[[Any, Tensor], Tensor], drive: float = 1.0) -> None:
        super().__init__()
        self.cell, self.run, self.drive = cell, run, drive

    def forward(self, current: Tensor) -> Tensor:
        """Turn a current (T, B, ...) into spikes of the same shape."""
        return self.run(self.cell, current)


class PeerNetwork(nn.Module):
    """A planned network of another library's neurons, pooled by averages.

    The initial weights carry the factors that make these neurons fire about as often as this project's.

    Args:
        plan: as `plan_network` makes it.
        weights: initial values, one tensor per layer, in PyTorch's shapes.
        neurons: makes the neurons of a layer.
        time_steps: T.
        dropout: probability of a zero after every hidden block in training, the same at every step.
        setting: layout and first layer.
    """

    def __init__(
        self,
        plan: Sequence[PlannedLayer],
        weights: Sequence[Tensor],
        neurons: Callable[[], Neurons],
        time_steps: int,
        dropout: float,
        setting: Setting,
    ) -> None:
        super().__init__()
        self.plan, self.time_steps, self.dropout, self.setting = plan, time_steps, dropout, setting
        layers = [neurons() for _ in plan]
        self.neurons = nn.ModuleList(layers)
        # This project's pooling sums and amplifies; here that factor is part of the next layer's weights.
        pooled = [1.0, *(POOLING_GAIN * layer.pooling**2 if layer.pooling > 1 else 1.0 for layer in plan[:-1])]
        layout = torch.channels_last if setting.channels_last else torch.contiguous_format
        self.weights = nn.ParameterList(
            (weight.detach() * (gain * own.drive)).contiguous(memory_format=layout if weight.dim() == 4 else torch.contiguous_format)
            for weight, gain, own in zip(weights, pooled, layers, strict=True)
        )

    def prepared(self, x: Tensor) -> Tensor:
        """Bring a batch into floats and this network's layout, before the clock runs."""
        x = x.float()
        if self.setting.channels_last:
            x = x.movedim(-3, -1).contiguous().movedim(-1, -3)
        return x.contiguous() if not self.setting.channels_last else x

    def forward(self, x: Tensor) -> Tensor:
        """Compute the spikes of the output layer, (T, B, classes), for (B, C, H, W) or (T, B, C, H, W) as `prepared` makes them."""
        if x.dim() == 4:
            x = x.unsqueeze(0)
            if not self.setting.first_once:
                x = torch.cat([x] * self.time_steps)
        for layer, weight, neurons in zip(self.plan, self.weights, self.neurons, strict=True):
            current = self._current(x, layer, weight)
            if len(current) == 1:
                current = current.expand(self.time_steps, *current.shape[1:])
            x = self._output(neurons(current), layer)
            if self.training and self.dropout > 0 and layer is not self.plan[-1]:
                x = x * dropout_mask(x, self.dropout, "row", None)
        return x

    def _current(self, x: Tensor, layer: PlannedLayer, weight: Tensor) -> Tensor:
        """(S, B, ...) -> the neurons' current, images as (S, B, H, W, C) where channels come last."""
        if isinstance(layer.spec, Convolution):
            frames = functional.conv2d(x.flatten(0, 1), weight, padding=layer.padding)
            frames = frames.permute(0, 2, 3, 1) if self.setting.channels_last else frames
        else:
            if x.dim() == 5 and self.setting.channels_last:
                x = x.permute(0, 1, 3, 4, 2)  # the weights are random: take the order of features that costs no copy
            frames = functional.linear(x.flatten(2).flatten(0, 1), weight)
        return frames.view(*x.shape[:2], *frames.shape[1:])

    def _output(self, spikes: Tensor, layer: PlannedLayer) -> Tensor:
        if spikes.dim() == 5 and self.setting.channels_last:
            spikes = spikes.permute(0, 1, 4, 2, 3)
        if layer.pooling == 1:
            return spikes
        pooled = functional.avg_pool2d(spikes.flatten(0, 1), layer.pooling)
        return pooled.view(*spikes.shape[:2], *pooled.shape[1:])

    @torch.no_grad()
    def firing_rates(self, x: Tensor) -> tuple[float, ...]:
        """Spikes per neuron and step for a batch, one value per layer."""
        rates: list[float] = []
        hooks = [
            module.register_forward_hook(lambda _module, _input, spikes: rates.append(spikes.mean().item())) for module in self.neurons
        ]
        self.eval()
        self(x)
        for hook in hooks:
            hook.remove()
        return tuple(rates)
