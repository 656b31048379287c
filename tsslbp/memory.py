"""How much memory a model needs at least: what cannot fit is refused before any data are read."""

from tsslbp.architecture import PlannedLayer, plan_network
from tsslbp.settings import Dataset, Model, Settings, SettingsError

COPIES_OF_WEIGHTS = 5
"""The weights, their gradient, AdamW's two moments, and the weights of the best epoch."""


def needed_memory(model: Model, dataset: Dataset) -> int:
    """Bytes that training a model needs at least: its weights and their copies, and what a batch keeps for the backward pass."""
    layers = plan_network(model.architecture, dataset.shape, dataset.classes, model.padding)
    samples = min(model.batch_size, dataset.train_samples)
    width = 2 if model.precision == "bf16" else 4
    weights = sum(layer.weights for layer in layers)
    kept = sum(_kept(layer, model.time_steps, constant=index == 0 and not dataset.is_events) for index, layer in enumerate(layers))
    return 4 * COPIES_OF_WEIGHTS * weights + width * samples * kept


def _kept(layer: PlannedLayer, time_steps: int, constant: bool) -> int:
    """Numbers that a layer keeps for each sample: currents, of one step where the input is constant, and traces."""
    channels, height, width = layer.output_shape
    return layer.neurons * (1 if constant else time_steps) + channels * height * width * time_steps


def check_memory(settings: Settings, key: str, available: int) -> None:
    """Refuse a model that cannot fit.

    Args:
        settings: all settings.
        key: of the model.
        available: bytes, `limits.usable_memory()` or those of the GPU.

    Raises:
        SettingsError: how much it needs at least, and how much there is.
    """
    needed = needed_memory(settings.model(key), settings.dataset_of(key))
    if needed > available:
        raise SettingsError(
            f"models.{key}: training needs at least {_gigabytes(needed)} of memory, and there are {_gigabytes(available)}; "
            "choose a smaller architecture or batch_size, or a larger machine"
        )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB"
