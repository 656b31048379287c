"""The process of JAX: the same network as on PyTorch, an implementation that fails, a worker that ends."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.cases import LayerCase
from benchmarks.jax.inputs import write_inputs
from benchmarks.jax.process import JaxWorker
from benchmarks.processes.job import Job, WorkerError
from benchmarks.roster import JAX_ENVIRONMENT, PEERS
from tests.benchmarks.builders import small
from tsslbp.method.build import build_network

PLAIN = next(entry for entry in PEERS if entry.name == "plain-jax")
needs_jax = pytest.mark.skipif(not JAX_ENVIRONMENT.exists(), reason="JAX is not installed; make bench installs it")


def job(settings, **changes) -> Job:
    case = small(settings)
    return replace(Job(case, PLAIN, 1, PLAIN.settings(case)[0]), **changes)


def test_inputs_are_what_the_network_on_pytorch_gets_with_channels_last(settings, tmp_path):
    case = small(settings)
    write_inputs(case, tmp_path)
    described = json.loads((tmp_path / "case.json").read_text())
    network = build_network(settings.models["mnist-cnn"].model_copy(update={"architecture": "3C3-P2-5", "padding": 1}), settings.recipe_of("mnist-cnn"), settings.dataset_of("mnist-cnn"), seed=0)  # fmt: skip
    weights = [weight.detach().numpy() for weight in network.parameters()]
    assert np.array_equal(np.load(tmp_path / "weight-0.npy"), weights[0].transpose(2, 3, 1, 0))
    # the pooling before the second layer sums four values and amplifies them; here it takes their mean
    np.testing.assert_allclose(np.load(tmp_path / "weight-1.npy"), weights[1].T * 4 * 1.1, rtol=1e-6)
    assert [layer["pooling"] for layer in described["layers"]] == [2, 1, 1]
    assert described["training"]["learning_rate"] == settings.models["mnist-cnn"].learning_rate
    assert len(described["loss"]["target"]) == case.time_steps
    x = np.load(tmp_path / "x-0.npy")
    assert x.shape == (case.batch, 28, 28, 1)
    assert x.dtype == np.float32


@pytest.mark.slow
def test_samples_that_cannot_be_written_are_an_error_and_no_hang(settings):
    broken = replace(small(settings, conv_gain="nonsense"), name="broken")  # model_copy checks nothing
    with JaxWorker(job(settings, case=broken)) as worker, pytest.raises(WorkerError, match="TypeError"):
        worker.ask("ready")


def test_an_environment_that_is_gone_is_an_error_of_the_implementation(settings, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.jax.process.JAX_ENVIRONMENT", tmp_path)
    layer = LayerCase("lif", 8, linear=False, batch=2, time_steps=4)
    with JaxWorker(job(settings, case=layer)) as worker, pytest.raises(WorkerError, match=r"FileNotFoundError: .*bin/python"):
        worker.ask("ready")


@needs_jax
@pytest.mark.slow
def test_training_lowers_the_loss_and_the_answers_come_back_as_they_are(settings):
    with JaxWorker(job(settings)) as worker:
        worker.ask("ready")
        seconds, memory = worker.ask("warm_up", "train")
        turn = worker.ask("turn", "train", 2, True)
        found = worker.ask("findings")
    assert seconds > 0 and memory >= 0
    assert turn.seconds > 0 and turn.processor > 0
    assert len(found.rates) == 3
    assert 0 < found.rates[0] < 1
    assert found.source == "synthetic"


@needs_jax
@pytest.mark.slow
def test_an_implementation_that_fails_says_what_with(settings):
    broken = replace(PLAIN.settings(small(settings))[0], neuron="LIF, lax.scan")
    with JaxWorker(job(settings, setting=broken)) as worker:
        worker.ask("ready")
        with pytest.raises(WorkerError, match="AttributeError"):
            worker.ask("warm_up", "nonsense")


@needs_jax
@pytest.mark.slow
def test_a_worker_that_is_killed_is_an_error_and_no_hang(settings):
    with JaxWorker(job(settings, case=LayerCase("lif", 8, linear=True, batch=2, time_steps=4))) as worker:
        worker.ask("ready")
        worker._process.kill()
        with pytest.raises(WorkerError, match="ended with code -9"):
            worker.ask("once")


@needs_jax
@pytest.mark.slow
def test_a_worker_leaves_when_it_is_not_wanted_any_more_and_takes_its_files_along(settings):
    with JaxWorker(job(settings)) as worker:
        worker.ask("ready")
        folder = worker._folder.name
    assert worker._process.returncode == 0
    with pytest.raises(FileNotFoundError):
        (JAX_ENVIRONMENT / folder).stat()
