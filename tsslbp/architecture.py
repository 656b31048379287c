"""The papers' network notation, "15C5-P2-40C5-P2-300", read into layer specs, and the shapes that follow from it.

Pure Python: params.yaml is checked with it before anything heavy is imported. `network.py` builds what is planned here.
"""

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tsslbp.characters import described, first_unusual

Shape = tuple[int, int, int]
"""(channels, height, width)."""


@dataclass(frozen=True)
class Convolution:
    """`15C5`: 15 channels, 5x5 kernel, stride 1."""

    channels: int
    kernel: int


@dataclass(frozen=True)
class Pooling:
    """`P2`: non-overlapping square windows of this side length, summed."""

    size: int


@dataclass(frozen=True)
class Dense:
    """`300`: fully connected neurons."""

    neurons: int


LayerSpec = Convolution | Pooling | Dense

_SIZE = "([1-9][0-9]{0,6})"
_TOKENS = (
    (re.compile(f"{_SIZE}C{_SIZE}"), lambda m: Convolution(int(m[1]), int(m[2]))),
    (re.compile(f"P{_SIZE}"), lambda m: Pooling(int(m[1]))),
    (re.compile(_SIZE), lambda m: Dense(int(m[1]))),
)
LARGEST_SIZE = 9_999_999
"""Channels, pixels, neurons, classes or padding: what seven digits can say."""
LARGEST_LAYER = 10**9
"""Weights, or neurons, of one layer; the largest published layer has 34 million weights."""
LONGEST = 1000
"""Characters of a notation; the longest published one has 45."""


def parse(architecture: str) -> tuple[LayerSpec, ...]:
    """Read a notation such as `"15C5-P2-40C5-P2-300"`.

    Raises:
        ValueError: names the bad token or character and its position (the first character is 1).

    >>> parse("15C5-P2-300")
    (Convolution(channels=15, kernel=5), Pooling(size=2), Dense(neurons=300))
    """
    _check_characters(architecture)
    specs: list[LayerSpec] = []
    position = 1
    for token in architecture.split("-"):
        specs.append(_parse_token(token, architecture, position))
        position += len(token) + 1
    _check_order(specs, architecture)
    return tuple(specs)


def _check_characters(architecture: str) -> None:
    if not isinstance(architecture, str):
        raise TypeError(f"architecture {architecture!r}: expected text such as '15C5-P2-300', got {type(architecture).__name__}")
    if len(architecture) > LONGEST:
        raise ValueError(f"architecture {architecture[:20]!r}...: has {len(architecture):,} characters; allowed: {LONGEST:,}")
    odd = first_unusual(architecture)
    if odd is not None:
        position = architecture.index(odd) + 1
        raise ValueError(f"architecture {architecture!r}: the character at position {position}, {described(odd)}")


def _parse_token(token: str, architecture: str, position: int) -> LayerSpec:
    for pattern, build in _TOKENS:
        if match := pattern.fullmatch(token):
            return build(match)
    raise ValueError(
        f"architecture {architecture!r}: token {token!r} at position {position} is not a layer; "
        "allowed: 15C5 (15 channels, 5x5 kernel), P2 (2x2 pooling), 300 (300 dense neurons), joined by '-', with sizes of up to seven digits"
    )


def _check_order(specs: Sequence[LayerSpec], architecture: str) -> None:
    seen_dense = False
    for index, spec in enumerate(specs):
        if seen_dense and not isinstance(spec, Dense):
            raise ValueError(f"architecture {architecture!r}: layer {index + 1} needs an image, but a dense layer comes before it")
        if isinstance(spec, Pooling) and (index == 0 or not isinstance(specs[index - 1], Convolution)):
            raise ValueError(f"architecture {architecture!r}: layer {index + 1} is a pooling; it must follow a convolution directly")
        seen_dense |= isinstance(spec, Dense)


@dataclass(frozen=True)
class PlannedLayer:
    """One layer with weights, and the pooling that follows it.

    Attributes:
        spec: what the notation says.
        input_shape: (C, H, W) for a convolution, (features, 1, 1) for a dense layer.
        neuron_shape: shape of the layer's neurons, before pooling.
        output_shape: shape of its output, after pooling.
        padding: zeros added on every side; 0 for a dense layer.
        pooling: window side, 1 where nothing is pooled.
    """

    spec: Convolution | Dense
    input_shape: Shape
    neuron_shape: Shape
    output_shape: Shape
    padding: int
    pooling: int

    @property
    def weights(self) -> int:
        """How many weights the layer has."""
        if isinstance(self.spec, Convolution):
            return self.spec.channels * self.input_shape[0] * self.spec.kernel**2
        return self.spec.neurons * self.input_shape[0]

    @property
    def neurons(self) -> int:
        """How many neurons the layer has."""
        channels, height, width = self.neuron_shape
        return channels * height * width


def plan_network(architecture: str, input_shape: Sequence[int], classes: int, padding: int | Sequence[int] = 0) -> tuple[PlannedLayer, ...]:
    """Work out every shape of a network, its output layer included, and refuse the impossible ones.

    Args:
        architecture: notation without the output layer.
        input_shape: (C, H, W).
        classes: neurons of the output layer that is appended.
        padding: one value for all convolutions, or one for each.

    Raises:
        ValueError: says which layer cannot be built, and why.
    """
    specs = parse(architecture)
    shape = _check_input(input_shape, classes)
    paddings = iter(_paddings(specs, padding, architecture))
    layers: list[PlannedLayer] = []
    for index, spec in enumerate((*specs, Dense(classes))):
        where = f"architecture {architecture!r}, layer {index + 1}"
        if isinstance(spec, Pooling):
            layers[-1] = _pool(layers[-1], spec, where)
        elif isinstance(spec, Convolution):
            layers.append(_convolve(spec, shape, next(paddings), where))
        else:
            features = (shape[0] * shape[1] * shape[2], 1, 1)
            neurons = (spec.neurons, 1, 1)
            layers.append(PlannedLayer(spec, features, neurons, neurons, 0, 1))
        _check_layer(layers[-1], where)
        shape = layers[-1].output_shape
    return tuple(layers)


def _check_input(input_shape: Sequence[int], classes: int) -> Shape:
    try:
        sizes = [_whole(size) for size in input_shape]
    except TypeError:
        raise TypeError(f"input_shape {input_shape!r}: expected three whole numbers (channels, height, width)") from None
    if len(sizes) != 3 or min(sizes) < 1:
        raise ValueError(f"input_shape {tuple(sizes)}: expected three positive sizes (channels, height, width)")
    if max(sizes) > LARGEST_SIZE:
        raise ValueError(f"input_shape {tuple(sizes)}: each of the sizes (channels, height, width) may be at most {LARGEST_SIZE}")
    try:
        enough = _whole(classes) >= 2
    except TypeError:
        raise TypeError(f"classes {classes!r}: expected a whole number") from None
    if not enough:
        raise ValueError(f"classes {classes}: at least 2 are needed")
    if classes > LARGEST_SIZE:
        raise ValueError(f"classes {classes}: at most {LARGEST_SIZE} are possible")
    return sizes[0], sizes[1], sizes[2]


def _whole(value: object) -> int:
    """A whole number, also one of NumPy's; True and 1.0 are not numbers of anything."""
    if isinstance(value, bool):
        raise TypeError
    return operator.index(value)  # type: ignore[arg-type]


def _paddings(specs: Sequence[LayerSpec], padding: int | Sequence[int], architecture: str) -> list[int]:
    convolutions = sum(isinstance(spec, Convolution) for spec in specs)
    try:
        values = [_whole(value) for value in padding] if isinstance(padding, Sequence) else [_whole(padding)] * convolutions
    except TypeError:
        raise TypeError(f"padding {padding!r}: expected a whole number, or one for each convolution") from None
    if len(values) != convolutions:
        raise ValueError(
            f"padding {values}: {len(values)} values for the {convolutions} convolutions of {architecture!r}; give one number or one each"
        )
    if min(values, default=0) < 0 or (not isinstance(padding, Sequence) and _whole(padding) < 0):
        raise ValueError(f"padding {padding}: must not be negative")
    if max(values, default=0) > LARGEST_SIZE:
        raise ValueError(f"padding {padding}: at most {LARGEST_SIZE} is possible")
    return values


def _check_layer(layer: PlannedLayer, where: str) -> None:
    for what, count in (("weights", layer.weights), ("neurons", layer.neurons)):
        if count > LARGEST_LAYER:
            raise ValueError(f"{where}: {_notation(layer.spec)} has {count:,} {what}; allowed: at most {LARGEST_LAYER:,} in a layer")


def _notation(spec: Convolution | Dense) -> str:
    return f"{spec.channels}C{spec.kernel}" if isinstance(spec, Convolution) else f"{spec.neurons}"


def _convolve(spec: Convolution, shape: Shape, padding: int, where: str) -> PlannedLayer:
    height, width = (size + 2 * padding - spec.kernel + 1 for size in shape[1:])
    if min(height, width) < 1:
        raise ValueError(
            f"{where}: a {spec.kernel}x{spec.kernel} kernel is larger than its input of {shape[1]}x{shape[2]} with padding {padding}"
        )
    neurons = (spec.channels, height, width)
    return PlannedLayer(spec, shape, neurons, neurons, padding, 1)


def _pool(layer: PlannedLayer, spec: Pooling, where: str) -> PlannedLayer:
    channels, height, width = layer.neuron_shape
    if height % spec.size or width % spec.size:
        raise ValueError(f"{where}: P{spec.size} needs a size divisible by {spec.size}, but its input is {height}x{width}")
    pooled = (channels, height // spec.size, width // spec.size)
    return PlannedLayer(layer.spec, layer.input_shape, layer.neuron_shape, pooled, layer.padding, spec.size)
