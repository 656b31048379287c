"""The parts of a training step: what a mark counts for, that the parts add up to the step, and what is written."""

import time

import pytest
import torch

from benchmarks import step_profile
from benchmarks.cases import NETWORKS, NetworkCase
from benchmarks.networks.implementations import ours
from benchmarks.networks.inputs import load
from benchmarks.networks.stopwatch import LOSS, NEURONS, NEURONS_BACK, PARTS, PRODUCTS, PRODUCTS_BACK, REST, UPDATE, Stopwatch, watched
from benchmarks.step_profile import Profile
from tests.benchmarks.builders import small
from tests.support.paths import ROOT


def test_a_mark_gives_the_time_before_it_to_a_part():
    now = iter([0.0, 1.0, 3.0, 7.0])
    watch = Stopwatch(lambda: next(now))
    watch.mark(REST)
    watch.mark(PRODUCTS)
    watch.mark(REST)
    assert watch.seconds == dict.fromkeys(PARTS, 0.0) | {REST: 5.0, PRODUCTS: 2.0}


def test_the_marks_of_a_real_step_come_in_the_order_of_its_parts(settings):
    training, watch, marks = ours(small(settings), load(small(settings))), Stopwatch(), []
    watch.mark = marks.append
    with watched(training, watch):
        training.train()
    # 3C3-P2, 5 and the output
    forward = [REST, PRODUCTS, *2 * [NEURONS, PRODUCTS], NEURONS, LOSS]
    assert marks == [*forward, LOSS, *3 * [NEURONS_BACK, PRODUCTS_BACK]]


def test_every_part_of_a_real_step_takes_time_and_together_they_are_the_step(settings):
    began = time.perf_counter()
    profile = step_profile.profiled(small(settings), seconds=0.0)
    assert all(profile.parts[part] > 0 for part in PARTS)
    assert profile.step < time.perf_counter() - began


def test_the_parts_of_one_step_add_up_to_all_of_it(settings):
    training = ours(small(settings), load(small(settings)))
    # Of several steps the best: another process may come between the two clocks.
    assert min(_unaccounted(training) for _ in range(5)) < 1e-4


def _unaccounted(training):
    """Seconds by which the parts of a step and the step differ."""
    watch = Stopwatch()
    with watched(training, watch):
        watch.start()
        began = time.perf_counter()
        training.train()
        watch.mark(UPDATE)
        seconds = time.perf_counter() - began
    return abs(sum(watch.seconds.values()) - seconds)


def test_a_watched_step_computes_the_same(settings):
    case = small(settings)
    plain, other = ours(case, load(case)), ours(case, load(case))
    with watched(other, Stopwatch()):
        assert [other.train() for _ in range(3)] == [plain.train() for _ in range(3)]
    assert all(torch.equal(a, b) for a, b in zip(plain.network.parameters(), other.network.parameters(), strict=True))


def test_nothing_is_watched_afterwards(settings):
    training, watch = ours(small(settings), load(small(settings))), Stopwatch()
    loss = training.loss
    with watched(training, watch):
        training.train()
    watch.start()
    training.train()
    assert watch.seconds == dict.fromkeys(PARTS, 0.0)
    assert training.loss is loss


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


def test_a_case_without_a_network_is_refused_with_the_models(capsys, tmp_path):
    assert step_profile.main(["--cases", "lif-512", "--output", str(tmp_path)]) == 1
    assert "--cases: unknown lif-512; allowed: " in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "folder"),
    [([], "reports"), (["--cases", "mnist-cnn"], ".scratch"), (["--threads", "7"], ".scratch"), (["--cases", *NETWORKS], "reports")],
)
def test_the_committed_numbers_are_of_a_whole_profile_alone(arguments, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(step_profile, "measure", lambda *_: [])
    monkeypatch.setattr(step_profile, "available_threads", lambda: 2)
    monkeypatch.chdir(tmp_path)
    assert step_profile.main(["--params", str(ROOT / "params.yaml"), *arguments]) == 0
    assert [path.parent for path in tmp_path.rglob("profile.csv")] == [tmp_path / folder / "benchmark"]
