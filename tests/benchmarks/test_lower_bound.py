"""The lower bound: the products of the network and nothing else, each by the library that is faster for it."""

import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cases import LayerCase
from benchmarks.networks.lower_bound import DenseProducts, fastest, libraries, network_products
from tests.benchmarks.builders import small
from tsslbp.architecture import plan_network
from tsslbp.method.network import SpikingNetwork

BLAS = {"blas": libraries()["blas"]}


def counter() -> FlopCounterMode:
    """PyTorch's counter, which has to be told of oneDNN's product."""
    packet = torch.ops.mkldnn._linear_pointwise
    return FlopCounterMode(display=False, custom_mapping={packet: lambda x, w, *_, **__: 2 * math.prod(x[:-1]) * math.prod(w)})


@pytest.mark.parametrize(("architecture", "padding"), [("4C3-P2-6C4-P2-5", (1, 0)), ("7-5", 0), ("3C5", 2)])
def test_it_has_the_products_of_the_network(architecture, padding):
    shape, steps, batch = (2, 14, 14), 3, 2
    network = SpikingNetwork(architecture, shape, time_steps=steps, padding=padding)
    events = (torch.rand(steps, batch, *shape) < 0.2).to(torch.uint8)
    with counter() as of_network:
        network(events).sum().backward()
    bound = network_products(network.plan, batch, steps)
    with counter() as of_bound:
        bound.train()
    assert of_bound.get_total_flops() == of_network.get_total_flops() > 0


def test_operations_are_those_that_pytorch_counts(settings):
    case = small(settings)
    bound = network_products(case.plan, case.batch, case.time_steps)
    for training, run in ((True, bound.train), (False, bound.infer)):
        with counter() as counted:
            run()
        assert counted.get_total_flops() == case.operations(training)
    assert LayerCase("x", 8, linear=True, batch=2, time_steps=3).operations(True) == 2 * 2 * 8 * 8 * 6


def test_the_first_product_once_saves_the_other_steps_of_the_first_layer_alone():
    plan, batch, steps = plan_network("7-5", (1, 4, 4), 10), 3, 4
    bounds = [network_products(plan, batch, steps, first_once=once) for once in (False, True)]
    flops = []
    for bound in bounds:
        with counter() as counted:
            bound.train()
        flops.append(counted.get_total_flops())
    assert flops[0] - flops[1] == 2 * (2 * 16 * 7) * batch * (steps - 1)  # forward and by weight


def test_it_works_in_the_layout_of_the_network():
    for product in network_products(plan_network("4C3-P2-5", (2, 8, 8), 10, 1), 1, 3).products:
        assert product.forward().shape == product.gradient.shape
        if product.x.dim() == 4:
            assert all(
                t.is_contiguous(memory_format=torch.channels_last) for t in (product.x, product.weight, product.gradient, product.forward())
            )


@pytest.mark.parametrize("library", sorted(libraries()))
def test_every_library_computes_the_same_three_products(library):
    x, weight, gradient = torch.randn(6, 4), torch.randn(3, 4), torch.randn(6, 3)
    product = DenseProducts(x, weight, gradient, needs_input_gradient=True, among={library: libraries()[library]})
    torch.testing.assert_close(product.forward(), x @ weight.T)
    by_input, by_weight = product.backward()
    torch.testing.assert_close(by_input, gradient @ weight)
    torch.testing.assert_close(by_weight, gradient.T @ x)
    assert product.chosen == f"{library}/{library}/{library}"


def test_the_first_layer_passes_no_gradient_to_its_input():
    product = DenseProducts(torch.randn(6, 4), torch.randn(3, 4), torch.randn(6, 3), needs_input_gradient=False, among=BLAS)
    by_input, by_weight = product.backward()
    assert by_input is None
    assert by_weight.shape == (3, 4)


def test_the_faster_library_is_chosen_for_each_shape():
    now = [0.0]

    def taking(seconds_per_row: float):
        def product(a, b):
            now[0] += seconds_per_row * len(a) if len(b) > 2 else 1 - seconds_per_row
            return a @ b.T

        return product

    among = {"slow with many columns": taking(0.2), "slow with few": taking(0.1)}
    assert fastest(torch.randn(5, 3), torch.randn(4, 3), among, lambda: now[0]) == "slow with few"
    assert fastest(torch.randn(5, 3), torch.randn(2, 3), among, lambda: now[0]) == "slow with many columns"


def test_a_large_product_is_tried_on_some_of_its_rows():
    seen = []

    def product(a, b):
        seen.append(len(a))
        return a.new_zeros(len(a), len(b))

    fastest(torch.empty(10_000, 2000), torch.empty(2000, 2000), {"blas": product})
    assert set(seen) == {250}  # 2e9 operations
