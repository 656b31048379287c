"""The parts of a training step: what a mark counts for, that the parts add up to the step, and what is written."""

import time

import pytest

from benchmarks import step_profile
from benchmarks.cases import NetworkCase
from benchmarks.step_profile import LOSS, NEURONS, NEURONS_BACK, PARTS, PRODUCTS, PRODUCTS_BACK, REST, UPDATE, Profile, Stopwatch
from tests.benchmark_builders import small


def test_a_mark_gives_the_time_before_it_to_a_part_and_backward_tells_loss_from_product():
    now = iter([0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 127.0])
    watch = Stopwatch(lambda: next(now))
    watch.mark(REST)
    watch.mark(PRODUCTS)
    watch.mark(NEURONS)
    watch.mark_before_backward()
    watch.mark(NEURONS_BACK)
    watch.mark_before_backward()
    watch.mark(UPDATE)
    assert watch.seconds == {REST: 1.0, PRODUCTS: 2.0, NEURONS: 4.0, LOSS: 8.0, NEURONS_BACK: 16.0, PRODUCTS_BACK: 32.0, UPDATE: 64.0}


def test_every_part_of_a_real_step_takes_time_and_together_they_are_the_step(settings, monkeypatch):
    monkeypatch.setattr(step_profile, "SECONDS", 0.0)
    case = small(settings)
    began = time.perf_counter()
    profile = step_profile.profiled(case)
    assert all(profile.parts[part] > 0 for part in PARTS)
    assert profile.step < time.perf_counter() - began


def test_nothing_is_watched_afterwards(settings, monkeypatch):
    import torch

    from tsslbp.method.layers import SpikingLinear
    from tsslbp.method.neuron import cpu

    watched = [(SpikingLinear, "forward"), (cpu, "spike_forward"), (cpu, "spike_backward"), (torch.nn.utils, "clip_grad_norm_")]
    before = [getattr(where, name) for where, name in watched]
    monkeypatch.setattr(step_profile, "SECONDS", 0.0)
    step_profile.profiled(small(settings))
    assert [getattr(where, name) for where, name in watched] == before


def test_the_neurons_cost_is_per_neuron_time_step_and_thread(settings):
    case = NetworkCase("fashion-mlp", settings, "fashion-mlp")  # 400 + 400 + 10 neurons, batch and T of the settings
    updates = 810 * case.batch * case.time_steps
    profile = Profile(case, dict.fromkeys(PARTS, 0.0) | {NEURONS: 1e-9 * updates, NEURONS_BACK: 2e-9 * updates})
    assert profile.neuron_nanoseconds(threads=2) == pytest.approx(6.0)
    row = step_profile.shares([profile], 2).splitlines()[-1]
    assert row.startswith("| fashion-mlp |") and row.endswith("| 6.0 |")
    assert "(33 %)" in row and "(67 %)" in row


def test_a_wrong_model_or_number_of_threads_is_a_users_mistake(capsys, tmp_path):
    assert step_profile.main(["--cases", "mnist-cmm", "--output", str(tmp_path)]) == 1
    assert "mnist-cmm" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        step_profile.main(["--threads", "0"])
    assert not list(tmp_path.iterdir())
