"""params.yaml as frozen, validated settings; `load_settings` is the way in."""

from tsslbp.settings.load import Settings, digest, load_settings
from tsslbp.settings.messages import SettingsError
from tsslbp.settings.schema import (
    Augmentation,
    CountLossSettings,
    Dataset,
    Execution,
    Folders,
    KernelLossSettings,
    Model,
    Published,
    Recipe,
    SourceFile,
    Subset,
    Training,
)

__all__ = [
    "Augmentation",
    "CountLossSettings",
    "Dataset",
    "Execution",
    "Folders",
    "KernelLossSettings",
    "Model",
    "Published",
    "Recipe",
    "Settings",
    "SettingsError",
    "SourceFile",
    "Subset",
    "Training",
    "digest",
    "load_settings",
]
