"""Further numbers that every epoch records: add a function here, and history.csv and MLflow have it.

They are taken from an evaluation on the test set and decide nothing, so no trained row becomes stale over them; records that
were written before a measure was added stay readable.
"""

from collections.abc import Callable

from tsslbp.method.step import Evaluation


def worst_class_accuracy(evaluation: Evaluation) -> float:
    """The smallest accuracy of any class, percent of its test samples; classes without samples do not count."""
    samples = evaluation.confusion.sum(1)
    recall = 100 * evaluation.confusion.diagonal()[samples > 0] / samples[samples > 0]
    return float(recall.min())


MEASURES: dict[str, Callable[[Evaluation], float]] = {"worst_class_accuracy": worst_class_accuracy}
"""By the name that a record gives them."""


def measure(evaluation: Evaluation) -> dict[str, float]:
    """Every measure of an evaluation, by name."""
    return {name: take(evaluation) for name, take in MEASURES.items()}
