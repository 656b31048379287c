"""The sections of a dataset: its files, the shape of its samples, and how values are scaled or events are binned."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, Strict, model_validator

from tsslbp.settings.fields import Classes, FileName, Key, Line, Md5, Note, Number, Positive, Samples, Section, Size, Url

# Of events: the cells of a frame are numbered in 32 bits, and t has 31 (36 minutes).
LARGEST_FRAME = (256, 4096, 4096)
LATEST_US = (1 << 31) - 1
SACCADES_SENSOR = (34, 34)  # height and width of N-MNIST's, which `stabilize` is for
BINNING = ("time_steps", "window_us", "stabilize", "first_us", "last_us")
"""The settings that decide, with the shape of a frame, how recordings become arrays."""


class Subset(Section):
    """A file that is accepted in place of the official one; every number from it is labelled with `note`."""

    md5: Md5
    note: Note


class SourceFile(Section):
    """One file of a dataset: its name, checksum and where it can be had, in the order to try.

    `role` says what is in it, for a name that is not the usual one of its kind; see `KINDS` in tsslbp/data/kinds.py.
    """

    name: FileName
    md5: Md5
    urls: tuple[Url, ...]
    subsets: tuple[Subset, ...] = ()
    role: str | None = None


class Dataset(Section):
    """A dataset: its files, the shape of a sample, and how values are scaled or events are binned.

    `kind` is one of `KINDS` in tsslbp/data/kinds.py, which checks what only it knows. `shape` is that of an image or of a frame
    of events: channels, height, width. `stabilize` takes the movement of N-MNIST's camera out of events. Of a recording, only
    the events after `first_us` and up to `last_us` (microseconds; None for its end) are kept.
    """

    title: Line
    kind: Key
    shape: tuple[Size, Size, Size]
    classes: Classes
    class_names: tuple[Line, ...] = ()
    train_samples: Samples
    test_samples: Samples
    files: tuple[SourceFile, ...] = ()
    mean: tuple[Number, ...] = ()
    std: tuple[Positive, ...] = ()
    time_steps: Annotated[int, Strict(), Field(ge=2, le=4096)] | None = None
    window_us: Annotated[int, Strict(), Field(ge=1, le=LATEST_US)] | None = None
    stabilize: Annotated[bool, Strict()] | None = None
    first_us: Annotated[int, Strict(), Field(ge=0, le=LATEST_US)] = 0
    last_us: Annotated[int, Strict(), Field(ge=1, le=LATEST_US)] | None = None

    @property
    def is_events(self) -> bool:
        """Whether samples are recordings of events, not still images."""
        return self.time_steps is not None

    @property
    def binning(self) -> dict[str, Any]:
        """The settings that recordings are binned with; empty for still images."""
        return self.model_dump(mode="json", include=set(BINNING)) if self.is_events else {}

    def as_recorded(self, recorded: Mapping[str, Any]) -> Self:
        """The dataset with what a record keeps of its settings, its "dataset_settings"; the rest, and all of it beside older records, stays."""
        known = {name: tuple(value) if isinstance(value, list) else value for name, value in recorded.items()}
        return self.model_copy(update={name: value for name, value in known.items() if name in type(self).model_fields})

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [file.name for file in self.files]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"files: the name {twice} appears twice")
        return self

    @model_validator(mode="after")
    def _is_of_images_or_events(self) -> Self:
        if self.class_names and len(self.class_names) != self.classes:
            raise ValueError(f"class_names has {len(self.class_names)} names for {self.classes} classes; give one each, or none")
        binning = (self.time_steps, self.window_us, self.stabilize)
        if binning != (None, None, None):
            if None in binning or self.mean or self.std:
                raise ValueError("a dataset of events needs time_steps, window_us and stabilize, and has no mean or std")
            self._check_events()
        elif not len(self.mean) == len(self.std) == self.shape[0] or self.first_us or self.last_us:
            raise ValueError(
                f"a dataset of images needs one mean and one std for each of its {self.shape[0]} channels, and has no first_us or last_us; "
                "one of events needs time_steps, window_us and stabilize"
            )
        return self

    def _check_events(self) -> None:
        if any(size > most for size, most in zip(self.shape, LARGEST_FRAME, strict=True)):
            raise ValueError(f"shape {list(self.shape)}: a frame of events has at most {list(LARGEST_FRAME)} channels, rows and columns")
        if self.stabilize and self.shape[1:] != SACCADES_SENSOR:
            raise ValueError(
                f"stabilize: got True; N-MNIST's saccades are those of {list(SACCADES_SENSOR)} pixels, not {list(self.shape[1:])}: give false"
            )
        if self.last_us is not None and self.last_us <= self.first_us:
            raise ValueError(f"last_us: got {self.last_us}; it comes after first_us, {self.first_us}")
