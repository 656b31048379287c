"""What is said of rows that have only begun, from curves whose answer is known."""

import pytest

from tests.support.report_builders import make_run
from tsslbp.report.beginnings import beginnings
from tsslbp.report.origin import Run
from tsslbp.report.rows import make_rows
from tsslbp.settings import Settings

COPIES = "5,000 training and 1,000 test images from lossy copies"


def begun(base: Settings, *, epochs: int = 3, output: tuple[float, ...] = (0.0, 0.0, 0.1), classes: int = 10) -> Run:
    """One seed of cifar10-cnn on 5,000 images: of these 10, 12, 14 ... percent, in testing 9, 9.5, 10 ..."""
    record, provenance = make_run(base, "cifar10-cnn", seeds=(0,), epochs=epochs, subset=(COPIES,))
    (seed,) = record.seeds
    history = tuple(
        epoch.model_copy(
            update={"train_accuracy": 10.0 + 2 * n, "test_accuracy": 9 + n / 2, "firing_rates": (*epoch.firing_rates[:-1], output[n])}
        )
        for n, epoch in enumerate(seed.history)
    )
    data = record.data.model_copy(update={"train_samples": 5000, "classes": classes})
    return record.model_copy(update={"seeds": (seed.model_copy(update={"history": history}),), "data": data}), provenance


def said(base: Settings, run: Run) -> tuple[str, ...]:
    runs = {"cifar10-cnn": run}
    return beginnings(make_rows(base, runs), runs)


def test_the_first_and_the_last_epoch_stand_beside_a_guess(base: Settings) -> None:
    assert said(base, begun(base)) == (
        "cifar10-cnn, 1 of 5 × 3 of 150, subset: between epoch 1 and the last, 10.00 to 14.00 % of the training samples were classified "
        "rightly, as the weights changed and with dropout and augmentation (the last of 5,000 samples: [13.07, 14.99]; a guess: 10.00). "
        "Test accuracy went from 9.00 to 10.00 %; the output layer did not fire on test data before epoch 3.",
    )


@pytest.mark.parametrize(
    ("output", "end"),
    [
        ((0.1, 0.1, 0.1), "to 10.00 %."),
        ((0.1, 0.0, 0.1), "to 10.00 %."),
        ((0.0, 0.1, 0.1), "before epoch 2."),
        ((0.0, 0.0, 0.0), "; an output layer has not fired on test data yet."),
    ],
)
def test_it_is_said_when_the_output_layer_woke(base: Settings, output: tuple[float, ...], end: str) -> None:
    (sentence,) = said(base, begun(base, output=output))
    assert sentence.endswith(end)


def test_where_the_classes_are_not_on_record_there_is_no_guess(base: Settings) -> None:
    (sentence,) = said(base, begun(base, classes=0))
    assert "augmentation. Test accuracy" in sentence


def test_an_old_record_without_firing_rates_is_not_called_silent(base: Settings) -> None:
    record, provenance = begun(base)
    (seed,) = record.seeds
    history = tuple(epoch.model_copy(update={"firing_rates": ()}) for epoch in seed.history)
    (sentence,) = said(base, (record.model_copy(update={"seeds": (seed.model_copy(update={"history": history}),)}), provenance))
    assert sentence.endswith("to 10.00 %.")


def test_rows_of_one_epoch_or_of_all_have_nothing_to_say(base: Settings) -> None:
    assert said(base, begun(base, epochs=1)) == ()
    whole = {"mnist-cnn": make_run(base, "mnist-cnn", epochs=100)}
    assert beginnings(make_rows(base, whole), whole) == ()
