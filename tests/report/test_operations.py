"""Synaptic operations, against counts by hand: small networks whose every connection can be listed."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.report_builders import make_run, settings
from tsslbp.architecture import Convolution, PlannedLayer, plan_network
from tsslbp.report.numbers import compact
from tsslbp.report.operations import connections, fan_out, operations_of, synaptic_operations


def test_a_dense_network_by_hand():
    """4 pixels, 3 neurons, 2 outputs, 10 steps: 3 * 0.1 * 10 spikes reach 2 outputs each; the image costs 4 * 3 products."""
    plan = plan_network("3", (1, 2, 2), 2)
    assert synaptic_operations(plan, [0.1, 0.9], 10) == pytest.approx(3 * 0.1 * 10 * 2)
    assert connections(plan[0]) == 12


def test_events_enter_the_first_layer_as_spikes():
    plan = plan_network("3", (2, 2, 2), 2)
    assert synaptic_operations(plan, [0.1, 0.9], 10, input_rate=0.05) == pytest.approx(3 * 0.1 * 10 * 2 + 8 * 0.05 * 10 * 3)


def test_a_convolution_without_padding_by_hand():
    """A 2x2 kernel on 3x3 pixels has 4 places of 4 connections for each of 5 channels: 80 connections of 9 pixels."""
    (layer, _) = plan_network("5C2", (1, 3, 3), 2)
    assert connections(layer) == 80
    assert fan_out(layer) == pytest.approx(80 / 9)


def test_a_pooled_input_passes_on_every_spike_of_its_window():
    """1 pixel of 2x2 is pooled from 2 channels of 2x2 neurons: 8 neurons, each of whose spikes reaches all 3 outputs."""
    plan = plan_network("2C1-P2", (1, 2, 2), 3)
    assert synaptic_operations(plan, [0.25, 0.0], 4) == pytest.approx(8 * 0.25 * 4 * 3)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(0, 3), st.tuples(st.integers(4, 7), st.integers(4, 7)))
def test_connections_of_a_convolution_are_those_that_can_be_listed(inputs, channels, kernel, padding, size):
    height, width = size
    outputs = (height + 2 * padding - kernel + 1, width + 2 * padding - kernel + 1)
    shape = (channels, *outputs)
    layer = PlannedLayer(Convolution(channels, kernel), (inputs, height, width), shape, shape, padding, 1)
    listed = sum(
        0 <= y + dy - padding < height and 0 <= x + dx - padding < width
        for y, x, dy, dx in product(range(outputs[0]), range(outputs[1]), range(kernel), range(kernel))
    )
    assert connections(layer) == inputs * channels * listed


def test_a_record_gives_the_mean_over_its_seeds_after_the_last_epoch():
    protocol = settings()
    record, _ = make_run(protocol, "fashion-mlp", seeds=(0, 1), epochs=3)
    last = [seed.history[-1].firing_rates for seed in record.seeds]
    rates = [sum(rate[layer] for rate in last) / 2 for layer in range(3)]
    found = operations_of(record, protocol.dataset_of("fashion-mlp"))
    assert found.synaptic == pytest.approx(5 * (400 * rates[0] * 400 + 400 * rates[1] * 10))
    assert found.dense == 784 * 400


def test_events_need_the_rate_of_the_input():
    protocol = settings()
    record, _ = make_run(protocol, "nmnist-cnn-t30", seeds=(0,), epochs=2)
    dataset = protocol.dataset_of("nmnist-cnn-t30")
    assert operations_of(record, dataset) is None
    (seed,) = record.seeds
    with_rate = seed.model_copy(update={"history": (seed.history[0], seed.history[1].model_copy(update={"input_rate": 0.017}))})
    plan = plan_network("12C5-P2-64C5-P2", (2, 34, 34), 10, (1, 0))
    found = operations_of(record.model_copy(update={"seeds": (with_rate,)}), dataset)
    assert found.synaptic == pytest.approx(synaptic_operations(plan, seed.history[1].firing_rates, 30, 0.017))
    assert found.dense == 0


def test_without_fitting_rates_there_is_no_number():
    protocol = settings()
    record, _ = make_run(protocol, "fashion-mlp", seeds=(0,), epochs=1)
    (seed,) = record.seeds
    silent = seed.model_copy(update={"history": (seed.history[0].model_copy(update={"firing_rates": ()}),)})
    assert operations_of(record.model_copy(update={"seeds": (silent,)}), protocol.dataset_of("fashion-mlp")) is None
    assert operations_of(record.model_copy(update={"seeds": ()}), protocol.dataset_of("fashion-mlp")) is None


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "–"),
        (0, "0"),
        (940.4, "940"),
        (999.6, "1.00 k"),
        (12_345, "12.3 k"),
        (999_960, "1.00 M"),
        (4_008_694, "4.01 M"),
        (2.5e9, "2.50 G"),
    ],
)
def test_counts_have_three_digits(count, text):
    assert compact(count) == text


def test_operations_are_of_the_shape_that_ran(base):
    """Whatever params.yaml says of the images by now: 27 pixels cannot even be pooled by two."""
    record, _ = make_run(base, "mnist-cnn")
    dataset = base.dataset_of("mnist-cnn")
    ran = record.model_copy(update={"data": record.data.model_copy(update={"shape": (1, 28, 28), "classes": 10})})
    assert operations_of(ran, dataset.model_copy(update={"shape": (1, 27, 27), "classes": 3})) == operations_of(ran, dataset)
    older = record.model_copy(update={"data": record.data.model_copy(update={"shape": (), "classes": 0})})
    assert operations_of(older, dataset) == operations_of(ran, dataset)
