"""Networks as NIR: other libraries' own readers compute the same spikes, on real digits, and so the same classes."""

import contextlib
import io
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.utils import prune

import tsslbp
from tests.support.in_process import printed_by_training, run_stage
from tests.support.paths import ROOT
from tests.support.project import MODEL, Project
from tsslbp.data.digits import make_digits
from tsslbp.method.batches import ImageBatches
from tsslbp.settings import load_settings
from tsslbp.storage.checkpoints import load_weights, save_weights

nir = pytest.importorskip("nir", reason="the extra `export` is not installed")
from tsslbp.export.nir_graph import nir_graph, write_nir  # noqa: E402

STEPS = 5


def reader(library: str):
    """The function of another library that turns a graph into a module, without what its import warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = {"norse": "norse.torch", "snntorch": "snntorch.import_nir"}[library]
        found = pytest.importorskip(module, reason=f"{library} is not installed, see requirements-bench.txt")
    read = found.from_nir if library == "norse" else found.import_from_nir

    def quietly(graph, **options):
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            return read(graph, **options)

    return quietly


def spikes_of_graph(module: torch.nn.Module, x: Tensor) -> Tensor:
    """What the graph puts out, step by step: (T, B, classes). `x` as a network takes it; a still image is shown at every step."""
    state, spikes = None, []
    with torch.inference_mode():
        for step in range(len(x) if x.dim() == 5 else STEPS):
            out, state = module(x[step] if x.dim() == 5 else x, state)
            spikes.append(out)
    return torch.stack(spikes)


@pytest.fixture(scope="module")
def project(tmp_path_factory, empty_database) -> Path:
    """A project whose network with convolutions and pooling was trained on scikit-learn's digits."""
    project = Project(tmp_path_factory.mktemp("export") / "project", empty_database, epochs=10)
    project.change("architecture: 60", "architecture: 6C5-P2-8C5-P2-40")
    project.change("seeds: [0, 1]", "seeds: [0]")
    project.prepare()
    printed_by_training(project.folder, MODEL)
    return project.folder


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """The test digits, normalized, and their labels."""
    dataset = load_settings(ROOT / "quickstart/params.yaml").datasets["digits"]
    ((x, labels),) = ImageBatches(make_digits()[1], dataset.mean, dataset.std, 360).in_order()
    return x, labels


@pytest.mark.slow
def test_norses_reader_computes_the_same_spikes_and_classes_on_real_digits(project, digits):
    from_nir = reader("norse")
    assert run_stage(project, "export", "--model", MODEL, "--format", "nir") == 0
    x, labels = digits
    network = tsslbp.load_network(project / f"checkpoints/{MODEL}/seed-0-best.safetensors")
    with torch.inference_mode():
        trace = network(x)
    spikes = spikes_of_graph(from_nir(nir.read(project / f"{MODEL}.nir")), x)
    assert (trace.sum(0).argmax(1) == labels).float().mean() > 0.6, "a network that learned nothing would prove nothing"
    # Other sums, rounded in another order: a potential that hits the threshold to the last bit may fall on its other side.
    different = (spikes != tsslbp.spikes_of(trace, 3.0)).float().mean()
    assert different < 1e-3
    scores = tsslbp.synaptic_filter(spikes, 3.0).sum(0)
    assert (scores.argmax(1) == trace.sum(0).argmax(1)).float().mean() > 0.995


def network_of(architecture: str, shape: tuple[int, ...], **options) -> tsslbp.SpikingNetwork:
    """A network that nobody trained, whose neurons all spike."""
    network = tsslbp.SpikingNetwork(architecture, shape, time_steps=STEPS, generator=torch.Generator().manual_seed(0), **options).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(3)
    return network


def graph_of(network: tsslbp.SpikingNetwork, path: Path, **options):
    """A network written as a file, and read again."""
    write_nir(path, nir_graph(network, **options))
    return nir.read(path)


def test_norse_reads_events_padding_and_other_constants(tmp_path):
    network = network_of("4C5-P2-6C3-P2-20", (2, 34, 34), padding=[1, 0], tau_m=8.0, tau_s=4.0, threshold=0.8)
    events = (torch.rand(12, 3, 2, 34, 34, generator=torch.Generator().manual_seed(0)) < 0.1).float()
    spikes = spikes_of_graph(reader("norse")(graph_of(network, tmp_path / "x.nir")), events)
    assert 0.02 < spikes.mean() < 0.98
    torch.testing.assert_close(tsslbp.synaptic_filter(spikes, 4.0), network(events))


def test_another_step_is_the_same_network_for_a_reader_that_is_told(tmp_path):
    network, x = network_of("30", (1, 8, 8)), torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    expected = tsslbp.spikes_of(network(x), 3.0)
    graph = graph_of(network, tmp_path / "x.nir", step=0.003)
    assert torch.equal(spikes_of_graph(reader("norse")(graph, dt=0.003), x), expected)
    assert not torch.equal(spikes_of_graph(reader("norse")(graph, dt=0.001), x), expected), "a foreign step makes another network"


def test_snntorchs_reader_computes_the_same_spikes(tmp_path):
    """Of dense layers: it knows no sum pooling."""
    import_from_nir = reader("snntorch")
    network, x = network_of("30-20", (1, 8, 8)), torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    graph = graph_of(network, tmp_path / "x.nir", step=1e-4, read_out="spikes")
    with contextlib.redirect_stdout(io.StringIO()):
        spikes = spikes_of_graph(import_from_nir(graph), x)
    assert torch.equal(spikes, tsslbp.spikes_of(network(x), 3.0))


def test_the_read_out_is_the_trace_of_the_output_neurons(tmp_path):
    graph = graph_of(network_of("30", (1, 8, 8)), tmp_path / "x.nir", step=0.002)
    node = graph.nodes["read_out"]
    assert isinstance(node, nir.LI)
    assert (set(node.tau), set(node.r), node.tau.shape) == ({0.006}, {1.0}, (10,))
    assert ("read_out", "output") in graph.edges
    assert "read_out" not in graph_of(network_of("30", (1, 8, 8)), tmp_path / "y.nir", read_out="spikes").nodes


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"model": "mnist-cnn"}, "other.safetensors: is the network of mnist-cnn, not of fashion-mlp; name that model with --model"),
        ({}, "other.safetensors: is of another network than fashion-mlp has now: architecture 15C5-P2-40C5-P2-300 in place of 400-400"),
    ],
)
def test_weights_of_another_model_are_refused_in_one_line(metadata, said, tmp_path, capsys):
    """Two datasets may have networks of one shape, and scale their images differently."""
    key = "fashion-mlp" if metadata else "mnist-cnn"
    weights, found = load_weights(ROOT / f"reports/weights/{key}.safetensors")
    save_weights(tmp_path / "other.safetensors", weights, {**found, **metadata})
    arguments = ("--model", "fashion-mlp", "--format", "nir", "--weights", str(tmp_path / "other.safetensors"))
    assert run_stage(ROOT, "export", *arguments, "--output", str(tmp_path / "x.nir")) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x.nir").exists()


@pytest.mark.slow
def test_the_types_of_the_nodes_fit_and_the_metadata_say_how_to_feed_it(project):
    assert run_stage(project, "export", "--model", MODEL, "--format", "nir", "--output", "typed.nir") == 0
    graph = nir.read(project / "typed.nir")  # checks the types
    assert [list(graph.nodes[name].input_type["input"]) for name in ("input", "weights_1", "flatten_3")] == [
        [1, 28, 28],
        [1, 28, 28],
        [8, 4, 4],
    ]
    assert (graph.metadata["time_steps"], graph.metadata["step_seconds"]) == (5, 0.001)
    assert graph.metadata["mean"] == pytest.approx([0.3065])


@pytest.mark.slow
def test_the_network_in_git_is_taken_first(project, capsys):
    target = project / f"reports/weights/{MODEL}.safetensors"
    target.parent.mkdir()
    target.write_bytes((project / f"checkpoints/{MODEL}/seed-0-final.safetensors").read_bytes())
    try:
        assert run_stage(project, "export", "--model", MODEL, "--format", "nir") == 0
    finally:
        target.unlink()
        target.parent.rmdir()
    assert f"the network of reports/weights/{MODEL}.safetensors" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "digts"], "unknown model 'digts'; allowed: digits-mlp"),
        (["--model", MODEL, "--step", "0"], "a time step stands for a positive number of seconds"),
        (["--model", MODEL, "--step", "nan"], "a time step stands for a positive number of seconds"),
        (["--model", MODEL, "--weights", "none.safetensors"], "weights none.safetensors: cannot be read"),
        (["--model", MODEL, "--output", "/proc/none.nir"], "/proc/none.nir"),
    ],
)
def test_what_cannot_be_written_is_one_line(project, capsys, arguments, message):
    assert run_stage(project, "export", "--format", "nir", *arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.slow
def test_without_weights_it_says_what_was_looked_for(project, capsys, tmp_path):
    (project / "checkpoints").rename(tmp_path / "checkpoints")
    try:
        assert run_stage(project, "export", "--model", MODEL, "--format", "nir") == 1
    finally:
        (tmp_path / "checkpoints").rename(project / "checkpoints")
    assert f"no reports/weights/{MODEL}.safetensors and no checkpoints/{MODEL}/seed-0-best.safetensors" in capsys.readouterr().err


@pytest.mark.slow
def test_without_the_package_it_says_how_to_install_it(project, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "nir", None)
    assert run_stage(project, "export", "--model", MODEL, "--format", "nir") == 1
    assert "nir is not installed; `pip install '.[export]'`" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["Trace", "", None])
def test_an_unknown_read_out_is_refused(word):
    with pytest.raises(ValueError, match=r"read_out .*: unknown; allowed: spikes, trace"):
        nir_graph(tsslbp.SpikingNetwork("20", (1, 8, 8)), read_out=word)


def test_a_network_of_another_precision_is_refused():
    network = tsslbp.SpikingNetwork("20", (1, 8, 8), precision="bf16")
    with pytest.raises(ValueError, match="NIR has float32 alone"):
        nir_graph(network)


def test_a_pruned_network_is_written_as_it_computes():
    network = tsslbp.SpikingNetwork("20", (1, 8, 8))
    prune.l1_unstructured(network.layers[0], "weight", amount=0.9)
    written = nir_graph(network).nodes["weights_1"].weight
    assert torch.equal(torch.from_numpy(written), network.layers[0].weight)
    assert (written == 0).mean() == pytest.approx(0.9, abs=0.01)
