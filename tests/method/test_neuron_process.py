"""The kernels in a process as users have them: forked, compiled around, with other threads, with nowhere to keep compiled code."""

import os
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

USE = "from tsslbp.method.neuron.lif import lif\nimport torch\ndef use():\n    x = torch.rand(5, 40, 300, requires_grad=True)\n    lif(x, 5.0, 3.0).sum().backward()\n    return x.grad.sum().item()\n"


def run(code, **environment):
    """Run a program; its last line of output. A child that dies or hangs fails the test."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_child_that_is_forked_after_a_kernel_ran_computes(threads):
    fork = "import os\npid = os.fork()\nif pid == 0:\n    torch.set_num_threads(1)\n    use()\n    os._exit(7)\nprint(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
    assert run(f"{USE}torch.set_num_threads({threads})\nuse()\n{fork}") == "7"


def test_workers_of_a_data_loader_use_the_neuron():
    code = (
        f"{USE}use()\nclass Data(torch.utils.data.Dataset):\n    def __len__(self): return 4\n"
        "    def __getitem__(self, i): return lif(torch.full((3, 1), 2.0), 5.0, 3.0)\n"
        "print(len(list(torch.utils.data.DataLoader(Data(), num_workers=2))))"
    )
    assert run(code) == "4"


@pytest.mark.slow
def test_two_python_threads_share_numbas_simple_pool():
    code = f"{USE}torch.set_num_threads(2)\nimport threading\nts = [threading.Thread(target=lambda: [use() for _ in range(20)]) for _ in range(2)]\n"
    assert run(f"{code}[t.start() for t in ts]\n[t.join() for t in ts]\nprint('done')", NUMBA_THREADING_LAYER="workqueue") == "done"


@pytest.mark.slow
def test_pytorchs_compiler_takes_a_network():
    code = (
        "import torch\nfrom tsslbp.method.network import SpikingNetwork\nnet = SpikingNetwork('8', (1, 4, 4))\nx = torch.rand(2, 1, 4, 4) * 4\n"
        "compiled = torch.compile(net, backend='eager')\ncompiled(x).sum().backward()\nprint(torch.equal(compiled(x), net(x)))"
    )
    assert run(code) == "True"


@pytest.mark.slow
def test_without_a_folder_for_compiled_code_everything_works():
    # What a container with a random user id has; a user who may write everywhere cannot be shut out by rights.
    code = (
        "import numba.core.caching as caching\n"
        "def none(*arguments): raise RuntimeError('no locator available')\n"
        "caching.CacheImpl.__init__ = none\n"
    )
    assert float(run(f"{code}{USE}print(use())")) != 0


@pytest.mark.slow
def test_changed_constants_are_seen_through_a_warm_cache():
    code = USE + "torch.manual_seed(0)\nprint(use())"
    before = run(code)
    assert run(code) == before
    changed = "import tsslbp.method.neuron.rules as rules\nrules.SURROGATE_WIDTH = 0.5\nimport tsslbp.method.neuron.cpu\n"
    assert run(changed + code) != before
