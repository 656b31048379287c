"""Divides a training step into its parts, by hooks that PyTorch offers: nothing of the method is replaced.

Forward, the borders are the calls of the network's layers (`register_forward_pre_hook`, `register_forward_hook`) and of the loss, which is
passed in. Backward, they are the moments in which the gradient of a layer's input, of its output, and of the first layer's weight is
there (`Tensor.register_hook`, `register_post_accumulate_grad_hook`). So every moment of a step belongs to one part.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

    from benchmarks.networks.implementations import Training

PRODUCTS, PRODUCTS_BACK = "products forward", "products backward"
NEURONS, NEURONS_BACK = "neurons forward", "neurons backward"
LOSS, UPDATE, REST = "loss", "clip, AdamW, clamp", "all else"
PARTS = (PRODUCTS, NEURONS, LOSS, NEURONS_BACK, PRODUCTS_BACK, UPDATE, REST)


class Stopwatch:
    """Divides time into parts: every mark gives what went by since the one before to a part."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self.start()

    def start(self) -> None:
        """Begin at nothing."""
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._last = self._clock()

    def mark(self, part: str) -> None:
        """Give the time since the last mark to this part."""
        now = self._clock()
        self.seconds[part] += now - self._last
        self._last = now


@contextmanager
def watched(training: "Training", watch: Stopwatch) -> Iterator[None]:
    """Have the watch read at the borders of the parts; afterwards nothing is watched."""
    layers: nn.ModuleList = training.network.get_submodule("layers")  # type: ignore[assignment]
    handles = [handle for index, layer in enumerate(layers) for handle in _watch_layer(layer, watch, first=index == 0)]
    loss = training.loss
    training.loss = _watched_loss(loss, watch)
    try:
        yield
    finally:
        training.loss = loss
        for handle in handles:
            handle.remove()


def _watch_layer(layer: "nn.Module", watch: Stopwatch, first: bool) -> list[Any]:
    def before(_layer: object, inputs: tuple["Tensor"]) -> None:
        watch.mark(REST if first else NEURONS)
        if inputs[0].requires_grad:
            _when_ready(inputs[0], lambda: watch.mark(PRODUCTS_BACK))

    def after(_layer: object, _inputs: object, current: "Tensor") -> None:
        watch.mark(PRODUCTS)
        _when_ready(current, lambda: watch.mark(NEURONS_BACK))

    handles: list[Any] = [layer.register_forward_pre_hook(before), layer.register_forward_hook(after)]
    if first:  # its input has no gradient: the weight's is what ends it
        weight: Any = next(layer.parameters())
        handles.append(weight.register_post_accumulate_grad_hook(lambda _weight: watch.mark(PRODUCTS_BACK)))
    return handles


def _when_ready(tensor: Any, action: Callable[[], None]) -> None:
    """Act when the gradient of a tensor is there."""
    tensor.register_hook(lambda _gradient: action())


def _watched_loss(loss: Callable[["Tensor", "Tensor"], "Tensor"], watch: Stopwatch) -> Callable[["Tensor", "Tensor"], "Tensor"]:
    def call(trace: "Tensor", labels: "Tensor") -> "Tensor":
        watch.mark(NEURONS)
        value = loss(trace, labels)
        watch.mark(LOSS)
        _when_ready(trace, lambda: watch.mark(LOSS))
        return value

    return call
