"""Both libraries of dense products give the same result within rounding, for every shape and layout that a network has."""

import pytest
import torch
from torch.nn import functional

from tsslbp.method import products
from tsslbp.method.network import SpikingNetwork
from tsslbp.method.products import linear, onednn_is_there, resolve_products
from tsslbp.system import onednn_takes

pytestmark = pytest.mark.skipif(not onednn_is_there(), reason="this PyTorch has no oneDNN operator for dense products")
AMD = "vendor_id : AuthenticAMD\nflags : fpu avx512f\n"


def gradients(x, weight, library, g):
    x, weight = x.detach().requires_grad_(), weight.detach().requires_grad_()
    result = linear(x, weight, library)
    result.backward(g)
    return result.detach(), x.grad, weight.grad


@pytest.fixture
def products_by(monkeypatch):
    """The library of each dense product from here on, in their order; BLAS computes its gradients where nothing can look on."""
    seen = []

    def spy(owner, name, library):
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *arguments: (seen.append(library), real(*arguments))[1])

    spy(torch.ops.mkldnn, "_linear_pointwise", "onednn")
    spy(products.functional, "linear", "blas")
    return seen


@pytest.mark.parametrize(("library", "forward", "both_gradients"), [("onednn", 1, 2), ("blas", 1, 0)])
def test_a_product_and_its_gradients_are_by_the_library_that_was_asked_for(products_by, library, forward, both_gradients):
    x, weight = torch.randn(6, 8, requires_grad=True), torch.randn(5, 8, requires_grad=True)
    result = linear(x, weight, library)
    assert products_by == forward * [library]
    result.sum().backward()
    assert products_by == (forward + both_gradients) * [library]


@pytest.mark.parametrize(("library", "forward", "both_gradients"), [("onednn", 2, 4), ("blas", 2, 0)])
def test_the_dense_layers_of_a_network_are_by_its_library(products_by, library, forward, both_gradients):
    """Two of them, one for each product: the neurons of 20, and the classes."""
    network = SpikingNetwork("3C3-20", (1, 6, 6), products=library)
    trace = network(torch.rand(4, 1, 6, 6))
    assert products_by == forward * [library]
    trace.sum().backward()
    assert products_by == (forward + both_gradients) * [library]


@pytest.mark.parametrize(
    ("rows", "features", "neurons"), [(100, 784, 400), (500, 400, 10), (1, 1, 1), (3, 7, 2), (250, 640, 300), (2, 1, 33)]
)
def test_the_libraries_agree_within_rounding(rows, features, neurons):
    x, weight, g = torch.randn(rows, features), torch.randn(neurons, features), torch.randn(rows, neurons)
    for one, other in zip(gradients(x, weight, "onednn", g), gradients(x, weight, "blas", g), strict=True):
        assert one.shape == other.shape
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "make", [lambda x: x.t().contiguous().t(), lambda x: x.repeat_interleave(2, 1)[:, ::2], lambda x: x[:1].expand(6, 8)]
)
def test_any_strides_are_taken(make):
    x, weight = make(torch.randn(6, 8)), make(torch.randn(6, 8))
    torch.testing.assert_close(linear(x, weight, "onednn"), functional.linear(x, weight), rtol=1e-5, atol=1e-5)


def test_a_broadcast_gradient_is_taken():
    x, weight = torch.randn(6, 8, requires_grad=True), torch.randn(5, 8, requires_grad=True)
    linear(x, weight, "onednn").sum().backward()
    torch.testing.assert_close(weight.grad, x.detach().sum(0).expand(5, 8), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(0, 8), (6, 0)])
def test_nothing_gives_what_blas_gives(shape):
    assert linear(torch.zeros(shape), torch.zeros(5, shape[1]), "onednn").equal(torch.zeros(shape[0], 5))


def test_double_is_exact():
    x, weight = torch.randn(6, 8, dtype=torch.float64), torch.randn(5, 8, dtype=torch.float64)
    assert linear(x, weight, "onednn").equal(functional.linear(x, weight))


@pytest.mark.skipif(not onednn_takes("bf16"), reason="oneDNN has no bf16 on this processor")
def test_bf16_is_near():
    x, weight = torch.randn(6, 8, dtype=torch.float64), torch.randn(5, 8, dtype=torch.float64)
    torch.testing.assert_close(linear(x.bfloat16(), weight.bfloat16(), "onednn").double(), x @ weight.t(), rtol=0.05, atol=0.1)


def test_a_frozen_weight_and_a_leaf_input_get_no_gradient():
    x, weight = torch.randn(6, 8), torch.randn(5, 8, requires_grad=True)
    linear(x, weight, "onednn").sum().backward()
    assert x.grad is None
    x, weight = torch.randn(6, 8, requires_grad=True), torch.randn(5, 8)
    linear(x, weight, "onednn").sum().backward()
    assert weight.grad is None
    with torch.no_grad():
        assert not linear(x, weight, "onednn").requires_grad


def test_auto_is_onednn_on_amd_with_avx512_and_blas_elsewhere(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    for text, library in ((AMD, "onednn"), (AMD.replace("avx512f", "avx2"), "blas"), (AMD.replace("AuthenticAMD", "GenuineIntel"), "blas")):
        cpuinfo.write_text(text)
        assert resolve_products("auto", cpuinfo) == library
    assert resolve_products("auto", tmp_path / "nothing") == "blas"
    assert resolve_products("blas", cpuinfo) == "blas"


def test_a_pytorch_without_the_operator_falls_back_or_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(products, "onednn_is_there", lambda: False)
    (tmp_path / "cpuinfo").write_text(AMD)
    assert resolve_products("auto", tmp_path / "cpuinfo") == "blas"
    with pytest.raises(ValueError, match=r"execution.products: got 'onednn', but PyTorch .* allowed here: auto, blas"):
        resolve_products("onednn")


def test_networks_agree_whatever_the_library():
    x, outputs = torch.randn(4, 1, 6, 6), []
    for library in ("onednn", "blas"):
        network = SpikingNetwork("3C3-20", (1, 6, 6), products=library, generator=torch.Generator().manual_seed(1))
        assert network.products == library
        outputs.append(network(x))
    torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-4)
