"""A planned network of a peer's neurons in JAX, and its training step under `jax.jit`, laid out as for the peers on PyTorch.

Arrays are time-first with channels last, (T, B, H, W, C). Products see all T·B samples at once; time is the neurons' alone.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from jax import numpy as jnp

from benchmarks.peers import Constants, module_of

LAYER_NEURON = Constants(tau_m=5.0, tau_s=3.0, threshold=1.0)
"""As in implementations.py, which imports PyTorch."""
RATE_STEPS = 50


def read_description(folder: Path) -> dict[str, Any]:
    """Read what `inputs.write_inputs` wrote of a case."""
    description: dict[str, Any] = json.loads((folder / "case.json").read_text())
    return description


class Network:
    """A network with loss, AdamW, clipping and clamping of the protocol.

    Args:
        peer: name of the module with the neurons.
        variant: which of them.
        first_once: whether a still image's first product is computed once.
        folder: with the files of `inputs.write_inputs`.
    """

    remark = ""

    def __init__(self, peer: str, variant: str, first_once: bool, folder: Path) -> None:
        self._case = read_description(folder)
        self._neurons = module_of(peer).neurons(variant, Constants(**self._case["constants"]))
        self._first_once, self._turn = first_once, 0
        batches = range(self._case["batches"])
        self._samples = [(jnp.asarray(_array(folder, f"x-{i}")), jnp.asarray(_array(folder, f"labels-{i}"))) for i in batches]
        self._weights = [jnp.asarray(_array(folder, f"weight-{i}")) for i in range(len(self._case["layers"]))]
        training = self._case["training"]
        adamw = optax.adamw(training["learning_rate"], *training["betas"], weight_decay=training["weight_decay"])
        self._optimizer = optax.chain(optax.clip_by_global_norm(training["clip_norm"]), adamw)
        self._state, self._key = self._optimizer.init(self._weights), jax.random.key(0)
        self._step = jax.jit(self._train_step, donate_argnums=(0, 1))
        self._predict = jax.jit(lambda weights, x: self._forward(weights, x, None)[0].sum(0).argmax(1))
        self._rates = jax.jit(lambda weights, x: self._forward(weights, x, None)[1])

    def train(self) -> float:
        """Run one training step; returns the loss."""
        x, labels = self._next()
        self._weights, self._state, self._key, loss = jax.block_until_ready(self._step(self._weights, self._state, self._key, x, labels))
        return float(loss)

    def infer(self) -> Any:
        """Predict the classes of one batch."""
        x, _ = self._next()
        return jax.block_until_ready(self._predict(self._weights, x))

    def firing_rates(self) -> tuple[float, ...]:
        """Spikes per neuron and step for the first batch."""
        return tuple(float(rate) for rate in self._rates(self._weights, self._samples[0][0]))

    def _next(self) -> tuple[Any, Any]:
        self._turn += 1
        return self._samples[self._turn % len(self._samples)]

    def _train_step(self, weights: Any, state: Any, key: Any, x: Any, labels: Any) -> tuple[Any, Any, Any, Any]:
        key, now = jax.random.split(key)
        loss, gradients = jax.value_and_grad(lambda w: self._loss(self._forward(w, x, now)[0], labels))(weights)
        updates, state = self._optimizer.update(gradients, state, weights)
        limit = self._case["training"]["weight_limit"]
        weights = [jnp.clip(weight, -limit, limit) for weight in optax.apply_updates(weights, updates)]
        return weights, state, key, loss

    def _loss(self, output: Any, labels: Any) -> Any:
        """Compute the two losses of `tsslbp.method.losses`."""
        label, loss = jax.nn.one_hot(labels, self._case["classes"]), self._case["loss"]
        if "target" in loss:
            return 0.5 * jnp.square(output - jnp.asarray(loss["target"])[:, None, None] * label).sum()
        total = output.sum(0)
        below = jnp.minimum((total - loss["desired"]) / len(output), 0)
        above = jnp.maximum((total - loss["undesired"]) / len(output), 0)
        return 0.5 * len(output) * jnp.square(jnp.where(label > 0, below, above)).sum()

    def _forward(self, weights: Any, x: Any, key: Any) -> tuple[Any, list[Any]]:
        """Return the output's spikes (T, B, classes) and every layer's firing rate; `key` draws dropout, None: no dropout."""
        steps, layers, rates = self._case["time_steps"], self._case["layers"], []
        if x.ndim == 4:
            x = x[None] if self._first_once else jnp.broadcast_to(x, (steps, *x.shape))
        for index, (layer, weight) in enumerate(zip(layers, weights, strict=True)):
            current = _current(x, layer, weight)
            spikes = self._neurons(jnp.broadcast_to(current, (steps, *current.shape[1:])) if len(current) == 1 else current)
            rates.append(spikes.mean())
            x = _pool(spikes, layer["pooling"])
            if key is not None and self._case["dropout"] > 0 and index < len(layers) - 1:
                x = x * _mask(x, self._case["dropout"], jax.random.fold_in(key, index))
        return x, rates


def _array(folder: Path, name: str) -> Any:
    return np.load(folder / f"{name}.npy", allow_pickle=False)


def _current(x: Any, layer: dict[str, Any], weight: Any) -> Any:
    """(S, B, ...) -> the neurons' current, by one product over S·B samples."""
    samples = x.reshape(-1, *x.shape[2:])
    if layer["convolution"]:
        padding = [(layer["padding"], layer["padding"])] * 2
        frames = jax.lax.conv_general_dilated(samples, weight, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    else:
        frames = samples.reshape(len(samples), -1) @ weight
    return frames.reshape(*x.shape[:2], *frames.shape[1:])


def _pool(spikes: Any, size: int) -> Any:
    """Average over windows of this side."""
    if size == 1:
        return spikes
    steps, batch, height, width, channels = spikes.shape
    return spikes.reshape(steps, batch, height // size, size, width // size, size, channels).mean((3, 5))


def _mask(x: Any, probability: float, key: Any) -> Any:
    """Draw a dropout mask that is the same at every step; of an image, one value per (channel, row), as in `layers.dropout_mask`."""
    shape = (1, x.shape[1], x.shape[2], 1, x.shape[4]) if x.ndim == 5 else (1, *x.shape[1:])
    return jax.random.bernoulli(key, 1 - probability, shape) / (1 - probability)


class Layer:
    """The public case: one product and one LIF layer; the gradient of the summed output by weight, or by the current."""

    remark = ""

    def __init__(self, peer: str, variant: str, case: dict[str, Any]) -> None:
        run: Callable[[Any], Any] = module_of(peer).neurons(variant, LAYER_NEURON)
        shape = (case["time_steps"], case["batch"], case["neurons"])
        data, weights = jax.random.split(jax.random.key(0))
        self._x = jax.random.normal(data, shape)
        self._forward: Callable[[Any, Any], Any] = lambda x, leaf: run(leaf[: len(x)])
        self._leaf = self._x
        if case["linear"]:
            self._forward = lambda x, leaf: run((x.reshape(-1, shape[2]) @ leaf).reshape(x.shape))
            self._leaf = jax.random.normal(weights, shape[2:] * 2) / shape[2] ** 0.5
        self._gradient = jax.jit(jax.grad(lambda leaf, x: self._forward(x, leaf).sum()))
        self._run = jax.jit(self._forward)

    def train(self) -> None:
        """Compute the gradient."""
        jax.block_until_ready(self._gradient(self._leaf, self._x))

    def infer(self) -> Any:
        """Compute the spikes."""
        return jax.block_until_ready(self._run(self._x, self._leaf))

    def firing_rates(self) -> tuple[float, ...]:
        """Spikes per neuron and step over a few steps: the whole of it may take half a minute."""
        return (float(self._run(self._x[:RATE_STEPS], self._leaf).mean()),)
