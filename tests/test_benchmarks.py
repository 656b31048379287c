"""The benchmark: what it counts, how it splits work among processes, and that its files say the same."""

import csv
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import inputs
from benchmarks.cases import LayerCase, NetworkCase, Sweep, changed, chosen, layer_cases, network_cases, sweeps
from benchmarks.dense import network_products
from benchmarks.machine import Conditions, ProcessorTime
from benchmarks.measure import Effort, find_settings, fitting, measure
from benchmarks.measurement import Measurement
from benchmarks.peer_network import Neurons, PeerNetwork
from benchmarks.report import Results, markdown
from benchmarks.roster import DENSE, OURS, PEERS, ROSTER, Setting
from benchmarks.scaling import points, straight_line
from benchmarks.table import csv_text
from benchmarks.worker import Findings, Job, Worker, WorkerError
from tsslbp import notation
from tsslbp.config import Settings, SettingsError, load_settings
from tsslbp.network import SpikingNetwork
from tsslbp.rules import POOLING_GAIN

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings(ROOT / "params.yaml")


def small(settings: Settings, **update: object) -> NetworkCase:
    """A network of every kind of layer that computes in a millisecond, on made samples."""
    values = {"architecture": "3C3-P2-5", "padding": 1, "batch_size": 2, **update}
    return changed(settings, "mnist-cnn", "small", values)


# What is counted


@pytest.mark.parametrize(("architecture", "padding"), [("4C3-P2-6C4-P2-5", (1, 0)), ("7-5", 0), ("3C5", 2)])
def test_the_dense_limit_has_the_products_of_the_network(architecture, padding):
    shape, steps, batch = (2, 14, 14), 3, 2
    network = SpikingNetwork(architecture, shape, time_steps=steps, padding=padding)
    events = (torch.rand(steps, batch, *shape) < 0.2).to(torch.uint8)
    with FlopCounterMode(display=False) as of_network:
        network(events).sum().backward()
    with FlopCounterMode(display=False) as of_limit:
        network_products(network.plan, steps * batch).train()
    assert of_limit.get_total_flops() == of_network.get_total_flops() > 0


def test_operations_are_those_that_pytorch_counts(settings):
    case = small(settings)
    limit = network_products(case.plan, case.time_steps * case.batch)
    for training, run in ((True, limit.train), (False, limit.infer)):
        with FlopCounterMode(display=False) as counter:
            run()
        assert counter.get_total_flops() == case.operations(training)
    assert LayerCase("x", 8, linear=True, batch=2, time_steps=3).operations(True) == 2 * 2 * 8 * 8 * 6


def test_the_dense_limit_works_in_the_layout_of_the_network():
    for product in network_products(notation.plan("4C3-P2-5", (2, 8, 8), 10, 1), 3).products:
        assert product.forward().shape == product.gradient.shape
        if product.x.dim() == 4:
            assert all(
                t.is_contiguous(memory_format=torch.channels_last) for t in (product.x, product.weight, product.gradient, product.forward())
            )


def test_every_network_and_layer_case_is_measured_by_default(settings):
    cases, found = chosen(settings, None, quick=False)
    titles = [case.title for case in cases]
    for architecture in (
        "400-400",
        "15C5-P2-40C5-P2-300",
        "32C5-P2-64C5-P2-1024",
        "12C5-P2-64C5-P2, T = 30",
        "12C5-P2-64C5-P2, T = 100",
        "96C3-",
    ):
        assert any(architecture in title for title in titles), architecture
    assert {(case.neurons, case.batch, case.time_steps) for case in layer_cases()} == {(512, 16, 500), (16384, 16, 500)}
    assert [value for value, _ in found[0].points] == [5, 10, 20, 50, 100, 200]


def test_an_unknown_case_is_refused_with_the_list_of_known_ones(settings):
    with pytest.raises(SettingsError, match=r"unknown nonesuch; allowed: .*mnist-cnn.*linear-lif-512.*scaling-time"):
        chosen(settings, ["nonesuch"], quick=False)


def test_a_sweep_changes_its_number_alone(settings):
    (time,) = [sweep for sweep in sweeps(settings) if sweep.name == "scaling-time"]
    models = [case.settings.models[case.model] for _, case in time.points]
    assert [model.time_steps for model in models] == [value for value, _ in time.points]
    assert len({model.model_copy(update={"time_steps": 1}) for model in models}) == 1


# Samples


def test_made_images_are_normalised_and_mostly_black(settings):
    case = small(settings, batch_size=20)
    x, labels = inputs.load(case).batches[0]
    dataset = settings.datasets["mnist"]
    pixels = x * dataset.std[0] + dataset.mean[0]
    assert x.shape == (20, *dataset.shape)
    assert labels.max() < dataset.classes
    assert -1e-5 < pixels.min() < 1e-5
    assert float((pixels > 1e-5).float().mean()) == pytest.approx(inputs.INK, abs=0.02)


def test_made_events_are_as_sparse_as_real_ones_and_wake_the_network(settings):
    case = changed(settings, "nmnist-cnn-t30", "events", {"batch_size": 10})
    samples = inputs.load(case)
    x, _ = samples.batches[0]
    assert x.shape == (30, 10, 2, 34, 34)
    assert x.dtype == torch.uint8
    assert x.movedim(-3, -1).is_contiguous()
    assert float(x.float().mean()) == pytest.approx(inputs.EVENT_DENSITY, rel=0.1)
    assert x[-1].sum() == 0
    model = samples.settings.models[case.model]
    network = SpikingNetwork(
        model.architecture, (2, 34, 34), tau_m=model.tau_m, tau_s=model.tau_s, padding=model.padding, conv_gain=model.conv_gain,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    network(x)
    assert all(0.002 < rate < 0.5 for rate in network.firing_rates)


# Peers, without the libraries: neurons that pass their current on


@pytest.mark.parametrize("first_once", [True, False])
@pytest.mark.parametrize("channels_last", [True, False])
def test_a_peer_network_computes_the_same_layers_in_every_layout(channels_last, first_once):
    torch.manual_seed(0)
    plan = notation.plan("3C3-P2-4C3-5", (2, 6, 6), 4, 1)
    network = SpikingNetwork("3C3-P2-4C3-5", (2, 6, 6), classes=4, padding=1)
    weights = [weight.detach() for weight in network.parameters()]
    # The order of features before the first dense layer is free: one value for all weights of a neuron makes it irrelevant.
    weights[2] = weights[2].mean(1, keepdim=True).expand_as(weights[2])
    peer = PeerNetwork(
        plan,
        weights,
        lambda: Neurons(torch.nn.Identity(), lambda cell, current: cell(current)),
        5,
        0.0,
        Setting("", channels_last, first_once),
    )
    x = torch.randn(3, 2, 6, 6)
    hidden = torch.nn.functional.conv2d(x, weights[0], padding=1)
    hidden = torch.nn.functional.conv2d(torch.nn.functional.avg_pool2d(hidden, 2) * 4 * POOLING_GAIN, weights[1], padding=1)
    expected = hidden.flatten(1) @ weights[2].T @ weights[3].T
    torch.testing.assert_close(peer(peer.prepared(x)), expected.expand(5, 3, 4), rtol=1e-4, atol=1e-5)


@pytest.mark.slow  # 10 s each, mostly imports
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_library_trains_and_fires(peer, settings):
    if peer.version is None:
        pytest.skip(f"{peer.title} is not installed; make bench installs it")
    ready, _, failed = find_settings([Job(small(settings), peer, threads=1)], Effort(trials=False))
    assert not failed
    found = measure(ready, Effort(repetitions=1, least=1, turn_seconds=0.0), lambda _: lambda _: None)
    assert [m.mode for m in found] == ["train", "infer"]
    assert found[0].found is not None
    assert found[0].found.rates[0] > 0


def test_a_library_that_is_missing_is_named_with_the_command_to_install_it(settings):
    missing = replace(PEERS[0], library="no-such-library")
    jobs, _, failed = find_settings([Job(small(settings), entry, 1) for entry in (missing, OURS, DENSE)], Effort())
    assert [job.entry for job in jobs] == [OURS, DENSE]
    assert failed[0].note == "not installed: python -m pip install --no-deps -r requirements-bench.txt"


# Processes


def test_a_contestant_that_fails_is_a_note_and_the_others_go_on(settings):
    case = small(settings)
    broken = small(settings, conv_gain="nonsense")  # model_copy checks nothing: the worker stumbles over it
    broken = replace(broken, name="broken")
    found = measure([Job(broken, OURS, 1), Job(case, DENSE, 1)], Effort(1, 1, 0.0), lambda _: lambda _: None, modes=("train",))
    by_case = {m.case.name: m for m in found}
    assert by_case["broken"].note.startswith("failed: TypeError")
    assert not by_case["broken"].seconds
    assert len(by_case["small"].seconds) == 1


def test_a_worker_that_is_killed_is_an_error_and_no_hang(settings):
    with Worker(Job(small(settings), DENSE, 1)) as worker:
        worker._process.kill()
        with pytest.raises(WorkerError, match="ended with code -9"):
            worker.ask("ready")


def test_a_worker_leaves_when_it_is_not_wanted_any_more(settings):
    with Worker(Job(small(settings), DENSE, 1)) as worker:
        worker.ask("ready")
        process = worker._process
    assert process.exitcode == 0


def test_effort_gives_few_turns_to_what_is_slow():
    effort = Effort(repetitions=9, least=3, case_seconds=60)
    assert [effort.affordable(seconds) for seconds in (0.1, 12, 100)] == [9, 5, 3]


def test_sleepers_keep_their_memory_as_far_as_the_largest_fits_beside_them(settings):
    small_one, middle, large = (Job(small(settings), OURS, 1) for _ in range(3))
    memory = {large: 6, small_one: 1, middle: 3}
    assert fitting(memory, 16) == {small_one, middle, large}
    assert fitting(memory, 10) == {small_one, middle}
    assert fitting(memory, 9) == {small_one}
    assert fitting(memory, 5) == set()


# Reports


def measured(case, entry, seconds, mode="train", peak=3_000_000) -> Measurement:
    return Measurement(case, entry, mode, seconds, 1, "", Findings((0.1,), "made", 1_000_000, peak))


def test_the_tables_and_the_csv_say_the_same(settings):
    (case,) = network_cases(settings, ["mnist-cnn"])
    measurements = [measured(case, OURS, (0.02, 0.025, 0.03)), measured(case, DENSE, (0.02,)), measured(case, PEERS[0], (0.05,))]
    text = markdown(Results(Conditions((("machine", "a"),), 0.0), measurements))
    rows = {row["contestant"]: row for row in csv.DictReader(csv_text(measurements).splitlines())}
    ours = rows["tsslbp"]
    assert float(ours["seconds_median"]) == 0.025
    assert float(ours["seconds_first_quartile"]) == pytest.approx(0.0225)
    assert float(ours["samples_per_second"]) == pytest.approx(2000)
    line = next(line for line in text.splitlines() if line.startswith("| mnist-cnn: "))
    assert [cell.strip() for cell in line.split("|")[2:4]] == ["2,000 [1,818, 2,222]", "1,000 [1,000, 1,000]"]
    assert line.rstrip("| ").endswith("2.00")  # 0.05 / 0.025
    limit = next(line for line in text.splitlines() if line.startswith("| mnist-cnn | 25.0"))
    assert limit.split("|")[5].strip() == "1.25"
    assert "do not trust" not in text


def test_a_disturbed_or_shortened_run_says_so():
    text = markdown(Results(Conditions((), 0.0, others=0.2), [], shortened=True))
    assert "do not trust these numbers" in text
    assert "A shortened run" in text


def test_what_other_programs_take_is_what_is_left_of_the_busy_time():
    cores = os.cpu_count() or 1
    before, after = ProcessorTime(0, 100, 10), ProcessorTime(10, 100 + 7 * cores, 10 + 5 * cores)
    assert before.others_until(after) == pytest.approx(0.2)


def test_a_straight_line_is_recognised_and_a_bend_measured():
    line = straight_line([1, 2, 4], [5.0, 7.0, 11.0])
    assert (line.offset, line.slope, line.deviation) == pytest.approx((3, 2, 0), abs=1e-9)
    assert straight_line([1, 2, 4, 8], [1, 4, 16, 64]).deviation > 0.3


def test_the_points_of_a_sweep_come_with_their_dense_limit(settings):
    cases = tuple((value, changed(settings, "mnist-cnn", f"s-{value}", {"batch_size": value})) for value in (1, 2))
    found = points(Sweep("s", "batch", cases), [measured(cases[0][1], OURS, (0.1,)), measured(cases[0][1], DENSE, (0.05,))])
    assert [(point.value, point.seconds, point.memory, point.dense.median) for point in found] == [(1, 0.1, 2_000_000, 0.05)]


# The command


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def small_project(tmp_path_factory) -> Path:
    """The settings of the repository with one small network under mnist-cnn's name."""
    folder = tmp_path_factory.mktemp("project")
    text = (ROOT / "params.yaml").read_text().replace("architecture: 15C5-P2-40C5-P2-300", "architecture: 2C5-P2-4")
    (folder / "params.yaml").write_text(text)
    return folder


def test_quick_writes_csv_table_and_figure_of_a_small_case(small_project):
    done = run(small_project, "--quick", "--cases", "mnist-cnn", "--contestants", "tsslbp", "dense", "--threads", "1")
    assert done.returncode == 0, done.stderr
    folder = small_project / ".scratch/benchmark"  # a shortened run leaves the real report alone
    assert not (small_project / "reports").exists()
    rows = list(csv.DictReader((folder / "results.csv").open()))
    assert [(row["contestant"], row["mode"]) for row in rows] == [("tsslbp", "train"), ("dense", "train"), ("tsslbp", "infer")]
    ours, dense = (float(row["seconds_median"]) for row in rows[:2])
    text = (folder / "results.md").read_text()
    assert f"| {ours / dense:.2f} |" in text
    assert re.search(r"\| commit \| \S+ \|", text)
    assert "threads | 1 for every contestant" in text
    assert (folder / "training.png").read_bytes().startswith(b"\x89PNG")


def test_an_unknown_case_ends_the_command_with_one_line(small_project):
    done = run(small_project, "--cases", "nonesuch")
    assert done.returncode == 1
    assert done.stderr.startswith("benchmarks: --cases: unknown nonesuch; allowed:")
    assert "Traceback" not in done.stderr


def test_bad_arguments_name_what_is_allowed(small_project):
    done = run(small_project, "--repetitions", "0")
    assert done.returncode == 2
    assert "expected a whole number from 1 on" in done.stderr


def test_every_name_on_the_roster_is_its_own():
    assert all(name == entry.name for name, entry in ROSTER.items())
    assert len({entry.title for entry in ROSTER.values()}) == len(ROSTER)
