"""The files that a finished run shows in MLflow, drawn as the report draws them.

The drawing is imported when it is needed, in the logging thread: whatever is wrong with a user's matplotlib ends no training.
"""

import csv
import io
from collections.abc import Sequence

from tsslbp.storage.records import SeedRecord


def seed_files(record: SeedRecord, title: str) -> dict[str, bytes]:
    """Draw a seed's training curves and confusion matrix; returns the files' contents by name.

    Args:
        record: what the seed measured; a record without confusion matrix has no picture of it.
        title: title of the pictures.
    """
    from tsslbp.figures.confusion import confusion_matrix
    from tsslbp.figures.curves import training_curves

    files = {"learning_curve.png": training_curves(record.history, title).png}
    if record.confusion:
        files["confusion.png"] = confusion_matrix([record.confusion], title).png
        files["confusion.csv"] = confusion_csv(record.confusion).encode()
    return files


def model_files(seeds: Sequence[SeedRecord], title: str, published: float | None) -> dict[str, bytes]:
    """Draw the learning curves of a model's seeds; returns the files' contents by name.

    Args:
        seeds: at least one.
        title: title of the picture.
        published: a mean to draw as a line, percent; None where there is none.
    """
    from tsslbp.figures.curves import learning_curves

    return {"learning_curves.png": learning_curves(seeds, title, published=published).png}


def confusion_csv(confusion: Sequence[Sequence[int]]) -> str:
    """A confusion matrix as CSV: a row per true class, a column per predicted class."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["true class", *(f"predicted {predicted}" for predicted in range(len(confusion)))])
    writer.writerows([true, *row] for true, row in enumerate(confusion))
    return text.getvalue()
