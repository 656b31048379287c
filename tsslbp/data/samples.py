"""What the datasets of datasets.py share: `torch.utils.data.Dataset` with torchvision's attributes, safe in other processes."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch.utils.data import Dataset

Transform = Callable[[Any], Any]
Source = TypeVar("Source")


class Samples(Dataset[tuple[Any, Any]], ABC, Generic[Source]):
    """Labels, transforms, and a source that is opened in each process that reads from it.

    Args:
        root: where the samples lie.
        train: training samples, otherwise test samples.
        labels: the label of each sample.
        classes: the name of each label.
        transform: applied to each sample.
        target_transform: applied to each label.
    """

    def __init__(
        self,
        root: str | Path,
        train: bool,
        labels: list[int],
        classes: list[str],
        transform: Transform | None,
        target_transform: Transform | None,
    ) -> None:
        self.root = Path(root)
        self.train = train
        self.transform = transform
        self.target_transform = target_transform
        self.targets = labels
        self.classes = classes
        self._source: Source | None = None
        self._process = 0

    @abstractmethod
    def _open(self) -> Source:
        """Open what samples are read from."""

    @abstractmethod
    def _sample(self, source: Source, index: int) -> Any:
        """Return a sample, not yet transformed."""

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        label = self.targets[index]
        if self._source is None or self._process != os.getpid():  # a forked process would share its parent's place in the file
            self._source, self._process = self._open(), os.getpid()
        sample = self._sample(self._source, index % len(self))
        if self.transform is not None:
            sample = self.transform(sample)
        return sample, label if self.target_transform is None else self.target_transform(label)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_source": None, "_process": 0}

    def __repr__(self) -> str:
        lines = [
            f"Dataset {type(self).__name__}",
            f"    Number of datapoints: {len(self)}",
            f"    Root location: {self.root}",
            f"    Split: {'Train' if self.train else 'Test'}",
        ]
        transforms = (("Transform", self.transform), ("Target transform", self.target_transform))
        return "\n".join(lines + [f"    {name}: {transform}" for name, transform in transforms if transform is not None])
