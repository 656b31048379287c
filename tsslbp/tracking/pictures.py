"""The files that a finished run shows in MLflow: learning curve, confusion matrix, history."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tsslbp.storage.records import Epoch

Confusion = Sequence[Sequence[int]]


def draw_learning_curves(path: Path, title: str, histories: Mapping[str, Sequence[Epoch]]) -> None:
    """Draw accuracy and loss over the epochs, one line a run: test accuracy solid, training accuracy dotted."""
    # Figure without pyplot: pyplot keeps global state and is not safe outside of the main thread.
    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    accuracy, loss = figure.subplots(1, 2)
    for name, history in histories.items():
        epochs = [row.epoch for row in history]
        marker = "o" if len(epochs) == 1 else None
        (line,) = accuracy.plot(epochs, [row.test_accuracy for row in history], marker=marker, label=name)
        accuracy.plot(epochs, [row.train_accuracy for row in history], ":", marker=marker, color=line.get_color())
        loss.plot(epochs, [row.train_loss for row in history], marker=marker, color=line.get_color(), label=name)
    accuracy.set(xlabel="epoch", ylabel="accuracy in % (dotted: on training data)")
    loss.set(xlabel="epoch", ylabel="training loss per sample")
    for axes in (accuracy, loss):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    accuracy.legend(fontsize="small")
    figure.suptitle(title)
    figure.savefig(path, dpi=110)


def draw_confusion(path: Path, title: str, confusion: Confusion) -> None:
    """Draw a confusion matrix: the number of test samples in every cell, its shade the share of the true class."""
    classes = range(len(confusion))
    shares = [[count / max(1, sum(row)) for count in row] for row in confusion]
    figure = Figure(figsize=(6.4, 6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for true in classes:
        for predicted in classes:
            count = confusion[true][predicted]
            shade = "white" if shares[true][predicted] > 0.5 else "black" if count else "lightgrey"
            axes.text(predicted, true, str(count), ha="center", va="center", fontsize=8, color=shade)
    axes.set(xlabel="predicted class", ylabel="true class", xticks=classes, yticks=classes, title=title)
    figure.savefig(path, dpi=110)


def write_confusion(path: Path, confusion: Confusion) -> None:
    """Write a confusion matrix as CSV: a row per true class, a column per predicted class."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["true class", *(f"predicted {predicted}" for predicted in range(len(confusion)))])
        writer.writerows([true, *row] for true, row in enumerate(confusion))
