"""params.yaml as frozen, validated settings; `load_settings` is the way in."""

from tsslbp.settings.dataset import Dataset, SourceFile, Subset
from tsslbp.settings.load import load_settings
from tsslbp.settings.losses import CountLossSettings, KernelLossSettings, LossSettings
from tsslbp.settings.messages import SettingsError
from tsslbp.settings.model import Augmentation, Model, Recipe
from tsslbp.settings.schema import Execution, Folders, Published, Settings, Training
from tsslbp.storage.files import digest

__all__ = [
    "Augmentation",
    "CountLossSettings",
    "Dataset",
    "Execution",
    "Folders",
    "KernelLossSettings",
    "LossSettings",
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
