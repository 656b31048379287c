"""A network from its weights file: what stops it is told of what is wrong."""

import pytest

from tests.support.paths import ROOT
from tsslbp.method.build import load_network
from tsslbp.storage.checkpoints import CheckpointError

WEIGHTS = ROOT / "reports/weights/fashion-mlp.safetensors"


def test_an_unknown_library_of_products_is_named_and_the_file_is_not_blamed():
    with pytest.raises(CheckpointError, match="products 'mkl'") as raised:
        load_network(WEIGHTS, products="mkl")
    assert "that they name" not in str(raised.value)
