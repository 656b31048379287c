"""The GPU's kernels against the reference: on a GPU where there is one, else step by step in Triton's interpreter."""

import itertools
import os
import subprocess
import sys

import pytest
import torch

from tests.support.paths import ROOT
from tsslbp.method.neuron import gpu, reference
from tsslbp.method.neuron.lif import GRADIENTS
from tsslbp.method.neuron.rules import Neuron
from tsslbp.method.neuron.synapse import constant_input_scale

pytest.importorskip("triton", reason="the GPU's kernels need Triton, which this PyTorch came without")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-12}


def assert_near(actual, expected, tolerance):
    assert (actual - expected).norm() <= tolerance * expected.norm()


def both(current, neuron, scale=None, pooling=1):
    """Trace, gradient and rate by the kernels, and by the reference."""
    current = current.to(DEVICE)
    results = []
    for module in (gpu, reference):
        trace, rate = module.spike_forward(current, neuron, scale, pooling)
        g = torch.randn(trace.shape, generator=torch.Generator().manual_seed(0)).to(trace)
        results += [trace, module.spike_backward(current, g, rate, neuron, scale, pooling), rate]
    return results


@pytest.mark.parametrize(("dtype", "gradient", "steps"), list(itertools.product(TOLERANCE, GRADIENTS, [1, 5, 30])))
def test_every_rule_agrees_with_the_definition(dtype, gradient, steps):
    neuron = Neuron(5.0, 3.0, gradient=gradient)
    fast, fast_g, rate, slow, slow_g, slow_rate = both(torch.randn(steps, 3, 131, dtype=dtype), neuron)
    torch.testing.assert_close(fast, slow, rtol=0, atol=0)
    assert_near(fast_g, slow_g, TOLERANCE[dtype])
    assert rate.item() == pytest.approx(slow_rate.item(), abs=1e-12)


@pytest.mark.parametrize("busy", [False, True])
def test_the_first_states_quiet_and_busy_layers_agree(busy):
    current = torch.randn(5, 4, 100) + (1 if busy else -1)
    neuron = Neuron(5.0, 2.0, gradient="2020-10")
    _, fast_g, rate, _, slow_g, _ = both(current, neuron)
    assert (rate.item() > 0.1) == busy
    assert_near(fast_g, slow_g, 2e-6)


@pytest.mark.parametrize(("size", "still"), list(itertools.product([1, 2, 3], [False, True])))
def test_pooled_and_still_layers_agree(size, still):
    scale = constant_input_scale(6, 3.0) if still else None
    current = 2 * torch.randn(1 if still else 6, 2, size * 4, size * 3, 5).permute(0, 1, 4, 2, 3)
    fast, fast_g, _, slow, slow_g, _ = both(current, Neuron(5.0, 3.0), scale, size)
    torch.testing.assert_close(fast, slow, rtol=0, atol=0)
    assert_near(fast_g, slow_g, 2e-6)


@pytest.mark.parametrize("layout", ["channels last", "sliced", "expanded"])
def test_any_memory_layout_gives_the_same(layout):
    current = 2 * torch.randn(5, 2, 6, 8, 10)
    odd = {
        "channels last": current.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3),
        "sliced": torch.randn(5, 2, 6, 8, 20)[..., ::2].copy_(current),
        "expanded": current[:, :1].expand_as(current),
    }[layout]
    fast, fast_g, _, slow, slow_g, _ = both(odd, Neuron(5.0, 3.0))
    torch.testing.assert_close(fast, slow, rtol=0, atol=0)
    assert_near(fast_g, slow_g, 2e-6)


def test_bfloat16_is_the_float32_result_to_the_last_place():
    current = (2 * torch.randn(5, 3, 40)).bfloat16()
    fast, fast_g, _, slow, slow_g, _ = both(current, Neuron(5.0, 3.0))
    last_place = 2**-7  # the interpreter cuts off where a GPU rounds
    torch.testing.assert_close(fast, slow, rtol=last_place, atol=0)
    torch.testing.assert_close(fast_g, slow_g, rtol=last_place, atol=1e-6)


def test_no_neuron_beyond_the_last_is_touched():
    """Sizes around a program's 256 neurons: the last program is partly empty."""
    for neurons in (1, 255, 256, 257):
        fast, fast_g, _, slow, slow_g, _ = both(2 * torch.randn(4, 1, neurons), Neuron(5.0, 3.0))
        torch.testing.assert_close(fast, slow, rtol=0, atol=0)
        torch.testing.assert_close(fast_g, slow_g, rtol=1e-5, atol=1e-6)


def test_tensors_elsewhere_are_left_to_others():
    assert not gpu.is_possible(torch.zeros(2, 2))
    assert not gpu.is_possible(torch.zeros(2, 2, device="meta"))


COMPILE = """
import itertools, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from tsslbp.method.neuron import gpu_kernels as kernels

def compile(kernel, arrays, numbers, constants):
    signature = arrays | numbers | dict.fromkeys(constants, "constexpr")
    made = triton.compile(ASTSource(kernel, signature, constants), target=GPUTarget("cuda", 80, 32), options={"enable_fp_fusion": False})
    return made.asm["ptx"]

for here, real, first in itertools.product(("*fp32", "*bf16", "*fp64"), ("*fp32", "*fp64"), (False, True)):
    if (here == "*fp64") == (real == "*fp64"):
        sizes = dict.fromkeys(("steps", "neurons", "current_stride"), "i32")
        forward = compile(kernels.forward, dict(current=here, scale=real, constants=real, trace=here, spikes="*i64"), sizes, {"size": 256})
        assert "fma" not in forward
        arrays = dict(current=here, scale=real, constants=real, gradient=here, result=here, potentials=real, traces=real, rate="*fp64")
        for still, one in itertools.product((False, True), repeat=2):
            constants = {"size": 256, "still": still, "first_state": first} | ({"neurons": 1} if one else {})
            backward = compile(kernels.backward, arrays, sizes | {"busy_rate": "fp32"}, constants)
            assert "bar.sync" in backward
"""


def test_the_kernels_compile_for_a_gpu_that_is_not_there(tmp_path):
    """To NVIDIA's assembly, forward without a fused multiply-add."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-c", COMPILE],
        cwd=ROOT,
        env=environment | {"TRITON_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
