"""The examples run, learn, and the notebook's committed outputs are those of its code."""

import ast
import base64
import contextlib
import io
import json
import re
import runpy
import subprocess
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
import torch

from tests.support.paths import ROOT

NOTEBOOK = ROOT / "examples/first_network.ipynb"


@pytest.fixture(autouse=True)
def same_threads():
    """Examples may set the number of threads; other tests keep theirs."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def accuracies(text: str) -> list[float]:
    return [float(value) for value in re.findall(r"epoch \d+: ([\d.]+) %", text)]


def test_the_neuron_learns_inside_a_module_of_ones_own(capsys):
    example = runpy.run_path(str(ROOT / "examples/own_module.py"))
    assert example["main"](epochs=3) > 80
    assert len(accuracies(capsys.readouterr().out)) == 3


@pytest.mark.slow
def test_it_runs_by_the_command_that_it_names():
    command = [sys.executable, "-m", "examples.own_module"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert accuracies(done.stdout)[-1] > 85


@pytest.fixture(scope="module")
def cells() -> list[dict]:
    return [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


@pytest.fixture(scope="module")
def printed(cells, tmp_path_factory) -> list[str]:
    """What each cell prints when the notebook runs from its first cell to its last."""
    namespace, texts = {}, []
    threads = torch.get_num_threads()
    with mpl.rc_context({"backend": "agg"}):
        for number, cell in enumerate(cells):
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile("".join(cell["source"]), f"cell {number}", "exec"), namespace)
            texts.append(output.getvalue())
        plt.close("all")
    torch.set_num_threads(threads)
    return texts


def committed(cell: dict) -> str:
    return "".join("".join(output["text"]) for output in cell["outputs"] if output["output_type"] == "stream")


def test_the_notebook_learns(printed):
    (learned,) = [found for text in printed if (found := accuracies(text))]
    assert learned[-1] > 85


def test_its_committed_outputs_are_those_of_its_code(cells, printed):
    """As far as another processor's rounding leaves them alone: the same lines, and the accuracy within a few points."""
    for cell, text in zip(cells, printed, strict=True):
        assert re.sub(r"[\d.]+", "N", committed(cell)) == re.sub(r"[\d.]+", "N", text)
        for before, now in zip(accuracies(committed(cell))[-1:], accuracies(text)[-1:], strict=True):
            assert abs(before - now) < 6


def test_its_pictures_are_committed_and_each_has_a_cell(cells):
    drawn = [cell for cell in cells if "plt.subplots" in "".join(cell["source"])]
    pictures = [output["data"]["image/png"] for cell in drawn for output in cell["outputs"] if "image/png" in output.get("data", {})]
    assert len(pictures) == len(drawn) == 3
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    assert NOTEBOOK.stat().st_size < 300_000


def test_the_notebook_uses_public_names_alone(cells):
    """Nothing below `tsslbp.` but what its `__all__` lists."""
    import tsslbp

    code = "\n".join("".join(cell["source"]) for cell in cells)
    used = {node.attr for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "tsslbp"}
    assert {"SpikingNetwork", "lif", "spikes_of"} <= used <= set(tsslbp.__all__)
