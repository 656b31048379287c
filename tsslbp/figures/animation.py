"""One recording and the spikes that it causes in a network, step by step, as a GIF: the moving form of raster.py's picture."""

import io
import math
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from PIL import Image

from tsslbp.architecture import Convolution, parse
from tsslbp.figures.canvas import BLACK, BLUE, GREY, ORANGE, VERMILLION, style
from tsslbp.figures.raster import Raster

NAME = "recording.gif"
INCHES, DOTS_PER_INCH = (7.2, 2.5), 140
STEP_MS, LAST_MS = 140, 1500
"""How long a step is shown, and the last one."""
COLORS = 48
"""Of the palette: enough for text in three colors with smooth edges."""
SENSOR = ListedColormap(["white", VERMILLION, BLUE])
SPIKES = ListedColormap(["white", "#C9C9C9", BLACK])


def draw_animation(shown: Raster) -> bytes:
    """Draw the events that the network sees, the spikes of each layer, and how often each class has spiked so far.

    Args:
        shown: a recording; its last layer is the output.

    Returns:
        The bytes of a GIF; equal rasters give equal bytes.
    """
    with style():
        images = list(_frames(shown))
    # From all steps: the last one has no events, the first no spikes.
    palette = Image.fromarray(np.concatenate([np.asarray(image) for image in images])).quantize(COLORS, dither=Image.Dither.NONE)
    first, *others = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    durations = [STEP_MS] * len(others) + [LAST_MS]
    buffer = io.BytesIO()
    first.save(buffer, format="GIF", save_all=True, append_images=others, duration=durations, loop=0, optimize=True)
    return buffer.getvalue()


def _frames(shown: Raster) -> Iterator[Image.Image]:
    """A picture of each step."""
    *hidden, (_, output) = shown.layers.items()
    figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(hidden) + 2, squeeze=False)[0]
    frames = sensor_frames(shown)
    sensor = _panel(panels[0], "events, ON and OFF", frames[0], SENSOR)
    maps = [layer_maps(name, spikes) for name, spikes in hidden]
    layers = [_panel(axes, name, each[0], SPIKES) for axes, (name, _), each in zip(panels[1:], hidden, maps, strict=False)]
    classes = _scores(panels[-1], output)
    for step in range(len(output)):
        sensor.set_data(frames[step])
        for layer, each in zip(layers, maps, strict=True):
            layer.set_data(each[step])
        classes(step)
        figure.suptitle(f"{(step + 1) * shown.step_ms:.0f} of {len(output) * shown.step_ms:.0f} ms", x=0.01, ha="left", fontsize=9)
        canvas.draw()  # type: ignore[no-untyped-call]
        yield Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())  # type: ignore[no-untyped-call]


def _panel(axes: Axes, title: str, picture: NDArray[np.uint8], colors: ListedColormap) -> AxesImage:
    axes.set_title(title, fontsize=9)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(True)
    axes.grid(visible=False)
    return axes.imshow(picture, cmap=colors, vmin=0, vmax=2, interpolation="nearest")


class _scores:  # noqa: N801 - used as a function
    """Bars of how many spikes each class has had so far, the leading one in another color."""

    def __init__(self, axes: Axes, output: NDArray[np.bool_]) -> None:
        self._counts = output.cumsum(0)
        axes.set_title("spikes of each class", fontsize=9)
        axes.set(xticks=range(output.shape[1]), ylim=(0, max(1, self._counts.max() * 1.1)))
        axes.tick_params(labelsize=8)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(visible=False)
        self._bars = axes.bar(range(output.shape[1]), self._counts[0])

    def __call__(self, step: int) -> None:
        counts = self._counts[step]
        for index, (bar, count) in enumerate(zip(self._bars, counts, strict=True)):
            bar.set_height(count)
            bar.set_color(ORANGE if count and index == counts.argmax() else GREY)


def sensor_frames(shown: Raster) -> NDArray[np.uint8]:
    """The binned events: (T, height, width) of 0, nothing; 1, OFF; 2, ON."""
    steps = len(list(shown.layers.values())[-1])
    side = int(max(shown.raw["x"].max(initial=0), shown.raw["y"].max(initial=0), shown.binned[:, 2:].max(initial=0))) + 1
    frames = np.zeros((steps, side, side), np.uint8)
    step, polarity, row, column = shown.binned[shown.binned[:, 0] < steps].T
    frames[step, row, column] = polarity + 1
    return frames


def layer_maps(name: str, spikes: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A layer's neurons as a picture per step: 0, silent; 1, spiked in the step before; 2, spikes.

    Args:
        name: such as "2: 64C5"; a convolution's channels are laid out side by side.
        spikes: (T, neurons).

    Returns:
        (T, height, width), with a margin of silence between channels and at the end.
    """
    before = np.zeros_like(spikes)
    before[1:] = spikes[:-1]
    values = np.where(spikes, 2, before.astype(np.uint8)).astype(np.uint8)
    spec = parse(name.rpartition(" ")[2])[0]
    channels = spec.channels if isinstance(spec, Convolution) else 1
    return _tiled(values.reshape(len(values), channels, *_rectangle(spikes.shape[1] // channels)))


def _rectangle(neurons: int) -> tuple[int, int]:
    """Height and width of so many neurons: the rectangle that is nearest to a square."""
    height = next(side for side in range(math.isqrt(neurons), 0, -1) if neurons % side == 0)
    return height, neurons // height


def _tiled(maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(T, channels, h, w) -> (T, rows · (h + 1), columns · (w + 1))."""
    steps, channels, height, width = maps.shape
    rows, columns = _rectangle(channels)
    tiles = np.zeros((steps, rows * columns, height + 1, width + 1), np.uint8)
    tiles[:, :, :height, :width] = maps
    picture: NDArray[np.uint8] = tiles.reshape(steps, rows, columns, height + 1, width + 1).swapaxes(2, 3)
    return picture.reshape(steps, rows * (height + 1), columns * (width + 1))
