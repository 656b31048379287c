"""The cost of a model before it is trained."""

from pathlib import Path

import pytest
import torch

from tsslbp.costs import measure
from tsslbp.settings import load_settings

ROOT = Path(__file__).parent.parent


def test_hours_follow_from_the_measured_rates():
    settings = load_settings(ROOT / "quickstart/params.yaml")
    cost = measure(settings, "digits-mlp", torch.device("cpu"), seconds=0.05)
    epochs = settings.model("digits-mlp").epochs
    assert cost.hours == pytest.approx(epochs * (1437 / cost.train_rate + 360 / cost.test_rate) / 3600)
    weights = 784 * 400 + 400 * 400 + 400 * 10
    assert cost.disk_bytes == 24 * weights


def test_events_are_made_up_for_event_models():
    cost = measure(load_settings(ROOT / "quickstart/params.yaml"), "ndigits-cnn", torch.device("cpu"), seconds=0.01)
    assert cost.train_rate > 0
