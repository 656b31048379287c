"""The dense limit has the network's own products, and a short run writes tables that agree."""

import csv

import pytest
import torch

from benchmarks.__main__ import main
from benchmarks.dense import network_products
from tests.test_pipeline import ROOT
from tsslbp.network import SpikingNetwork


@pytest.mark.parametrize(("architecture", "padding"), [("24-16", 0), ("6C3-P2-8C3-P2-20", (0, 1))])
def test_the_dense_limit_has_the_networks_products(architecture, padding):
    network = SpikingNetwork(architecture, (1, 14, 14), padding=padding)
    products = list(network_products(network.plan, samples=10).products)
    assert [tuple(product.weight.shape) for product in products] == [tuple(weight.shape) for weight in network.parameters()]
    for product, layer in zip(products, network.plan, strict=True):
        forward = product.forward()
        assert forward.numel() == 10 * layer.neuron_shape[0] * layer.neuron_shape[1] * layer.neuron_shape[2]
        _, gradient = product.backward()
        assert torch.isfinite(gradient).all()


@pytest.mark.slow
def test_a_short_run_writes_what_it_measured(tmp_path):
    code = main(
        [
            "--quick",
            "--params",
            str(ROOT / "params.yaml"),
            "--cases",
            "fashion-mlp",
            "--contestants",
            "tsslbp",
            "dense",
            "--output",
            str(tmp_path),
        ]
    )
    assert code == 0
    with (tmp_path / "results.csv").open() as file:
        assert {row["contestant"] for row in csv.DictReader(file)} == {"tsslbp", "dense"}
    text = (tmp_path / "results.md").read_text()
    assert "A shortened run" in text
    assert "fashion-mlp" in text


def test_an_unknown_case_is_one_message(capsys, tmp_path):
    assert main(["--params", str(ROOT / "params.yaml"), "--cases", "mnist-rnn", "--output", str(tmp_path)]) == 1
    assert "mnist-rnn" in capsys.readouterr().err
